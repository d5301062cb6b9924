//! Kiosks: one address at an event, and everybody gets one of their own.

use std::{collections::HashSet, thread};

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client, Given},
    shop::{Server, Shop},
};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const MANY: &str = "/api/certificate/one2Many/v3";
const NONE: &str = r#"{"name":"API Error","description":"No NFT found to distribute","code":"nmp.back.dispenser.oneToMany.noNFTsToSend","httpCode":400}"#;
/// Of the wallet `ALICE`, good until 2100.
const TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJzZWNwMjU2azEifQ==.eyJpc3MiOiIweDcwOTk3OTcwQzUxODEyZGMzQTAxMEM3ZDAxYjUwZTBkMTdkYzc5QzgiLCJzdWIiOiJ3YWxsZXQiLCJleHAiOjQxMDI0NDQ4MDAsImlhdCI6MTcwMDAwMDAwMH0=.0x5315d91d42ff9191e5c99276bf5ad487501ead8cf57b58bd83cb57d71122ff1127a7a27310ddc82be494f134b6c43f660a18d2824afc5e60990d5f23fa36c1741b";

fn shop(passports: u32) -> Shop {
    let shop = Shop::with(passports, "expo");
    assert_eq!(shop.done(&["kiosk", "add", "expo", "--tag", "expo"]), "/k/expo\n");
    shop
}

/// A visitor with a network address of their own, through a proxy that tells it.
fn visitor(server: &Server, number: usize) -> Client {
    let address = format!("198.51.{}.{}", number / 250, number % 250);
    server.stranger().with("x-forwarded-for", address.as_bytes())
}

fn serve(shop: &Shop) -> Server {
    shop.serve_with(&["--trusted-proxy", "127.0.0.1"])
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").expect("a cookie").split(';').next().unwrap().to_owned()
}

/// Presses the button as a browser does that keeps its cookie.
fn press(client: Client) -> (Answer, String) {
    let page = client.get("/k/expo");
    assert!(page.status == 200 && page.body.contains("Get my passport"), "{}", page.body);
    let cookie = cookie(&page);
    let answer = client.with("cookie", cookie.as_bytes()).press(&page, "/k/expo", &[]);
    (answer, cookie)
}

fn given(path: &str) -> Given {
    Given::in_link(&format!("https://host{path}"))
}

#[test]
fn two_hundred_visitors_and_150_passports() {
    let shop = shop(150);
    let server = serve(&shop);
    let clients: Vec<_> = (0..200).map(|number| visitor(&server, number)).collect();
    let presses: Vec<_> = clients.into_iter().map(|client| thread::spawn(|| press(client).0)).collect();
    let mut holders = HashSet::new();
    let mut refused = 0;
    for press in presses {
        let answer = press.join().unwrap();
        match answer.status {
            303 => assert!(holders.insert(given(answer.header("location").unwrap()).id), "one was given twice"),
            409 => {
                assert!(answer.body.contains("All passports are taken"), "{}", answer.body);
                refused += 1;
            }
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!((holders.len(), refused), (150, 50));
    assert_eq!(shop.count("reserved"), 150);
    shop.check();
}

#[test]
fn a_visitor_gets_the_same_passport_and_after_the_claim_sees_it() {
    let shop = shop(3);
    let server = serve(&shop);
    let (first, cookie) = press(visitor(&server, 1));
    let path = first.header("location").unwrap().to_owned();
    let again = || {
        let client = visitor(&server, 1).with("cookie", cookie.as_bytes());
        let page = client.get("/k/expo");
        assert_eq!(page.header("set-cookie"), None, "it has one");
        client.press(&page, "/k/expo", &[]).header("location").unwrap().to_owned()
    };
    assert_eq!(again(), path);
    let page = server.stranger().get(&path);
    assert!(page.body.contains("Reserved for you until"), "{}", page.body);
    assert_eq!(again(), path, "also when it was opened");
    let claimed = server.stranger().press(&page, &path, &[("owner", ALICE)]);
    assert_eq!(claimed.status, 303);
    assert_eq!(again(), path, "also when it was claimed");
    // Another browser with the same wallet gets one to hold, and cannot claim it.
    let (other, _) = press(visitor(&server, 2));
    let other = other.header("location").unwrap();
    let page = server.stranger().get(other);
    let refused = server.stranger().press(&page, other, &[("owner", ALICE)]);
    assert!(refused.status == 409 && refused.body.contains("This wallet has its passport"), "{}", refused.body);
    shop.check();
}

#[test]
fn a_stranger_who_asks_for_the_tag_of_no_kiosk_gets_nothing() {
    let shop = shop(1);
    shop.create(3, "vip");
    let server = serve(&shop);
    for query in ["tag=vip", "label=vip", "tags=expo,vip", "campaignId=vip", "tag=nothing"] {
        let answer = server.stranger().get(&format!("{MANY}?{query}&format=link"));
        assert_eq!((answer.status, answer.body.as_str()), (400, NONE), "{query}");
    }
    assert_eq!(shop.pool()["all"]["available"], 4);
    // Whoever may hand out gets one, with the end that a kiosk has.
    let key = shop.key("crm", "certCreate");
    let answer = server.client(&key).get(&format!("{MANY}?tag=vip&format=link"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(shop.sql("SELECT until - handed_at FROM passport WHERE state = 1"), "900000000");
    let reader = shop.key("reader", "certRead");
    assert_eq!(server.client(&reader).get(&format!("{MANY}?tag=vip&format=link")).body, NONE);
}

#[test]
fn a_kiosk_answers_in_four_formats() {
    let shop = Shop::empty();
    let lines: Vec<String> = (11..15).map(|id| format!("{id},,expo,\"{{\"\"n\"\":1}}\"")).collect();
    shop.import(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    shop.done(&["kiosk", "add", "expo", "--tag", "expo"]);
    let server = serve(&shop);
    let ask = |number, format: &str| visitor(&server, number).get(&format!("{MANY}?label=expo&format={format}"));
    let link = ask(1, "link");
    assert_eq!((link.status, link.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    let given = Given::in_link(&link.body);
    assert_eq!(given.id, 11);
    let object = ask(2, "linkObject");
    let passphrase = object.json()["passphrase"].as_str().unwrap().to_owned();
    let expected = format!(
        r#"{{"method":"requestOwnership","certificateId":12,"passphrase":"{passphrase}","deeplink":"https://test.arianee.net/12,{passphrase}"}}"#
    );
    assert_eq!(object.body, expected);
    let redirect = ask(3, "redirect");
    assert_eq!((redirect.status, redirect.header("cache-control")), (302, Some("no-store")));
    assert_eq!(Given::in_link(redirect.header("location").unwrap()).id, 13);
    let content = ask(4, "content");
    assert_eq!((content.body.as_str(), content.header("x-certificate-id")), (r#"{"n":1}"#, Some("14")));
    // The same visitor gets the same, known by the cookie.
    let cookie = cookie(&link);
    let again =
        visitor(&server, 1).with("cookie", cookie.as_bytes()).get(&format!("{MANY}?campaignId=expo&format=link"));
    assert_eq!(again.body, link.body);
    assert_eq!(ask(5, "link").body, NONE, "the pool is empty");
    let check = |query: &str, code: &str, name: &str| {
        let answer = visitor(&server, 6).get(&format!("{MANY}?{query}"));
        let description = answer.refusal(400, &format!("nmp.back.dispenser.{code}"));
        assert!(description.contains(name), "{query}: {description}");
    };
    check("format=link", "missingParameter", "label");
    check("label=expo", "missingParameter", "format");
    check("label=expo&format=pdf", "invalidParameter", "format");
    check("label=expo&format=link&arianeeAccessToken=x", "invalidParameter", "arianeeAccessToken");
}

#[test]
fn a_wallet_is_known_by_its_token() {
    let shop = shop(3);
    let server = serve(&shop);
    let ask = |number| {
        let token = TOKEN.replace('=', "%3D");
        let query = format!("tag=expo&format=link&arianeeAccessToken={token}");
        visitor(&server, number).get(&format!("{MANY}?{query}")).body
    };
    let first = ask(1);
    assert_eq!(ask(2), first, "from wherever it comes");
    let path = first.split_once("arianee.net").unwrap().1;
    let page = server.stranger().get(path);
    assert_eq!(server.stranger().press(&page, path, &[("owner", ALICE)]).status, 303);
    assert_eq!(ask(3), first, "after the claim it is sent to its own");
    assert_eq!(shop.count("available"), 2);
}

#[test]
fn robots_and_pictures_take_nothing() {
    let shop = shop(1);
    let server = serve(&shop);
    let path = format!("{MANY}?tag=expo&format=redirect");
    for (name, value) in [
        ("sec-fetch-dest", "image"),
        ("sec-fetch-dest", "iframe"),
        ("sec-purpose", "prefetch"),
        ("user-agent", "WhatsApp/2.23.20.0 A"),
    ] {
        let answer = server.stranger().with(name, value.as_bytes()).get(&path);
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{name}: {value}");
    }
    assert_eq!(server.stranger().head(&path).status, 200);
    assert_eq!(server.stranger().head("/k/expo").status, 200);
    server.stranger().get("/k/expo");
    let page = server.stranger().get("/k/expo");
    let elsewhere = server.stranger().with("sec-fetch-site", b"cross-site").press(&page, "/k/expo", &[]);
    assert_eq!(elsewhere.status, 403);
    assert_eq!(server.stranger().post("/k/expo", "application/x-www-form-urlencoded", "form=x").status, 403);
    assert!(elsewhere.body.contains("Try again"), "there is a way back: {}", elsewhere.body);
    assert_eq!(shop.count("available"), 1);
}

#[test]
fn a_kiosk_has_its_hours_and_its_list() {
    let shop = shop(5);
    shop.done(&["kiosk", "add", "later", "--tag", "expo", "--opens", "2999-01-01T00:00:00Z", "--hold", "1h"]);
    let server = serve(&shop);
    let page = server.stranger().get("/k/later");
    assert!(page.body.contains("Not open yet") && page.body.contains("2999-01-01"), "{}", page.body);
    press(visitor(&server, 1));
    let listed: Value = serde_json::from_str(&shop.done(&["kiosk", "list", "--json"])).unwrap();
    assert_eq!(
        listed,
        json!([
            {"name": "expo", "tags": ["expo"], "rule": "and", "hold_seconds": 900, "per_visitor": 1, "opens": null,
             "closes": null, "held": 1, "claimed": 0},
            {"name": "later", "tags": ["expo"], "rule": "and", "hold_seconds": 3600, "per_visitor": 1,
             "opens": "2999-01-01T00:00:00Z", "closes": null, "held": 0, "claimed": 0},
        ])
    );
    shop.done(&["kiosk", "close", "expo"]);
    let closed = server.stranger().get("/k/expo");
    assert!(closed.status == 200 && closed.body.contains("This place is closed"), "{}", closed.body);
    assert_eq!(server.stranger().get(&format!("{MANY}?campaignId=expo&format=link")).body, NONE);
    assert_eq!(server.stranger().get("/k/nowhere").status, 404);
    shop.refused(1, &["kiosk", "add", "expo", "--tag", "expo"], &["expo", "exists"]);
    shop.refused(1, &["kiosk", "close", "nowhere"], &["nowhere"]);
    shop.refused(2, &["kiosk", "add", "a/b", "--tag", "expo"], &["NAME"]);
}

#[test]
fn one_address_holds_as_many_as_the_shop_lets_it() {
    let shop = shop(5);
    let server = shop.serve_with(&["--trusted-proxy", "127.0.0.1", "--held-per-address", "2"]);
    for _ in 0..2 {
        assert_eq!(press(visitor(&server, 1)).0.status, 303);
    }
    let (third, _) = press(visitor(&server, 1));
    assert!(third.status == 429 && third.body.contains("Many people are here"), "{}", third.body);
    let answer = visitor(&server, 1).get(&format!("{MANY}?tag=expo&format=link"));
    answer.refusal(429, "nmp.back.dispenser.tooManyRequests");
    assert_eq!(press(visitor(&server, 2)).0.status, 303, "another address");
    shop.refused(2, &["serve", "--held-per-address", "0"], &["--held-per-address"]);
}

#[test]
fn a_program_that_repeats_a_call_at_a_kiosk_gets_the_first_answer() {
    let shop = shop(3);
    let server = serve(&shop);
    let key = shop.key("crm", "certCreate");
    let ask = |client: Client| client.get(&format!("{MANY}?tag=expo&format=link"));
    let once = || server.client(&key).with("idempotency-key", b"order-1");
    let first = ask(once());
    let again = ask(once());
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(shop.count("reserved"), 1);
    // A stranger's key is nobody's: without a cookie each call is another visitor.
    let stranger = || visitor(&server, 1).with("idempotency-key", b"order-1");
    assert_ne!(ask(stranger()).body, ask(stranger()).body);
}
