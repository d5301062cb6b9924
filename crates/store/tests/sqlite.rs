//! What is SQLite's alone: several stores on one file, a file that is damaged, and the end of a store.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::join_all;
use passpool_core::{
    Actor, Code, Content, HandOutSeed, IdempotencyKey, Kept, NewPassport, ParameterDigest, PassportId, Refusal, Repeat,
    Reservation, ReservationId, Reserve, Rule, Secret, Selector, Shortage, StateName, Tag, Tags, Timestamp,
};
use passpool_store::{
    Create, Fault, ImportBatch, ImportTerms, Intent, Matching, OpenError, Reset, ResetScope, Store, StoreError,
    TagFilter, sqlite,
};
use tempfile::TempDir;

const NOON: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// A file, and as many stores on it as a story opens.
struct File {
    folder: TempDir,
}

impl File {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    fn open(&self) -> Arc<dyn Store> {
        open(&self.path(), Intent::Write).unwrap()
    }

    /// Does by hand what no store would.
    fn damage(&self, sql: &str) {
        let db = rusqlite::Connection::open(self.path()).unwrap();
        db.pragma_update(None, "foreign_keys", "OFF").unwrap();
        db.execute_batch(sql).unwrap();
    }

    /// The rows of the passports, the pool and the journal.
    fn dump(&self) -> Vec<String> {
        let db = rusqlite::Connection::open(self.path()).unwrap();
        let sql = "SELECT 'passport ' || seq || ' ' || state || ' ' || changed FROM passport \
                   UNION ALL SELECT 'pool ' || tag || ' ' || chunk || ' ' || hex(bits) FROM pool \
                   UNION ALL SELECT 'journal ' || seq || ' ' || kind FROM journal";
        let mut rows = db.prepare(sql).unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

fn open(path: &Path, intent: Intent) -> Result<Arc<dyn Store>, OpenError> {
    sqlite::open(path, intent, Some(Secret::new([7; 32]).fingerprint()))
}

fn terms() -> ImportTerms {
    ImportTerms { by: Actor::CommandLine, now: NOON, imported: false, skip_known: false }
}

fn passports(ids: std::ops::Range<u64>, tags: &str) -> Vec<NewPassport> {
    let passport = |id| NewPassport {
        id: PassportId::new(id).unwrap(),
        code: Code::None,
        tags: Tags::parse_list(tags).unwrap(),
        content: Content::empty(),
    };
    ids.map(passport).collect()
}

async fn stock(store: &dyn Store, ids: std::ops::Range<u64>, tags: &str) {
    store.create(Create { passports: passports(ids, tags), terms: terms() }).await.unwrap();
}

fn wish(tags: &str, count: u32, seed: u8) -> Reserve {
    Reserve {
        selector: Selector::parse([tags], Rule::And).unwrap(),
        count,
        shortage: Shortage::Refuse,
        by: Actor::CommandLine,
        now: NOON,
        until: None,
        keep: None,
        seed: HandOutSeed::new([seed; 32]),
        with_content: false,
    }
}

async fn reserve(store: &dyn Store, tags: &str, count: u32, seed: u8) -> Result<Vec<u64>, StoreError> {
    let reservation = store.reserve(wish(tags, count, seed)).await?;
    Ok(reservation.handed_out.iter().map(|handed| handed.passport.get()).collect())
}

async fn reset(store: &dyn Store, tags: &str) -> u64 {
    let selector = Some(Selector::parse([tags], Rule::And).unwrap());
    let scope = ResetScope::Matching(Matching { selector, ..Matching::default() });
    store.reset(Reset { scope, by: Actor::CommandLine, now: NOON }).await.unwrap()
}

fn is_short(outcome: &Result<Vec<u64>, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Refusal(Refusal::PoolShort { .. })))
}

async fn assert_clean(store: &dyn Store) {
    let report = store.check().await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racers_through_two_stores_never_share_a_passport() {
    const EACH: u64 = 40;
    let file = File::new();
    let stores = [file.open(), file.open()];
    stock(&*stores[0], 1..101, "vip").await;
    let racers: Vec<_> = (0..4_usize)
        .map(|racer| {
            let store = stores[racer % 2].clone();
            tokio::spawn(async move {
                let mut given = Vec::new();
                for _ in 0..EACH {
                    match reserve(&*store, "vip", 1, racer as u8).await {
                        Ok(ids) => given.extend(ids),
                        outcome => assert!(is_short(&outcome), "{outcome:?}"),
                    }
                }
                given
            })
        })
        .collect();
    let mut given = Vec::new();
    for racer in racers {
        given.extend(racer.await.unwrap());
    }
    assert_eq!(given.len(), 100);
    assert_eq!(given.into_iter().collect::<BTreeSet<_>>(), (1..101).collect());
    assert_clean(&*stores[1]).await;
}

/// Each store has read the pool, its tags, its marks and the journal's end before the other changes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_remembers_nothing_that_another_one_has_changed() {
    let file = File::new();
    let (one, other) = (file.open(), file.open());
    assert!(is_short(&reserve(&*one, "vip", 1, 1).await), "a tag that nobody knows yet");
    stock(&*other, 1..4, "vip").await;
    assert_eq!(reserve(&*one, "vip", 1, 2).await.unwrap(), [1], "and now it is known");
    assert_eq!(reserve(&*other, "vip", 2, 3).await.unwrap(), [2, 3]);
    assert!(is_short(&reserve(&*one, "vip", 1, 4).await), "what the other took is gone");
    assert_eq!(reset(&*other, "vip").await, 3);
    assert_eq!(reserve(&*one, "vip", 3, 5).await.unwrap(), [1, 2, 3], "what it gave back is there");
    let import = other.begin_import(terms()).await.unwrap();
    other.add_to_import(ImportBatch { import, passports: passports(10..12, "vip"), terms: terms() }).await.unwrap();
    assert!(is_short(&reserve(&*one, "vip", 1, 6).await), "an import of the other's is hidden");
    assert!(matches!(one.begin_import(terms()).await, Err(StoreError::Refusal(Refusal::ImportRunning))));
    other.publish_import(import).await.unwrap();
    assert_eq!(reserve(&*one, "vip", 2, 7).await.unwrap(), [10, 11]);
    stock(&*one, 20..40, "vip").await;
    for next in (20..40).step_by(5) {
        // By the third the rows of those behind it are in memory.
        for (seed, next) in (next..next + 3).enumerate() {
            assert_eq!(reserve(&*one, "vip", 1, seed as u8).await.unwrap(), [next]);
        }
        assert_eq!(reserve(&*other, "vip", 2, 8).await.unwrap(), [next + 3, next + 4]);
    }
    assert_clean(&*one).await;
}

/// So many that one wish for them is read beside the writer.
const MANY: u64 = 18_000;

async fn stock_many(store: &dyn Store) {
    for first in (1..=MANY).step_by(3_000) {
        stock(store, first..first + 3_000, "vip").await;
    }
}

async fn reserve_many(store: &dyn Store, seed: u8) -> Result<Vec<u64>, StoreError> {
    reserve(store, "vip", MANY as u32, seed).await
}

#[tokio::test]
async fn a_wish_for_many_sees_what_another_store_has_changed() {
    let file = File::new();
    let (one, other) = (file.open(), file.open());
    stock_many(&*one).await;
    for seed in 0..3 {
        assert!(reserve_many(&*one, seed).await.unwrap().into_iter().eq(1..=MANY));
        assert!(is_short(&reserve_many(&*other, seed).await));
        assert_eq!(reset(&*other, "vip").await, MANY);
    }
    assert_clean(&*one).await;
}

/// Rows among many that nobody can read, or that are not as the pool says: all of the wish is taken back, and the next one is
/// served.
#[tokio::test]
async fn a_wish_for_many_that_meets_damage_takes_nothing() {
    let file = File::new();
    let store = file.open();
    stock_many(&*store).await;
    let check = async |damage: &str, repair: &str| {
        file.damage(damage);
        let damaged = file.dump();
        let outcome = reserve_many(&*store, 1).await;
        assert!(matches!(outcome, Err(StoreError::Fault(Fault::Damaged(_)))), "{damage}: {outcome:?}");
        assert_eq!(file.dump(), damaged, "{damage}");
        file.damage(repair);
        assert!(reserve_many(&*store, 2).await.unwrap().into_iter().eq(1..=MANY), "{repair}");
        assert_eq!(reset(&*store, "vip").await, MANY);
    };
    check("UPDATE passport SET state = 9 WHERE id = 1", "UPDATE passport SET state = 0 WHERE id = 1").await;
    check("UPDATE passport SET state = 9 WHERE id = 18000", "UPDATE passport SET state = 0 WHERE id = 18000").await;
    check("UPDATE passport SET tags = x'80' WHERE id = 5000", "UPDATE passport SET tags = x'01' WHERE id = 5000").await;
    assert_clean(&*store).await;
}

/// While many passports are made, the others wait in their order and then share a transaction.
#[tokio::test]
async fn what_a_transaction_hands_out_is_seen_by_whoever_comes_next_in_it() {
    let file = File::new();
    let store = file.open();
    stock(&*store, 1..11, "vip").await;
    stock(&*store, 11..12, "last").await;
    let singles = |from: u8| join_all((from..from + 5).map(|seed| reserve(&*store, "vip", 1, seed)));
    let (_, first, given_back, second) =
        tokio::join!(stock(&*store, 1_000..2_000, "other"), singles(0), reset(&*store, "vip"), singles(5));
    let ids = |won: Vec<Result<Vec<u64>, StoreError>>| won.into_iter().flat_map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!((ids(first), given_back, ids(second)), (vec![1, 2, 3, 4, 5], 5, vec![1, 2, 3, 4, 5]));

    let ends = Timestamp::from_micros(NOON.as_micros() + 10);
    let held = Reserve { until: Some(ends), ..wish("last", 1, 10) };
    let later = Reserve { now: ends, ..wish("last", 1, 11) };
    let (_, held, later) =
        tokio::join!(stock(&*store, 2_000..3_000, "other"), store.reserve(held), store.reserve(later));
    assert_eq!(held.unwrap().only().passport, later.unwrap().only().passport, "its hold had ended");

    let record = IdempotencyKey::parse("again").unwrap().digest("cli", "/reserve");
    let repeat = Repeat { record, parameters: ParameterDigest::of(["vip"]) };
    let keep = Some(Kept::new(ReservationId::new(NOON, [7; 10]), Some(repeat)));
    let keyed = Reserve { keep, ..wish("vip", 3, 12) };
    let (_, first, again) =
        tokio::join!(stock(&*store, 3_000..4_000, "other"), store.reserve(keyed.clone()), store.reserve(keyed));
    assert_eq!(again.unwrap(), Reservation { replayed: true, ..first.unwrap() });
    assert_clean(&*store).await;
}

#[tokio::test]
async fn one_store_serves_a_file_and_others_may_work_on_it() {
    let file = File::new();
    let served = open(&file.path(), Intent::Serve).unwrap();
    assert!(matches!(open(&file.path(), Intent::Serve), Err(OpenError::Served(_))));
    stock(&*file.open(), 1..3, "vip").await;
    assert_eq!(reserve(&*served, "vip", 2, 1).await.unwrap(), [1, 2]);
    served.close().await;
    drop(served);
    open(&file.path(), Intent::Serve).unwrap().close().await;
}

#[tokio::test]
async fn a_closed_store_answers_nobody_and_leaves_one_file() {
    let file = File::new();
    let store = file.open();
    stock(&*store, 1..3, "vip").await;
    store.counts(TagFilter::Largest(1), NOON).await.unwrap();
    store.close().await;
    assert!(matches!(reserve(&*store, "vip", 1, 1).await, Err(StoreError::Fault(Fault::Closed))));
    assert!(matches!(store.ready().await, Err(StoreError::Fault(Fault::Closed))));
    assert!(!file.folder.path().join("shop.db-wal").exists(), "the log is not tidied away");
}

/// A pool that names what cannot be had is a fault of ours. It never becomes a hand-out, and changes nothing.
#[tokio::test]
async fn a_damaged_pool_hands_out_nothing() {
    let check = async |damage: &str| {
        let file = File::new();
        let store = file.open();
        stock(&*store, 1..4, "vip").await;
        assert_eq!(reserve(&*store, "vip", 1, 1).await.unwrap(), [1]);
        let before = file.dump();
        file.damage(damage);
        let damaged = file.dump();
        assert_ne!(before, damaged, "{damage}");
        let outcome = reserve(&*store, "vip", 3, 2).await;
        assert!(matches!(outcome, Err(StoreError::Fault(Fault::Damaged(_)))), "{damage}: {outcome:?}");
        assert_eq!(file.dump(), damaged, "{damage}");
        assert!(!store.check().await.unwrap().is_clean(), "{damage}");
    };
    // The one that is reserved is back in the pool, and nowhere else.
    check("UPDATE pool SET bits = x'000001000200'").await;
    // The pool names a passport that does not exist.
    check("UPDATE pool SET bits = x'010002000900'").await;
    // The same beside those that exist, and between two of them.
    check("UPDATE pool SET bits = x'010002000300'").await;
    check("UPDATE pool SET bits = x'000001000200'; DELETE FROM passport WHERE id = 2").await;
    // The bits are no bits.
    check("UPDATE pool SET bits = x'01'").await;
    // A row that is no state.
    check("UPDATE pool SET bits = x'000001000200'; UPDATE passport SET state = 9 WHERE id = 3").await;
}

/// A tag that only a dropped import used is gone, and its number may be another's: nobody remembers the old one.
#[tokio::test]
async fn a_dropped_import_takes_the_tags_along_that_nobody_else_has() {
    let file = File::new();
    let store = file.open();
    stock(&*store, 1..3, "vip").await;
    let import = store.begin_import(terms()).await.unwrap();
    store
        .add_to_import(ImportBatch { import, passports: passports(10..12, "vip,ghost"), terms: terms() })
        .await
        .unwrap();
    assert!(is_short(&reserve(&*store, "ghost", 1, 1).await));
    store.drop_import(import).await.unwrap();
    let db = rusqlite::Connection::open(file.path()).unwrap();
    let names: String = db.query_row("SELECT group_concat(name) FROM tag", [], |row| row.get(0)).unwrap();
    assert_eq!(names, "vip");
    drop(db);
    stock(&*store, 20..22, "gold").await;
    assert!(is_short(&reserve(&*store, "ghost", 1, 2).await));
    assert_eq!(reserve(&*store, "gold", 2, 3).await.unwrap(), [20, 21]);
    assert_eq!(reserve(&*store, "vip", 2, 4).await.unwrap(), [1, 2]);
    stock(&*store, 30..31, "ghost").await;
    assert_eq!(reserve(&*store, "ghost", 1, 5).await.unwrap(), [30]);
    assert_clean(&*store).await;
}

/// A commit that changes many chunks notes what it took in one row. The chunks still hold it.
#[tokio::test]
async fn what_is_only_noted_is_out_of_the_pool_for_everybody() {
    let file = File::new();
    let (mut store, other) = (file.open(), file.open());
    for id in 1..=60 {
        stock(&*store, id..id + 1, &format!("vip,own-{id}")).await;
    }
    let notes = || {
        let db = rusqlite::Connection::open(file.path()).unwrap();
        db.query_row("SELECT count(*) FROM taken", [], |row| row.get::<_, u32>(0)).unwrap()
    };
    let mut given = reserve(&*store, "vip", 20, 1).await.unwrap();
    assert_eq!(notes(), 1);
    assert_clean(&*store).await;
    assert!(is_short(&reserve(&*store, &format!("own-{}", given[7]), 1, 2).await));
    assert_eq!(notes(), 1);
    assert!(is_short(&reserve(&*other, &format!("own-{}", given[7]), 1, 2).await));
    assert_eq!(notes(), 0, "whoever reads another's notes writes the chunks");
    assert_clean(&*store).await;
    given.extend(reserve(&*store, "vip", 20, 3).await.unwrap());
    assert_eq!(notes(), 1);
    store.close().await;
    store = file.open();
    given.extend(reserve(&*store, "vip", 20, 4).await.unwrap());
    assert_eq!(given.iter().copied().collect::<BTreeSet<_>>(), (1..61).collect());
    assert!(is_short(&reserve(&*store, "vip", 1, 5).await));
    assert_clean(&*store).await;
    assert_eq!(reset(&*store, "vip").await, 60);
    assert_eq!(notes(), 0, "a note would take away again what came back");
    assert_eq!(reserve(&*other, "vip", 60, 6).await.unwrap().len(), 60);
    assert_clean(&*store).await;
}

/// As many chunks as make a tag a large one, with a passport each.
#[tokio::test]
async fn a_large_tag_is_counted_from_its_tally_and_exactly() {
    let file = File::new();
    let (store, other) = (file.open(), file.open());
    let import = store.begin_import(terms()).await.unwrap();
    for id in 1..=64 {
        let passports = passports(id..id + 1, "vip");
        store.add_to_import(ImportBatch { import, passports, terms: terms() }).await.unwrap();
    }
    store.publish_import(import).await.unwrap();
    let rows = || {
        let db = rusqlite::Connection::open(file.path()).unwrap();
        db.query_row("SELECT group_concat(tag || ':' || available || ':' || reserved) FROM tally", [], |row| {
            row.get::<_, Option<String>>(0)
        })
    };
    let assert_counts = async |available, reserved| {
        for store in [&store, &other] {
            let counts = store.counts(TagFilter::Named(vec![Tag::parse("vip").unwrap()]), NOON).await.unwrap();
            for counts in [counts.all, counts.tags[0].1] {
                assert_eq!(counts.of(StateName::Available), available);
                assert_eq!(counts.of(StateName::Reserved), reserved);
                assert_eq!(counts.total(), available + reserved);
            }
        }
    };
    assert_eq!(rows().unwrap(), None);
    assert_counts(64, 0).await;
    assert_eq!(rows().unwrap(), Some("0:64:0,1:64:0".to_owned()));
    reserve(&*store, "vip", 3, 1).await.unwrap();
    assert_counts(61, 3).await;
    reserve(&*other, "vip", 4, 2).await.unwrap();
    assert_counts(57, 7).await;
    stock(&*store, 100..102, "vip").await;
    assert_counts(59, 7).await;
    assert_eq!(rows().unwrap(), Some("0:59:7,1:59:7".to_owned()));
    assert_clean(&*store).await;
    let import = other.begin_import(terms()).await.unwrap();
    other.add_to_import(ImportBatch { import, passports: passports(200..203, "vip"), terms: terms() }).await.unwrap();
    assert_counts(59, 7).await;
    other.publish_import(import).await.unwrap();
    assert_eq!(rows().unwrap(), None, "they are counted anew");
    assert_counts(62, 7).await;
    assert_clean(&*store).await;
    file.damage("UPDATE tally SET reserved = reserved + 1 WHERE tag = 1");
    let findings = store.check().await.unwrap().findings;
    let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings, ["tag number 1: the tally counts 8 as reserved, and there are 7"]);
    // A tally that cannot be right keeps nobody from a passport, and is made anew.
    file.damage("UPDATE tally SET available = 0");
    reserve(&*store, "vip", 2, 3).await.unwrap();
    assert_eq!(rows().unwrap(), None);
    assert_counts(60, 9).await;
    assert_clean(&*store).await;
}
