use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use passpool_core::{Fingerprint, IdempotencyKey, ParameterDigest, Secret};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    Copied, Copy, CopyId, DatabaseUrl, Stage, Watch, copy,
    sqlite::{check, connection, ledger::Ledger, schema},
};

/// So small that a short history goes through everything.
const SMALL: Limits = Limits { begin_at: 8, at_once: 4, era: 12 };
/// How many keys a transaction may have with those: two records are to go for each that comes.
const AT_ONCE: usize = SMALL.at_once / 2;

/// One who works on the file: the server, or a command beside it.
struct Party {
    db: Connection,
    repeats: Repeats,
    data_version: i64,
}

#[derive(Clone, Debug)]
enum Step {
    /// Each key is asked for once, in one transaction.
    Call(Vec<u8>),
    /// The same, and then the transaction fails.
    Fail(Vec<u8>),
    /// What was made more than so many seconds ago.
    Forget(i64),
    /// It ends and starts again.
    Restart,
    /// It writes something else.
    Other,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => vec(any::<u8>(), 1..=AT_ONCE).prop_map(Step::Call),
        1 => vec(any::<u8>(), 1..=AT_ONCE).prop_map(Step::Fail),
        1 => (0_i64..60).prop_map(Step::Forget),
        1 => Just(Step::Restart),
        2 => Just(Step::Other),
    ]
}

impl Party {
    fn on(path: &Path) -> Self {
        let db = connection::open_to_write(path).unwrap();
        Self { db, repeats: Repeats::with(SMALL), data_version: -1 }
    }

    /// As the ledger does it.
    fn transaction<T>(&mut self, commits: bool, work: impl FnOnce(&mut Repeats, &Connection) -> T) -> T {
        self.db.execute_batch("BEGIN IMMEDIATE").unwrap();
        let version = self.db.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap();
        if std::mem::replace(&mut self.data_version, version) != version {
            self.repeats.others_wrote();
        }
        let done = work(&mut self.repeats, &self.db);
        self.repeats.follow_up(&self.db).unwrap();
        if commits {
            self.db.execute_batch("COMMIT").unwrap();
        } else {
            self.db.execute_batch("ROLLBACK").unwrap();
            self.repeats.forget_all();
        }
        done
    }
}

/// A new database.
fn file(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    schema::migrate(&path, Some(secret())).unwrap();
    path
}

fn secret() -> Fingerprint {
    Secret::new([7; 32]).fingerprint()
}

fn repeat(key: u8) -> Repeat {
    let record = IdempotencyKey::parse(&key.to_string()).unwrap().digest("cli", "/reserve");
    Repeat { record, parameters: ParameterDigest::of(["p"]) }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// Finds what the key made, or makes it.
fn call(repeats: &mut Repeats, db: &Connection, key: u8, now: i64) -> (ReservationId, bool) {
    let repeat = repeat(key);
    if let Some(first) = repeats.find(db, &repeat).unwrap() {
        return (first, true);
    }
    let id = ReservationId::new(at(now), [key; 10]);
    let sql = "INSERT INTO reservation (id, at, actor, passports, count) VALUES (?, ?, 'cli', x'', 0)";
    db.execute(sql, params![id.as_bytes(), at(now).as_micros()]).unwrap();
    repeats.write(db, &repeat, id, at(now)).unwrap();
    (id, false)
}

fn assert_clean(db: &Connection) {
    let report = check::check(db).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

fn number(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// How many records a look-up has to know that no index has.
fn waiting(db: &Connection) -> i64 {
    number(db, "SELECT count(*) FROM repeat WHERE seq > (SELECT max(last) FROM repeat_era)")
}

fn assert_few_wait(db: &Connection) {
    let waiting = waiting(db);
    assert!(waiting <= 2 * SMALL.begin_at as i64 + AT_ONCE as i64, "{waiting} records wait");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Two work on the file in turn, and every key is found for exactly as long as it is remembered.
    #[test]
    fn a_key_is_found_as_long_as_it_is_remembered(steps in vec((step(), any::<bool>()), 1..100)) {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "shop.db");
        let mut parties = [Party::on(&path), Party::on(&path)];
        let mut model: BTreeMap<u8, (i64, ReservationId)> = BTreeMap::new();
        for (now, (step, first)) in (0..).zip(steps) {
            let party = &mut parties[usize::from(first)];
            match step {
                Step::Call(keys) => party.transaction(true, |repeats, db| {
                    for key in keys {
                        let (id, replayed) = call(repeats, db, key, now);
                        let known = model.get(&key).map(|(_, id)| *id);
                        assert_eq!((known.unwrap_or(id), known.is_some()), (id, replayed), "key {key}");
                        model.entry(key).or_insert((now, id));
                    }
                }),
                Step::Fail(keys) => party.transaction(false, |repeats, db| {
                    keys.into_iter().for_each(|key| {
                        call(repeats, db, key, now);
                    });
                }),
                Step::Forget(age) => {
                    while party.transaction(true, |repeats, db| repeats.forget(db, at(now - age)).unwrap()) > 0 {}
                    model.retain(|_, (made, _)| *made >= now - age);
                }
                Step::Restart => *party = Party::on(&path),
                Step::Other => party.transaction(true, |_, db| {
                    db.execute("INSERT OR REPLACE INTO setting (name, value) VALUES ('other', ?)", [now]).unwrap();
                }),
            }
            assert_few_wait(&parties[0].db);
        }
        assert_clean(&parties[0].db);
        for (key, (_, id)) in model {
            let known = parties[1].transaction(true, |repeats, db| repeats.find(db, &repeat(key)).unwrap());
            assert_eq!(known, Some(id), "key {key}");
        }
    }
}

#[test]
fn old_indexes_go_when_nothing_of_them_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "shop.db");
    let mut party = Party::on(&path);
    for key in 0..=255_u8 {
        party.transaction(true, |repeats, db| call(repeats, db, key, key.into()));
    }
    assert!(number(&party.db, "SELECT count(*) FROM repeat_era") > 5);
    assert!(number(&party.db, "SELECT count(*) FROM repeat_place") > 200);
    assert_clean(&party.db);
    while party.transaction(true, |repeats, db| repeats.forget(db, at(256)).unwrap()) > 0 {}
    assert_eq!(number(&party.db, "SELECT count(*) FROM repeat"), 0);
    assert_eq!(number(&party.db, "SELECT count(*) FROM repeat_era"), 1);
    assert!(number(&party.db, "SELECT count(*) FROM repeat_place") <= 20);
    assert_clean(&party.db);
}

/// A command knows nothing of the one before it, and makes one call.
#[test]
fn commands_that_make_one_call_each_keep_the_index_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "shop.db");
    let mut server = Party::on(&path);
    for key in 0..200_u8 {
        let made = Party::on(&path).transaction(true, |repeats, db| call(repeats, db, key, key.into()));
        assert!(!made.1, "key {key}");
        assert_few_wait(&server.db);
        if key % 50 == 49 {
            // One that knew the file long ago finds everything too.
            for known in 0..=key {
                assert!(server.transaction(true, |repeats, db| call(repeats, db, known, key.into())).1, "key {known}");
            }
        }
    }
    assert_clean(&server.db);
}

/// Whoever still has to let records go, and writes something else meanwhile, goes on where others left the index.
#[test]
fn an_index_that_others_have_closed_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "shop.db");
    let [mut slow, mut quick] = [Party::on(&path), Party::on(&path)];
    slow.transaction(true, |repeats, db| (0..14).for_each(|key| assert!(!call(repeats, db, key, 1).1)));
    assert!(slow.repeats.known.as_ref().unwrap().owed >= SMALL.at_once);
    let eras = "SELECT max(id) FROM repeat_era";
    for key in 14..50 {
        assert!(!quick.transaction(true, |repeats, db| call(repeats, db, key, 1)).1);
        if number(&quick.db, eras) == 2 {
            break;
        }
    }
    assert_eq!(number(&quick.db, eras), 2);
    for _ in 0..3 {
        slow.transaction(true, |_, db| db.execute("UPDATE secret SET id = id", []).unwrap());
        assert_clean(&slow.db);
    }
    for party in [&mut slow, &mut quick] {
        assert!((0..20).all(|key| party.transaction(true, |repeats, db| call(repeats, db, key, 2)).1));
    }
}

/// What a savepoint took back has a number that somebody else uses next.
#[test]
fn what_was_taken_back_hides_nothing_that_others_make() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "shop.db");
    let [mut first, mut second] = [&path, &path].map(|path| Ledger::open(path).unwrap());
    let work = |ledger: &mut Ledger, key| call(&mut ledger.repeats, &ledger.db, key, 1);
    let refused = first.transaction(|ledger| {
        Ok(ledger.part(|ledger| {
            work(ledger, 1);
            Err::<(), _>(Refusal::KeyReused.into())
        }))
    });
    assert!(matches!(refused, Ok(Err(StoreError::Refusal(Refusal::KeyReused)))));
    let made = second.transaction(|ledger| Ok(work(ledger, 2))).unwrap();
    assert!(!made.1);
    assert_eq!(first.transaction(|ledger| Ok(work(ledger, 2))).unwrap(), (made.0, true));
    assert!(!first.transaction(|ledger| Ok(work(ledger, 1))).unwrap().1, "that one was never made");
    assert_clean(&first.db);
}

struct Unwatched;

impl Watch for Unwatched {
    fn begin(&self, _: Stage, _: Option<u64>) {}
    fn done(&self, _: u64) {}
}

#[tokio::test]
async fn a_copy_finds_every_key_however_far_the_index_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut progress = Vec::new();
    for keys in (0..40).step_by(3) {
        let (from, to) = (file(folder.path(), &format!("from-{keys}")), file(folder.path(), &format!("to-{keys}")));
        let mut party = Party::on(&from);
        // A tag makes it a shop that is not thrown away.
        party.db.execute("INSERT INTO tag (name) VALUES ('vip')", []).unwrap();
        let made: Vec<_> =
            (0..keys).map(|key| party.transaction(true, |repeats, db| call(repeats, db, key, 1))).collect();
        let way = "SELECT goal IS NOT NULL FROM repeat_era ORDER BY id DESC LIMIT 1";
        progress.push((waiting(&party.db) < keys.into(), number(&party.db, way) == 1));
        let wish = Copy {
            from: DatabaseUrl::Sqlite(from),
            to: DatabaseUrl::Sqlite(to.clone()),
            secret: secret(),
            id: CopyId::new([keys; 16]),
            now: at(2),
        };
        let copied = copy(&wish, &Unwatched).await.unwrap();
        assert_eq!(copied, Copied::Whole { passports: 0, journal_rows: 0 });
        let mut party = Party::on(&to);
        for (key, (id, _)) in (0..keys).zip(made) {
            assert_eq!(party.transaction(true, |repeats, db| call(repeats, db, key, 3)), (id, true), "key {key}");
        }
        // And it goes on from there.
        for key in keys..keys + 20 {
            assert!(!party.transaction(true, |repeats, db| call(repeats, db, key, 3)).1, "key {key}");
            assert_few_wait(&party.db);
        }
        assert_clean(&party.db);
    }
    for seen in [(false, false), (false, true), (true, false), (true, true)] {
        assert!(progress.contains(&seen), "no index was at {seen:?}: {progress:?}");
    }
}
