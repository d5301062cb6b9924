//! Idempotency keys: one key, one passport, however often the call is repeated.

use std::time::Duration;

use crate::{
    client::{Answer, NONE_LEFT},
    copying::moved,
    shop::Shop,
    watch::within,
};

const REUSED: &str = "nmp.back.dispenser.idempotency.reused";
const OVER: &str = "nmp.back.dispenser.idempotency.over";
const INVALID: &str = "nmp.back.dispenser.invalidParameter";

/// The same answer in every byte that matters, and marked as a repeat.
fn assert_repeats(again: &Answer, first: &Answer) {
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    for name in ["content-type", "cache-control", "link", "x-certificate-id"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

#[test]
fn the_same_key_gives_the_same_answer_also_after_a_restart() {
    let shop = Shop::empty();
    shop.import(&["1,,vip,\"{\"\"n\"\":1}\"", "2,,vip,", "3,k3x9q0m2ab7z,vip,", "4,,vip,"]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let queries = ["tags=vip&format=link", "tags=vip&format=linkObject", "tags=vip&format=content"];
    let firsts = queries.map(|query| client.reserve_once(query, query));
    for (query, first) in queries.into_iter().zip(&firsts) {
        assert_eq!(first.status, 200);
        assert_repeats(&client.reserve_once(query, query), first);
    }
    assert_eq!(server.stop().code, Some(0));
    let server = shop.serve();
    for (query, first) in queries.into_iter().zip(&firsts) {
        assert_repeats(&server.client(&key).reserve_once(query, query), first);
    }
    assert_eq!(shop.count("reserved"), 3);
}

#[test]
fn another_spelling_of_the_same_parameters_is_the_same_call() {
    let shop = Shop::empty();
    shop.import(&[r#"1,,"red,blue","#, r#"2,,"red,blue","#]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let first = client.reserve_once("k", "tags=red,blue&format=link");
    for query in [
        "format=link&tags=blue,red",
        "tags[]=red&tags[]=blue&format=link&tagRule=and",
        "tags=red&tags=blue&tags=red&format=link&utm_source=mail",
    ] {
        assert_repeats(&client.reserve_once("k", query), &first);
    }
}

#[test]
fn a_key_with_other_parameters_is_refused() {
    let shop = Shop::with(5, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let first = client.reserve_once("k", "tags=vip&format=link");
    for query in [
        "tags=vip,gold&format=link",
        "tags=gold&format=link",
        "tags=vip&format=linkObject",
        "tags=vip&format=link&tagRule=or",
        "tags=vip&format=link&expiresIn=60",
    ] {
        client.reserve_once("k", query).refusal(422, REUSED);
    }
    assert_repeats(&client.reserve_once("k", "tags=vip&format=link"), &first);
    assert_eq!(shop.count("reserved"), 1);
}

#[test]
fn a_key_belongs_to_one_user_and_its_letters_count() {
    let shop = Shop::with(5, "vip");
    let [crm, till] = ["crm", "till"].map(|user| shop.key(user, "certCreate"));
    let server = shop.serve();
    let query = "tags=vip&format=link";
    let mut links: Vec<String> = Vec::new();
    for (key, idempotency) in [(&crm, "order-1"), (&crm, "ORDER-1"), (&crm, "order-2"), (&till, "order-1")] {
        links.push(server.client(key).reserve_once(idempotency, query).body);
    }
    links.sort_unstable();
    links.dedup();
    assert_eq!(links.len(), 4);
    // A renewed key is the same user.
    let renewed = shop.done(&["user", "key", "crm"]);
    let again = server.client(renewed.trim_end()).reserve_once("order-1", query);
    assert!(links.contains(&again.body), "{again:?}");
    assert_eq!(shop.count("reserved"), 4);
}

#[test]
fn a_repeat_is_refused_once_its_link_is_dead() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    assert_eq!(client.reserve_once("k", "tags=vip&format=link").status, 200);
    assert_eq!(client.reset("tags=vip").body, r#"{"count":1}"#);
    client.reserve_once("k", "tags=vip&format=link").refusal(409, OVER);
    // Also when somebody else has the passport by now.
    for _ in 0..3 {
        assert_eq!(client.reserve("tags=vip&format=link").status, 200);
    }
    client.reserve_once("k", "tags=vip&format=link").refusal(409, OVER);
    client.reserve_once("k", "tags=gold&format=link").refusal(422, REUSED);
}

#[test]
fn a_repeat_is_refused_once_its_hold_has_ended() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let query = "tags=vip&format=link&expiresIn=2";
    let first = client.reserve_once("k", query);
    assert_eq!(first.status, 200);
    let over = within(Duration::from_secs(5), "the end of the hold", || {
        let again = client.reserve_once("k", query);
        if again.status == 200 {
            assert_repeats(&again, &first);
            return None;
        }
        Some(again)
    });
    over.refusal(409, OVER);
}

#[test]
fn a_refusal_is_not_recorded() {
    let shop = Shop::with(1, "gold");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    assert_eq!(client.reserve_once("k", "tags=vip&format=link").body, NONE_LEFT);
    client.reserve_once("k", "tags=vip&format=xml").refusal(400, INVALID);
    shop.create(1, "vip");
    let first = client.reserve_once("k", "tags=vip&format=link");
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_repeats(&client.reserve_once("k", "tags=vip&format=link"), &first);
}

#[test]
fn a_key_is_1_to_255_visible_ascii_characters() {
    let shop = Shop::with(10, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let reserve = |sent: &[u8]| server.client(&key).with("idempotency-key", sent).reserve("tags=vip&format=link");
    for good in ["x", "~!#$%&'*+^_`|", &"k".repeat(255)] {
        assert_eq!(reserve(good.as_bytes()).status, 200, "{good}");
    }
    for bad in ["", "a b", "é", "a\tb", &"k".repeat(256)] {
        let description = reserve(bad.as_bytes()).refusal(400, INVALID);
        assert!(description.contains("Idempotency-Key"), "{bad:?}: {description}");
    }
    assert_eq!(shop.count("reserved"), 3);
}

#[test]
fn the_command_line_repeats_itself_too() {
    let shop = Shop::with(10, "vip");
    let reserve = ["reserve", "--tags", "vip", "--count", "3", "--idempotency-key", "mailing"];
    let first = shop.done(&reserve);
    assert_eq!(first.lines().count(), 3);
    assert_eq!(shop.done(&reserve), first);
    shop.refused(1, &["reserve", "--tags", "vip", "--count", "4", "--idempotency-key", "mailing"], &["Idempotency"]);
    shop.done(&["reset", "--tags", "vip"]);
    shop.refused(1, &reserve, &["over"]);
}

/// So many records that their index is built meanwhile, a part of it at each start, and that no part is all of it.
#[test]
fn a_key_is_found_while_many_are_indexed_after_crashes_beside_the_command_line_and_by_a_copy() {
    let (shop, there, back) = (Shop::on_a_file(), Shop::on_postgres(), Shop::on_a_file());
    shop.create(100, "vip");
    let key = shop.key("crm", "certCreate");
    let query = "tags=vip&format=linkObject";
    let by_command = |shop: &Shop, number: usize| {
        shop.done(&["reserve", "--tags", "vip", "--idempotency-key", &format!("mailing-{number}")])
    };
    let mut calls = Vec::new();
    for round in 0..4 {
        let server = shop.serve();
        let client = server.client(&key);
        let first = client.reserve_once(&format!("order-{round}"), query);
        assert_eq!((first.status, first.header("idempotency-replayed")), (200, None));
        calls.push((first, by_command(&shop, round)));
        for (number, (first, command)) in calls.iter().enumerate() {
            assert_repeats(&client.reserve_once(&format!("order-{number}"), query), first);
            assert_eq!(by_command(&shop, number), *command);
        }
        server.kill();
        if round == 0 {
            shop.sql(
                "INSERT INTO repeat (at, record, parameters, reservation)
                     WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 70000)
                     SELECT at, randomblob(16), randomblob(16), reservation
                     FROM numbers, (SELECT at, reservation FROM repeat ORDER BY seq LIMIT 1)",
            );
        }
        shop.check();
        assert_eq!(shop.count("reserved"), 2 * calls.len() as u64);
    }
    let indexed: u32 = shop.sql("SELECT count(*) FROM repeat_place").parse().unwrap();
    assert!((1..70_000).contains(&indexed), "{indexed}");

    let assert_known = |shop: &Shop| {
        let server = shop.serve();
        for (number, (first, command)) in calls.iter().enumerate() {
            assert_repeats(&server.client(&key).reserve_once(&format!("order-{number}"), query), first);
            assert_eq!(by_command(shop, number), *command);
        }
        assert_eq!(server.stop().code, Some(0));
        shop.check();
    };
    moved(&shop, &there);
    assert_known(&there);
    moved(&there, &back);
    assert_known(&back);
    assert_eq!(back.sql("SELECT count(*) FROM repeat_place WHERE era = 1"), "70008");
}
