//! Reservations as they are kept: who made them, for whom, and what became of their passports.

use passpool_core::{
    Actor, Content, KeptRecipient, LinkKey, Note, PassportId, ReservationId, Selector, StateName, Timestamp,
};

use crate::StateCounts;

/// A reservation as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationInfo {
    pub id: ReservationId,
    pub at: Timestamp,
    pub by: Actor,
    /// How many passports were handed out.
    pub count: u64,
    /// None if it was made before reservations remembered it.
    pub selector: Option<Selector>,
    /// When the hold ends, as it was extended last.
    pub until: Option<Timestamp>,
    pub note: Option<Note>,
    /// For how many recipients it was made. Those that were erased since are counted too.
    pub recipients: u64,
}

/// A reservation, and where its passports are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationNow {
    pub info: ReservationInfo,
    /// Its passports by state, as long as they are its own: reserved, scanned, pending or claimed.
    pub states: StateCounts,
    /// How many are no longer its own: given back, taken back or withdrawn, whoever has them now.
    pub gone: u64,
}

/// A page of reservations, the newest first: those that were made before one, at most so many.
#[derive(Clone, Copy, Debug)]
pub struct ReservationPage {
    /// The last reservation of the page before.
    pub before: Option<ReservationId>,
    pub limit: usize,
}

/// A wish to see links.
#[derive(Clone, Debug)]
pub struct ShowLinks {
    pub of: LinksOf,
    /// Whether the answer is to hold the passports' content.
    pub with_content: bool,
    pub by: Actor,
    pub now: Timestamp,
}

/// Whose links are shown: one passport's or one reservation's at a time.
#[derive(Clone, Copy, Debug)]
pub enum LinksOf {
    Passport(PassportId),
    /// Those of a reservation in the order in which they were handed out: at most `limit` from the place `from` on,
    /// which is counted from zero. More than [`LinksOf::MAX`] are not shown at once.
    Reservation {
        id: ReservationId,
        from: u32,
        limit: usize,
    },
}

impl LinksOf {
    /// Each link that is shown is a row of the journal, and others wait while they are written.
    pub const MAX: usize = 5_000;
}

/// A passport and its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownLink {
    pub passport: PassportId,
    /// At this moment. Of a passport that is no longer the reservation's own this tells of somebody else's.
    pub state: StateName,
    /// The key of the link, as long as the link opens: while the passport is reserved or scanned, and the reservation's
    /// own if one was named.
    pub key: Option<LinkKey>,
    /// There if the wish asked for it.
    pub content: Option<Content>,
    pub recipient: Option<KeptRecipient>,
}

/// A wish about a reservation as a whole.
#[derive(Clone, Debug)]
pub struct OfReservation {
    pub id: ReservationId,
    pub by: Actor,
    pub now: Timestamp,
}

/// A wish to give the holds of a reservation another end.
#[derive(Clone, Debug)]
pub struct Extend {
    pub of: OfReservation,
    /// Later than now; it may be sooner than before.
    pub until: Timestamp,
}

/// What became of a wish about a reservation's passports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// How many it was done to: those still reserved or scanned.
    pub count: u64,
    /// How many it was not done to.
    pub others: u64,
}

impl Touched {
    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.others += other.others;
    }
}
