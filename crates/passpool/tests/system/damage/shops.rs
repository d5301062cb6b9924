//! Shops to be damaged. Each holds what other verbs leave behind, and nothing in it is wrong.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::{client::Answer, shop::Shop};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// A shop with a little history: passports made and imported, reserved, and one that came back.
pub(super) fn of_a_day(shop: Shop) -> Shop {
    shop.create(6, "vip");
    shop.done(&["reserve", "--tags", "vip", "--count", "4"]);
    let given = shop.given("reserved");
    shop.done(&["reset", "--id", &given.keys().next().unwrap().to_string()]);
    shop.import(&[r#"77,k3x9q0m2ab7z,"vip,watch","{""n"":1}""#]);
    shop.done(&["reserve", "--tags", "watch"]);
    shop.check();
    shop
}

/// A shop in which links were looked at, claimed and transferred, codes were printed, a passport was given away to a
/// wallet, and a kiosk has a visitor.
pub(super) fn lived_in(shop: Shop) -> Shop {
    shop.import(&[
        "1,sesameopen1x,vip,",
        "2,sesameopen2x,vip,",
        "3,sesameopen3x,vip,",
        "4,,expo,",
        "5,,expo,",
        "6,,gone,",
        "7,,expo,",
        "8,,drop,",
    ]);
    let printed = shop.file("printed.csv", "id,passphrase\n9,sesameopen9x\n10,sesameopen10\n");
    shop.done(&["import", &printed, "--printed", "--tag", "box"]);
    shop.done(&["reserve", "--tags", "vip", "--count", "3"]);
    shop.done(&["kiosk", "add", "expo", "--tag", "expo"]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve_with(&["--settle-delay", "14m"]);
    let claim = |link: &str| {
        let page = server.stranger().get(link);
        assert_eq!(server.stranger().press(&page, link, &[("owner", ALICE)]).status, 303);
    };
    assert_eq!(server.stranger().head("/1,sesameopen1x").status, 200);
    claim("/1,sesameopen1x");
    claim("/2,sesameopen2x");
    assert_eq!(server.stranger().get("/9,sesameopen9x").status, 200);
    let transfer = json!({"tokenId": 3, "passphrase": "sesameopen3x", "address": ALICE});
    assert_eq!(server.client(&key).post_json("/deferred/transfer", &transfer).status, 200);
    let drop = "/api/certificate/one2Many/forceTransfer/v2?tag=drop&format=link";
    assert_eq!(server.client(&key).get_with(drop, &json!([ALICE])).status, 200);
    let taken = || {
        let kiosk = server.stranger().get("/k/expo");
        let taken = server.stranger().press(&kiosk, "/k/expo", &[]);
        assert_eq!(taken.status, 303);
        taken.header("location").unwrap().to_owned()
    };
    taken();
    claim(&taken());
    assert_eq!(server.stop().code, Some(0));
    shop.done(&["recover", "2"]);
    shop.done(&["withdraw", "6"]);
    shop.check();
    shop
}

/// A shop that operators work in: reservations with recipients, one of whom was erased, one that was extended, previews,
/// resets that were undone and others that may be, a kiosk's passport among them, tags that were edited, and users who
/// share a profile.
pub(super) fn run_by_operators(shop: Shop) -> Shop {
    shop.create(14, "vip");
    shop.create(1, "expo");
    shop.done(&["kiosk", "add", "expo", "--tag", "expo"]);
    let edited = shop.sql("SELECT id FROM passport WHERE seq = 13");
    shop.done(&["passport", "edit", &edited, "--tag", "rome"]);
    let key = shop.key("boss", "admin");
    let server = shop.serve();
    let client = server.client(&key);
    let reserve = |once: &[u8], body: &Value| {
        let made = client.again().with("idempotency-key", once).post_json("/v1/reservations", body);
        assert_eq!(made.status, 201, "{}", made.body);
        made
    };
    let guests: Vec<Value> = (1..=4).map(|number| json!({"reference": format!("guest-{number}")})).collect();
    let guests = reserve(b"gala", &json!({"tags": ["vip"], "count": 4, "recipients": guests, "note": "the gala"}));
    let held = reserve(b"held", &json!({"tags": ["vip"], "count": 4, "expires_in": 3_600}));
    let others: Vec<Value> = ["ada", "eve", "bob"].map(|name| json!({"reference": name})).into();
    reserve(b"others", &json!({"tags": ["vip"], "count": 3, "recipients": others}));
    let eve = client.get("/v1/recipients?reference=eve").json();
    let eve = format!("/v1/recipients/{}", eve["recipients"][0]["id"].as_str().unwrap());
    assert_eq!(client.ask(Method::DELETE, &eve).unwrap().status, 204);
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
    assert_eq!(done("/v1/resets", &json!({"tags": ["vip"], "dry_run": true}))["count"], 9);
    done("/v1/profiles", &json!({"name": "till", "rights": ["certRead"]}));
    done("/v1/users", &json!({"name": "ann", "profile": "till"}));
    done("/v1/users", &json!({"name": "bob", "rights": ["certCreate"]}));
    done("/v1/users/bob/keys/renew", &json!({"old_key_valid_for": 3_600}));
    assert_eq!(server.stop().code, Some(0));
    shop.check();
    shop
}
