//! The NMP's wire, byte for byte.

use serde_json::json;
use ureq::http::Method;

use crate::{
    client::{Answer, Client, NONE_LEFT, RESERVE, RESET},
    shop::{Server, Shop},
};

const JSON: Option<&str> = Some("application/json; charset=utf-8");

/// A shop in which each of these tags picks one known passport.
fn shop() -> (Shop, String) {
    let shop = Shop::empty();
    shop.import(&[
        "512340987,k3x9q0m2ab7z,vip,",
        r#"95239832777,v6lsj4vhg5dx,watch,"{ ""name"": ""Watch"", ""price"": 1.50, ""sizes"": [1, 2] }""#,
        r#"9007199254740991,aA0-._~!$&'()*+;=:@,odd,"#,
    ]);
    let key = shop.key("crm", "certCreate");
    (shop, key)
}

#[test]
fn format_link_is_the_link_alone() {
    let (shop, key) = shop();
    let server = shop.serve();
    let answer = server.client(&key).reserve("tags=vip&format=link");
    assert_eq!((answer.status, answer.body.as_str()), (200, "https://test.arianee.net/512340987,k3x9q0m2ab7z"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = server.client(&key).reserve("tags=odd&format=link");
    assert_eq!(answer.body, "https://test.arianee.net/9007199254740991,aA0-._~!$&'()*+;=:@");
}

#[test]
fn format_link_object_has_the_fields_of_the_wire_in_their_order() {
    let (shop, key) = shop();
    let answer = shop.serve().client(&key).reserve("tags=vip&format=linkObject");
    let expected = concat!(
        r#"{"method":"requestOwnership","certificateId":512340987,"passphrase":"k3x9q0m2ab7z","#,
        r#""deeplink":{"certificateId":512340987,"passphrase":"k3x9q0m2ab7z","#,
        r#""link":"https://test.arianee.net/512340987,k3x9q0m2ab7z"}}"#
    );
    assert_eq!((answer.status, answer.body.as_str()), (200, expected));
    assert_eq!(answer.header("content-type"), JSON);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn format_content_is_the_content_and_the_link_is_not_lost() {
    let (shop, key) = shop();
    let server = shop.serve();
    let check = |tag: &str, body: &str, link: &str, id: &str| {
        let answer = server.client(&key).reserve(&format!("tags={tag}&format=content"));
        assert_eq!((answer.status, answer.body.as_str()), (200, body));
        assert_eq!(answer.header("content-type"), JSON);
        assert_eq!(answer.header("link"), Some(format!("<https://test.arianee.net/{link}>; rel=\"claim\"").as_str()));
        assert_eq!(answer.header("x-certificate-id"), Some(id));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    };
    check("vip", "{}", "512340987,k3x9q0m2ab7z", "512340987");
    let watch = r#"{"name":"Watch","price":1.50,"sizes":[1,2]}"#;
    check("watch", watch, "95239832777,v6lsj4vhg5dx", "95239832777");
}

#[test]
fn a_host_of_the_brands_own_names_its_network_in_the_third_field() {
    let (shop, key) = shop();
    let own = ["--link-base", "https://brand.example/", "--network", "testnet"];
    let server = Server::start(&mut shop.command(&["serve", "--listen", "127.0.0.1:0"]), &own);
    let answer = server.client(&key).reserve("tags=vip&format=linkObject");
    let link = "https://brand.example/512340987,k3x9q0m2ab7z,testnet";
    assert_eq!(answer.json()["deeplink"]["link"], link);
    // The command line prints the links that this server would.
    let printed = shop.done(&["reserve", "--tags", "watch"]);
    assert_eq!(printed, "https://brand.example/95239832777,v6lsj4vhg5dx,testnet\n");
}

#[test]
fn an_empty_pool_and_an_unknown_tag_have_one_answer() {
    let (shop, key) = shop();
    let client = shop.serve();
    let client = client.client(&key);
    assert_eq!(client.reserve("tags=vip&format=link").status, 200);
    for query in ["tags=vip&format=link", "tags=nobody&format=linkObject", "tags=VIP&format=content"] {
        let answer = client.reserve(query);
        assert_eq!((answer.status, answer.body.as_str()), (400, NONE_LEFT), "{query}");
        assert_eq!(answer.header("content-type"), JSON);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn reset_all_counts() {
    let (shop, key) = shop();
    let server = shop.serve();
    let client = server.client(&key);
    let check = |query: &str, body: &str| {
        let answer = client.reset(query);
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{query}");
        assert_eq!(answer.header("content-type"), JSON);
    };
    check("tags=vip", r#"{"count":0}"#);
    assert_eq!(client.reserve("tags=vip&format=link").status, 200);
    check("tags=nobody", r#"{"count":0}"#);
    check("tags=vip", r#"{"count":1}"#);
    check("tags=vip", r#"{"count":0}"#);
}

#[test]
fn who_is_unknown_has_no_user_and_who_may_not_is_unauthorized() {
    let (shop, key) = shop();
    let reader = shop.key("reader", "certRead,reporting");
    let revoked = shop.key("old", "certCreate");
    shop.done(&["user", "key", "old"]);
    let removed = shop.key("gone", "certCreate");
    shop.done(&["user", "remove", "gone"]);
    let server = shop.serve();
    let check = |who: &str, client: &Client, status: u16, body: &str| {
        for path in [RESERVE, RESET] {
            let answer = client.get(&format!("{path}?tags=vip&format=link"));
            assert_eq!((answer.status, answer.body.as_str()), (status, body), "{who} at {path}");
            assert_eq!(answer.header("content-type"), JSON, "{who} at {path}");
        }
    };
    let no_user = r#"{"message":"no user"}"#;
    check("a stranger", &server.stranger(), 403, no_user);
    for (who, key) in [
        ("an empty key", ""),
        ("a word", "sesame"),
        ("a key of nobody", "pp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("a key in capitals", &key.to_uppercase()),
        ("half a key", &key[..30]),
        ("a revoked key", &revoked),
        ("a removed user", &removed),
    ] {
        check(who, &server.client(key), 403, no_user);
    }
    check("a reader", &server.client(&reader), 401, r#"{"message":"Unauthorized"}"#);
    assert_eq!(shop.count("available"), 3, "none of them was given anything");
    let admin = shop.key("boss", "admin");
    assert_eq!(server.client(&admin).reserve("tags=vip&format=link").status, 200);
}

#[test]
fn head_gives_nothing_away() {
    let (shop, key) = shop();
    let server = shop.serve();
    for path in [RESERVE, RESET] {
        let Answer { status, body, .. } = server.client(&key).head(&format!("{path}?tags=vip&format=link"));
        assert_eq!((status, body.as_str()), (200, ""), "{path}");
    }
    assert_eq!(shop.count("available"), 3);
}

#[test]
fn every_spelling_of_tags_is_one_thing() {
    let shop = Shop::empty();
    // Only the last has both; the order of creation would give the others first.
    shop.import(&["1,a,red,", "2,b,blue,", r#"3,c,"red,blue","#]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    for spelling in [
        "tags=red,blue",
        "tags=red&tags=blue",
        "tags[]=red&tags[]=blue",
        "tags[0]=red&tags[1]=blue",
        "tags%5B%5D=red&tags%5B%5D=blue",
        "tags=red%2Cblue",
        "tags=%20red%20,,blue,red&tags=",
        "tags=red&tags[]=blue&utm_source=mail&unknown=1",
    ] {
        assert_eq!(client.reserve(&format!("{spelling}&format=link")).given().id, 3, "{spelling}");
        assert_eq!(client.reset(spelling).body, r#"{"count":1}"#, "{spelling}");
    }
}

#[test]
fn several_tags_mean_all_of_them_unless_somebody_says_otherwise() {
    let shop = Shop::empty();
    shop.import(&["1,a,red,", "2,b,blue,"]);
    let key = shop.key("crm", "certCreate");
    let ids_of = |server: &Server, rule: &str| {
        let client = server.client(&key);
        let mut ids: Vec<u64> = Vec::new();
        loop {
            let answer = client.reserve(&format!("tags=red,blue&format=link{rule}"));
            if answer.status == 400 {
                assert_eq!(answer.body, NONE_LEFT);
                break;
            }
            ids.push(answer.given().id);
        }
        ids.sort_unstable();
        let count = client.reset(&format!("tags=red,blue{rule}")).json();
        assert_eq!(count, json!({ "count": ids.len() }));
        ids
    };
    let nobody: [u64; 0] = [];
    let server = shop.serve();
    assert_eq!(ids_of(&server, ""), nobody);
    assert_eq!(ids_of(&server, "&tagRule=and"), nobody);
    assert_eq!(ids_of(&server, "&tagRule=or"), [1, 2]);
    drop(server);
    let server = shop.serve_with(&["--tag-rule", "or"]);
    assert_eq!(ids_of(&server, ""), [1, 2]);
    assert_eq!(ids_of(&server, "&tagRule=and"), nobody);
}

#[test]
fn what_leads_nowhere_is_told_in_the_shape_of_its_paths() {
    let (shop, key) = shop();
    let server = shop.serve();
    let check = |method: Method, path: &str, expected: (u16, &str, &str), allow: Option<&str>| {
        let answer = server.client(&key).ask(method, path).unwrap();
        let kind = answer.header("content-type").unwrap();
        assert_eq!((answer.status, kind, answer.body.as_str()), expected, "{path}");
        assert_eq!(answer.header("allow"), allow, "{path}");
    };
    let problem = "application/problem+json";
    let nothing = r#"{"type":"/problems/no-such-path","title":"There is nothing here","status":404}"#;
    check(Method::GET, "/", (404, problem, nothing), None);
    check(Method::GET, "/v1/nothing", (404, problem, nothing), None);
    let method = r#"{"type":"/problems/wrong-method","title":"This path takes no such method","status":405}"#;
    check(Method::POST, "/healthz", (405, problem, method), Some("GET,HEAD"));
    check(Method::DELETE, "/7,sesame", (405, problem, method), Some("GET,HEAD,POST,OPTIONS"));
    let shape = r#"{"message":"Method Not Allowed"}"#;
    check(Method::POST, RESERVE, (405, JSON.unwrap(), shape), Some("GET,HEAD"));
}
