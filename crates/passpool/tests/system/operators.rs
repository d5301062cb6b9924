//! Operators: many links in one call, what is wrong with a call, and who may call.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use ureq::http::Method;

use crate::{
    client::{Answer, Client, Given},
    secrets::routes,
    shop::Shop,
    watch::{Watch, rounds},
};

const RESERVATIONS: &str = "/v1/reservations";

fn reserve_once(client: &Client, key: &str, body: &Value) -> Answer {
    client.again().with("idempotency-key", key.as_bytes()).post_json(RESERVATIONS, body)
}

fn links(answer: &Answer) -> Vec<Given> {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let links = answer.json()["links"].as_array().unwrap().clone();
    links.iter().map(|link| Given::in_link(link["link"].as_str().unwrap())).collect()
}

#[test]
fn ten_thousand_recipients_get_a_link_each_in_their_order_and_a_repeat_the_same_bytes() {
    let shop = Shop::with(10_010, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let recipients: Vec<Value> = (0..10_000)
        .map(|number| json!({"name": format!("Guest {number}"), "reference": format!("G-{number}")}))
        .collect();
    let body = json!({"tags": ["vip"], "count": 10_000, "recipients": recipients, "note": "the launch"});
    let watch = Watch::start();
    let first = reserve_once(&client, "launch", &body);
    let took = watch.elapsed();
    // The debug build says nothing of the release build but its order of magnitude.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(links(&first).into_iter().collect::<BTreeSet<_>>().len(), 10_000);
    let made = first.json();
    assert_eq!(made["count"], 10_000);
    assert_eq!(first.header("location"), Some(&*format!("/v1/reservations/{}", made["id"].as_str().unwrap())));
    for (link, recipient) in made["links"].as_array().unwrap().iter().zip(&recipients) {
        assert_eq!(&link["recipient"], recipient);
    }
    let again = reserve_once(&client, "launch", &body);
    assert!(again.body == first.body && again.status == 201);
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
    let mut other = body;
    other["recipients"][7]["name"] = json!("Eve");
    assert_eq!(reserve_once(&client, "launch", &other).status, 422);
    let short = client.post_json(RESERVATIONS, &json!({"tags": ["vip"], "count": 11}));
    assert_eq!(
        (short.status, &short.json()["type"], &short.json()["available"]),
        (409, &json!("/problems/pool-short"), &json!(10))
    );
    let partial = client.post_json(RESERVATIONS, &json!({"tags": ["vip"], "count": 11, "shortage": "partial"}));
    assert_eq!((partial.status, &partial.json()["count"]), (201, &json!(10)));
    shop.check();
}

#[test]
fn of_four_callers_who_want_50_of_120_two_get_all_and_two_nothing() {
    for _ in 0..rounds(50, 5) {
        let shop = Shop::with(120, "vip");
        let key = shop.key("crm", "certCreate");
        let server = shop.serve();
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let client = server.client(&key);
                thread::spawn(move || client.post_json(RESERVATIONS, &json!({"tags": ["vip"], "count": 50})))
            })
            .collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        let (good, short): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!((good.len(), short.len()), (2, 2), "{answers:?}");
        assert_eq!(good.iter().flat_map(|answer| links(answer)).collect::<BTreeSet<_>>().len(), 100);
        assert!(short.iter().all(|answer| answer.status == 409 && answer.json()["available"] == 20), "{short:?}");
        assert_eq!((shop.count("reserved"), shop.count("available")), (100, 20));
    }
}

#[test]
fn a_body_that_is_wrong_is_pointed_to_and_takes_nothing() {
    let shop = Shop::with(10, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let before = shop.contents();
    let check = |body: Value, pointer: &str| {
        let answer = client.post_json(RESERVATIONS, &body);
        assert_eq!((answer.status, answer.header("content-type")), (422, Some("application/problem+json")), "{body}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}: {}", answer.body);
    };
    let of = |more: Value| {
        let mut body = json!({"tags": ["vip"], "count": 2});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    check(json!([]), "#");
    check(json!({"tags": ["vip"]}), "#");
    for count in [json!(0), json!(-1), json!(100_001), json!("2"), json!(1.5), json!(null)] {
        check(of(json!({"count": count})), "#/count");
    }
    check(of(json!({"tags": []})), "#/tags");
    check(of(json!({"tags": ["a", "a,b"]})), "#/tags/1");
    check(of(json!({"tag_rule": "xor"})), "#/tag_rule");
    check(of(json!({"shortage": 7})), "#/shortage");
    check(of(json!({"format": "xml"})), "#/format");
    check(of(json!({"expires_in": 0})), "#/expires_in");
    check(of(json!({"note": ""})), "#/note");
    check(of(json!({"colour": "red"})), "#/colour");
    check(of(json!({"recipients": [{"name": "a"}]})), "#/recipients");
    check(of(json!({"recipients": [{"name": "a"}, {"name": "b"}, {"name": "c"}]})), "#/recipients");
    check(of(json!({"recipients": [{"reference": "r"}, {"reference": "r"}]})), "#/recipients/1/reference");
    check(of(json!({"recipients": [{"name": "a"}, {}]})), "#/recipients/1");
    check(of(json!({"recipients": [{"name": "a"}, {"email": "no"}]})), "#/recipients/1/email");
    check(of(json!({"recipients": [{"name": "a", "phone": "1"}, {"name": "b"}]})), "#/recipients/0/phone");
    let deep = format!("{{\"tags\":{}{},\"count\":1}}", "[".repeat(40), "]".repeat(40));
    let answer = client.post(RESERVATIONS, "application/json", &deep);
    assert_eq!(answer.status, 422);
    assert!(answer.json()["errors"][0]["pointer"].as_str().unwrap().starts_with("#/tags/0"), "{}", answer.body);
    assert_eq!(client.post(RESERVATIONS, "application/json", "{\"tags\":").status, 400);
    assert_eq!(client.post(RESERVATIONS, "text/plain", "{}").status, 415);
    assert!(shop.contents() == before, "a call was refused and changed something");
}

#[test]
fn every_route_asks_for_its_right_before_anything_else() {
    let shop = Shop::with(1, "vip");
    let nothing = shop.key("printer", "certPrint");
    let reader = shop.key("reader", "certRead");
    let server = shop.serve();
    let document = server.stranger().get("/openapi.json").json();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "1").replace("{tag}", "vip").replace("{name}", "admin").replace("{head}", "x");
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("security").is_some() {
                continue;
            }
            asked += 1;
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let status = |client: &Client| client.send(method.clone(), &path, "not json").status;
            assert_eq!(status(&server.stranger()), 401, "{method} {path}");
            assert_eq!(status(&server.client(&nothing)), 403, "{method} {path}");
            let for_readers = method == Method::GET
                && !["links", "recipients", "users", "profiles", "imports", "resets"]
                    .iter()
                    .any(|word| path.contains(word));
            assert_eq!(status(&server.client(&reader)) != 403, for_readers, "{method} {path}");
        }
    }
    assert!(asked > 30, "{asked}");
}

#[test]
fn links_are_shown_one_reservation_at_a_time_and_a_spreadsheet_runs_none_of_its_cells() {
    let shop = Shop::with(5, "vip");
    let key = shop.key("crm", "certCreate,certRead");
    let server = shop.serve();
    let client = server.client(&key);
    let recipients = json!([{"name": "=HYPERLINK(\"x\")"}, {"name": "Ada, \"Countess\"", "reference": "-1"}]);
    let made = client.post_json(RESERVATIONS, &json!({"tags": ["vip"], "count": 2, "recipients": recipients}));
    let given = links(&made);
    let path = format!("{}/links", made.header("location").unwrap());
    let shown = client.get(&path).json();
    assert_eq!(shown["links"][0]["link"], made.json()["links"][0]["link"]);
    let table = client.get(&format!("{path}?format=csv"));
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(table.body.contains("\"'=HYPERLINK(\"\"x\"\")\"") && table.body.contains(",'-1"), "{}", table.body);
    assert_eq!(
        client.get(&format!("/v1/passports/{}/links", given[0].id)).json()["links"][0]["link"],
        shown["links"][0]["link"]
    );
    assert_eq!(shop.sql("SELECT count(*) FROM journal WHERE kind = 'shown'"), "5", "a row for each look");
    for list in ["/v1/passports", "/v1/events", RESERVATIONS, "/v1/pools", &format!("/v1/passports/{}", given[0].id)] {
        let answer = client.get(list);
        assert_eq!(answer.status, 200, "{list}");
        assert!(!answer.body.contains(&given[0].passphrase), "{list} shows a link");
    }
    shop.check();
}

#[test]
fn a_call_that_is_cut_off_at_any_moment_and_repeated_with_its_key_never_takes_twice() {
    let shop = Shop::with(2_000, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let body = json!({"tags": ["vip"], "count": 20}).to_string();
    let calls: u32 = 50;
    for call in 0..calls {
        let (once, length) = (format!("cut-{call}"), body.len());
        let whole = format!(
            "POST {RESERVATIONS} HTTP/1.1\r\nhost: h\r\nx-api-key: {key}\r\nidempotency-key: {once}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(server.host()).unwrap();
        // In the middle of what is sent, behind it, or in the middle of the answer.
        let sent = if call % 2 == 0 { whole.len() } else { whole.len() * call as usize / calls as usize };
        stream.write_all(&whole.as_bytes()[..sent]).unwrap();
        if call % 4 == 0 {
            stream.read_exact(&mut vec![0; 1 + call as usize]).unwrap();
        }
        _ = stream.shutdown(Shutdown::Both);
        drop(stream);
        let again = loop {
            let again = reserve_once(&server.client(&key), &once, &serde_json::from_str(&body).unwrap());
            // The first call may still be at work.
            if again.status != 409 {
                break again;
            }
            assert_eq!(again.json()["type"], "/problems/still-running");
        };
        assert_eq!(links(&again).len(), 20);
        assert_eq!(shop.count("reserved"), u64::from(call + 1) * 20);
    }
    shop.check();
}

#[test]
fn the_command_line_reserves_for_guests_and_forgets_them() {
    let shop = Shop::with(3, "vip");
    let guests = shop.file("guests.csv", "name,email,reference\nAda,ada@brand.example,A-1\n=1+1,,B-2\n");
    let table = shop.done(&[
        "reserve",
        "--tags",
        "vip",
        "--recipients",
        &guests,
        "--format",
        "csv",
        "--link-base",
        "https://test.arianee.net",
    ]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "passport_id,link,name,email,reference"));
    assert!(lines[1].ends_with(",Ada,ada@brand.example,A-1") && lines[2].ends_with(",'=1+1,,B-2"), "{table}");
    shop.refused(
        1,
        &["reserve", "--tags", "vip", "--recipients", &shop.file("bad.csv", "name\nAda\n\u{7}\n")],
        &["line 3"],
    );
    shop.done(&["erase", "--recipient", "A-1"]);
    assert!(!shop.contents().1.contains("ada@brand.example"));
    shop.refused(1, &["erase", "--recipient", "A-1"], &["A-1"]);
    shop.check();
}

/// The route with this in the place of everything that it leaves open.
fn with_each_name(route: &str, name: &str) -> String {
    let parts = route.split('/').map(|part| if part.starts_with('{') { name } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn what_operators_send_is_in_no_log_and_no_journal() {
    let shop = Shop::with(10, "vip");
    let key = shop.key("boss", "admin");
    let server = shop.serve_with(&["--log", "trace"]);
    let client = server.client(&key);
    let body = json!({
        "tags": ["vip"], "count": 2, "note": "a-private-note",
        "recipients": [{"name": "Countess-Lovelace", "email": "lovelace@brand.example"}, {"reference": "guest-4711"}],
    });
    let made = reserve_once(&client, "order-of-lovelace", &body);
    let given = links(&made);
    let place = made.header("location").unwrap().to_owned();
    for path in [&*format!("{place}/links"), &*place, RESERVATIONS, "/v1/recipients", "/v1/events", "/v1/users"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    let user = client.post_json("/v1/users", &json!({"name": "till", "rights": ["certRead"]})).json();
    let renewed = client.post_json("/v1/users/till/keys/renew", &json!({"old_key_valid_for": 60})).json();
    assert_eq!(server.client(user["key"].as_str().unwrap()).get("/v1/pools").status, 200, "it is good for a minute");
    assert_eq!(client.post_json(&format!("{place}/extend"), &json!({"expires_in": 60})).json()["count"], 2);
    assert_eq!(client.post(&format!("{place}/cancel"), "application/json", "").json()["count"], 2);
    let routes: Vec<String> = routes().into_iter().filter(|route| route.starts_with("/v1/")).collect();
    for route in &routes {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let path = with_each_name(route, "sesame-in-a-path");
            client.send(method, &format!("{path}?cursor=sesame-in-a-query"), r#"{"sesame-in-a-body": "open"}"#);
        }
    }
    let ended = server.stop();
    assert_eq!(ended.code, Some(0));
    for route in &routes {
        assert!(ended.stderr.contains(&format!("route=\"{route}\"")), "nobody asked for {route}");
    }
    for sesame in ["sesame-in-a-path", "sesame-in-a-query", "sesame-in-a-body"] {
        assert!(!ended.stderr.contains(sesame), "the log holds {sesame}");
    }
    let (dump, journal) = (shop.contents().1, shop.sql("SELECT * FROM journal"));
    let secrets = [&*key, user["key"].as_str().unwrap(), renewed["key"].as_str().unwrap(), "order-of-lovelace"];
    for secret in secrets.into_iter().chain(given.iter().map(|given| &*given.passphrase)) {
        assert!(!ended.stderr.contains(secret) && !dump.contains(secret), "{secret} is written down");
    }
    for private in ["a-private-note", "Countess-Lovelace", "lovelace@brand.example", "guest-4711"] {
        assert!(!ended.stderr.contains(private) && !journal.contains(private), "{private} is written down");
    }
}
