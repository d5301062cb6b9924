//! Accounts over `/v1`: whoever manages them gives away no more than they have, and does not lock themselves out.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::{
    client::{Answer, Client},
    shop::Shop,
};

fn told(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["type"].clone())
}

#[test]
fn a_clerk_gives_away_no_right_that_they_do_not_have() {
    let shop = Shop::with(1, "vip");
    let boss = shop.key("boss", "admin");
    let key = shop.key("clerk", "accountManage,certRead");
    let server = shop.serve();
    let (boss, clerk) = (server.client(&boss), server.client(&key));
    let till = clerk.post_json("/v1/users", &json!({"name": "till", "rights": ["certRead"]}));
    assert_eq!((till.status, till.header("location")), (201, Some("/v1/users/till")));
    assert_eq!(server.client(till.json()["key"].as_str().unwrap()).get("/v1/pools").status, 200);
    assert_eq!(boss.post_json("/v1/profiles", &json!({"name": "makers", "rights": ["certCreate"]})).status, 201);
    assert_eq!(boss.post_json("/v1/users", &json!({"name": "maker", "profile": "makers"})).status, 201);

    let before = shop.contents();
    let head = boss.get("/v1/users/maker/keys").json()["keys"][0]["head"].as_str().unwrap().to_owned();
    let send = |client: &Client, method: &str, path: &str, body: Value| {
        client.send(Method::from_bytes(method.as_bytes()).unwrap(), path, &body.to_string())
    };
    let missing = (403, json!("/problems/right-missing"));
    let beyond = [
        ("POST", "/v1/users", json!({"name": "eve", "rights": ["certRead", "certCreate"]})),
        ("POST", "/v1/users", json!({"name": "eve", "profile": "makers"})),
        ("POST", "/v1/users", json!({"name": "eve", "profile": "admin"})),
        ("PATCH", "/v1/users/till", json!({"profile": "makers"})),
        ("PATCH", "/v1/users/maker", json!({"profile": "till"})),
        ("DELETE", "/v1/users/maker", json!(null)),
        ("POST", "/v1/users/maker/keys", json!(null)),
        ("POST", "/v1/users/maker/keys/renew", json!({})),
        ("DELETE", &*format!("/v1/users/maker/keys/{head}"), json!(null)),
        ("POST", "/v1/profiles", json!({"name": "x", "rights": ["admin"]})),
        ("PUT", "/v1/profiles/till", json!({"rights": ["certCreate"]})),
        ("PUT", "/v1/profiles/makers", json!({"rights": ["certRead"]})),
        ("DELETE", "/v1/profiles/makers", json!(null)),
    ];
    for (method, path, body) in beyond {
        assert_eq!(told(&send(&clerk, method, path, body.clone())), missing, "{method} {path} {body}");
    }
    let own = [
        ("DELETE", "/v1/users/clerk", json!(null)),
        ("PATCH", "/v1/users/clerk", json!({"profile": "till"})),
        ("PUT", "/v1/profiles/clerk", json!({"rights": ["certRead"]})),
        ("POST", "/v1/users/clerk/keys/renew", json!({"old_key_valid_for": 59})),
        ("DELETE", &*format!("/v1/users/clerk/keys/{}", &key[..8]), json!(null)),
    ];
    for (method, path, body) in own {
        assert_eq!(told(&send(&clerk, method, path, body)), (409, json!("/problems/own-account")), "{method} {path}");
    }
    let unknown = [
        ("PATCH", "/v1/users/nobody", json!({"profile": "till"}), "user"),
        ("PATCH", "/v1/users/nobody", json!({"profile": "nothing"}), "user"),
        ("DELETE", "/v1/users/till/keys/pp_aaaaa", json!(null), "key"),
        ("DELETE", "/v1/profiles/nothing", json!(null), "profile"),
    ];
    for (method, path, body, what) in unknown {
        let expected = (404, json!(format!("/problems/unknown-{what}")));
        assert_eq!(told(&send(&clerk, method, path, body)), expected, "{method} {path}");
    }
    let named = [
        ("POST", "/v1/users", json!({"name": "eve", "profile": "nothing"}), "#/profile"),
        ("PATCH", "/v1/users/till", json!({"profile": "nothing"}), "#/profile"),
        ("POST", "/v1/users/till/keys/renew", json!({"old": "pp_aaaaa"}), "#/old"),
    ];
    for (method, path, body, pointer) in named {
        let answer = send(&clerk, method, path, body);
        assert_eq!((answer.status, &answer.json()["errors"][0]["pointer"]), (422, &json!(pointer)), "{method} {path}");
    }
    // Keys are used meanwhile, and that is written down.
    let without_uses = |(names, dump): (Vec<String>, String)| {
        let lines = dump.lines().filter(|line| !line.contains("INTO api_key")).map(str::to_owned);
        (names, lines.collect::<Vec<_>>())
    };
    assert!(without_uses(shop.contents()) == without_uses(before), "a refusal changed something");
    assert_eq!(shop.sql("SELECT count(*) FROM api_key"), "4");
}
