//! Passports as they are listed, shown and changed.

use std::{fmt, num::ParseIntError, str::FromStr};

use passpool_core::{
    Actor, Content, Event, HandOut, KeptRecipient, PassportId, Reference, ReservationId, Selector, State, StateName,
    Tags, Timestamp, WalletAddress,
};

/// Which passports are listed. Every condition that is given has to hold.
#[derive(Clone, Debug, Default)]
pub struct PassportFilter {
    pub selector: Option<Selector>,
    /// As it counts at `now`.
    pub state: Option<StateName>,
    /// Those that somebody with this reference has, or had last and owns.
    pub reference: Option<Reference>,
    /// Those whose last change is no older than this. They then come in the order of their last change, so that whoever
    /// reads on misses nothing that changes meanwhile.
    pub changed_since: Option<Timestamp>,
}

/// A page of passports.
#[derive(Clone, Copy, Debug)]
pub struct PassportPage {
    /// Where the page before ended.
    pub after: Option<Cursor>,
    pub limit: usize,
    /// The moment at which holds are judged.
    pub now: Timestamp,
}

/// Where a list goes on: digits that mean something to the store alone, and to no other list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub(crate) i64);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Cursor {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A part of a list, and where it goes on.
///
/// A page may hold fewer items than were asked for, and none at all, although there are more: a rare one among a
/// million is looked for over several pages, so that no page takes long. The list ends where `next` is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
}

/// A passport in a list. It has no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPassport {
    pub passport: PassportId,
    /// As it counts at this moment.
    pub state: StateName,
    pub tags: Tags,
    pub handed_out_at: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub reservation: Option<ReservationId>,
    pub owner: Option<WalletAddress>,
}

/// One passport, and everything that is known of it but its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassportNow {
    pub passport: PassportId,
    /// As it counts at this moment.
    pub state: State,
    pub tags: Tags,
    pub content: Content,
    /// What a change of tags or content has to name.
    pub version: Version,
    /// Of the reservation that has it, if it is known and was not erased.
    pub recipient: Option<KeptRecipient>,
    /// The name of the kiosk that has it.
    pub kiosk: Option<passpool_core::KioskName>,
    /// The oldest first.
    pub history: Vec<JournalRow>,
}

impl PassportNow {
    pub fn hand_out(&self) -> Option<&HandOut> {
        self.state.hand_out()
    }
}

/// The number of a passport's last change: what an `ETag` names. Looks at its link do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub(crate) i64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Version {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A wish to give a passport other tags, or another content.
#[derive(Clone, Debug)]
pub struct EditPassport {
    pub passport: PassportId,
    /// Versions of which it has to have one: what the caller saw. None means whichever it has.
    pub if_one_of: Option<Vec<Version>>,
    /// All that it is to have from now on. None leaves them as they are.
    pub tags: Option<Tags>,
    pub content: Option<Content>,
    pub by: Actor,
    pub now: Timestamp,
}

/// A row of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Its place. They grow with time, and may have gaps.
    pub seq: i64,
    pub at: Timestamp,
    pub event: Event,
    pub passport: PassportId,
    pub by: Actor,
    /// A JSON object; its field `after` is the place of the row about the same passport before this one.
    pub detail: Option<String>,
}

impl JournalRow {
    /// Where a list of events goes on behind this row.
    pub const fn cursor(&self) -> Cursor {
        Cursor(self.seq)
    }
}

/// Which rows of the journal are listed. Every condition that is given has to hold.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub event: Option<Event>,
    pub passport: Option<PassportId>,
    pub by: Option<Actor>,
    /// Those that are no older than this.
    pub since: Option<Timestamp>,
}

/// A page of events.
#[derive(Clone, Copy, Debug)]
pub struct EventPage {
    /// Where the page before ended.
    pub after: Option<Cursor>,
    pub limit: usize,
}
