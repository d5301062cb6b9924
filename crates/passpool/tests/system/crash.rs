//! Crashes: the process is taken away in the middle, and what it acknowledged stands.

use std::{
    collections::HashSet,
    sync::mpsc::{self, Sender},
    thread::{self, JoinHandle},
};

use ureq::http::Method;

use crate::{
    client::{Client, Given, RESERVE},
    shop::{Shop, assert_each_once},
    watch::rounds,
};

/// Reserves until the server is gone. Every link is told once its answer was read to the end.
fn load(client: Client, acknowledged: Sender<Given>) -> JoinHandle<()> {
    thread::spawn(move || {
        let path = format!("{RESERVE}?tags=vip&format=link");
        while let Ok(answer) = client.ask(Method::GET, &path) {
            // Nobody may be listening any more.
            _ = acknowledged.send(answer.given());
        }
    })
}

#[test]
fn no_acknowledged_link_is_free_or_given_to_another_after_a_crash_under_load() {
    let shop = Shop::with(100_000, "vip");
    let key = shop.key("crm", "certCreate");
    let mut acknowledged: Vec<Given> = Vec::new();
    for round in 0..rounds(8, 1) {
        let server = shop.serve();
        let (sender, links) = mpsc::channel();
        let clients: Vec<_> = (0..16).map(|_| load(server.client(&key), sender.clone())).collect();
        drop(sender);
        // Each crash comes at another moment of the group commits.
        acknowledged.extend(links.iter().take(500 + 137 * round));
        server.kill();
        acknowledged.extend(links);
        clients.into_iter().for_each(|client| client.join().unwrap());
        // Nothing was stopped or repaired before this look.
        shop.check();
        assert_each_once(&acknowledged);
        let reserved = shop.given("reserved");
        for Given { id, passphrase } in &acknowledged {
            assert_eq!(reserved.get(id), Some(passphrase), "passport {id} after crash {round}");
        }
    }
    // Who comes after the crashes gets passports that nobody had.
    let taken: HashSet<u64> = acknowledged.iter().map(|given| given.id).collect();
    let server = shop.serve();
    for _ in 0..100 {
        assert!(!taken.contains(&server.client(&key).reserve("tags=vip&format=link").given().id));
    }
}

#[test]
fn a_key_used_before_a_crash_gives_the_same_link_after_it() {
    let shop = Shop::with(10, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let first = server.client(&key).reserve_once("order-1", "tags=vip&format=linkObject");
    assert_eq!(first.status, 200);
    server.kill();
    let server = shop.serve();
    let again = server.client(&key).reserve_once("order-1", "tags=vip&format=linkObject");
    assert_eq!((again.status, again.body), (200, first.body));
    assert_eq!(shop.count("reserved"), 1);
}

#[test]
fn a_reset_that_was_acknowledged_before_a_crash_stands() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let first = client.reserve("tags=vip&format=link").given();
    assert_eq!(client.reset("tags=vip").body, r#"{"count":1}"#);
    server.kill();
    shop.check();
    let second = shop.serve().client(&key).reserve("tags=vip&format=link").given();
    assert_eq!(second.id, first.id);
    assert_ne!(second.passphrase, first.passphrase);
}
