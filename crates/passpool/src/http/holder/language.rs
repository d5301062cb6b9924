//! Languages: which one a visitor reads, of those that there are.

use axum::http::{HeaderMap, header};

/// What a browser is asked to send at most; more is no list of languages.
const AT_MOST: usize = 32;

/// The languages that somebody reads, best first, as `Accept-Language` tells them (RFC 9110, section 12.5.4).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preferred(Vec<String>);

impl Preferred {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self::parse(sent)
    }

    fn parse(text: &str) -> Self {
        let mut ranges: Vec<(u16, String)> = text.split(',').take(AT_MOST).filter_map(range).collect();
        ranges.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        Self(ranges.into_iter().map(|(_, language)| language).collect())
    }

    /// The first of these that the visitor reads: the very one, or another of the same language.
    pub(super) fn best<'a, T>(&self, offered: &'a [T], name: impl Fn(&T) -> &str) -> Option<&'a T> {
        let is = |offer: &&T, wanted: &str| name(offer).eq_ignore_ascii_case(wanted);
        let is_like = |offer: &&T, wanted: &str| primary(name(offer)).eq_ignore_ascii_case(primary(wanted));
        self.0.iter().find_map(|wanted| {
            offered
                .iter()
                .find(|offer| is(offer, wanted))
                .or_else(|| offered.iter().find(|offer| is_like(offer, wanted)))
        })
    }
}

/// A language and its weight in thousandths. None for one that is not wanted.
fn range(text: &str) -> Option<(u16, String)> {
    let (language, parameters) = text.split_once(';').unwrap_or((text, ""));
    let quality = match parameters.trim().strip_prefix("q=") {
        None => 1_000,
        Some(quality) => {
            quality.trim().parse::<f32>().ok().map_or(0, |quality| (quality.clamp(0.0, 1.0) * 1_000.0) as u16)
        }
    };
    let language = language.trim();
    let is_language = !language.is_empty() && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_language && quality > 0).then(|| (quality, language.to_owned()))
}

/// The language without its region.
fn primary(language: &str) -> &str {
    language.split(['-', '_']).next().unwrap_or(language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_best_first() {
        let check = |text: &str, expected: &[&str]| assert_eq!(Preferred::parse(text).0, expected, "{text}");
        check("", &[]);
        check("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", &["fr-CH", "fr", "en", "de"]);
        check("en;q=0.2,it", &["it", "en"]);
        check("en;q=0,it;q=2", &["it"]);
        check("en;q=x,é,;,it;level=1", &["it"]);
    }

    #[test]
    fn the_best_language_is_the_very_one_or_one_like_it() {
        let check = |text: &str, expected: Option<&str>| {
            let offered = ["en", "fr-FR", "fr-CA"];
            assert_eq!(Preferred::parse(text).best(&offered, |offer| offer).copied(), expected, "{text}");
        };
        check("fr-ca", Some("fr-CA"));
        check("fr", Some("fr-FR"));
        check("fr-CH, en", Some("fr-FR"));
        check("de, en;q=0.5", Some("en"));
        check("de", None);
        check("", None);
    }
}
