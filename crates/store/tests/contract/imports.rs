//! Passports come in: all of a batch, or none.

use std::sync::{Arc, Mutex};

use passpool_core::{Refusal, Rule, StateName, Timestamp};
use passpool_store::{Create, ExportFilter, ImportBatch, ImportId, ImportTerms};

use crate::shop::{Shop, at, id, ids, passport, refusal, selector, tagged, terms};

async fn begin(shop: &Shop) -> ImportId {
    shop.store().begin_import(terms()).await.unwrap()
}

async fn add(shop: &Shop, import: ImportId, from: u64, count: u64) -> Result<u64, Refusal> {
    let passports = (from..from + count).map(|n| passport(n, "vip")).collect();
    shop.store().add_to_import(ImportBatch { import, passports, terms: terms() }).await.map_err(refusal)
}

async fn exported(shop: &Shop, state: Option<StateName>, now: Timestamp) -> Vec<u64> {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let seen = ids.clone();
    let filter = ExportFilter { selector: Some(selector("vip,gold", Rule::Or)), state, now };
    let each = Box::new(move |passport: passpool_store::Exported| {
        seen.lock().unwrap().push(passport.passport.get());
        true
    });
    shop.store().export(filter, each).await.unwrap();
    Arc::into_inner(ids).unwrap().into_inner().unwrap()
}

pub(crate) async fn an_import_is_seen_when_it_is_published_and_not_before(shop: &Shop) {
    shop.stock(1, 5, "vip").await;
    let import = begin(shop).await;
    for slice in 0..3 {
        assert_eq!(add(shop, import, 10_000 + slice * 4_096, 4_096).await, Ok(4_096));
    }
    assert_eq!(shop.counts("vip", at(0)).await.total(), 5);
    assert_eq!(exported(shop, None, at(0)).await, [1, 2, 3, 4, 5]);
    assert_eq!(shop.reserve("vip", 6).await, Err(Refusal::PoolShort { available: 5 }));
    let hidden = passpool_store::ResetScope::Named(vec![id(10_000)]);
    assert_eq!(shop.reset(hidden, at(0)).await, Err(Refusal::UnknownPassport(id(10_000))));
    assert!(shop.store().check().await.unwrap().is_clean(), "nor is it seen by a check");
    shop.store().publish_import(import).await.unwrap();
    assert_eq!(shop.counts("vip", at(0)).await.total(), 5 + 3 * 4_096);
    assert_eq!(shop.reserve("vip", 12_293).await.unwrap().handed_out.len(), 12_293);
    assert_eq!(add(shop, import, 50_000, 1).await, Err(Refusal::ImportOver));
}

pub(crate) async fn a_dropped_import_leaves_nothing(shop: &Shop) {
    shop.stock(1, 5, "vip").await;
    let import = begin(shop).await;
    add(shop, import, 10, 4_096).await.unwrap();
    add(shop, import, 5_000, 10).await.unwrap();
    shop.store().drop_import(import).await.unwrap();
    assert_eq!(shop.store().publish_import(import).await.map_err(refusal), Err(Refusal::ImportOver));
    assert_eq!(shop.counts("vip", at(0)).await.total(), 5);
    let report = shop.store().check().await.unwrap();
    assert_eq!((report.passports, report.journal_rows), (5, 5));
    shop.stock(10, 4_096, "vip").await;
    assert_eq!(shop.counts("vip", at(0)).await.total(), 4_101, "the ids are free again");
}

pub(crate) async fn an_import_that_lost_its_process_is_swept(shop: &Shop) {
    let import = begin(shop).await;
    add(shop, import, 1, 4_096).await.unwrap();
    shop.reopen().await;
    assert_eq!(shop.counts("vip", at(0)).await.total(), 0);
    shop.store().sweep_imports().await.unwrap();
    shop.stock(1, 3, "vip").await;
    assert_eq!(ids(&shop.reserve("vip", 1).await.unwrap()), [1]);
    // The next import sweeps as well.
    let import = begin(shop).await;
    add(shop, import, 10, 10).await.unwrap();
    shop.reopen().await;
    let import = begin(shop).await;
    assert_eq!(add(shop, import, 10, 10).await, Ok(10));
    shop.store().publish_import(import).await.unwrap();
}

pub(crate) async fn ids_that_are_used_and_ids_that_are_doubled_are_told_apart(shop: &Shop) {
    shop.stock(1, 5, "vip").await;
    let create = async |ids: &[u64]| {
        let passports = ids.iter().map(|n| passport(*n, "new")).collect();
        shop.store().create(Create { passports, terms: terms() }).await.map_err(refusal)
    };
    assert_eq!(create(&[10, 3]).await, Err(Refusal::IdUsed(id(3))));
    assert_eq!(create(&[10, 11, 10]).await, Err(Refusal::IdDoubled(id(10))));
    assert_eq!(shop.counts("new", at(0)).await.total(), 0, "nothing of it is there");
    let import = begin(shop).await;
    add(shop, import, 100, 10).await.unwrap();
    assert_eq!(add(shop, import, 109, 1).await, Err(Refusal::IdDoubled(id(109))));
    assert_eq!(add(shop, import, 5, 10).await, Err(Refusal::IdUsed(id(5))));
    assert_eq!(add(shop, import, 110, 10).await, Ok(10), "the import goes on");
    shop.store().publish_import(import).await.unwrap();
    assert_eq!(shop.counts("vip", at(0)).await.total(), 25);
}

pub(crate) async fn known_ids_are_passed_over_if_asked(shop: &Shop) {
    shop.stock(1, 5, "vip").await;
    let terms = ImportTerms { skip_known: true, ..terms() };
    let passports = |ids: &[u64]| ids.iter().map(|n| passport(*n, "new")).collect::<Vec<_>>();
    let made = shop.store().create(Create { passports: passports(&[4, 5, 6, 7]), terms: terms.clone() }).await.unwrap();
    assert_eq!((made, shop.counts("new", at(0)).await.total()), (2, 2));
    let doubled = shop.store().create(Create { passports: passports(&[8, 8]), terms: terms.clone() }).await;
    assert_eq!(doubled.map_err(refusal), Err(Refusal::IdDoubled(id(8))));
    let import = shop.store().begin_import(terms.clone()).await.unwrap();
    let batch = ImportBatch { import, passports: passports(&[1, 2, 3]), terms };
    assert_eq!(shop.store().add_to_import(batch).await.unwrap(), 0);
    shop.store().publish_import(import).await.unwrap();
}

pub(crate) async fn there_is_one_import_at_a_time(shop: &Shop) {
    let import = begin(shop).await;
    assert_eq!(shop.store().begin_import(terms()).await.map_err(refusal), Err(Refusal::ImportRunning));
    shop.store().sweep_imports().await.unwrap();
    assert_eq!(add(shop, import, 1, 1).await, Ok(1), "a sweep does not touch one that runs");
    shop.store().publish_import(import).await.unwrap();
    let next = begin(shop).await;
    shop.store().drop_import(next).await.unwrap();
}

pub(crate) async fn a_few_are_made_while_an_import_runs(shop: &Shop) {
    let import = begin(shop).await;
    add(shop, import, 1_000, 100).await.unwrap();
    shop.stock(1, 10, "vip").await;
    add(shop, import, 2_000, 100).await.unwrap();
    assert_eq!(ids(&shop.reserve("vip", 10).await.unwrap()), (1..=10).collect::<Vec<_>>());
    assert_eq!(shop.reset(tagged("vip"), at(1)).await, Ok(10));
    shop.store().publish_import(import).await.unwrap();
    let oldest_first = (1_000..1_100).chain(1..=10).chain(2_000..2_100);
    assert_eq!(ids(&shop.reserve("vip", 210).await.unwrap()), oldest_first.collect::<Vec<_>>());
}

pub(crate) async fn an_export_shows_what_matches(shop: &Shop) {
    shop.stock(1, 3, "vip").await;
    shop.stock(10, 3, "gold").await;
    shop.stock(20, 3, "plain").await;
    let wish = passpool_core::Reserve { until: Some(at(60)), ..shop.wish("gold", 2) };
    shop.reserve_as(wish).await.unwrap();
    assert_eq!(exported(shop, None, at(0)).await, [1, 2, 3, 10, 11, 12]);
    assert_eq!(exported(shop, Some(StateName::Reserved), at(59)).await, [10, 11]);
    assert_eq!(exported(shop, Some(StateName::Reserved), at(60)).await, [0; 0]);
    assert_eq!(exported(shop, Some(StateName::Available), at(60)).await, [1, 2, 3, 10, 11, 12]);
}
