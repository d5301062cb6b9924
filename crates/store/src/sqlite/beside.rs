//! Beside the writer: what a large reservation takes is read on another core while the writer writes what was read before.
//!
//! A transaction that may write keeps everybody else from it. So until it has written something itself, a connection that
//! only reads sees the database as the transaction does, and may read for it in another thread.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, SyncSender},
    },
    thread,
};

use rusqlite::Connection;

use super::connection;
use crate::{Fault, StoreError};

/// How many slices wait for the writer at most.
const AHEAD: usize = 2;

/// The connection that reads beside the writer's, opened with it, so that both have the same file.
#[derive(Clone)]
pub(super) struct Beside {
    db: Arc<Mutex<Connection>>,
}

impl Beside {
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        Ok(Self { db: Arc::new(Mutex::new(connection::open_to_read(path)?)) })
    }

    /// Writes each slice, in their order, while the next ones are read in another thread. Ends at the first error of
    /// either. To be called while a transaction runs that has not written yet.
    pub(super) fn read_while_writing<Slice, Read: Send>(
        &self,
        slices: impl Iterator<Item = Slice> + Send,
        read: impl Fn(&Connection, Slice) -> Result<Read, StoreError> + Send,
        write: impl FnMut(Read) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        thread::scope(|scope| {
            let (ready, to_write) = mpsc::sync_channel(AHEAD);
            let reading = thread::Builder::new().name("passpool-beside".into());
            let reading = reading.spawn_scoped(scope, move || self.read_each(slices, read, &ready));
            let reading = reading.map_err(|error| Fault::Database(error.to_string()))?;
            // What is left unread when this fails is dropped, so that the reading thread ends.
            to_write.into_iter().try_for_each(write)?;
            reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Reads them all, or until nobody wants more.
    fn read_each<Slice, Read>(
        &self,
        slices: impl Iterator<Item = Slice>,
        read: impl Fn(&Connection, Slice) -> Result<Read, StoreError>,
        ready: &SyncSender<Read>,
    ) -> Result<(), StoreError> {
        let mut db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropping the transaction ends it: there is nothing to commit.
        let seen = db.transaction()?;
        for slice in slices {
            if ready.send(read(&seen, slice)?).is_err() {
                break; // The writer has failed, and tells why.
            }
        }
        Ok(())
    }
}
