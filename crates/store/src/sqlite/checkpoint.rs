//! Checkpoints: the log's pages move into the file, mostly in a thread of their own.
//!
//! A checkpoint writes and syncs the file, which takes tens of milliseconds that no caller should wait for. The log starts
//! over once all of it is in the file, so the thread goes after what was appended meanwhile. Where the writer is always
//! quicker, it does the little that is left itself now and then.

use std::{
    cell::Cell,
    ffi::c_int,
    path::Path,
    sync::mpsc::{self, SyncSender},
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, hooks::Wal};

use crate::Fault;

/// After how many pages of log the thread is woken again: 4 MB. A page that many commits change is moved once for all of
/// them, so the thread has less to do than if it came after each.
const WAKE_EVERY: c_int = 1_000;
/// How often it moves pages before it sleeps again: once, and then what was appended meanwhile.
const PASSES: usize = 3;
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
    due: Due,
}

/// When the next checkpoint is due, by the log's length.
#[derive(Debug, Default)]
struct Due {
    last: c_int,
}

impl Due {
    /// True if the log has grown enough since this was true last.
    fn is_now(&mut self, pages: c_int) -> bool {
        if pages < self.last {
            self.last = 0; // It has started over.
        }
        let due = pages - self.last >= WAKE_EVERY;
        if due {
            self.last = pages;
        }
        due
    }
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
        let work = move || woken.iter().for_each(|()| checkpoint_to_end(&db));
        let thread = thread.spawn(work).map_err(|error| Fault::Database(error.to_string()))?;
        Ok(Self { wake, thread, due: Due::default() })
    }

    /// Ends the thread and closes its connection. The writer's is then the last one, and tidies the log away.
    pub(super) fn end(self) {
        drop(self.wake);
        let _ = self.thread.join(); // It has nothing to tell.
    }

    /// To be called by the writer's thread when it has answered.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        let pages = LOG_PAGES.get();
        if !self.due.is_now(pages) {
            return;
        }
        if pages >= FINISH_AT {
            checkpoint(writer);
        } else {
            let _ = self.wake.try_send(()); // It is awake already if there is no room.
        }
    }
}

/// Moves everything, and then what was appended meanwhile, until nothing was or the writer has been quicker each time.
fn checkpoint_to_end(db: &Connection) {
    let mut known = None;
    for _ in 0..PASSES {
        let pages = checkpoint(db);
        if pages.is_none() || pages == known {
            return;
        }
        known = pages;
    }
}

/// Moves what can be moved without waiting for anybody, and answers how long the log was when it began.
fn checkpoint(db: &Connection) -> Option<c_int> {
    let moved = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1));
    moved.inspect_err(|error| tracing::warn!(%error, "a checkpoint failed; the next one goes on where it stopped")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_whenever_the_log_has_grown_by_a_thousand_pages() {
        let mut due = Due::default();
        let mut check = |pages, expected| assert_eq!(due.is_now(pages), expected, "{pages}");
        check(999, false);
        check(1_010, true);
        check(1_010, false);
        check(2_009, false);
        check(2_010, true);
        check(7, false); // It has started over.
        check(1_000, true);
    }
}
