//! Users, their profiles and their keys.

use passpool_core::{ApiKeyDigest, Caller, ProfileName, Refusal, Right, Rights, Timestamp, UserName};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{Fault, NewKey, NewUser, StoreError, UserInfo};

/// Makes the user that a new database has: `admin`, with every right and no key.
pub(super) fn add_admin(db: &Connection) -> Result<(), Fault> {
    let profile = insert_profile(db, &ProfileName::admin(), Rights::from_iter([Right::Admin]))?;
    insert_user(db, &UserName::admin(), profile)?;
    Ok(())
}

pub(super) fn add(db: &Connection, user: &NewUser) -> Result<(), StoreError> {
    if find(db, &user.name)?.is_some() {
        return Err(Refusal::UserExists(user.name.clone()).into());
    }
    let profile = insert_profile(db, &ProfileName::of(&user.name), user.rights)?;
    let id = insert_user(db, &user.name, profile)?;
    Ok(insert_key(db, id, &user.key)?)
}

pub(super) fn renew_key(db: &Connection, name: &UserName, key: &NewKey) -> Result<(), StoreError> {
    let id = find(db, name)?.ok_or_else(|| Refusal::UnknownUser(name.clone()))?;
    delete_keys(db, id)?;
    Ok(insert_key(db, id, key)?)
}

pub(super) fn remove(db: &Connection, name: &UserName) -> Result<(), StoreError> {
    let id = find(db, name)?.ok_or_else(|| Refusal::UnknownUser(name.clone()))?;
    let admins = list(db)?.into_iter().filter(|user| user.rights.contains(Right::Admin));
    if admins.map(|user| user.name).eq([name.clone()]) {
        return Err(Refusal::LastAdmin(name.clone()).into());
    }
    delete_keys(db, id)?;
    let profile: i64 = db.query_row("SELECT profile FROM user WHERE id = ?", [id], |row| row.get(0))?;
    db.execute("DELETE FROM user WHERE id = ?", [id])?;
    let unused = "DELETE FROM profile WHERE id = ? AND NOT EXISTS (SELECT 1 FROM user WHERE profile = profile.id)";
    db.execute(unused, [profile])?;
    Ok(())
}

pub(super) fn list(db: &Connection) -> Result<Vec<UserInfo>, Fault> {
    let sql = "SELECT user.name, profile.name, rights, head, made_at FROM user JOIN profile ON profile.id = user.profile \
               LEFT JOIN api_key ON api_key.user = user.id ORDER BY user.name";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut users = Vec::new();
    while let Some(row) = rows.next()? {
        let head: Option<String> = row.get(3)?;
        users.push(UserInfo {
            name: read_name(row.get(0)?)?,
            profile: ProfileName::from_stored(row.get(1)?),
            rights: read_rights(row.get(2)?)?,
            key: head.map(|head| Ok::<_, Fault>((head, Timestamp::from_micros(row.get(4)?)))).transpose()?,
        });
    }
    Ok(users)
}

pub(super) fn caller(db: &Connection, key: &ApiKeyDigest) -> Result<Option<Caller>, Fault> {
    let sql = "SELECT digest, user.name, rights FROM api_key JOIN user ON user.id = api_key.user \
               JOIN profile ON profile.id = user.profile WHERE digest = ?";
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    // The index found it by comparing bytes; whether it is the key is decided in constant time.
    let Some((digest, name, rights)) = found else { return Ok(None) };
    if ApiKeyDigest::from_stored(digest) != *key {
        return Ok(None);
    }
    Ok(Some(Caller { name: read_name(name)?, rights: read_rights(rights)? }))
}

fn find(db: &Connection, name: &UserName) -> Result<Option<i64>, Fault> {
    let mut statement = db.prepare_cached("SELECT id FROM user WHERE name = ?")?;
    Ok(statement.query_row([name.as_str()], |row| row.get(0)).optional()?)
}

fn insert_profile(db: &Connection, name: &ProfileName, rights: Rights) -> Result<i64, Fault> {
    db.execute("INSERT INTO profile (name, rights) VALUES (?, ?)", params![name.as_str(), rights.to_string()])?;
    Ok(db.last_insert_rowid())
}

fn insert_user(db: &Connection, name: &UserName, profile: i64) -> Result<i64, Fault> {
    db.execute("INSERT INTO user (name, profile) VALUES (?, ?)", params![name.as_str(), profile])?;
    Ok(db.last_insert_rowid())
}

fn insert_key(db: &Connection, user: i64, key: &NewKey) -> Result<(), Fault> {
    let sql = "INSERT INTO api_key (digest, head, user, made_at) VALUES (?, ?, ?, ?)";
    db.execute(sql, params![key.digest.as_bytes(), key.head, user, key.made_at.as_micros()])?;
    Ok(())
}

fn delete_keys(db: &Connection, user: i64) -> Result<(), Fault> {
    db.execute("DELETE FROM api_key WHERE user = ?", [user])?;
    Ok(())
}

fn read_name(name: String) -> Result<UserName, Fault> {
    UserName::parse(&name).map_err(|error| Fault::Damaged(error.to_string()))
}

fn read_rights(rights: String) -> Result<Rights, Fault> {
    Rights::parse(&rights).map_err(|error| Fault::Damaged(error.to_string()))
}
