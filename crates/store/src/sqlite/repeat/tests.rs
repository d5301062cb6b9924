use std::{collections::BTreeMap, path::Path};

use passpool_core::{IdempotencyKey, ParameterDigest, Secret};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::sqlite::{check, connection, schema};

/// So small that a short history goes through everything.
const SMALL: Limits = Limits { begin_at: 8, at_once: 3, era: 12 };

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
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(any::<u8>(), 1..8).prop_map(Step::Call),
        1 => vec(any::<u8>(), 1..8).prop_map(Step::Fail),
        2 => (0_i64..30).prop_map(Step::Forget),
        1 => Just(Step::Restart),
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Two work on the file in turn, and every key is found for exactly as long as it is remembered.
    #[test]
    fn a_key_is_found_as_long_as_it_is_remembered(steps in vec((step(), any::<bool>()), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.db");
        schema::migrate(&path, Some(Secret::new([7; 32]).fingerprint())).unwrap();
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
            }
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
    let path = folder.path().join("shop.db");
    schema::migrate(&path, Some(Secret::new([7; 32]).fingerprint())).unwrap();
    let mut party = Party::on(&path);
    for key in 0..=255_u8 {
        party.transaction(true, |repeats, db| call(repeats, db, key, key.into()));
    }
    let count = |db: &Connection, sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert!(count(&party.db, "SELECT count(*) FROM repeat_era") > 5);
    assert!(count(&party.db, "SELECT count(*) FROM repeat_place") > 200);
    assert_clean(&party.db);
    while party.transaction(true, |repeats, db| repeats.forget(db, at(256)).unwrap()) > 0 {}
    assert_eq!(count(&party.db, "SELECT count(*) FROM repeat"), 0);
    assert_eq!(count(&party.db, "SELECT count(*) FROM repeat_era"), 1);
    assert!(count(&party.db, "SELECT count(*) FROM repeat_place") <= 20);
    assert_clean(&party.db);
}
