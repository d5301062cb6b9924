//! Transfers: passports on their way to a wallet, by the brand's wish.

use passpool_core::{
    Actor, HandedOut, PassportId, PreviewId, Proof, Refusal, Reserve, State, StateName, Timestamp, Untransferable,
    WalletAddress, WholeSeconds,
};
use passpool_store::{Airdrop, Preview, ResetOf, ResetScope, ResetUndone, Transfer};

use crate::{
    links::{ALICE, BOB, claim, knowing, open},
    resets::{done, reset, undo},
    shop::{Shop, at, id, ids, journal, refusal, tagged},
};

const QUARTER_OF_AN_HOUR: i64 = 15 * 60;

fn wish(passport: PassportId, proof: Proof, to: WalletAddress, now: Timestamp) -> Transfer {
    Transfer { passport, proof, to, by: Actor::CommandLine, now }
}

/// Transfers, and sees that the same was foretold.
async fn transfer(shop: &Shop, handed: &HandedOut, to: WalletAddress, now: i64) -> Result<(), Refusal> {
    let foretold = shop.store().verify_transfer(wish(handed.passport, knowing(handed), to, at(now))).await;
    let done = shop.store().transfer(wish(handed.passport, knowing(handed), to, at(now))).await.map_err(refusal);
    assert_eq!(foretold.map_err(refusal), done);
    done
}

fn not(why: Untransferable) -> Result<(), Refusal> {
    Err(Refusal::Untransferable(why))
}

async fn reserved(shop: &Shop, until: Option<i64>) -> HandedOut {
    let wish = Reserve { until: until.map(at), ..shop.wish("vip", 1) };
    shop.reserve_as(wish).await.unwrap().only().clone()
}

pub(crate) async fn a_transfer_is_pending_until_it_is_settled(shop: &Shop) {
    shop.stock(1, 1, "vip").await;
    let handed = reserved(shop, None).await;
    assert_eq!(transfer(shop, &handed, ALICE, 10).await, Ok(()));
    assert_eq!(shop.counts("vip", at(10)).await.of(StateName::Pending), 1);
    assert_eq!(open(shop, handed.passport, knowing(&handed), at(11)).await, Err(Refusal::LinkDead));
    assert_eq!(claim(shop, handed.passport, knowing(&handed), ALICE).await, Err(Refusal::LinkDead));
    assert_eq!(shop.reset(tagged("vip"), at(11)).await, Ok(0));
    assert_eq!(transfer(shop, &handed, ALICE, 11).await, not(Untransferable::Pending));
    let settle = async |now| shop.store().settle(Some(WholeSeconds::new(5).unwrap()), at(now)).await.unwrap();
    assert_eq!((settle(14).await, settle(15).await, settle(16).await), (0, 1, 0));
    assert_eq!(transfer(shop, &handed, ALICE, 16).await, not(Untransferable::AlreadyOwner));
    assert_eq!(transfer(shop, &handed, BOB, 16).await, not(Untransferable::OwnedByAnother));
    assert_eq!(journal(shop).await[2..], ["transferred cli", "settled clock"]);
}

pub(crate) async fn what_is_not_settled_in_time_has_failed(shop: &Shop) {
    shop.stock(1, 2, "vip").await;
    let [endless, held] = [reserved(shop, None).await, reserved(shop, Some(60)).await];
    for handed in [&endless, &held] {
        transfer(shop, handed, ALICE, 0).await.unwrap();
    }
    let counts = async |now| {
        let counts = shop.counts("vip", at(now)).await;
        [StateName::Pending, StateName::Scanned, StateName::Available].map(|state| counts.of(state))
    };
    assert_eq!(counts(QUARTER_OF_AN_HOUR - 1).await, [2, 0, 0]);
    // Nobody came by, and it counts all the same.
    assert_eq!(counts(QUARTER_OF_AN_HOUR).await, [0, 1, 1]);
    assert_eq!(shop.store().settle(None, at(QUARTER_OF_AN_HOUR)).await.unwrap(), 0, "it is too late");
    assert_eq!(shop.store().end_holds(at(QUARTER_OF_AN_HOUR)).await.unwrap(), 2);
    assert_eq!(counts(QUARTER_OF_AN_HOUR).await, [0, 1, 1]);
    // The link of the one lives on; that of the other is dead, and another gets the passport.
    assert!(open(shop, endless.passport, knowing(&endless), at(QUARTER_OF_AN_HOUR)).await.is_ok());
    let again = Reserve { now: at(QUARTER_OF_AN_HOUR), ..shop.wish("vip", 1) };
    assert_eq!(shop.reserve_as(again).await.unwrap().only().passport, held.passport);
}

pub(crate) async fn an_overdue_transfer_is_picked_reset_and_claimed_as_what_it_counts_for(shop: &Shop) {
    shop.stock(1, 1, "vip").await;
    let held = reserved(shop, Some(60)).await;
    transfer(shop, &held, ALICE, 0).await.unwrap();
    let early = Reserve { now: at(QUARTER_OF_AN_HOUR - 1), ..shop.wish("vip", 1) };
    assert_eq!(shop.reserve_as(early).await, Err(Refusal::PoolShort { available: 0 }));
    let late = Reserve { now: at(QUARTER_OF_AN_HOUR), ..shop.wish("vip", 1) };
    let handed = shop.reserve_as(late).await.unwrap().only().clone();
    transfer(shop, &handed, ALICE, QUARTER_OF_AN_HOUR).await.unwrap();
    assert_eq!(shop.reset(tagged("vip"), at(2 * QUARTER_OF_AN_HOUR)).await, Ok(1));
}

pub(crate) async fn an_overdue_transfer_is_reset_and_comes_back_as_what_it_counted_for(shop: &Shop) {
    shop.stock(1, 3, "vip").await;
    let [endless, looked_at, held] =
        [reserved(shop, None).await, reserved(shop, None).await, reserved(shop, Some(1_000)).await];
    for handed in [&endless, &looked_at, &held] {
        transfer(shop, handed, ALICE, 0).await.unwrap();
    }
    let scope = ResetScope::Named(vec![endless.passport]);
    let wish = Preview { id: PreviewId::new(at(0), shop.random()), scope, now: at(QUARTER_OF_AN_HOUR) };
    let listed = shop.store().keep_preview(wish, 10).await.unwrap().first;
    assert_eq!((listed[0].state, listed[0].handed_out_at), (StateName::Scanned, Some(at(0))));
    // By name and by tags, both before anybody wrote down that the transfers have failed.
    let named = ResetOf::Scope(ResetScope::Named(vec![endless.passport]));
    let (first, outcome) = reset(shop, named, QUARTER_OF_AN_HOUR).await.unwrap();
    assert_eq!(outcome, done(1, 0));
    let (second, outcome) = reset(shop, ResetOf::Scope(tagged("vip")), QUARTER_OF_AN_HOUR).await.unwrap();
    assert_eq!(outcome, done(2, 0));
    assert!(shop.store().check().await.unwrap().is_clean());
    let undone = |count, others| Ok(ResetUndone { count, others });
    assert_eq!(undo(shop, first, QUARTER_OF_AN_HOUR + 1).await, undone(1, 0));
    assert_eq!(undo(shop, second, 1_000).await, undone(1, 1), "one hold has ended meanwhile");
    assert_eq!(shop.counts("vip", at(1_000)).await.of(StateName::Scanned), 2);
    for handed in [&endless, &looked_at] {
        assert!(open(shop, handed.passport, knowing(handed), at(1_001)).await.is_ok(), "its link lives again");
    }
}

pub(crate) async fn a_transfer_that_cannot_be_says_why(shop: &Shop) {
    shop.stock(1, 3, "vip").await;
    let handed = reserved(shop, None).await;
    let stranger = HandedOut { passport: id(9), ..handed.clone() };
    assert_eq!(transfer(shop, &stranger, ALICE, 1).await, not(Untransferable::Unknown));
    let available = HandedOut { passport: id(2), ..handed.clone() };
    assert_eq!(transfer(shop, &available, ALICE, 1).await, not(Untransferable::NoLink));
    let other = HandedOut { key: reserved(shop, None).await.key, ..handed.clone() };
    assert_eq!(transfer(shop, &other, ALICE, 1).await, not(Untransferable::WrongPassphrase));
    shop.reset(ResetScope::Named(vec![handed.passport]), at(1)).await.unwrap();
    assert_eq!(transfer(shop, &handed, ALICE, 1).await, not(Untransferable::NoLink));
}

pub(crate) async fn many_are_settled_in_slices(shop: &Shop) {
    shop.stock(1, 2_500, "vip").await;
    let recipients = (0..2_500u32).map(|n| {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        WalletAddress::from_bytes(bytes)
    });
    let wish = Airdrop { wish: shop.wish("vip", 2_500), recipients: recipients.collect() };
    shop.store().airdrop(wish).await.unwrap();
    let settle = async || shop.store().settle(None, at(0)).await.unwrap();
    assert_eq!((settle().await, settle().await, settle().await), (2_000, 500, 0));
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Claimed), 2_500);
}

pub(crate) async fn an_airdrop_reaches_all_or_none(shop: &Shop) {
    shop.stock(1, 2, "vip").await;
    let drop = async |recipients: &[WalletAddress]| {
        let wish = Airdrop { wish: shop.wish("vip", recipients.len() as u32), recipients: recipients.to_vec() };
        shop.store().airdrop(wish).await.map_err(refusal)
    };
    let carol = WalletAddress::from_bytes([0xcc; 20]);
    assert_eq!(drop(&[ALICE, BOB, carol]).await, Err(Refusal::PoolShort { available: 2 }));
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Available), 2);
    assert_eq!(ids(&drop(&[ALICE, BOB]).await.unwrap()), [1, 2]);
    shop.store().settle(None, at(0)).await.unwrap();
    for (passport, wallet) in [(1, ALICE), (2, BOB)] {
        let proof = Proof::new(passpool_core::Shown::Owner(wallet), crate::shop::secret());
        let opened = open(shop, id(passport), proof, at(1)).await.unwrap();
        assert!(matches!(opened.state, State::Claimed { owner, .. } if owner == wallet));
    }
}
