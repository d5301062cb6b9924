//! Races: many clients at one pool, and every passport goes to one of them.

use std::{collections::BTreeMap, thread};

use serde_json::json;

use crate::{
    client::{Given, NONE_LEFT},
    shop::{Shop, assert_each_once},
    watch::rounds,
};

const CLIENTS: u32 = 64;

#[test]
fn clients_that_empty_a_pool_get_every_passport_once_and_then_the_error() {
    let passports = rounds(20_000, 2_000);
    let shop = Shop::with(passports, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let client = server.client(&key);
            thread::spawn(move || {
                let mut given = Vec::new();
                loop {
                    let answer = client.reserve("tags=vip&format=link");
                    if answer.status != 200 {
                        assert_eq!((answer.status, answer.body.as_str()), (400, NONE_LEFT));
                        return given;
                    }
                    given.push(answer.given());
                }
            })
        })
        .collect();
    let given: Vec<Given> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert_eq!(given.len(), passports as usize);
    assert_each_once(&given);
    let told: BTreeMap<u64, String> = given.into_iter().map(|given| (given.id, given.passphrase)).collect();
    assert!(shop.given("reserved") == told, "the links that were given are not those that stand");
    let counts = json!({
        "available": 0, "reserved": passports, "scanned": 0, "pending": 0, "claimed": 0, "recovered": 0,
        "withdrawn": 0, "total": passports,
    });
    assert_eq!(shop.pool(), json!({ "all": counts, "tags": { "vip": counts } }));
    shop.check();
}

#[test]
fn clients_that_ask_for_different_tags_never_share_a_passport() {
    let each = rounds(2_000, 200);
    let shop = Shop::empty();
    for tags in ["red", "blue", "red,blue"] {
        let rows: String = (0..each).map(|_| format!("\"{tags}\"\n")).collect();
        shop.done(&["import", &shop.file("rows.csv", format!("tags\n{rows}"))]);
    }
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let queries = ["tags=red", "tags=blue", "tags=red,blue", "tags=red,blue&tagRule=or"];
    let clients: Vec<_> = (0..16)
        .map(|number| {
            let client = server.client(&key);
            let query = format!("{}&format=link", queries[number % queries.len()]);
            thread::spawn(move || {
                let mut given = Vec::new();
                loop {
                    match client.reserve(&query) {
                        answer if answer.status == 200 => given.push(answer.given()),
                        answer => {
                            assert_eq!(answer.body, NONE_LEFT);
                            return given;
                        }
                    }
                }
            })
        })
        .collect();
    let given: Vec<Given> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert_eq!(given.len(), 3 * each);
    assert_each_once(&given);
    shop.check();
}

#[test]
fn callers_who_race_with_one_idempotency_key_get_one_passport() {
    let shop = Shop::with(100, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    for round in 0..rounds(50, 5) {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let client = server.client(&key);
                thread::spawn(move || client.reserve_once(&format!("order-{round}"), "tags=vip&format=link"))
            })
            .collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        // Who comes while the first call runs may be told to come again. Nobody gets another passport.
        let (given, running): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert!(given.iter().all(|answer| answer.body == given[0].body), "{given:?}");
        assert_eq!(given.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count(), 1);
        for answer in running {
            answer.refusal(409, "nmp.back.dispenser.idempotency.running");
            assert!(answer.header("retry-after").is_some());
        }
        assert_eq!(shop.count("reserved"), round + 1);
    }
}

#[test]
fn resets_in_the_middle_leave_nobody_with_a_live_link_twice() {
    let shop = Shop::with(20, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let calls = rounds(2_000, 200);
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let client = server.client(&key);
            thread::spawn(move || {
                let mut given = Vec::new();
                for call in 0..calls {
                    if (call + number) % 10 == 0 {
                        assert_eq!(client.reset("tags=vip").status, 200);
                    }
                    let answer = client.reserve("tags=vip&format=link");
                    if answer.status == 200 {
                        given.push(answer.given());
                    } else {
                        assert_eq!(answer.body, NONE_LEFT);
                    }
                }
                given
            })
        })
        .collect();
    let given: Vec<Given> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let mut links = given.clone();
    links.sort_unstable();
    links.dedup();
    assert_eq!(links.len(), given.len(), "a link was given twice");
    // Every link that lives is one that somebody got.
    for (id, passphrase) in shop.given("reserved") {
        assert!(links.binary_search(&Given { id, passphrase }).is_ok(), "passport {id}");
    }
    shop.check();
}
