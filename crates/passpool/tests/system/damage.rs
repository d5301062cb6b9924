//! Damage done by hand: `check` finds it, and names the place.

use serde_json::json;

use crate::{shop::Shop, watch::rounds};

/// A shop with a little history: passports made and imported, reserved, and one that came back.
fn shop() -> Shop {
    let shop = Shop::with(6, "vip");
    shop.done(&["reserve", "--tags", "vip", "--count", "4"]);
    let given = shop.given("reserved");
    shop.done(&["reset", "--id", &given.keys().next().unwrap().to_string()]);
    shop.import(&[r#"77,k3x9q0m2ab7z,"vip,watch","{""n"":1}""#]);
    shop.done(&["reserve", "--tags", "watch"]);
    shop.check();
    shop
}

/// Runs the statement on a copy, which `check` then has to find fault with.
fn assert_found(shop: &Shop, statement: &str) {
    let damaged = shop.copy();
    let changed = damaged.sql(&format!("{statement}; SELECT changes();"));
    assert_ne!(changed, "0", "{statement}");
    let ended = damaged.run(&["check"]);
    assert_eq!(ended.code, Some(1), "{statement}: {}", ended.stderr);
    assert!(!ended.stdout.is_empty(), "{statement}: nothing is named");
}

#[test]
fn any_one_deleted_journal_row_is_found() {
    let shop = shop();
    let rows: Vec<String> = shop.sql("SELECT seq FROM journal ORDER BY seq").lines().map(str::to_owned).collect();
    assert_eq!(rows.len(), 6 + 4 + 1 + 1 + 1);
    for seq in rows {
        assert_found(&shop, &format!("DELETE FROM journal WHERE seq = {seq}"));
    }
}

#[test]
fn a_deleted_journal_row_is_found_in_a_long_journal() {
    let shop = Shop::with(rounds(50_000, 5_000), "vip");
    shop.done(&["reserve", "--tags", "vip", "--count", "1000"]);
    for which in [
        "seq = (SELECT min(seq) FROM journal)",
        "seq = (SELECT max(seq) FROM journal)",
        "seq = (SELECT (min(seq) + max(seq)) / 2 FROM journal)",
        "seq = (SELECT seq FROM journal ORDER BY random() LIMIT 1)",
    ] {
        assert_found(&shop, &format!("DELETE FROM journal WHERE {which}"));
    }
}

#[test]
fn every_other_contradiction_is_found() {
    let shop = shop();
    for statement in [
        // A state flipped by hand, in every direction.
        "UPDATE passport SET state = 1 WHERE seq = (SELECT max(seq) FROM passport WHERE state = 0)",
        "UPDATE passport SET state = 2 WHERE seq = (SELECT min(seq) FROM passport WHERE state = 1)",
        "UPDATE passport SET state = 0 WHERE seq = (SELECT min(seq) FROM passport WHERE state = 1)",
        "UPDATE passport SET state = 0, secret = NULL, number = NULL, handed_at = NULL, reservation = NULL
            WHERE seq = (SELECT min(seq) FROM passport WHERE state = 1)",
        "UPDATE passport SET state = 6, secret = NULL, number = NULL, handed_at = NULL, reservation = NULL
            WHERE seq = (SELECT min(seq) FROM passport WHERE state = 0)",
        "UPDATE passport SET state = 9 WHERE seq = (SELECT min(seq) FROM passport)",
        // A passport that is gone, or another one.
        "DELETE FROM passport WHERE seq = (SELECT min(seq) FROM passport)",
        "DELETE FROM passport WHERE seq = (SELECT max(seq) FROM passport)",
        "UPDATE passport SET id = id + 1 WHERE seq = (SELECT min(seq) FROM passport)",
        "UPDATE passport SET tags = x'' WHERE seq = (SELECT max(seq) FROM passport)",
        "UPDATE passport SET content = 99 WHERE seq = (SELECT min(seq) FROM passport)",
        "UPDATE passport SET reservation = zeroblob(16) WHERE state = 1",
        // The pool and the other sets.
        "DELETE FROM pool WHERE (tag, chunk) = (SELECT tag, chunk FROM pool LIMIT 1)",
        "UPDATE pool SET bits = x'0000'",
        "UPDATE pool SET bits = x'01'",
        "DELETE FROM tagged WHERE (tag, chunk) = (SELECT tag, chunk FROM tagged WHERE tag > 0 LIMIT 1)",
        "DELETE FROM tagged WHERE tag = 0",
        "DELETE FROM standing",
        "INSERT INTO standing VALUES (4, 0, x'0100')",
        // What is pointed to.
        "DELETE FROM tag WHERE name = 'watch'",
        "DELETE FROM content",
        "DELETE FROM reservation",
        // Rows of the journal that tell something else.
        "UPDATE journal SET kind = 'reset' WHERE seq = (SELECT max(seq) FROM journal)",
        "UPDATE journal SET kind = 'lost' WHERE seq = (SELECT min(seq) FROM journal)",
        "UPDATE journal SET passport = 5 WHERE seq = (SELECT max(seq) FROM journal)",
        "UPDATE journal SET actor = 'nobody' WHERE seq = (SELECT min(seq) FROM journal)",
        "UPDATE journal SET at = at - 1000000000 WHERE seq = (SELECT max(seq) FROM journal)",
        "UPDATE journal SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM journal)",
        // Nobody is left who could repair anything.
        "DELETE FROM user",
    ] {
        assert_found(&shop, statement);
    }
}

/// A shop in which links were looked at, claimed and transferred, and a kiosk has a visitor.
fn lived_in() -> Shop {
    const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    let shop = Shop::empty();
    shop.import(&[
        "1,sesameopen1x,vip,",
        "2,sesameopen2x,vip,",
        "3,sesameopen3x,vip,",
        "4,,expo,",
        "5,,expo,",
        "6,,gone,",
    ]);
    shop.done(&["reserve", "--tags", "vip", "--count", "3"]);
    shop.done(&["kiosk", "add", "expo", "--tag", "expo"]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve_with(&["--settle-delay", "14m"]);
    assert_eq!(server.stranger().head("/1,sesameopen1x").status, 200);
    for link in ["/1,sesameopen1x", "/2,sesameopen2x"] {
        let page = server.stranger().get(link);
        assert_eq!(server.stranger().press(&page, link, &[("owner", ALICE)]).status, 303);
    }
    let transfer = json!({"tokenId": 3, "passphrase": "sesameopen3x", "address": ALICE});
    assert_eq!(server.client(&key).post_json("/deferred/transfer", &transfer).status, 200);
    let kiosk = server.stranger().get("/k/expo");
    assert_eq!(server.stranger().press(&kiosk, "/k/expo", &[]).status, 303);
    assert_eq!(server.stop().code, Some(0));
    shop.done(&["recover", "2"]);
    shop.done(&["withdraw", "6"]);
    shop.check();
    shop
}

#[test]
fn what_happened_to_a_link_cannot_be_made_unhappened() {
    let shop = lived_in();
    let kinds = shop.sql("SELECT group_concat(DISTINCT kind) FROM journal");
    for kind in ["previewed", "scanned", "claimed", "transferred", "recovered", "withdrawn"] {
        assert!(kinds.contains(kind), "{kinds}");
    }
    for seq in shop.sql("SELECT seq FROM journal ORDER BY seq").lines() {
        assert_found(&shop, &format!("DELETE FROM journal WHERE seq = {seq}"));
    }
    for statement in [
        "UPDATE passport SET owner = NULL WHERE state = 4",
        "UPDATE passport SET owner = zeroblob(19) WHERE state = 4",
        "UPDATE passport SET settle_by = NULL WHERE state = 3",
        "UPDATE passport SET state = 4, settle_by = NULL WHERE state = 3",
        "UPDATE passport SET state = 0 WHERE state = 5",
        "UPDATE passport SET kiosk = NULL WHERE kiosk IS NOT NULL",
        "UPDATE passport SET kiosk = 9 WHERE kiosk IS NOT NULL",
        "DELETE FROM visit",
        "INSERT INTO visit SELECT seq, 1, x'00', NULL FROM passport WHERE state = 0",
        "INSERT INTO visit VALUES (99, 1, x'00', NULL)",
        "UPDATE visit SET kiosk = 9",
        "UPDATE kiosk SET tags = ''",
        "UPDATE kiosk SET rule = 'xor'",
        "UPDATE kiosk SET hold = 0",
        "DELETE FROM kiosk",
    ] {
        assert_found(&shop, statement);
    }
}
