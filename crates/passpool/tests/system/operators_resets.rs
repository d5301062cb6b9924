//! Resets over `/v1`: a look before, and a way back.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    client::{Client, Given},
    shop::Shop,
};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const RESERVATIONS: &str = "/v1/reservations";

fn reserve(client: &Client, count: u32) -> Vec<Given> {
    let made = client.post_json(RESERVATIONS, &json!({"tags": ["vip"], "count": count}));
    assert_eq!(made.status, 201, "{}", made.body);
    let links = made.json()["links"].as_array().unwrap().clone();
    links.iter().map(|link| Given::in_link(link["link"].as_str().unwrap())).collect()
}

/// What a link answers a program.
fn status(client: &Client, given: &Given) -> u16 {
    client.again().with("accept", b"application/json").get(&format!("/{},{}", given.id, given.passphrase)).status
}

fn claim(client: &Client, given: &Given) {
    let path = format!("/{},{}", given.id, given.passphrase);
    let page = client.get(&path);
    let claimed = client.press(&page, &path, &[("owner", ALICE)]);
    assert!(claimed.status < 400, "{}", claimed.body);
}

/// All that was previewed, page by page.
fn previewed(client: &Client, first: &Value) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut page = first.clone();
    loop {
        let ids = page["passports"].as_array().unwrap().iter().map(|one| one["passport_id"].as_u64().unwrap());
        for id in ids {
            assert!(found.insert(id), "{id} is previewed twice");
        }
        let Some(cursor) = page["next"].as_str() else { return found };
        let preview = first["preview"].as_str().unwrap();
        page = client.get(&format!("/v1/resets/previews/{preview}?limit=250&cursor={cursor}")).json();
    }
}

fn undo(client: &Client, reset: &Value) -> Value {
    client.post(&format!("/v1/resets/{}/undo", reset["id"].as_str().unwrap()), "application/json", "").json()
}

#[test]
fn of_a_thousand_previewed_ten_are_claimed_990_reset_and_all_of_those_live_again() {
    let shop = Shop::with(1_000, "vip");
    let key = shop.key("crm", "certCreate,certRead");
    let server = shop.serve();
    let client = server.client(&key);
    let given = reserve(&client, 1_000);
    let dry_run = json!({"tags": ["vip"], "dry_run": true});
    let preview = client.post_json("/v1/resets", &dry_run).json();
    assert_eq!((&preview["count"], preview["passports"].as_array().unwrap().len()), (&json!(1_000), 100));
    assert_eq!(previewed(&client, &preview), given.iter().map(|given| given.id).collect());
    assert_eq!(shop.count("reserved"), 1_000, "a look changes nothing");

    let (claimed, others) = given.split_at(10);
    claimed.iter().for_each(|given| claim(&client, given));
    let reset = client.post_json("/v1/resets", &json!({"preview": preview["preview"]})).json();
    assert_eq!((&reset["count"], &reset["changed_since"]), (&json!(990), &json!(10)), "{reset}");
    assert_eq!((shop.count("available"), shop.count("claimed")), (990, 10));
    assert!(others.iter().all(|given| status(&client, given) == 404), "a link outlived its reset");

    assert_eq!(undo(&client, &reset), json!({"count": 990, "others": 0}));
    assert!(others.iter().all(|given| status(&client, given) == 200), "a link is dead after the undo");
    let again = undo(&client, &reset);
    assert_eq!(again["type"], "/problems/reset-undone");
    assert_eq!((shop.count("scanned"), shop.count("claimed")), (990, 10));
    shop.check();
}

#[test]
fn what_was_handed_out_before_the_undo_stays_with_its_new_holder() {
    let shop = Shop::with(1_000, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let given = reserve(&client, 1_000);
    let reset = client.post_json("/v1/resets", &json!({"tags": ["vip"]})).json();
    assert_eq!(reset["count"], 1_000);
    let [new] = <[Given; 1]>::try_from(reserve(&client, 1)).unwrap();
    assert_eq!(undo(&client, &reset), json!({"count": 999, "others": 1}));
    let standing = shop.given("reserved");
    for old in &given {
        let holder = if old.id == new.id { &new } else { old };
        assert_eq!(standing.get(&old.id), Some(&holder.passphrase), "{} is somebody else's", old.id);
    }
    let old = given.iter().find(|old| old.id == new.id).unwrap();
    assert_eq!((status(&client, old), status(&client, &new)), (404, 200));
    shop.check();
}
