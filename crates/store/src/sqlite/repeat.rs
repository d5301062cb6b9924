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
    /// How many go in one transaction: a millisecond's work.
    at_once: usize,
    /// How many share an index. Its pages are written anew about once for each `begin_at` records, so it is not to grow
    /// for ever; each more that is remembered is one more look for each new key.
    era: i64,
}

const LIMITS: Limits = Limits { begin_at: 65_536, at_once: 1_024, era: 4_000_000 };

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
    /// Those on their way into the index, the last in its order first.
    going: Option<Going>,
    /// How many are to go into the index before it is as far as the records that were made since they began to.
    owed: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Era {
    id: i64,
    first: i64,
    last: i64,
}

struct Going {
    /// The highest among them.
    last: i64,
    left: Vec<(Head, i64)>,
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
        match &mut self.known {
            Some(known) if known.owed > 0 => known.follow_up(db, self.limits),
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

    fn known(&mut self, db: &Connection) -> Result<&mut Known, Fault> {
        if std::mem::take(&mut self.is_stale)
            && let Some(known) = &mut self.known
        {
            // Records are only ever appended, or forgotten from the front, so what is known goes on unless they went
            // into the index.
            if known.eras == load_eras(db)? { known.load_waiting(db)? } else { self.known = None }
        }
        if self.known.is_none() {
            self.known = Some(Known::load(db)?);
        }
        Ok(self.known.as_mut().expect("it was loaded"))
    }
}

impl Known {
    fn load(db: &Connection) -> Result<Self, Fault> {
        let eras = load_eras(db)?;
        let newest = eras.last().ok_or_else(|| Fault::Damaged("idempotency records have no era".into()))?;
        let mut known = Self { last: newest.last, eras, waiting: HashMap::new(), going: None, owed: 0 };
        known.load_waiting(db)?;
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
        if self.going.is_none() {
            self.owed = 0;
            if self.waiting.len() >= limits.begin_at {
                self.begin(db, limits)?;
            }
            return Ok(());
        }
        if self.owed >= limits.at_once {
            self.owed -= limits.at_once;
            self.go(db, limits)?;
        }
        Ok(())
    }

    /// Sorts those that wait, and finds an era for them.
    fn begin(&mut self, db: &Connection, limits: Limits) -> Result<(), Fault> {
        let mut left: Vec<_> = self.waiting.iter().map(|(record, seq)| (head_of(record), *seq)).collect();
        left.sort_unstable_by(|a, b| b.cmp(a));
        let last = self.last;
        let Era { id, first, last: indexed } = *self.newest();
        let is_young = db.prepare_cached("SELECT 1 FROM repeat WHERE seq = ?")?.exists([first])?;
        if !is_young || indexed - first >= limits.era {
            let next = Era { id: id + 1, first: indexed + 1, last: indexed };
            let sql = "INSERT INTO repeat_era (id, first, last) VALUES (?, ?, ?)";
            db.prepare_cached(sql)?.execute(params![next.id, next.first, next.last])?;
            self.eras.push(next);
        }
        self.going = Some(Going { last, left });
        Ok(())
    }

    /// A restart in the middle of it begins again, and meets those that are there already.
    fn go(&mut self, db: &Connection, limits: Limits) -> Result<(), Fault> {
        let era = self.newest().id;
        let Some(going) = &mut self.going else { return Ok(()) };
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO repeat_place (era, head, seq) VALUES (?, ?, ?)")?;
        for (head, seq) in going.left.drain(going.left.len().saturating_sub(limits.at_once)..).rev() {
            insert.execute(params![era, head, seq])?;
        }
        if going.left.is_empty() {
            let last = going.last;
            self.going = None;
            self.indexed_up_to(db, last)?;
        }
        Ok(())
    }

    /// Records that were forgotten while they waited need no index any more.
    fn pass_over_forgotten(&mut self, db: &Connection, oldest: i64) -> Result<(), Fault> {
        self.indexed_up_to(db, oldest - 1)
    }

    fn indexed_up_to(&mut self, db: &Connection, last: i64) -> Result<(), Fault> {
        let newest = self.newest();
        if last <= newest.last {
            return Ok(());
        }
        newest.last = last;
        let sql = "UPDATE repeat_era SET last = ? WHERE id = ?";
        db.prepare_cached(sql)?.execute(params![last, newest.id])?;
        self.waiting.retain(|_, seq| *seq > last);
        Ok(())
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
    let mut statement = db.prepare_cached("SELECT id, first, last FROM repeat_era ORDER BY id")?;
    let eras = statement.query_map([], |row| Ok(Era { id: row.get(0)?, first: row.get(1)?, last: row.get(2)? }))?;
    Ok(eras.collect::<Result<_, _>>()?)
}

fn head_of(record: &Record) -> Head {
    let [head @ .., _, _, _, _, _, _, _, _] = *record;
    head
}
