//! Callers: whose key it is, remembered for a few seconds.
//!
//! Looking a key up costs a visit to the database. A key that was removed elsewhere is dead here at most 5 s later.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use passpool_core::{ApiKeyDigest, Caller, Timestamp};
use passpool_store::{Store, StoreError};

/// How old an answer may be.
const GOOD_FOR_MICROS: i64 = 5_000_000;
/// From which age on one of those who ask looks again, so that not all have to wait at once when it has become too old.
const REFRESH_AFTER_MICROS: i64 = 4_000_000;
/// How many keys are remembered. Far more than a shop has; strangers' keys are not remembered at all.
const REMEMBERED: usize = 1_024;

#[derive(Default)]
pub(crate) struct Callers(RwLock<HashMap<[u8; 32], Known>>);

struct Known {
    caller: Caller,
    looked_up: Timestamp,
    being_refreshed: AtomicBool,
}

impl Callers {
    /// Who has this key, if anybody has.
    pub(crate) async fn find(
        &self,
        store: &dyn Store,
        key: ApiKeyDigest,
        now: Timestamp,
    ) -> Result<Option<Caller>, StoreError> {
        if let Some(caller) = self.recall(&key, now) {
            return Ok(Some(caller));
        }
        let found = store.caller(key, now).await?;
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match &found {
            None => {
                known.remove(key.as_bytes());
            }
            Some(caller) => {
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                let fresh = Known { caller: caller.clone(), looked_up: now, being_refreshed: AtomicBool::new(false) };
                known.insert(*key.as_bytes(), fresh);
            }
        }
        Ok(found)
    }

    /// None if it is not known, is too old, or if it is this caller's turn to look again.
    fn recall(&self, key: &ApiKeyDigest, now: Timestamp) -> Option<Caller> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(key.as_bytes())?;
        let age = now.as_micros() - entry.looked_up.as_micros();
        // A clock that was set back makes ages negative, and those count as too old.
        if !(0..GOOD_FOR_MICROS).contains(&age) {
            return None;
        }
        if age >= REFRESH_AFTER_MICROS && !entry.being_refreshed.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(entry.caller.clone())
    }
}
