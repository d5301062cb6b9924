//! Counting: how many passports are in which state, from the sets alone.

use std::collections::{BTreeMap, HashMap};

use passpool_core::{StateName, Tag, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::{
    bits::{Bits, bit_of, chunk_of},
    sets::{EVERY_PASSPORT, Table},
    snapshot::{Snapshot, decode},
};
use crate::{Fault, PoolCounts, PoolPage, StateCounts, TagFilter};

/// Counts at the moment that this connection's transaction sees. Holds that have ended count as available.
pub(super) fn counts(db: &Connection, filter: TagFilter, now: Timestamp) -> Result<PoolCounts, Fault> {
    let snapshot = Snapshot::new(db)?;
    let standing = Standing::load(db, now)?;
    let all = standing.count(&snapshot.chunks()?);
    let tags = match filter {
        TagFilter::Named(tags) => {
            tags.into_iter().map(|tag| count_named(&snapshot, &standing, tag)).collect::<Result<_, _>>()?
        }
        TagFilter::Largest(limit) => largest(&snapshot, &standing, limit)?,
    };
    Ok(PoolCounts { all, tags })
}

/// A page of tags by name, with their counts. A tag that no passport has any more is none.
pub(super) fn page(db: &Connection, page: &PoolPage) -> Result<Vec<(Tag, StateCounts)>, Fault> {
    let snapshot = Snapshot::new(db)?;
    let standing = Standing::load(db, page.now)?;
    let mut statement = db.prepare_cached("SELECT id, name FROM tag WHERE name > ? ORDER BY name")?;
    let mut rows = statement.query([page.after.as_ref().map_or("", Tag::as_str)])?;
    let mut found = Vec::new();
    while found.len() < page.limit
        && let Some(row) = rows.next()?
    {
        let (id, name): (u32, String) = (row.get(0)?, row.get(1)?);
        let counts = standing.count(&snapshot.chunks_of(id)?);
        if counts.total() > 0 {
            let tag = Tag::parse(&name).map_err(|error| Fault::Damaged(format!("tag number {id}: {error}")))?;
            found.push((tag, counts));
        }
    }
    Ok(found)
}

/// For each state but `available` the passports in it, chunk by chunk, as they count at a moment.
pub(super) struct Standing(BTreeMap<(u32, StateName), Bits>);

impl Standing {
    pub(super) fn load(db: &Connection, now: Timestamp) -> Result<Self, Fault> {
        let mut standing = Self(BTreeMap::new());
        let mut statement = db.prepare_cached("SELECT state, chunk, bits FROM standing")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (state, chunk): (usize, u32) = (row.get(0)?, row.get(1)?);
            let name =
                *StateName::ALL.get(state).ok_or_else(|| Fault::Damaged(format!("there is no state {state}")))?;
            let bytes = row.get_ref(2)?.as_blob()?;
            standing.0.insert((chunk, name), decode(Table::Standing, state as u32, chunk, bytes)?);
        }
        standing.release_ended(db, now)?;
        Ok(standing)
    }

    /// Writes nothing down, and counts as if somebody had.
    fn release_ended(&mut self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        let sql = "SELECT seq FROM passport INDEXED BY passport_hold WHERE until IS NOT NULL AND state IN (1, 2) AND until <= ?";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query([now.as_micros()])?;
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            self.remove(StateName::Reserved, seq);
            self.remove(StateName::Scanned, seq);
        }
        let sql =
            "SELECT seq, until FROM passport INDEXED BY passport_settle WHERE settle_by IS NOT NULL AND settle_by <= ?";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query([now.as_micros()])?;
        while let Some(row) = rows.next()? {
            let (seq, until): (u64, Option<i64>) = (row.get(0)?, row.get(1)?);
            self.remove(StateName::Pending, seq);
            if until.is_none_or(|until| until > now.as_micros()) {
                let chunk = (chunk_of(seq), StateName::Scanned);
                self.0.entry(chunk).or_insert_with(Bits::empty).insert(bit_of(seq));
            }
        }
        Ok(())
    }

    /// Takes all out of a set of this chunk's passports that do not count as in this state.
    pub(super) fn keep_those_in(&self, state: StateName, chunk: u32, bits: &mut Bits) {
        if state != StateName::Available {
            match self.0.get(&(chunk, state)) {
                Some(standing) => bits.intersect(standing),
                None => *bits = Bits::empty(),
            }
            return;
        }
        for (_, standing) in self.0.range((chunk, StateName::Available)..=(chunk, StateName::Withdrawn)) {
            bits.subtract(standing);
        }
    }

    fn remove(&mut self, state: StateName, seq: u64) {
        if let Some(bits) = self.0.get_mut(&(chunk_of(seq), state)) {
            bits.remove(bit_of(seq));
        }
    }

    fn count(&self, chunks: &[(u32, Bits)]) -> StateCounts {
        let mut counts = StateCounts::default();
        chunks.iter().for_each(|(chunk, bits)| self.add(&mut counts, *chunk, bits));
        counts
    }

    fn add(&self, counts: &mut StateCounts, chunk: u32, bits: &Bits) {
        let mut available = bits.count();
        let states = self.0.range((chunk, StateName::Available)..=(chunk, StateName::Withdrawn));
        for ((_, state), standing) in states {
            let count = bits.count_common(standing);
            *counts.of_mut(*state) += u64::from(count);
            available -= count;
        }
        *counts.of_mut(StateName::Available) += u64::from(available);
    }
}

fn count_named(snapshot: &Snapshot<'_>, standing: &Standing, tag: Tag) -> Result<(Tag, StateCounts), Fault> {
    let mut statement = snapshot.db.prepare_cached("SELECT id FROM tag WHERE name = ?")?;
    let id: Option<u32> = statement.query_row([tag.as_str()], |row| row.get(0)).optional()?;
    let chunks = id.map(|id| snapshot.chunks_of(id)).transpose()?.unwrap_or_default();
    Ok((tag, standing.count(&chunks)))
}

fn largest(snapshot: &Snapshot<'_>, standing: &Standing, limit: usize) -> Result<Vec<(Tag, StateCounts)>, Fault> {
    let mut counts: HashMap<u32, StateCounts> = HashMap::new();
    snapshot.each_tagged(|tag, chunk, bits| {
        if tag != EVERY_PASSPORT {
            standing.add(counts.entry(tag).or_default(), chunk, &bits);
        }
        Ok(())
    })?;
    let mut counts: Vec<(u32, StateCounts)> = counts.into_iter().collect();
    // Ids break ties here, and names below: among tags of one size at the edge of the list any choice is right.
    counts.sort_unstable_by_key(|(tag, counts)| (std::cmp::Reverse(counts.total()), *tag));
    counts.truncate(limit);
    let mut statement = snapshot.db.prepare_cached("SELECT name FROM tag WHERE id = ?")?;
    let named = counts.into_iter().map(|(id, counts)| {
        let name: String = statement.query_row([id], |row| row.get(0))?;
        let tag = Tag::parse(&name).map_err(|error| Fault::Damaged(format!("tag number {id}: {error}")))?;
        Ok((tag, counts))
    });
    let mut named = named.collect::<Result<Vec<_>, Fault>>()?;
    named.sort_unstable_by(|(a, x), (b, y)| y.total().cmp(&x.total()).then_with(|| a.cmp(b)));
    Ok(named)
}
