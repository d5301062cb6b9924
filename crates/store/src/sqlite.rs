//! The embedded store: one SQLite file, one thread that writes it, and connections that read it.
//!
//! The verbs stand in a file each, as functions over the writer's [`ledger::Ledger`] or a reader's connection; this
//! file opens the database and carries each call to its verb.

mod bits;
mod check;
mod checkpoint;
mod claim;
mod connection;
mod content;
mod count;
mod export;
mod hold;
mod import;
mod kiosk;
mod ledger;
mod lock;
mod opening;
mod passport;
mod pick;
mod reader;
mod repeat;
mod reserve;
mod reset;
mod schema;
mod sets;
mod setting;
mod single;
mod snapshot;
mod transfer;
mod user;
mod varint;
mod visit;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use passpool_core::{
    ApiKeyDigest, Caller, Fingerprint, HandedOut, Kiosk, KioskName, Reservation, Reserve, Timestamp, UserName,
    WholeSeconds,
};

use self::{
    checkpoint::Checkpoints,
    ledger::Ledger,
    lock::{Lock, Purpose},
    opening::Look,
    passport::PassportRow,
    reader::Readers,
    reset::Matching,
    snapshot::Snapshot,
    writer::Writer,
};
use crate::{
    Airdrop, CheckReport, Claim, Create, ExportFilter, Exported, Fault, Found, Given, ImportBatch, ImportId,
    ImportTerms, Intent, KioskInfo, LinkSettings, NewKey, NewUser, OfPassport, OpenError, Opened, Opening, PoolCounts,
    PreviewPage, Relink, Reset, ResetScope, Resettable, Store, StoreError, TagFilter, Transfer, UserInfo, Visit,
};

/// How long an import holds still between two slices: longer than others wait before they ask for the lock again, and
/// a few hundredths of the time that a slice takes.
const LET_OTHERS_WRITE: Duration = Duration::from_millis(1);

/// What stands at this path. Looks only.
pub fn probe(path: &Path) -> Result<Found, OpenError> {
    schema::probe(path)
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
    let serving = match intent {
        Intent::Serve => Some(take_serve_lock(path)?),
        Intent::Read | Intent::Write => None,
    };
    let fault = |fault| OpenError::Fault { path: path.to_owned(), fault };
    let writer = match intent {
        Intent::Read => None,
        Intent::Write | Intent::Serve => {
            schema::migrate(path, secret)?;
            let mut db = connection::open_to_write(path).map_err(fault)?;
            let checkpoints = Checkpoints::start(path, &mut db).map_err(fault)?;
            Some(Writer::start(Ledger::new(db), checkpoints))
        }
    };
    let readers = Readers::new(path.to_owned());
    Ok(Arc::new(SqliteStore { path: path.to_owned(), writer, readers, importing: Mutex::new(None), _serving: serving }))
}

fn take_serve_lock(path: &Path) -> Result<Lock, OpenError> {
    let lock = Lock::take(path, Purpose::Serve);
    let lock = lock.map_err(|error| OpenError::Io { path: path.to_owned(), error })?;
    lock.ok_or_else(|| OpenError::Served(path.to_owned()))
}

#[derive(Debug)]
struct SqliteStore {
    path: PathBuf,
    /// None if the database was opened to read.
    writer: Option<Writer>,
    readers: Readers,
    /// Held while an import of ours runs.
    importing: Mutex<Option<Lock>>,
    _serving: Option<Lock>,
}

impl SqliteStore {
    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnMut(&mut Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let writer = self.writer.as_ref().expect("a database opened to read is not written");
        writer.run(verb).await
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

#[async_trait]
impl Store for SqliteStore {
    async fn reserve(&self, wish: Reserve) -> Result<Reservation, StoreError> {
        self.write(move |ledger| reserve::reserve(ledger, &wish)).await
    }

    async fn reset(&self, wish: Reset) -> Result<u64, StoreError> {
        let wish = Arc::new(wish);
        let (mut count, mut next) = (0, Some(0));
        while let Some(from) = next {
            let wish = wish.clone();
            let slice = self.write(move |ledger| match &wish.scope {
                ResetScope::Named(ids) => {
                    reset::reset_named(ledger, &wish, ids).map(|count| reset::Slice { count, next: None })
                }
                ResetScope::Matching { selector, state, handed_out_before } => {
                    let (selector, state, handed_out_before) = (selector.as_ref(), *state, *handed_out_before);
                    reset::reset_slice(ledger, &wish, Matching { selector, state, handed_out_before }, from)
                }
            });
            let slice = slice.await?;
            count += slice.count;
            next = slice.next;
        }
        Ok(count)
    }

    async fn preview_reset(&self, wish: Reset, page: PreviewPage) -> Result<Vec<Resettable>, StoreError> {
        let question = move |db: &rusqlite::Connection| {
            let from = match page.after {
                None => 0,
                Some(last) => PassportRow::visible_by_id(db, last)?.map_or(0, |row| row.seq + 1),
            };
            match &wish.scope {
                ResetScope::Named(_) if page.after.is_some() => Ok(Vec::new()),
                ResetScope::Named(ids) => reset::preview_named(db, ids, wish.now),
                ResetScope::Matching { selector, state, handed_out_before } => {
                    let (selector, state, handed_out_before) = (selector.as_ref(), *state, *handed_out_before);
                    let matching = Matching { selector, state, handed_out_before };
                    Ok(reset::preview_matching(&Snapshot::new(db)?, matching, wish.now, from, page.limit)?)
                }
            }
        };
        self.readers.ask(question).await
    }

    async fn open(&self, wish: Opening) -> Result<Opened, StoreError> {
        // A proof is judged away from the writer: it takes a hundred microseconds, and strangers may ask for it.
        let asked = wish.clone();
        match self.readers.ask(move |db| opening::look(db, &asked)).await? {
            Look::Seen(opened) => Ok(opened),
            Look::First { key, opened } => {
                let state = self.write(move |ledger| opening::record(ledger, &wish, &key)).await?;
                Ok(Opened { state, ..opened })
            }
        }
    }

    async fn claim(&self, wish: Claim) -> Result<(), StoreError> {
        let asked = wish.clone();
        let key = self.readers.ask(move |db| claim::judge(db, &asked)).await?;
        self.write(move |ledger| claim::claim(ledger, &wish, &key)).await
    }

    async fn verify_transfer(&self, wish: Transfer) -> Result<(), StoreError> {
        self.readers.ask(move |db| transfer::judge(db, &wish).map(drop)).await
    }

    async fn transfer(&self, wish: Transfer) -> Result<(), StoreError> {
        let asked = wish.clone();
        let key = self.readers.ask(move |db| transfer::judge(db, &asked)).await?;
        self.write(move |ledger| transfer::transfer(ledger, &wish, &key)).await
    }

    async fn settle(&self, after: Option<WholeSeconds>, now: Timestamp) -> Result<u64, StoreError> {
        // Asked for twice a second by whoever serves, and mostly for nothing.
        let any = self.readers.ask(|db| Ok(transfer::any(db)?)).await?;
        if any { self.write(move |ledger| Ok(transfer::settle(ledger, after, now)?)).await } else { Ok(0) }
    }

    async fn airdrop(&self, wish: Airdrop) -> Result<Reservation, StoreError> {
        assert_eq!(wish.wish.count as usize, wish.recipients.len(), "an airdrop is of one passport for each recipient");
        self.write(move |ledger| reserve::airdrop(ledger, &wish)).await
    }

    async fn relink(&self, wish: Relink) -> Result<HandedOut, StoreError> {
        self.write(move |ledger| single::relink(ledger, &wish)).await
    }

    async fn recover(&self, wish: OfPassport) -> Result<(), StoreError> {
        self.write(move |ledger| single::recover(ledger, &wish)).await
    }

    async fn withdraw(&self, wish: OfPassport) -> Result<(), StoreError> {
        self.write(move |ledger| single::withdraw(ledger, &wish)).await
    }

    async fn add_kiosk(&self, kiosk: Kiosk, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |ledger| kiosk::add(&ledger.db, &kiosk, now)).await
    }

    async fn close_kiosk(&self, name: KioskName, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |ledger| kiosk::close(&ledger.db, &name, now)).await
    }

    async fn kiosk(&self, name: KioskName) -> Result<Option<Kiosk>, StoreError> {
        self.readers.ask(move |db| Ok(kiosk::by_name(db, &name)?.map(|(_, kiosk)| kiosk))).await
    }

    async fn kiosks(&self, now: Timestamp) -> Result<Vec<KioskInfo>, StoreError> {
        self.readers.ask(move |db| Ok(kiosk::list(db, now)?)).await
    }

    async fn visit_kiosk(&self, wish: Visit) -> Result<Given, StoreError> {
        // Strangers who ask for what no kiosk gives do not keep the writer busy.
        let (door, now) = (wish.door.clone(), wish.now);
        self.readers.ask(move |db| kiosk::enter(db, &door, now).map(drop)).await?;
        self.write(move |ledger| kiosk::visit(ledger, &wish)).await
    }

    async fn end_holds(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write(move |ledger| Ok(hold::end_due(ledger, now)?)).await
    }

    async fn counts(&self, tags: TagFilter, now: Timestamp) -> Result<PoolCounts, StoreError> {
        self.readers.ask(move |db| Ok(count::counts(db, tags, now)?)).await
    }

    async fn create(&self, wish: Create) -> Result<u64, StoreError> {
        self.write(move |ledger| import::create(ledger, &wish)).await
    }

    async fn begin_import(&self, terms: ImportTerms) -> Result<ImportId, StoreError> {
        if !self.take_import_lock()? {
            return Err(passpool_core::Refusal::ImportRunning.into());
        }
        let begun = async {
            self.sweep().await?;
            self.write(move |ledger| import::begin(ledger, &terms)).await
        };
        begun.await.inspect_err(|_| self.release_import_lock())
    }

    async fn add_to_import(&self, batch: ImportBatch) -> Result<u64, StoreError> {
        let added = self.write(move |ledger| import::add(ledger, &batch)).await;
        // SQLite gives its lock to whoever asks first, and who has just let it go would always be that one.
        tokio::time::sleep(LET_OTHERS_WRITE).await;
        added
    }

    async fn publish_import(&self, import: ImportId) -> Result<(), StoreError> {
        self.write(move |ledger| import::publish(ledger, import)).await?;
        self.release_import_lock();
        Ok(())
    }

    async fn drop_import(&self, _: ImportId) -> Result<(), StoreError> {
        // There is one import at a time, and it is this one: all that is hidden is its work.
        self.sweep().await?;
        self.release_import_lock();
        Ok(())
    }

    async fn sweep_imports(&self) -> Result<(), StoreError> {
        let any = self.readers.ask(|db| Ok(import::any(db)?)).await?;
        if any && self.take_import_lock()? {
            self.sweep().await.inspect_err(|_| self.release_import_lock())?;
            self.release_import_lock();
        }
        Ok(())
    }

    async fn forget_repeats(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(move |ledger| Ok(repeat::forget(&ledger.db, before)?)).await
    }

    async fn export(
        &self,
        filter: ExportFilter,
        mut each: Box<dyn FnMut(Exported) -> bool + Send>,
    ) -> Result<(), StoreError> {
        self.readers.ask(move |db| Ok(export::export(db, &filter, &mut *each)?)).await
    }

    async fn caller(&self, key: ApiKeyDigest) -> Result<Option<Caller>, StoreError> {
        self.readers.ask(move |db| Ok(user::caller(db, &key)?)).await
    }

    async fn add_user(&self, user: NewUser) -> Result<(), StoreError> {
        self.write(move |ledger| user::add(&ledger.db, &user)).await
    }

    async fn renew_key(&self, user: UserName, key: NewKey) -> Result<(), StoreError> {
        self.write(move |ledger| user::renew_key(&ledger.db, &user, &key)).await
    }

    async fn remove_user(&self, user: UserName) -> Result<(), StoreError> {
        self.write(move |ledger| user::remove(&ledger.db, &user)).await
    }

    async fn users(&self) -> Result<Vec<UserInfo>, StoreError> {
        self.readers.ask(|db| Ok(user::list(db)?)).await
    }

    async fn link_settings(&self) -> Result<Option<LinkSettings>, StoreError> {
        self.readers.ask(|db| Ok(setting::link_settings(db)?)).await
    }

    async fn keep_link_settings(&self, settings: LinkSettings) -> Result<(), StoreError> {
        self.write(move |ledger| Ok(setting::keep_link_settings(&ledger.db, &settings)?)).await
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        self.readers.ask(|db| Ok(check::check(db)?)).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.readers.ask(|db| Ok(schema::ask(db)?)).await
    }

    async fn close(&self) {
        // A reader may not tidy the log away, so the writer's connection has to be the last.
        self.readers.close();
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}
