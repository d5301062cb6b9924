//! Moments as a person reads them.

use passpool_core::Timestamp;

/// The moment as RFC 3339 has it, in UTC.
pub(super) fn rfc_3339(moment: Timestamp) -> anyhow::Result<String> {
    Ok(jiff::Timestamp::from_microsecond(moment.as_micros())?.to_string())
}

/// A moment with its offset from UTC, as RFC 3339 has it.
pub(super) fn parse_moment(text: &str) -> Result<Timestamp, MomentTextError> {
    let moment: jiff::Timestamp = text.parse().map_err(|_| MomentTextError)?;
    Ok(Timestamp::from_micros(moment.as_microsecond()))
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a moment with its offset, such as 2026-06-01T09:00:00Z or 2026-06-01T09:00:00+02:00")]
pub(super) struct MomentTextError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc() {
        assert_eq!(rfc_3339(Timestamp::from_micros(1_700_000_000_120_000)).unwrap(), "2023-11-14T22:13:20.12Z");
    }

    #[test]
    fn a_moment_is_read_with_its_offset() {
        let check = |input: &str, expected: Option<i64>| {
            let seconds = parse_moment(input).ok().map(|moment| moment.as_micros() / 1_000_000);
            assert_eq!(seconds, expected, "{input:?}");
        };
        check("2023-11-14T22:13:20Z", Some(1_700_000_000));
        check("2023-11-14T23:13:20+01:00", Some(1_700_000_000));
        for wrong in ["", "2023-11-14", "2023-11-14T22:13:20", "tomorrow", "1700000000"] {
            check(wrong, None);
        }
    }
}
