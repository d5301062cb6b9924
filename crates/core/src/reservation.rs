//! Reservations: passports taken out of the pool for somebody.

use std::fmt;

use crate::{
    Actor, Content, HandOutSeed, KeptRecipient, LinkKey, NewRecipients, PassportId, Repeat, ReservationId, Selector,
    Timestamp,
};

/// What becomes of a call that asks for more than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// All or none.
    Refuse,
    /// As many as there are, if there is one at all.
    Partial,
}

/// A wish for passports.
#[derive(Clone, Debug)]
pub struct Reserve {
    pub selector: Selector,
    /// 1 to [`Reserve::MAX_COUNT`].
    pub count: u32,
    pub shortage: Shortage,
    pub by: Actor,
    pub now: Timestamp,
    /// When the hold ends by itself, if it does. Later than `now`.
    pub until: Option<Timestamp>,
    /// Under which name the reservation is kept. Without one only the passports remember it.
    pub keep: Option<Kept>,
    /// From which the numbers of the hand-outs are drawn.
    pub seed: HandOutSeed,
    /// Whether the answer is to hold the passports' content.
    pub with_content: bool,
}

/// What is kept of a reservation: its name, the record that makes it repeatable, and what the caller wrote to it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub id: ReservationId,
    pub repeat: Option<Repeat>,
    pub note: Option<Note>,
    /// For whom the passports are, in their order: one each.
    pub recipients: Option<NewRecipients>,
}

impl Kept {
    /// A reservation for nobody in particular.
    pub const fn new(id: ReservationId, repeat: Option<Repeat>) -> Self {
        Self { id, repeat, note: None, recipients: None }
    }
}

/// What a caller writes to a reservation: 1 to 2,000 bytes. It may name people, so no log and no journal has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Note(Box<str>);

impl Note {
    pub const MAX_BYTES: usize = 2_000;

    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let allowed = |character: char| !character.is_control() || character == '\n' || character == '\t';
        let fits = (1..=Self::MAX_BYTES).contains(&text.len()) && text.chars().all(allowed);
        if fits { Ok(Self(text.into())) } else { Err(NoteError) }
    }

    /// Takes back what [`Note::reveal`] gave.
    pub fn from_stored(text: String) -> Self {
        Self(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Note")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a note has 1 to {} bytes and no control characters but line breaks and tabs", Note::MAX_BYTES)]
pub struct NoteError;

impl Reserve {
    /// A reservation is one transaction whatever its size, and has this limit for that reason.
    pub const MAX_COUNT: u32 = 100_000;
}

/// Passports that were handed out together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub id: Option<ReservationId>,
    /// In the order in which they were picked; never empty.
    pub handed_out: Vec<HandedOut>,
    /// True if this is the answer to an earlier call with the same key.
    pub replayed: bool,
}

impl Reservation {
    /// The only passport of a reservation for one.
    ///
    /// # Panics
    ///
    /// If there are more or fewer: the caller asked for one and the store gave something else.
    pub fn only(&self) -> &HandedOut {
        match self.handed_out.as_slice() {
            [handed] => handed,
            others => panic!("one passport was asked for and {} were handed out", others.len()),
        }
    }
}

/// One passport on its way to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOut {
    pub passport: PassportId,
    pub key: LinkKey,
    /// There if the wish asked for it.
    pub content: Option<Content>,
    /// For whom it is, if the reservation says so and nobody has erased it. Boxed, as most have none and there are many.
    pub recipient: Option<Box<KeptRecipient>>,
}
