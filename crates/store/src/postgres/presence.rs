//! Presence: every server says now and then that it is there, so that nobody moves the shop away from under it.
//!
//! A server that was frozen for longer than that counts as gone. It does no harm when it wakes up: a database that was
//! moved refuses every change itself.

use super::{connection::Session, typed::typed};
use crate::Fault;

/// For how many seconds that counts. A server says it every 5, and a database may be slow to answer.
const GOOD_FOR: i64 = 20;

/// One server's place among those that are there.
#[derive(Debug, Default)]
pub(super) struct Presence(Option<i64>);

impl Presence {
    pub(super) async fn say(&mut self, db: &Session) -> Result<(), Fault> {
        if let Some(id) = self.0 {
            let sql = "UPDATE server SET seen_at = clock_timestamp() WHERE id = $1";
            if db.execute(sql, typed![id]).await? == 1 {
                return Ok(());
            }
        }
        // What died long ago need not be read for ever.
        db.run("DELETE FROM server WHERE seen_at < clock_timestamp() - interval '1 day'").await?;
        let sql = "INSERT INTO server (seen_at) VALUES (clock_timestamp()) RETURNING id";
        self.0 = Some(db.query_one(sql, typed![]).await?.try_get(0)?);
        Ok(())
    }

    pub(super) async fn end(&mut self, db: &Session) -> Result<(), Fault> {
        let Some(id) = self.0.take() else { return Ok(()) };
        db.execute("DELETE FROM server WHERE id = $1", typed![id]).await.map(drop)
    }
}

/// True if a server said a moment ago that it is there.
pub(super) async fn any(db: &Session) -> Result<bool, Fault> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM server WHERE seen_at > clock_timestamp() - make_interval(secs => $1::bigint))";
    Ok(db.query_one(sql, typed![GOOD_FOR]).await?.try_get(0)?)
}
