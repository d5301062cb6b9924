//! The tally: how many passports of a large tag are in which state.
//!
//! Counting from the sets reads three rows for each 4,096 passports: milliseconds for a pool of millions, and somebody may
//! ask every second. So the counts of a large tag are kept from the first time on that somebody asks for them. Whoever
//! changes a state or a tag changes them too, and they are written once a transaction.

use std::collections::BTreeMap;

use passpool_core::StateName;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{count::Standing, ledger::Ledger, sets::EVERY_PASSPORT, snapshot::Snapshot};
use crate::{CheckReport, Fault, StateCounts, StoreError};

/// How many tags are counted all the time. What is kept of one costs every transaction that changes it a row.
const KEPT: usize = 256;

/// The columns that [`read`] wants, in its order.
macro_rules! columns {
    () => {
        "available, reserved, scanned, pending, claimed, recovered, withdrawn"
    };
}

/// The tallies, seen through the changes of the running transaction.
pub(super) struct Tallies(BTreeMap<u32, Tally>);

struct Tally {
    counts: StateCounts,
    is_changed: bool,
}

impl Tallies {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn load(&mut self, db: &Connection) -> Result<(), Fault> {
        let mut statement = db.prepare_cached(concat!("SELECT ", columns!(), ", tag FROM tally"))?;
        let tallies =
            statement.query_map([], |row| Ok((row.get(7)?, Tally { counts: read(row)?, is_changed: false })))?;
        self.0 = tallies.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// A passport with these tags went from one state to another.
    pub(super) fn moved(&mut self, tags: &[u32], from: StateName, to: StateName) -> Result<(), Fault> {
        if from == to || self.0.is_empty() {
            return Ok(());
        }
        each_of(tags).try_for_each(|tag| {
            self.remove(tag, from)?;
            self.add(tag, to);
            Ok(())
        })
    }

    /// A passport that is new and to be seen at once.
    pub(super) fn made(&mut self, tags: &[u32]) {
        each_of(tags).for_each(|tag| self.add(tag, StateName::Available));
    }

    /// One more passport of a tag is in this state.
    pub(super) fn add(&mut self, tag: u32, state: StateName) {
        if let Some(tally) = self.0.get_mut(&tag) {
            *tally.counts.of_mut(state) += 1;
            tally.is_changed = true;
        }
    }

    /// One passport fewer.
    pub(super) fn remove(&mut self, tag: u32, state: StateName) -> Result<(), Fault> {
        let Some(tally) = self.0.get_mut(&tag) else { return Ok(()) };
        let count = tally.counts.of_mut(state);
        *count = count.checked_sub(1).ok_or_else(|| wrong(tag, state))?;
        tally.is_changed = true;
        Ok(())
    }

    /// Writes what was changed.
    pub(super) fn flush(&mut self, db: &Connection) -> Result<(), Fault> {
        for (tag, tally) in self.0.iter_mut().filter(|(_, tally)| tally.is_changed) {
            write(db, *tag, &tally.counts)?;
            tally.is_changed = false;
        }
        Ok(())
    }

    /// To be called when many passports came into sight: counting them all here would take too long.
    pub(super) fn drop_all(&mut self, db: &Connection) -> Result<(), Fault> {
        self.0.clear();
        db.prepare_cached("DELETE FROM tally")?.execute([])?;
        Ok(())
    }
}

/// Counts these tags from now on, unless there are too many that are.
pub(super) fn keep(ledger: &mut Ledger, tags: &[u32]) -> Result<(), StoreError> {
    let Tallies(kept) = &ledger.tallies;
    // Those who asked at the same moment come here one after the other.
    let tags: Vec<u32> = tags.iter().filter(|tag| !kept.contains_key(tag)).copied().collect();
    if tags.is_empty() || kept.len() + tags.len() > KEPT {
        return Ok(());
    }
    let snapshot = ledger.snapshot()?;
    let standing = Standing::stored(snapshot.db)?;
    let counted = tags.into_iter().map(|tag| Ok((tag, standing.count(&snapshot.chunks_of(tag)?))));
    for (tag, counts) in counted.collect::<Result<Vec<_>, Fault>>()? {
        write(&ledger.db, tag, &counts)?;
        ledger.tallies.0.insert(tag, Tally { counts, is_changed: false });
    }
    Ok(())
}

/// The counts of a tag as they are written, if they are kept.
pub(super) fn of(db: &Connection, tag: u32) -> Result<Option<StateCounts>, Fault> {
    let sql = concat!("SELECT ", columns!(), " FROM tally WHERE tag = ?");
    Ok(db.prepare_cached(sql)?.query_row([tag], read).optional()?)
}

/// Compares what is kept with the sets, which others have compared with the passports.
pub(super) fn check(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let snapshot = Snapshot::new(db)?;
    let standing = Standing::stored(db)?;
    let mut tallies = Tallies::new();
    tallies.load(db)?;
    for (tag, Tally { counts, .. }) in tallies.0 {
        let found = standing.count(&snapshot.chunks_of(tag)?);
        for state in StateName::ALL {
            let (told, found) = (counts.of(state), found.of(state));
            if told != found {
                let differs = format!("the tally counts {told} as {state}, and there are {found}");
                report.find(format!("tag number {tag}"), differs);
            }
        }
    }
    Ok(())
}

/// What it means that fewer are counted than there are.
pub(super) fn wrong(tag: u32, state: StateName) -> Fault {
    Fault::Damaged(format!("the tally counts too few passports of tag number {tag} as {state}"))
}

fn each_of(tags: &[u32]) -> impl Iterator<Item = u32> {
    tags.iter().copied().chain([EVERY_PASSPORT])
}

fn read(row: &Row<'_>) -> rusqlite::Result<StateCounts> {
    let mut counts = StateCounts::default();
    for (column, state) in StateName::ALL.into_iter().enumerate() {
        *counts.of_mut(state) = row.get(column)?;
    }
    Ok(counts)
}

fn write(db: &Connection, tag: u32, counts: &StateCounts) -> Result<(), Fault> {
    let sql = concat!("INSERT OR REPLACE INTO tally (tag, ", columns!(), ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    let [a, b, c, d, e, f, g] = StateName::ALL.map(|state| counts.of(state));
    db.prepare_cached(sql)?.execute(params![tag, a, b, c, d, e, f, g])?;
    Ok(())
}
