//! Users, the profiles that they share, and the keys that they change.

use passpool_core::{ApiKey, Caller, Granter, ProfileName, Refusal, Right, Rights, UserName};
use passpool_store::{KeyInfo, KeyUse, NewKey, NewUser, ProfileOf, RenewKey};

use crate::shop::{Shop, at, refusal};

fn key(seed: u8) -> ApiKey {
    ApiKey::from_random(&[seed; 32])
}

fn name(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn profile(name: &str) -> ProfileName {
    ProfileName::parse(name).unwrap()
}

async fn add(shop: &Shop, user: &str, profile: ProfileOf, seed: u8) -> Result<(), Refusal> {
    let user = NewUser { name: name(user), profile, key: NewKey::of(&key(seed), at(0)) };
    shop.store().add_user(user, Granter::CommandLine).await.map_err(refusal)
}

async fn opens(shop: &Shop, seed: u8, now: i64) -> bool {
    shop.store().caller(key(seed).digest(), at(now)).await.unwrap().is_some()
}

async fn keys(shop: &Shop, user: &str) -> Vec<KeyInfo> {
    let users = shop.store().users().await.unwrap();
    users.into_iter().find(|found| found.name == name(user)).unwrap().keys
}

pub(crate) async fn users_share_a_profile(shop: &Shop) {
    let rights = |list| Rights::parse(list).unwrap();
    shop.store().add_profile(profile("counter"), rights("certRead"), Granter::CommandLine).await.unwrap();
    let again =
        shop.store().add_profile(profile("counter"), rights("certRead"), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(again, Err(Refusal::ProfileExists(profile("counter"))));
    let shared = || ProfileOf::Named(profile("counter"));
    add(shop, "a", shared(), 1).await.unwrap();
    add(shop, "b", shared(), 2).await.unwrap();
    let nobodys = ProfileOf::Named(profile("nobody"));
    assert_eq!(add(shop, "c", nobodys, 3).await, Err(Refusal::UnknownProfile(profile("nobody"))));
    shop.store().change_rights(profile("counter"), rights("certCreate"), Granter::CommandLine).await.unwrap();
    for seed in [1, 2] {
        let caller = shop.store().caller(key(seed).digest(), at(0)).await.unwrap().unwrap();
        assert!(caller.may(Right::CertCreate) && !caller.may(Right::CertRead));
    }
    let in_use = shop.store().remove_profile(profile("counter"), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(in_use, Err(Refusal::ProfileInUse(profile("counter"))));
    shop.store().remove_user(name("a"), Granter::CommandLine).await.unwrap();
    shop.store().remove_user(name("b"), Granter::CommandLine).await.unwrap();
    let known = shop.store().profiles().await.unwrap();
    let known: Vec<_> = known.iter().map(|info| (info.name.as_str(), info.users)).collect();
    assert_eq!(known, [("admin", 1), ("counter", 0)], "it stays when nobody has it");
    shop.store().remove_profile(profile("counter"), Granter::CommandLine).await.unwrap();
    let unknown = shop.store().remove_profile(profile("counter"), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(unknown, Err(Refusal::UnknownProfile(profile("counter"))));
}

pub(crate) async fn a_user_who_was_refused_leaves_nothing(shop: &Shop) {
    let own = || ProfileOf::Own(Rights::parse("certRead").unwrap());
    add(shop, "a", own(), 1).await.unwrap();
    assert_eq!(add(shop, "b", own(), 1).await, Err(Refusal::KeyExists), "it is another's key");
    let users = shop.store().users().await.unwrap();
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["a", "admin"]);
    assert_eq!(shop.store().profiles().await.unwrap().len(), 2);
    add(shop, "b", own(), 2).await.unwrap();
}

pub(crate) async fn the_last_admin_keeps_the_right(shop: &Shop) {
    let admin = UserName::admin();
    let last = || Err(Refusal::LastAdmin(UserName::admin()));
    let rights = Rights::parse("certRead").unwrap();
    let weakened =
        shop.store().change_rights(ProfileName::admin(), rights, Granter::CommandLine).await.map_err(refusal);
    assert_eq!(weakened, last());
    shop.store().add_profile(profile("reader"), rights, Granter::CommandLine).await.unwrap();
    let moved =
        shop.store().change_profile(admin.clone(), profile("reader"), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(moved, last());
    assert_eq!(shop.store().profiles().await.unwrap().len(), 2, "a refusal changes nothing");
    add(shop, "boss", ProfileOf::Named(ProfileName::admin()), 1).await.unwrap();
    shop.store().change_profile(admin.clone(), profile("reader"), Granter::CommandLine).await.unwrap();
    let unknown =
        shop.store().change_profile(name("x"), profile("reader"), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(unknown, Err(Refusal::UnknownUser(name("x"))));
    let boss = shop.store().remove_user(name("boss"), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(boss, Err(Refusal::LastAdmin(name("boss"))));
}

pub(crate) async fn nobody_touches_a_right_that_they_do_not_have(shop: &Shop) {
    let rights = |list| Rights::parse(list).unwrap();
    let clerk = || Granter::Caller(Caller { name: name("clerk"), rights: rights("accountManage,certRead") });
    let missing = |right| Err(Refusal::RightMissing(right));
    shop.store().add_profile(profile("clerks"), rights("accountManage"), Granter::CommandLine).await.unwrap();
    add(shop, "clerk", ProfileOf::Named(profile("clerks")), 1).await.unwrap();
    add(shop, "till", ProfileOf::Own(rights("certRead")), 2).await.unwrap();
    let before = (shop.store().users().await.unwrap(), shop.store().profiles().await.unwrap());

    // What is given away.
    let new = |profile| NewUser { name: name("eve"), profile, key: NewKey::of(&key(3), at(0)) };
    for (of, right) in [
        (ProfileOf::Own(rights("certRead,certCreate")), Right::CertCreate),
        (ProfileOf::Named(ProfileName::admin()), Right::Admin),
    ] {
        assert_eq!(shop.store().add_user(new(of), clerk()).await.map_err(refusal), missing(right));
    }
    let given = shop.store().change_profile(name("till"), ProfileName::admin(), clerk()).await.map_err(refusal);
    assert_eq!(given, missing(Right::Admin));
    let given = shop.store().add_profile(profile("x"), rights("certCreate"), clerk()).await.map_err(refusal);
    assert_eq!(given, missing(Right::CertCreate));
    let given = shop.store().change_rights(profile("till"), rights("certCreate"), clerk()).await.map_err(refusal);
    assert_eq!(given, missing(Right::CertCreate));

    // What is taken over, or away.
    let (admin, till) = (UserName::admin(), profile("till"));
    let of_admin = [
        shop.store().change_profile(admin.clone(), till, clerk()).await,
        shop.store().add_key(admin.clone(), NewKey::of(&key(4), at(0)), clerk()).await,
        shop.store().remove_key(admin.clone(), "pp_aaaaa".into(), clerk()).await,
        shop.store().remove_user(admin.clone(), clerk()).await,
        shop.store().change_rights(ProfileName::admin(), rights("certRead"), clerk()).await,
        shop.store().remove_profile(ProfileName::admin(), clerk()).await,
    ];
    for taken in of_admin {
        assert_eq!(taken.map_err(refusal), missing(Right::Admin));
    }
    let renewal = RenewKey { user: admin, old: None, key: NewKey::of(&key(4), at(0)), old_until: None };
    assert_eq!(shop.store().renew_key(renewal, clerk()).await.map_err(refusal), missing(Right::Admin));

    // What is one's own.
    let own = [
        shop.store().change_profile(name("clerk"), profile("till"), clerk()).await,
        shop.store().remove_user(name("clerk"), clerk()).await,
        shop.store().change_rights(profile("clerks"), rights("certRead"), clerk()).await,
    ];
    for changed in own {
        assert_eq!(changed.map_err(refusal), Err(Refusal::OwnAccount));
    }
    let after = (shop.store().users().await.unwrap(), shop.store().profiles().await.unwrap());
    assert_eq!(after, before, "a refusal changes nothing");
    shop.store().change_rights(profile("till"), rights("accountManage"), clerk()).await.unwrap();
    shop.store().remove_user(name("till"), clerk()).await.unwrap();
}

pub(crate) async fn an_old_key_is_good_for_a_while(shop: &Shop) {
    add(shop, "crm", ProfileOf::Own(Rights::parse("certRead").unwrap()), 1).await.unwrap();
    let renew = async |old: Option<&ApiKey>, seed: u8, until: Option<i64>| {
        let old = old.map(|old| old.head().to_owned());
        let key = NewKey::of(&key(seed), at(i64::from(seed)));
        let wish = RenewKey { user: name("crm"), old, key, old_until: until.map(at) };
        shop.store().renew_key(wish, Granter::CommandLine).await.map_err(refusal)
    };
    renew(Some(&key(1)), 2, Some(60)).await.unwrap();
    assert!(opens(shop, 1, 59).await && opens(shop, 2, 59).await);
    assert!(!opens(shop, 1, 60).await && opens(shop, 2, 60).await);
    assert_eq!(renew(Some(&key(9)), 3, None).await, Err(Refusal::UnknownKey));
    assert!(!opens(shop, 3, 0).await, "a refusal makes no key");
    renew(None, 3, Some(100)).await.unwrap();
    assert!(!opens(shop, 1, 60).await, "a key that dies sooner is given no longer life");
    assert!(opens(shop, 2, 99).await && !opens(shop, 2, 100).await);
    assert_eq!(shop.store().forget_keys(at(60)).await.unwrap(), 1);
    assert_eq!(keys(shop, "crm").await.len(), 2);
    renew(None, 4, None).await.unwrap();
    assert_eq!(keys(shop, "crm").await.iter().map(|known| known.head.clone()).collect::<Vec<_>>(), [key(4).head()]);
}

pub(crate) async fn a_user_has_several_keys(shop: &Shop) {
    add(shop, "crm", ProfileOf::Own(Rights::parse("certRead").unwrap()), 1).await.unwrap();
    shop.store().add_key(name("crm"), NewKey::of(&key(2), at(5)), Granter::CommandLine).await.unwrap();
    let again =
        shop.store().add_key(name("crm"), NewKey::of(&key(2), at(5)), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(again, Err(Refusal::KeyExists));
    assert!(opens(shop, 1, 9).await && opens(shop, 2, 9).await);
    shop.store().remove_key(name("crm"), key(1).head().to_owned(), Granter::CommandLine).await.unwrap();
    assert!(!opens(shop, 1, 9).await && opens(shop, 2, 9).await);
    let gone =
        shop.store().remove_key(name("crm"), key(1).head().to_owned(), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(gone, Err(Refusal::UnknownKey));
    let unknown =
        shop.store().add_key(name("x"), NewKey::of(&key(3), at(5)), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(unknown, Err(Refusal::UnknownUser(name("x"))));
}

pub(crate) async fn the_last_use_of_a_key_is_known_to_the_minute(shop: &Shop) {
    add(shop, "crm", ProfileOf::Own(Rights::parse("certRead").unwrap()), 1).await.unwrap();
    assert_eq!(keys(shop, "crm").await[0].used_at, None);
    let used = async |seconds: i64| {
        let uses = vec![KeyUse { digest: key(1).digest(), at: at(seconds) }];
        shop.store().keep_key_uses(uses).await.unwrap();
        keys(shop, "crm").await[0].used_at
    };
    // The story's first moment is 20 seconds into a minute.
    assert_eq!(used(45).await, Some(at(40)));
    assert_eq!(used(99).await, Some(at(40)));
    assert_eq!(used(100).await, Some(at(100)));
    assert_eq!(used(45).await, Some(at(100)), "an older use is no news");
    shop.store().keep_key_uses(vec![KeyUse { digest: key(9).digest(), at: at(0) }]).await.unwrap();
}
