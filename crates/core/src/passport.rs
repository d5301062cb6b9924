//! Passports: their ids, and what it takes to make one.

use std::fmt;

use crate::{Code, Content, Tags};

/// The id of a passport: 1 to 2^53 - 1, so that every client that reads JSON numbers as doubles reads it exactly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PassportId(u64);

impl PassportId {
    pub const MAX: u64 = (1 << 53) - 1;

    pub const fn new(id: u64) -> Result<Self, PassportIdError> {
        if id >= 1 && id <= Self::MAX { Ok(Self(id)) } else { Err(PassportIdError) }
    }

    /// From JSON: a number, or its digits, as JavaScript's libraries write large ones.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, PassportIdError> {
        match value {
            serde_json::Value::Number(number) => number.as_u64().ok_or(PassportIdError).and_then(Self::new),
            serde_json::Value::String(text) => Self::parse(text),
            _ => Err(PassportIdError),
        }
    }

    /// Reads decimal digits alone. Leading zeros are refused, so that one passport has one spelling.
    pub fn parse(text: &str) -> Result<Self, PassportIdError> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || text.starts_with('0') {
            return Err(PassportIdError);
        }
        Self::new(text.parse().map_err(|_| PassportIdError)?)
    }

    /// An id that tells nothing of how many there are. Draw again if it is taken.
    ///
    /// It has 47 bits, which every store keeps in six bytes. The upper 15 are the neighbourhood's: passports that are
    /// made together share one, so that an index by id takes them in on a few of its pages instead of thousands.
    pub const fn from_random(neighbourhood: u16, random: u32) -> Self {
        let id = (neighbourhood as u64 >> 1) << 32 | random as u64;
        if id == 0 { Self(1) } else { Self(id) }
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for PassportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for PassportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a passport's id is a whole number from 1 to 9007199254740991")]
pub struct PassportIdError;

/// A passport that is about to be made. It becomes available.
#[derive(Debug)]
pub struct NewPassport {
    pub id: PassportId,
    /// The imported passphrase, sealed, if there is one.
    pub code: Code,
    pub tags: Tags,
    pub content: Content,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_run_from_1_to_the_largest_exact_double() {
        let check = |input: &str, expected: Option<u64>| {
            assert_eq!(PassportId::parse(input).ok().map(PassportId::get), expected, "{input:?}");
        };
        check("1", Some(1));
        check("95239832777", Some(95_239_832_777));
        check("9007199254740991", Some(9_007_199_254_740_991));
        check("9007199254740992", None);
        check("0", None);
        check("", None);
        check("007", None);
        check("-1", None);
        check("+1", None);
        check("1.0", None);
        check("99999999999999999999999", None);
    }

    #[test]
    fn random_bits_always_make_a_valid_id() {
        for (neighbourhood, random) in [(0, 0), (0, 1), (u16::MAX, u32::MAX), (0x1234, 0x5678_9abc)] {
            let id = PassportId::from_random(neighbourhood, random).get();
            assert!((1..1 << 47).contains(&id), "{neighbourhood:#x} and {random:#x} made {id}");
        }
        assert_ne!(PassportId::from_random(2, 7), PassportId::from_random(4, 7));
        assert_ne!(PassportId::from_random(2, 7), PassportId::from_random(2, 8));
    }
}
