//! One of three servers is taken away in the middle of its work: the others go on, and nothing of it is half done.

use serde_json::json;

use crate::{
    client::Given,
    cluster::{Cluster, SOON, WAITS, sessions},
    load::{Bulk, Halted, Load, Told, three},
    shop::Server,
    watch::{rounds, within},
};

#[test]
fn a_server_is_killed_under_load_and_the_others_go_on() {
    let cluster = Cluster::start();
    let shop = cluster.shop("shop");
    let total = rounds(100_000, 10_000);
    shop.create(total, "vip");
    let key = shop.key("crm", "certCreate");
    let mut given_before = 0;
    for round in 0..rounds(10, 1) {
        let mut servers = three(&shop, &cluster, [""; 3]);
        let load = Load::start(&servers.iter().collect::<Vec<_>>(), &key, 4);
        load.goes_on(&[0, 1, 2], 100 + 17 * round);
        servers.remove(0).kill();
        load.goes_on(&[1, 2], 100);
        let told = load.end();
        told.prove(&shop, total.into(), given_before);
        given_before = shop.count("reserved");
    }
}

#[test]
fn a_server_that_is_killed_while_it_holds_passports_leaves_them_to_the_others() {
    let cluster = Cluster::start();
    let shop = cluster.shop("shop");
    shop.create(3_100, "vip");
    let key = shop.key("crm", "certCreate");
    let (patient, brief) = ("-c%20lock_timeout=60s", "-c%20lock_timeout=200ms");
    let mut servers = three(&shop, &cluster, [patient, brief, brief]);
    let bulk = Bulk { count: 3_000, repeat: "bulk" };
    let held = Halted::at(&cluster, "first", &servers[0], &key, bulk);
    // What it holds is passed over.
    let mut given: Vec<Given> =
        (0..50).map(|_| servers[1].client(&key).reserve("tags=vip&format=link").given()).collect();
    let meanwhile = bulk.reserve(&servers[1].client(&key));
    assert_eq!((meanwhile.status, meanwhile.header("retry-after")), (409, Some("1")), "{}", meanwhile.body);
    servers.remove(0).kill();
    assert!(held.let_go().is_err(), "a server that is gone has answered");
    within(SOON, "the end of its sessions", || (sessions(&cluster, "first", "true") == 0).then_some(()));
    assert_eq!(shop.count("reserved"), 50, "nothing of it was done");
    let done = bulk.reserve(&servers[1].client(&key));
    given.extend(bulk.given(&done));
    let told = Told { given, ..Told::default() };
    told.prove(&shop, 3_100, 0);
}

#[test]
fn an_import_that_dies_with_its_server_leaves_nothing_and_nobody_waits_for_its_lock() {
    let cluster = Cluster::start();
    let shop = cluster.shop("shop");
    let key = shop.key("crm", "certCreate,certRead");
    let mut servers = three(&shop, &cluster, [""; 3]);
    let count = rounds(200_000_u32, 40_000);
    let rows: String = (1..=count).map(|id| format!("{{\"id\":{id},\"tags\":[\"vip\"]}}\n")).collect();
    let import = |server: &Server| server.client(&key).post("/v1/passports/import", "application/x-ndjson", &rows);
    assert_eq!(import(&servers[0]).status, 202);
    let hidden = || cluster.sql("shop", "SELECT count(*) FROM hidden").parse::<u32>().unwrap();
    within(SOON, "the first chunk", || (hidden() > 0).then_some(()));
    let gate = cluster.shut("shop", "hidden");
    within(SOON, "the import's next chunk", || (sessions(&cluster, "first", WAITS) > 0).then_some(()));
    servers.remove(0).kill();
    gate.open();
    let left = || cluster.sql("shop", "SELECT (SELECT count(*) FROM passport) + (SELECT count(*) FROM import)");
    within(SOON, "the sweeping", || (left() == "0").then_some(()));
    shop.check();
    let begun = import(&servers[0]);
    let place = begun.header("location").unwrap();
    let job = within(SOON, "the import", || {
        let job = servers[0].client(&key).get(place).json();
        (job["state"] != "running").then_some(job)
    });
    assert_eq!((&job["state"], &job["imported"]), (&json!("done"), &json!(count)), "{job}");
    Told::default().prove(&shop, count.into(), 0);
}
