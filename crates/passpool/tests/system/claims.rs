//! Claims by signature: whoever knows a link says so without telling it.

use serde_json::{Value, json};

use crate::{client::Given, peers::peer, shop::Shop};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const BOB: &str = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";
const CLAIMS: &str = "/v1/claims";

/// As Arianee's wallet signs it.
fn sign(given: &Given, owner: &str) -> String {
    let signed = peer("signClaim", &[&given.passphrase, &given.id.to_string(), owner]).unwrap();
    signed.as_str().unwrap().to_owned()
}

fn body(id: impl Into<Value>, owner: &str, signature: &str) -> Value {
    json!({"passport_id": id.into(), "new_owner": owner, "signature": signature})
}

#[test]
fn a_wallets_signature_claims_a_passport() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let given = server.client(&key).reserve("tags=vip&format=link").given();
    let wallet = || server.stranger().with("origin", b"https://wallet.example");
    let signature = sign(&given, ALICE);
    let claim = body(given.id, ALICE, &signature);
    let first = wallet().post_json(CLAIMS, &claim);
    let expected = format!(r#"{{"passport_id":{},"owner":"{ALICE}","state":"claimed"}}"#, given.id);
    assert_eq!((first.status, &first.body), (200, &expected));
    assert_eq!(first.header("access-control-allow-origin"), Some("*"));
    // Replayed for the same owner it answers as it did.
    let again = wallet().post_json(CLAIMS, &body(given.id.to_string(), &ALICE.to_lowercase(), &signature));
    assert_eq!((again.status, &again.body), (200, &expected));
    assert_eq!(shop.count("claimed"), 1);
    assert_eq!(shop.sql("SELECT count(*) FROM journal WHERE kind = 'claimed'"), "1");
}

#[test]
fn every_wrong_claim_is_the_same_problem() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let [reset, owned, good] = [(); 3].map(|()| client.reserve("tags=vip&format=link").given());
    shop.done(&["reset", "--id", &reset.id.to_string()]);
    assert_eq!(client.post_json(CLAIMS, &body(owned.id, BOB, &sign(&owned, BOB))).status, 200);
    let other = Given { passphrase: "v6lsj4vhg5dx".into(), id: good.id };
    let unknown = Given { id: 5, passphrase: good.passphrase.clone() };
    let wrong = [
        body(reset.id, ALICE, &sign(&reset, ALICE)),
        body(owned.id, ALICE, &sign(&owned, ALICE)),
        body(good.id, ALICE, &sign(&other, ALICE)),
        body(good.id, ALICE, &sign(&good, BOB)),
        body(owned.id, ALICE, &sign(&good, ALICE)),
        body(unknown.id, ALICE, &sign(&unknown, ALICE)),
    ];
    let before = shop.contents();
    let problem = r#"{"type":"/problems/link-dead","title":"This link opens nothing","status":404,"detail":"this link opens nothing"}"#;
    for claim in wrong {
        let answer = client.post_json(CLAIMS, &claim);
        assert_eq!((answer.status, answer.body.as_str()), (404, problem), "{claim}");
    }
    assert!(shop.contents() == before, "a wrong claim changed something");
}

#[test]
fn what_is_no_claim_names_the_field() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let given = server.client(&key).reserve("tags=vip&format=link").given();
    let signature = sign(&given, ALICE);
    let check = |claim: Value, field: &str| {
        let answer = server.stranger().post_json(CLAIMS, &claim);
        assert_eq!((answer.status, answer.header("content-type")), (422, Some("application/problem+json")));
        assert_eq!(answer.json()["errors"][0]["pointer"], field, "{claim}: {}", answer.body);
        assert!(!answer.body.contains(&signature[10..]), "a signature is nobody's to repeat");
    };
    check(json!({}), "#");
    check(body(given.id, &ALICE.replace("C5", "c5"), &signature), "#/new_owner");
    check(body(given.id, ALICE, "0x1234"), "#/signature");
    // The twin of the good signature, with the high s: n - s, and the other v.
    check(body(given.id, ALICE, &twin(&signature)), "#/signature");
    assert_eq!(server.stranger().post(CLAIMS, "application/json", "{").status, 400);
    assert_eq!(server.stranger().get(CLAIMS).status, 405);
    assert_eq!(shop.count("reserved"), 1);
}

/// Digit by digit, so that it owes nothing to the code that has to refuse it.
fn twin(signature: &str) -> String {
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let digits = |text: &str| text.chars().map(|digit| digit.to_digit(16).unwrap()).collect::<Vec<_>>();
    let (mut high, s) = (digits(ORDER), digits(&signature[66..130]));
    let mut borrow = 0;
    for place in (0..64).rev() {
        let difference = 16 + high[place] - s[place] - borrow;
        (high[place], borrow) = (difference % 16, 1 - difference / 16);
    }
    let high: String = high.into_iter().map(|digit| char::from_digit(digit, 16).unwrap()).collect();
    let v = if signature.ends_with("1b") { "1c" } else { "1b" };
    format!("{}{high}{v}", &signature[..66])
}

#[test]
fn a_wallets_page_may_ask_from_anywhere() {
    let shop = Shop::with(1, "vip");
    let server = shop.serve();
    for path in [CLAIMS, "/rpc", "/1,abc"] {
        let asking = server
            .stranger()
            .with("origin", b"https://wallet.example")
            .with("access-control-request-method", b"POST")
            .with("access-control-request-headers", b"content-type");
        let allowed = asking.ask(ureq::http::Method::OPTIONS, path).unwrap();
        assert_eq!(allowed.status, 204, "{path}");
        assert_eq!(allowed.header("access-control-allow-origin"), Some("*"));
        assert_eq!(allowed.header("access-control-allow-headers"), Some("content-type"));
        assert_eq!(allowed.header("access-control-allow-credentials"), None);
    }
}

#[test]
fn a_body_that_is_too_large_is_told_so_in_the_shape_of_its_path() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "admin");
    let server = shop.serve();
    let check = |path: &str, status: u16, body: &str| {
        // One byte too many: the server has read them all when it answers, and hangs up on nobody who still writes.
        let answer = server.client(&key).post(path, "application/json", &"1".repeat((2 << 20) + 1));
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
    };
    let problem = r##"{"type":"/problems/body-too-large","title":"The body is too large","status":413,"detail":"#: it is larger than this path takes","errors":[{"detail":"it is larger than this path takes","pointer":"#"}]}"##;
    check(CLAIMS, 413, problem);
    let no_request =
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"The request is no JSON-RPC 2.0"}}"#;
    check("/rpc", 200, no_request);
    for path in ["/deferred/transfer", "/deferred/verify", "/api/recoverCertificate"] {
        check(path, 413, r#"{"message":"Payload Too Large"}"#);
    }
}
