//! The journal, read from a place on.

use std::time::Duration;

use passpool_core::{Actor, Event, PassportId, Refusal, Reserve, UserName};
use passpool_store::{Cursor, EventFilter, EventPage, ImportBatch, PassportFilter, PassportPage, ResetScope};
use tokio::task::JoinHandle;

use crate::{
    backend::connect,
    shop::{Shop, at, id, passport, terms, told_by},
};

async fn read(shop: &Shop, filter: &EventFilter, after: Option<Cursor>, limit: usize) -> (Vec<String>, Option<Cursor>) {
    let page = shop.store().events(filter.clone(), EventPage { after, limit }).await.unwrap();
    (page.items.iter().map(|row| format!("{} {} {}", row.event, row.passport, row.by)).collect(), page.next)
}

async fn all(shop: &Shop, filter: EventFilter) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (rows, next) = read(shop, &filter, after, 2).await;
        found.extend(rows);
        match next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

pub(crate) async fn events_are_read_by_what_they_are_about(shop: &Shop) {
    shop.stock(1, 3, "vip").await;
    let crm = Actor::User(UserName::parse("crm").unwrap());
    shop.reserve_as(Reserve { by: crm.clone(), now: at(10), ..shop.wish("vip", 2) }).await.unwrap();
    shop.reset(ResetScope::Named(vec![id(1)]), at(20)).await.unwrap();
    let everything = [
        "created 1 cli",
        "created 2 cli",
        "created 3 cli",
        "reserved 1 user:crm",
        "reserved 2 user:crm",
        "reset 1 cli",
    ];
    assert_eq!(all(shop, EventFilter::default()).await, everything);
    let since = EventFilter { since: Some(at(10)), ..EventFilter::default() };
    assert_eq!(all(shop, since).await, everything[3..]);
    assert_eq!(all(shop, EventFilter { since: Some(at(21)), ..EventFilter::default() }).await, [""; 0]);
    let kind = EventFilter { event: Some(Event::Reserved), ..EventFilter::default() };
    assert_eq!(all(shop, kind).await, everything[3..5]);
    assert_eq!(all(shop, EventFilter { by: Some(crm), ..EventFilter::default() }).await, everything[3..5]);
    let of_one = EventFilter { passport: Some(id(1)), ..EventFilter::default() };
    assert_eq!(all(shop, of_one.clone()).await, [everything[0], everything[3], everything[5]]);
    assert_eq!(all(shop, EventFilter { since: Some(at(15)), ..of_one }).await, [everything[5]]);
    assert_eq!(all(shop, EventFilter { passport: Some(id(9)), ..EventFilter::default() }).await, [""; 0]);
}

pub(crate) async fn whoever_reads_on_misses_nothing_of_an_import(shop: &Shop) {
    shop.stock(1, 1, "vip").await;
    let import = shop.store().begin_import(terms()).await.unwrap();
    let batch = ImportBatch { import, passports: vec![passport(7, "vip")], terms: terms() };
    shop.store().add_to_import(batch).await.unwrap();
    shop.reserve("vip", 1).await.unwrap();
    let filter = EventFilter::default();
    let page = shop.store().events(filter.clone(), EventPage { after: None, limit: 10 }).await.unwrap();
    assert_eq!(page.items.iter().map(|row| row.passport).collect::<Vec<_>>(), [id(1)], "nothing behind what is hidden");
    let last = page.items.last().unwrap().cursor();
    shop.store().publish_import(import).await.unwrap();
    let (rows, _) = read(shop, &filter, Some(last), 10).await;
    assert_eq!(rows, ["created 7 cli", "reserved 1 cli"]);
}

/// A reset that has its number and does not come to its end, because somebody stands in its way.
struct HeldUp {
    reset: JoinHandle<Result<u64, Refusal>>,
    in_its_way: tokio_postgres::Client,
}

impl HeldUp {
    /// The passport has to be out of the pool, and to have one tag.
    async fn reset_of(shop: &std::sync::Arc<Shop>, passport: PassportId) -> Self {
        let in_its_way = connect(&shop.backend.url()).await;
        // The same row of the pool that the reset will write after its row of the journal.
        let sql = format!("BEGIN; INSERT INTO pool (tag, seq) SELECT tags[1], seq FROM passport WHERE id = {passport}");
        in_its_way.batch_execute(&sql).await.unwrap();
        let pid: i32 = in_its_way.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let reset = tokio::spawn({
            let shop = shop.clone();
            async move { shop.reset(ResetScope::Named(vec![passport]), at(20)).await }
        });
        let held = format!("SELECT pid::text FROM pg_stat_activity WHERE {pid} = ANY (pg_blocking_pids(pid))");
        until(|| async { !told_by(shop, &held).await.is_empty() }).await;
        Self { reset, in_its_way }
    }

    async fn let_go(self) {
        self.in_its_way.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(self.reset.await.unwrap(), Ok(1));
    }
}

/// Waits until it is so, and not for ever.
async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    let wait = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}

pub(crate) async fn nobody_reads_past_a_number_whose_row_is_still_to_come(shop: &std::sync::Arc<Shop>) {
    shop.stock(1, 2, "vip").await;
    shop.reserve("vip", 1).await.unwrap();
    let held_up = HeldUp::reset_of(shop, id(1)).await;
    shop.reserve_as(Reserve { now: at(30), ..shop.wish("vip", 1) }).await.unwrap();

    let everything = EventFilter::default();
    let (rows, next) = read(shop, &everything, None, 10).await;
    assert_eq!(rows, ["created 1 cli", "created 2 cli", "reserved 1 cli"], "the second reservation has a later number");
    assert!(next.is_some(), "there is more to come");
    let (rows, next) = read(shop, &everything, next, 10).await;
    assert_eq!((rows.len(), next.is_some()), (0, true));
    let changes = PassportFilter { changed_since: Some(at(10)), ..PassportFilter::default() };
    let page = PassportPage { after: None, limit: 10, now: at(40) };
    let listed = shop.store().passports(changes.clone(), page).await.unwrap();
    assert_eq!((listed.items.len(), listed.next.is_some()), (0, true));

    held_up.let_go().await;
    let (rows, end) = read(shop, &everything, next, 10).await;
    assert_eq!((rows, end), (vec!["reset 1 cli".to_owned(), "reserved 2 cli".to_owned()], None));
    let listed = shop.store().passports(changes, PassportPage { after: listed.next, ..page }).await.unwrap();
    let passports: Vec<PassportId> = listed.items.iter().map(|listed| listed.passport).collect();
    assert_eq!((passports, listed.next), (vec![id(1), id(2)], None));
}

pub(crate) async fn a_number_that_was_taken_in_vain_holds_nobody_up(shop: &Shop) {
    shop.stock(1, 2, "vip").await;
    told_by(shop, "SELECT nextval('journal_number')::text").await;
    shop.reserve("vip", 1).await.unwrap();
    assert_eq!(all(shop, EventFilter::default()).await, ["created 1 cli", "created 2 cli", "reserved 1 cli"]);
    let since = PassportFilter { changed_since: Some(at(0)), ..PassportFilter::default() };
    let page = PassportPage { after: None, limit: 10, now: at(40) };
    assert_eq!(shop.store().passports(since, page).await.unwrap().items.len(), 2);
}

pub(crate) async fn a_moment_is_found_in_a_long_journal(shop: &Shop) {
    shop.stock(1, 20_480, "vip").await;
    shop.reserve_as(Reserve { now: at(100), ..shop.wish("vip", 1) }).await.unwrap();
    until(|| async { told_by(shop, "SELECT seq::text FROM journal_mark").await.len() == 2 }).await;
    // A server whose request waited for long says when it began.
    shop.reserve_as(Reserve { now: at(50), ..shop.wish("vip", 1) }).await.unwrap();
    let since = |seconds| EventFilter { since: Some(at(seconds)), ..EventFilter::default() };
    assert_eq!(read(shop, &since(100), None, 10).await, (vec!["reserved 1 cli".to_owned()], None));
    assert_eq!(read(shop, &since(50), None, 10).await.0, ["reserved 1 cli", "reserved 2 cli"]);
    assert_eq!(read(shop, &since(0), None, 10).await.0[9], "created 10 cli");
}
