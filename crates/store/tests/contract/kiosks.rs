//! Kiosks: everybody who comes gets one.

use std::collections::HashSet;

use passpool_core::{
    HandOutSeed, Kiosk, KioskName, KioskVisitor, PassportId, Refusal, Rule, StateName, Tag, Timestamp, WalletAddress,
    WholeSeconds,
};
use passpool_store::{AddressDigest, Door, Given, KioskInfo, ResetOf, ResetScope, ResetUndone, Visit};

use crate::{
    links::{ALICE, BOB, claim, knowing, open},
    resets::{done, reset, undo},
    shop::{Shop, at, journal, refusal, selector, tagged},
};

const HOLD: i64 = 15 * 60;

fn kiosk(name: &str, tags: &str, rule: Rule) -> Kiosk {
    Kiosk {
        name: KioskName::parse(name).unwrap(),
        selector: selector(tags, rule),
        hold: WholeSeconds::new(HOLD as u64).unwrap(),
        per_visitor: 1,
        opens: None,
        closes: None,
    }
}

async fn stand(shop: &Shop, kiosk: Kiosk) {
    shop.store().add_kiosk(kiosk, at(0)).await.unwrap();
}

fn browser(number: u32) -> KioskVisitor {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    KioskVisitor::Browser(bytes)
}

fn wish(door: Door, visitor: KioskVisitor, now: Timestamp) -> Visit {
    let mut seed = [1; 32];
    let who = visitor.to_bytes();
    seed[..who.len()].copy_from_slice(&who);
    seed[31] = now.as_micros().to_be_bytes()[5];
    let address = AddressDigest::new([3; 16]);
    Visit { door, visitor, address, held_at_most: 500, seed: HandOutSeed::new(seed), with_content: false, now }
}

fn by_name(name: &str) -> Door {
    Door::Name(KioskName::parse(name).unwrap())
}

fn by_tag(tag: &str) -> Door {
    Door::Tag(Tag::parse(tag).unwrap())
}

async fn visit(shop: &Shop, door: Door, visitor: KioskVisitor, now: i64) -> Result<Given, Refusal> {
    shop.store().visit_kiosk(wish(door, visitor, at(now))).await.map_err(refusal)
}

fn passport_of(given: &Given) -> PassportId {
    match given {
        Given::Held { passport, .. } | Given::Owned(passport) => passport.passport,
    }
}

pub(crate) async fn two_hundred_visitors_and_150_passports(shop: &Shop) {
    shop.stock(1, 150, "expo").await;
    stand(shop, kiosk("expo", "expo", Rule::And)).await;
    let visits = (0..200).map(|number| {
        let wish = wish(by_name("expo"), browser(number), at(0));
        let store = shop.store();
        tokio::spawn(async move { store.visit_kiosk(wish).await.map_err(refusal) })
    });
    let visits: Vec<_> = visits.collect();
    let (mut holders, mut refused) = (Vec::new(), 0);
    for visit in visits {
        match visit.await.unwrap() {
            Ok(Given::Held { passport, until }) => {
                assert_eq!(until, Some(at(HOLD)));
                holders.push(passport);
            }
            Err(Refusal::PoolShort { available: 0 }) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    let different: HashSet<PassportId> = holders.iter().map(|handed| handed.passport).collect();
    assert_eq!((holders.len(), different.len(), refused), (150, 150, 50));
    for (number, handed) in holders.iter().take(30).enumerate() {
        claim(shop, handed.passport, knowing(handed), WalletAddress::from_bytes([number as u8; 20])).await.unwrap();
    }
    // A quarter of an hour later the others are back, and their links are dead.
    assert_eq!(shop.counts("expo", at(HOLD)).await.of(StateName::Available), 120);
    for handed in &holders[30..] {
        assert_eq!(open(shop, handed.passport, knowing(handed), at(HOLD)).await, Err(Refusal::LinkDead));
    }
    let late = (200..320).map(|number| visit(shop, by_name("expo"), browser(number), HOLD));
    for late in late {
        assert!(late.await.is_ok());
    }
    assert_eq!(visit(shop, by_name("expo"), browser(320), HOLD).await, Err(Refusal::PoolShort { available: 0 }));
}

pub(crate) async fn a_visitor_gets_the_same_passport_and_after_a_claim_no_other(shop: &Shop) {
    shop.stock(1, 3, "expo").await;
    stand(shop, kiosk("expo", "expo", Rule::And)).await;
    let ask = async |now| visit(shop, by_name("expo"), browser(1), now).await.unwrap();
    let first = ask(0).await;
    assert_eq!(ask(HOLD - 1).await, first);
    let Given::Held { passport: old, .. } = &first else { panic!("{first:?}") };
    let second = ask(HOLD).await;
    let Given::Held { passport, .. } = &second else { panic!("{second:?}") };
    assert_ne!(passport.key, old.key, "the hold was over: it is another link");
    open(shop, passport.passport, knowing(passport), at(HOLD + 1)).await.unwrap();
    assert_eq!(ask(HOLD + 2).await, second, "an opened one is the same");
    claim(shop, passport.passport, knowing(passport), ALICE).await.unwrap();
    assert_eq!(ask(10 * HOLD).await, Given::Owned(passport.clone()));
    // The wallet is known too, whatever browser it comes with.
    let by_wallet = visit(shop, by_name("expo"), KioskVisitor::Wallet(ALICE), 10 * HOLD).await;
    assert_eq!(by_wallet, Ok(Given::Owned(passport.clone())));
}

pub(crate) async fn a_wallet_claims_one_passport_of_a_kiosk(shop: &Shop) {
    shop.stock(1, 3, "expo").await;
    stand(shop, kiosk("expo", "expo", Rule::And)).await;
    let mut taken = Vec::new();
    for number in 0..2 {
        let Given::Held { passport, .. } = visit(shop, by_name("expo"), browser(number), 0).await.unwrap() else {
            panic!("nothing was claimed yet")
        };
        taken.push(passport);
    }
    assert_eq!(claim(shop, taken[0].passport, knowing(&taken[0]), ALICE).await, Ok(()));
    assert_eq!(claim(shop, taken[1].passport, knowing(&taken[1]), ALICE).await, Err(Refusal::WalletServed));
    assert_eq!(claim(shop, taken[1].passport, knowing(&taken[1]), BOB).await, Ok(()));
    // What the brand hands out itself counts for no kiosk.
    let other = shop.reserve("expo", 1).await.unwrap().only().clone();
    assert_eq!(claim(shop, other.passport, knowing(&other), ALICE).await, Ok(()));
    assert!(journal(shop).await.contains(&format!("claimed wallet:{ALICE}")));
}

pub(crate) async fn a_kiosk_may_give_each_visitor_more_than_one(shop: &Shop) {
    shop.stock(1, 3, "expo").await;
    stand(shop, Kiosk { per_visitor: 2, ..kiosk("expo", "expo", Rule::And) }).await;
    for expected in [1, 2] {
        let given = visit(shop, by_name("expo"), browser(1), 0).await.unwrap();
        let Given::Held { passport, .. } = &given else { panic!("{given:?}") };
        assert_eq!(passport.passport.get(), expected);
        claim(shop, passport.passport, knowing(passport), ALICE).await.unwrap();
    }
    let third = visit(shop, by_name("expo"), browser(1), 0).await.unwrap();
    assert!(matches!(&third, Given::Owned(_)) && passport_of(&third).get() == 2, "{third:?}");
}

pub(crate) async fn a_tag_opens_only_what_a_kiosk_names(shop: &Shop) {
    shop.stock(1, 2, "expo,red").await;
    shop.stock(3, 2, "expo,blue").await;
    shop.stock(5, 2, "vip").await;
    let ask = async |tag: &str, number| {
        visit(shop, by_tag(tag), browser(number), 0).await.map(|given| passport_of(&given).get())
    };
    assert_eq!(ask("vip", 1).await, Err(Refusal::NoKiosk));
    stand(shop, kiosk("stand", "expo,blue", Rule::And)).await;
    assert_eq!(ask("vip", 1).await, Err(Refusal::NoKiosk));
    assert_eq!(ask("expo", 1).await, Ok(3), "the kiosk gives what it gives, by whichever of its tags");
    stand(shop, kiosk("either", "red,vip", Rule::Or)).await;
    assert_eq!(ask("vip", 2).await, Ok(5), "of an `or` the one that was asked for");
    assert_eq!(ask("red", 3).await, Ok(1));
}

pub(crate) async fn a_kiosk_gives_during_its_hours(shop: &Shop) {
    shop.stock(1, 9, "expo").await;
    stand(shop, Kiosk { opens: Some(at(10)), closes: Some(at(20)), ..kiosk("expo", "expo", Rule::And) }).await;
    let ask = async |number, now| visit(shop, by_name("expo"), browser(number), now).await;
    assert_eq!(ask(1, 9).await, Err(Refusal::KioskNotYetOpen { opens: at(10) }));
    assert_eq!(visit(shop, by_tag("expo"), browser(1), 9).await, Err(Refusal::NoKiosk));
    let Given::Held { passport, .. } = ask(1, 10).await.unwrap() else { panic!("nothing was claimed yet") };
    assert!(ask(2, 19).await.is_ok());
    assert_eq!(ask(3, 20).await, Err(Refusal::KioskClosed));
    // What is held may still be claimed.
    assert!(open(shop, passport.passport, knowing(&passport), at(21)).await.is_ok());
    assert_eq!(ask(4, 12).await.map(drop), Ok(()));
    let expo = KioskName::parse("expo").unwrap();
    shop.store().close_kiosk(expo.clone(), at(12)).await.unwrap();
    assert_eq!(ask(5, 12).await, Err(Refusal::KioskClosed));
    shop.store().close_kiosk(expo, at(30)).await.unwrap();
    assert_eq!(ask(5, 12).await, Err(Refusal::KioskClosed), "closing later does not open it again");
}

pub(crate) async fn one_address_holds_no_more_than_it_may(shop: &Shop) {
    shop.stock(1, 9, "expo").await;
    stand(shop, kiosk("expo", "expo", Rule::And)).await;
    let ask = async |number, now| {
        let wish = Visit { held_at_most: 2, ..wish(by_name("expo"), browser(number), at(now)) };
        shop.store().visit_kiosk(wish).await.map_err(refusal)
    };
    let Given::Held { passport: first, .. } = ask(1, 0).await.unwrap() else { panic!("nothing was claimed yet") };
    assert!(ask(2, 5).await.is_ok());
    assert_eq!(ask(3, 5).await, Err(Refusal::TooManyHeld));
    assert!(ask(2, 5).await.is_ok(), "its own again");
    claim(shop, first.passport, knowing(&first), ALICE).await.unwrap();
    assert!(ask(3, 5).await.is_ok(), "a claimed one no longer counts");
    assert_eq!(ask(4, 5).await, Err(Refusal::TooManyHeld));
    assert!(ask(4, HOLD + 5).await.is_ok(), "nor one whose time is over");
}

pub(crate) async fn a_reset_by_tags_leaves_a_visitor_the_passport_in_hand(shop: &Shop) {
    shop.stock(1, 2, "expo").await;
    stand(shop, kiosk("expo", "expo", Rule::And)).await;
    let given = visit(shop, by_name("expo"), browser(1), 0).await.unwrap();
    let Given::Held { passport, .. } = &given else { panic!("{given:?}") };
    shop.reserve("expo", 1).await.unwrap();
    assert_eq!(shop.reset(tagged("expo"), at(1)).await, Ok(1), "the other one alone");
    assert!(open(shop, passport.passport, knowing(passport), at(2)).await.is_ok());
    assert_eq!(shop.reset(tagged("expo"), at(3)).await, Ok(0), "opening the link changes nothing about that");
    assert_eq!(
        visit(shop, by_name("expo"), browser(1), HOLD - 1).await.map(|given| passport_of(&given)),
        Ok(passport.passport)
    );
    assert_eq!(shop.counts("expo", at(HOLD)).await.of(StateName::Available), 2, "it ends by itself");
}

pub(crate) async fn a_reset_forgets_the_visit(shop: &Shop) {
    shop.stock(1, 2, "expo").await;
    stand(shop, kiosk("expo", "expo", Rule::And)).await;
    let Given::Held { passport, .. } = visit(shop, by_name("expo"), browser(1), 0).await.unwrap() else {
        panic!("nothing was claimed yet")
    };
    shop.reset(ResetScope::Named(vec![passport.passport]), at(1)).await.unwrap();
    let Given::Held { passport: again, .. } = visit(shop, by_name("expo"), browser(2), 1).await.unwrap() else {
        panic!("nothing was claimed yet")
    };
    assert_eq!(again.passport, passport.passport, "it is the next visitor's");
    let Given::Held { passport: other, .. } = visit(shop, by_name("expo"), browser(1), 1).await.unwrap() else {
        panic!("nothing was claimed yet")
    };
    assert_ne!(other.passport, passport.passport);
}

pub(crate) async fn an_undone_reset_gives_a_visitor_the_passport_back(shop: &Shop) {
    shop.stock(1, 3, "expo").await;
    stand(shop, kiosk("expo", "expo", Rule::And)).await;
    let held = async |visitor, now| match visit(shop, by_name("expo"), browser(visitor), now).await {
        Ok(Given::Held { passport, .. }) => passport,
        other => panic!("nothing was claimed yet: {other:?}"),
    };
    let [one, two, three] = [held(1, 0).await, held(2, 0).await, held(3, 0).await];
    open(shop, two.passport, knowing(&two), at(1)).await.unwrap();
    let all = ResetScope::Named([&one, &two, &three].map(|handed| handed.passport).to_vec());
    let (id, outcome) = reset(shop, ResetOf::Scope(all), 2).await.unwrap();
    assert_eq!(outcome, done(3, 0));
    assert_eq!(open(shop, one.passport, knowing(&one), at(3)).await, Err(Refusal::LinkDead));
    // Another visitor comes before the undo, and keeps what the kiosk gave.
    let new = held(4, 4).await;
    assert_eq!(new.passport, one.passport);
    assert_eq!(undo(shop, id, 5).await, Ok(ResetUndone { count: 2, others: 1 }));
    for (visitor, had) in [(2, &two), (3, &three), (4, &new)] {
        assert_eq!(held(visitor, 6).await, *had, "visitor {visitor} has the same passport and link");
        assert!(open(shop, had.passport, knowing(had), at(7)).await.is_ok(), "visitor {visitor}");
    }
    assert_eq!(visit(shop, by_name("expo"), browser(1), 8).await, Err(Refusal::PoolShort { available: 0 }));
    assert_eq!(held(2, HOLD - 1).await, two, "the hold is the one that it was");
    assert_eq!(shop.counts("expo", at(HOLD)).await.of(StateName::Reserved), 0);
    assert_eq!(shop.counts("expo", at(HOLD)).await.of(StateName::Available), 2);
}

pub(crate) async fn a_visitors_hold_that_ended_meanwhile_stays_ended(shop: &Shop) {
    shop.stock(1, 1, "expo").await;
    stand(shop, kiosk("expo", "expo", Rule::And)).await;
    let Given::Held { passport, .. } = visit(shop, by_name("expo"), browser(1), 0).await.unwrap() else {
        panic!("nothing was claimed yet")
    };
    let named = ResetScope::Named(vec![passport.passport]);
    let (id, _) = reset(shop, ResetOf::Scope(named), HOLD - 1).await.unwrap();
    assert_eq!(undo(shop, id, HOLD).await, Ok(ResetUndone { count: 0, others: 1 }));
    assert_eq!(open(shop, passport.passport, knowing(&passport), at(HOLD)).await, Err(Refusal::LinkDead));
    assert_eq!(shop.counts("expo", at(HOLD)).await.of(StateName::Available), 1);
    let Given::Held { passport: next, .. } = visit(shop, by_name("expo"), browser(2), HOLD).await.unwrap() else {
        panic!("nothing was claimed yet")
    };
    assert_eq!(next.passport, passport.passport, "it is the next visitor's");
}

/// An operator gave back what a visitor has had replaced meanwhile. It holds two then, and still owns one at most.
pub(crate) async fn a_visitor_who_was_given_another_meanwhile_claims_one(shop: &Shop) {
    shop.stock(1, 2, "expo").await;
    stand(shop, kiosk("expo", "expo", Rule::And)).await;
    let wallet = KioskVisitor::Wallet(ALICE);
    let held = async |visitor, now| match visit(shop, by_name("expo"), visitor, now).await {
        Ok(Given::Held { passport, .. }) => passport,
        other => panic!("nothing was claimed yet: {other:?}"),
    };
    let [other, first] = [held(browser(1), 0).await, held(wallet, 0).await];
    let both = ResetScope::Named(vec![other.passport, first.passport]);
    let (id, _) = reset(shop, ResetOf::Scope(both), 1).await.unwrap();
    let second = held(wallet, 2).await;
    assert_eq!(second.passport, other.passport);
    assert_eq!(undo(shop, id, 3).await, Ok(ResetUndone { count: 1, others: 1 }));
    for handed in [&first, &second] {
        assert!(open(shop, handed.passport, knowing(handed), at(4)).await.is_ok());
    }
    claim(shop, first.passport, knowing(&first), ALICE).await.unwrap();
    assert_eq!(claim(shop, second.passport, knowing(&second), ALICE).await, Err(Refusal::WalletServed));
    let Given::Owned(owned) = visit(shop, by_name("expo"), wallet, 5).await.unwrap() else {
        panic!("it has claimed all that it may")
    };
    assert_eq!(owned.passport, first.passport);
}

pub(crate) async fn kiosks_are_listed_with_what_became_of_them(shop: &Shop) {
    shop.stock(1, 9, "expo").await;
    let expo = kiosk("expo", "expo", Rule::And);
    stand(shop, expo.clone()).await;
    let again = shop.store().add_kiosk(expo.clone(), at(0)).await.map_err(refusal);
    assert_eq!(again, Err(Refusal::KioskExists(expo.name.clone())));
    let other = kiosk("other", "a,b", Rule::Or);
    stand(shop, other.clone()).await;
    for number in 0..3 {
        visit(shop, by_name("expo"), browser(number), 0).await.unwrap();
    }
    let Given::Held { passport, .. } = visit(shop, by_name("expo"), browser(1), 0).await.unwrap() else {
        panic!("nothing was claimed yet")
    };
    claim(shop, passport.passport, knowing(&passport), ALICE).await.unwrap();
    let told = async |now| shop.store().kiosks(at(now)).await.unwrap();
    let [info, rest] =
        [KioskInfo { kiosk: expo.clone(), held: 2, claimed: 1 }, KioskInfo { kiosk: other, held: 0, claimed: 0 }];
    assert_eq!(told(1).await, [info.clone(), rest.clone()]);
    assert_eq!(told(HOLD).await, [KioskInfo { held: 0, ..info }, rest]);
    assert_eq!(shop.store().kiosk(expo.name.clone()).await.unwrap(), Some(expo));
    let unknown = KioskName::parse("nowhere").unwrap();
    assert_eq!(shop.store().kiosk(unknown.clone()).await.unwrap(), None);
    assert_eq!(visit(shop, by_name("nowhere"), browser(9), 0).await, Err(Refusal::NoKiosk));
    let closed = shop.store().close_kiosk(unknown.clone(), at(0)).await.map_err(refusal);
    assert_eq!(closed, Err(Refusal::UnknownKiosk(unknown)));
}
