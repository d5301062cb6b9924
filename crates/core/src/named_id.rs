//! Names of what is kept: a prefix that tells what it is, and a UUID, version 7, so that they sort by their making.

use std::fmt;

use uuid::Uuid;

use crate::Timestamp;

macro_rules! named_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &str = $prefix;

            /// From a moment and random bytes.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                Self(made_of(now, random))
            }

            pub fn parse(text: &str) -> Result<Self, NamedIdError> {
                let uuid = text.strip_prefix(Self::PREFIX).and_then(|hex| Uuid::try_parse(hex).ok());
                uuid.map(Self).ok_or_else(|| NamedIdError { text: text.to_owned(), what: $what })
            }

            pub const fn from_stored(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", Self::PREFIX, self.0.simple())
            }
        }
    )*};
}

named_ids! {
    /// The name of a reservation that is kept: `rv_` and a UUID.
    ReservationId = "rv_", "reservation";
    /// The name of a reset that is kept, as long as it can be undone: `rs_` and a UUID.
    ResetId = "rs_", "reset";
    /// The name of what a reset would do, as long as it is remembered: `rp_` and a UUID.
    PreviewId = "rp_", "preview of a reset";
    /// The name of somebody for whom a passport was reserved: `rc_` and a UUID.
    RecipientId = "rc_", "recipient";
}

impl RecipientId {
    /// The name of the recipient so many places behind this one: those of one reservation follow each other.
    #[must_use]
    pub const fn nth(self, places: u32) -> Self {
        // The lowest 62 bits are random. The count runs on in them and leaves the version's bits alone.
        const RANDOM: u128 = (1 << 62) - 1;
        let bits = self.0.as_u128();
        Self(Uuid::from_u128(bits & !RANDOM | (bits & RANDOM).wrapping_add(places as u128) & RANDOM))
    }
}

fn made_of(now: Timestamp, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no {what}")]
pub struct NamedIdError {
    text: String,
    what: &'static str,
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
            let error = NamedIdError { text: bad.into(), what: "reservation" };
            assert_eq!(ReservationId::parse(bad), Err(error));
        }
    }

    #[test]
    fn recipients_of_one_reservation_follow_each_other() {
        let first = RecipientId::new(Timestamp::from_micros(1_700_000_000_000_000), [7; 10]);
        assert_eq!(first.nth(0), first);
        assert_eq!(first.nth(1).to_string(), "rc_018bcfe5680077078707070707070708");
        assert_eq!(first.nth(2), first.nth(1).nth(1));
        let last = RecipientId::new(Timestamp::from_micros(1_700_000_000_000_000), [0xff; 10]);
        assert_eq!(last.nth(1).to_string(), "rc_018bcfe568007fff8000000000000000", "the version stays");
    }
}
