//! Users come and go with their keys.

use passpool_core::{ApiKey, Granter, LinkBase, Network, Refusal, Right, Rights, UserName};
use passpool_store::{KeyInfo, LinkSettings, NewKey, NewUser, ProfileOf, RenewKey};

use crate::shop::{Shop, at, refusal};

fn key(seed: u8) -> ApiKey {
    ApiKey::from_random(&[seed; 32])
}

fn user(name: &str, rights: &str, seed: u8) -> NewUser {
    let (name, rights) = (UserName::parse(name).unwrap(), Rights::parse(rights).unwrap());
    NewUser { name, profile: ProfileOf::Own(rights), key: NewKey::of(&key(seed), at(0)) }
}

/// Another key for the CRM, in the place of all that it has.
fn renewal(seed: u8) -> RenewKey {
    let user = UserName::parse("crm").unwrap();
    RenewKey { user, old: None, key: NewKey::of(&key(seed), at(1)), old_until: None }
}

pub(crate) async fn a_key_opens_until_it_is_renewed_or_its_user_removed(shop: &Shop) {
    let who = async |seed| {
        shop.store().caller(key(seed).digest(), at(0)).await.unwrap().map(|caller| caller.name.to_string())
    };
    let crm = UserName::parse("crm").unwrap();
    shop.store().add_user(user("crm", "certCreate", 1), Granter::CommandLine).await.unwrap();
    assert_eq!((who(1).await.as_deref(), who(2).await), (Some("crm"), None));
    let caller = shop.store().caller(key(1).digest(), at(0)).await.unwrap().unwrap();
    assert!(caller.may(Right::CertCreate) && !caller.may(Right::CertRead));

    let again = shop.store().add_user(user("crm", "certRead", 3), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(again, Err(Refusal::UserExists(crm.clone())));
    shop.store().renew_key(renewal(2), Granter::CommandLine).await.unwrap();
    assert_eq!((who(1).await, who(2).await.as_deref(), who(3).await), (None, Some("crm"), None));

    let users = shop.store().users().await.unwrap();
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["admin", "crm"]);
    let renewed = KeyInfo { head: key(2).head().to_owned(), made_at: at(1), until: None, used_at: None };
    assert_eq!((users[0].keys.as_slice(), users[1].keys.as_slice()), (&[][..], &[renewed][..]));

    shop.store().remove_user(crm.clone(), Granter::CommandLine).await.unwrap();
    assert_eq!(who(2).await, None);
    assert_eq!(
        shop.store().remove_user(crm.clone(), Granter::CommandLine).await.map_err(refusal),
        Err(Refusal::UnknownUser(crm.clone()))
    );
    let renewed = shop.store().renew_key(renewal(4), Granter::CommandLine).await.map_err(refusal);
    assert_eq!(renewed, Err(Refusal::UnknownUser(crm)));
    shop.store().add_user(user("crm", "certRead", 5), Granter::CommandLine).await.unwrap();
}

pub(crate) async fn the_last_admin_stays(shop: &Shop) {
    let admin = UserName::admin();
    assert_eq!(
        shop.store().remove_user(admin.clone(), Granter::CommandLine).await.map_err(refusal),
        Err(Refusal::LastAdmin(admin.clone()))
    );
    shop.store().add_user(user("boss", "admin,certRead", 1), Granter::CommandLine).await.unwrap();
    shop.store().remove_user(admin, Granter::CommandLine).await.unwrap();
    let boss = UserName::parse("boss").unwrap();
    assert_eq!(
        shop.store().remove_user(boss.clone(), Granter::CommandLine).await.map_err(refusal),
        Err(Refusal::LastAdmin(boss))
    );
}

pub(crate) async fn link_settings_are_kept(shop: &Shop) {
    assert_eq!(shop.store().link_settings().await.unwrap(), None);
    let base = LinkBase::parse("https://brand.example").unwrap();
    for network in [Some(Network::parse("testnet").unwrap()), None] {
        let settings = LinkSettings { base: base.clone(), network };
        shop.store().keep_link_settings(settings.clone()).await.unwrap();
        shop.reopen().await;
        assert_eq!(shop.store().link_settings().await.unwrap(), Some(settings));
    }
}
