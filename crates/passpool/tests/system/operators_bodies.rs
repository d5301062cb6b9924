//! Bodies that are too much: what is refused for its size or depth takes nothing, and is told where.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::shop::{Server, Shop};

const LARGEST: usize = 32 << 20;

/// Sends a request as it stands, and gives the status and the body of the answer.
fn send(server: &Server, head: &str, body: impl IntoIterator<Item = Vec<u8>>) -> (u16, Value) {
    let mut stream = TcpStream::connect(server.host()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    for part in body {
        stream.write_all(&part).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[test]
fn a_body_that_is_too_large_is_pointed_to_and_takes_nothing() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let before = shop.contents();
    for (path, kind) in [("/v1/reservations", "application/json"), ("/v1/passports/import", "text/csv")] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: h\r\nx-api-key: {key}\r\ncontent-type: {kind}\r\nconnection: close\r\n"
        );
        let check = |(status, told): (u16, Value)| {
            assert_eq!((status, &told["type"]), (413, &json!("/problems/body-too-large")), "{path}: {told}");
            assert_eq!(told["errors"][0]["pointer"], "#", "{told}");
        };
        // By what it says of itself, before any of it is sent; and by what comes, if it says nothing.
        check(send(&server, &format!("{head}content-length: {}\r\n\r\n", LARGEST + 1), []));
        let mut left = LARGEST + 1;
        let chunks = std::iter::from_fn(|| {
            let size = left.min(1 << 20);
            left -= size;
            (size > 0).then(|| [format!("{size:x}\r\n").into_bytes(), vec![b' '; size], b"\r\n".to_vec()].concat())
        });
        check(send(&server, &format!("{head}transfer-encoding: chunked\r\n\r\n"), chunks));
    }
    // As much as is allowed is read to its end.
    let client = server.client(&key);
    let mut body = json!({"tags": ["vip"], "count": 1}).to_string();
    body += &" ".repeat(LARGEST - body.len());
    assert!(shop.contents() == before, "a body was refused and changed something");
    assert_eq!(client.post("/v1/reservations", "application/json", &body).status, 201);
    shop.check();
}

/// Objects in objects, so many of them.
fn nested(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

#[test]
fn thirty_two_levels_are_taken_and_one_more_is_pointed_to() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate,certRead");
    let server = shop.serve();
    let client = server.client(&key);
    // The body itself is the first level.
    let create = |levels: usize| {
        let body = format!("{{\"count\":1,\"tags\":[\"deep\"],\"content\":{}}}", nested(levels - 1));
        client.post("/v1/passports", "application/json", &body)
    };
    assert_eq!(create(32).status, 201);
    let before = shop.contents();
    assert_eq!(client.post("/v1/passports", "application/json", &"[".repeat(1 << 20)).status, 422);
    let refused = create(33);
    let told = refused.json();
    assert_eq!((refused.status, &told["type"]), (422, &json!("/problems/invalid-request")), "{}", refused.body);
    let pointer = format!("#/content{}", "/a".repeat(31));
    assert_eq!(told["errors"][0]["pointer"], pointer, "{}", refused.body);
    assert!(told["detail"].as_str().unwrap().contains("32 levels"), "{}", refused.body);
    assert!(shop.contents() == before, "a body was refused and changed something");
    // Brackets in a text are no levels.
    let text = format!("{{\"count\":1,\"content\":{{\"a\":\"{}\"}}}}", "[{".repeat(100));
    assert_eq!(client.post("/v1/passports", "application/json", &text).status, 201);
    shop.check();
}
