//! Whose time it is. Servers have clocks of their own; the database's is the one that all of them mean.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use passpool_core::Timestamp;

use super::{connection::Session, typed::typed};
use crate::Fault;

/// From which difference on somebody should look after a clock.
const WORTH_TELLING_MICROS: i64 = 5_000_000;

/// Tells what time a server thinks it is.
pub type ReadClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How far the database's clock is ahead of this server's.
#[derive(Clone)]
pub(super) struct Offset {
    /// None for callers whose moments are the database's already.
    clock: Option<ReadClock>,
    micros: Arc<AtomicI64>,
}

impl Offset {
    pub(super) fn new(clock: Option<ReadClock>) -> Self {
        Self { clock, micros: Arc::default() }
    }

    /// A moment of the caller's, as the database's clock shows it.
    pub(super) fn correct(&self, moment: Timestamp) -> Timestamp {
        Timestamp::from_micros(moment.as_micros().saturating_add(self.micros.load(Ordering::Relaxed)))
    }

    /// Compares the clocks. Half of the time that the question took is the answer's way back.
    pub(super) async fn measure(&self, db: &Session) -> Result<(), Fault> {
        let Some(clock) = &self.clock else { return Ok(()) };
        let before = clock().as_micros();
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let database: i64 = db.query_one(sql, typed![]).await?.try_get(0)?;
        let after = clock().as_micros();
        let offset = database.saturating_sub(before + (after - before) / 2);
        if offset.abs() > WORTH_TELLING_MICROS {
            tracing::warn!(seconds = offset / 1_000_000, "this server's clock differs from the database's");
        }
        self.micros.store(offset, Ordering::Relaxed);
        Ok(())
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Offset").field(&self.micros).finish()
    }
}
