//! Bad parameters: each is named, and nothing is changed.

use crate::{
    client::{Client, NONE_LEFT, RESERVE, RESET},
    shop::Shop,
};

const MISSING: &str = "nmp.back.dispenser.missingParameter";
const INVALID: &str = "nmp.back.dispenser.invalidParameter";

fn numbered_tags(count: usize) -> String {
    (0..count).map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

#[test]
fn a_missing_or_wrong_parameter_is_named_and_nothing_is_changed() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    assert_eq!(client.reserve("tags=vip&format=link").status, 200);
    let before = shop.contents();
    let check = |path: &str, query: &str, code: &str, named: &str| {
        let description = client.get(&format!("{path}?{query}")).refusal(400, code);
        assert!(description.contains(named), "{query}: {description}");
    };
    check(RESERVE, "", MISSING, "tags");
    check(RESERVE, "format=link", MISSING, "tags");
    check(RESERVE, "tags=&format=link", MISSING, "tags");
    check(RESERVE, "tags=,&format=link", MISSING, "tags");
    check(RESERVE, "tags=%20,%20&format=link", MISSING, "tags");
    check(RESERVE, "tags[]=&format=link", MISSING, "tags[]");
    check(RESERVE, "tags[0]=,&format=link", MISSING, "tags[0]");
    check(RESERVE, "tags=vip", MISSING, "format");
    check(RESERVE, "tags=vip&format=", MISSING, "format");
    check(RESERVE, "tags=vip&format=xml", INVALID, "format");
    check(RESERVE, "tags=vip&format=LINK", INVALID, "format");
    check(RESERVE, "tags=vip&format=linkobject", INVALID, "format");
    check(RESERVE, "tags=vip&format=link&tagRule=xor", INVALID, "tagRule");
    check(RESERVE, "tags=vip&format=link&tagRule=OR", INVALID, "tagRule");
    for span in ["0", "-1", "%2B1", "1.5", "15m", "soon", "315360001", "99999999999999999999", "0x10"] {
        check(RESERVE, &format!("tags=vip&format=link&expiresIn={span}"), INVALID, "expiresIn");
    }
    for tag in ["x".repeat(129), "%C3%A9".repeat(65), "a%07b".into(), "a%00".into(), "a%C2%85b".into()] {
        check(RESERVE, &format!("tags={tag}&format=link"), INVALID, "tags");
        check(RESERVE, &format!("tags[]={tag}&format=link"), INVALID, "tags[]");
        check(RESET, &format!("tags={tag}"), INVALID, "tags");
    }
    check(RESERVE, &format!("tags={}&format=link", numbered_tags(33)), INVALID, "tags");
    check(RESET, &format!("tags={}", numbered_tags(33)), INVALID, "tags");
    check(RESET, "", MISSING, "tags");
    check(RESET, "tags=", MISSING, "tags");
    check(RESET, "tags[]=,", MISSING, "tags[]");
    check(RESET, "tags=vip&tagRule=xor", INVALID, "tagRule");
    for state in ["claimed", "available", "Reserved", "pending"] {
        check(RESET, &format!("tags=vip&state={state}"), INVALID, "state");
    }
    for span in ["0", "-1", "1h", "315360001"] {
        check(RESET, &format!("tags=vip&olderThan={span}"), INVALID, "olderThan");
    }
    assert!(shop.contents() == before, "a refused call changed something");
}

#[test]
fn what_is_just_allowed_is_no_error() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    for tags in ["x".repeat(128), "%C3%A9".repeat(64), numbered_tags(32), format!("{0},{0}", numbered_tags(32))] {
        assert_eq!(client.reserve(&format!("tags={tags}&format=link")).body, NONE_LEFT, "{tags}");
    }
    assert_eq!(client.reserve("tags=vip&format=link&expiresIn=315360000").status, 200);
}

#[test]
fn key_right_parameters_idempotency_and_pool_are_judged_in_this_order() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let reader = shop.key("reader", "certRead");
    let server = shop.serve();
    let with_key = |client: Client, idempotency: &[u8]| client.with("idempotency-key", idempotency);
    // Everything is wrong with the first of these, and one thing less with each that follows.
    assert_eq!(with_key(server.stranger(), b"").reserve("tags=&format=xml").status, 403);
    assert_eq!(with_key(server.client(&reader), b"").reserve("tags=&format=xml").status, 401);
    let crm = || server.client(&key);
    assert!(with_key(crm(), b"").reserve("tags=&format=xml").refusal(400, MISSING).contains("tags"));
    assert!(with_key(crm(), b"").reserve("tags=vip&format=xml").refusal(400, INVALID).contains("format"));
    assert!(with_key(crm(), b"").reserve("tags=vip&format=link").refusal(400, INVALID).contains("Idempotency-Key"));
    let first = crm().reserve_once("order-1", "tags=vip&format=link");
    assert_eq!(first.status, 200);
    let reused = crm().reserve_once("order-1", "tags=nobody&format=link");
    reused.refusal(422, "nmp.back.dispenser.idempotency.reused");
    assert_eq!(crm().reserve_once("order-1", "tags=vip&format=link").body, first.body, "though the pool is empty");
    assert_eq!(crm().reserve_once("order-2", "tags=vip&format=link").body, NONE_LEFT);
}
