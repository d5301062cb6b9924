//! What an address may do, moment by moment.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
};

use super::*;
use crate::address::TrustedProxies;

/// Microseconds since the test began, which is long after 1970.
const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

fn visitor(ip: &str) -> VisitorAddress {
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ip.parse().unwrap(), 4711)));
    VisitorAddress::of(&request, &TrustedProxies::default())
}

/// How many requests are let through one after the other at a moment, and after how many seconds the next may come.
fn admitted(limits: &Limits, ip: &str, micros: i64) -> (u32, u64) {
    let mut count = 0;
    loop {
        match limits.admit(visitor(ip), at(micros)) {
            Ok(()) => count += 1,
            Err(seconds) => return (count, seconds),
        }
    }
}

#[test]
fn an_address_has_600_requests_and_gets_20_a_second_back() {
    let limits = Limits::default();
    let check =
        |micros: i64, expected: u32| assert_eq!(admitted(&limits, "192.0.2.1", micros), (expected, 1), "{micros}");
    check(0, 600);
    check(49_999, 0);
    check(50_000, 1);
    check(1_050_000, 20);
    check(21_050_000, 400);
    check(3_600_000_000, 600);
}

#[test]
fn addresses_do_not_share_and_homes_do() {
    let limits = Limits::default();
    let check = |ip: &str, expected: u32| assert_eq!(admitted(&limits, ip, 0).0, expected, "{ip}");
    check("192.0.2.1", 600);
    check("192.0.2.2", 600);
    check("::ffff:192.0.2.1", 0);
    check("2001:db8::1", 600);
    check("2001:db8::2", 0);
    check("2001:db8:0:1::1", 600);
}

#[test]
fn an_address_that_failed_30_times_waits_for_one_a_second() {
    let limits = Limits::default();
    let fail =
        |count: u32, micros: i64| (0..count).for_each(|_| limits.count_failure(visitor("192.0.2.1"), at(micros)));
    let check = |micros: i64, expected: Result<(), u64>| {
        assert_eq!(limits.admit(visitor("192.0.2.1"), at(micros)), expected, "{micros}");
    };
    fail(29, 0);
    check(0, Ok(()));
    fail(1, 0);
    check(0, Err(1));
    check(999_999, Err(1));
    check(1_000_000, Ok(()));
    // Many at the same moment are not held against it for longer than half a minute.
    fail(1_000, 1_000_000);
    check(1_000_000, Err(1));
    check(2_000_000, Ok(()));
    fail(1, 2_000_000);
    check(2_500_000, Err(1));
    assert_eq!(limits.admit(visitor("192.0.2.2"), at(2_500_000)), Ok(()));
}

#[test]
fn what_is_left_is_told() {
    let limits = Limits::default();
    let check = |micros: i64, requests: (i64, u64), failures: (i64, u64)| {
        let [first, second] =
            limits.standing(visitor("192.0.2.1"), at(micros)).map(|(_, quota)| (quota.left, quota.back_in));
        assert_eq!((first, second), (requests, failures), "{micros}");
    };
    check(0, (600, 0), (30, 0));
    limits.admit(visitor("192.0.2.1"), at(0)).unwrap();
    check(0, (599, 1), (30, 0));
    limits.count_failure(visitor("192.0.2.1"), at(0));
    check(0, (599, 1), (29, 1));
    admitted(&limits, "192.0.2.1", 0);
    check(0, (0, 30), (29, 1));
    check(1_000_000, (20, 29), (30, 0));
    check(60_000_000, (600, 0), (30, 0));
}

#[test]
fn a_clock_that_was_set_back_locks_nobody_out() {
    let limits = Limits::default();
    assert_eq!(admitted(&limits, "192.0.2.1", 0), (600, 1));
    assert_eq!(admitted(&limits, "192.0.2.1", -3_600_000_000), (0, 1));
    assert_eq!(admitted(&limits, "192.0.2.1", -3_590_000_000), (200, 1));
}

#[test]
fn strangers_cannot_fill_the_memory() {
    let limits = Limits::default();
    let sizes = || {
        let book = limits.0.lock().unwrap();
        (book.page.len(), book.page_before.len())
    };
    let remembered = REMEMBERED as u32;
    let flood = |from: u32, count: u32, micros: i64| {
        for bits in from..from + count {
            limits.admit(visitor(&std::net::Ipv4Addr::from_bits(bits).to_string()), at(micros)).unwrap();
        }
    };
    assert_eq!(admitted(&limits, "192.0.2.1", 0), (600, 1));
    flood(1, remembered - 1, 0);
    assert_eq!(sizes(), (REMEMBERED, 0));
    flood(remembered, 1, 0);
    assert_eq!(sizes(), (1, REMEMBERED));
    assert_eq!(admitted(&limits, "192.0.2.1", 0).0, 0, "it is on the page before");
    flood(remembered * 2, remembered * 3, 0);
    let (page, before) = sizes();
    assert!(page <= REMEMBERED && before <= REMEMBERED, "{page} and {before}");
    assert_eq!(admitted(&limits, "192.0.2.1", 0).0, 600, "among so many it was forgotten");
    // Half a minute later nothing of it matters any more.
    flood(1, 1, 30_000_000);
    flood(1, 1, 60_000_000);
    assert_eq!(sizes(), (1, 1));
}
