//! The same call again: the same answer, as long as it is true, and nobody is remembered for it.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::{
    client::{Answer, Client},
    shop::Shop,
};

const RESERVATIONS: &str = "/v1/reservations";

fn reserve_once(client: &Client, key: &str, body: &Value) -> Answer {
    client.again().with("idempotency-key", key.as_bytes()).post_json(RESERVATIONS, body)
}

/// Fails unless this repeats that answer to the byte.
fn assert_repeats(again: &Answer, first: &Answer) {
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
}

#[test]
fn a_partial_answer_is_repeated_although_there_is_more_by_then() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let guests: Vec<Value> = (0..5).map(|number| json!({"reference": format!("G-{number}")})).collect();
    let body = json!({"tags": ["vip"], "count": 5, "shortage": "partial", "recipients": guests});
    let first = reserve_once(&client, "launch", &body);
    assert_eq!((first.status, &first.json()["count"]), (201, &json!(3)));
    let named: Vec<Value> =
        first.json()["links"].as_array().unwrap().iter().map(|link| link["recipient"].clone()).collect();
    assert_eq!(named, guests[..3], "the last ones are left out");
    shop.create(10, "vip");
    assert_repeats(&reserve_once(&client, "launch", &body), &first);
    assert_eq!((shop.count("reserved"), shop.count("available")), (3, 10));
    let mut whole = body;
    whole["shortage"] = json!("refuse");
    assert_eq!(reserve_once(&client, "launch", &whole).json()["type"], "/problems/idempotency-key-reused");
    shop.check();
}

#[test]
fn an_erased_recipient_is_gone_the_history_stays_and_a_repeat_is_the_same() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certCreate,certRead");
    let server = shop.serve();
    let client = server.client(&key);
    let guests = json!([{"name": "Ada", "email": "ada@brand.example", "reference": "A-1"}, {"name": "Bob"}]);
    let body = json!({"tags": ["vip"], "count": 2, "recipients": guests});
    let first = reserve_once(&client, "launch", &body);
    let passport = format!("/v1/passports/{}", first.json()["links"][0]["passport_id"]);
    let before = client.get(&passport).json();
    assert_eq!(before["recipient"], guests[0]);

    let listed = client.get("/v1/recipients?reference=A-1").json();
    let erase = format!("/v1/recipients/{}", listed["recipients"][0]["id"].as_str().unwrap());
    let erased = client.send(Method::DELETE, &erase, "");
    assert_eq!((erased.status, erased.body.as_str()), (204, ""));
    let again = client.send(Method::DELETE, &erase, "");
    assert_eq!((again.status, &again.json()["type"]), (404, &json!("/problems/unknown-recipient")));

    let after = client.get(&passport).json();
    assert_eq!((after.get("recipient"), &after["history"]), (None, &before["history"]));
    let left = client.get("/v1/recipients").json();
    assert_eq!((left["recipients"].as_array().unwrap().len(), &left["recipients"][0]["name"]), (1, &json!("Bob")));
    let links = client.get(&format!("{}/links", first.header("location").unwrap()));
    assert_eq!(links.json()["links"][0]["link"], first.json()["links"][0]["link"], "the link is good as ever");
    for private in ["Ada", "ada@brand.example", "A-1"] {
        assert!(!links.body.contains(private) && !shop.contents().1.contains(private), "{private} is still known");
    }

    assert_repeats(&reserve_once(&client, "launch", &body), &first);
    assert!(!shop.contents().1.contains("ada@brand.example"), "a repeat brings nobody back");
    shop.check();
}

#[test]
fn a_reservation_of_which_something_was_given_back_is_not_repeated() {
    let shop = Shop::with(5, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let body = json!({"tags": ["vip"], "count": 3});
    let first = reserve_once(&client, "launch", &body);
    let reset = client.post_json("/v1/resets", &json!({"ids": [first.json()["links"][1]["passport_id"]]})).json();
    let over = reserve_once(&client, "launch", &body);
    assert_eq!((over.status, &over.json()["type"]), (409, &json!("/problems/reservation-over")));
    assert_eq!(shop.count("reserved"), 2);
    let undo = format!("/v1/resets/{}/undo", reset["id"].as_str().unwrap());
    assert_eq!(client.post(&undo, "application/json", "").json(), json!({"count": 1, "others": 0}));
    assert_repeats(&reserve_once(&client, "launch", &body), &first);
    shop.check();
}

#[test]
fn a_repeat_shows_a_content_as_it_is_by_then() {
    let shop = Shop::empty();
    shop.import(&[r#"7,,vip,"{""name"":""Chrono""}""#]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let body = json!({"tags": ["vip"], "count": 1, "format": "content"});
    let first = reserve_once(&client, "launch", &body);
    assert_eq!(first.json()["links"], json!([{"name": "Chrono"}]));
    assert_repeats(&reserve_once(&client, "launch", &body), &first);
    let change = json!({"content": {"name": "Chrono II"}}).to_string();
    let changed = client.again().with("if-match", b"*").send(Method::PATCH, "/v1/passports/7", &change);
    assert_eq!(changed.status, 200, "{}", changed.body);
    let again = reserve_once(&client, "launch", &body);
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")), "the passport is not lost");
    assert_eq!((&again.json()["id"], &again.json()["links"]), (&first.json()["id"], &json!([{"name": "Chrono II"}])));
    shop.check();
}
