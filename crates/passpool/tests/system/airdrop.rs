//! Airdrops: all recipients get one, or none does.

use serde_json::json;

use crate::{shop::Shop, watch::within};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const BOB: &str = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";
const AIRDROP: &str = "/api/certificate/one2Many/forceTransfer/v2";
const NONE: &str = r#"{"name":"API Error","description":"No NFT found to distribute","code":"nmp.back.dispenser.oneToMany.noNFTsToSend","httpCode":400}"#;

#[test]
fn all_recipients_get_one_or_none_does() {
    let shop = Shop::empty();
    shop.import(&["11,,drop,", "12,,drop,", "13,,drop,\"{\"\"n\"\":1}\""]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let path = |format: &str| format!("{AIRDROP}?label=drop&format={format}");
    let carol = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65";
    let dave = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc";
    let short = client.get_with(&path("link"), &json!([ALICE, BOB, carol, dave]));
    assert_eq!((short.status, short.body.as_str()), (400, NONE));
    assert_eq!(shop.count("available"), 3);
    assert_eq!(client.head(&path("link")).status, 200);
    let sent = client.get_with(&path("linkObject"), &json!([ALICE, BOB]));
    assert_eq!(sent.status, 200, "{}", sent.body);
    let object = sent.json();
    assert_eq!((&object["certificateId"], &object["method"]), (&json!(11), &json!("requestOwnership")));
    let link = object["deeplink"].as_str().expect("the deeplink is a text");
    assert!(link.ends_with(object["passphrase"].as_str().unwrap()), "{link}");
    within(std::time::Duration::from_secs(10), "they are settled", || (shop.count("claimed") == 2).then_some(()));
    let owners = shop.sql("SELECT id, lower(hex(owner)) FROM passport WHERE owner IS NOT NULL ORDER BY id");
    assert_eq!(owners, format!("11|{}\n12|{}", &ALICE[2..].to_lowercase(), &BOB[2..].to_lowercase()));
    let content = client.get_with(&path("content"), &json!([carol]));
    assert_eq!((content.body.as_str(), content.header("x-certificate-id")), (r#"{"n":1}"#, Some("13")));
    shop.check();
}

#[test]
fn a_repeat_sends_nothing_twice() {
    let shop = Shop::with(4, "drop");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = || server.client(&key).with("idempotency-key", b"drop-1");
    let path = format!("{AIRDROP}?tag=drop&format=redirect");
    let first = client().get_with(&path, &json!([ALICE, BOB]));
    assert_eq!((first.status, first.header("cache-control")), (302, Some("no-store")));
    let again = client().get_with(&path, &json!([ALICE, BOB]));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    client().get_with(&path, &json!([ALICE])).refusal(422, "nmp.back.dispenser.idempotency.reused");
    assert_eq!(shop.count("available"), 2);
}

#[test]
fn what_is_no_airdrop_is_told_what_is_wrong() {
    let shop = Shop::with(2, "drop");
    let (key, reader) = (shop.key("crm", "certCreate"), shop.key("reader", "certRead"));
    let server = shop.serve();
    let client = server.client(&key);
    let check = |query: &str, body, code: &str, name: &str| {
        let answer = client.get_with(&format!("{AIRDROP}?{query}"), &body);
        let description = answer.refusal(400, &format!("nmp.back.dispenser.{code}"));
        assert!(description.contains(name), "{query}: {description}");
    };
    check("format=link", json!([ALICE]), "missingParameter", "label");
    check("label=drop", json!([ALICE]), "missingParameter", "format");
    check("label=drop&format=pdf", json!([ALICE]), "invalidParameter", "format");
    check("label=drop&format=link", json!([]), "missingParameter", "recipients");
    check("label=drop&format=link", json!([ALICE, ALICE]), "invalidParameter", "number 2");
    check("label=drop&format=link", json!([&ALICE[..41]]), "invalidParameter", "39");
    check("label=drop&format=link&arianeeAccessToken=x", json!([ALICE]), "invalidParameter", "arianeeAccessToken");
    let path = format!("{AIRDROP}?label=drop&format=link");
    assert_eq!(server.stranger().get_with(&path, &json!([ALICE])).status, 403);
    assert_eq!(server.client(&reader).get_with(&path, &json!([ALICE])).status, 401);
    assert_eq!(shop.count("available"), 2);
}
