//! Spans as a person writes them: `90`, `15m`, `14d`.

use passpool_core::WholeSeconds;

/// Whole seconds, or a number with its unit: `s`, `m`, `h`, `d` or `w`.
pub(super) fn parse_span(text: &str) -> Result<WholeSeconds, SpanTextError> {
    let (digits, unit) = match text.as_bytes() {
        [.., b's'] => (&text[..text.len() - 1], 1),
        [.., b'm'] => (&text[..text.len() - 1], 60),
        [.., b'h'] => (&text[..text.len() - 1], 60 * 60),
        [.., b'd'] => (&text[..text.len() - 1], 24 * 60 * 60),
        [.., b'w'] => (&text[..text.len() - 1], 7 * 24 * 60 * 60),
        _ => (text, 1),
    };
    let count = WholeSeconds::parse(digits).map_err(|_| SpanTextError)?;
    WholeSeconds::new(u64::from(count.get()) * unit).map_err(|_| SpanTextError)
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of seconds, or one with s, m, h, d or w behind it, from 1s to 3650d")]
pub(super) struct SpanTextError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_perhaps_a_unit() {
        let check = |input: &str, expected: Option<u32>| {
            assert_eq!(parse_span(input).ok().map(WholeSeconds::get), expected, "{input:?}");
        };
        check("1", Some(1));
        check("90", Some(90));
        check("90s", Some(90));
        check("15m", Some(900));
        check("2h", Some(7_200));
        check("14d", Some(1_209_600));
        check("2w", Some(1_209_600));
        check("3650d", Some(315_360_000));
        check("3651d", None);
        check("99999999999w", None);
        check("0", None);
        check("0d", None);
        check("", None);
        check("d", None);
        check("-1d", None);
        check("1.5h", None);
        check("1 h", None);
        check("1h30m", None);
        check("1y", None);
        check("1é", None);
    }
}
