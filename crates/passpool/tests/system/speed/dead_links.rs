//! Dead links: how long an answer took tells nothing of which links exist.

use std::time::Duration;

use serde_json::json;

use super::{is_measured, tell};
use crate::{
    client::{Answer, Client, Given},
    peers::peer,
    shop::{Server, Shop},
    watch::{Watch, rounds},
};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const BOB: &str = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";

/// A link of each kind that is dead for whoever shows it.
fn dead_links(shop: &Shop, server: &Server, key: &str) -> Vec<(&'static str, Given)> {
    shop.import(&["41,sesame-open-now,code,", "42,sesame-shut-now,code,"]);
    shop.create(5, "vip");
    let client = server.client(key);
    let reserve = |query: &str| client.reserve(&format!("{query}&format=link")).given();
    let with = |given: Given| Given { passphrase: "v6lsj4vhg5dxv6lsj4vhg5dxq".into(), ..given };
    let [first, second] = [reserve("tags=code"), reserve("tags=code")];
    let [reset, claimed, ended] = [reserve("tags=vip"), reserve("tags=vip"), reserve("tags=vip&expiresIn=1")];
    for id in [second.id, reset.id] {
        shop.done(&["reset", "--id", &id.to_string()]);
    }
    let path = format!("/{},{}", claimed.id, claimed.passphrase);
    assert_eq!(client.press(&client.get(&path), &path, &[("owner", BOB)]).status, 303);
    crate::watch::within(Duration::from_secs(10), "the hold ends", || (shop.count("reserved") == 1).then_some(()));
    vec![
        ("unknown", with(Given { id: 5, passphrase: String::new() })),
        ("another passphrase", with(reserve("tags=vip"))),
        ("another passphrase than the imported one", with(first)),
        ("reset", reset),
        ("reset, and imported before", second),
        ("claimed", claimed),
        ("ended", ended),
    ]
}

/// Asks for each in turn, many times over, and fails if one of them is answered sooner or later than another.
fn take_the_same_time<T>(wishes: &[(&str, T)], ask: impl Fn(&T) -> Answer) {
    let mut times = vec![Vec::new(); wishes.len()];
    for round in 0..rounds(1_000, 150) {
        for turn in 0..wishes.len() {
            let which = (round + turn) % wishes.len();
            let watch = Watch::start();
            let answer = ask(&wishes[which].1);
            times[which].push(watch.elapsed());
            assert_eq!(answer.status, 404, "{}: {}", wishes[which].0, answer.body);
        }
    }
    // Whatever else the machine does makes answers later and never sooner, so the sooner ones are compared.
    let sooner = times.iter_mut().map(|times| {
        times.sort_unstable();
        times[times.len() / 5]
    });
    let told: Vec<_> = wishes.iter().map(|(name, _)| *name).zip(sooner).collect();
    let (least, most) = (told.iter().map(|told| told.1).min().unwrap(), told.iter().map(|told| told.1).max().unwrap());
    tell(&format!("a fifth of the answers to dead links came within {told:?}"));
    assert!(!is_measured() || most < least.mul_f64(1.2), "{told:?}");
}

#[test]
fn a_dead_link_is_answered_in_the_same_time_whatever_is_wrong_with_it() {
    let shop = Shop::empty();
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let links = dead_links(&shop, &server, &key);
    // A good key has no limit of guesses, and opens no link.
    let client: Client = server.client(&key).with("accept", b"application/json");
    take_the_same_time(&links, |link| client.get(&format!("/{},{}", link.id, link.passphrase)));
    let claims: Vec<_> = links
        .iter()
        .map(|(name, link)| {
            let signature = peer("signClaim", &[&link.passphrase, &link.id.to_string(), ALICE]).unwrap();
            (*name, json!({"passport_id": link.id, "new_owner": ALICE, "signature": signature}))
        })
        .collect();
    let client = client.with("connection", b"keep-alive");
    take_the_same_time(&claims, |claim| client.post_json("/v1/claims", claim));
}
