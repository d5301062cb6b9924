//! The journal, read from a place on.

use passpool_core::{Actor, Event, Reserve, UserName};
use passpool_store::{Cursor, EventFilter, EventPage, ImportBatch};

use crate::shop::{Shop, at, id, passport, terms};

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
    shop.reset(passpool_store::ResetScope::Named(vec![id(1)]), at(20)).await.unwrap();
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
