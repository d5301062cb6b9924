//! Counts that agree at every moment, whatever goes on.

use std::sync::Arc;

use passpool_core::StateName;
use passpool_store::{ResetScope, TagFilter};

use crate::{
    backend::connect,
    shop::{Shop, at, secret, tagged},
};

/// How many passports there are, and what they are tagged with.
const PASSPORTS: u64 = 300;
const TAGS: &str = "vip,gold";

pub(crate) async fn sums_agree_while_passports_come_and_go(shop: &Arc<Shop>) {
    shop.stock(1, PASSPORTS, TAGS).await;
    let workers: Vec<_> = (0..4).map(|_| tokio::spawn(take_and_give_back(shop.clone()))).collect();
    while workers.iter().any(|worker| !worker.is_finished()) {
        let counts = shop.store().counts(TagFilter::Largest(10), at(0)).await.unwrap();
        assert_eq!(counts.all.total(), PASSPORTS);
        assert_eq!(counts.tags.len(), 2);
        for (tag, of_tag) in counts.tags {
            assert_eq!(of_tag, counts.all, "{tag}");
        }
        // Whoever opens the database keeps its house.
        shop.backend.open(secret().fingerprint()).await.close().await;
    }
    for worker in workers {
        worker.await.unwrap();
    }
}

async fn take_and_give_back(shop: Arc<Shop>) {
    for _ in 0..30 {
        shop.reserve("vip", 7).await.ok();
        let taken = shop.reserve("gold", 1).await;
        if let Ok(taken) = taken {
            let named = taken.handed_out.iter().map(|handed| handed.passport).collect();
            // Somebody else may have given it back already.
            shop.reset(ResetScope::Named(named), at(0)).await.ok();
        }
        shop.reset(tagged("vip,gold"), at(0)).await.ok();
    }
}

pub(crate) async fn a_tally_that_is_wrong_is_found(shop: &Shop) {
    shop.stock(1, 3, "vip").await;
    shop.reserve("vip", 1).await.unwrap();
    let db = connect(&shop.backend.url()).await;
    let add = async |number: i32, reserved: i32| {
        let sql = format!(
            "INSERT INTO tally_delta (tag, number, reserved) SELECT id, {number}, {reserved} FROM tag WHERE name = 'vip'"
        );
        db.batch_execute(&sql).await.unwrap();
    };
    add(-1, 2).await;
    let report = shop.store().check().await.unwrap();
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["tag vip: the tally counts 3 as reserved, and there are 1"]);
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Reserved), 3);
    add(-2, -2).await;
}
