//! Cookies: the tickets that a browser keeps.

use axum::http::{HeaderMap, HeaderValue, header};
use passpool_core::Link;

/// One name for each passport, so that a browser may have claimed many.
pub(super) fn owner_name(link: &Link) -> String {
    format!("passpool_owner_{}", link.passport)
}

/// The value of a cookie, if the browser sent it.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut cookies = sent.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(given, _)| *given == name).map(|(_, value)| value)
}

/// A cookie that no script reads and no other site sends.
pub(crate) fn set(name: &str, value: &str, seconds: u64, is_https: bool) -> HeaderValue {
    let secure = if is_https { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(cookie).expect("a ticket is ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let check = |sent: &str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([(header::COOKIE, sent.parse().unwrap())]);
            assert_eq!(read(&headers, "a"), expected, "{sent}");
        };
        check("a=1", Some("1"));
        check("b=2; a=1.x=y; c", Some("1.x=y"));
        check("aa=1; ba=2", None);
        check("", None);
    }

    #[test]
    fn a_cookie_is_for_us_alone() {
        let plain = set("a", "1", 60, false);
        assert_eq!(plain, "a=1; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        assert_eq!(set("a", "1", 60, true), "a=1; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
    }
}
