//! A shop with a database of its own, and a clock that stands where the story puts it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use passpool_core::{
    Actor, Code, Content, HandOutSeed, Kept, NewPassport, NewRecipients, PassportId, Personal, Recipient, RecipientId,
    Recipients, Reference, Refusal, Reservation, ReservationId, Reserve, Rule, Secret, Selector, Shortage, Tag, Tags,
    Timestamp,
};
use passpool_store::{
    Create, ImportTerms, Matching, PoolCounts, Reset, ResetScope, StateCounts, Store, StoreError, TagFilter,
};

use crate::backend::{Backend, connect};

pub(crate) struct Shop {
    pub(crate) backend: Backend,
    store: Mutex<Arc<dyn Store>>,
    /// So that no two wishes of a story draw the same numbers.
    wishes: AtomicU64,
}

impl Shop {
    pub(crate) async fn sqlite() -> Self {
        Self::new(Backend::sqlite()).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::new(Backend::postgres().await).await
    }

    async fn new(backend: Backend) -> Self {
        let store = backend.open(secret().fingerprint()).await;
        Self { backend, store: Mutex::new(store), wishes: AtomicU64::new(0) }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.store.lock().unwrap().clone()
    }

    /// Closes the database and opens it again, as a restart does.
    pub(crate) async fn reopen(&self) {
        self.store().close().await;
        let store = self.backend.open(secret().fingerprint()).await;
        *self.store.lock().unwrap() = store;
    }

    /// Makes passports with the ids `from..from + count`, all with these tags.
    pub(crate) async fn stock(&self, from: u64, count: u64, tags: &str) {
        let all: Vec<u64> = (from..from + count).collect();
        for slice in all.chunks(Create::MAX) {
            let passports = slice.iter().map(|n| passport(*n, tags)).collect();
            let made = self.store().create(Create { passports, terms: terms() }).await.unwrap();
            assert_eq!(made, slice.len() as u64);
        }
    }

    /// From now on passports are picked, and locked, a millisecond apart: callers at the same moment meet in the middle of
    /// each other's statements, which they hardly ever do else. A file has one writer, who meets nobody.
    pub(crate) async fn pick_slowly(&self) {
        self.run_on_server(
            "CREATE FUNCTION after_a_moment(seq bigint) RETURNS bigint LANGUAGE plpgsql \
                 AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN seq; END $$; \
             ALTER TABLE pool RENAME TO quick_pool; \
             CREATE VIEW pool AS SELECT ctid, tag, seq FROM quick_pool WHERE after_a_moment(seq) IS NOT NULL",
        )
        .await;
    }

    /// Takes back [`Shop::pick_slowly`].
    pub(crate) async fn pick_quickly(&self) {
        self.run_on_server("DROP VIEW pool; ALTER TABLE quick_pool RENAME TO pool; DROP FUNCTION after_a_moment").await;
    }

    /// Tells the planner how many rows there are now, as the database does by itself now and then.
    pub(crate) async fn count_rows(&self) {
        self.run_on_server("VACUUM ANALYZE passport, pool, tagged").await;
    }

    pub(crate) async fn run_on_server(&self, sql: &str) {
        if let Backend::Postgres { .. } = &self.backend {
            connect(&self.backend.url()).await.batch_execute(sql).await.unwrap();
        }
    }

    pub(crate) fn wish(&self, tags: &str, count: u32) -> Reserve {
        let number = self.wishes.fetch_add(1, Ordering::Relaxed);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        Reserve {
            selector: selector(tags, Rule::And),
            count,
            shortage: Shortage::Refuse,
            by: Actor::CommandLine,
            now: at(0),
            until: None,
            keep: None,
            seed: HandOutSeed::new(seed),
            with_content: false,
        }
    }

    pub(crate) async fn reserve(&self, tags: &str, count: u32) -> Result<Reservation, Refusal> {
        self.reserve_as(self.wish(tags, count)).await
    }

    pub(crate) async fn reserve_as(&self, wish: Reserve) -> Result<Reservation, Refusal> {
        self.store().reserve(wish).await.map_err(refusal)
    }

    /// A wish that is kept under a name, for these recipients if there are any.
    pub(crate) fn kept(&self, tags: &str, count: u32, references: &[&str]) -> Reserve {
        let wish = self.wish(tags, count);
        let random = self.random();
        let first = RecipientId::new(at(0), random);
        let recipients = references.iter().map(|reference| referred(reference)).collect();
        let recipients = Recipients::new(recipients).ok().map(|recipients| NewRecipients { first, recipients });
        let kept = Kept { recipients, ..Kept::new(ReservationId::new(at(0), random), None) };
        Reserve { keep: Some(kept), ..wish }
    }

    /// Ten bytes that no other call of a story gets.
    pub(crate) fn random(&self) -> [u8; 10] {
        let number = self.wishes.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&number.to_be_bytes());
        random
    }

    pub(crate) async fn reset(&self, scope: ResetScope, now: Timestamp) -> Result<u64, Refusal> {
        let wish = Reset { scope, by: Actor::CommandLine, now };
        self.store().reset(wish).await.map_err(refusal)
    }

    pub(crate) async fn counts(&self, tag: &str, now: Timestamp) -> StateCounts {
        let tags = TagFilter::Named(vec![Tag::parse(tag).unwrap()]);
        self.store().counts(tags, now).await.unwrap().tags[0].1
    }

    pub(crate) async fn agrees_with_itself(&self) {
        let report = self.store().check().await.unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
        let PoolCounts { all, tags } = self.store().counts(TagFilter::Largest(1_000), at(0)).await.unwrap();
        assert_eq!(all.total(), report.passports);
        for (tag, counts) in tags {
            assert!(counts.total() <= all.total(), "{tag}");
        }
        self.store().close().await;
        self.backend.remove().await;
    }
}

/// What the journal says last.
pub(crate) async fn last_told(shop: &Shop) -> String {
    journal(shop).await.pop().unwrap()
}

/// What the journal says, row by row: the kind and the actor.
pub(crate) async fn journal(shop: &Shop) -> Vec<String> {
    told_by(shop, "SELECT kind || ' ' || actor FROM journal ORDER BY seq").await
}

/// What the database itself answers to a question about one column of text.
pub(crate) async fn told_by(shop: &Shop, sql: &str) -> Vec<String> {
    match &shop.backend {
        Backend::Sqlite(_) => {
            let db = rusqlite::Connection::open(shop.backend.file()).unwrap();
            let mut rows = db.prepare(sql).unwrap();
            rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        }
        Backend::Postgres { .. } => {
            let rows = connect(&shop.backend.url()).await.query(sql, &[]).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
    }
}

pub(crate) fn secret() -> Secret {
    Secret::new([7; 32])
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_700_000_000 + seconds) * 1_000_000)
}

pub(crate) fn selector(tags: &str, rule: Rule) -> Selector {
    Selector::parse([tags], rule).unwrap()
}

pub(crate) fn terms() -> ImportTerms {
    ImportTerms { by: Actor::CommandLine, now: at(0), imported: false, skip_known: false }
}

pub(crate) fn id(id: u64) -> PassportId {
    PassportId::new(id).unwrap()
}

pub(crate) fn passport(number: u64, tags: &str) -> NewPassport {
    NewPassport { id: id(number), code: Code::None, tags: Tags::parse_list(tags).unwrap(), content: Content::empty() }
}

pub(crate) fn ids(reservation: &Reservation) -> Vec<u64> {
    reservation.handed_out.iter().map(|handed| handed.passport.get()).collect()
}

/// Somebody of whom the brand knows this.
pub(crate) fn referred(reference: &str) -> Recipient {
    let name = Personal::name(&format!("Somebody {reference}")).unwrap();
    Recipient::new(Some(name), None, Some(Reference::parse(reference).unwrap())).unwrap()
}

/// So many rounds as there is time for.
pub(crate) fn rounds(long: u64, plain: u64) -> u64 {
    if std::env::var_os("PASSPOOL_TEST_LONG").is_some_and(|value| value == "1") { long } else { plain }
}

/// All that match, of every age, in both states.
pub(crate) fn tagged(tags: &str) -> ResetScope {
    ResetScope::Matching(Matching { selector: Some(selector(tags, Rule::And)), ..Matching::default() })
}

pub(crate) fn refusal(error: StoreError) -> Refusal {
    match error {
        StoreError::Refusal(refusal) => refusal,
        StoreError::Fault(fault) => panic!("{fault}"),
    }
}
