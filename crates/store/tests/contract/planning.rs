//! What keeps a database fast whatever is in its tables: how its statements are planned, and where rows are put.

#![expect(clippy::disallowed_methods, reason = "some of it is told by how long a call takes")]

use std::time::{Duration, Instant};

use passpool_core::{Refusal, Reserve, Rule};
use passpool_store::{ImportBatch, Store};

use crate::shop::{Shop, at, passport, secret, selector, tagged, terms, told_by};

/// The middle times of calls for one passport, by this tag of this store and by that of the other. They call in turn, so that
/// both meet whatever else the machine does.
async fn times_in_turn(shop: &Shop, callers: [(&dyn Store, &str); 2], rule: Rule) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..51 {
        for (times, (store, tags)) in times.iter_mut().zip(callers) {
            let wish = Reserve { selector: selector(tags, rule), ..shop.wish(tags, 1) };
            let begun = Instant::now();
            store.reserve(wish).await.unwrap();
            times.push(begun.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    })
}

/// How a pool is read may have been planned when it was empty, and a large reset fills it at once. One who has planned
/// nothing yet is no faster.
pub(crate) async fn a_pool_that_was_empty_is_found_as_fast_when_it_is_full(shop: &Shop) {
    const PASSPORTS: u32 = 40_000;
    shop.stock(1, PASSPORTS.into(), "vip").await;
    shop.reserve("vip", PASSPORTS).await.unwrap();
    shop.count_rows().await;
    assert_eq!(shop.reserve("vip", 1).await, Err(Refusal::PoolShort { available: 0 }));
    shop.reset(tagged("vip"), at(1)).await.unwrap();
    let fresh = shop.backend.open(secret().fingerprint()).await;
    let callers = [(&*shop.store(), "vip"), (&*fresh, "vip")];
    let [planned_when_empty, planned_now] = times_in_turn(shop, callers, Rule::And).await;
    fresh.close().await;
    assert!(planned_when_empty < planned_now * 4, "{planned_when_empty:?}, and {planned_now:?} when planned now");
}

/// Of each of several tags only the first passports are looked at.
pub(crate) async fn one_of_two_tags_is_found_as_fast_where_they_are_large(shop: &Shop) {
    shop.stock(1, 2_500, "few").await;
    shop.stock(2_501, 2_500, "rare").await;
    shop.stock(5_001, 40_000, "many").await;
    shop.stock(45_001, 40_000, "common").await;
    shop.count_rows().await;
    let store = shop.store();
    let callers = [(&*store, "few,rare"), (&*store, "many,common")];
    let [of_small, of_large] = times_in_turn(shop, callers, Rule::Or).await;
    assert!(of_large < of_small * 4, "{of_large:?}, and {of_small:?} where they are small");
}

/// The planner would find out by itself, but later.
pub(crate) async fn the_planner_is_told_of_an_import(shop: &Shop) {
    let import = shop.store().begin_import(terms()).await.unwrap();
    let passports = (1..=3_000).map(|number| passport(number, "vip,gold")).collect();
    shop.store().add_to_import(ImportBatch { import, passports, terms: terms() }).await.unwrap();
    shop.store().publish_import(import).await.unwrap();
    let known = "SELECT relname || ' ' || reltuples::bigint FROM pg_class \
                 WHERE oid IN ('passport'::regclass, 'pool'::regclass, 'tagged'::regclass) ORDER BY relname";
    assert_eq!(told_by(shop, known).await, ["passport 3000", "pool 6000", "tagged 94"]);
}

/// The new version of a passport mostly stands on the page of the old one, so that no index hears of the hand-out. This is
/// the worst case, one transaction that hands all of a page out. A page that is filled further has no room for that.
pub(crate) async fn most_hand_outs_write_into_no_index_of_the_passports(shop: &Shop) {
    let import = shop.store().begin_import(terms()).await.unwrap();
    let passports = (1..=3_000).map(|number| passport(number, "vip")).collect();
    shop.store().add_to_import(ImportBatch { import, passports, terms: terms() }).await.unwrap();
    shop.store().publish_import(import).await.unwrap();
    shop.reserve("vip", 3_000).await.unwrap();
    // A server's process says what it did when it ends, at the latest.
    shop.reopen().await;
    let counts = "SELECT n_tup_hot_upd || ' of ' || n_tup_upd FROM pg_stat_user_tables \
                  WHERE relid = 'passport'::regclass";
    let all = async {
        loop {
            let counted = told_by(shop, counts).await.remove(0);
            if counted.ends_with(" of 3000") {
                return counted;
            }
            assert!(counted.ends_with(" of 0"), "{counted}");
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(20), all).await.expect("they end");
    let on_their_page: u32 = counted.split(' ').next().unwrap().parse().unwrap();
    assert!(on_their_page > 1_900, "{counted}");
}

/// A database of the version before has a row for each tag of each passport. A server of this one makes blocks of them.
pub(crate) async fn a_database_of_rows_gets_blocks(shop: &Shop) {
    shop.stock(1, 130, "vip,gold").await;
    shop.stock(131, 70, "gold").await;
    shop.reserve("vip", 65).await.unwrap();
    shop.run_on_server(
        "DROP TABLE tagged; CREATE TABLE tagged (tag integer NOT NULL, seq bigint NOT NULL, PRIMARY KEY (tag, seq)); \
         INSERT INTO tagged SELECT unnest(tags), seq FROM passport; \
         DELETE FROM refinery_schema_history WHERE version = 2",
    )
    .await;
    shop.reopen().await;
    let blocks = "SELECT name || ' ' || count(*) FROM tagged JOIN tag ON tag.id = tag GROUP BY name ORDER BY name";
    assert_eq!(told_by(shop, blocks).await, ["gold 5", "vip 3"]);
    let report = shop.store().check().await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}
