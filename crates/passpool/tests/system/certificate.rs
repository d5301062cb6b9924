//! One certificate: a new link for it, back from its owner, out of use.

use serde_json::{Value, json};

use crate::shop::{Server, Shop};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const NEW_LINK: &str = "/api/createCertificateRequestOwnershipLink";
const RECOVER: &str = "/api/recoverCertificate";
const UNKNOWN: &str = r#"{"message":"This certificate does not exist","code":"undefinedRessource","e":"{}"}"#;

fn shop() -> (Shop, String) {
    let shop = Shop::empty();
    shop.import(&["7,,vip,", "8,,vip,"]);
    let key = shop.key("crm", "certCreate,certRecover,certDelete");
    (shop, key)
}

fn claim(server: &Server, link: &str) {
    let path = link.split_once("arianee.net").unwrap().1;
    let page = server.stranger().get(path);
    assert_eq!(server.stranger().press(&page, path, &[("owner", ALICE)]).status, 303);
}

#[test]
fn a_new_link_takes_the_passport_out_of_the_pool_and_kills_the_old_link() {
    let (shop, key) = shop();
    let server = shop.serve();
    let ask = |body: Value| server.client(&key).post_json(NEW_LINK, &body);
    let first = ask(json!([7]));
    let passphrase = first.json()["passphrase"].as_str().unwrap().to_owned();
    let expected = format!(
        r#"{{"certificateId":7,"passphrase":"{passphrase}","link":"https://test.arianee.net/7,{passphrase}"}}"#
    );
    assert_eq!((first.status, first.body, passphrase.len()), (200, expected, 25));
    assert_eq!((shop.count("reserved"), shop.count("available")), (1, 1));
    let chosen = ask(json!([7, "our-own-words"]));
    let expected =
        r#"{"certificateId":7,"passphrase":"our-own-words","link":"https://test.arianee.net/7,our-own-words"}"#;
    assert_eq!((chosen.status, chosen.body.as_str()), (200, expected));
    assert_eq!(server.stranger().get(&format!("/7,{passphrase}")).status, 404);
    assert_eq!(server.stranger().get("/7,our-own-words").status, 200);
    assert!(!shop.contents().1.contains("our-own-words"), "it is sealed");
    claim(&server, "https://test.arianee.net/7,our-own-words");
    ask(json!([7])).refusal(409, "nmp.back.dispenser.wrongState");
}

#[test]
fn what_is_no_certificate_is_told_so() {
    let (shop, key) = shop();
    let server = shop.serve();
    let client = server.client(&key);
    for path in [NEW_LINK, RECOVER] {
        for id in [json!(5), json!("5"), json!(0), json!(1.5)] {
            let answer = client.post_json(path, &json!([id]));
            assert_eq!((answer.status, answer.body.as_str()), (400, UNKNOWN), "{path} {id}");
        }
        client.post_json(path, &json!([])).refusal(400, "nmp.back.dispenser.missingParameter");
        client.post_json(path, &json!({})).refusal(400, "nmp.back.dispenser.invalidParameter");
        assert_eq!(server.stranger().post_json(path, &json!([7])).status, 403);
    }
    for wrong in [json!([7, "a,b"]), json!([7, 5]), json!([7, "12345"]), json!([7, "1e5"])] {
        let answer = client.post_json(NEW_LINK, &wrong).refusal(400, "nmp.back.dispenser.invalidParameter");
        assert!(answer.contains("passphrase"), "{wrong}: {answer}");
    }
    client.post_json(RECOVER, &json!([7])).refusal(409, "nmp.back.dispenser.wrongState");
    assert_eq!(shop.count("available"), 2);
}

#[test]
fn a_recovered_passport_stays_out_until_it_is_reset_by_name() {
    let (shop, key) = shop();
    let server = shop.serve();
    let client = server.client(&key);
    let check = |recover: &dyn Fn(u64)| {
        let given = client.reserve("tags=vip&format=link");
        let id = given.given().id;
        claim(&server, &given.body);
        recover(id);
        assert_eq!(shop.count("recovered"), 1);
        assert_eq!(client.reset("tags=vip").body, r#"{"count":0}"#);
        assert_eq!(server.stranger().get(given.body.split_once("arianee.net").unwrap().1).status, 404);
        shop.done(&["reset", "--id", &id.to_string()]);
        assert_eq!(shop.count("recovered"), 0);
    };
    check(&|id| assert_eq!(client.post_json(RECOVER, &json!([id])).body, r#"{"success":true}"#));
    check(&|id| {
        let answer = client.post_json(&format!("/v1/passports/{id}/recover"), &json!({}));
        assert_eq!(answer.body, format!(r#"{{"passport_id":{id},"state":"recovered"}}"#));
    });
    check(&|id| assert_eq!(shop.done(&["recover", &id.to_string()]), "1 passport recovered\n"));
    shop.check();
}

#[test]
fn a_withdrawn_passport_is_out_for_good() {
    let (shop, key) = shop();
    let server = shop.serve();
    let withdraw =
        |client: crate::client::Client, id: &str| client.post_json(&format!("/v1/passports/{id}/withdraw"), &json!({}));
    let done = withdraw(server.client(&key), "7");
    assert_eq!((done.status, done.body.as_str()), (200, r#"{"passport_id":7,"state":"withdrawn"}"#));
    let again = withdraw(server.client(&key), "7");
    assert_eq!((again.status, &again.json()["type"]), (409, &json!("/problems/wrong-state")));
    assert_eq!(withdraw(server.client(&key), "5").status, 404);
    assert_eq!(withdraw(server.client(&key), "07").status, 422);
    let reader = shop.key("reader", "certRead");
    assert_eq!(withdraw(server.client(&reader), "8").status, 403);
    let stranger = withdraw(server.stranger(), "8");
    assert_eq!((stranger.status, stranger.header("www-authenticate").is_some()), (401, true));
    assert_eq!(shop.done(&["withdraw", "8"]), "1 passport withdrawn\n");
    shop.refused(1, &["withdraw", "8"], &["passport 8", "withdrawn"]);
    shop.refused(1, &["recover", "8"], &["passport 8", "withdrawn"]);
    shop.refused(2, &["recover"], &["ID"]);
    assert_eq!(shop.count("withdrawn"), 2);
    let file = shop.file("again.csv", "id,tags\n8,x\n");
    shop.refused(1, &["import", &file], &["8", "used"]);
}
