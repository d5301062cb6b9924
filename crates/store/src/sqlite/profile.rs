//! Profiles: rights under a name, for one user or for several.

use passpool_core::{Granter, ProfileName, Refusal, Right, Rights};
use rusqlite::{Connection, OptionalExtension, params};

use super::user;
use crate::{Fault, ProfileInfo, StoreError};

pub(super) fn list(db: &Connection) -> Result<Vec<ProfileInfo>, Fault> {
    let sql = "SELECT name, rights, (SELECT count(*) FROM user WHERE profile = profile.id) FROM profile ORDER BY name";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut profiles = Vec::new();
    while let Some(row) = rows.next()? {
        profiles.push(ProfileInfo {
            name: ProfileName::from_stored(row.get(0)?),
            rights: read_rights(row.get(1)?)?,
            users: row.get(2)?,
        });
    }
    Ok(profiles)
}

pub(super) fn add(db: &Connection, name: &ProfileName, rights: Rights, by: &Granter) -> Result<(), StoreError> {
    by.may_touch(rights)?;
    insert(db, name, rights, false).map(drop)
}

pub(super) fn change_rights(
    db: &Connection,
    name: &ProfileName,
    rights: Rights,
    by: &Granter,
) -> Result<(), StoreError> {
    by.may_touch(rights)?;
    let id = find_to_touch(db, name, by)?;
    if let Some(own) = by.user()
        && user::has_profile(db, own, id)?
    {
        return Err(Refusal::OwnAccount.into());
    }
    let admins = user::admins(db)?;
    db.execute("UPDATE profile SET rights = ? WHERE id = ?", params![rights.to_string(), id])?;
    user::keep_an_admin(db, &admins)
}

pub(super) fn remove(db: &Connection, name: &ProfileName, by: &Granter) -> Result<(), StoreError> {
    let id = find_to_touch(db, name, by)?;
    let sql = "DELETE FROM profile WHERE id = ? AND NOT EXISTS (SELECT 1 FROM user WHERE profile = profile.id)";
    if db.execute(sql, [id])? == 0 { Err(Refusal::ProfileInUse(name.clone()).into()) } else { Ok(()) }
}

/// Makes the profile that a new database has.
pub(super) fn insert_admin(db: &Connection) -> Result<i64, Fault> {
    let rights = Rights::from_iter([Right::Admin]);
    let sql = "INSERT INTO profile (name, rights, is_own) VALUES (?, ?, 1)";
    db.execute(sql, params![ProfileName::admin().as_str(), rights.to_string()])?;
    Ok(db.last_insert_rowid())
}

pub(super) fn insert(db: &Connection, name: &ProfileName, rights: Rights, is_own: bool) -> Result<i64, StoreError> {
    let sql = "INSERT INTO profile (name, rights, is_own) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    if db.execute(sql, params![name.as_str(), rights.to_string(), is_own])? == 0 {
        return Err(Refusal::ProfileExists(name.clone()).into());
    }
    Ok(db.last_insert_rowid())
}

/// A profile that this granter may change, and give away.
pub(super) fn find_to_touch(db: &Connection, name: &ProfileName, by: &Granter) -> Result<i64, StoreError> {
    let mut statement = db.prepare_cached("SELECT id FROM profile WHERE name = ?")?;
    let id: Option<i64> = statement.query_row([name.as_str()], |row| row.get(0)).optional()?;
    let id = id.ok_or_else(|| Refusal::UnknownProfile(name.clone()))?;
    by.may_touch(rights(db, id)?)?;
    Ok(id)
}

pub(super) fn rights(db: &Connection, id: i64) -> Result<Rights, Fault> {
    let mut statement = db.prepare_cached("SELECT rights FROM profile WHERE id = ?")?;
    read_rights(statement.query_row([id], |row| row.get(0))?)
}

/// Takes away a profile that belonged to one user, if nobody has it any more.
pub(super) fn forget_unused(db: &Connection, id: i64) -> Result<(), Fault> {
    let sql =
        "DELETE FROM profile WHERE id = ? AND is_own AND NOT EXISTS (SELECT 1 FROM user WHERE profile = profile.id)";
    db.execute(sql, [id])?;
    Ok(())
}

pub(super) fn read_rights(rights: String) -> Result<Rights, Fault> {
    Rights::parse(&rights).map_err(|error| Fault::Damaged(error.to_string()))
}
