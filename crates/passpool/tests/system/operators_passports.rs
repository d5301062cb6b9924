//! Passports over `/v1`: lists that stay right while the pool grows, and changes that name what they saw.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use ureq::http::Method;

use crate::{
    client::{Answer, Client},
    shop::Shop,
};

const PASSPORTS: &str = "/v1/passports";

/// The path of the page that the header `Link` names.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    let path = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\""));
    Some(path.unwrap_or_else(|| panic!("{link} names no next page")).to_owned())
}

fn ids(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|id| id.as_u64().or_else(|| id["passport_id"].as_u64()).unwrap()).collect()
}

fn create(client: &Client, count: u32, tag: &str) -> Vec<u64> {
    let made = client.post_json(PASSPORTS, &json!({"count": count, "tags": [tag]}));
    assert_eq!(made.status, 201, "{}", made.body);
    ids(&made.json()["passport_ids"])
}

#[test]
fn a_list_read_while_passports_are_made_shows_nothing_twice_and_passes_over_nothing() {
    let shop = Shop::empty();
    let key = shop.key("crm", "certCreate,certRead");
    let server = shop.serve();
    let client = server.client(&key);
    let mut made = create(&client, 95, "vip");
    create(&client, 20, "gold");
    let (mut listed, mut page) = (Vec::new(), Some(format!("{PASSPORTS}?tags=vip&limit=10")));
    let mut pages = 0;
    while let Some(path) = page {
        let answer = client.get(&path);
        let body = answer.json();
        listed.extend(ids(&body["passports"]));
        page = next(&answer);
        assert_eq!(page.is_some(), body["next"].is_string(), "{}", answer.body);
        if let Some(page) = &page {
            assert!(page.starts_with(&format!("{PASSPORTS}?tags=vip&limit=10&cursor=")), "{page} forgets a filter");
        }
        pages += 1;
        // Between two pages passports come, others go to somebody, and some of those come back.
        match pages {
            1..=4 => made.extend(create(&client, 7, "vip")),
            5 => drop(client.post_json("/v1/reservations", &json!({"tags": ["vip"], "count": 60}))),
            6 => drop(client.post_json("/v1/resets", &json!({"tags": ["vip"], "limit": 30}))),
            7 => {
                // More than one batch, which become visible together.
                let rows = "tags\n".to_owned() + &"vip\n".repeat(5_000);
                shop.done(&["import", &shop.file("rows.csv", rows)]);
            }
            _ => {}
        }
    }
    let distinct: BTreeSet<u64> = listed.iter().copied().collect();
    assert_eq!(distinct.len(), listed.len(), "a passport was listed twice");
    assert!(made.iter().all(|id| distinct.contains(id)), "a passport was passed over");
    assert_eq!(listed[..95], made[..95], "in order of creation");
    assert_eq!(listed.len(), 95 + 28 + 5_000);
    shop.check();
}

#[test]
fn a_cursor_is_good_for_the_list_that_it_came_from() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certRead");
    let server = shop.serve();
    let client = server.client(&key);
    let page = next(&client.get(&format!("{PASSPORTS}?limit=2"))).unwrap();
    let cursor = page.split_once("cursor=").unwrap().1;
    for other in ["/v1/events", "/v1/pools", "/v1/reservations", "/v1/passports"] {
        let answer = client.get(&format!("{other}?cursor={cursor}"));
        assert_eq!(answer.status == 200, other == PASSPORTS, "{other}: {}", answer.body);
    }
    for wrong in ["cursor=!", "cursor=", "limit=0", "limit=1001", "limit=x", "colour=red", "limit=1&limit=2"] {
        let answer = client.get(&format!("{PASSPORTS}?{wrong}"));
        let name = wrong.split('=').next().unwrap();
        assert_eq!((answer.status, &answer.json()["errors"][0]["parameter"]), (422, &json!(name)), "{wrong}");
    }
}

#[test]
fn a_change_that_saw_an_older_passport_is_refused_and_one_that_says_not_what_it_saw_too() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate,certRead");
    let server = shop.serve();
    let client = server.client(&key);
    let path = format!("{PASSPORTS}/{}", client.get(PASSPORTS).json()["passports"][0]["passport_id"]);
    let tag = |answer: &Answer| answer.header("etag").expect("an ETag").to_owned();
    let change = |seen: &str, body: Value| {
        client.again().with("if-match", seen.as_bytes()).send(Method::PATCH, &path, &body.to_string())
    };
    let first = tag(&client.get(&path));
    let changed = change(&first, json!({"tags": ["gold", "vip"]}));
    assert_eq!(changed.status, 200, "{}", changed.body);
    let second = tag(&changed);
    assert_ne!(first, second);
    assert_eq!(tag(&client.get(&path)), second);

    let before = shop.contents();
    for stale in [&*first, "\"0\"", "\"x\"", "W/\"1\"", "x", "", "*, *", &format!("{first}, W/{second}, \"0\"")] {
        let refused = change(stale, json!({"tags": ["lost"]}));
        assert_eq!((refused.status, &refused.json()["type"]), (412, &json!("/problems/changed")), "{stale}");
    }
    let blind = client.send(Method::PATCH, &path, r#"{"tags": ["lost"]}"#);
    let told = &blind.json()["errors"][0];
    assert_eq!((blind.status, &told["header"]), (422, &json!("If-Match")), "{}", blind.body);
    let wrong = [
        (json!({}), "#"),
        (json!({"tags": ["a", "b,c"]}), "#/tags/1"),
        (json!({"content": [1]}), "#/content"),
        (json!({"state": "claimed"}), "#/state"),
    ];
    for (body, pointer) in wrong {
        let refused = change(&second, body.clone());
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!(pointer)), "{body}");
    }
    assert!(shop.contents() == before, "a change was refused and changed something");

    let named = change(&format!("{first} ,{second}, \"x\""), json!({"tags": ["gold", "vip"]}));
    assert_eq!((named.status, tag(&named)), (200, second), "one of them is the passport's, which is as it is to be");
    assert_eq!(change("*", json!({"content": {"name": "Chrono"}})).status, 200);
    let shown = client.get(&path).json();
    assert_eq!((&shown["tags"], &shown["content"]), (&json!(["gold", "vip"]), &json!({"name": "Chrono"})));
    assert_eq!((&shop.pool()["tags"]["gold"]["available"], shop.pool()["tags"].get("lost")), (&json!(1), None));
    assert_eq!(
        client.again().with("if-match", b"*").send(Method::PATCH, "/v1/passports/5", "{\"tags\":[]}").status,
        404
    );
    shop.check();
}
