//! A lock of the database's: it ends with the connection that holds it, however that ends.

use super::{
    connection::{Connections, Session},
    typed::typed,
};
use crate::Fault;

/// What a transaction has that runs as long as the lock is held. It changes nothing, so it keeps nothing from being
/// cleared away; and behind a pooler a lock that is not a transaction's would be somebody else's soon. The wait is for
/// what a program that has just been killed still holds, before the database notices.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = 0; \
                     SET LOCAL lock_timeout = '3s'";

/// Held until it is released or dropped.
pub(super) struct ImportLock(Session);

impl ImportLock {
    /// None if somebody else holds it, and goes on to for 3 s.
    pub(super) async fn take(connections: &Connections) -> Result<Option<Self>, Fault> {
        let lock = Self(connections.session().await?);
        lock.0.begin(BEGIN).await?;
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended('passpool import ' || current_schema(), 0))";
        match lock.0.query(sql, typed![]).await {
            Ok(_) => Ok(Some(lock)),
            Err(Fault::Locked) => {
                lock.release().await;
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
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
