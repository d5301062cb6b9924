//! Origins: whether a form was sent from a page of ours.

use axum::http::{HeaderMap, header};

/// False if the browser says that another site sent it.
///
/// `Sec-Fetch-Site` tells it plainly. Older browsers have `Origin` alone, which our pages' `no-referrer` turns into
/// `null`: then the form's ticket has to do, as it has to where neither is sent.
pub(super) fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    match (text("origin"), headers.get(header::HOST).and_then(|host| host.to_str().ok())) {
        (None | Some("null"), _) => true,
        (Some(origin), host) => origin.split_once("://").map(|(_, origin)| origin) == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_send_forms() {
        let check = |headers: &[(&'static str, &str)], expected: bool| {
            let map = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(is_ours(&map), expected, "{headers:?}");
        };
        check(&[], true);
        check(&[("sec-fetch-site", "same-origin"), ("origin", "null")], true);
        for other in ["cross-site", "same-site", "none"] {
            check(&[("sec-fetch-site", other)], false);
        }
        check(&[("origin", "https://h:8443"), ("host", "h:8443")], true);
        check(&[("origin", "https://evil.example"), ("host", "h")], false);
        check(&[("origin", "null"), ("host", "h")], true);
        check(&[("origin", "https://h")], false);
    }
}
