//! Moments and spans. Nothing here asks what time it is.

use std::fmt;

const MICROSECONDS: i64 = 1_000_000;

/// A moment: microseconds since 1970-01-01T00:00:00Z, the one precision of every store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The moment `span` later. A span is bounded, so this does not overflow for any date that a clock can show.
    #[must_use]
    pub const fn plus(self, span: WholeSeconds) -> Self {
        Self(self.0.saturating_add(span.0 as i64 * MICROSECONDS))
    }

    /// The moment `span` earlier.
    #[must_use]
    pub const fn minus(self, span: WholeSeconds) -> Self {
        Self(self.0.saturating_sub(span.0 as i64 * MICROSECONDS))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

/// A span of whole seconds, from one second to ten years of 365 days: the range of every end a caller may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WholeSeconds(u32);

impl WholeSeconds {
    pub const MIN: u32 = 1;
    pub const MAX: u32 = 315_360_000;

    pub fn new(seconds: u64) -> Result<Self, SpanError> {
        match u32::try_from(seconds) {
            Ok(seconds @ Self::MIN..=Self::MAX) => Ok(Self(seconds)),
            _ => Err(SpanError),
        }
    }

    /// Reads decimal digits alone: no sign, no blank, no unit.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SpanError);
        }
        Self::new(text.parse().map_err(|_| SpanError)?)
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of seconds from 1 to 315360000")]
pub struct SpanError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_whole_seconds_from_one_to_ten_years() {
        let check = |input: &str, expected: Option<u32>| {
            assert_eq!(WholeSeconds::parse(input).ok().map(WholeSeconds::get), expected, "{input:?}");
        };
        check("1", Some(1));
        check("900", Some(900));
        check("315360000", Some(315_360_000));
        check("0", None);
        check("315360001", None);
        check("99999999999999999999999", None);
        check("", None);
        check("-1", None);
        check("+1", None);
        check(" 1", None);
        check("1.5", None);
        check("15m", None);
    }

    #[test]
    fn moments_move_by_spans() {
        let noon = Timestamp::from_micros(1_000_000);
        let minute = WholeSeconds::new(60).unwrap();
        assert_eq!(noon.plus(minute), Timestamp::from_micros(61_000_000));
        assert_eq!(noon.plus(minute).minus(minute), noon);
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.plus(minute), end, "the end of time stays the end of time");
    }
}
