//! Who is believed, and what.

use axum::http::{HeaderName, HeaderValue};

use super::*;

fn proxies(texts: &[&str]) -> TrustedProxies {
    TrustedProxies(texts.iter().map(|text| TrustedProxy::parse(text).unwrap()).collect())
}

#[test]
fn a_trusted_proxy_is_an_address_or_a_network() {
    let check = |input: &str, expected: Result<&str, TrustedProxyError>| {
        let parsed = TrustedProxy::parse(input).map(|proxy| proxy.0.to_string());
        assert_eq!(parsed, expected.map(str::to_owned), "{input:?}");
    };
    check("10.0.0.0/8", Ok("10.0.0.0/8"));
    check("127.0.0.1", Ok("127.0.0.1/32"));
    check("fd00::/8", Ok("fd00::/8"));
    check("::1", Ok("::1/128"));
    check("0.0.0.0/0", Ok("0.0.0.0/0"));
    check("::ffff:10.0.0.0/104", Err(TrustedProxyError::Mapped));
    for nonsense in ["", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "proxy.example", "10.0.0.1:80", " ::1", "10.0.0.0/-1"]
    {
        check(nonsense, Err(TrustedProxyError::NoNetwork));
    }
}

/// Who asks, when proxies of 10.0.0.0/8 and fd00::/8 are trusted.
fn visitor(peer: &str, sent: &[(&'static str, &str)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    proxies(&["10.0.0.0/8", "fd00::/8"]).visitor(peer.parse().unwrap(), &headers).to_string()
}

#[test]
fn only_a_trusted_peer_may_say_who_asks() {
    let check = |peer: &str, expected: &str| {
        assert_eq!(visitor(peer, &[("x-forwarded-for", "192.0.2.1")]), expected);
        assert_eq!(visitor(peer, &[("forwarded", "for=192.0.2.1")]), expected);
    };
    check("10.0.0.1", "192.0.2.1");
    check("::ffff:10.0.0.1", "192.0.2.1");
    check("fd00::1", "192.0.2.1");
    check("11.0.0.1", "11.0.0.1");
    check("::1", "::1");
    check("::ffff:11.0.0.1", "11.0.0.1");
}

#[test]
fn the_rightmost_stranger_in_x_forwarded_for_asks() {
    let check = |lines: &[&str], expected: &str| {
        let sent: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        assert_eq!(visitor("10.0.0.1", &sent), expected, "{lines:?}");
    };
    check(&["192.0.2.1"], "192.0.2.1");
    check(&["192.0.2.9, 192.0.2.1"], "192.0.2.1");
    check(&["nonsense,192.0.2.1 , 10.0.0.2,fd00::7"], "192.0.2.1");
    check(&["192.0.2.9", "192.0.2.1", "10.0.0.2"], "192.0.2.1");
    check(&["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    check(&["2001:db8::1"], "2001:db8::1");
    check(&["[2001:db8::1]:4711"], "2001:db8::1");
    check(&["[2001:db8::1]"], "2001:db8::1");
    check(&["192.0.2.1:4711"], "192.0.2.1");
    check(&["::ffff:192.0.2.1"], "192.0.2.1");
    // What cannot be read is not guessed at.
    for nonsense in
        ["", "unknown", "192.0.2.1, unknown", "192.0.2.1,", "192.0.2", "192.0.2.1:99999", "[192.0.2.1]", "\"é\""]
    {
        check(&[nonsense], "10.0.0.1");
    }
    check(&["192.0.2.1", "unknown, 10.0.0.2"], "10.0.0.1");
    check(&[], "10.0.0.1");
}

#[test]
fn forwarded_is_read_as_rfc_7239_has_it() {
    let check = |lines: &[&str], expected: &str| {
        let sent: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
        assert_eq!(visitor("10.0.0.1", &sent), expected, "{lines:?}");
    };
    check(&["for=192.0.2.1"], "192.0.2.1");
    check(&["For=192.0.2.1;proto=https;by=203.0.113.43"], "192.0.2.1");
    check(&["proto=https; for=\"[2001:db8::1]:4711\""], "2001:db8::1");
    check(&["for=192.0.2.9, for=192.0.2.1;host=\"a,b;for=192.0.2.7\", for=10.0.0.2"], "192.0.2.1");
    check(&["for=192.0.2.9", "for=192.0.2.1", "for=10.0.0.2"], "192.0.2.1");
    check(&["for=192.0.2.1;host=\"\\\",for=192.0.2.7\""], "192.0.2.1");
    // A visitor's quote must not swallow what the proxy wrote behind it.
    check(&["for=192.0.2.9;host=\", for=192.0.2.1"], "10.0.0.1");
    check(&["for=192.0.2.9;host=\", for=\"[2001:db8::1]\""], "10.0.0.1");
    check(&["for=192.0.2.9;host=\"\\, for=\"[2001:db8::1]\""], "10.0.0.1");
    check(&["for=\"", "for=192.0.2.1"], "192.0.2.1");
    for nonsense in
        ["", "for=unknown", "for=_hidden", "for", "by=192.0.2.1", "for=192.0.2.1;for=192.0.2.2", "for=192.0.2.1,"]
    {
        check(&[nonsense], "10.0.0.1");
    }
}

#[test]
fn x_forwarded_for_wins_for_most_proxies_let_the_other_through() {
    let other = ("forwarded", "for=192.0.2.66");
    assert_eq!(visitor("10.0.0.1", &[other, ("x-forwarded-for", "192.0.2.1")]), "192.0.2.1");
    assert_eq!(visitor("10.0.0.1", &[other, ("x-forwarded-for", "nonsense")]), "10.0.0.1");
}

#[test]
fn a_home_is_one_ipv4_address_or_64_bits_of_an_ipv6_one() {
    let check = |address: &str, expected: &str| {
        assert_eq!(VisitorAddress(address.parse().unwrap()).home().to_string(), expected);
    };
    check("192.0.2.1", "192.0.2.1");
    check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    check("2001:db8:1:2:ffff::", "2001:db8:1:2::");
    check("2001:db8:1:3::", "2001:db8:1:3::");
}
