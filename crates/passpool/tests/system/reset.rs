//! Resets: passports come back, and their links are dead.

use crate::{
    client::Given,
    shop::{Server, Shop},
};

fn reserve(server: &Server, key: &str, tags: &str) -> Given {
    server.client(key).reserve(&format!("tags={tags}&format=link")).given()
}

#[test]
fn a_passport_comes_back_with_another_passphrase() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let mut links = vec![reserve(&server, &key, "vip")];
    for _ in 0..20 {
        assert_eq!(server.client(&key).reset("tags=vip").body, r#"{"count":1}"#);
        assert_eq!(shop.count("available"), 1);
        let link = reserve(&server, &key, "vip");
        assert_eq!(link.id, links[0].id);
        assert!(!links.contains(&link), "a dead link lives again");
        links.push(link);
    }
    // One link lives, the last one.
    let [(id, passphrase)] = Vec::from_iter(shop.given("reserved")).try_into().unwrap();
    assert_eq!(links.last(), Some(&Given { id, passphrase }));
}

#[test]
fn an_imported_passphrase_is_good_for_one_hand_out() {
    let shop = Shop::empty();
    shop.import(&["7,k3x9q0m2ab7z,vip,"]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    assert_eq!(reserve(&server, &key, "vip").passphrase, "k3x9q0m2ab7z");
    assert_eq!(server.client(&key).reset("tags=vip").body, r#"{"count":1}"#);
    let Given { id, passphrase } = reserve(&server, &key, "vip");
    assert_eq!((id, passphrase.len()), (7, 25));
    assert!(passphrase.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()));
}

#[test]
fn only_what_matches_is_reset() {
    let shop = Shop::empty();
    shop.import(&["1,a,red,", "2,b,blue,", r#"3,c,"red,blue","#, "4,d,green,"]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let check = |query: &str, count: u64| {
        for tag in ["red,blue", "red", "blue", "green"] {
            _ = server.client(&key).reserve(&format!("tags={tag}&format=link"));
        }
        assert_eq!(shop.count("reserved"), 4);
        assert_eq!(server.client(&key).reset(query).body, format!(r#"{{"count":{count}}}"#), "{query}");
        assert_eq!(shop.count("reserved"), 4 - count, "{query}");
    };
    check("tags=red", 2);
    check("tags=red,blue", 1);
    check("tags=red,blue&tagRule=or", 3);
    check("tags=nobody", 0);
    check("tags=red&state=reserved", 2);
    check("tags=red&state=scanned", 0);
    check("tags=red&olderThan=3600", 0);
    shop.check();
}

/// There is no claim yet that a caller could make, so this makes one as the store would: the row, the sets and the
/// journal. That nothing is forgotten is what `check` says. The passports are the numbers 0 and 1, and both reserved.
fn claim_number_1(shop: &Shop) {
    shop.sql(
        "BEGIN;
         INSERT INTO journal (at, kind, passport, actor, detail)
             SELECT handed_at, 'claimed', id, 'cli', '{\"after\":' || changed || '}' FROM passport WHERE seq = 1;
         UPDATE passport SET state = 4, owner = zeroblob(20), changed = (SELECT max(seq) FROM journal) WHERE seq = 1;
         UPDATE standing SET bits = x'0000' WHERE state = 1;
         INSERT INTO standing VALUES (4, 0, x'0100');
         COMMIT;",
    );
    shop.check();
}

#[test]
fn a_claimed_passport_is_never_reset() {
    let shop = Shop::with(2, "vip");
    let key = shop.key("crm", "certCreate");
    shop.done(&["reserve", "--tags", "vip", "--count", "2"]);
    claim_number_1(&shop);
    let id = shop.sql("SELECT id FROM passport WHERE seq = 1");
    shop.refused(1, &["reset", "--id", &id], &[&id, "claimed"]);
    let server = shop.serve();
    assert_eq!(server.client(&key).reset("tags=vip").body, r#"{"count":1}"#, "the other one");
    assert_eq!(shop.done(&["reset", "--tags", "vip", "--json"]), "{\"count\":0}\n");
    assert_eq!((shop.count("claimed"), shop.count("available")), (1, 1));
    shop.check();
}

#[test]
fn a_dry_run_lists_what_the_reset_would_give_back_and_changes_nothing() {
    let shop = Shop::with(5, "vip");
    shop.done(&["reserve", "--tags", "vip", "--count", "3"]);
    let reserved: Vec<u64> = shop.given("reserved").into_keys().collect();
    let everything = || shop.sql("SELECT * FROM passport; SELECT * FROM journal; SELECT * FROM reservation");
    let before = everything();
    let listed = shop.done(&["reset", "--tags", "vip", "--dry-run", "--json"]);
    let preview: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(preview["count"], 3);
    let listed = preview["passports"].as_array().unwrap();
    let mut listed: Vec<u64> = listed.iter().map(|passport| passport["passport_id"].as_u64().unwrap()).collect();
    listed.sort_unstable();
    assert_eq!(listed, reserved);
    assert_eq!(shop.done(&["reset", "--tags", "vip", "--state", "scanned", "--dry-run"]), "");
    assert!(everything() == before, "a dry run changed something");
    assert!(shop.done(&["reset", "--state", "reserved", "--json"]).starts_with("{\"count\":3,"));
    assert_eq!(shop.count("available"), 5);
}

#[test]
fn named_passports_are_reset_all_or_none() {
    let shop = Shop::with(3, "vip");
    shop.done(&["reserve", "--tags", "vip", "--count", "2"]);
    let [first, second] = Vec::from_iter(shop.given("reserved").into_keys()).try_into().unwrap();
    let [first, second] = [first, second].map(|id: u64| id.to_string());
    let available = shop.sql("SELECT id FROM passport WHERE state = 0");
    shop.refused(1, &["reset", "--id", &first, "--id", "5"], &["5"]);
    shop.refused(1, &["reset", "--id", &first, "--id", &available], &[&available]);
    shop.done(&["reset", "--id", &first, "--id", &second]);
    assert_eq!(shop.count("available"), 3);
    shop.check();
}
