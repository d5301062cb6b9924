//! Keys of users: several for one, each good until it is removed or was replaced.

use passpool_core::{Granter, Refusal, Timestamp, UserName};
use rusqlite::{Connection, ErrorCode, params};

use super::user;
use crate::{Fault, KeyInfo, KeyUse, NewKey, RenewKey, StoreError};

const MINUTE_MICROS: i64 = 60 * 1_000_000;

pub(super) fn add(db: &Connection, name: &UserName, key: &NewKey, by: &Granter) -> Result<(), StoreError> {
    insert(db, user::find_to_touch(db, name, by)?, key)
}

pub(super) fn renew(db: &Connection, wish: &RenewKey, by: &Granter) -> Result<(), StoreError> {
    let user = user::find_to_touch(db, &wish.user, by)?;
    let until = wish.old_until.map(Timestamp::as_micros);
    // A key that dies sooner anyway is not given a longer life.
    let sql = match until {
        Some(_) => "UPDATE api_key SET until = min(ifnull(until, ?3), ?3) WHERE user = ?1 AND ifnull(?2, head) = head",
        None => "DELETE FROM api_key WHERE user = ?1 AND ifnull(?2, head) = head AND ?3 IS NULL",
    };
    let renewed = db.execute(sql, params![user, wish.old, until])?;
    if renewed == 0 && wish.old.is_some() {
        return Err(Refusal::UnknownKey.into());
    }
    insert(db, user, &wish.key)
}

pub(super) fn remove(db: &Connection, name: &UserName, head: &str, by: &Granter) -> Result<(), StoreError> {
    let user = user::find_to_touch(db, name, by)?;
    match db.execute("DELETE FROM api_key WHERE user = ? AND head = ?", params![user, head])? {
        0 => Err(Refusal::UnknownKey.into()),
        _ => Ok(()),
    }
}

/// Forgets what was renewed and is dead.
pub(super) fn forget(db: &Connection, now: Timestamp) -> Result<u64, Fault> {
    let sql = "DELETE FROM api_key WHERE until IS NOT NULL AND until <= ?";
    Ok(db.prepare_cached(sql)?.execute([now.as_micros()])? as u64)
}

/// Writes the minutes down in which keys were used. A minute that is known already is not written again.
pub(super) fn keep_uses(db: &Connection, uses: &[KeyUse]) -> Result<(), Fault> {
    let sql = "UPDATE api_key SET used_at = ?2 WHERE digest = ?1 AND ifnull(used_at, -1) < ?2";
    let mut statement = db.prepare_cached(sql)?;
    for KeyUse { digest, at } in uses {
        let minute = at.as_micros() - at.as_micros().rem_euclid(MINUTE_MICROS);
        statement.execute(params![digest.as_bytes(), minute])?;
    }
    Ok(())
}

pub(super) fn of(db: &Connection, user: i64) -> Result<Vec<KeyInfo>, Fault> {
    let sql = "SELECT head, made_at, until, used_at FROM api_key WHERE user = ? ORDER BY made_at, head";
    let mut statement = db.prepare_cached(sql)?;
    let keys = statement.query_map([user], |row| {
        Ok(KeyInfo {
            head: row.get(0)?,
            made_at: Timestamp::from_micros(row.get(1)?),
            until: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_micros),
            used_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_micros),
        })
    });
    Ok(keys?.collect::<Result<_, _>>()?)
}

pub(super) fn insert(db: &Connection, user: i64, key: &NewKey) -> Result<(), StoreError> {
    let sql = "INSERT INTO api_key (digest, head, user, made_at) SELECT ?1, ?2, ?3, ?4 \
               WHERE NOT EXISTS (SELECT 1 FROM api_key WHERE user = ?3 AND head = ?2)";
    match db.execute(sql, params![key.digest.as_bytes(), key.head, user, key.made_at.as_micros()]) {
        Ok(1) => Ok(()),
        Ok(_) => Err(Refusal::KeyExists.into()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(Refusal::KeyExists.into())
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn delete_all(db: &Connection, user: i64) -> Result<(), Fault> {
    db.execute("DELETE FROM api_key WHERE user = ?", [user])?;
    Ok(())
}
