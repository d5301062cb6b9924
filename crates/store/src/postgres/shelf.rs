//! What every verb needs: connections, the numbers of tags, and where in the pool to begin.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use passpool_core::Timestamp;

use super::{
    connection::Connections,
    hold,
    ledger::Ledger,
    tags::{TagNumbers, Wanted},
};
use crate::Fault;

/// How many selectors are remembered with the place where they found something last.
const REMEMBERED: usize = 16_384;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) connections: Connections,
    pub(super) tags: TagNumbers,
    pub(super) marks: Marks,
}

impl Shelf {
    pub(super) async fn ledger(&self) -> Result<Ledger, Fault> {
        Ledger::begin(&self.connections).await
    }

    /// Ends every hold whose time is over and every transfer that was not settled in time, whoever else is about to.
    pub(super) async fn end_all_due(&self, now: Timestamp) -> Result<(), Fault> {
        while hold::any_due(&self.connections.session().await?, now).await? {
            self.end_due(now).await?;
        }
        Ok(())
    }

    /// Ends a few thousand of what is due, and answers how many.
    pub(super) async fn end_due(&self, now: Timestamp) -> Result<u64, Fault> {
        let ledger = self.ledger().await?;
        let ended = hold::end_due(&ledger, now).await?;
        ledger.commit().await?;
        if ended > 0 {
            self.marks.clear();
        }
        Ok(ended)
    }
}

/// For each selector a place in the pool before which nothing was found a moment ago. Statements that begin there do not
/// walk over what was deleted and is not yet cleared away. It may be wrong: before "none left" is told, everything is
/// looked at from the beginning.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Arc<Mutex<HashMap<Wanted, i64>>>);

impl Marks {
    pub(super) fn of(&self, wanted: &Wanted) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(wanted).copied().unwrap_or(0)
    }

    pub(super) fn set(&self, wanted: &Wanted, seq: i64) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() >= REMEMBERED {
            marks.clear();
        }
        marks.insert(wanted.clone(), seq);
    }

    /// To be called whenever this server gave something back to the pool, and now and then for the sake of the others.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
