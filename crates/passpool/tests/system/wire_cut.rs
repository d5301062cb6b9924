//! Connections to PostgreSQL that break in the middle of a commit, so that nobody knows whether it was done: the caller is
//! told so, and whoever asks again with the same idempotency key gets the truth.

use serde_json::json;
use ureq::http::Method;

use crate::{
    client::{Answer, Client, NONE_LEFT},
    cluster::Cluster,
    cutter::{Cut, Cutter},
    load::Load,
    shop::{Server, Shop},
    watch::rounds,
};

/// Parts of statements: one that picks passports, one that changes their states, one that erases.
const PICK: &str = "FROM reserve_by_tag_";
const CHANGE: &str = "WITH becomes";
const ERASE: &str = "DELETE FROM recipient WHERE id = $1";

const UNKNOWN: &str =
    "The database did not say whether this was done: repeat the call with the same Idempotency-Key to learn it";

/// A shop whose server reaches PostgreSQL by way of a cutter.
struct Cuttable {
    shop: Shop,
    key: String,
    cutter: Cutter,
    server: Server,
    cluster: Cluster,
}

impl Cuttable {
    fn with(passports: u32) -> Self {
        let cluster = Cluster::start();
        let shop = cluster.shop("shop");
        shop.create(passports, "vip");
        let key = shop.key("crm", "certCreate,certRead,certRecover");
        let cutter = Cutter::before(cluster.port());
        let server = shop.serve_at(&cutter.url("shop"));
        Self { shop, key, cutter, server, cluster }
    }

    fn client(&self) -> Client {
        self.server.client(&self.key)
    }
}

fn assert_unknown(answer: &Answer) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.body);
    let told = answer.json();
    match answer.header("content-type") {
        Some("application/problem+json") => {
            assert_eq!(told["type"], "/problems/outcome-unknown", "{told}");
            assert!(
                told["detail"].as_str().unwrap().contains("repeat the call with the same Idempotency-Key"),
                "{told}"
            );
        }
        _ => assert_eq!(told["message"], UNKNOWN),
    }
}

#[test]
fn a_commit_that_nobody_answered_is_told_as_that_and_a_repeat_with_the_same_key_gets_the_truth() {
    let place = Cuttable::with(100);
    let client = place.client();
    let mut reserved = 0;
    for (number, cut) in [Cut::BeforeCommitOf(PICK), Cut::AfterCommitOf(PICK)].into_iter().enumerate() {
        let key = format!("order-{number}");
        place.cutter.cut(cut);
        assert_unknown(&client.reserve_once(&key, "tags=vip&format=linkObject"));
        assert_eq!(place.cutter.cuts(), 1);
        // Before somebody asks again there is what there is.
        reserved += u64::from(cut == Cut::AfterCommitOf(PICK));
        assert_eq!(place.shop.count("reserved"), reserved, "{cut:?}");
        let truth = client.reserve_once(&key, "tags=vip&format=linkObject");
        let replayed = (cut == Cut::AfterCommitOf(PICK)).then_some("true");
        assert_eq!((truth.status, truth.header("idempotency-replayed")), (200, replayed), "{cut:?}: {}", truth.body);
        reserved += u64::from(cut == Cut::BeforeCommitOf(PICK));
        assert_eq!(client.reserve_once(&key, "tags=vip&format=linkObject").body, truth.body);
        assert_eq!(place.shop.count("reserved"), reserved, "{cut:?}");

        let many = json!({"tags": ["vip"], "count": 20});
        let bulk = client.again().with("idempotency-key", if number == 0 { b"bulk-0" } else { b"bulk-1" });
        place.cutter.cut(cut);
        assert_unknown(&bulk.post_json("/v1/reservations", &many));
        let truth = bulk.post_json("/v1/reservations", &many);
        assert_eq!((truth.status, truth.header("idempotency-replayed")), (201, replayed), "{cut:?}: {}", truth.body);
        reserved += 20;
        assert_eq!(place.shop.count("reserved"), reserved, "{cut:?}");
    }
    place.shop.check();
}

#[test]
fn whoever_shares_a_statement_is_told_too_that_nobody_knows() {
    let place = Cuttable::with(10);
    let client = place.client();
    assert_eq!(client.reserve("tags=vip&format=link").status, 200);
    let mut reserved = 1;
    // Everything is on its way at once, and may be cut at each of its parts.
    for (cut, is_done) in
        [(Cut::Before(PICK), false), (Cut::BeforeCommitOf(PICK), false), (Cut::AfterCommitOf(PICK), true)]
    {
        place.cutter.cut(cut);
        assert_unknown(&client.reserve("tags=vip&format=link"));
        assert_eq!(place.cutter.cuts(), 1, "{cut:?}");
        reserved += u64::from(is_done);
        assert_eq!(place.shop.count("reserved"), reserved, "{cut:?}");
    }
    for _ in reserved..10 {
        assert_eq!(client.reserve("tags=vip&format=link").status, 200);
    }
    assert_eq!(client.reserve("tags=vip&format=link").body, NONE_LEFT);
    place.shop.check();
}

#[test]
fn a_verb_without_a_key_is_told_so_and_can_be_looked_up() {
    let place = Cuttable::with(3);
    let client = place.client();
    for (cut, left) in [(Cut::BeforeCommitOf(CHANGE), 1), (Cut::AfterCommitOf(CHANGE), 0)] {
        client.reserve("tags=vip&format=link").given();
        place.cutter.cut(cut);
        assert_unknown(&client.reset("tags=vip"));
        assert_eq!(place.shop.count("reserved"), left, "{cut:?}");
        assert_eq!(client.reset("tags=vip").body, format!("{{\"count\":{left}}}"));
    }
    place.shop.check();
}

#[test]
fn a_statement_that_is_its_own_commit_is_told_so_too() {
    let place = Cuttable::with(1);
    let client = place.client();
    let ada = json!({"tags": ["vip"], "count": 1, "recipients": [{"name": "Ada"}]});
    assert_eq!(client.post_json("/v1/reservations", &ada).status, 201);
    let recipients = || place.cluster.sql("shop", "SELECT count(*) FROM recipient");
    let id = client.get("/v1/recipients").json()["recipients"][0]["id"].as_str().unwrap().to_owned();
    let erase = || client.ask(Method::DELETE, &format!("/v1/recipients/{id}")).unwrap();
    for (cut, left) in [(Cut::Before(ERASE), "1"), (Cut::After(ERASE), "0")] {
        place.cutter.cut(cut);
        assert_unknown(&erase());
        assert_eq!(recipients(), left, "{cut:?}");
    }
    assert_eq!(erase().status, 404);
    // What only looks has changed nothing, and says so.
    place.cutter.cut(Cut::After("FROM reservation"));
    let looked = client.get("/v1/reservations");
    assert_eq!((looked.status, &looked.json()["type"]), (503, &json!("/problems/unavailable")), "{}", looked.body);
    place.shop.check();
}

#[test]
fn cuts_under_load_lose_nothing() {
    let place = Cuttable::with(rounds(100_000, 10_000));
    let load = Load::start(&[&place.server], &place.key, 8);
    for round in 0..rounds(200, 20) {
        load.goes_on(&[0], 5 + round % 13);
        let cuts = [Cut::BeforeCommitOf(PICK), Cut::AfterCommitOf(PICK), Cut::Before(PICK)];
        place.cutter.cut(cuts[round as usize % 3]);
        place.cutter.wait_for_cut();
    }
    load.goes_on(&[0], 20);
    let told = load.end();
    // Whose calls are cut is chance; that a repeat gets the truth has a story of its own.
    assert!(told.unknown > 0);
    told.prove(&place.shop, rounds(100_000, 10_000), 0);
}
