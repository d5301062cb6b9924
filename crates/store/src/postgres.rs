//! The store for many servers: one PostgreSQL, and no truth in any server's memory.
//!
//! The verbs stand in a file each, as functions over a [`ledger::Ledger`] or a [`connection::Session`]; this file opens
//! the database and carries each call to its verb. Moments are corrected here, once, to the database's clock.

mod check;
mod claim;
mod clock;
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
mod queue;
mod repeat;
mod reserve;
mod reset;
mod schema;
mod setting;
mod shelf;
mod single;
mod tags;
mod tls;
mod transfer;
mod typed;
mod url;
mod user;
mod visit;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use passpool_core::{
    ApiKeyDigest, Caller, Fingerprint, HandedOut, Kiosk, KioskName, Refusal, Reservation, Reserve, Timestamp, UserName,
    WholeSeconds,
};
use tokio::{sync::Mutex, task::AbortHandle};

use self::{
    clock::Offset,
    connection::Connections,
    import::LookedUp,
    ledger::Ledger,
    lock::ImportLock,
    opening::Look,
    passport::{PassportRow, Reading},
    queue::Queue,
    reset::{Matching, Slice},
    schema::Standing,
    shelf::{Marks, Shelf},
    tags::TagNumbers,
};
pub use self::{
    clock::ReadClock,
    url::{PostgresUrl, PostgresUrlError},
};
use crate::{
    Airdrop, CheckReport, Claim, Create, ExportFilter, Exported, Fault, Found, Given, ImportBatch, ImportId,
    ImportTerms, Intent, KioskInfo, LinkSettings, NewKey, NewUser, OfPassport, OpenError, Opened, Opening, PoolCounts,
    PreviewPage, Relink, Reset, ResetScope, Resettable, Store, StoreError, TagFilter, Transfer, UserInfo, Visit,
};

/// How long a mark may hide what another server gave back.
const CLEAR_MARKS_EVERY: Duration = Duration::from_secs(1);
/// How many times marks are cleared before the clocks are compared again.
const MEASURE_CLOCK_EACH: u32 = 60;

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
    let shelf = Shelf { connections, tags: TagNumbers::default(), marks: Marks::default() };
    let housekeeping = tokio::spawn(keep_house(shelf.clone(), offset.clone())).abort_handle();
    let queue = Queue::start(shelf.clone());
    Ok(Arc::new(PostgresStore { shelf, queue, offset, importing: Mutex::new(None), housekeeping }))
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

fn failed(url: &PostgresUrl, fault: Fault) -> OpenError {
    OpenError::Fault { path: url.to_string().into(), fault }
}

/// What has to happen now and then, as long as the store is open.
async fn keep_house(shelf: Shelf, offset: Offset) {
    let mut ticks = tokio::time::interval(CLEAR_MARKS_EVERY);
    let mut count = 0;
    loop {
        ticks.tick().await;
        shelf.marks.clear();
        count = (count + 1) % MEASURE_CLOCK_EACH;
        if count == 0 {
            let measured = async { offset.measure(&shelf.connections.session().await?).await };
            if let Err(fault) = measured.await {
                tracing::warn!(%fault, "the clocks could not be compared");
            }
        }
    }
}

struct PostgresStore {
    shelf: Shelf,
    queue: Queue,
    offset: Offset,
    /// Held while an import of ours runs.
    importing: Mutex<Option<ImportLock>>,
    housekeeping: AbortHandle,
}

impl PostgresStore {
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

    fn correct_reset(&self, mut wish: Reset) -> Reset {
        wish.now = self.offset.correct(wish.now);
        if let ResetScope::Matching { handed_out_before, .. } = &mut wish.scope {
            *handed_out_before = handed_out_before.map(|before| self.offset.correct(before));
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

    async fn sweep(&self) -> Result<(), StoreError> {
        loop {
            let ledger = self.ledger().await?;
            let swept = import::sweep_chunk(&ledger).await;
            if !ledger.end(swept).await? {
                return Ok(());
            }
        }
    }

    async fn reset_slice(&self, wish: &Reset, after: i64) -> Result<Slice, StoreError> {
        let ledger = self.ledger().await?;
        let slice = match &wish.scope {
            ResetScope::Named(ids) => {
                reset::reset_named(&ledger, wish, ids).await.map(|count| Slice { count, next: None })
            }
            ResetScope::Matching { selector, state, handed_out_before } => {
                let matching =
                    Matching { selector: selector.as_ref(), state: *state, handed_out_before: *handed_out_before };
                reset::reset_slice(&ledger, &self.shelf.tags, wish, matching, after).await
            }
        };
        self.grown(ledger.end(slice).await)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn reserve(&self, wish: Reserve) -> Result<Reservation, StoreError> {
        let wish = self.correct_wish(wish);
        if !Queue::takes(&wish) {
            return reserve::reserve(&self.shelf, &wish, &[]).await;
        }
        reserve::judge(&wish)?;
        self.queue.reserve(wish).await
    }

    async fn reset(&self, wish: Reset) -> Result<u64, StoreError> {
        let wish = self.correct_reset(wish);
        if let ResetScope::Matching { .. } = &wish.scope {
            // A transfer that was not settled in time holds nothing, and nor does a hold that has ended.
            self.shelf.end_all_due(wish.now).await?;
        }
        let (mut count, mut next) = (0, Some(-1));
        while let Some(after) = next {
            let slice = self.reset_slice(&wish, after).await?;
            count += slice.count;
            next = slice.next;
        }
        Ok(count)
    }

    async fn preview_reset(&self, wish: Reset, page: PreviewPage) -> Result<Vec<Resettable>, StoreError> {
        let wish = self.correct_reset(wish);
        let db = self.snapshot().await?;
        let after = match page.after {
            None => -1,
            Some(last) => PassportRow::visible_by_id(&db, last, Reading::Only).await?.map_or(-1, |row| row.seq),
        };
        let found = match &wish.scope {
            ResetScope::Named(_) if page.after.is_some() => Ok(Vec::new()),
            ResetScope::Named(ids) => reset::preview_named(&db, ids, wish.now).await,
            ResetScope::Matching { selector, state, handed_out_before } => {
                let matching =
                    Matching { selector: selector.as_ref(), state: *state, handed_out_before: *handed_out_before };
                let tags = &self.shelf.tags;
                Ok(reset::preview_matching(&db, tags, matching, wish.now, after, page.limit).await?)
            }
        };
        db.end(found).await
    }

    async fn open(&self, mut wish: Opening) -> Result<Opened, StoreError> {
        wish.now = self.offset.correct(wish.now);
        let db = self.session().await?;
        let look = opening::look(&db, &wish).await?;
        drop(db);
        match look {
            Look::Seen(opened) => Ok(opened),
            Look::First { key, opened } => {
                let ledger = self.ledger().await?;
                let state = opening::record(&ledger, &wish, &key).await;
                Ok(Opened { state: ledger.end(state).await?, ..opened })
            }
        }
    }

    async fn claim(&self, mut wish: Claim) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let db = self.session().await?;
        let key = claim::judge(&db, &wish).await?;
        drop(db);
        let ledger = self.ledger().await?;
        let claimed = claim::claim(&ledger, &wish, &key).await;
        ledger.end(claimed).await
    }

    async fn verify_transfer(&self, mut wish: Transfer) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let db = self.snapshot().await?;
        let judged = transfer::judge(&db, &wish).await.map(drop);
        db.end(judged).await
    }

    async fn transfer(&self, mut wish: Transfer) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let db = self.session().await?;
        let key = transfer::judge(&db, &wish).await?;
        drop(db);
        let ledger = self.ledger().await?;
        let transferred = transfer::transfer(&ledger, &wish, &key).await;
        ledger.end(transferred).await
    }

    async fn settle(&self, after: Option<WholeSeconds>, now: Timestamp) -> Result<u64, StoreError> {
        let now = self.offset.correct(now);
        // Asked for twice a second by every server, and mostly for nothing.
        if !transfer::any(&self.session().await?).await? {
            return Ok(0);
        }
        let ledger = self.ledger().await?;
        let settled = transfer::settle(&ledger, after, now).await.map_err(StoreError::from);
        ledger.end(settled).await
    }

    async fn airdrop(&self, wish: Airdrop) -> Result<Reservation, StoreError> {
        assert_eq!(wish.wish.count as usize, wish.recipients.len(), "an airdrop is of one passport for each recipient");
        reserve::reserve(&self.shelf, &self.correct_wish(wish.wish), &wish.recipients).await
    }

    async fn relink(&self, mut wish: Relink) -> Result<HandedOut, StoreError> {
        wish.now = self.offset.correct(wish.now);
        let ledger = self.ledger().await?;
        let relinked = single::relink(&ledger, &wish).await;
        ledger.end(relinked).await
    }

    async fn recover(&self, mut wish: OfPassport) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let ledger = self.ledger().await?;
        let recovered = single::recover(&ledger, &wish).await;
        ledger.end(recovered).await
    }

    async fn withdraw(&self, mut wish: OfPassport) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let ledger = self.ledger().await?;
        let withdrawn = single::withdraw(&ledger, &wish).await;
        ledger.end(withdrawn).await
    }

    async fn add_kiosk(&self, kiosk: Kiosk, now: Timestamp) -> Result<(), StoreError> {
        kiosk::add(&self.session().await?, &kiosk, self.offset.correct(now)).await
    }

    async fn close_kiosk(&self, name: KioskName, now: Timestamp) -> Result<(), StoreError> {
        kiosk::close(&self.session().await?, &name, self.offset.correct(now)).await
    }

    async fn kiosk(&self, name: KioskName) -> Result<Option<Kiosk>, StoreError> {
        Ok(kiosk::by_name(&self.session().await?, &name).await?.map(|(_, kiosk)| kiosk))
    }

    async fn kiosks(&self, now: Timestamp) -> Result<Vec<KioskInfo>, StoreError> {
        Ok(kiosk::list(&self.session().await?, self.offset.correct(now)).await?)
    }

    async fn visit_kiosk(&self, mut wish: Visit) -> Result<Given, StoreError> {
        wish.now = self.offset.correct(wish.now);
        // Strangers who ask for what no kiosk gives begin no transaction.
        kiosk::enter(&self.session().await?, &wish.door, wish.now).await?;
        kiosk::visit(&self.shelf, &wish).await
    }

    async fn end_holds(&self, now: Timestamp) -> Result<u64, StoreError> {
        let now = self.offset.correct(now);
        if !hold::any_due(&self.session().await?, now).await? {
            return Ok(0);
        }
        Ok(self.shelf.end_due(now).await?)
    }

    async fn counts(&self, tags: TagFilter, now: Timestamp) -> Result<PoolCounts, StoreError> {
        let db = self.snapshot().await?;
        let counts = count::counts(&db, tags, self.offset.correct(now)).await.map_err(StoreError::from);
        db.end(counts).await
    }

    async fn create(&self, mut wish: Create) -> Result<u64, StoreError> {
        wish.terms = self.correct_terms(wish.terms);
        let looked_up = LookedUp::of(&self.session().await?, &self.shelf.tags, &wish.passports).await?;
        let ledger = self.ledger().await?;
        let created = import::create(&ledger, &wish, &looked_up).await;
        self.grown(ledger.end(created).await)
    }

    async fn begin_import(&self, terms: ImportTerms) -> Result<ImportId, StoreError> {
        if !self.take_import_lock().await? {
            return Err(Refusal::ImportRunning.into());
        }
        let begun = async {
            self.sweep().await?;
            Ok(import::begin(&self.session().await?, &self.correct_terms(terms)).await?)
        };
        match begun.await {
            Ok(import) => Ok(import),
            Err(error) => {
                self.release_import_lock().await;
                Err(error)
            }
        }
    }

    async fn add_to_import(&self, mut batch: ImportBatch) -> Result<u64, StoreError> {
        batch.terms = self.correct_terms(batch.terms);
        let looked_up = LookedUp::of(&self.session().await?, &self.shelf.tags, &batch.passports).await?;
        let ledger = self.ledger().await?;
        let added = import::add(&ledger, &batch, &looked_up).await;
        ledger.end(added).await
    }

    async fn publish_import(&self, import: ImportId) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let published = import::publish(&ledger, import).await;
        self.grown(ledger.end(published).await)?;
        self.release_import_lock().await;
        if let Err(fault) = import::analyze(&self.session().await?).await {
            tracing::warn!(%fault, "the database was not told of the import; its own ANALYZE will come by");
        }
        Ok(())
    }

    async fn drop_import(&self, _: ImportId) -> Result<(), StoreError> {
        // There is one import at a time, and it is this one: all that is hidden is its work.
        self.sweep().await?;
        self.release_import_lock().await;
        Ok(())
    }

    async fn sweep_imports(&self) -> Result<(), StoreError> {
        if !import::any(&self.session().await?).await? || !self.take_import_lock().await? {
            return Ok(());
        }
        let swept = self.sweep().await;
        self.release_import_lock().await;
        swept
    }

    async fn forget_repeats(&self, before: Timestamp) -> Result<u64, StoreError> {
        Ok(repeat::forget(&self.session().await?, self.offset.correct(before)).await?)
    }

    async fn export(
        &self,
        mut filter: ExportFilter,
        mut each: Box<dyn FnMut(Exported) -> bool + Send>,
    ) -> Result<(), StoreError> {
        filter.now = self.offset.correct(filter.now);
        let db = self.snapshot().await?;
        let exported = export::export(&db, &self.shelf.tags, &filter, &mut *each).await.map_err(StoreError::from);
        db.end(exported).await
    }

    async fn caller(&self, key: ApiKeyDigest) -> Result<Option<Caller>, StoreError> {
        Ok(user::caller(&self.session().await?, &key).await?)
    }

    async fn add_user(&self, user: NewUser) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let added = user::add(&ledger, &user).await;
        ledger.end(added).await
    }

    async fn renew_key(&self, user: UserName, key: NewKey) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let renewed = user::renew_key(&ledger, &user, &key).await;
        ledger.end(renewed).await
    }

    async fn remove_user(&self, user: UserName) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let removed = user::remove(&ledger, &user).await;
        ledger.end(removed).await
    }

    async fn users(&self) -> Result<Vec<UserInfo>, StoreError> {
        Ok(user::list(&self.session().await?).await?)
    }

    async fn link_settings(&self) -> Result<Option<LinkSettings>, StoreError> {
        Ok(setting::link_settings(&self.session().await?).await?)
    }

    async fn keep_link_settings(&self, settings: LinkSettings) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let kept = setting::keep_link_settings(&ledger, &settings).await.map_err(StoreError::from);
        ledger.end(kept).await
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        let db = self.snapshot().await?;
        let report = check::check(&db).await.map_err(StoreError::from);
        db.end(report).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(schema::ask(&self.session().await?).await?)
    }

    async fn close(&self) {
        self.housekeeping.abort();
        self.release_import_lock().await;
        self.shelf.connections.close();
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.housekeeping.abort();
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("shelf", &self.shelf).finish_non_exhaustive()
    }
}
