//! Holds end by themselves.

use passpool_core::{Refusal, Reserve, StateName};

use crate::shop::{Shop, at, ids, tagged};

fn held(shop: &Shop, count: u32, until: i64) -> Reserve {
    Reserve { until: Some(at(until)), ..shop.wish("vip", count) }
}

pub(crate) async fn a_hold_ends_exactly_at_its_end(shop: &Shop) {
    shop.stock(1, 1, "vip").await;
    let first = shop.reserve_as(held(shop, 1, 60)).await.unwrap();
    let ask = |now| Reserve { now: at(now), ..shop.wish("vip", 1) };
    assert_eq!(shop.reserve_as(ask(59)).await, Err(Refusal::PoolShort { available: 0 }));
    // Nobody ended the hold: it is over all the same.
    let second = shop.reserve_as(ask(60)).await.unwrap();
    assert_eq!(ids(&second), ids(&first));
    assert_ne!(second.only().key, first.only().key, "the old link is dead");
}

pub(crate) async fn ended_holds_count_as_available_before_anybody_ended_them(shop: &Shop) {
    shop.stock(1, 5, "vip").await;
    shop.reserve_as(held(shop, 3, 60)).await.unwrap();
    shop.reopen().await;
    let check = async |now, available, reserved| {
        let counts = shop.counts("vip", at(now)).await;
        assert_eq!(
            (counts.of(StateName::Available), counts.of(StateName::Reserved)),
            (available, reserved),
            "at {now}"
        );
    };
    check(59, 2, 3).await;
    check(60, 5, 0).await;
    assert_eq!(shop.reset(tagged("vip"), at(60)).await, Ok(0), "nobody holds them");
}

/// What the call itself has given back to the pool it takes as it is by then.
pub(crate) async fn many_whose_holds_have_ended_are_handed_out_in_one_call(shop: &Shop) {
    shop.stock(1, 17_000, "vip").await;
    let first = shop.reserve_as(held(shop, 17_000, 60)).await.unwrap();
    let second = shop.reserve_as(Reserve { now: at(60), ..shop.wish("vip", 17_000) }).await.unwrap();
    assert_eq!(ids(&second), ids(&first));
    assert_eq!(shop.counts("vip", at(60)).await.of(StateName::Reserved), 17_000);
}

pub(crate) async fn the_worker_ends_what_is_due_and_no_more(shop: &Shop) {
    shop.stock(1, 4_000, "vip").await;
    shop.reserve_as(held(shop, 2_500, 60)).await.unwrap();
    shop.reserve_as(held(shop, 100, 61)).await.unwrap();
    let mut ended = Vec::new();
    loop {
        match shop.store().end_holds(at(60)).await.unwrap() {
            0 => break,
            some => ended.push(some),
        }
    }
    assert_eq!(ended, [2_000, 500], "many end in slices");
    let counts = shop.counts("vip", at(0)).await;
    assert_eq!((counts.of(StateName::Available), counts.of(StateName::Reserved)), (3_900, 100));
}

pub(crate) async fn an_end_in_the_past_is_refused(shop: &Shop) {
    shop.stock(1, 1, "vip").await;
    assert_eq!(shop.reserve_as(held(shop, 1, 0)).await, Err(Refusal::EndInThePast));
    assert_eq!(shop.reserve_as(held(shop, 1, -1)).await, Err(Refusal::EndInThePast));
    shop.reserve_as(held(shop, 1, 1)).await.unwrap();
}
