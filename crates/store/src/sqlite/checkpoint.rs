//! Checkpoints: the log's pages move into the file, mostly in a thread of their own.
//!
//! A checkpoint writes and syncs the file, which takes tens of milliseconds that no caller should wait for. The thread
//! cannot make the log start over while the writer goes on appending, so now and then the writer does the little that
//! is left itself.

use std::{
    cell::Cell,
    ffi::c_int,
    path::Path,
    sync::mpsc::{self, SyncSender},
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, hooks::Wal};

use crate::Fault;

/// From how many pages of log on the thread is woken: 4 MB.
const WAKE_AT: c_int = 1_000;
/// From how many pages on the writer itself finishes, so that the log starts over: 64 MB.
const FINISH_AT: c_int = 16_000;

thread_local! {
    /// How long the log was after this thread's last commit. SQLite's hook carries no data of ours.
    static LOG_PAGES: Cell<c_int> = const { Cell::new(0) };
}

#[derive(Debug)]
pub(super) struct Checkpoints {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Takes the checkpoints over from the writer's connection.
    pub(super) fn start(path: &Path, writer: &mut Connection) -> Result<Self, Fault> {
        let db = super::connection::open_to_write(path)?;
        db.execute_batch("PRAGMA wal_autocheckpoint = 0")?;
        writer.execute_batch("PRAGMA wal_autocheckpoint = 0")?;
        writer.wal_hook(Some(|_: &mut Wal, pages| {
            LOG_PAGES.set(pages);
            Ok(())
        }))?;
        let (wake, woken) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("passpool-checkpoint".into());
        let work = move || woken.iter().for_each(|()| checkpoint(&db));
        let thread = thread.spawn(work).map_err(|error| Fault::Database(error.to_string()))?;
        Ok(Self { wake, thread })
    }

    /// Ends the thread and closes its connection. The writer's is then the last one, and tidies the log away.
    pub(super) fn end(self) {
        drop(self.wake);
        let _ = self.thread.join(); // It has nothing to tell.
    }

    /// To be called by the writer's thread when it has answered.
    pub(super) fn after_commit(&self, writer: &Connection) {
        let pages = LOG_PAGES.get();
        if pages >= FINISH_AT {
            checkpoint(writer);
            LOG_PAGES.set(0);
        } else if pages >= WAKE_AT {
            let _ = self.wake.try_send(()); // It is awake already if there is no room.
        }
    }
}

/// Moves what can be moved without waiting for anybody.
fn checkpoint(db: &Connection) {
    if let Err(error) = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "a checkpoint failed; the next one goes on where it stopped");
    }
}
