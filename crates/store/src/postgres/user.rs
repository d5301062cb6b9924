//! Users, and who has which key.

use passpool_core::{ApiKeyDigest, Caller, Granter, ProfileName, Refusal, Right, Timestamp, UserName};

use super::{
    connection::Session,
    key,
    profile::{self, read_rights},
    typed::typed,
};
use crate::{Fault, NewUser, ProfileOf, StoreError, UserInfo};

/// Makes the user that a new database has: `admin`, with every right and no key.
pub(super) async fn add_admin(db: &Session) -> Result<(), Fault> {
    let profile = profile::insert_admin(db).await?;
    insert(db, &UserName::admin(), profile).await.map(drop)
}

pub(super) async fn add(db: &Session, user: &NewUser, by: &Granter) -> Result<(), StoreError> {
    if look_up(db, &user.name).await?.is_some() {
        return Err(Refusal::UserExists(user.name.clone()).into());
    }
    let profile = match &user.profile {
        ProfileOf::Own(rights) => {
            by.may_touch(*rights)?;
            profile::insert(db, &ProfileName::of(&user.name), *rights, true).await?
        }
        ProfileOf::Named(name) => profile::find_to_touch(db, name, by).await?,
    };
    let id = insert(db, &user.name, profile).await?.ok_or_else(|| Refusal::UserExists(user.name.clone()))?;
    key::insert(db, id, &user.key).await
}

pub(super) async fn change_profile(
    db: &Session,
    name: &UserName,
    profile: &ProfileName,
    by: &Granter,
) -> Result<(), StoreError> {
    refuse_own(name, by)?;
    let admins = lock_admins(db).await?;
    let id = find_to_touch(db, name, by).await?;
    let after = profile::find_to_touch(db, profile, by).await?;
    let before: i64 = db.query_one("SELECT profile FROM account WHERE id = $1", typed![id]).await?.try_get(0)?;
    db.execute("UPDATE account SET profile = $1 WHERE id = $2", typed![after, id]).await?;
    profile::forget_unused(db, before).await?;
    keep_an_admin(db, &admins).await
}

pub(super) async fn remove(db: &Session, name: &UserName, by: &Granter) -> Result<(), StoreError> {
    refuse_own(name, by)?;
    let admins = lock_admins(db).await?;
    let id = find_to_touch(db, name, by).await?;
    if admins == [name.clone()] {
        return Err(Refusal::LastAdmin(name.clone()).into());
    }
    key::delete_all(db, id).await?;
    let row = db.query_one("DELETE FROM account WHERE id = $1 RETURNING profile", typed![id]).await?;
    Ok(profile::forget_unused(db, row.try_get(0)?).await?)
}

pub(super) async fn list(db: &Session) -> Result<Vec<UserInfo>, Fault> {
    let sql = "SELECT account.id, account.name, profile.name, rights FROM account \
               JOIN profile ON profile.id = account.profile ORDER BY account.name COLLATE \"C\"";
    let (users, keys) = tokio::try_join!(db.query(sql, typed![]), key::all(db))?;
    let read = |row: &tokio_postgres::Row| {
        let id: i64 = row.try_get(0)?;
        let (begin, end) = (keys.partition_point(|(of, _)| *of < id), keys.partition_point(|(of, _)| *of <= id));
        Ok(UserInfo {
            name: read_name(row.try_get(1)?)?,
            profile: ProfileName::from_stored(row.try_get(2)?),
            rights: read_rights(row.try_get(3)?)?,
            keys: keys[begin..end].iter().map(|(_, key)| key.clone()).collect(),
        })
    };
    users.iter().map(read).collect()
}

pub(super) async fn caller(db: &Session, key: &ApiKeyDigest, now: Timestamp) -> Result<Option<Caller>, Fault> {
    let sql = "SELECT digest, account.name, rights FROM api_key JOIN account ON account.id = api_key.account \
               JOIN profile ON profile.id = account.profile WHERE digest = $1 AND (until IS NULL OR until > $2)";
    let row = db.query_opt(sql, typed![key.as_bytes().to_vec(), now.as_micros()]).await?;
    // The index found it by comparing bytes; whether it is the key is decided in constant time.
    let Some(row) = row else { return Ok(None) };
    let digest = <[u8; 32]>::try_from(row.try_get::<_, &[u8]>(0)?);
    let digest = digest.map_err(|_| Fault::Damaged("a key's digest has another length".into()))?;
    if ApiKeyDigest::from_stored(digest) != *key {
        return Ok(None);
    }
    Ok(Some(Caller { name: read_name(row.try_get(1)?)?, rights: read_rights(row.try_get(2)?)? }))
}

/// A user whose account this granter may change. Nobody else changes it before this transaction ends.
pub(super) async fn find_to_touch(db: &Session, name: &UserName, by: &Granter) -> Result<i64, StoreError> {
    let sql = "SELECT account.id, rights FROM account JOIN profile ON profile.id = account.profile \
               WHERE account.name = $1 FOR UPDATE";
    let row = db.query_opt(sql, typed![name.as_str()]).await?;
    let row = row.ok_or_else(|| Refusal::UnknownUser(name.clone()))?;
    by.may_touch(read_rights(row.try_get(1)?)?)?;
    Ok(row.try_get(0)?)
}

/// True if somebody has this profile.
pub(super) async fn has_profile(db: &Session, name: &UserName, profile: i64) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM account WHERE name = $1 AND profile = $2)";
    Ok(db.query_one(sql, typed![name.as_str(), profile]).await?.try_get(0)?)
}

/// Who has the right `admin`, by name. Of two who take the right from the last two admins at the same moment, one has to
/// wait here and to see what the other did.
pub(super) async fn lock_admins(db: &Session) -> Result<Vec<UserName>, Fault> {
    db.query("SELECT 1 FROM profile ORDER BY id FOR UPDATE", typed![]).await?;
    db.query("SELECT 1 FROM account ORDER BY id FOR UPDATE", typed![]).await?;
    admins(db).await
}

/// Refuses a change after which nobody has the right `admin`, of those who had it before.
pub(super) async fn keep_an_admin(db: &Session, before: &[UserName]) -> Result<(), StoreError> {
    match before.first() {
        Some(last) if admins(db).await?.is_empty() => Err(Refusal::LastAdmin(last.clone()).into()),
        _ => Ok(()),
    }
}

/// Of the ways to end up without access, the one over the network cannot be undone over the network.
fn refuse_own(name: &UserName, by: &Granter) -> Result<(), Refusal> {
    if by.user() == Some(name) { Err(Refusal::OwnAccount) } else { Ok(()) }
}

async fn admins(db: &Session) -> Result<Vec<UserName>, Fault> {
    let admins = list(db).await?.into_iter().filter(|user| user.rights.contains(Right::Admin));
    Ok(admins.map(|user| user.name).collect())
}

async fn look_up(db: &Session, name: &UserName) -> Result<Option<i64>, Fault> {
    let row = db.query_opt("SELECT id FROM account WHERE name = $1", typed![name.as_str()]).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// None if there is one of this name.
async fn insert(db: &Session, name: &UserName, profile: i64) -> Result<Option<i64>, Fault> {
    let sql = "INSERT INTO account (name, profile) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id";
    let row = db.query_opt(sql, typed![name.as_str(), profile]).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

fn read_name(name: &str) -> Result<UserName, Fault> {
    UserName::parse(name).map_err(|error| Fault::Damaged(error.to_string()))
}
