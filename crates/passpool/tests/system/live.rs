//! The command line while the server runs: the next call sees what it did.

use std::time::Duration;

use crate::{
    client::{Client, NONE_LEFT},
    shop::Shop,
    watch::{Watch, within},
};

const QUERY: &str = "tags=vip&format=link";

/// A key that was revoked may be good for 5 s more; the rest is for the machine.
const KEYS_WITHIN: Duration = Duration::from_millis(5_900);

#[test]
fn passports_made_by_the_command_line_are_given_by_the_next_call() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    assert_eq!(client.reserve(QUERY).status, 200);
    for _ in 0..5 {
        assert_eq!(client.reserve(QUERY).body, NONE_LEFT);
        shop.create(1, "vip");
        assert_eq!(client.reserve(QUERY).status, 200);
    }
    assert_eq!(client.reserve(QUERY).body, NONE_LEFT);
    // More than one slice, which becomes visible at once.
    shop.create(10_000, "vip");
    assert_eq!(client.reserve(QUERY).status, 200);
    assert_eq!(shop.count("available"), 9_999);
    shop.check();
}

#[test]
fn a_reset_by_the_command_line_is_seen_by_the_next_call() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let first = client.reserve_once("k", QUERY);
    assert_eq!(client.reserve(QUERY).body, NONE_LEFT);
    assert!(shop.done(&["reset", "--tags", "vip", "--json"]).starts_with("{\"count\":1,\"id\":\"rs_"));
    client.reserve_once("k", QUERY).refusal(409, "nmp.back.dispenser.idempotency.over");
    let second = client.reserve(QUERY).given();
    assert_eq!(second.id, first.given().id);
    assert_ne!(second.passphrase, first.given().passphrase);
}

#[test]
fn a_reservation_by_the_command_line_is_nobody_elses() {
    let shop = Shop::with(2, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let first = client.reserve(QUERY);
    let second = shop.done(&["reserve", "--tags", "vip"]);
    assert_ne!(first.body, second.trim_end());
    assert_eq!(client.reserve(QUERY).body, NONE_LEFT);
    shop.refused(1, &["reserve", "--tags", "vip"], &["0 available"]);
}

/// Asks until the key is refused, and fails if that takes longer than promised.
fn assert_dies(client: &Client) {
    let watch = Watch::start();
    let refused = within(KEYS_WITHIN, "the end of the key", || {
        let answer = client.reserve("tags=nobody&format=link");
        (answer.status == 403).then_some(answer)
    });
    assert_eq!(refused.body, r#"{"message":"no user"}"#);
    assert!(watch.elapsed() < Duration::from_secs(6));
    // It does not come back.
    assert_eq!(client.reserve("tags=nobody&format=link").status, 403);
}

#[test]
fn a_new_user_is_known_at_once_and_a_removed_one_unknown_within_5_s() {
    let shop = Shop::with(10, "vip");
    let server = shop.serve();
    let key = shop.key("crm", "certCreate");
    let client = server.client(&key);
    assert_eq!(client.reserve(QUERY).status, 200);
    shop.done(&["user", "remove", "crm"]);
    assert_dies(&client);
    shop.refused(1, &["user", "key", "crm"], &["crm"]);
}

#[test]
fn a_renewed_key_is_good_at_once_and_the_old_one_dead_within_5_s() {
    let shop = Shop::with(10, "vip");
    let server = shop.serve();
    let old = server.client(&shop.key("crm", "certCreate"));
    assert_eq!(old.reserve(QUERY).status, 200);
    let renewed = shop.done(&["user", "key", "crm"]);
    assert_eq!(server.client(renewed.trim_end()).reserve(QUERY).status, 200);
    assert_dies(&old);
    assert_eq!(server.client(renewed.trim_end()).reserve(QUERY).status, 200);
}

#[test]
fn reading_commands_tell_what_the_server_has_just_done() {
    let shop = Shop::with(5, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    for number in 1..=5 {
        let given = server.client(&key).reserve(QUERY).given();
        assert_eq!((shop.count("reserved"), shop.count("available")), (number, 5 - number));
        assert_eq!(shop.given("reserved").get(&given.id), Some(&given.passphrase));
        shop.check();
    }
}
