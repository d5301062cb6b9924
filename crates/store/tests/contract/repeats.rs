//! The same call again gives the same answer, as long as that answer is true.

use passpool_core::{
    IdempotencyKey, Kept, ParameterDigest, Refusal, Repeat, Reservation, ReservationId, Reserve, StateName,
};

use crate::shop::{Shop, at, refusal, secret, tagged};

fn with_key(shop: &Shop, key: &str, parameters: &str) -> Reserve {
    let wish = shop.wish("vip", 3);
    let record = IdempotencyKey::parse(key).unwrap().digest("cli", "/reserve");
    let repeat = Repeat { record, parameters: ParameterDigest::of([parameters]) };
    let mut random = [0; 10];
    random.copy_from_slice(&wish.seed.number().get().to_be_bytes().repeat(2)[..10]);
    Reserve { keep: Some(Kept::new(ReservationId::new(at(0), random), Some(repeat))), ..wish }
}

fn replayed(first: &Reservation) -> Reservation {
    Reservation { replayed: true, ..first.clone() }
}

pub(crate) async fn a_repeat_gets_the_first_answer(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let first = shop.reserve_as(with_key(shop, "k", "p")).await.unwrap();
    assert!(!first.replayed);
    assert_eq!(shop.reserve_as(with_key(shop, "k", "p")).await, Ok(replayed(&first)));
    shop.reopen().await;
    assert_eq!(shop.reserve_as(with_key(shop, "k", "p")).await, Ok(replayed(&first)), "also after a restart");
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Reserved), 3);
    let other = shop.reserve_as(with_key(shop, "other", "p")).await.unwrap();
    assert_ne!(other.handed_out, first.handed_out);
}

pub(crate) async fn a_key_with_other_parameters_is_refused(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    shop.reserve_as(with_key(shop, "k", "p")).await.unwrap();
    assert_eq!(shop.reserve_as(with_key(shop, "k", "q")).await, Err(Refusal::KeyReused));
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Reserved), 3);
}

pub(crate) async fn a_reset_ends_the_repeats(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let first = shop.reserve_as(with_key(shop, "k", "p")).await.unwrap();
    let named = passpool_store::ResetScope::Named(vec![first.handed_out[1].passport]);
    shop.reset(named, at(1)).await.unwrap();
    assert_eq!(
        shop.reserve_as(with_key(shop, "k", "p")).await,
        Err(Refusal::ReservationOver),
        "one of three is enough"
    );
    // The passport is handed out again, under another reservation; that makes the old answer no truer.
    shop.reserve("vip", 8).await.unwrap();
    assert_eq!(shop.reserve_as(with_key(shop, "k", "p")).await, Err(Refusal::ReservationOver));
    shop.reset(tagged("vip"), at(2)).await.unwrap();
}

pub(crate) async fn the_end_of_a_hold_ends_the_repeats(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let wish = |now| Reserve { now: at(now), until: Some(at(60)), ..with_key(shop, "k", "p") };
    let first = shop.reserve_as(wish(0)).await.unwrap();
    assert_eq!(shop.reserve_as(wish(59)).await, Ok(replayed(&first)));
    let late = Reserve { until: Some(at(120)), ..wish(60) };
    assert_eq!(shop.reserve_as(late).await, Err(Refusal::ReservationOver));
}

pub(crate) async fn a_refusal_is_not_recorded(shop: &Shop) {
    assert_eq!(shop.reserve_as(with_key(shop, "k", "p")).await, Err(Refusal::PoolShort { available: 0 }));
    shop.stock(1, 3, "vip").await;
    assert!(!shop.reserve_as(with_key(shop, "k", "p")).await.unwrap().replayed);
}

pub(crate) async fn a_forgotten_key_is_new(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let first = shop.reserve_as(with_key(shop, "k", "p")).await.unwrap();
    assert_eq!(shop.store().forget_repeats(at(0)).await.unwrap(), 0, "it is as old as that and no older");
    assert_eq!(shop.reserve_as(with_key(shop, "k", "p")).await, Ok(replayed(&first)));
    assert_eq!(shop.store().forget_repeats(at(1)).await.unwrap(), 1);
    assert!(!shop.reserve_as(with_key(shop, "k", "p")).await.unwrap().replayed);
}

/// Two servers, or a server and a command, and many calls at once: each key makes one reservation.
pub(crate) async fn callers_with_one_key_share_one_reservation(shop: &Shop) {
    const KEYS: u64 = 20;
    shop.stock(1, 3 * KEYS, "vip").await;
    let stores = [shop.store(), shop.backend.open(secret().fingerprint()).await];
    for key in 0..KEYS {
        let callers = (0..16).map(|caller: usize| {
            let (store, wish) = (stores[caller % 2].clone(), with_key(shop, &format!("order-{key}"), "p"));
            tokio::spawn(async move { store.reserve(wish).await.map_err(refusal) })
        });
        let mut made = Vec::new();
        for caller in callers.collect::<Vec<_>>() {
            match caller.await.unwrap() {
                Ok(reservation) => made.push(reservation),
                // PostgreSQL lets nobody wait for the first call.
                Err(refusal) => assert_eq!(refusal, Refusal::StillRunning),
            }
        }
        assert_eq!(made.iter().filter(|reservation| !reservation.replayed).count(), 1, "order {key}");
        for other in &made {
            assert_eq!((other.id, &other.handed_out), (made[0].id, &made[0].handed_out), "order {key}");
        }
        for store in &stores {
            let again = store.reserve(with_key(shop, &format!("order-{key}"), "p")).await.unwrap();
            assert_eq!(again, replayed(&made[0]));
        }
    }
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Reserved), 3 * KEYS);
    stores[1].close().await;
}
