//! Several servers at one database: each thing is done once, whoever does it.

use std::{os::unix::fs::PermissionsExt, thread, time::Duration};

use serde_json::json;
use ureq::http::Method;

use crate::{
    client::Given,
    cluster::{Cluster, SOON},
    load::{Told, three},
    shop::{Server, assert_each_once},
    watch::{Watch, rounds, within},
};

/// How long a key may live on elsewhere.
const FIVE_SECONDS: Duration = Duration::from_secs(5);

#[test]
fn ten_servers_start_at_once_on_an_empty_database_and_make_one() {
    let cluster = Cluster::start();
    for round in 0..rounds(10, 2) {
        let name = format!("shop{round}");
        let shop = cluster.shop(&name);
        let secret = shop.folder().join("passpool.secret");
        // In every second round they have to agree on the secret, too.
        if round % 2 == 0 {
            shop.file("passpool.secret", [7; 32]);
            std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        }
        let servers: Vec<Server> = thread::scope(|scope| {
            let starting: Vec<_> = (0..10).map(|_| scope.spawn(|| shop.serve())).collect();
            starting.into_iter().map(|server| server.join().unwrap()).collect()
        });
        if round % 2 == 0 {
            assert_eq!(std::fs::read(&secret).unwrap(), [7; 32]);
        }
        let counts = "SELECT (SELECT count(*) FROM secret), (SELECT count(*) FROM account), \
                      (SELECT count(*) = max(version) FROM refinery_schema_history)";
        assert_eq!(cluster.sql(&name, counts), "1|1|t");
        shop.create(30, "vip");
        let key = shop.key("crm", "certCreate");
        let reserve = |server: &Server| server.client(&key).reserve("tags=vip&format=link").given();
        let given: Vec<Given> = servers.iter().chain(&servers).map(reserve).collect();
        Told { given, ..Told::default() }.prove(&shop, 30, 0);
    }
}

#[test]
fn each_hold_that_is_due_ends_once_and_each_transfer_is_settled_once() {
    let cluster = Cluster::start();
    let shop = cluster.shop("shop");
    let each = rounds(10_000_u32, 700);
    shop.create(3 * each, "vip");
    shop.create(300, "drop");
    let key = shop.key("crm", "certCreate");
    let servers = three(&shop, &cluster, [""; 3]);
    for server in &servers {
        let hold = json!({"tags": ["vip"], "count": each, "expires_in": 2});
        assert_eq!(server.client(&key).post_json("/v1/reservations", &hold).status, 201);
        let wallets: Vec<String> = (1..=100).map(|wallet| format!("0x{wallet:040x}")).collect();
        let path = "/api/certificate/one2Many/forceTransfer/v2?label=drop&format=linkObject";
        assert_eq!(server.client(&key).get_with(path, &json!(wallets)).status, 200);
    }
    // Whoever finds the pool empty ends what is due, besides the servers' own workers.
    let given: Vec<Given> = thread::scope(|scope| {
        let waiting = (0..9).map(|number| {
            let client = servers[number % 3].client(&key);
            scope.spawn(move || {
                within(SOON, "a hold's end", || {
                    let answer = client.reserve("tags=vip&format=link");
                    (answer.status == 200).then(|| answer.given())
                })
            })
        });
        let waiting: Vec<_> = waiting.collect();
        waiting.into_iter().map(|given| given.join().unwrap()).collect()
    });
    assert_each_once(&given);
    let count = |name: &str| shop.count(name);
    let told = |kind: &str| {
        cluster.sql("shop", &format!("SELECT count(*), count(DISTINCT passport) FROM journal WHERE kind = '{kind}'"))
    };
    // An end counts at once, and is written down when a worker comes by.
    let all = (3 * each).to_string();
    within(SOON, "the last hold", || (told("ended").split('|').nth(1) == Some(&*all)).then_some(()));
    within(SOON, "the last transfer", || (count("claimed") == 300).then_some(()));
    assert_eq!(told("ended"), format!("{all}|{all}"));
    assert_eq!(count("available"), u64::from(3 * each) - 9);
    assert_eq!(told("settled"), "300|300");
    assert_eq!(count("reserved"), 9);
    shop.check();
}

#[test]
fn a_key_that_is_revoked_is_dead_at_once_where_that_was_answered_and_within_five_seconds_elsewhere() {
    let cluster = Cluster::start();
    let shop = cluster.shop("shop");
    let (boss, key) = (shop.key("boss", "admin"), shop.key("crm", "certRead"));
    let servers = three(&shop, &cluster, [""; 3]);
    let status = |server: &Server, key: &str| server.client(key).get("/v1/pools").status;
    assert!(servers.iter().all(|server| status(server, &key) == 200));
    let path = format!("/v1/users/crm/keys/{}", &key[..8]);
    let revoked = servers[0].client(&boss).ask(Method::DELETE, &path).unwrap();
    let watch = Watch::start();
    assert_eq!((revoked.status, status(&servers[0], &key)), (204, 401), "{}", revoked.body);
    let mut living = vec![&servers[1], &servers[2]];
    within(SOON, "its end", || {
        let sent = watch.elapsed();
        living.retain(|server| status(server, &key) == 200);
        assert!(living.is_empty() || sent < FIVE_SECONDS, "it lives on after {sent:?}");
        living.is_empty().then_some(())
    });
    // So is all that was taken away otherwise.
    let clerk = shop.key("clerk", "certRead");
    assert_eq!(status(&servers[0], &clerk), 200);
    let none = servers[0].client(&boss).send(Method::PUT, "/v1/profiles/clerk", r#"{"rights":["certDelete"]}"#);
    assert_eq!((none.status, status(&servers[0], &clerk)), (204, 403), "{}", none.body);
    let gone = servers[0].client(&boss).ask(Method::DELETE, "/v1/users/clerk").unwrap();
    assert_eq!((gone.status, status(&servers[0], &clerk)), (204, 401), "{}", gone.body);
}
