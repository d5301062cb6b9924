//! Rows read ahead: callers who come one after the other are given neighbours, and those are read at once.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::passport::PassportRow;
use crate::Fault;

/// How many are read at once when callers go on being given neighbours.
const AT_MOST: u64 = 64;
/// How many passports may lie between two that are called neighbours here: callers of many tags in turn come a little out of
/// their order.
const GAP: u64 = 16;

/// The next rows of the pool as they stand in the database. To be forgotten when anything but a hand-out has changed a
/// passport; whoever hands out a row that is out of date fails at the guard.
pub(super) struct Ahead {
    rows: BTreeMap<u64, PassportRow>,
    /// The passport behind the last that was read.
    end: u64,
    /// How many were read at once.
    reach: u64,
}

impl Ahead {
    pub(super) const fn new() -> Self {
        Self { rows: BTreeMap::new(), end: 0, reach: 1 }
    }

    /// The passport at this place. Twice as many are read each time as long as neighbours are asked for, and one alone if
    /// somebody wants another.
    pub(super) fn take(&mut self, db: &Connection, seq: u64) -> Result<PassportRow, Fault> {
        if let Some(row) = self.rows.remove(&seq) {
            return Ok(row);
        }
        if !(self.end..self.end + GAP).contains(&seq) {
            self.forget();
            (self.end, self.reach) = (seq + 1, 1);
            return PassportRow::by_seq(db, seq);
        }
        if self.rows.len() as u64 > AT_MOST {
            self.forget(); // Those were passed over.
        }
        self.reach = AT_MOST.min(self.reach * 2);
        let count = seq - self.end + self.reach;
        self.rows.extend(PassportRow::available_from(db, self.end, count)?.into_iter().map(|row| (row.seq, row)));
        self.end += count;
        self.rows.remove(&seq).map_or_else(|| PassportRow::by_seq(db, seq), Ok)
    }

    pub(super) fn forget(&mut self) {
        self.rows.clear();
    }
}
