//! Reservations: passports taken out of the pool for somebody.

use std::fmt;

use uuid::Uuid;

use crate::{Actor, Content, HandOutSeed, LinkKey, PassportId, Repeat, Selector, Timestamp};

/// The name of a reservation that is kept: `rv_` and a UUID, version 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReservationId(Uuid);

impl ReservationId {
    pub const PREFIX: &str = "rv_";

    /// From a moment and random bytes.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    pub fn parse(text: &str) -> Result<Self, ReservationIdError> {
        let uuid = text.strip_prefix(Self::PREFIX).and_then(|hex| Uuid::try_parse(hex).ok());
        uuid.map(Self).ok_or_else(|| ReservationIdError(text.to_owned()))
    }

    pub const fn from_stored(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0.simple())
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no reservation")]
pub struct ReservationIdError(String);

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

/// The name of a reservation, and the record that makes it repeatable.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub id: ReservationId,
    pub repeat: Option<Repeat>,
}

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = ReservationId::new(Timestamp::from_micros(1_700_000_000_000_000), [7; 10]);
        assert_eq!(id.to_string(), "rv_018bcfe5680077078707070707070707");
        assert_eq!(ReservationId::parse(&id.to_string()), Ok(id));
        for bad in ["", "rv_", "018bcfe5680077078707070707070707", "rs_018bcfe5680077078707070707070707"] {
            assert_eq!(ReservationId::parse(bad), Err(ReservationIdError(bad.into())));
        }
    }
}
