//! Moments as a person reads them.

use passpool_core::Timestamp;

/// The moment as RFC 3339 has it, in UTC.
pub(super) fn rfc_3339(moment: Timestamp) -> anyhow::Result<String> {
    Ok(jiff::Timestamp::from_microsecond(moment.as_micros())?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc() {
        assert_eq!(rfc_3339(Timestamp::from_micros(1_700_000_000_120_000)).unwrap(), "2023-11-14T22:13:20.12Z");
    }
}
