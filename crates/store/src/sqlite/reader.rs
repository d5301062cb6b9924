//! Readers: connections that only read, each question in a transaction of its own, away from the async threads.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;

use super::connection;
use crate::{Fault, StoreError};

/// How many idle connections are kept.
const IDLE: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Arc::default() }
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

    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn ask_here<T>(&self, question: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let known = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut db = match known {
            Some(db) => db,
            None => connection::open_to_read(&self.path)?,
        };
        // Dropping the transaction ends it: there is nothing to commit.
        let answer = question(&*db.transaction()?);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(db);
        }
        answer
    }
}
