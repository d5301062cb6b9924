//! Imports that run in the background, and how far each of them is.
//!
//! What is known of them is kept in memory: an import ends with the process that runs it, whose restart takes back all
//! that it wrote, so there is nothing to remember after that.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{clock::Entropy, filling::FillError};

/// How many imports are remembered. The oldest that are over are forgotten first.
const REMEMBERED: usize = 1_000;

/// The name of an import: `im_` and 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImportJobId(u128);

impl ImportJobId {
    const PREFIX: &str = "im_";

    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        Self(u128::from_be_bytes(crate::clock::random(entropy)))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, UnknownImportJob> {
        let hex = text.strip_prefix(Self::PREFIX).filter(|hex| hex.len() == 32);
        hex.and_then(|hex| u128::from_str_radix(hex, 16).ok()).map(Self).ok_or(UnknownImportJob)
    }
}

impl fmt::Display for ImportJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:032x}", Self::PREFIX, self.0)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no import")]
pub(crate) struct UnknownImportJob;

/// How an import ended: how many passports there are now, or why there are none.
pub(crate) type ImportEnd = Result<u64, Arc<FillError>>;

/// One import.
#[derive(Clone)]
pub(crate) struct ImportJob {
    pub id: ImportJobId,
    /// How many lines were read.
    read: Arc<AtomicU64>,
    end: Arc<Mutex<Option<ImportEnd>>>,
}

impl ImportJob {
    pub(crate) fn count_line(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) -> Option<ImportEnd> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn finish(&self, end: Result<u64, FillError>) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end.map_err(Arc::new));
    }
}

/// The imports of this process.
#[derive(Default)]
pub(crate) struct Imports(Mutex<VecDeque<ImportJob>>);

impl Imports {
    pub(crate) fn begin(&self, entropy: &dyn Entropy) -> ImportJob {
        let job = ImportJob { id: ImportJobId::new(entropy), read: Arc::default(), end: Arc::default() };
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.len() >= REMEMBERED
            && let Some(over) = jobs.iter().position(|job| job.end().is_some())
        {
            jobs.remove(over);
        }
        jobs.push_back(job.clone());
        job
    }

    pub(crate) fn find(&self, id: ImportJobId) -> Option<ImportJob> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().find(|job| job.id == id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = ImportJobId::new(&SystemEntropy);
        assert_eq!(ImportJobId::parse(&id.to_string()), Ok(id));
        for bad in ["", "im_", "im_+1", "rv_00000000000000000000000000000000", "im_0000000000000000000000000000000g"] {
            assert_eq!(ImportJobId::parse(bad), Err(UnknownImportJob), "{bad}");
        }
    }

    #[test]
    fn the_oldest_that_is_over_is_forgotten_and_none_that_runs() {
        let imports = Imports::default();
        let (running, over) = (imports.begin(&SystemEntropy), imports.begin(&SystemEntropy));
        over.finish(Ok(1));
        for _ in 0..REMEMBERED - 1 {
            imports.begin(&SystemEntropy);
        }
        assert!(imports.find(over.id).is_none());
        assert!(imports.find(running.id).is_some_and(|job| job.end().is_none()));
    }
}
