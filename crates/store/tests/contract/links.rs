//! The life of a link: looked at, claimed, dead.

use passpool_core::{
    Actor, Code, Content, HandedOut, LinkKey, NewPassport, Passphrase, PassportId, Proof, Refusal, Reserve, SecretId,
    Shown, State, StateName, Tags, Timestamp, WalletAddress,
};
use passpool_store::{Claim, Create, OfPassport, Opened, Opening, Relink, ResetScope, Visitor};

use crate::shop::{Shop, at, id, journal, last_told, refusal, secret, tagged, terms};

pub(crate) const ALICE: WalletAddress = WalletAddress::from_bytes([0xaa; 20]);
pub(crate) const BOB: WalletAddress = WalletAddress::from_bytes([0xbb; 20]);

pub(crate) fn knowing(handed: &HandedOut) -> Proof {
    let passphrase = secret().passphrase(handed.passport, &handed.key).unwrap();
    Proof::new(Shown::Passphrase(passphrase), secret())
}

fn signing_for(handed: &HandedOut) -> Proof {
    let passphrase = secret().passphrase(handed.passport, &handed.key).unwrap();
    Proof::new(Shown::Signer(passphrase.addresses().next().unwrap()), secret())
}

fn guessing(text: &str) -> Proof {
    Proof::new(Shown::Passphrase(Passphrase::parse(text).unwrap()), secret())
}

fn owning(wallet: WalletAddress) -> Proof {
    Proof::new(Shown::Owner(wallet), secret())
}

pub(crate) async fn open(shop: &Shop, passport: PassportId, proof: Proof, now: Timestamp) -> Result<Opened, Refusal> {
    let wish = Opening { passport, proof, visitor: Visitor::Person, now };
    shop.store().open(wish).await.map_err(refusal)
}

async fn preview(shop: &Shop, handed: &HandedOut, now: Timestamp) -> Result<StateName, Refusal> {
    let wish = Opening { passport: handed.passport, proof: knowing(handed), visitor: Visitor::Robot, now };
    shop.store().open(wish).await.map(|opened| opened.state.name()).map_err(refusal)
}

pub(crate) async fn claim(
    shop: &Shop,
    passport: PassportId,
    proof: Proof,
    owner: WalletAddress,
) -> Result<(), Refusal> {
    claim_at(shop, passport, proof, owner, at(1)).await
}

async fn claim_at(
    shop: &Shop,
    passport: PassportId,
    proof: Proof,
    owner: WalletAddress,
    now: Timestamp,
) -> Result<(), Refusal> {
    shop.store().claim(Claim { passport, proof, owner, now }).await.map_err(refusal)
}

async fn handed_out(shop: &Shop) -> HandedOut {
    shop.stock(1, 1, "vip").await;
    shop.reserve("vip", 1).await.unwrap().only().clone()
}

pub(crate) async fn the_first_look_of_a_person_is_a_scan(shop: &Shop) {
    let handed = handed_out(shop).await;
    for seconds in 1..4 {
        let opened = open(shop, handed.passport, knowing(&handed), at(seconds)).await.unwrap();
        assert_eq!((opened.passport, opened.state.name()), (handed.passport, StateName::Scanned));
        assert_eq!(opened.content, Content::empty());
    }
    assert_eq!(journal(shop).await, ["created cli", "reserved cli", "scanned visitor"]);
    // Whoever signs with the passphrase's key knows the link as well.
    assert!(open(shop, handed.passport, signing_for(&handed), at(4)).await.is_ok());
}

pub(crate) async fn a_robots_looks_change_nothing_and_are_told_once_an_hour(shop: &Shop) {
    let handed = handed_out(shop).await;
    for seconds in [0, 1, 3_599, 3_600, 3_601] {
        assert_eq!(preview(shop, &handed, at(seconds)).await, Ok(StateName::Reserved));
    }
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Reserved), 1);
    open(shop, handed.passport, knowing(&handed), at(3_602)).await.unwrap();
    assert_eq!(
        preview(shop, &handed, at(3_603)).await,
        Ok(StateName::Scanned),
        "the robot sees what a person made of it"
    );
    let told = ["created cli", "reserved cli", "previewed visitor", "previewed visitor", "scanned visitor"];
    assert_eq!(journal(shop).await, told);
}

pub(crate) async fn every_dead_link_is_refused_alike(shop: &Shop) {
    shop.stock(1, 4, "vip").await;
    let [reset, ended, owned] = [None, Some(at(10)), None].map(|until| Reserve { until, ..shop.wish("vip", 1) });
    let mut links = Vec::new();
    for wish in [reset, ended, owned] {
        links.push(shop.reserve_as(wish).await.unwrap().only().clone());
    }
    let [reset, ended, owned] = <[HandedOut; 3]>::try_from(links).unwrap();
    shop.reset(ResetScope::Named(vec![reset.passport]), at(1)).await.unwrap();
    claim(shop, owned.passport, knowing(&owned), ALICE).await.unwrap();
    let before = journal(shop).await;
    let dead = [
        (reset.passport, knowing(&reset)),
        (reset.passport, signing_for(&reset)),
        (ended.passport, knowing(&ended)),
        (owned.passport, knowing(&owned)),
        (owned.passport, signing_for(&owned)),
        (owned.passport, owning(BOB)),
        (owned.passport, guessing("sesame")),
        (id(4), guessing("sesame")),
        (id(5), guessing("sesame")),
        (id(5), owning(ALICE)),
    ];
    for (passport, proof) in dead {
        assert_eq!(open(shop, passport, proof.clone(), at(10)).await, Err(Refusal::LinkDead), "{passport}");
        assert_eq!(claim_at(shop, passport, proof, BOB, at(10)).await, Err(Refusal::LinkDead), "{passport}");
    }
    assert_eq!(journal(shop).await, before, "nothing was changed");
}

pub(crate) async fn who_claims_first_owns_it(shop: &Shop) {
    let handed = handed_out(shop).await;
    open(shop, handed.passport, knowing(&handed), at(0)).await.unwrap();
    assert_eq!(claim(shop, handed.passport, knowing(&handed), ALICE).await, Ok(()));
    assert_eq!(claim(shop, handed.passport, knowing(&handed), ALICE).await, Ok(()), "again, as the first");
    assert_eq!(claim(shop, handed.passport, signing_for(&handed), ALICE).await, Ok(()));
    assert_eq!(claim(shop, handed.passport, guessing("sesame"), ALICE).await, Err(Refusal::LinkDead));
    assert_eq!(claim(shop, handed.passport, knowing(&handed), BOB).await, Err(Refusal::LinkDead));
    let opened = open(shop, handed.passport, owning(ALICE), at(2)).await.unwrap();
    assert!(matches!(opened.state, State::Claimed { owner: ALICE, .. }));
    assert_eq!(shop.reset(tagged("vip"), at(2)).await, Ok(0), "a claimed passport is never reset");
    assert_eq!(journal(shop).await[2..], ["scanned visitor".to_owned(), format!("claimed wallet:{ALICE}")]);
}

pub(crate) async fn a_page_left_open_from_before_a_reset_claims_nothing(shop: &Shop) {
    let before = handed_out(shop).await;
    shop.reset(tagged("vip"), at(1)).await.unwrap();
    let after = shop.reserve("vip", 1).await.unwrap().only().clone();
    assert_eq!(before.passport, after.passport);
    assert_eq!(claim(shop, before.passport, knowing(&before), ALICE).await, Err(Refusal::LinkDead));
    assert_eq!(claim(shop, before.passport, signing_for(&before), ALICE).await, Err(Refusal::LinkDead));
    assert_eq!(claim(shop, after.passport, knowing(&after), BOB).await, Ok(()));
}

pub(crate) async fn a_claim_and_a_reset_at_once_have_one_winner(shop: &Shop) {
    let rounds = if std::env::var_os("PASSPOOL_TEST_LONG").is_some() { 10_000 } else { 1_000 };
    shop.stock(1, 1, "vip").await;
    let (mut claimed, mut reset) = (0, 0);
    for round in 0..rounds {
        let handed = shop.reserve("vip", 1).await.unwrap().only().clone();
        let claiming = claim(shop, handed.passport, knowing(&handed), ALICE);
        let resetting = shop.reset(tagged("vip"), at(1));
        // Who comes first is left to chance and turned with the round, or the same one would always win.
        let (claim, was_reset) = if round % 2 == 0 {
            tokio::join!(claiming, resetting)
        } else {
            let (was_reset, claim) = tokio::join!(resetting, claiming);
            (claim, was_reset)
        };
        let last = last_told(shop).await;
        match (claim, was_reset.unwrap()) {
            (Ok(()), 0) => {
                assert_eq!(last, format!("claimed wallet:{ALICE}"));
                claimed += 1;
                let wish = OfPassport { passport: handed.passport, by: Actor::CommandLine, now: at(2) };
                shop.store().recover(wish).await.unwrap();
                shop.reset(ResetScope::Named(vec![handed.passport]), at(3)).await.unwrap();
            }
            (Err(Refusal::LinkDead), 1) => {
                assert_eq!(last, "reset cli");
                reset += 1;
            }
            other => panic!("round {round}: {other:?}"),
        }
    }
    assert!(claimed > 0 && reset > 0, "{claimed} claims and {reset} resets: no race was run");
}

pub(crate) async fn a_printed_code_leaves_the_pool_when_it_is_opened(shop: &Shop) {
    let passphrase = Passphrase::parse("summer-sale").unwrap();
    let sealed = secret().seal(id(1), &passphrase, [9; 24]);
    let code = Code::Printed(sealed.clone(), SecretId::FIRST);
    let tags = Tags::parse_list("vip").unwrap();
    let passports = vec![NewPassport { id: id(1), code, tags, content: Content::empty() }];
    shop.store().create(Create { passports, terms: terms() }).await.unwrap();
    let key = LinkKey::Imported(sealed, SecretId::FIRST);
    let handed = HandedOut { passport: id(1), key, content: None, recipient: None };
    assert_eq!(preview(shop, &handed, at(0)).await, Ok(StateName::Available), "a robot takes nothing");
    assert!(open(shop, id(1), guessing("summer-sale"), at(1)).await.is_ok());
    assert_eq!(shop.counts("vip", at(1)).await.of(StateName::Scanned), 1);
    shop.reset(tagged("vip"), at(2)).await.unwrap();
    assert_eq!(open(shop, id(1), guessing("summer-sale"), at(3)).await, Err(Refusal::LinkDead));
}

pub(crate) async fn a_recovered_passport_waits_for_a_reset_by_name(shop: &Shop) {
    let handed = handed_out(shop).await;
    let wish = |now| OfPassport { passport: handed.passport, by: Actor::CommandLine, now: at(now) };
    let recover = async |now| shop.store().recover(wish(now)).await.map_err(refusal);
    let not = |from| Err(Refusal::WrongState { from, wanted: "recovered" });
    assert_eq!(recover(1).await, not(StateName::Reserved));
    claim(shop, handed.passport, knowing(&handed), ALICE).await.unwrap();
    assert_eq!(recover(2).await, Ok(()));
    assert_eq!(recover(3).await, not(StateName::Recovered));
    for proof in [knowing(&handed), signing_for(&handed), owning(ALICE)] {
        assert_eq!(open(shop, handed.passport, proof.clone(), at(4)).await, Err(Refusal::LinkDead));
        assert_eq!(claim(shop, handed.passport, proof, ALICE).await, Err(Refusal::LinkDead));
    }
    assert_eq!(shop.reset(tagged("vip"), at(5)).await, Ok(0), "its tags do not name it");
    assert_eq!(shop.reserve("vip", 1).await, Err(Refusal::PoolShort { available: 0 }));
    assert_eq!(shop.reset(ResetScope::Named(vec![handed.passport]), at(6)).await, Ok(1));
    let again = shop.reserve("vip", 1).await.unwrap().only().clone();
    assert_eq!(again.passport, handed.passport);
    assert_eq!(open(shop, handed.passport, knowing(&handed), at(7)).await, Err(Refusal::LinkDead));
    assert!(open(shop, handed.passport, knowing(&again), at(7)).await.is_ok());
}

pub(crate) async fn a_withdrawn_passport_is_out_for_good(shop: &Shop) {
    let handed = handed_out(shop).await;
    let withdraw = async |passport: u64| {
        let wish = OfPassport { passport: id(passport), by: Actor::CommandLine, now: at(1) };
        shop.store().withdraw(wish).await.map_err(refusal)
    };
    assert_eq!(withdraw(2).await, Err(Refusal::UnknownPassport(id(2))));
    assert_eq!(withdraw(1).await, Ok(()));
    assert_eq!(withdraw(1).await, Err(Refusal::WrongState { from: StateName::Withdrawn, wanted: "withdrawn" }));
    assert_eq!(open(shop, handed.passport, knowing(&handed), at(2)).await, Err(Refusal::LinkDead));
    let reset = shop.reset(ResetScope::Named(vec![id(1)]), at(2)).await;
    assert!(matches!(reset, Err(Refusal::About { .. })), "{reset:?}");
    assert_eq!(shop.counts("vip", at(2)).await.of(StateName::Withdrawn), 1);
}

pub(crate) async fn a_new_link_kills_the_old_one_and_takes_the_passport_out_of_the_pool(shop: &Shop) {
    shop.stock(1, 1, "vip").await;
    let relink = async |passport: u64, seed: u8, chosen: Option<&str>| {
        let passphrase = chosen.map(|text| secret().seal(id(passport), &Passphrase::parse(text).unwrap(), [seed; 24]));
        let seed = passpool_core::HandOutSeed::new([seed; 32]);
        let wish = Relink { passport: id(passport), passphrase, seed, by: Actor::CommandLine, now: at(0) };
        shop.store().relink(wish).await.map_err(refusal)
    };
    assert_eq!(relink(2, 1, None).await, Err(Refusal::UnknownPassport(id(2))));
    let first = relink(1, 1, None).await.unwrap();
    assert_eq!(shop.reserve("vip", 1).await, Err(Refusal::PoolShort { available: 0 }));
    assert!(open(shop, id(1), knowing(&first), at(1)).await.is_ok());
    let chosen = relink(1, 2, Some("our-own-words")).await.unwrap();
    assert_eq!(open(shop, id(1), knowing(&first), at(2)).await, Err(Refusal::LinkDead));
    assert!(open(shop, id(1), guessing("our-own-words"), at(2)).await.is_ok());
    claim(shop, id(1), knowing(&chosen), ALICE).await.unwrap();
    let refused = relink(1, 3, None).await;
    assert_eq!(refused, Err(Refusal::WrongState { from: StateName::Claimed, wanted: "given a new link" }));
}
