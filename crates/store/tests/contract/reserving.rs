//! Passports leave the pool, each exactly once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use passpool_core::{
    Actor, Code, Content, HandedOut, LinkKey, Passphrase, Refusal, ReservationId, Reserve, Rule, SecretId, Shortage,
    StateName,
};
use passpool_store::{Create, EditPassport, LinksOf, OfPassport, ShowLinks};

use crate::shop::{Shop, at, id, ids, passport, refusal, rounds, secret, selector, tagged, terms};

pub(crate) async fn racers_never_share_a_passport(shop: &Shop) {
    shop.stock(1, 2_000, "vip").await;
    let racers = (0..64).map(|_| {
        let (store, wishes) = (shop.store(), (0..40).map(|_| shop.wish("vip", 1)).collect::<Vec<_>>());
        tokio::spawn(async move {
            let mut won = Vec::new();
            for wish in wishes {
                match store.reserve(wish).await.map_err(refusal) {
                    Ok(reservation) => won.push(reservation.only().clone()),
                    Err(refusal) => assert_eq!(refusal, Refusal::PoolShort { available: 0 }),
                }
            }
            won
        })
    });
    let mut won = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        won.extend(racer.await.unwrap());
    }
    let passports: BTreeSet<u64> = won.iter().map(|handed| handed.passport.get()).collect();
    let links: BTreeSet<String> = won
        .iter()
        .map(|handed| secret().passphrase(handed.passport, &handed.key).unwrap().reveal().to_owned())
        .collect();
    assert_eq!((won.len(), passports.len(), links.len()), (2_000, 2_000, 2_000));
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Reserved), 2_000);
}

pub(crate) async fn a_shortage_takes_nothing(shop: &Shop) {
    shop.stock(1, 5, "vip").await;
    assert_eq!(shop.reserve("vip", 6).await, Err(Refusal::PoolShort { available: 5 }));
    assert_eq!(shop.reserve("VIP", 1).await, Err(Refusal::PoolShort { available: 0 }), "tags are case-sensitive");
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Available), 5);
    assert_eq!(ids(&shop.reserve("vip", 5).await.unwrap()), [1, 2, 3, 4, 5]);
}

pub(crate) async fn a_partial_wish_takes_what_is_there(shop: &Shop) {
    shop.stock(1, 5, "vip").await;
    let partial = || Reserve { shortage: Shortage::Partial, ..shop.wish("vip", 6) };
    assert_eq!(ids(&shop.reserve_as(partial()).await.unwrap()), [1, 2, 3, 4, 5]);
    assert_eq!(shop.reserve_as(partial()).await, Err(Refusal::PoolShort { available: 0 }));
}

/// Two tags of which each is on half of the pool, and both on few: the two are read once and side by side. Looking for each
/// passport of the one through all of the other takes minutes at this size.
pub(crate) async fn where_two_large_tags_meet_is_found_at_once_also_when_nothing_is_left(shop: &Shop) {
    /// A machine that does other things too, and no optimization.
    const AT_ONCE: Duration = Duration::from_secs(20);
    shop.stock(1, 5, "left,right").await;
    shop.stock(6, 30_000, "left").await;
    shop.stock(30_006, 30_000, "right").await;
    shop.stock(60_006, 5, "left,right").await;
    let reserved = tokio::time::timeout(AT_ONCE, async {
        let all = shop.reserve("left,right", 10).await.unwrap();
        for none_left in ["left,right", "right,left"] {
            assert_eq!(shop.reserve(none_left, 1).await, Err(Refusal::PoolShort { available: 0 }));
        }
        all
    });
    let common: Vec<u64> = (1..=5).chain(60_006..=60_010).collect();
    assert_eq!(ids(&reserved.await.expect("it is found at once")), common);
}

/// Few are left and many want several each: while enough are left, somebody wins. Whoever is told that too few are left
/// is told the truth, whatever others held for a moment.
pub(crate) async fn no_false_shortage(shop: &Shop) {
    shop.pick_slowly().await;
    for round in 0..rounds(200, 20) {
        shop.stock(1 + round * 20, 20, "vip").await;
        let callers = (0..8).map(|_| {
            let (store, wish) = (shop.store(), shop.wish("vip", 4));
            tokio::spawn(async move { store.reserve(wish).await.map_err(refusal) })
        });
        let mut won = 0;
        for caller in callers.collect::<Vec<_>>() {
            match caller.await.unwrap() {
                Ok(_) => won += 1,
                Err(refused) => assert_eq!(refused, Refusal::PoolShort { available: 0 }, "round {round}"),
            }
        }
        assert_eq!(won, 5, "round {round}: 20 passports are enough for five who want four each");
    }
    shop.pick_quickly().await;
}

/// Every selector over four tags, against sets kept by hand.
pub(crate) async fn tags_pick_as_a_plain_model_says(shop: &Shop) {
    let names = ["a", "b", "c", "d"];
    let tags_of = |n: u64| {
        names.iter().enumerate().filter(|(bit, _)| ((n * 7) >> bit) & 1 == 1).map(|(_, tag)| *tag).collect::<Vec<_>>()
    };
    for first in (1..=9_000).step_by(3_000) {
        let passports = (first..first + 3_000).map(|n| passport(n, &tags_of(n).join(","))).collect();
        shop.store().create(Create { passports, terms: terms() }).await.unwrap();
    }
    let mut pool: BTreeMap<u64, Vec<&str>> = (1..=9_000).map(|n| (n, tags_of(n))).collect();
    for round in 0..96_u32 {
        let wanted: Vec<&str> =
            names.iter().enumerate().filter(|(bit, _)| (round >> bit) & 1 == 1).map(|(_, tag)| *tag).collect();
        let rule = if round / 16 % 2 == 0 { Rule::And } else { Rule::Or };
        if wanted.is_empty() {
            continue;
        }
        let matches = |tags: &Vec<&str>| match rule {
            Rule::And => wanted.iter().all(|tag| tags.contains(tag)),
            Rule::Or => wanted.iter().any(|tag| tags.contains(tag)),
        };
        let expected: Vec<u64> = pool.iter().filter(|(_, tags)| matches(tags)).map(|(n, _)| *n).take(150).collect();
        let list = wanted.join(",");
        let wish = Reserve { selector: selector(&list, rule), shortage: Shortage::Partial, ..shop.wish("a", 150) };
        match shop.reserve_as(wish).await {
            Ok(reservation) => assert_eq!(ids(&reservation), expected, "{list} {rule}"),
            Err(refusal) => {
                assert_eq!((refusal, expected.len()), (Refusal::PoolShort { available: 0 }, 0), "{list} {rule}");
            }
        }
        expected.iter().for_each(|n| drop(pool.remove(n)));
    }
    let with_unknown = |rule| Reserve { selector: selector("a,nobody", rule), ..shop.wish("a", 1) };
    assert_eq!(shop.reserve_as(with_unknown(Rule::And)).await, Err(Refusal::PoolShort { available: 0 }));
    let left = pool.iter().find(|(_, tags)| tags.contains(&"a")).map(|(n, _)| *n);
    assert_eq!(shop.reserve_as(with_unknown(Rule::Or)).await.ok().map(|won| ids(&won)[0]), left);
}

pub(crate) async fn a_count_out_of_range_is_refused(shop: &Shop) {
    shop.stock(1, 1, "vip").await;
    for count in [0, Reserve::MAX_COUNT + 1] {
        let refused = Refusal::Count { count: count.into(), max: 100_000 };
        assert_eq!(shop.reserve("vip", count).await, Err(refused));
    }
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Available), 1);
}

pub(crate) async fn an_imported_code_is_used_once(shop: &Shop) {
    let sealed = secret().seal(id(1), &Passphrase::parse("sesame").unwrap(), [9; 24]);
    let new =
        passpool_core::NewPassport { code: Code::Imported(sealed.clone(), SecretId::FIRST), ..passport(1, "vip") };
    shop.store().create(Create { passports: vec![new], terms: terms() }).await.unwrap();
    assert_eq!(shop.reserve("vip", 1).await.unwrap().only().key, LinkKey::Imported(sealed, SecretId::FIRST));
    shop.reset(tagged("vip"), at(1)).await.unwrap();
    assert!(matches!(shop.reserve("vip", 1).await.unwrap().only().key, LinkKey::Derived(..)), "its first link is dead");
}

pub(crate) async fn a_printed_code_is_passed_over(shop: &Shop) {
    let sealed = secret().seal(id(1), &Passphrase::parse("sesame").unwrap(), [9; 24]);
    let printed = passpool_core::NewPassport { code: Code::Printed(sealed, SecretId::FIRST), ..passport(1, "vip") };
    shop.store().create(Create { passports: vec![printed, passport(2, "vip")], terms: terms() }).await.unwrap();
    assert_eq!(shop.counts("vip", at(0)).await.of(StateName::Available), 2);
    assert_eq!(ids(&shop.reserve("vip", 1).await.unwrap()), [2]);
    assert_eq!(shop.reserve("vip", 1).await, Err(Refusal::PoolShort { available: 0 }));
}

/// Neighbours may be written together, whatever stands between them: codes of their own, passports that nobody gets by this
/// tag, and one that was handed out before. Each is to be found as it was told.
pub(crate) async fn passports_of_one_wish_are_found_as_they_were_told(shop: &Shop) {
    let sealed = |n: u64| secret().seal(id(n), &Passphrase::parse("sesame").unwrap(), [9; 24]);
    let with_code = |n, code| passpool_core::NewPassport { code, ..passport(n, "vip") };
    let passports = (1..=30).map(|n| match n {
        7 => with_code(n, Code::Imported(sealed(n), SecretId::FIRST)),
        8 => with_code(n, Code::Printed(sealed(n), SecretId::FIRST)),
        13 => passport(n, "plain"),
        n => passport(n, "vip"),
    });
    shop.store().create(Create { passports: passports.collect(), terms: terms() }).await.unwrap();
    assert_eq!(ids(&shop.reserve("vip", 3).await.unwrap()), [1, 2, 3]);
    for round in 0..2 {
        shop.reset(tagged("vip"), at(round)).await.unwrap();
        let wish = shop.kept("vip", 25, &[]);
        let told = shop.reserve_as(wish.clone()).await.unwrap();
        let expected: Vec<u64> = (1..=27).filter(|n| ![8, 13].contains(n)).collect();
        assert_eq!(ids(&told), expected);
        let look = ShowLinks {
            of: LinksOf::Reservation { id: told.id.unwrap(), from: 0, limit: LinksOf::MAX },
            with_content: false,
            by: wish.by,
            now: at(round),
        };
        let found = shop.store().show_links(look).await.unwrap();
        let found: Vec<_> = found.iter().map(|shown| (shown.passport, shown.key.clone().unwrap())).collect();
        let told: Vec<_> = told.handed_out.iter().map(|handed| (handed.passport, handed.key.clone())).collect();
        assert_eq!(found, told);
        let opens = |(passport, key): &(_, _)| secret().passphrase(*passport, key).unwrap().reveal().to_owned();
        assert_eq!(told.iter().map(opens).collect::<BTreeSet<_>>().len(), 25);
    }
    assert_eq!(ids(&shop.reserve("vip", 3).await.unwrap()), [28, 29, 30]);
}

/// Many are read in slices, while others are written. Each is to be found as it was told, also what has a code of its own and
/// what has no neighbour.
pub(crate) async fn many_of_one_wish_are_found_as_they_were_told(shop: &Shop) {
    let content = |n: u64| Content::parse(&format!(r#"{{"name":"Watch {}"}}"#, n % 7)).unwrap();
    let sealed = |n: u64| secret().seal(id(n), &Passphrase::parse("sesame").unwrap(), [9; 24]);
    let code = |n: u64| if n.is_multiple_of(100) { Code::Imported(sealed(n), SecretId::FIRST) } else { Code::None };
    let tags = |n: u64| if n.is_multiple_of(250) { "plain" } else { "vip" };
    let new = |n| passpool_core::NewPassport { code: code(n), content: content(n), ..passport(n, tags(n)) };
    for first in (1..=18_000).step_by(3_000) {
        let passports = (first..first + 3_000).map(new).collect();
        shop.store().create(Create { passports, terms: terms() }).await.unwrap();
    }
    let expected: Vec<u64> = (1..).filter(|n| tags(*n) == "vip").take(17_000).collect();
    for round in 0..2 {
        let told = shop.reserve_as(Reserve { with_content: true, ..shop.kept("vip", 17_000, &[]) }).await.unwrap();
        assert_eq!(ids(&told), expected);
        assert_eq!(links_of(shop, told.id.unwrap()).await, told.handed_out);
        let (mut imported, mut numbers) = (Vec::new(), BTreeSet::new());
        for handed in &told.handed_out {
            assert_eq!(handed.content, Some(content(handed.passport.get())));
            match &handed.key {
                LinkKey::Imported(..) => imported.push(handed.passport.get()),
                LinkKey::Derived(number, _) => assert!(numbers.insert(number.get())),
            }
        }
        let own = expected.iter().copied().filter(|n| round == 0 && n.is_multiple_of(100));
        assert!(imported.into_iter().eq(own), "a code of its own is used once");
        assert_eq!(shop.reset(tagged("vip"), at(round)).await, Ok(17_000));
    }
}

/// The links of a reservation as they are shown again.
async fn links_of(shop: &Shop, id: ReservationId) -> Vec<HandedOut> {
    let mut links = Vec::new();
    loop {
        let of = LinksOf::Reservation { id, from: links.len() as u32, limit: LinksOf::MAX };
        let look = ShowLinks { of, with_content: true, by: Actor::CommandLine, now: at(0) };
        let page = shop.store().show_links(look).await.unwrap();
        if page.is_empty() {
            return links;
        }
        links.extend(page.into_iter().map(|shown| HandedOut {
            passport: shown.passport,
            key: shown.key.expect("it opens"),
            content: shown.content,
            recipient: shown.recipient.map(Box::new),
        }));
    }
}

/// Whoever asks for one passport after the other may be given what was read a while ago, but not if somebody has changed it.
pub(crate) async fn a_passport_is_handed_out_as_it_is_by_then(shop: &Shop) {
    shop.stock(1, 200, "vip").await;
    let store = shop.store();
    for first in (1..=100).step_by(10) {
        for next in first..first + 8 {
            assert_eq!(ids(&shop.reserve("vip", 1).await.unwrap()), [next]);
        }
        let (edited, gone) = (first + 8, first + 9);
        let content = Content::parse(&format!(r#"{{"name":"Watch {edited}"}}"#)).unwrap();
        let (by, now) = (Actor::CommandLine, at(0));
        let edit = EditPassport {
            passport: id(edited),
            if_one_of: None,
            tags: None,
            content: Some(content.clone()),
            by: by.clone(),
            now,
        };
        store.edit_passport(edit).await.unwrap();
        store.withdraw(OfPassport { passport: id(gone), by, now }).await.unwrap();
        let wish = Reserve { with_content: true, ..shop.wish("vip", 1) };
        let given = shop.reserve_as(wish).await.unwrap();
        assert_eq!((ids(&given), &given.only().content), (vec![edited], &Some(content)));
    }
    shop.reset(tagged("vip"), at(0)).await.unwrap();
    assert_eq!(ids(&shop.reserve("vip", 1).await.unwrap()), [1]);
}

pub(crate) async fn content_comes_back_as_it_was_given(shop: &Shop) {
    let content = Content::parse(r#"{ "name": "Watch", "a": 1.50 }"#).unwrap();
    let made = |n| passpool_core::NewPassport { content: content.clone(), ..passport(n, "vip") };
    shop.store()
        .create(Create { passports: vec![made(1), made(2), passport(3, "plain")], terms: terms() })
        .await
        .unwrap();
    let ask = |tag: &str| Reserve { with_content: true, ..shop.wish(tag, 1) };
    for _ in 0..2 {
        let reservation = shop.reserve_as(ask("vip")).await.unwrap();
        assert_eq!(reservation.only().content.as_ref().unwrap().as_str(), r#"{"name":"Watch","a":1.50}"#);
    }
    assert_eq!(shop.reserve_as(ask("plain")).await.unwrap().only().content, Some(Content::empty()));
}
