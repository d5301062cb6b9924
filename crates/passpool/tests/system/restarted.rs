//! PostgreSQL goes away and comes back, or another takes its place: callers are told to wait, and service goes on by
//! itself.

use crate::{
    cluster::{Cluster, Mode},
    load::Load,
    shop::Server,
    watch::rounds,
};

/// How many passports there are: more than any load takes.
const TOTAL: u32 = 60_000;

#[test]
fn postgres_is_restarted_under_load_and_service_goes_on_without_a_restart_of_ours() {
    let mut cluster = Cluster::start();
    let shop = cluster.shop("shop");
    let total = rounds(2 * TOTAL, TOTAL / 3);
    shop.create(total, "vip");
    let key = shop.key("crm", "certCreate");
    let servers: Vec<Server> = (0..3).map(|_| shop.serve()).collect();
    let load = Load::start(&servers.iter().collect::<Vec<_>>(), &key, 4);
    for round in 0..rounds(20, 2) {
        load.goes_on(&[0, 1, 2], 50 + 7 * round);
        cluster.stop(if round % 2 == 0 { Mode::Fast } else { Mode::Immediate });
        // Nobody is served, and nobody is kept waiting without an answer.
        let answer = servers[0].client(&key).reserve("tags=vip&format=link");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.body);
        assert_eq!(servers[1].stranger().get("/healthz").status, 200);
        assert_eq!(servers[1].stranger().get("/readyz").status, 503);
        cluster.start_again();
    }
    load.goes_on(&[0, 1, 2], 50);
    assert_eq!(servers[1].stranger().get("/readyz").status, 200);
    let told = load.end();
    assert!(told.not_now > 0, "nobody was told to wait: {} links", told.given.len());
    told.prove(&shop, total.into(), 0);
}

#[test]
fn a_standby_takes_over_from_a_primary_that_was_killed_and_the_servers_go_on_by_themselves() {
    for _ in 0..rounds(5, 1) {
        let mut primary = Cluster::start();
        let mut shop = primary.shop("shop");
        let total = rounds(TOTAL, TOTAL / 6);
        shop.create(total, "vip");
        let key = shop.key("crm", "certCreate");
        let standby = primary.synchronous_standby();
        let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port());
        let url = format!("postgres://passpool@{hosts}/shop?target_session_attrs=read-write");
        let servers: Vec<Server> = (0..3).map(|_| shop.serve_at(&url)).collect();
        let load = Load::start(&servers.iter().collect::<Vec<_>>(), &key, 4);
        load.goes_on(&[0, 1, 2], rounds(500, 100));
        primary.crash();
        standby.promote();
        load.goes_on(&[0, 1, 2], rounds(500, 100));
        let told = load.end();
        shop.moved_to(standby.url("shop"));
        told.prove(&shop, total.into(), 0);
    }
}
