//! Callers: whose key it is, remembered for a few seconds.
//!
//! Looking a key up costs a visit to the database. A key that was removed here is dead at once, and one that was removed
//! elsewhere at most 5 s later.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use passpool_core::{ApiKeyDigest, Caller, Timestamp};
use passpool_store::{KeyUse, Store, StoreError};

/// How old an answer may be.
const GOOD_FOR_MICROS: i64 = 5_000_000;
/// From which age on one of those who ask looks again, so that not all have to wait at once when it has become too old.
const REFRESH_AFTER_MICROS: i64 = 4_000_000;
/// How many keys are remembered. Far more than a shop has; strangers' keys are not remembered at all.
const REMEMBERED: usize = 1_024;

/// How exactly it is told when a key was used last: to the minute.
const USE_MICROS: i64 = 60_000_000;

#[derive(Default)]
pub(crate) struct Callers {
    known: RwLock<HashMap<[u8; 32], Known>>,
    /// How often all were forgotten.
    forgotten: AtomicU64,
    /// Uses that nobody has written down yet.
    uses: Mutex<Vec<KeyUse>>,
}

struct Known {
    caller: Caller,
    looked_up: Timestamp,
    being_refreshed: AtomicBool,
    /// The minute of the last use that was noted.
    used: AtomicI64,
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
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let found = store.caller(key, now).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten.load(Ordering::Acquire) != forgotten {
            // What was found may be from before the change.
            return Ok(found);
        }
        match &found {
            None => {
                known.remove(key.as_bytes());
            }
            Some(caller) => {
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                let used =
                    known.get(key.as_bytes()).map_or(i64::MIN, |known| known.used.load(Ordering::Relaxed)).into();
                let fresh =
                    Known { caller: caller.clone(), looked_up: now, being_refreshed: AtomicBool::new(false), used };
                self.note_use(&key, &fresh, now);
                known.insert(*key.as_bytes(), fresh);
            }
        }
        Ok(found)
    }

    /// Looks everybody up anew. To be called when keys or rights may have changed, before anybody is told: what was taken
    /// away is gone at once.
    pub(crate) fn forget(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::Release);
        known.clear();
    }

    /// The uses that were noted since this was asked last.
    pub(crate) fn take_uses(&self) -> Vec<KeyUse> {
        std::mem::take(&mut *self.uses.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note_use(&self, key: &ApiKeyDigest, entry: &Known, now: Timestamp) {
        let minute = now.as_micros().div_euclid(USE_MICROS);
        if entry.used.load(Ordering::Relaxed) < minute && entry.used.swap(minute, Ordering::Relaxed) < minute {
            let at = Timestamp::from_micros(minute * USE_MICROS);
            self.uses.lock().unwrap_or_else(PoisonError::into_inner).push(KeyUse { digest: *key, at });
        }
    }

    /// None if it is not known, is too old, or if it is this caller's turn to look again.
    fn recall(&self, key: &ApiKeyDigest, now: Timestamp) -> Option<Caller> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(key.as_bytes())?;
        let age = now.as_micros() - entry.looked_up.as_micros();
        // A clock that was set back makes ages negative, and those count as too old.
        if !(0..GOOD_FOR_MICROS).contains(&age) {
            return None;
        }
        if age >= REFRESH_AFTER_MICROS && !entry.being_refreshed.swap(true, Ordering::Relaxed) {
            return None;
        }
        self.note_use(key, entry, now);
        Some(entry.caller.clone())
    }
}
