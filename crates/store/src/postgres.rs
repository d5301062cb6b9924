//! The store for many servers: one PostgreSQL, and no truth in any server's memory.
//!
//! The verbs stand in a file each, as functions over a [`ledger::Ledger`] or a [`connection::Session`]; this file opens
//! the database, and `store` carries each call to its verb.

mod check;
mod claim;
mod clock;
mod connection;
mod content;
mod copy;
mod count;
mod edit;
mod export;
mod history;
mod hold;
mod import;
mod journal;
mod key;
mod kiosk;
mod ledger;
mod list;
mod lock;
mod opening;
mod passport;
mod pick;
mod presence;
mod preview;
mod profile;
mod queue;
mod recipient;
mod repeat;
mod reservation;
mod reserve;
mod reset;
mod resettable;
mod schema;
mod setting;
mod shelf;
mod single;
mod store;
mod tagged;
mod tags;
mod tally;
mod tls;
mod transfer;
mod typed;
mod undo;
mod url;
mod user;
mod visit;
mod whereabouts;

use std::{fmt, sync::Arc, time::Duration};

use passpool_core::{Fingerprint, Reserve};
use tokio::{sync::Mutex, task::AbortHandle, time::MissedTickBehavior};

pub(crate) use self::copy::CopySide;
use self::{
    clock::Offset,
    connection::Connections,
    journal::Marker,
    ledger::Ledger,
    lock::ImportLock,
    presence::Presence,
    queue::Queue,
    schema::Standing,
    shelf::{Marks, Shelf},
    tags::TagNumbers,
};
pub use self::{
    clock::ReadClock,
    url::{PostgresUrl, PostgresUrlError},
};
use crate::{
    Fault, Found, ImportId, ImportTerms, Intent, KeptReset, OpenError, Preview, Reset, ResetOf, ResetScope, Store,
    StoreError, whereabouts::Whereabouts,
};

/// How often the house is kept: how long a mark may hide what another server gave back, and how much a count has to add
/// up that was not folded together.
const KEEP_HOUSE_EVERY: Duration = Duration::from_secs(1);
/// How many times that happens before the clocks are compared again.
const MEASURE_CLOCK_EACH: u32 = 60;
/// How many times before a server says again that it is there.
const SAY_PRESENCE_EACH: u32 = 5;

/// What stands at this address. Looks only.
pub async fn probe(url: &PostgresUrl) -> Result<Found, OpenError> {
    let connections = Connections::new(url).map_err(|fault| failed(url, fault))?;
    let found = probe_with(url, &connections).await;
    connections.close();
    found
}

/// Opens the database, and makes it if the intent allows that.
///
/// A new database needs the fingerprint of its secret. An existing one has to belong to it, if one is given. Moments
/// that callers name are read from `clock`, and corrected to the database's; without one they are taken as they are.
pub async fn open(
    url: &PostgresUrl,
    intent: Intent,
    secret: Option<Fingerprint>,
    clock: Option<ReadClock>,
) -> Result<Arc<dyn Store>, OpenError> {
    let connections = Connections::new(url).map_err(|fault| failed(url, fault))?;
    let found = probe_with(url, &connections).await?;
    if found == Found::Nothing && (intent == Intent::Read || secret.is_none()) {
        return Err(OpenError::Missing(url.to_string().into()));
    }
    if found != Found::Nothing {
        refuse_unfit(url, &connections, intent).await?;
    }
    let offset = Offset::new(clock);
    let opened = async {
        if intent != Intent::Read {
            schema::judge_server(&connections.session().await?).await?;
            schema::migrate(&connections, secret).await?;
        }
        let db = connections.session().await?;
        offset.measure(&db).await?;
        schema::fingerprint(&db).await
    };
    let ours = opened.await.map_err(|fault| failed(url, fault))?;
    if let (Some(ours), Some(given)) = (ours, secret)
        && ours != given
    {
        return Err(OpenError::OtherSecret { path: url.to_string().into(), ours, given });
    }
    let mut presence = Presence::default();
    if intent == Intent::Serve {
        let said = async { presence.say(&connections.session().await?).await };
        said.await.map_err(|fault| failed(url, fault))?;
    }
    let presence = Arc::new(Mutex::new(presence));
    let shelf = Shelf { connections, tags: TagNumbers::default(), marks: Marks::default() };
    let house = keep_house(shelf.clone(), offset.clone(), intent, presence.clone());
    let mut housekeeping = vec![tokio::spawn(house).abort_handle()];
    if intent != Intent::Read {
        housekeeping.push(tokio::spawn(tidy_up(shelf.clone())).abort_handle());
    }
    let queue = Queue::start(shelf.clone());
    Ok(Arc::new(PostgresStore { shelf, queue, offset, importing: Mutex::new(None), presence, housekeeping }))
}

async fn probe_with(url: &PostgresUrl, connections: &Connections) -> Result<Found, OpenError> {
    let place = || url.to_string().into();
    let standing = async { schema::probe(&connections.session().await?).await };
    match standing.await.map_err(|fault| failed(url, fault))? {
        Standing::Foreign => Err(OpenError::Foreign(place())),
        Standing::Newer { version } => Err(OpenError::Newer { path: place(), version, known: schema::known_version() }),
        Standing::Found(found) => Ok(found),
    }
}

/// Whoever only reads does not bring it up to date, but may look at what was left behind.
async fn refuse_unfit(url: &PostgresUrl, connections: &Connections, intent: Intent) -> Result<(), OpenError> {
    let fault = |fault| failed(url, fault);
    let db = connections.session().await.map_err(fault)?;
    let (version, known) = (schema::applied_version(&db).await.map_err(fault)?, schema::known_version());
    if intent == Intent::Read && version < known {
        return Err(OpenError::Older { path: url.to_string().into(), version, known });
    }
    match whereabouts::read(&db).await.map_err(fault)? {
        Whereabouts::Moved { .. } if intent == Intent::Read => Ok(()),
        whereabouts => whereabouts.refuse_elsewhere(url.to_string().as_ref()),
    }
}

fn failed(url: &PostgresUrl, fault: Fault) -> OpenError {
    OpenError::Fault { path: url.to_string().into(), fault }
}

/// What has to happen now and then, as long as the store is open.
async fn keep_house(shelf: Shelf, offset: Offset, intent: Intent, presence: Arc<Mutex<Presence>>) {
    let mut ticks = tokio::time::interval(KEEP_HOUSE_EVERY);
    let mut count = 0;
    loop {
        ticks.tick().await;
        shelf.marks.clear();
        count = (count + 1) % MEASURE_CLOCK_EACH;
        if intent == Intent::Serve && count % SAY_PRESENCE_EACH == 0 {
            let said = async { presence.lock().await.say(&shelf.connections.session().await?).await };
            if let Err(fault) = said.await {
                tracing::warn!(%fault, "the database could not be told that this server is there");
            }
        }
        if count == 0 {
            let measured = async { offset.measure(&shelf.connections.session().await?).await };
            if let Err(fault) = measured.await {
                tracing::warn!(%fault, "the clocks could not be compared");
            }
        }
    }
}

/// What may take longer, and nobody waits for: without it counts, and lists from a moment on, take longer too.
async fn tidy_up(shelf: Shelf) {
    let mut ticks = tokio::time::interval(KEEP_HOUSE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut marker = Marker::default();
    loop {
        ticks.tick().await;
        if let Err(fault) = tidy(&shelf, &mut marker).await {
            tracing::warn!(%fault, "the tally was not folded together, or the journal not marked; it is tried again");
        }
    }
}

/// Part by part, each in a transaction of its own.
async fn tidy(shelf: &Shelf, marker: &mut Marker) -> Result<(), Fault> {
    let mut has_more = true;
    while has_more {
        let ledger = shelf.ledger().await?;
        has_more = tally::fold(&ledger).await?;
        ledger.commit().await?;
    }
    marker.mark(&shelf.connections.session().await?).await
}

struct PostgresStore {
    shelf: Shelf,
    queue: Queue,
    offset: Offset,
    /// Held while an import of ours runs.
    importing: Mutex<Option<ImportLock>>,
    presence: Arc<Mutex<Presence>>,
    housekeeping: Vec<AbortHandle>,
}

impl PostgresStore {
    fn stop_housekeeping(&self) {
        self.housekeeping.iter().for_each(AbortHandle::abort);
    }

    async fn session(&self) -> Result<connection::Session, Fault> {
        self.shelf.connections.session().await
    }

    /// Runs what follows in one transaction.
    async fn ledger(&self) -> Result<Ledger, Fault> {
        self.shelf.ledger().await
    }

    /// Sees one moment of the database, and changes nothing.
    async fn snapshot(&self) -> Result<Ledger, Fault> {
        Ledger::look(&self.shelf.connections).await
    }

    fn correct_wish(&self, mut wish: Reserve) -> Reserve {
        wish.now = self.offset.correct(wish.now);
        wish.until = wish.until.map(|until| self.offset.correct(until));
        wish
    }

    fn correct_scope(&self, scope: &mut ResetScope) {
        if let ResetScope::Matching(matching) = scope {
            matching.handed_out_before = matching.handed_out_before.map(|before| self.offset.correct(before));
        }
    }

    fn correct_reset(&self, mut wish: Reset) -> Reset {
        wish.now = self.offset.correct(wish.now);
        self.correct_scope(&mut wish.scope);
        wish
    }

    fn correct_preview(&self, mut wish: Preview) -> Preview {
        wish.now = self.offset.correct(wish.now);
        self.correct_scope(&mut wish.scope);
        wish
    }

    fn correct_kept_reset(&self, mut wish: KeptReset) -> KeptReset {
        wish.now = self.offset.correct(wish.now);
        if let ResetOf::Scope(scope) = &mut wish.of {
            self.correct_scope(scope);
        }
        wish
    }

    fn correct_terms(&self, mut terms: ImportTerms) -> ImportTerms {
        terms.now = self.offset.correct(terms.now);
        terms
    }

    /// What came into the pool is found at once, at least by this server.
    fn grown<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        self.shelf.marks.clear();
        done
    }

    /// False if somebody else imports.
    async fn take_import_lock(&self) -> Result<bool, Fault> {
        let mut importing = self.importing.lock().await;
        if importing.is_some() {
            return Ok(false);
        }
        *importing = ImportLock::take(&self.shelf.connections).await?;
        Ok(importing.is_some())
    }

    async fn release_import_lock(&self) {
        if let Some(lock) = self.importing.lock().await.take() {
            lock.release().await;
        }
    }

    /// Says that this server is there no longer. If the database is out of reach, that is noticed in a moment anyway.
    async fn leave(&self) {
        if let Ok(db) = self.session().await {
            let _ = self.presence.lock().await.end(&db).await;
        }
    }

    /// Begins an import when nothing is left of earlier ones.
    async fn begin_swept(&self, terms: ImportTerms) -> Result<ImportId, StoreError> {
        self.sweep().await?;
        Ok(import::begin(&self.session().await?, &terms).await?)
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        loop {
            let ledger = self.ledger().await?;
            let swept = import::sweep_chunk(&ledger).await;
            if !ledger.end(swept).await? {
                return Ok(());
            }
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.stop_housekeeping();
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("shelf", &self.shelf).finish_non_exhaustive()
    }
}
