//! Damage done by hand: `check` finds it, and names the place.

use serde_json::{Value, json};

use crate::{client::Answer, shop::Shop, watch::rounds};

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
    assert_named(shop, statement, "");
}

/// The same, and one line that `check` prints begins with the place.
fn assert_named(shop: &Shop, statement: &str, place: &str) {
    let damaged = shop.copy();
    let changed = damaged.sql(&format!("{statement}; SELECT changes();"));
    assert_ne!(changed, "0", "{statement}");
    let ended = damaged.run(&["check"]);
    assert_eq!(ended.code, Some(1), "{statement}: {}", ended.stderr);
    assert!(
        ended.stdout.lines().any(|line| line.starts_with(place)),
        "{statement} names no {place}:\n{}",
        ended.stdout
    );
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

/// A shop that operators work in: a reservation with recipients, one that was extended, previews, resets that were undone
/// and others that may be, a kiosk's passport among them, and users who share a profile.
fn run_by_operators() -> Shop {
    let shop = Shop::with(12, "vip");
    shop.create(1, "expo");
    shop.done(&["kiosk", "add", "expo", "--tag", "expo"]);
    let key = shop.key("boss", "admin");
    let server = shop.serve();
    let client = server.client(&key);
    let guests: Vec<Value> = (1..=4).map(|number| json!({"reference": format!("guest-{number}")})).collect();
    let reserve = |once: &[u8], body: &Value| {
        let made = client.again().with("idempotency-key", once).post_json("/v1/reservations", body);
        assert_eq!(made.status, 201, "{}", made.body);
        made
    };
    let guests = reserve(b"gala", &json!({"tags": ["vip"], "count": 4, "recipients": guests, "note": "the gala"}));
    let held = reserve(b"held", &json!({"tags": ["vip"], "count": 4, "expires_in": 3_600}));
    let done = |path: &str, body: &Value| {
        let answer = client.post_json(path, body);
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.body);
        answer.json()
    };
    done(&format!("{}/extend", held.header("location").unwrap()), &json!({"expires_in": 7_200}));
    let kiosk = server.stranger().get("/k/expo");
    assert_eq!(server.stranger().press(&kiosk, "/k/expo", &[]).status, 303);
    let ids = |made: &Answer, places: &[usize]| -> Vec<u64> {
        places.iter().map(|place| made.json()["links"][place]["passport_id"].as_u64().unwrap()).collect()
    };
    let first = done("/v1/resets", &json!({"ids": ids(&guests, &[0, 1])}));
    let undone = done(&format!("/v1/resets/{}/undo", first["id"].as_str().unwrap()), &json!({}));
    assert_eq!(undone["count"], 2);
    let visited: u64 = shop.sql("SELECT id FROM passport WHERE kiosk IS NOT NULL").parse().unwrap();
    let taken = [ids(&guests, &[3]), ids(&held, &[3]), vec![visited]].concat();
    assert_eq!(done("/v1/resets", &json!({"ids": taken}))["count"], 3);
    assert_eq!(done("/v1/resets", &json!({"tags": ["vip"], "dry_run": true}))["count"], 6);
    done("/v1/profiles", &json!({"name": "till", "rights": ["certRead"]}));
    done("/v1/users", &json!({"name": "ann", "profile": "till"}));
    done("/v1/users", &json!({"name": "bob", "rights": ["certCreate"]}));
    done("/v1/users/bob/keys/renew", &json!({"old_key_valid_for": 3_600}));
    assert_eq!(server.stop().code, Some(0));
    shop.check();
    shop
}

/// What can be wrong with each table that operators fill, and how the place begins that `check` names.
const DAMAGE: &[(&str, &str)] = &[
    // Reservations, and who holds what.
    ("UPDATE reservation SET passports = x'80' WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET count = count + 1 WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET count = 0 WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET count = -1 WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET actor = 'nobody' WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET rule = 'xor' WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET rule = NULL WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET tags = '' WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET recipients = 3 WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET id = zeroblob(3) WHERE note IS NOT NULL", "reservation 000000: its name"),
    // The first passport twice, and then the third not at all.
    ("UPDATE reservation SET passports = x'00000202' WHERE note IS NOT NULL", "reservation rv_"),
    ("UPDATE reservation SET passports = x'000204', count = 3 WHERE note IS NOT NULL", "reservation rv_"),
    ("DELETE FROM reservation WHERE note IS NOT NULL", "recipient rc_"),
    (
        "UPDATE passport SET reservation = (SELECT reservation FROM passport WHERE seq = 5) WHERE seq = 1",
        "reservation rv_",
    ),
    ("UPDATE passport SET reservation = zeroblob(3) WHERE seq = 1", "passport "),
    ("UPDATE passport SET reservation = NULL WHERE seq = 1", "recipient rc_"),
    // Recipients: each has the passport that was reserved for it, and nobody another's.
    ("UPDATE recipient SET passport = 99 WHERE passport = 1", "recipient rc_"),
    ("UPDATE recipient SET passport = 12, left_at = 1 WHERE passport = 3", "recipient rc_"),
    ("UPDATE recipient SET passport = 2 WHERE passport = 1", "recipient rc_"),
    ("UPDATE recipient SET passport = 3 - passport WHERE passport IN (1, 2)", "recipient rc_"),
    ("UPDATE recipient SET reservation = zeroblob(16) WHERE passport = 1", "recipient rc_"),
    ("UPDATE recipient SET left_at = 1 WHERE passport = 1", "recipient rc_"),
    ("UPDATE recipient SET left_at = NULL WHERE passport = 3", "recipient rc_"),
    ("UPDATE recipient SET reference = NULL WHERE passport = 1", "recipients"),
    // Records of calls that may be repeated.
    ("UPDATE repeat SET record = zeroblob(15) WHERE seq = 1", "idempotency record 1"),
    ("UPDATE repeat SET reservation = zeroblob(16) WHERE seq = 1", "idempotency record 1"),
    ("UPDATE repeat SET record = (SELECT record FROM repeat WHERE seq = 2) WHERE seq = 1", "idempotency record 2"),
    // Their index, which has none of them yet.
    ("UPDATE repeat_era SET last = 2", "idempotency record 1: its era's index"),
    ("UPDATE repeat_era SET goal = 2, reached = x'ffffffffffffffff'", "idempotency record 1: its era's index"),
    ("UPDATE repeat_era SET goal = 2", "era 1 of the idempotency records"),
    ("UPDATE repeat_era SET goal = 2, reached = x'00'", "era 1 of the idempotency records"),
    ("UPDATE repeat_era SET goal = last, reached = zeroblob(8)", "era 1 of the idempotency records"),
    ("INSERT INTO repeat_era (id, first, last) VALUES (2, 0, 5)", "era 2 of the idempotency records"),
    ("INSERT INTO repeat_place VALUES (9, zeroblob(8), 99)", "era 9 of the idempotency records"),
    ("INSERT INTO repeat_place VALUES (1, zeroblob(8), 1)", "idempotency record 1: an index"),
    ("DELETE FROM repeat_era", "idempotency records: they have no era"),
    // What was previewed.
    ("UPDATE preview_chunk SET passports = x'80'", "preview rp_"),
    ("UPDATE preview_chunk SET versions = x'80'", "preview rp_"),
    ("UPDATE preview_chunk SET versions = x''", "preview rp_"),
    ("UPDATE preview_chunk SET passports = x'7f', versions = x'02'", "preview rp_"),
    ("UPDATE preview_chunk SET passports = x'02', versions = x'02'", "preview rp_"),
    ("UPDATE preview_chunk SET chunk = 7", "preview rp_"),
    ("UPDATE preview_chunk SET chunk = -1", "preview rp_"),
    ("DELETE FROM preview", "preview rp_"),
    ("UPDATE preview SET id = zeroblob(3)", "preview 000000"),
    // What a reset took, and may be given back.
    ("UPDATE reset SET actor = 'nobody' WHERE undone IS NULL", "reset rs_"),
    ("UPDATE reset SET undone = 1", "reset rs_"),
    ("UPDATE reset SET id = zeroblob(3) WHERE undone IS NULL", "reset 000000"),
    ("DELETE FROM reset WHERE undone IS NULL", "reset rs_"),
    ("UPDATE reset_passport SET passport = 99 WHERE passport = 3", "reset rs_"),
    ("UPDATE reset_passport SET passport = 9 WHERE passport = 3", "reset rs_"),
    ("UPDATE reset_passport SET changed = changed - 1 WHERE passport = 3", "reset rs_"),
    ("UPDATE reset_passport SET changed = (SELECT max(changed) FROM reset_passport)", "journal row "),
    ("UPDATE reset_passport SET state = 6, number = NULL WHERE passport = 3", "reset rs_"),
    ("UPDATE reset_passport SET state = 4 WHERE passport = 3", "reset rs_"),
    ("UPDATE reset_passport SET number = NULL WHERE passport = 3", "resets"),
    ("UPDATE reset_passport SET sealed = x'00' WHERE passport = 3", "resets"),
    ("UPDATE reset_passport SET secret = 9 WHERE passport = 3", "reset rs_"),
    ("UPDATE reset_passport SET reservation = zeroblob(16) WHERE passport = 3", "reset rs_"),
    ("UPDATE reset_passport SET visitor = NULL WHERE kiosk IS NOT NULL", "reset rs_"),
    ("UPDATE reset_passport SET kiosk = 9 WHERE kiosk IS NOT NULL", "reset rs_"),
    // The journal of what operators did.
    ("DELETE FROM journal WHERE kind = 'extended' AND passport = (SELECT id FROM passport WHERE seq = 5)", "passport "),
    ("UPDATE journal SET kind = 'restored-scanned' WHERE kind = 'restored'", "passport "),
    ("UPDATE journal SET kind = 'shown' WHERE kind = 'created'", "journal row 1"),
    ("UPDATE journal SET kind = 'created' WHERE kind = 'extended'", "journal row "),
    ("UPDATE journal SET detail = replace(detail, 'after', 'before') WHERE kind = 'restored'", "journal row "),
    // What a passport must not remember.
    ("UPDATE passport SET number = 7 WHERE seq = 3", "passport "),
    ("UPDATE passport SET until = 7 WHERE seq = 3", "passport "),
    ("UPDATE passport SET owner = zeroblob(20) WHERE seq = 0", "passport "),
    ("UPDATE passport SET printed = 1 WHERE seq = 0", "passport "),
    ("INSERT INTO import VALUES (1, 1); INSERT INTO hidden VALUES (0, 1)", "passport "),
    ("INSERT INTO hidden VALUES (7, 9)", "chunk 7"),
    // Users, profiles and keys.
    ("UPDATE profile SET rights = 'certEat' WHERE name = 'till'", "profile till"),
    ("UPDATE profile SET name = 'a b' WHERE name = 'till'", "profile a b"),
    ("UPDATE profile SET is_own = 2 WHERE name = 'till'", "profile till"),
    ("INSERT INTO profile (name, rights) VALUES ('left', 'certRead')", "profile left"),
    ("UPDATE profile SET rights = 'certRead' WHERE rights = 'admin'", "users: nobody"),
    ("DELETE FROM profile WHERE name = 'till'", "user ann"),
    ("UPDATE user SET profile = 99 WHERE name = 'ann'", "user ann"),
    ("UPDATE user SET name = 'a b' WHERE name = 'ann'", "users"),
    ("DELETE FROM user WHERE name = 'ann'", "key pp_"),
    ("UPDATE api_key SET digest = zeroblob(3) WHERE until IS NOT NULL", "key pp_"),
    ("UPDATE api_key SET head = 'pp_twice' WHERE user = (SELECT id FROM user WHERE name = 'bob')", "key pp_twice"),
    ("UPDATE api_key SET used_at = 1 WHERE until IS NOT NULL", "key pp_"),
    // Where links lead.
    ("UPDATE setting SET value = 'nowhere' WHERE name = 'link-base'", "settings"),
];

#[test]
fn whatever_is_wrong_with_what_operators_left_is_found_and_its_place_named() {
    let shop = run_by_operators();
    for (statement, place) in DAMAGE {
        assert_named(&shop, statement, place);
    }
}

#[test]
fn any_one_deleted_row_of_what_operators_did_is_found() {
    let shop = run_by_operators();
    let kinds = shop.sql("SELECT group_concat(DISTINCT kind) FROM journal");
    for kind in ["extended", "reset", "restored"] {
        assert!(kinds.contains(kind), "{kinds}");
    }
    for seq in shop.sql("SELECT seq FROM journal ORDER BY seq").lines() {
        assert_named(&shop, &format!("DELETE FROM journal WHERE seq = {seq}"), "");
    }
}
