//! Deferred claims: the brand gives a passport to a wallet, and the queue settles it.

use serde_json::{Value, json};

use crate::{
    client::{Client, Given},
    shop::Shop,
    watch::within,
};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const BOB: &str = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";
const TRANSFER: &str = "/deferred/transfer";
const VERIFY: &str = "/deferred/verify";

fn body(given: &Given, address: &str) -> Value {
    json!({"tokenId": given.id, "passphrase": given.passphrase, "address": address})
}

/// Fails unless both calls are refused with this code.
fn refused(client: &Client, body: &Value, code: &str) {
    for path in [VERIFY, TRANSFER] {
        client.post_json(path, body).refusal(400, &format!("nmp.back.deferredTransfer.{code}"));
    }
}

#[test]
fn a_transfer_is_pending_and_then_the_wallets() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve_with(&["--settle-delay", "14m"]);
    let client = server.client(&key);
    let given = client.reserve("tags=vip&format=link").given();
    let verified = client.post_json(VERIFY, &body(&given, ALICE));
    let can = format!(
        r#"{{"message":"Token can be transfered to address {ALICE}","code":"nmp.back.deferredTransfer.tokenCanBeTransfered"}}"#
    );
    assert_eq!((verified.status, verified.body), (200, can));
    assert_eq!(shop.count("reserved"), 1, "to verify changes nothing");
    let sent = client.post_json(TRANSFER, &body(&given, &ALICE.to_lowercase()));
    let will = format!(
        r#"{{"message":"Token {} will be transfered to address {ALICE}","code":"nmp.back.deferredTransfer.success"}}"#,
        given.id
    );
    assert_eq!((sent.status, sent.body), (200, will));
    assert_eq!(shop.count("pending"), 1);
    let answer = client.post_json(VERIFY, &body(&given, ALICE));
    assert_eq!(answer.refusal(400, "nmp.back.deferredTransfer.pending"), "Token tranfer is already pending");
    assert_eq!(server.stranger().get(&format!("/{},{}", given.id, given.passphrase)).status, 404);
    server.kill();
    assert_eq!(shop.count("pending"), 1, "what was answered stands");
    // Without a delay it is settled within a second of the start.
    let server = shop.serve();
    within(std::time::Duration::from_secs(10), "it is settled", || (shop.count("claimed") == 1).then_some(()));
    let answer = server.client(&key).post_json(VERIFY, &body(&given, ALICE));
    assert_eq!(answer.refusal(400, "nmp.back.deferredTransfer.alreadyOwner"), "You are already the owner");
    shop.check();
}

#[test]
fn refusals_come_in_the_contracts_order() {
    let shop = Shop::with(4, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let [given, claimed] = [(); 2].map(|()| client.reserve("tags=vip&format=link").given());
    let page = server.stranger().get(&format!("/{},{}", claimed.id, claimed.passphrase));
    let path = format!("/{},{}", claimed.id, claimed.passphrase);
    assert_eq!(server.stranger().press(&page, &path, &[("owner", ALICE)]).status, 303);
    let available: u64 = shop.sql("SELECT id FROM passport WHERE state = 0 LIMIT 1").parse().unwrap();
    let wrong = |id: u64| Given { id, passphrase: "v6lsj4vhg5dx".into() };
    refused(&client, &body(&wrong(5), ALICE), "tokenNotFound");
    refused(&client, &json!({"tokenId": 0, "passphrase": "x", "address": ALICE}), "tokenNotFound");
    refused(&client, &body(&wrong(claimed.id), ALICE), "alreadyOwner");
    refused(&client, &body(&wrong(claimed.id), BOB), "issuerNotOwner");
    refused(&client, &body(&wrong(available), BOB), "errorFetchRequestKey");
    refused(&client, &body(&wrong(given.id), BOB), "passphraseNotRight");
    assert_eq!(shop.count("reserved"), 1, "nothing was changed");
}

#[test]
fn what_is_no_transfer_names_the_field() {
    let shop = Shop::with(1, "vip");
    let (key, reader) = (shop.key("crm", "certCreate"), shop.key("reader", "certRead"));
    let server = shop.serve();
    let given = server.client(&key).reserve("tags=vip&format=link").given();
    let check = |body: &str, code: &str, name: &str| {
        let answer = server.client(&key).post(TRANSFER, "application/json", body);
        let description = answer.refusal(400, &format!("nmp.back.dispenser.{code}"));
        assert!(description.contains(name), "{body}: {description}");
    };
    check("{", "invalidParameter", "body");
    check("[]", "invalidParameter", "body");
    check("{}", "missingParameter", "tokenId");
    check(r#"{"tokenId":5}"#, "missingParameter", "passphrase");
    check(r#"{"tokenId":5,"passphrase":"a,b"}"#, "invalidParameter", "passphrase");
    check(r#"{"tokenId":5,"passphrase":7}"#, "invalidParameter", "passphrase");
    check(r#"{"tokenId":5,"passphrase":"abc"}"#, "missingParameter", "address");
    check(&body(&given, &ALICE.replace("C5", "c5")).to_string(), "invalidParameter", "address");
    assert_eq!(server.stranger().post_json(TRANSFER, &body(&given, ALICE)).body, r#"{"message":"no user"}"#);
    let unauthorized = server.client(&reader).post_json(VERIFY, &body(&given, ALICE));
    assert_eq!((unauthorized.status, unauthorized.body.as_str()), (401, r#"{"message":"Unauthorized"}"#));
    assert_eq!(shop.count("reserved"), 1);
}

#[test]
fn a_delay_that_cannot_settle_is_refused() {
    Shop::with(1, "vip").refused(2, &["serve", "--settle-delay", "15m"], &["--settle-delay", "15 minutes"]);
}
