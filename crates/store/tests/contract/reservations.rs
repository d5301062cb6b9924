//! Reservations: who got what, and what became of it.

use passpool_core::{
    Actor, HandedOut, IdempotencyKey, Kept, Note, ParameterDigest, Refusal, Repeat, ReservationId, Reserve, Shortage,
    StateName,
};
use passpool_store::{Extend, LinksOf, OfReservation, ReservationPage, ShowLinks, ShownLink, Touched};

use crate::{
    links::{ALICE, claim, knowing},
    shop::{Shop, at, id, ids, journal, refusal, rounds},
};

fn references(handed_out: &[HandedOut]) -> Vec<String> {
    let reference = |handed: &HandedOut| {
        let kept = handed.recipient.as_ref().expect("each passport has its recipient");
        kept.recipient.reference().unwrap().to_string()
    };
    handed_out.iter().map(reference).collect()
}

pub(crate) fn named(wish: &Reserve) -> ReservationId {
    wish.keep.as_ref().unwrap().id
}

fn of(id: ReservationId, now: i64) -> OfReservation {
    OfReservation { id, by: Actor::CommandLine, now: at(now) }
}

async fn show(shop: &Shop, of: LinksOf, now: i64) -> Result<Vec<ShownLink>, Refusal> {
    let wish = ShowLinks { of, with_content: false, by: Actor::CommandLine, now: at(now) };
    shop.store().show_links(wish).await.map_err(refusal)
}

pub(crate) async fn each_recipient_gets_a_passport_in_order(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let wish = shop.kept("vip", 3, &["C", "A", "B"]);
    let reservation = shop.reserve_as(wish.clone()).await.unwrap();
    assert_eq!(references(&reservation.handed_out), ["C", "A", "B"]);

    let few = Reserve { count: 2, ..shop.kept("vip", 3, &["D", "E", "F"]) };
    assert_eq!(shop.reserve_as(few).await, Err(Refusal::RecipientCount { count: 2, recipients: 3 }));
    let many = Reserve { count: 4, ..shop.kept("vip", 3, &["D", "E", "F"]) };
    assert_eq!(shop.reserve_as(many).await, Err(Refusal::RecipientCount { count: 4, recipients: 3 }));
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Reserved), 3, "a refusal takes nothing");

    // The same people may come again, under another reservation.
    let again = shop.reserve_as(shop.kept("vip", 2, &["A", "C"])).await.unwrap();
    assert_eq!(references(&again.handed_out), ["A", "C"]);
}

pub(crate) async fn a_partial_answer_leaves_out_the_last_recipients(shop: &Shop) {
    shop.stock(1, 2, "vip").await;
    let wish = Reserve { shortage: Shortage::Partial, ..shop.kept("vip", 3, &["A", "B", "C"]) };
    let reservation = shop.reserve_as(wish.clone()).await.unwrap();
    assert_eq!(references(&reservation.handed_out), ["A", "B"]);
    let known = shop.store().reservation(named(&wish), at(0)).await.unwrap().unwrap();
    assert_eq!((known.info.count, known.info.recipients), (2, 2));
}

pub(crate) async fn a_repeat_names_the_same_recipients(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let record = IdempotencyKey::parse("k").unwrap().digest("cli", "/reserve");
    let repeat = Repeat { record, parameters: ParameterDigest::of(["p"]) };
    let with_key =
        |wish: Reserve| Reserve { keep: wish.keep.map(|kept| Kept { repeat: Some(repeat), ..kept }), ..wish };
    let first = shop.reserve_as(with_key(shop.kept("vip", 2, &["A", "B"]))).await.unwrap();
    let again = shop.reserve_as(with_key(shop.kept("vip", 2, &["A", "B"]))).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.id, &again.handed_out), (first.id, &first.handed_out), "ids, links and recipients");
}

pub(crate) async fn four_want_fifty_of_120(shop: &Shop) {
    shop.pick_slowly().await;
    for round in 0..rounds(50, 5) {
        let tag = format!("round-{round}");
        shop.stock(1 + 120 * round, 120, &tag).await;
        two_of_four_get_fifty(shop, &tag).await;
    }
    shop.pick_quickly().await;
}

async fn two_of_four_get_fifty(shop: &Shop, tag: &str) {
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (store, wish) = (shop.store(), shop.wish(tag, 50));
            tokio::spawn(async move { store.reserve(wish).await.map_err(refusal) })
        })
        .collect();
    let (mut whole, mut refused) = (Vec::new(), 0);
    for caller in callers {
        match caller.await.unwrap() {
            Ok(reservation) => whole.extend(ids(&reservation)),
            Err(Refusal::PoolShort { available: 20 }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    whole.sort_unstable();
    whole.dedup();
    assert_eq!((whole.len(), refused), (100, 2), "{tag}");
    let counts = shop.counts(tag, at(0)).await;
    assert_eq!((counts.of(StateName::Reserved), counts.of(StateName::Available)), (100, 20), "{tag}");
}

pub(crate) async fn reservations_are_listed_the_newest_first(shop: &Shop) {
    shop.stock(1, 20, "vip,gold").await;
    let mut made = Vec::new();
    for seconds in 0..5 {
        let wish = shop.kept("gold,vip", 2, &[]);
        let kept = Kept {
            id: ReservationId::new(at(seconds), shop.random()),
            note: Some(Note::parse("for the gala").unwrap()),
            ..wish.keep.clone().unwrap()
        };
        made.push(kept.id);
        shop.reserve_as(Reserve { keep: Some(kept), now: at(seconds), ..wish }).await.unwrap();
    }
    made.reverse();
    let list = async |before, limit| {
        let page = ReservationPage { before, limit };
        shop.store().reservations(page).await.unwrap().into_iter().map(|info| info.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 2).await, made[..2]);
    assert_eq!(list(Some(made[1]), 10).await, made[2..]);
    let known = shop.store().reservation(made[0], at(9)).await.unwrap().unwrap();
    assert_eq!(known.info.selector, Some(crate::shop::selector("gold,vip", passpool_core::Rule::And)));
    assert_eq!(known.info.note.as_ref().map(Note::reveal), Some("for the gala"));
    assert_eq!((known.info.count, known.states.of(StateName::Reserved), known.gone), (2, 2, 0));
    assert_eq!(shop.store().reservation(ReservationId::new(at(0), [9; 10]), at(0)).await.unwrap(), None);
    let rows = journal(shop).await.len();
    assert_eq!(rows, 30, "no list is told in the journal");
}

pub(crate) async fn links_are_shown_page_by_page_and_each_is_told(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let wish = shop.kept("vip", 4, &["A", "B", "C", "D"]);
    let id_of = named(&wish);
    let reservation = shop.reserve_as(wish).await.unwrap();
    claim(shop, id(2), knowing(&reservation.handed_out[1]), ALICE).await.unwrap();
    let page = |from, limit| LinksOf::Reservation { id: id_of, from, limit };
    let shown = [show(shop, page(0, 3), 2).await.unwrap(), show(shop, page(3, 3), 2).await.unwrap()].concat();
    assert_eq!(shown.iter().map(|link| link.passport).collect::<Vec<_>>(), [id(1), id(2), id(3), id(4)]);
    for (link, handed) in shown.iter().zip(&reservation.handed_out) {
        assert_eq!(link.recipient.as_ref(), handed.recipient.as_deref());
        let is_claimed = link.passport == id(2);
        assert_eq!(link.key.as_ref(), Some(&handed.key).filter(|_| !is_claimed), "a claimed one has no link");
    }
    assert_eq!(journal(shop).await.iter().filter(|row| *row == "shown cli").count(), 3);
    let one = show(shop, LinksOf::Passport(id(3)), 2).await.unwrap();
    assert_eq!(one, shown[2..3]);
    let available = show(shop, LinksOf::Passport(id(9)), 2).await.unwrap();
    assert_eq!((available[0].state, &available[0].key), (StateName::Available, &None));
    assert_eq!(show(shop, LinksOf::Passport(id(99)), 2).await, Err(Refusal::UnknownPassport(id(99))));
    let unknown = ReservationId::new(at(0), [9; 10]);
    let wish = LinksOf::Reservation { id: unknown, from: 0, limit: 1 };
    assert_eq!(show(shop, wish, 2).await, Err(Refusal::UnknownReservation(unknown)));
}

pub(crate) async fn somebody_elses_link_is_not_shown(shop: &Shop) {
    shop.stock(1, 2, "vip").await;
    let first = shop.kept("vip", 2, &["A", "B"]);
    shop.reserve_as(first.clone()).await.unwrap();
    shop.reset(passpool_store::ResetScope::Named(vec![id(1)]), at(1)).await.unwrap();
    let second = shop.kept("vip", 1, &["C"]);
    shop.reserve_as(second.clone()).await.unwrap();
    let page = LinksOf::Reservation { id: named(&first), from: 0, limit: 10 };
    let shown = show(shop, page, 2).await.unwrap();
    assert_eq!((shown[0].key.is_none(), shown[1].key.is_some()), (true, true));
    let now = shop.store().reservation(named(&first), at(2)).await.unwrap().unwrap();
    assert_eq!((now.states.of(StateName::Reserved), now.gone), (1, 1));
    assert_eq!(shop.store().cancel_reservation(of(named(&first), 3)).await.unwrap(), Touched { count: 1, others: 1 });
    let now = shop.store().reservation(named(&second), at(4)).await.unwrap().unwrap();
    assert_eq!(now.states.of(StateName::Reserved), 1, "the second one keeps its passport");
}

pub(crate) async fn a_cancel_gives_back_what_nobody_has_claimed(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let wish = shop.kept("vip", 5, &[]);
    let reservation = shop.reserve_as(wish.clone()).await.unwrap();
    claim(shop, id(1), knowing(&reservation.handed_out[0]), ALICE).await.unwrap();
    let cancel = async |now| shop.store().cancel_reservation(of(named(&wish), now)).await.map_err(refusal);
    assert_eq!(cancel(2).await, Ok(Touched { count: 4, others: 1 }));
    assert_eq!(cancel(3).await, Ok(Touched { count: 0, others: 5 }));
    let unknown = ReservationId::new(at(0), [9; 10]);
    let refused = shop.store().cancel_reservation(of(unknown, 2)).await.map_err(refusal);
    assert_eq!(refused, Err(Refusal::UnknownReservation(unknown)));
}

pub(crate) async fn an_extension_moves_the_end(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let wish = Reserve { until: Some(at(60)), ..shop.kept("vip", 3, &[]) };
    let reservation = shop.reserve_as(wish.clone()).await.unwrap();
    claim(shop, id(1), knowing(&reservation.handed_out[0]), ALICE).await.unwrap();
    let extend = async |until, now| {
        let wish = Extend { of: of(named(&wish), now), until: at(until) };
        shop.store().extend_reservation(wish).await.map_err(refusal)
    };
    assert_eq!(extend(10, 10).await, Err(Refusal::EndInThePast));
    assert_eq!(extend(120, 59).await, Ok(Touched { count: 2, others: 1 }));
    assert_eq!(shop.counts("vip", at(119)).await.of(StateName::Reserved), 2, "held beyond the first end");
    assert_eq!(shop.store().end_holds(at(119)).await.unwrap(), 0);
    assert_eq!(shop.counts("vip", at(120)).await.of(StateName::Reserved), 0);
    assert_eq!(extend(200, 120).await, Ok(Touched { count: 0, others: 3 }), "what has ended is not held again");
    let known = shop.store().reservation(named(&wish), at(121)).await.unwrap().unwrap();
    assert_eq!((known.states.of(StateName::Claimed), known.gone), (1, 2));
}
