//! Damage done by hand: `check` finds it, and names the place.

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
