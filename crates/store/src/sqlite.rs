//! The embedded store: one SQLite file, one thread that writes it, and connections that read it.
//!
//! The verbs stand in a file each, as functions over the writer's [`ledger::Ledger`] or a reader's connection; `store.rs`
//! carries each call to its verb, and this file opens the database.

mod ahead;
mod beside;
mod bits;
mod check;
mod checkpoint;
mod claim;
mod connection;
mod content;
mod copy;
mod count;
mod edit;
mod export;
mod gathering;
mod hand_out;
mod history;
mod hold;
mod import;
mod key;
mod kiosk;
mod ledger;
mod list;
mod lock;
mod opening;
mod passport;
mod pick;
mod pool;
mod preview;
mod profile;
mod reader;
mod recipient;
mod repeat;
mod reservation;
mod reserve;
mod reset;
mod resettable;
mod schema;
mod sets;
mod setting;
mod single;
mod snapshot;
mod store;
mod tally;
mod transfer;
mod undo;
mod user;
mod varint;
mod visit;
mod whereabouts;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use passpool_core::Fingerprint;

pub(crate) use self::copy::CopySide;
use self::{
    checkpoint::Checkpoints,
    ledger::Ledger,
    lock::{Lock, Purpose},
    reader::Readers,
    writer::Writer,
};
use crate::{Fault, Found, Intent, OpenError, Store, StoreError, whereabouts::Whereabouts};

/// How long an import holds still between two slices: longer than others wait before they ask for the lock again, and
/// a few hundredths of the time that a slice takes.
const LET_OTHERS_WRITE: Duration = Duration::from_millis(1);

/// What stands at this path. Looks only.
pub fn probe(path: &Path) -> Result<Found, OpenError> {
    schema::probe(path)
}

/// Which SQLite this is and how durable its answers are, for a person.
pub fn description() -> String {
    format!("SQLite {}, WAL, synchronous={}", rusqlite::version(), connection::SYNCHRONOUS)
}

/// Opens the database, and makes it if the intent allows that.
///
/// A new database needs the fingerprint of its secret. An existing one has to belong to it, if one is given.
pub fn open(path: &Path, intent: Intent, secret: Option<Fingerprint>) -> Result<Arc<dyn Store>, OpenError> {
    let found = schema::probe(path)?;
    if found == Found::Nothing && (intent == Intent::Read || secret.is_none()) {
        return Err(OpenError::Missing(path.to_owned()));
    }
    if let (Found::Database(ours), Some(given)) = (found, secret)
        && ours != given
    {
        return Err(OpenError::OtherSecret { path: path.to_owned(), ours, given });
    }
    match where_it_is(path)? {
        // Whoever only looks may look at what was left behind.
        Whereabouts::Moved { .. } if intent == Intent::Read => {}
        whereabouts => whereabouts.refuse_elsewhere(path)?,
    }
    if intent == Intent::Read {
        schema::refuse_older(path)?;
    }
    let held = match intent {
        Intent::Read => None,
        Intent::Write | Intent::Serve => Some(prepare(path, intent, secret)?),
    };
    let writer = held.is_some().then(|| start_writer(path)).transpose();
    Ok(Arc::new(SqliteStore {
        path: path.to_owned(),
        writer: writer.map_err(|fault| OpenError::Fault { path: path.to_owned(), fault })?,
        readers: Readers::new(path.to_owned()),
        importing: Mutex::new(None),
        _held: held,
    }))
}

fn start_writer(path: &Path) -> Result<Writer, Fault> {
    let mut ledger = Ledger::open(path)?;
    let checkpoints = Checkpoints::start(path, &mut ledger.db)?;
    Ok(Writer::start(ledger, checkpoints))
}

/// Makes the file, or brings it up to date while nobody else writes it.
fn prepare(path: &Path, intent: Intent, secret: Option<Fingerprint>) -> Result<Lock, OpenError> {
    // A command has its lock before it looks, so that the file stays what it saw.
    let at_work = (intent != Intent::Serve).then(|| begin_work(path)).transpose()?;
    if !schema::is_older(path)? {
        let held = at_work.map_or_else(|| take_serve_lock(path), Ok)?;
        schema::migrate(path, secret)?;
        return Ok(held);
    }
    drop(at_work);
    // Those who come while somebody brings it up to date wait for that, and find it up to date.
    let _upgrading = wait_for(path, Purpose::Upgrade)?;
    let serving = (intent == Intent::Serve).then(|| take_serve_lock(path)).transpose()?;
    if schema::is_older(path)? {
        let _alone = serving.is_none().then(|| keep_old_servers_away(path)).transpose()?;
        migrate_undisturbed(path)?;
    }
    serving.map_or_else(|| begin_work(path), Ok)
}

/// Makes the tables of an empty file, or brings an older one up to date. For a copy, which keeps servers away.
fn prepare_to_copy(path: &Path) -> Result<(), OpenError> {
    if !schema::is_older(path)? {
        return schema::migrate(path, None);
    }
    let _upgrading = wait_for(path, Purpose::Upgrade)?;
    if schema::is_older(path)? { migrate_undisturbed(path) } else { Ok(()) }
}

/// Brings an older file up to date when the commands that write it have ended. For whoever keeps servers away.
fn migrate_undisturbed(path: &Path) -> Result<(), OpenError> {
    let _undisturbed = wait_for(path, Purpose::Work)?;
    schema::migrate(path, None)
}

/// Where the shop of a database is. It is here if there is no database.
fn where_it_is(path: &Path) -> Result<Whereabouts, OpenError> {
    if schema::probe(path)? == Found::Nothing {
        return Ok(Whereabouts::Here { by: None });
    }
    let read = connection::open_to_read(path).and_then(|db| whereabouts::read(&db));
    read.map_err(|fault| OpenError::Fault { path: path.to_owned(), fault })
}

/// Keeps whoever would bring the file up to date from it as long as a command writes as it was made to.
fn begin_work(path: &Path) -> Result<Lock, OpenError> {
    Lock::share(path, Purpose::Work).map_err(|error| OpenError::Io { path: path.to_owned(), error })
}

fn wait_for(path: &Path, purpose: Purpose) -> Result<Lock, OpenError> {
    Lock::wait_for(path, purpose).map_err(|error| OpenError::Io { path: path.to_owned(), error })
}

fn take_serve_lock(path: &Path) -> Result<Lock, OpenError> {
    let lock = Lock::take(path, Purpose::Serve);
    let lock = lock.map_err(|error| OpenError::Io { path: path.to_owned(), error })?;
    lock.ok_or_else(|| OpenError::Served(path.to_owned()))
}

/// A server that goes on with a file of which it does not know everything would undo what it does not know.
fn keep_old_servers_away(path: &Path) -> Result<Lock, OpenError> {
    take_serve_lock(path).map_err(|error| match error {
        OpenError::Served(path) => OpenError::ServedByOlder(path),
        error => error,
    })
}

#[derive(Debug)]
struct SqliteStore {
    path: PathBuf,
    /// None if the database was opened to read.
    writer: Option<Writer>,
    readers: Readers,
    /// Held while an import of ours runs.
    importing: Mutex<Option<Lock>>,
    /// By which others know that it is served, or that a command is at work. None if it was opened to read.
    _held: Option<Lock>,
}

impl SqliteStore {
    /// Runs the verb when all that was handed out before it in the same transaction is written.
    async fn write<T: Send + 'static>(
        &self,
        mut verb: impl FnMut(&mut Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer()
            .run(move |ledger| {
                ledger.see_passports()?;
                verb(ledger)
            })
            .await
    }

    fn writer(&self) -> &Writer {
        self.writer.as_ref().expect("a database opened to read is not written")
    }

    /// False if somebody else imports.
    fn take_import_lock(&self) -> Result<bool, Fault> {
        let mut importing = self.importing.lock().unwrap_or_else(PoisonError::into_inner);
        if importing.is_some() {
            return Ok(false);
        }
        let lock = Lock::take(&self.path, Purpose::Import);
        *importing = lock.map_err(|error| Fault::Database(format!("{}: {error}", self.path.display())))?;
        Ok(importing.is_some())
    }

    fn release_import_lock(&self) {
        *self.importing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        while self.write(import::sweep_chunk).await? {}
        Ok(())
    }
}
