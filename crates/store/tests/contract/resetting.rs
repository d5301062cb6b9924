//! Passports come back, and their links die.

use passpool_core::{PreviewId, Refusal, Reserve, StateName};
use passpool_store::{HeldState, Matching, Preview, PreviewPage, ResetScope};

use crate::shop::{Shop, at, id, ids, refusal, tagged};

pub(crate) async fn a_reset_passport_keeps_its_place_and_gets_another_link(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let first = shop.reserve("vip", 3).await.unwrap();
    assert_eq!(shop.reset(tagged("vip"), at(1)).await, Ok(3));
    let second = shop.reserve("vip", 3).await.unwrap();
    assert_eq!(ids(&second), ids(&first));
    for (old, new) in first.handed_out.iter().zip(&second.handed_out) {
        assert_ne!(old.key, new.key);
    }
}

pub(crate) async fn a_reset_means_its_tags_its_state_and_its_age(shop: &Shop) {
    shop.stock(1, 10, "vip,gold").await;
    shop.stock(11, 10, "vip").await;
    shop.reserve("gold", 4).await.unwrap();
    shop.reserve_as(Reserve { now: at(100), ..shop.wish("vip", 10) }).await.unwrap();
    let scope = |state, before: Option<i64>| match tagged("vip,gold") {
        ResetScope::Matching(matching) => {
            ResetScope::Matching(Matching { state, handed_out_before: before.map(at), ..matching })
        }
        named => named,
    };
    assert_eq!(shop.reset(scope(Some(HeldState::Scanned), None), at(200)).await, Ok(0), "nobody opened one");
    assert_eq!(shop.reset(scope(None, Some(0)), at(200)).await, Ok(0), "none is older than the first");
    assert_eq!(shop.reset(scope(None, Some(100)), at(200)).await, Ok(4));
    assert_eq!(shop.reset(scope(Some(HeldState::Reserved), None), at(200)).await, Ok(6));
    assert_eq!(shop.reset(tagged("nobody"), at(200)).await, Ok(0));
    let everything = ResetScope::Matching(Matching::default());
    assert_eq!(shop.reset(everything, at(200)).await, Ok(4));
}

/// More than are reset in one transaction, over more than one chunk.
pub(crate) async fn a_large_reset_is_whole(shop: &Shop) {
    for slice in 0..4 {
        shop.stock(1 + slice * 3_000, 3_000, "vip").await;
    }
    shop.reserve("vip", 12_000).await.unwrap();
    assert_eq!(shop.reset(tagged("vip"), at(1)).await, Ok(12_000));
    assert_eq!(shop.counts("vip", at(1)).await.of(StateName::Available), 12_000);
    assert_eq!(shop.reserve("vip", 12_000).await.unwrap().handed_out.len(), 12_000);
}

pub(crate) async fn what_is_previewed_is_what_is_reset(shop: &Shop) {
    shop.stock(1, 100, "vip").await;
    let reserved = ids(&shop.reserve("vip", 60).await.unwrap());
    let preview = PreviewId::new(at(1), shop.random());
    let wish = Preview { id: preview, scope: tagged("vip"), now: at(1) };
    assert_eq!(shop.store().keep_preview(wish, 0).await.unwrap().count, 60);
    let mut previewed = Vec::new();
    let mut after = None;
    loop {
        let page = shop.store().preview(preview, PreviewPage { after, limit: 25 }, at(1)).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.passport);
        assert!(page.iter().all(|found| found.state == StateName::Reserved && found.handed_out_at == Some(at(0))));
        previewed.extend(page.iter().map(|found| found.passport.get()));
    }
    assert_eq!(previewed, reserved);
    assert_eq!(shop.counts("vip", at(1)).await.of(StateName::Reserved), 60, "a look changes nothing");
    assert_eq!(shop.reset(tagged("vip"), at(1)).await, Ok(60));
}

pub(crate) async fn named_passports_are_reset_all_or_none(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    shop.reserve("vip", 3).await.unwrap();
    let named = |ids: &[u64]| ResetScope::Named(ids.iter().map(|n| id(*n)).collect());
    assert_eq!(shop.reset(named(&[1, 99]), at(1)).await, Err(Refusal::UnknownPassport(id(99))));
    let available = Refusal::WrongState { from: StateName::Available, wanted: "reset" }.about(id(7));
    assert_eq!(shop.reset(named(&[1, 7]), at(1)).await, Err(available.clone()));
    assert_eq!(shop.counts("vip", at(1)).await.of(StateName::Reserved), 3);
    let wish = Preview { id: PreviewId::new(at(1), shop.random()), scope: named(&[7]), now: at(1) };
    let preview = shop.store().keep_preview(wish, 10).await;
    assert_eq!(preview.map_err(refusal), Err(available));
    assert_eq!(shop.reset(named(&[1, 2, 2]), at(1)).await, Ok(2), "named twice is meant once");
}
