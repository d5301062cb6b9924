//! Profiles: rights under a name, for one user or for several.

use passpool_core::{Granter, ProfileName, Refusal, Right, Rights};

use super::{connection::Session, typed::typed, user};
use crate::{Fault, ProfileInfo, StoreError};

pub(super) async fn list(db: &Session) -> Result<Vec<ProfileInfo>, Fault> {
    let sql = "SELECT name, rights, (SELECT count(*) FROM account WHERE profile = profile.id) FROM profile \
               ORDER BY name COLLATE \"C\"";
    let read = |row: &tokio_postgres::Row| {
        Ok(ProfileInfo {
            name: ProfileName::from_stored(row.try_get(0)?),
            rights: read_rights(row.try_get(1)?)?,
            users: row.try_get::<_, i64>(2)?.cast_unsigned(),
        })
    };
    db.query(sql, typed![]).await?.iter().map(read).collect()
}

pub(super) async fn add(db: &Session, name: &ProfileName, rights: Rights, by: &Granter) -> Result<(), StoreError> {
    by.may_touch(rights)?;
    insert(db, name, rights, false).await.map(drop)
}

pub(super) async fn change_rights(
    db: &Session,
    name: &ProfileName,
    rights: Rights,
    by: &Granter,
) -> Result<(), StoreError> {
    by.may_touch(rights)?;
    let admins = user::lock_admins(db).await?;
    let id = find_to_touch(db, name, by).await?;
    if let Some(own) = by.user()
        && user::has_profile(db, own, id).await?
    {
        return Err(Refusal::OwnAccount.into());
    }
    db.execute("UPDATE profile SET rights = $1 WHERE id = $2", typed![rights.to_string(), id]).await?;
    user::keep_an_admin(db, &admins).await
}

pub(super) async fn remove(db: &Session, name: &ProfileName, by: &Granter) -> Result<(), StoreError> {
    let id = find_to_touch(db, name, by).await?;
    let sql = "DELETE FROM profile WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM account WHERE profile = profile.id)";
    match db.execute(sql, typed![id]).await? {
        0 => Err(Refusal::ProfileInUse(name.clone()).into()),
        _ => Ok(()),
    }
}

/// Makes the profile that a new database has.
pub(super) async fn insert_admin(db: &Session) -> Result<i64, Fault> {
    let sql = "INSERT INTO profile (name, rights, is_own) VALUES ($1, $2, true) RETURNING id";
    let rights = Rights::from_iter([Right::Admin]).to_string();
    Ok(db.query_one(sql, typed![ProfileName::admin().as_str(), rights]).await?.try_get(0)?)
}

pub(super) async fn insert(db: &Session, name: &ProfileName, rights: Rights, is_own: bool) -> Result<i64, StoreError> {
    let sql = "INSERT INTO profile (name, rights, is_own) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id";
    match db.query_opt(sql, typed![name.as_str(), rights.to_string(), is_own]).await? {
        Some(row) => Ok(row.try_get(0)?),
        None => Err(Refusal::ProfileExists(name.clone()).into()),
    }
}

/// A profile that this granter may change, and give away. Nobody else changes it before this transaction ends.
pub(super) async fn find_to_touch(db: &Session, name: &ProfileName, by: &Granter) -> Result<i64, StoreError> {
    let sql = "SELECT id, rights FROM profile WHERE name = $1 FOR UPDATE";
    let row = db.query_opt(sql, typed![name.as_str()]).await?;
    let row = row.ok_or_else(|| Refusal::UnknownProfile(name.clone()))?;
    by.may_touch(read_rights(row.try_get(1)?)?)?;
    Ok(row.try_get(0)?)
}

/// Takes away a profile that belonged to one user, if nobody has it any more.
pub(super) async fn forget_unused(db: &Session, id: i64) -> Result<(), Fault> {
    let sql = "DELETE FROM profile WHERE id = $1 AND is_own \
               AND NOT EXISTS (SELECT 1 FROM account WHERE profile = profile.id)";
    db.execute(sql, typed![id]).await.map(drop)
}

pub(super) fn read_rights(rights: &str) -> Result<Rights, Fault> {
    Rights::parse(rights).map_err(|error| Fault::Damaged(error.to_string()))
}
