//! Resets with a look before and a way back.

use passpool_core::{Actor, PassportId, PreviewId, Refusal, Reserve, ResetId, Shortage, StateName};
use passpool_store::{
    Extend, KeptReset, LinksOf, Matching, OfPassport, OfReservation, Preview, PreviewPage, ResetDone, ResetOf,
    ResetScope, ResetUndone, ShowLinks, Touched, UndoReset,
};

use crate::{
    links::{ALICE, claim, knowing, open},
    reservations::named,
    shop::{Shop, at, id, ids, refusal, tagged, told_by},
};

const DAY: i64 = 24 * 3_600;

async fn look(shop: &Shop, scope: ResetScope, now: i64) -> Result<(PreviewId, u64), Refusal> {
    let id = PreviewId::new(at(now), shop.random());
    let wish = Preview { id, scope, now: at(now) };
    shop.store().keep_preview(wish, 0).await.map(|seen| (id, seen.count)).map_err(refusal)
}

pub(crate) async fn reset(shop: &Shop, of: ResetOf, now: i64) -> Result<(ResetId, ResetDone), Refusal> {
    let id = ResetId::new(at(now), shop.random());
    let wish = KeptReset { id, of, by: Actor::CommandLine, now: at(now) };
    shop.store().keep_reset(wish).await.map(|done| (id, done)).map_err(refusal)
}

pub(crate) async fn undo(shop: &Shop, id: ResetId, now: i64) -> Result<ResetUndone, Refusal> {
    shop.store().undo_reset(UndoReset { id, by: Actor::CommandLine, now: at(now) }).await.map_err(refusal)
}

pub(crate) const fn done(count: u64, changed_since: u64) -> ResetDone {
    ResetDone { count, changed_since }
}

pub(crate) async fn a_thousand_previewed_reset_and_undone(shop: &Shop) {
    shop.stock(1, 1_000, "vip").await;
    let first = shop.reserve("vip", 1_000).await.unwrap();
    let (preview, count) = look(shop, tagged("vip"), 1).await.unwrap();
    assert_eq!(count, 1_000);
    assert_eq!(shop.counts("vip", at(1)).await.of(StateName::Reserved), 1_000, "a preview changes nothing");
    for handed in &first.handed_out[..10] {
        claim(shop, handed.passport, knowing(handed), ALICE).await.unwrap();
    }
    let (id, outcome) = reset(shop, ResetOf::Preview(preview), 2).await.unwrap();
    assert_eq!(outcome, done(990, 10));
    assert_eq!(open(shop, id_of(&first, 500), knowing(&first.handed_out[500]), at(3)).await, Err(Refusal::LinkDead));

    // One is handed out before the undo, and stays with its new holder.
    let new = shop.reserve("vip", 1).await.unwrap();
    assert_eq!(ids(&new), [11]);
    assert_eq!(undo(shop, id, 4).await, Ok(ResetUndone { count: 989, others: 1 }));
    for handed in &first.handed_out[11..] {
        assert!(open(shop, handed.passport, knowing(handed), at(5)).await.is_ok(), "{} lives again", handed.passport);
    }
    let old = &first.handed_out[10];
    assert_eq!(open(shop, old.passport, knowing(old), at(5)).await, Err(Refusal::LinkDead));
    assert!(open(shop, old.passport, knowing(new.only()), at(5)).await.is_ok());
    assert_eq!(undo(shop, id, 6).await, Err(Refusal::ResetUndone(id)));
}

fn id_of(reservation: &passpool_core::Reservation, at: usize) -> PassportId {
    reservation.handed_out[at].passport
}

pub(crate) async fn all_that_a_reset_took_comes_back(shop: &Shop) {
    shop.stock(1, 1_000, "vip").await;
    let wish = Reserve { until: Some(at(1_000)), ..shop.kept("vip", 1_000, &[]) };
    let first = shop.reserve_as(wish.clone()).await.unwrap();
    open(shop, id(7), knowing(&first.handed_out[6]), at(1)).await.unwrap();
    let (id_of, outcome) = reset(shop, ResetOf::Scope(tagged("vip")), 2).await.unwrap();
    assert_eq!(outcome, done(1_000, 0));
    assert_eq!(undo(shop, id_of, 3).await, Ok(ResetUndone { count: 1_000, others: 0 }));
    let counts = shop.counts("vip", at(4)).await;
    assert_eq!((counts.of(StateName::Reserved), counts.of(StateName::Scanned)), (999, 1));
    let known = shop.store().reservation(named(&wish), at(4)).await.unwrap().unwrap();
    assert_eq!((known.states.total(), known.gone), (1_000, 0));
    assert_eq!(shop.counts("vip", at(1_000)).await.of(StateName::Available), 1_000, "the hold ends when it would have");
}

pub(crate) async fn a_hold_that_ended_meanwhile_stays_ended(shop: &Shop) {
    shop.stock(1, 4, "vip").await;
    shop.reserve_as(Reserve { until: Some(at(10)), ..shop.wish("vip", 2) }).await.unwrap();
    shop.reserve("vip", 2).await.unwrap();
    let (id, _) = reset(shop, ResetOf::Scope(tagged("vip")), 5).await.unwrap();
    assert_eq!(undo(shop, id, 10).await, Ok(ResetUndone { count: 2, others: 2 }));
    assert_eq!(shop.counts("vip", at(10)).await.of(StateName::Available), 2);
}

pub(crate) async fn a_link_that_lives_again_dies_with_the_next_reset_and_lives_again_with_its_undo(shop: &Shop) {
    shop.stock(1, 3, "vip").await;
    let first = shop.reserve_as(shop.kept("vip", 3, &["A", "B", "C"])).await.unwrap();
    let lives = async |now| {
        let mut alive = Vec::new();
        for handed in &first.handed_out {
            alive.push(open(shop, handed.passport, knowing(handed), at(now)).await.is_ok());
        }
        alive
    };
    let (one, _) = reset(shop, ResetOf::Scope(tagged("vip")), 1).await.unwrap();
    assert_eq!(undo(shop, one, 2).await, Ok(ResetUndone { count: 3, others: 0 }));
    let (two, _) = reset(shop, ResetOf::Scope(ResetScope::Named(vec![id(1), id(2)])), 3).await.unwrap();
    assert_eq!(lives(4).await, [false, false, true]);
    // Somebody else has the first, and gives it back: that is not nothing.
    shop.reserve("vip", 1).await.unwrap();
    shop.reset(ResetScope::Named(vec![id(1)]), at(5)).await.unwrap();
    assert_eq!(undo(shop, two, 6).await, Ok(ResetUndone { count: 1, others: 1 }));
    assert_eq!(lives(7).await, [false, true, true]);
    let of_first = LinksOf::Reservation { id: first.id.unwrap(), from: 0, limit: 3 };
    let wish = ShowLinks { of: of_first, with_content: false, by: Actor::CommandLine, now: at(8) };
    let shown = shop.store().show_links(wish).await.unwrap();
    for (link, handed) in shown.iter().zip(&first.handed_out) {
        assert_eq!(link.recipient.as_ref(), handed.recipient.as_deref(), "everybody has the passport that was theirs");
    }
}

pub(crate) async fn an_undone_reset_knows_nothing_of_an_extension_meanwhile(shop: &Shop) {
    shop.stock(1, 4, "vip").await;
    let wish = Reserve { until: Some(at(100)), ..shop.kept("vip", 4, &[]) };
    shop.reserve_as(wish.clone()).await.unwrap();
    let extend = async |until, now| {
        let of = OfReservation { id: named(&wish), by: Actor::CommandLine, now: at(now) };
        shop.store().extend_reservation(Extend { of, until: at(until) }).await.map_err(refusal)
    };
    let (first, _) = reset(shop, ResetOf::Scope(ResetScope::Named(vec![id(1), id(2)])), 1).await.unwrap();
    assert_eq!(extend(200, 2).await, Ok(Touched { count: 2, others: 2 }), "what was reset is not extended");
    assert_eq!(undo(shop, first, 3).await, Ok(ResetUndone { count: 2, others: 0 }));
    assert_eq!(shop.counts("vip", at(100)).await.of(StateName::Reserved), 2, "they come back with the end they had");
    assert_eq!(extend(300, 4).await, Ok(Touched { count: 4, others: 0 }), "and are extended like the others");
    assert_eq!(shop.counts("vip", at(299)).await.of(StateName::Reserved), 4);
    // An extension is something that happened: who extended it wants it held.
    let (second, _) = reset(shop, ResetOf::Scope(tagged("vip")), 5).await.unwrap();
    assert_eq!(undo(shop, second, 6).await, Ok(ResetUndone { count: 4, others: 0 }));
    assert_eq!(shop.counts("vip", at(299)).await.of(StateName::Reserved), 4);
    assert_eq!(shop.counts("vip", at(300)).await.of(StateName::Reserved), 0);
}

pub(crate) async fn a_large_undo_is_whole(shop: &Shop) {
    shop.stock(1, 12_000, "vip").await;
    shop.reserve("vip", 12_000).await.unwrap();
    let (id, outcome) = reset(shop, ResetOf::Scope(tagged("vip")), 1).await.unwrap();
    assert_eq!(outcome, done(12_000, 0));
    let taken = shop.reserve("vip", 3_000).await.unwrap();
    assert_eq!(undo(shop, id, 2).await, Ok(ResetUndone { count: 9_000, others: 3_000 }));
    assert_eq!(shop.counts("vip", at(3)).await.of(StateName::Reserved), 12_000);
    for handed in [&taken.handed_out[0], &taken.handed_out[2_999]] {
        assert!(open(shop, handed.passport, knowing(handed), at(4)).await.is_ok());
    }
}

pub(crate) async fn a_look_at_a_link_is_no_change(shop: &Shop) {
    shop.stock(1, 3, "vip").await;
    let first = shop.reserve("vip", 3).await.unwrap();
    let (preview, _) = look(shop, tagged("vip"), 1).await.unwrap();
    let shown = ShowLinks { of: LinksOf::Passport(id(1)), with_content: false, by: Actor::CommandLine, now: at(2) };
    shop.store().show_links(shown).await.unwrap();
    open(shop, id(2), knowing(&first.handed_out[1]), at(2)).await.unwrap();
    let (_, outcome) = reset(shop, ResetOf::Preview(preview), 3).await.unwrap();
    assert_eq!(outcome, done(2, 1), "a scan is a change, and a user's look is none");
}

pub(crate) async fn a_reset_means_every_condition(shop: &Shop) {
    shop.stock(1, 20, "vip").await;
    shop.stock(21, 20, "gold").await;
    let (vip, gold) = (shop.kept("vip", 10, &[]), shop.kept("gold", 10, &[]));
    shop.reserve_as(vip.clone()).await.unwrap();
    let golden = shop.reserve_as(gold.clone()).await.unwrap();
    open(shop, id(21), knowing(&golden.handed_out[0]), at(1)).await.unwrap();
    let of_gold = || Matching { reservation: Some(named(&gold)), ..Matching::default() };
    let count = async |matching| look(shop, ResetScope::Matching(matching), 2).await.unwrap().1;
    assert_eq!(count(of_gold()).await, 10);
    assert_eq!(count(Matching { state: Some(passpool_store::HeldState::Scanned), ..of_gold() }).await, 1);
    let vip_tag = Some(crate::shop::selector("vip", passpool_core::Rule::And));
    assert_eq!(count(Matching { selector: vip_tag, ..of_gold() }).await, 0);
    assert_eq!(count(Matching { limit: Some(3), ..of_gold() }).await, 3);
    assert_eq!(count(Matching { limit: Some(0), ..of_gold() }).await, 0);
    assert_eq!(count(Matching { limit: Some(13), ..Matching::default() }).await, 13);
    let limited = ResetScope::Matching(Matching { limit: Some(13), ..Matching::default() });
    assert_eq!(reset(shop, ResetOf::Scope(limited), 3).await.unwrap().1, done(13, 0));
    let unknown = passpool_core::ReservationId::new(at(0), [9; 10]);
    let nowhere = || ResetScope::Matching(Matching { reservation: Some(unknown), ..Matching::default() });
    assert_eq!(look(shop, nowhere(), 4).await, Err(Refusal::UnknownReservation(unknown)));
    assert_eq!(reset(shop, ResetOf::Scope(nowhere()), 4).await, Err(Refusal::UnknownReservation(unknown)));
}

pub(crate) async fn a_recovered_passport_is_reset_by_its_name_and_the_undo_takes_it_back(shop: &Shop) {
    shop.stock(1, 2, "vip").await;
    let handed = shop.reserve("vip", 1).await.unwrap().only().clone();
    claim(shop, id(1), knowing(&handed), ALICE).await.unwrap();
    shop.store().recover(OfPassport { passport: id(1), by: Actor::CommandLine, now: at(2) }).await.unwrap();
    let scope = || ResetScope::Named(vec![id(1)]);
    let (preview, count) = look(shop, scope(), 3).await.unwrap();
    assert_eq!(count, 1);
    let (reset_id, outcome) = reset(shop, ResetOf::Preview(preview), 4).await.unwrap();
    assert_eq!(outcome, done(1, 0));
    assert_eq!(undo(shop, reset_id, 5).await, Ok(ResetUndone { count: 1, others: 0 }));
    assert_eq!(shop.counts("vip", at(6)).await.of(StateName::Recovered), 1);
    let both = ResetOf::Scope(ResetScope::Named(vec![id(1), id(2)]));
    let refused = reset(shop, both, 7).await.map_err(|refusal| refusal.code());
    assert_eq!(refused, Err("wrong-state"), "all or none");
    assert_eq!(shop.counts("vip", at(8)).await.of(StateName::Recovered), 1);
}

pub(crate) async fn a_preview_is_read_page_by_page_and_forgotten(shop: &Shop) {
    shop.stock(1, 10_000, "vip").await;
    shop.reserve("vip", 10_000).await.unwrap();
    let preview = PreviewId::new(at(0), shop.random());
    let wish = Preview { id: preview, scope: tagged("vip"), now: at(0) };
    let seen = shop.store().keep_preview(wish, 3_000).await.unwrap();
    assert_eq!((seen.count, seen.first.len()), (10_000, 3_000));
    let mut page = PreviewPage { after: None, limit: 3_000 };
    assert_eq!(seen.first, shop.store().preview(preview, page, at(0)).await.unwrap());
    let mut read = Vec::new();
    loop {
        let found = shop.store().preview(preview, page, at(1)).await.unwrap();
        page.after = found.last().map(|last| last.passport);
        read.extend(found.iter().map(|resettable| resettable.passport.get()));
        if found.len() < page.limit {
            break;
        }
    }
    assert_eq!(read, (1..=10_000).collect::<Vec<_>>());
    let minutes = |minutes: i64| at(minutes * 60);
    let read = async |now| shop.store().preview(preview, page, now).await.map(|_| ()).map_err(refusal);
    assert_eq!(read(minutes(14)).await, Ok(()));
    assert_eq!(read(minutes(15)).await, Err(Refusal::UnknownPreview(preview)));
    let refused = reset(shop, ResetOf::Preview(preview), 900).await;
    assert_eq!(refused, Err(Refusal::UnknownPreview(preview)));
    assert_eq!(shop.store().forget_resets(minutes(14)).await.unwrap(), 0);
    while shop.store().forget_resets(minutes(15)).await.unwrap() > 0 {}
    assert!(told_by(shop, "SELECT 'one' FROM preview").await.is_empty());
    assert_eq!(read(minutes(1)).await, Err(Refusal::UnknownPreview(preview)), "forgotten is forgotten");
}

pub(crate) async fn what_a_reset_took_is_kept_for_a_day(shop: &Shop) {
    shop.stock(1, 12_000, "vip").await;
    shop.reserve("vip", 12_000).await.unwrap();
    let (first, outcome) = reset(shop, ResetOf::Scope(tagged("vip")), 0).await.unwrap();
    assert_eq!(outcome, done(12_000, 0));
    assert_eq!(shop.store().forget_resets(at(DAY - 1)).await.unwrap(), 0);
    assert_eq!(undo(shop, first, DAY).await, Err(Refusal::UnknownReset(first)));
    let mut forgotten = 0;
    loop {
        match shop.store().forget_resets(at(DAY)).await.unwrap() {
            0 => break,
            some => forgotten += some,
        }
    }
    assert_eq!(forgotten, 12_001, "each passport, and the reset itself");
    let numbers = told_by(shop, "SELECT 'one' FROM reset_passport").await;
    assert!(numbers.is_empty(), "no number of a dead link is left");
}

pub(crate) async fn an_undo_takes_passports_out_of_the_pool_again(shop: &Shop) {
    shop.stock(1, 5, "vip").await;
    shop.reserve("vip", 5).await.unwrap();
    let (id, _) = reset(shop, ResetOf::Scope(tagged("vip")), 1).await.unwrap();
    undo(shop, id, 2).await.unwrap();
    let wish = Reserve { shortage: Shortage::Partial, ..shop.wish("vip", 5) };
    assert_eq!(shop.reserve_as(wish).await, Err(Refusal::PoolShort { available: 0 }));
}
