//! Accounts at the command line: who may call, as which profile, and with which keys.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    shop::{Server, Shop},
    watch::within,
};

fn list(shop: &Shop, noun: &str) -> Value {
    serde_json::from_str(&shop.done(&[noun, "list", "--json"])).unwrap()
}

fn one(shop: &Shop, noun: &str, name: &str) -> Value {
    let all = list(shop, noun);
    all.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {all}")).clone()
}

fn heads(shop: &Shop, user: &str) -> Vec<String> {
    let user = one(shop, "user", user);
    user["keys"].as_array().unwrap().iter().map(|key| key["head"].as_str().unwrap().to_owned()).collect()
}

fn status(server: &Server, key: &str) -> u16 {
    server.client(key.trim_end()).get("/v1/pools").status
}

/// A key that is dead is dead within five seconds.
fn dies(server: &Server, key: &str) {
    within(Duration::from_secs(10), "the end of a key", || (status(server, key) == 401).then_some(()));
}

#[test]
fn a_user_has_several_keys_each_of_which_is_renewed_or_removed_alone() {
    let shop = Shop::with(1, "vip");
    let first = shop.key("crm", "certRead");
    let second = shop.done(&["user", "key", "crm", "--further"]).trim_end().to_owned();
    let head = |key: &str| key[..8].to_owned();
    assert_eq!(heads(&shop, "crm"), [head(&first), head(&second)]);
    let server = shop.serve();
    assert_eq!([&first, &second].map(|key| status(&server, key)), [200, 200]);
    let renew = ["user", "key", "crm", "--old", &head(&first), "--old-valid-for", "1h", "--json"];
    let third: Value = serde_json::from_str(&shop.done(&renew)).unwrap();
    assert_eq!(third["name"], "crm");
    assert_eq!(third["head"], head(third["key"].as_str().unwrap()));
    let keys = one(&shop, "user", "crm")["keys"].clone();
    assert_eq!((&keys[0]["until"], keys[1].get("until")), (&third["old_until"], None));
    let third = third["key"].as_str().unwrap().to_owned();
    assert_eq!([&first, &second, &third].map(|key| status(&server, key)), [200, 200, 200]);
    assert_eq!(shop.done(&["user", "key", "crm", "--remove", &head(&second)]), "");
    dies(&server, &second);
    assert_eq!([&first, &third].map(|key| status(&server, key)), [200, 200]);
    let last = shop.done(&["user", "key", "crm"]).trim_end().to_owned();
    dies(&server, &first);
    dies(&server, &third);
    assert_eq!((status(&server, &last), heads(&shop, "crm")), (200, vec![head(&last)]));
    assert_eq!(server.stop().code, Some(0));
    // What was used is written down when the server ends, if not before.
    let user = one(&shop, "user", "crm");
    assert!(user["keys"][0]["used_at"].as_str().unwrap().ends_with("00Z"), "to the minute: {user}");
    assert_eq!(user["key"], user["keys"][0]);
    let text = shop.done(&["user", "list"]);
    let crm = text.lines().find(|line| line.starts_with("crm")).unwrap();
    assert!(crm.contains(&head(&last)) && crm.contains("used 20") && crm.ends_with("crm: certRead"), "{text}");
    assert!(text.contains("admin  no key") && !text.contains(&last), "{text}");
    shop.check();
}

#[test]
fn accounts_are_told_as_the_api_tells_them() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("boss", "admin");
    shop.done(&["profile", "add", "desk", "--rights", "certRead,reporting"]);
    shop.done(&["user", "add", "ada", "--profile", "desk"]);
    shop.done(&["user", "key", "ada", "--old-valid-for", "1h"]);
    let server = shop.serve();
    let answered = |path: &str, field: &str| server.client(&key).get(path).json()[field].clone();
    assert_eq!(list(&shop, "profile"), answered("/v1/profiles", "profiles"));
    let (mut printed, mut answered) = (list(&shop, "user"), answered("/v1/users", "users"));
    for user in printed.as_array_mut().unwrap().iter_mut().chain(answered.as_array_mut().unwrap()) {
        // The command line tells the newest key once more, and the minute of a use is written down meanwhile.
        user.as_object_mut().unwrap().remove("key");
        for key in user["keys"].as_array_mut().unwrap() {
            key.as_object_mut().unwrap().remove("used_at");
        }
    }
    assert_eq!(printed, answered);
}

#[test]
fn a_key_that_cannot_be_meant_is_refused() {
    let shop = Shop::empty();
    let key = shop.key("crm", "certRead");
    shop.refused(1, &["user", "key", "eve", "--further"], &["there is no user eve"]);
    shop.refused(1, &["user", "key", "crm", "--remove", "pp_aaaaa"], &["no such key"]);
    shop.refused(1, &["user", "key", "crm", "--old", "pp_aaaaa"], &["no such key"]);
    shop.refused(2, &["user", "key", "crm", "--further", "--old-valid-for", "1h"], &["--further"]);
    shop.refused(2, &["user", "key", "crm", "--remove", "pp_aaaaa", "--further"], &["--remove"]);
    shop.refused(2, &["user", "key", "crm", "--old-valid-for", "0"], &["--old-valid-for"]);
    for flag in ["--old", "--remove"] {
        shop.refused(2, &["user", "key", "crm", flag, "pp_"], &[flag, "first 8 characters"]);
        shop.refused(2, &["user", "key", "crm", flag, &key], &[flag, "first 8 characters"]);
        assert!(!shop.run(&["user", "key", "crm", flag, &key]).stderr.contains(&key), "a key is not repeated");
    }
    assert_eq!(heads(&shop, "crm"), [&key[..8]]);
}

#[test]
fn a_profile_is_shared_edited_and_removed_when_nobody_has_it() {
    let shop = Shop::with(1, "vip");
    assert_eq!(shop.done(&["profile", "add", "desk", "--rights", "certRead"]), "");
    let ada = shop.done(&["user", "add", "ada", "--profile", "desk"]);
    let bob = shop.key("bob", "certCreate");
    shop.done(&["user", "edit", "bob", "--profile", "desk"]);
    assert_eq!(one(&shop, "profile", "desk"), json!({"name": "desk", "rights": ["certRead"], "users": 2}));
    assert_eq!(one(&shop, "user", "bob")["profile"], "desk");
    let text = shop.done(&["profile", "list"]);
    assert!(text.lines().any(|line| line.starts_with("desk ") && line.ends_with("2  certRead")), "{text}");
    let server = shop.serve();
    assert_eq!([&ada, &bob].map(|key| status(&server, key)), [200, 200]);
    shop.done(&["profile", "edit", "desk", "--rights", "certCreate,reporting"]);
    assert_eq!(one(&shop, "profile", "desk")["rights"], json!(["certCreate", "reporting"]));
    within(Duration::from_secs(10), "the end of a right", || (status(&server, &ada) == 403).then_some(()));
    drop(server);
    shop.refused(1, &["profile", "remove", "desk"], &["desk is in use"]);
    shop.done(&["user", "remove", "ada"]);
    shop.done(&["user", "remove", "bob"]);
    shop.done(&["profile", "remove", "desk"]);
    assert_eq!(list(&shop, "profile").as_array().unwrap().len(), 1, "the administrators' is left");
    shop.check();
}

#[test]
fn a_profile_that_cannot_be_meant_is_refused() {
    let shop = Shop::empty();
    shop.key("crm", "certRead");
    shop.done(&["profile", "add", "desk", "--rights", "certRead"]);
    shop.refused(1, &["profile", "add", "desk", "--rights", "certRead"], &["desk exists already"]);
    shop.refused(1, &["profile", "edit", "till", "--rights", "certRead"], &["there is no profile till"]);
    shop.refused(1, &["profile", "remove", "till"], &["there is no profile till"]);
    shop.refused(1, &["profile", "edit", "admin", "--rights", "certRead"], &["admin is the last user"]);
    shop.refused(1, &["user", "edit", "admin", "--profile", "desk"], &["admin is the last user"]);
    shop.refused(1, &["user", "edit", "crm", "--profile", "till"], &["there is no profile till"]);
    shop.refused(1, &["user", "edit", "eve", "--profile", "desk"], &["there is no user eve"]);
    shop.refused(1, &["user", "add", "eve", "--profile", "till"], &["there is no profile till"]);
    shop.refused(2, &["user", "add", "eve"], &["--rights", "--profile"]);
    shop.refused(2, &["user", "add", "eve", "--rights", ""], &["--rights"]);
    shop.refused(2, &["user", "add", "eve", "--rights", "certRead", "--profile", "desk"], &["--profile"]);
    for verb in ["add", "edit"] {
        shop.refused(2, &["profile", verb, "desk", "--rights", ""], &["--rights names no right"]);
        shop.refused(2, &["profile", verb, "desk", "--rights", "certDestroy"], &["certDestroy"]);
        shop.refused(2, &["profile", verb, "a/b", "--rights", "certRead"], &["a/b"]);
        shop.refused(2, &["profile", verb, "desk"], &["--rights"]);
    }
}
