//! Users, their profiles and their keys.

use passpool_core::{ApiKeyDigest, Caller, ProfileName, Refusal, Right, Rights, Timestamp, UserName};

use super::{connection::Session, typed::typed};
use crate::{Fault, NewKey, NewUser, StoreError, UserInfo};

/// Makes the user that a new database has: `admin`, with every right and no key.
pub(super) async fn add_admin(db: &Session) -> Result<(), Fault> {
    insert(db, &UserName::admin(), &ProfileName::admin(), Rights::from_iter([Right::Admin])).await.map(drop)
}

pub(super) async fn add(db: &Session, user: &NewUser) -> Result<(), StoreError> {
    let _ = (db, user, insert_key);
    todo!()
}

pub(super) async fn change_profile(_db: &Session, _name: &UserName, _profile: &ProfileName) -> Result<(), StoreError> {
    todo!()
}

pub(super) async fn remove(db: &Session, name: &UserName) -> Result<(), StoreError> {
    // Of the last two admins, removed at the same moment, one has to wait and to see that it is the last.
    let admins = "SELECT account.name, rights FROM account JOIN profile ON profile.id = account.profile \
                  ORDER BY account.id FOR UPDATE";
    let mut others = false;
    for row in db.query(admins, typed![]).await? {
        let is_admin = read_rights(row.try_get(1)?)?.contains(Right::Admin);
        others |= is_admin && row.try_get::<_, &str>(0)? != name.as_str();
    }
    let id = lock(db, name).await?.ok_or_else(|| Refusal::UnknownUser(name.clone()))?;
    if !others {
        return Err(Refusal::LastAdmin(name.clone()).into());
    }
    delete_keys(db, id).await?;
    let row = db.query_one("DELETE FROM account WHERE id = $1 RETURNING profile", typed![id]).await?;
    let unused = "DELETE FROM profile WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM account WHERE profile = profile.id)";
    db.execute(unused, typed![row.try_get::<_, i64>(0)?]).await?;
    Ok(())
}

pub(super) async fn list(db: &Session) -> Result<Vec<UserInfo>, Fault> {
    let sql = "SELECT account.name, profile.name, rights, head, api_key.made_at FROM account \
               JOIN profile ON profile.id = account.profile LEFT JOIN api_key ON api_key.account = account.id \
               ORDER BY account.name COLLATE \"C\"";
    let rows = db.query(sql, typed![]).await?;
    let read = |row: &tokio_postgres::Row| {
        let head: Option<String> = row.try_get(3)?;
        Ok(UserInfo {
            name: read_name(row.try_get(0)?)?,
            profile: ProfileName::from_stored(row.try_get(1)?),
            rights: read_rights(row.try_get(2)?)?,
            keys: Vec::new(),
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn caller(db: &Session, key: &ApiKeyDigest, now: Timestamp) -> Result<Option<Caller>, Fault> {
    let sql = "SELECT digest, account.name, rights FROM api_key JOIN account ON account.id = api_key.account \
               JOIN profile ON profile.id = account.profile WHERE digest = $1 AND (until IS NULL OR until > $2)";
    // The index finds it by comparing bytes; whether it is the key is decided in constant time.
    let Some(row) = db.query_opt(sql, typed![key.as_bytes().to_vec(), now.as_micros()]).await? else { return Ok(None) };
    let digest = <[u8; 32]>::try_from(row.try_get::<_, &[u8]>(0)?);
    let digest = digest.map_err(|_| Fault::Damaged("a key's digest has another length".into()))?;
    if ApiKeyDigest::from_stored(digest) != *key {
        return Ok(None);
    }
    Ok(Some(Caller { name: read_name(row.try_get(1)?)?, rights: read_rights(row.try_get(2)?)? }))
}

/// The user's number. Nobody else changes the user before this transaction ends.
async fn lock(db: &Session, name: &UserName) -> Result<Option<i64>, Fault> {
    let row = db.query_opt("SELECT id FROM account WHERE name = $1 FOR UPDATE", typed![name.as_str()]).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// None if there is one of this name.
async fn insert(db: &Session, name: &UserName, profile: &ProfileName, rights: Rights) -> Result<Option<i64>, Fault> {
    // Profiles have unique names too, so two who add the same user wait for each other here.
    let sql = "WITH owned AS (
            INSERT INTO profile (name, rights, is_own) VALUES ($1, $2, true) ON CONFLICT DO NOTHING RETURNING id
        )
        INSERT INTO account (name, profile) SELECT $3, id FROM owned ON CONFLICT DO NOTHING RETURNING id";
    let row = db.query_opt(sql, typed![profile.as_str(), rights.to_string(), name.as_str()]).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

async fn insert_key(db: &Session, user: i64, key: &NewKey) -> Result<(), Fault> {
    let sql = "INSERT INTO api_key (digest, head, account, made_at) VALUES ($1, $2, $3, $4)";
    let (digest, head, made_at) = (key.digest.as_bytes().to_vec(), key.head.as_str(), key.made_at.as_micros());
    db.execute(sql, typed![digest, head, user, made_at]).await.map(drop)
}

async fn delete_keys(db: &Session, user: i64) -> Result<(), Fault> {
    db.execute("DELETE FROM api_key WHERE account = $1", typed![user]).await.map(drop)
}

fn read_name(name: &str) -> Result<UserName, Fault> {
    UserName::parse(name).map_err(|error| Fault::Damaged(error.to_string()))
}

fn read_rights(rights: &str) -> Result<Rights, Fault> {
    Rights::parse(rights).map_err(|error| Fault::Damaged(error.to_string()))
}
