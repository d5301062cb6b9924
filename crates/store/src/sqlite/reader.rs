//! Readers: connections that only read, each question in a transaction of its own, away from the async threads.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use super::connection;
use crate::{Fault, StoreError};

/// How many idle connections are kept.
const IDLE: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Readers {
    path: PathBuf,
    /// None when the store is closed.
    idle: Arc<Mutex<Option<Vec<Connection>>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    /// Asks as of one moment of the database.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.clone();
        let answer = tokio::task::spawn_blocking(move || readers.ask_here(question));
        answer.await.map_err(|error| Fault::Database(error.to_string()))?
    }

    /// From here on nobody is answered. Whoever is being answered closes its connection afterwards.
    pub(super) fn close(&self) {
        *self.idle() = None;
    }

    fn ask_here<T>(&self, question: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let known = self.idle().as_mut().ok_or(Fault::Closed)?.pop();
        let mut db = match known {
            Some(db) => db,
            None => connection::open_to_read(&self.path)?,
        };
        // Dropping the transaction ends it: there is nothing to commit.
        let answer = question(&*db.transaction()?);
        if let Some(idle) = &mut *self.idle()
            && idle.len() < IDLE
        {
            idle.push(db);
        }
        answer
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
