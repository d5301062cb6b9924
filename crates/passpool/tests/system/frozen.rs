//! A server that is frozen for longer than anything of ours waits, and wakes up: it hands out nothing that others have
//! handed out meanwhile.

use std::time::Duration;

use crate::{
    cluster::{Cluster, SOON, sessions},
    load::{Bulk, Halted, Load, Told, three},
    watch::{Watch, is_long, rounds, within},
};

/// How long PostgreSQL waits for a server in the middle of a transaction: as always in the long run, else a tenth of that.
fn patience() -> &'static str {
    let tenth = "%20-c%20idle_in_transaction_session_timeout=1500ms%20-c%20tcp_user_timeout=1500ms";
    if is_long() { "" } else { tenth }
}

/// Longer than any call is answered.
const LONG: Duration = Duration::from_secs(35);

#[test]
fn a_server_frozen_under_load_hands_out_nothing_twice_when_it_wakes_up() {
    let cluster = Cluster::start();
    let shop = cluster.shop("shop");
    let total = rounds(200_000, 10_000);
    shop.create(total, "vip");
    let key = shop.key("crm", "certCreate");
    let servers = three(&shop, &cluster, [""; 3]);
    let load = Load::start(&servers.iter().collect::<Vec<_>>(), &key, 4);
    for round in 0..rounds(3, 2) {
        load.goes_on(&[0, 1, 2], 50 + 13 * round);
        servers[0].freeze();
        let watch = Watch::start();
        while watch.elapsed() < rounds(LONG, LONG / 20) {
            load.goes_on(&[1, 2], 10);
        }
        servers[0].thaw();
    }
    load.goes_on(&[0, 1, 2], 50);
    load.end().prove(&shop, total.into(), 0);
}

/// Freezes a server behind a gate that a bulk has come to, and opens it. PostgreSQL ends what the server has begun, and
/// another has all of it before the first one wakes up.
fn frozen_in_a_bulk(count: usize, gate: &str, waited_for: &str) {
    let cluster = Cluster::start();
    let shop = cluster.shop("shop");
    let total = count as u32 + 100;
    shop.create(total, "vip");
    let key = shop.key("crm", "certCreate");
    let patient = format!("-c%20lock_timeout=60s{}", patience());
    let servers = three(&shop, &cluster, [&patient, "", ""]);
    let (first, second) = (Bulk { count, repeat: "first" }, Bulk { count, repeat: "second" });
    let halted = Halted::behind(gate, &cluster, "first", &servers[0], &key, first);
    servers[0].freeze();
    let call = halted.open();
    let is_at_work = |condition: &str| sessions(&cluster, "first", condition) > 0;
    within(SOON, "a server that is waited for", || is_at_work(waited_for).then_some(()));
    within(SOON, "the end of what it began", || (!is_at_work("state <> 'idle'")).then_some(()));
    let done = second.reserve(&servers[1].client(&key));
    let given = second.given(&done);
    servers[0].thaw();
    let answer = call.join().unwrap().unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.body);
    // And this is the truth.
    let again = first.reserve(&servers[2].client(&key));
    assert_eq!((again.status, again.json()["available"].as_u64()), (409, Some(100)), "{}", again.body);
    Told { given, ..Told::default() }.prove(&shop, total.into(), 0);
}

#[test]
fn a_server_frozen_before_the_commit_of_a_bulk_has_nothing_of_it() {
    frozen_in_a_bulk(3_000, "reservation", "state = 'idle in transaction'");
}

#[test]
fn a_server_frozen_before_it_reads_what_it_was_given_has_nothing_of_it() {
    frozen_in_a_bulk(rounds(100_000, 25_000), "pool", "wait_event = 'ClientWrite'");
}
