//! Arianee's own packages, as wallets and brands use them, against the running server.

use std::process::Command;

use passpool_core::{CertificateSchema, Content, Imprint};
use serde_json::{Value, json};

use crate::{
    client::Given,
    shop::{Server, Shop},
};

/// What a package answered, or what it threw.
type Answer = Result<Value, String>;

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/peer.mjs");

/// Asks one question of `peer.mjs`, in a process of its own.
pub(crate) fn peer(question: &str, arguments: &[&str]) -> Answer {
    let peers = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.test/peers");
    let mut node = Command::new("node");
    node.arg(PEER).arg(question).args(arguments).env("PASSPOOL_TEST_PEERS", peers);
    let output = node.output().expect("Node runs: scripts/test.sh installs what the tests need");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut answer: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{question}: {}", String::from_utf8_lossy(&output.stderr)));
    match answer.get_mut("answer") {
        Some(answer) => Ok(answer.take()),
        None => Err(answer["error"].as_str().expect("an error").to_owned()),
    }
}

/// A content in which everything that can be told apart occurs.
fn rich(schema: CertificateSchema) -> Value {
    let items: Vec<Value> =
        (0..12).map(|n| json!({"type": "t", "value": n, "url": format!("https://x/{n}")})).collect();
    json!({
        "$schema": schema.url(), "name": "Chrono \u{e9}\u{1f552}", "description": "", "sku": 1.50, "gtin": null,
        "model": true, "not in the schema": [1], "medias": items, "serialnumber": [{"value": "SN-1", "type": "s"}],
        "attributes": [], "size": [{}], "materials": [{"material": "gold", "pourcentage": "80"}, {"value": 1e21}],
        "i18n": [
            {"language": "fr-FR", "description": "Une montre", "subDescription": [{"order": 2, "content": "c"}]},
            {"language": "de-DE", "externalContents": [{"url": "https://a"}, {"url": "https://b", "order": 0.5}]},
        ],
        "transparencyItems": [{"title": "T", "medias": [{"url": "https://m"}], "externalContents": []}],
    })
}

#[test]
fn arianees_sdk_computes_our_imprints() {
    let core = |content: &Value| Imprint::of(&Content::parse(&content.to_string()).unwrap()).unwrap().to_string();
    for schema in CertificateSchema::ALL {
        let whole = rich(schema);
        for field in whole.as_object().unwrap().keys().filter(|field| *field != "$schema") {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(field);
            if field.starts_with(['m', 'i']) {
                let theirs = peer("calculateImprint", &[&less.to_string(), schema.fields()]).unwrap();
                assert_eq!(theirs, core(&less), "without {field}");
            }
        }
        let theirs = peer("calculateImprint", &[&whole.to_string(), schema.fields()]).unwrap();
        assert_eq!(theirs, core(&whole));
    }
}

#[test]
fn arianees_sdk_reads_our_links() {
    let shop = Shop::with(2, "vip");
    let key = shop.key("crm", "certCreate");
    let check = |arguments: &[&str], expected: &str| {
        let server = Server::start(&mut shop.command(&["serve", "--listen", "127.0.0.1:0"]), arguments);
        let link = server.client(&key).reserve("tags=vip&format=link").body;
        let given = Given::in_link(&link);
        let read = peer("readLink", &[&link]).unwrap();
        assert_eq!(read["certificateId"], given.id.to_string());
        assert_eq!(read["passphrase"], given.passphrase);
        assert_eq!((read["network"].as_str(), read["method"].as_str()), (Some(expected), Some("requestOwnership")));
    };
    check(&["--link-base", "https://test.arian.ee"], "testnet");
    check(&["--link-base", "https://passport.example.com", "--network", "137-0-arianee-0"], "137-0-arianee-0");
}
