use std::{collections::BTreeSet, path::Path};

use proptest::{collection::vec, prelude::*};

use super::{super::bits::seq_of, *};
use crate::sqlite::{connection, schema};

/// So small that a short history goes through everything.
const SMALL: Limits = Limits { few: 1, in_note: 6, begin_at: 8 };
const TAGS: u32 = 5;

/// One who works on the file: the server, or a command beside it.
struct Party {
    db: Connection,
    pool: Pool,
    data_version: i64,
}

#[derive(Clone, Debug)]
enum Step {
    /// Those of them that can be had are taken in one transaction.
    Take(Vec<Taken>),
    /// The same, and then the transaction fails.
    Fail(Vec<Taken>),
    /// Those of them come back.
    GiveBack(Vec<Taken>),
    /// It ends and starts again.
    Restart,
    /// It writes something else.
    Other,
}

/// Passports of three chunks.
fn passport() -> impl Strategy<Value = Taken> {
    (1..=TAGS, 0_u32..3, 0_u16..4).prop_map(|(tag, chunk, bit)| (tag, seq_of(chunk, bit)))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => vec(passport(), 1..=8).prop_map(Step::Take),
        1 => vec(passport(), 1..=8).prop_map(Step::Fail),
        2 => vec(passport(), 1..=12).prop_map(Step::GiveBack),
        1 => Just(Step::Restart),
        1 => Just(Step::Other),
    ]
}

impl Party {
    fn on(path: &Path) -> Self {
        Self { db: connection::open_to_write(path).unwrap(), pool: Pool::with(SMALL), data_version: -1 }
    }

    /// As the ledger does it.
    fn transaction(&mut self, commits: bool, work: impl FnOnce(&mut Pool, &Connection)) {
        self.db.execute_batch("BEGIN IMMEDIATE").unwrap();
        let version = self.db.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap();
        if std::mem::replace(&mut self.data_version, version) != version {
            self.pool.forget();
        }
        work(&mut self.pool, &self.db);
        self.pool.flush(&self.db).unwrap();
        self.pool.follow_up(&self.db).unwrap();
        if commits {
            self.db.execute_batch("COMMIT").unwrap();
            self.pool.trim();
        } else {
            self.db.execute_batch("ROLLBACK").unwrap();
            self.pool.forget();
        }
    }

    fn take(&mut self, commits: bool, passports: &BTreeSet<Taken>) {
        self.transaction(commits, |pool, db| {
            passports.iter().for_each(|(tag, seq)| pool.remove(db, *tag, *seq).unwrap());
        });
    }

    fn give_back(&mut self, passports: &BTreeSet<Taken>) {
        self.transaction(true, |pool, db| {
            passports.iter().for_each(|(tag, seq)| pool.insert(db, *tag, *seq).unwrap());
        });
    }

    /// All that can be had, as this party sees it.
    fn sees(&mut self) -> BTreeSet<Taken> {
        let mut seen = BTreeSet::new();
        self.transaction(true, |pool, db| {
            for tag in 1..=TAGS {
                let mut from = 0;
                while let Some(chunk) = pool.next(db, tag, from).unwrap() {
                    seen.extend(pool.chunk(db, tag, chunk).unwrap().iter().map(|bit| (tag, seq_of(chunk, bit))));
                    from = chunk + 1;
                }
            }
        });
        seen
    }

    fn noted(&self) -> usize {
        let mut noted = 0;
        for_each_taken(&self.db, |_, _| {
            noted += 1;
            Ok(())
        })
        .unwrap();
        noted
    }
}

proptest! {
    #[test]
    fn the_pool_is_as_it_was_left_whoever_looks(steps in vec((0_usize..2, step()), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        schema::migrate(&path, None).unwrap();
        let mut parties = [Party::on(&path), Party::on(&path)];
        let all: BTreeSet<Taken> = (1..=TAGS)
            .flat_map(|tag| (0..3).flat_map(move |chunk| (0..4).map(move |bit| (tag, seq_of(chunk, bit)))))
            .collect();
        let mut pool = all.clone();
        parties[0].give_back(&all);
        for (who, step) in steps {
            let party = &mut parties[who];
            match step {
                Step::Take(passports) => {
                    let passports = pool.intersection(&passports.into_iter().collect()).copied().collect();
                    party.take(true, &passports);
                    pool.retain(|passport| !passports.contains(passport));
                }
                Step::Fail(passports) => {
                    party.take(false, &pool.intersection(&passports.into_iter().collect()).copied().collect());
                }
                Step::GiveBack(passports) => {
                    let passports = passports.into_iter().collect::<BTreeSet<_>>().difference(&pool).copied().collect();
                    party.give_back(&passports);
                    pool.extend(passports);
                }
                Step::Restart => *party = Party::on(&path),
                Step::Other => party.db.execute("INSERT OR REPLACE INTO setting VALUES ('a', 'b')", []).map(drop).unwrap(),
            }
            prop_assert!(parties[who].noted() <= 3 * SMALL.begin_at);
            // Who looks through another's eyes changes when notes are read, so it is not done each time.
            if pool.len().is_multiple_of(3) {
                prop_assert_eq!(&parties[1 - who].sees(), &pool);
            }
        }
        for party in &mut parties {
            prop_assert_eq!(&party.sees(), &pool);
        }
    }
}

/// Many chunks are noted, follow in their time, and the notes go.
#[test]
fn chunks_catch_up_with_the_notes() {
    const LIMITS: Limits = Limits { few: 2, in_note: 100, begin_at: 40 };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    schema::migrate(&path, None).unwrap();
    let mut party = Party { pool: Pool::with(LIMITS), ..Party::on(&path) };
    party.give_back(&(1..=20).flat_map(|tag| (0..100).map(move |seq| (tag, seq))).collect());
    let written = |party: &Party| -> Vec<usize> {
        let mut statement = party.db.prepare("SELECT length(bits) / 2 FROM pool ORDER BY tag").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut noted = Vec::new();
    for seq in 0..12 {
        party.take(true, &(1..=10).map(|tag| (tag, seq)).collect());
        noted.push(party.noted());
    }
    assert_eq!(noted, [10, 20, 30, 0, 10, 20, 30, 0, 10, 20, 30, 0]);
    assert_eq!(
        written(&party),
        [[88; 10], [100; 10]].concat(),
        "all of them at once, as each commit has half of the chunks"
    );
    party.take(true, &(1..=10).map(|tag| (tag, 12)).collect());
    assert_eq!((party.noted(), written(&party)[0]), (10, 88));
    // Fewer at a time are on their way for a while.
    (13..19).for_each(|seq| party.take(true, &(1..=5).map(|tag| (tag, seq)).collect()));
    assert_eq!(party.noted(), 0);
    party.give_back(&BTreeSet::from([(1, 0)]));
    assert_eq!((party.noted(), written(&party)[0]), (0, 82));
}

#[test]
fn a_note_that_nobody_writes_is_refused() {
    let check = |tags: &[u8], passports: &[u8], expected: Option<Vec<Taken>>| {
        assert_eq!(read(tags, passports), expected, "{tags:?} {passports:?}");
    };
    check(&[2, 2], &[8, 1], Some(vec![(1, 4), (2, 3)]));
    check(&[], &[], Some(vec![]));
    check(&[2], &[8, 1], None);
    check(&[0x80], &[8], None);
    check(&[1], &[8], None);
}
