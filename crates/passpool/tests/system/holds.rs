//! Holds: reservations with an end, which end by themselves.

use std::time::Duration;

use crate::{
    client::{Given, NONE_LEFT},
    shop::Shop,
    watch::{Watch, within},
};

#[test]
fn a_hold_ends_by_itself_and_its_link_is_dead() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let watch = Watch::start();
    let first = client.reserve("tags=vip&format=link&expiresIn=1").given();
    assert_eq!(client.reserve("tags=vip&format=link").body, NONE_LEFT, "it is held");
    let second = within(Duration::from_secs(3), "the end of the hold", || {
        let answer = client.reserve("tags=vip&format=link");
        (answer.status == 200).then(|| answer.given())
    });
    assert!(watch.elapsed() >= Duration::from_secs(1), "it came back too early");
    assert_eq!(second.id, first.id);
    assert_ne!(second.passphrase, first.passphrase);
    let Given { id, passphrase } = second;
    assert_eq!(Vec::from_iter(shop.given("reserved")), [(id, passphrase)], "only the second link lives");
    shop.check();
}

#[test]
fn a_hold_ends_although_nobody_calls() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    assert_eq!(server.client(&key).reserve("tags=vip&format=link&expiresIn=1").status, 200);
    // The journal is written by the worker alone here: nobody asks the server for anything.
    within(Duration::from_secs(3), "the worker's journal row", || {
        (shop.sql("SELECT kind, actor FROM journal ORDER BY seq DESC LIMIT 1") == "ended|clock").then_some(())
    });
    assert_eq!(shop.count("available"), 3);
    shop.check();
}

#[test]
fn a_hold_that_ended_while_no_server_ran_is_over_for_everybody() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let watch = Watch::start();
    let first = server.client(&key).reserve("tags=vip&format=link&expiresIn=2").given();
    assert_eq!(shop.count("reserved"), 1);
    server.kill();
    // Nobody is there to write it down, and still it counts from its very end on.
    within(Duration::from_secs(4), "the end of the hold", || (shop.count("available") == 1).then_some(()));
    assert!(watch.elapsed() >= Duration::from_secs(2));
    assert_eq!(shop.count("reserved"), 0);
    assert_eq!(shop.sql("SELECT state FROM passport"), "1", "nothing was written yet");
    assert_eq!(shop.done(&["reset", "--tags", "vip", "--dry-run"]), "");
    shop.check();
    let server = shop.serve();
    let second = server.client(&key).reserve("tags=vip&format=link").given();
    assert_eq!(second.id, first.id);
    assert_ne!(second.passphrase, first.passphrase);
    shop.check();
}

#[test]
fn the_command_line_reserves_from_a_pool_whose_holds_ended_unseen() {
    let shop = Shop::with(2, "vip");
    let first = shop.done(&["reserve", "--tags", "vip", "--count", "2", "--expires-in", "1s"]);
    within(Duration::from_secs(3), "the end of the holds", || (shop.count("available") == 2).then_some(()));
    let second = shop.done(&["reserve", "--tags", "vip", "--count", "2"]);
    let given = |links: &str| links.lines().map(Given::in_link).collect::<Vec<_>>();
    let ids = |links: &str| {
        let mut ids: Vec<u64> = given(links).iter().map(|given| given.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&first), ids(&second));
    assert!(given(&first).iter().all(|link| !given(&second).contains(link)));
    shop.check();
}

#[test]
fn a_reservation_without_an_end_stays() {
    let shop = Shop::with(2, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let endless = server.client(&key).reserve("tags=vip&format=link").given();
    assert_eq!(server.client(&key).reserve("tags=vip&format=link&expiresIn=1").status, 200);
    within(Duration::from_secs(3), "the end of the other", || (shop.count("available") == 1).then_some(()));
    assert_eq!(Vec::from_iter(shop.given("reserved")), [(endless.id, endless.passphrase)]);
}
