//! Keys of users: several for one, each good until it is removed or was replaced.

use passpool_core::{Granter, Refusal, Timestamp, UserName};

use super::{connection::Session, typed::typed, user};
use crate::{Fault, KeyInfo, KeyUse, NewKey, RenewKey, StoreError};

const MINUTE_MICROS: i64 = 60 * 1_000_000;

pub(super) async fn add(db: &Session, name: &UserName, key: &NewKey, by: &Granter) -> Result<(), StoreError> {
    insert(db, user::find_to_touch(db, name, by).await?, key).await
}

pub(super) async fn renew(db: &Session, wish: &RenewKey, by: &Granter) -> Result<(), StoreError> {
    let user = user::find_to_touch(db, &wish.user, by).await?;
    let renewed = match wish.old_until {
        // A key that dies sooner anyway is not given a longer life.
        Some(until) => {
            let sql = "UPDATE api_key SET until = least(coalesce(until, $3), $3) \
                       WHERE account = $1 AND ($2::text IS NULL OR head = $2)";
            db.execute(sql, typed![user, wish.old.clone(), until.as_micros()]).await?
        }
        None => {
            let sql = "DELETE FROM api_key WHERE account = $1 AND ($2::text IS NULL OR head = $2)";
            db.execute(sql, typed![user, wish.old.clone()]).await?
        }
    };
    if renewed == 0 && wish.old.is_some() {
        return Err(Refusal::UnknownKey.into());
    }
    insert(db, user, &wish.key).await
}

pub(super) async fn remove(db: &Session, name: &UserName, head: &str, by: &Granter) -> Result<(), StoreError> {
    let user = user::find_to_touch(db, name, by).await?;
    match db.execute("DELETE FROM api_key WHERE account = $1 AND head = $2", typed![user, head]).await? {
        0 => Err(Refusal::UnknownKey.into()),
        _ => Ok(()),
    }
}

/// Forgets what was renewed and is dead.
pub(super) async fn forget(db: &Session, now: Timestamp) -> Result<u64, Fault> {
    db.execute("DELETE FROM api_key WHERE until IS NOT NULL AND until <= $1", typed![now.as_micros()]).await
}

/// Writes the minutes down in which keys were used. A minute that is known already is not written again.
pub(super) async fn keep_uses(db: &Session, uses: &[KeyUse]) -> Result<(), Fault> {
    let minute = |at: Timestamp| at.as_micros() - at.as_micros().rem_euclid(MINUTE_MICROS);
    let digests: Vec<Vec<u8>> = uses.iter().map(|used| used.digest.as_bytes().to_vec()).collect();
    let minutes: Vec<i64> = uses.iter().map(|used| minute(used.at)).collect();
    // Two servers that write the same keys down lock them in the same order.
    let sql = "WITH used AS (
            SELECT digest, max(minute) AS minute FROM unnest($1::bytea[], $2::bigint[]) AS used (digest, minute)
            GROUP BY digest
        ), locked AS (
            SELECT api_key.digest, minute FROM api_key JOIN used USING (digest)
            WHERE coalesce(used_at, -1) < minute ORDER BY digest FOR UPDATE OF api_key
        )
        UPDATE api_key SET used_at = minute FROM locked WHERE api_key.digest = locked.digest";
    db.execute(sql, typed![digests, minutes]).await.map(drop)
}

/// The keys of everybody, each with its user's number, in the order of their making.
pub(super) async fn all(db: &Session) -> Result<Vec<(i64, KeyInfo)>, Fault> {
    let sql =
        "SELECT account, head, made_at, until, used_at FROM api_key ORDER BY account, made_at, head COLLATE \"C\"";
    let moment = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let read = |row: &tokio_postgres::Row| {
        let info = KeyInfo {
            head: row.try_get(1)?,
            made_at: Timestamp::from_micros(row.try_get(2)?),
            until: moment(row.try_get(3)?),
            used_at: moment(row.try_get(4)?),
        };
        Ok((row.try_get(0)?, info))
    };
    db.query(sql, typed![]).await?.iter().map(read).collect()
}

pub(super) async fn insert(db: &Session, user: i64, key: &NewKey) -> Result<(), StoreError> {
    let sql = "INSERT INTO api_key (digest, head, account, made_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let (digest, head, made_at) = (key.digest.as_bytes().to_vec(), key.head.as_str(), key.made_at.as_micros());
    match db.execute(sql, typed![digest, head, user, made_at]).await? {
        0 => Err(Refusal::KeyExists.into()),
        _ => Ok(()),
    }
}

pub(super) async fn delete_all(db: &Session, user: i64) -> Result<(), Fault> {
    db.execute("DELETE FROM api_key WHERE account = $1", typed![user]).await.map(drop)
}
