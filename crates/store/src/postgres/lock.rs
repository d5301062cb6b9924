//! A lock of the database's: it ends with the connection that holds it, however that ends.

use super::{
    connection::{Connections, Session},
    typed::typed,
};
use crate::Fault;

/// What a transaction has that runs as long as the lock is held. It changes nothing, so it keeps nothing from being
/// cleared away; and behind a pooler a lock that is not a transaction's would be somebody else's soon.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Held until it is released or dropped.
pub(super) struct ImportLock(Session);

impl ImportLock {
    /// None if somebody else holds it.
    pub(super) async fn take(connections: &Connections) -> Result<Option<Self>, Fault> {
        let lock = Self(connections.session().await?);
        lock.0.begin(BEGIN).await?;
        let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended('passpool import ' || current_schema(), 0))";
        let is_ours: bool = lock.0.query_one(sql, typed![]).await?.try_get(0)?;
        if is_ours {
            return Ok(Some(lock));
        }
        lock.release().await;
        Ok(None)
    }

    /// Answers when others can have it.
    pub(super) async fn release(self) {
        // If this fails the connection is broken, and the lock has ended with it.
        let _ = self.0.run("ROLLBACK").await;
    }
}

impl Drop for ImportLock {
    fn drop(&mut self) {
        // After a release this only means a new connection for the next one, and imports are few.
        self.0.abandon();
    }
}
