//! A PostgreSQL that takes whatever is said and says nothing: callers are told to wait, and service goes on by itself
//! when there is one that answers, although the old connections never do.

use std::{thread, time::Duration};

use crate::{
    client::Answer,
    cluster::{Cluster, SOON},
    cutter::Cutter,
    load::{Load, Told},
    watch::{Watch, rounds, within},
};

/// How long a caller may be kept waiting: as long as the slowest answer may take, and a moment for the machine.
const BOUND: Duration = Duration::from_secs(40);

/// Gives the answer if it comes in time.
fn in_time(ask: impl FnOnce() -> Answer) -> Answer {
    let watch = Watch::start();
    let answer = ask();
    assert!(watch.elapsed() < BOUND, "an answer after {:?}: {answer:?}", watch.elapsed());
    answer
}

#[test]
fn a_database_that_says_nothing_keeps_nobody_waiting_for_ever_and_is_used_again_when_it_answers() {
    let cluster = Cluster::start();
    let shop = cluster.shop("shop");
    let total = rounds(50_000, 10_000);
    shop.create(total, "vip");
    let key = shop.key("crm", "certCreate");
    let cutter = Cutter::before(cluster.port());
    let server = shop.serve_at(&cutter.url("shop"));
    let client = server.client(&key);
    let (mut told, mut others) = (Told::default(), 0);
    for _ in 0..rounds(3, 1) {
        let load = Load::start(&[&server], &key, 8);
        load.goes_on(&[0], 50);
        cutter.fall_silent();
        for _ in 0..2 {
            let answer = in_time(|| client.reserve("tags=vip&format=link"));
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.body);
            told.unknown += 1;
            // The process lives, and says so; and that its database does not answer.
            let healthy = server.stranger().get("/healthz");
            assert_eq!((healthy.status, healthy.body.as_str()), (200, "ok"));
            assert_eq!(in_time(|| server.stranger().get("/readyz")).status, 503);
        }
        // Each caller goes on until it has an answer to its last call.
        let ending = thread::spawn(|| load.end());
        cutter.answer_again();
        // Whatever waits on the old connections gives them up: those who share a statement, those who do not, and health.
        within(SOON, "service", || {
            let is_served = client.reserve("tags=vip&format=link").status == 200;
            told.unknown += u64::from(!is_served);
            is_served.then_some(())
        });
        within(SOON, "the last answers", || ending.is_finished().then_some(()));
        others += 1;
        told.add(ending.join().unwrap());
        assert_eq!(server.stranger().get("/readyz").status, 200);
    }
    told.prove(&shop, total.into(), others);
}
