//! Pages: long lists, a part at a time, that stay right while things are added to them.

use std::fmt::{Display, Write as _};

use axum::{
    http::{HeaderValue, Uri, header},
    response::Response,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::http::problem::Problem;

/// How much a page has if nobody says.
const USUAL: u32 = 100;
/// How much a page may have: what is read and written well below 20 ms.
pub(super) const MOST: u32 = 1_000;

/// How many entries a page may have.
pub(super) fn limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit as usize),
        other => Err(Problem::parameter("limit", format!("it must be from 1 to {MOST}, not {other}"))),
    }
}

/// What a caller handed back, read. The kind keeps one list's cursor from being taken for another's.
pub(super) fn cursor<C>(
    kind: &str,
    sent: Option<&str>,
    parse: impl FnOnce(&str) -> Option<C>,
) -> Result<Option<C>, Problem> {
    let Some(sent) = sent else { return Ok(None) };
    let read = || {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(sent).ok()?).ok()?;
        parse(text.strip_prefix(kind)?.strip_prefix(':')?)
    };
    let read = read().ok_or_else(|| Problem::parameter("cursor", "it is no cursor of this list"));
    read.map(Some)
}

/// Where a page ends, in a form that callers hand back and do not read.
pub(super) fn opaque(kind: &str, cursor: &impl Display) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{kind}:{cursor}"))
}

/// Tells where the next page is, as RFC 8288 has it.
pub(super) fn with_next(mut answer: Response, uri: &Uri, next: Option<&str>) -> Response {
    if let Some(next) = next {
        let link = HeaderValue::try_from(format!("<{}>; rel=\"next\"", next_page(uri, next)));
        answer.headers_mut().insert(header::LINK, link.expect("an encoded query is a header"));
    }
    answer
}

/// The same page with another cursor.
fn next_page(uri: &Uri, next: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let given = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.extend_pairs(given.filter(|(name, _)| name != "cursor"));
    query.append_pair("cursor", next);
    let mut page = uri.path().to_owned();
    write!(page, "?{}", query.finish()).expect("a text takes what is written");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list() {
        let number = |text: &str| text.parse::<i64>().ok();
        let sent = opaque("events", &7);
        assert_eq!(cursor("events", Some(&sent), number).unwrap(), Some(7));
        assert_eq!(cursor("events", None, number).unwrap(), None);
        for (kind, sent) in
            [("passports", sent.as_str()), ("events", ""), ("events", "!"), ("events", "7"), ("event", &sent)]
        {
            assert!(cursor(kind, Some(sent), number).is_err(), "{kind} {sent}");
        }
    }

    #[test]
    fn the_next_page_has_the_filters_of_this_one() {
        let check = |uri: &str, expected: &str| assert_eq!(next_page(&uri.parse().unwrap(), "abc"), expected);
        check("/v1/events", "/v1/events?cursor=abc");
        check("/v1/events?kind=reserved&limit=5", "/v1/events?kind=reserved&limit=5&cursor=abc");
        check("/v1/passports?cursor=x&tags=a%2Cb%20c", "/v1/passports?tags=a%2Cb+c&cursor=abc");
    }
}
