//! Records of calls that can be repeated: which reservation a key made, and how long that is remembered.
//!
//! Digests of keys come in no order, and an index that took each at once would write a page of its own for each. So the
//! records are appended in the order of their making, the newest are found from memory, and once there are enough of
//! them they go into the index in its own order, some at each commit: many of them share a page. What is in memory only
//! says where to look; the row is the truth, and what was made in between by somebody else is read at the next call.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use passpool_core::{Refusal, Repeat, ReservationId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::writer::BATCH;
use crate::{Fault, StoreError};

/// How many are forgotten in one transaction.
const AT_ONCE: usize = 2_000;

type Record = [u8; 16];
/// What the index keeps of a record.
type Head = [u8; 8];

/// When records go into the index, and how.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How many have to wait before they begin to go. The more, the more of them share a page; each takes about 40 bytes of
    /// memory while it waits, and up to twice as many do.
    begin_at: usize,
    /// How many go in one transaction, a millisecond's work: twice as many as can come in one.
    at_once: usize,
    /// How many share an index. Its pages are written anew about once for each `begin_at` records, so it is not to grow
    /// for ever; each more that is remembered is one more look for each new key.
    era: i64,
}

const LIMITS: Limits = Limits { begin_at: 65_536, at_once: 2 * BATCH, era: 4_000_000 };

/// What a record says.
struct Row {
    parameters: [u8; 16],
    reservation: ReservationId,
}

/// Where records are found, as a transaction sees it.
pub(super) struct Repeats {
    limits: Limits,
    /// None before the first call with a key, and after a rollback.
    known: Option<Known>,
    /// Whether somebody else may have written since.
    is_stale: bool,
}

struct Known {
    /// The oldest first; never none.
    eras: Vec<Era>,
    /// Behind the last of the newest era.
    waiting: HashMap<Record, i64>,
    /// The highest that was ever given.
    last: i64,
    /// Those that are still to go into the index on its way, the last in its order first.
    left: Vec<(Head, i64)>,
    /// How many are to go into the index before it is as far as the records that were made since they began to.
    owed: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Era {
    id: i64,
    first: i64,
    last: i64,
    /// Only the newest era has one.
    way: Option<Way>,
}

/// More records are going into an index. How far they came is written down, so that whoever comes next goes on with it:
/// else many short commands would each begin it, and the records that wait would be more and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    /// The highest of them.
    goal: i64,
    /// Those with a smaller head are there.
    reached: Head,
}

impl Repeats {
    pub(super) fn new() -> Self {
        Self::with(LIMITS)
    }

    fn with(limits: Limits) -> Self {
        Self { limits, known: None, is_stale: false }
    }

    /// The reservation that an earlier call with this key made. Refuses if that call had other parameters.
    pub(super) fn find(&mut self, db: &Connection, repeat: &Repeat) -> Result<Option<ReservationId>, StoreError> {
        match self.known(db)?.find(db, repeat.record.as_bytes())? {
            None => Ok(None),
            Some(row) if row.parameters == *repeat.parameters.as_bytes() => Ok(Some(row.reservation)),
            Some(_) => Err(Refusal::KeyReused.into()),
        }
    }

    /// Writes a record that was not found in the same transaction.
    pub(super) fn write(
        &mut self,
        db: &Connection,
        repeat: &Repeat,
        reservation: ReservationId,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let known = self.known(db)?;
        let seq = known.last + 1;
        let sql = "INSERT INTO repeat (seq, at, record, parameters, reservation) VALUES (?, ?, ?, ?, ?)";
        let (record, parameters) = (repeat.record.as_bytes(), repeat.parameters.as_bytes());
        db.prepare_cached(sql)?.execute(params![seq, now.as_micros(), record, parameters, reservation.as_bytes()])?;
        known.last = seq;
        known.waiting.insert(*record, seq);
        // Twice as many go as come, so that they get there.
        known.owed += 2;
        Ok(())
    }

    /// Forgets the oldest of those made before this moment, and what the index still says of such.
    pub(super) fn forget(&mut self, db: &Connection, before: Timestamp) -> Result<u64, Fault> {
        let known = self.known(db)?;
        let sql = "DELETE FROM repeat WHERE seq IN (SELECT seq FROM repeat ORDER BY seq LIMIT ?) AND at < ?";
        let forgotten = db.prepare_cached(sql)?.execute(params![AT_ONCE, before.as_micros()])? as u64;
        let oldest: Option<i64> = db.prepare_cached("SELECT min(seq) FROM repeat")?.query_row([], |row| row.get(0))?;
        let oldest = oldest.unwrap_or(known.last + 1);
        known.pass_over_forgotten(db, oldest)?;
        Ok(forgotten + known.clear_era(db, oldest)?)
    }

    /// To be called before each commit: lets some of those that wait go into the index.
    pub(super) fn follow_up(&mut self, db: &Connection) -> Result<(), Fault> {
        let limits = self.limits;
        match &self.known {
            // What somebody else did to the index meanwhile has to be known here too.
            Some(known) if known.owed > 0 => self.known(db)?.follow_up(db, limits),
            _ => Ok(()),
        }
    }

    /// To be called when somebody else has written.
    pub(super) fn others_wrote(&mut self) {
        self.is_stale = true;
    }

    /// To be called after a rollback.
    pub(super) fn forget_all(&mut self) {
        self.known = None;
    }

    /// The last record that is known, to be told to [`Self::back_to`].
    pub(super) fn last(&self) -> Option<i64> {
        self.known.as_ref().map(|known| known.last)
    }

    /// To be called after a rollback to a savepoint.
    pub(super) fn back_to(&mut self, last: Option<i64>) {
        if self.last() != last {
            self.forget_all();
        }
    }

    fn known(&mut self, db: &Connection) -> Result<&mut Known, Fault> {
        if std::mem::take(&mut self.is_stale)
            && let Some(known) = &mut self.known
        {
            // Records are only ever appended, or forgotten from the front, so what is known goes on unless they went
            // into the index.
            if known.eras == load_eras(db)? { known.load_waiting(db)? } else { self.known = None }
        }
        if self.known.is_none() {
            self.known = Some(Known::load(db, self.limits)?);
        }
        Ok(self.known.as_mut().expect("it was loaded"))
    }
}

impl Known {
    fn load(db: &Connection, limits: Limits) -> Result<Self, Fault> {
        let eras = load_eras(db)?;
        let newest = *eras.last().ok_or_else(|| Fault::Damaged("idempotency records have no era".into()))?;
        let mut known = Self { last: newest.last, eras, waiting: HashMap::new(), left: Vec::new(), owed: 0 };
        known.load_waiting(db)?;
        if let Some(way) = newest.way {
            known.set_out(way);
        }
        if known.waiting.len() >= limits.begin_at {
            // To read so many costs more than to let some of them go, and this may be the one call of a command.
            known.owed = limits.at_once;
        }
        Ok(known)
    }

    fn load_waiting(&mut self, db: &Connection) -> Result<(), Fault> {
        let mut statement = db.prepare_cached("SELECT seq, record FROM repeat WHERE seq > ? ORDER BY seq")?;
        let mut rows = statement.query([self.last])?;
        while let Some(row) = rows.next()? {
            self.last = row.get(0)?;
            self.waiting.insert(row.get(1)?, self.last);
        }
        Ok(())
    }

    fn newest(&mut self) -> &mut Era {
        self.eras.last_mut().expect("there is always one")
    }

    fn find(&self, db: &Connection, record: &Record) -> Result<Option<Row>, Fault> {
        if let Some(seq) = self.waiting.get(record) {
            return read(db, *seq, record);
        }
        let mut statement = db.prepare_cached("SELECT seq FROM repeat_place WHERE era = ? AND head = ?")?;
        for era in self.eras.iter().rev().filter(|era| era.last >= era.first) {
            let mut places = statement.query(params![era.id, head_of(record)])?;
            while let Some(place) = places.next()? {
                if let Some(found) = read(db, place.get(0)?, record)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn follow_up(&mut self, db: &Connection, limits: Limits) -> Result<(), Fault> {
        if self.newest().way.is_none() {
            if self.waiting.len() < limits.begin_at {
                self.owed = 0;
                return Ok(());
            }
            self.begin(db, limits)?;
        }
        if self.owed >= limits.at_once {
            self.owed -= limits.at_once;
            self.go(db, limits)?;
        }
        Ok(())
    }

    /// Lets all that wait set out for an index, and finds an era for them.
    fn begin(&mut self, db: &Connection, limits: Limits) -> Result<(), Fault> {
        let Era { id, first, last, .. } = *self.newest();
        let is_young = db.prepare_cached("SELECT 1 FROM repeat WHERE seq = ?")?.exists([first])?;
        if !is_young || last - first >= limits.era {
            let next = Era { id: id + 1, first: last + 1, last, way: None };
            let sql = "INSERT INTO repeat_era (id, first, last) VALUES (?, ?, ?)";
            db.prepare_cached(sql)?.execute(params![next.id, next.first, next.last])?;
            self.eras.push(next);
        }
        let way = Way { goal: self.last, reached: Head::default() };
        self.set_out(way);
        self.write_newest(db, last, Some(way))
    }

    /// Sorts those that are on this way.
    fn set_out(&mut self, way: Way) {
        let all = self.waiting.iter().map(|(record, seq)| (head_of(record), *seq));
        self.left = all.filter(|(head, seq)| *seq <= way.goal && *head >= way.reached).collect();
        self.left.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// Whoever goes on with another's way may meet records of one head that are there already.
    fn go(&mut self, db: &Connection, limits: Limits) -> Result<(), Fault> {
        let Era { id, last, way, .. } = *self.newest();
        let Some(Way { goal, .. }) = way else { return Ok(()) };
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO repeat_place (era, head, seq) VALUES (?, ?, ?)")?;
        for (head, seq) in self.left.drain(self.left.len().saturating_sub(limits.at_once)..).rev() {
            insert.execute(params![id, head, seq])?;
        }
        match self.left.last() {
            Some((reached, _)) => self.write_newest(db, last, Some(Way { goal, reached: *reached })),
            None => self.indexed_up_to(db, goal),
        }
    }

    /// Records that were forgotten while they waited need no index any more.
    fn pass_over_forgotten(&mut self, db: &Connection, oldest: i64) -> Result<(), Fault> {
        self.indexed_up_to(db, oldest - 1)
    }

    /// Those up to here are found by the index, or forgotten.
    fn indexed_up_to(&mut self, db: &Connection, last: i64) -> Result<(), Fault> {
        let newest = *self.newest();
        let way = newest.way.filter(|way| way.goal > last);
        if last <= newest.last && way == newest.way {
            return Ok(());
        }
        if way.is_none() {
            self.left.clear();
        }
        self.waiting.retain(|_, seq| *seq > last);
        self.write_newest(db, last.max(newest.last), way)
    }

    fn write_newest(&mut self, db: &Connection, last: i64, way: Option<Way>) -> Result<(), Fault> {
        let newest = self.newest();
        (newest.last, newest.way) = (last, way);
        let id = newest.id;
        let (goal, reached) = (way.map(|way| way.goal), way.map(|way| way.reached));
        let sql = "UPDATE repeat_era SET last = ?, goal = ?, reached = ? WHERE id = ?";
        match db.prepare_cached(sql)?.execute(params![last, goal, reached, id])? {
            1 => Ok(()),
            _ => Err(Fault::Damaged(format!("idempotency records have no era {id}"))),
        }
    }

    /// Takes away a part of an index of which no record is left. Answers how many places that were.
    fn clear_era(&mut self, db: &Connection, oldest: i64) -> Result<u64, Fault> {
        let [Era { id, last, .. }, _, ..] = self.eras[..] else { return Ok(0) };
        if last >= oldest {
            return Ok(0);
        }
        let sql = "DELETE FROM repeat_place WHERE (era, head, seq) IN \
                   (SELECT era, head, seq FROM repeat_place WHERE era = ? ORDER BY head, seq LIMIT ?)";
        let cleared = db.prepare_cached(sql)?.execute(params![id, AT_ONCE])?;
        if cleared < AT_ONCE {
            db.prepare_cached("DELETE FROM repeat_era WHERE id = ?")?.execute([id])?;
            self.eras.remove(0);
        }
        Ok(cleared as u64)
    }
}

/// Builds the index of records that were written by a copy, all of them in one era.
pub(super) fn index(db: &Connection) -> Result<(), Fault> {
    let sql = "INSERT INTO repeat_era (id, first, last) SELECT 1, ifnull(min(seq), 1), ifnull(max(seq), 0) FROM repeat; \
               INSERT INTO repeat_place (era, head, seq) \
               SELECT 1, substr(record, 1, 8) AS head, seq FROM repeat ORDER BY head, seq;";
    Ok(db.execute_batch(sql)?)
}

/// None if it was forgotten, or is another key's.
fn read(db: &Connection, seq: i64, record: &Record) -> Result<Option<Row>, Fault> {
    // What is left of a WHERE when an index has found the row makes SQLite prepare the statement anew for each value, so
    // the digests are compared here.
    let sql = "SELECT record, parameters, reservation FROM repeat WHERE seq = ?";
    let mut statement = db.prepare_cached(sql)?;
    let row = statement.query_row([seq], |row| {
        let found = Row { parameters: row.get(1)?, reservation: ReservationId::from_stored(row.get(2)?) };
        Ok((row.get::<_, Record>(0)? == *record).then_some(found))
    });
    Ok(row.optional()?.flatten())
}

fn load_eras(db: &Connection) -> Result<Vec<Era>, Fault> {
    let mut statement = db.prepare_cached("SELECT id, first, last, goal, reached FROM repeat_era ORDER BY id")?;
    let eras = statement.query_map([], |row| {
        let way = match (row.get(3)?, row.get(4)?) {
            (Some(goal), Some(reached)) => Some(Way { goal, reached }),
            _ => None,
        };
        Ok(Era { id: row.get(0)?, first: row.get(1)?, last: row.get(2)?, way })
    })?;
    Ok(eras.collect::<Result<_, _>>()?)
}

fn head_of(record: &Record) -> Head {
    let [head @ .., _, _, _, _, _, _, _, _] = *record;
    head
}
