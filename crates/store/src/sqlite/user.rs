//! Users, and who has which key.

use passpool_core::{ApiKeyDigest, Caller, Granter, ProfileName, Refusal, Right, Timestamp, UserName};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    key,
    profile::{self, read_rights},
};
use crate::{Fault, NewUser, ProfileOf, StoreError, UserInfo};

/// Makes the user that a new database has: `admin`, with every right and no key.
pub(super) fn add_admin(db: &Connection) -> Result<(), Fault> {
    let profile = profile::insert_admin(db)?;
    insert(db, &UserName::admin(), profile)?;
    Ok(())
}

pub(super) fn add(db: &Connection, user: &NewUser, by: &Granter) -> Result<(), StoreError> {
    if look_up(db, &user.name)?.is_some() {
        return Err(Refusal::UserExists(user.name.clone()).into());
    }
    let profile = match &user.profile {
        ProfileOf::Own(rights) => {
            by.may_touch(*rights)?;
            profile::insert(db, &ProfileName::of(&user.name), *rights, true)?
        }
        ProfileOf::Named(name) => profile::find_to_touch(db, name, by)?,
    };
    let id = insert(db, &user.name, profile)?;
    key::insert(db, id, &user.key)
}

pub(super) fn change_profile(
    db: &Connection,
    name: &UserName,
    profile: &ProfileName,
    by: &Granter,
) -> Result<(), StoreError> {
    refuse_own(name, by)?;
    let id = find_to_touch(db, name, by)?;
    let (before, after) = (profile_of(db, id)?, profile::find_to_touch(db, profile, by)?);
    let admins = admins(db)?;
    db.execute("UPDATE user SET profile = ? WHERE id = ?", params![after, id])?;
    profile::forget_unused(db, before)?;
    keep_an_admin(db, &admins)
}

pub(super) fn remove(db: &Connection, name: &UserName, by: &Granter) -> Result<(), StoreError> {
    refuse_own(name, by)?;
    let id = find_to_touch(db, name, by)?;
    if admins(db)? == [name.clone()] {
        return Err(Refusal::LastAdmin(name.clone()).into());
    }
    key::delete_all(db, id)?;
    let profile = profile_of(db, id)?;
    db.execute("DELETE FROM user WHERE id = ?", [id])?;
    Ok(profile::forget_unused(db, profile)?)
}

pub(super) fn list(db: &Connection) -> Result<Vec<UserInfo>, Fault> {
    let sql = "SELECT user.id, user.name, profile.name, rights FROM user JOIN profile ON profile.id = user.profile \
               ORDER BY user.name";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut users = Vec::new();
    while let Some(row) = rows.next()? {
        users.push(UserInfo {
            name: read_name(row.get(1)?)?,
            profile: ProfileName::from_stored(row.get(2)?),
            rights: read_rights(row.get(3)?)?,
            keys: key::of(db, row.get(0)?)?,
        });
    }
    Ok(users)
}

pub(super) fn caller(db: &Connection, key: &ApiKeyDigest, now: Timestamp) -> Result<Option<Caller>, Fault> {
    let sql = "SELECT digest, user.name, rights FROM api_key JOIN user ON user.id = api_key.user \
               JOIN profile ON profile.id = user.profile WHERE digest = ? AND (until IS NULL OR until > ?)";
    let mut statement = db.prepare_cached(sql)?;
    let found = statement
        .query_row(params![key.as_bytes(), now.as_micros()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    // The index found it by comparing bytes; whether it is the key is decided in constant time.
    let Some((digest, name, rights)) = found else { return Ok(None) };
    if ApiKeyDigest::from_stored(digest) != *key {
        return Ok(None);
    }
    Ok(Some(Caller { name: read_name(name)?, rights: read_rights(rights)? }))
}

/// A user whose account this granter may change.
pub(super) fn find_to_touch(db: &Connection, name: &UserName, by: &Granter) -> Result<i64, StoreError> {
    let id = look_up(db, name)?.ok_or_else(|| Refusal::UnknownUser(name.clone()))?;
    by.may_touch(profile::rights(db, profile_of(db, id)?)?)?;
    Ok(id)
}

/// True if somebody has this profile.
pub(super) fn has_profile(db: &Connection, name: &UserName, profile: i64) -> Result<bool, Fault> {
    let mut statement = db.prepare_cached("SELECT 1 FROM user WHERE name = ? AND profile = ?")?;
    Ok(statement.exists(params![name.as_str(), profile])?)
}

/// Who has the right `admin`, by name.
pub(super) fn admins(db: &Connection) -> Result<Vec<UserName>, Fault> {
    let admins = list(db)?.into_iter().filter(|user| user.rights.contains(Right::Admin));
    Ok(admins.map(|user| user.name).collect())
}

/// Refuses a change after which nobody has the right `admin`, of those who had it before.
pub(super) fn keep_an_admin(db: &Connection, before: &[UserName]) -> Result<(), StoreError> {
    match before.first() {
        Some(last) if admins(db)?.is_empty() => Err(Refusal::LastAdmin(last.clone()).into()),
        _ => Ok(()),
    }
}

/// Of the ways to end up without access, the one over the network cannot be undone over the network.
fn refuse_own(name: &UserName, by: &Granter) -> Result<(), Refusal> {
    if by.user() == Some(name) { Err(Refusal::OwnAccount) } else { Ok(()) }
}

fn look_up(db: &Connection, name: &UserName) -> Result<Option<i64>, Fault> {
    let mut statement = db.prepare_cached("SELECT id FROM user WHERE name = ?")?;
    Ok(statement.query_row([name.as_str()], |row| row.get(0)).optional()?)
}

fn profile_of(db: &Connection, user: i64) -> Result<i64, Fault> {
    Ok(db.query_row("SELECT profile FROM user WHERE id = ?", [user], |row| row.get(0))?)
}

fn insert(db: &Connection, name: &UserName, profile: i64) -> Result<i64, Fault> {
    db.execute("INSERT INTO user (name, profile) VALUES (?, ?)", params![name.as_str(), profile])?;
    Ok(db.last_insert_rowid())
}

fn read_name(name: String) -> Result<UserName, Fault> {
    UserName::parse(&name).map_err(|error| Fault::Damaged(error.to_string()))
}
