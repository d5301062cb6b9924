//! The gateway, as Arianee's own client speaks to it.

use serde_json::{Value, json};

use crate::{
    client::Given,
    peers::peer,
    shop::{Server, Shop},
};

const RPC: &str = "/rpc";
/// A published test key, and its address.
const WALLET_KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const WALLET: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const REFUSED: &str = "The signer is neither the owner of this certificate nor knows its link";

fn shop() -> (Shop, String) {
    let shop = Shop::empty();
    shop.import(&[r#"440105186,,vip,"{""name"":""Chrono"",""n"":[1,2]}""#]);
    let key = shop.key("crm", "certCreate");
    (shop, key)
}

fn reserve(server: &Server, key: &str) -> Given {
    server.client(key).reserve("tags=vip&format=link").given()
}

fn url(server: &Server) -> String {
    format!("http://{}{RPC}", server.host())
}

fn read(server: &Server, given: &Given) -> Result<Value, String> {
    peer("readWithPassphrase", &[&url(server), &given.id.to_string(), &given.passphrase])
}

#[test]
fn the_gateways_client_reads_a_reserved_passport_and_not_after_a_reset() {
    let (shop, key) = shop();
    let server = shop.serve();
    let first = reserve(&server, &key);
    assert_eq!(read(&server, &first), Ok(json!({"name": "Chrono", "n": [1, 2]})));
    assert_eq!(shop.count("scanned"), 1, "a read with the passphrase is a scan");
    server.client(&key).reset("tags=vip");
    assert_eq!(read(&server, &first), Err(REFUSED.to_owned()));
    let next = reserve(&server, &key);
    assert_eq!(next.id, first.id);
    assert_eq!(read(&server, &next), Ok(json!({"name": "Chrono", "n": [1, 2]})));
    assert_eq!(read(&server, &first), Err(REFUSED.to_owned()));
}

#[test]
fn after_a_claim_the_owner_reads_and_the_passphrase_does_not() {
    let (shop, key) = shop();
    let server = shop.serve();
    let given = reserve(&server, &key);
    let id = given.id.to_string();
    let by_wallet = || peer("readWithWallet", &[&url(&server), &id, WALLET_KEY]);
    assert_eq!(by_wallet(), Err(REFUSED.to_owned()));
    let signature = peer("signClaim", &[&given.passphrase, &id, WALLET]).unwrap();
    let claim = json!({"passport_id": given.id, "new_owner": WALLET, "signature": signature});
    assert_eq!(server.stranger().post_json("/v1/claims", &claim).status, 200);
    assert_eq!(by_wallet(), Ok(json!({"name": "Chrono", "n": [1, 2]})));
    assert_eq!(read(&server, &given), Err(REFUSED.to_owned()));
    // By a token of the wallet, which is good until 2100.
    let bearer = "eyJ0eXAiOiJKV1QiLCJhbGciOiJzZWNwMjU2azEifQ==.eyJpc3MiOiIweDcwOTk3OTcwQzUxODEyZGMzQTAxMEM3ZDAxYjUwZTBkMTdkYzc5QzgiLCJzdWIiOiJ3YWxsZXQiLCJleHAiOjQxMDI0NDQ4MDAsImlhdCI6MTcwMDAwMDAwMH0=.0x5315d91d42ff9191e5c99276bf5ad487501ead8cf57b58bd83cb57d71122ff1127a7a27310ddc82be494f134b6c43f660a18d2824afc5e60990d5f23fa36c1741b";
    let call = |params: Value| json!({"jsonrpc": "2.0", "id": "17", "method": "update.read", "params": params});
    let ask = |call: Value| server.stranger().post_json(RPC, &call).json();
    let params = json!({"certificateId": given.id, "authentification": {"bearer": bearer}});
    assert_eq!(ask(call(params)), json!({"jsonrpc": "2.0", "id": "17", "result": {"name": "Chrono", "n": [1, 2]}}));
    let other = json!({"certificateId": 5, "authentification": {"bearer": bearer}});
    assert_eq!(ask(call(other))["error"]["code"], 9);
    shop.done(&["recover", &id]);
    assert_eq!(by_wallet(), Err(REFUSED.to_owned()), "what was taken back is read by nobody");
}

#[test]
fn refusals_have_the_protocols_codes_in_a_200() {
    let (shop, key) = shop();
    let server = shop.serve();
    reserve(&server, &key);
    let check = |body: &str, code: i64| {
        let answer = server.stranger().post(RPC, "application/json", body);
        assert_eq!(answer.status, 200, "{body}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.json()["error"]["code"], code, "{body}: {}", answer.body);
    };
    let call = |method: &str, params: Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
    };
    let reading = |message: &str| {
        let shown = json!({"message": message, "signature": "0x00"});
        call("certificate.read", json!({"certificateId": "440105186", "authentification": shown}))
    };
    check("{", -32_700);
    check("[]", -32_600);
    check(&call("certificate.write", json!({})), -32_601);
    check(&call("certificate.read", json!([])), -32_602);
    check(&call("certificate.read", json!({"certificateId": "440105186"})), 0);
    check(&reading("not json"), 0);
    check(&reading(r#"{"certificateId":"5","timestamp":"2026-01-02T03:04:05.678Z"}"#), 2);
    check(&reading(r#"{"certificateId":"440105186","timestamp":"2001-01-02T03:04:05.678Z"}"#), 3);
    check(&reading(r#"{"certificateId":"440105186","timestamp":"2999-01-02T03:04:05.678Z"}"#), 3);
    check(&reading(r#"{"certificateId":"440105186","timestamp":"soon"}"#), 3);
    check(&reading(r#"{"certificateId":"440105186"}"#), 3);
    let bearer = json!({"certificateId": "440105186", "authentification": {"bearer": "nonsense"}});
    check(&call("certificate.read", bearer), 7);
    check(&call("message.read", json!({"messageId": "9"})), 8);
    for method in ["certificate.create", "update.create", "event.create", "message.create"] {
        check(&call(method, json!({"certificateId": "440105186", "json": {}})), 0);
    }
    assert_eq!(shop.count("reserved"), 1, "nothing was changed");
}

#[test]
fn a_dead_link_and_an_unknown_one_are_answered_alike() {
    let (shop, key) = shop();
    let server = shop.serve();
    let given = reserve(&server, &key);
    let wrong = Given { passphrase: "v6lsj4vhg5dx".into(), id: given.id };
    let unknown = Given { id: 5, passphrase: given.passphrase.clone() };
    for dead in [&wrong, &unknown] {
        assert_eq!(read(&server, dead), Err(REFUSED.to_owned()));
    }
    server.client(&key).reset("tags=vip");
    assert_eq!(read(&server, &given), Err(REFUSED.to_owned()));
    assert_eq!(shop.count("available"), 1);
}
