//! Counting: how many passports are in which state, from the sets alone.

use std::collections::{BTreeMap, HashMap};

use passpool_core::{StateName, Tag, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::{
    bits::{Bits, bit_of, chunk_of},
    sets::{EVERY_PASSPORT, Table},
    snapshot::{Snapshot, decode},
    tally, varint,
};
use crate::{Fault, PoolCounts, PoolPage, StateCounts, TagFilter};

/// From how many chunks on counting takes so long that the counts are kept.
const LARGE: usize = 64;

/// What was counted, and which tags are so large that their counts are to be kept.
pub(super) struct Counted {
    pub(super) counts: PoolCounts,
    pub(super) to_keep: Vec<u32>,
}

/// Counts at the moment that this connection's transaction sees. Holds that have ended count as available.
pub(super) fn counts(db: &Connection, filter: TagFilter, now: Timestamp) -> Result<Counted, Fault> {
    let mut counter = Counter::new(db, now);
    let all = counter.count(EVERY_PASSPORT)?;
    let tags = match filter {
        TagFilter::Named(tags) => tags.into_iter().map(|tag| counter.count_named(tag)).collect::<Result<_, _>>()?,
        TagFilter::Largest(limit) => largest(&Snapshot::new(db)?, &Standing::load(db, now)?, limit)?,
    };
    Ok(Counted { counts: PoolCounts { all, tags }, to_keep: counter.to_keep })
}

/// A page of tags by name, with their counts. A tag that no passport has any more is none.
pub(super) fn page(db: &Connection, page: &PoolPage) -> Result<Vec<(Tag, StateCounts)>, Fault> {
    let mut counter = Counter::new(db, page.now);
    let mut statement = db.prepare_cached("SELECT id, name FROM tag WHERE name > ? ORDER BY name")?;
    let mut rows = statement.query([page.after.as_ref().map_or("", Tag::as_str)])?;
    let mut found = Vec::new();
    while found.len() < page.limit
        && let Some(row) = rows.next()?
    {
        let (id, name): (u32, String) = (row.get(0)?, row.get(1)?);
        let counts = counter.count(id)?;
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
        let mut standing = Self::stored(db)?;
        standing.release_ended(db, now)?;
        Ok(standing)
    }

    /// As it is written, whatever has ended meanwhile.
    pub(super) fn stored(db: &Connection) -> Result<Self, Fault> {
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
        Ok(standing)
    }

    /// Writes nothing down, and counts as if somebody had.
    fn release_ended(&mut self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        for Due { seq, from, to, .. } in due(db, now)? {
            if let Some(bits) = self.0.get_mut(&(chunk_of(seq), from)) {
                bits.remove(bit_of(seq));
            }
            if to != StateName::Available {
                self.0.entry((chunk_of(seq), to)).or_insert_with(Bits::empty).insert(bit_of(seq));
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

    pub(super) fn count(&self, chunks: &[(u32, Bits)]) -> StateCounts {
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

/// Counts tags one by one. What is read for all of them is read once, and only if it is needed.
struct Counter<'a> {
    db: &'a Connection,
    now: Timestamp,
    due: Option<Vec<Due>>,
    sets: Option<(Snapshot<'a>, Standing)>,
    to_keep: Vec<u32>,
}

impl<'a> Counter<'a> {
    fn new(db: &'a Connection, now: Timestamp) -> Self {
        Self { db, now, due: None, sets: None, to_keep: Vec::new() }
    }

    fn count_named(&mut self, tag: Tag) -> Result<(Tag, StateCounts), Fault> {
        let mut statement = self.db.prepare_cached("SELECT id FROM tag WHERE name = ?")?;
        let id: Option<u32> = statement.query_row([tag.as_str()], |row| row.get(0)).optional()?;
        let counts = id.map(|id| self.count(id)).transpose()?.unwrap_or_default();
        Ok((tag, counts))
    }

    fn count(&mut self, tag: u32) -> Result<StateCounts, Fault> {
        match tally::of(self.db, tag)? {
            Some(counts) => self.as_of_now(tag, counts),
            None => self.count_sets(tag),
        }
    }

    fn as_of_now(&mut self, tag: u32, mut counts: StateCounts) -> Result<StateCounts, Fault> {
        if self.due.is_none() {
            self.due = Some(due(self.db, self.now)?);
        }
        let due = self.due.iter().flatten();
        for Due { from, to, .. } in due.filter(|due| tag == EVERY_PASSPORT || due.tags.contains(&tag)) {
            let count = counts.of_mut(*from);
            *count = count.checked_sub(1).ok_or_else(|| tally::wrong(tag, *from))?;
            *counts.of_mut(*to) += 1;
        }
        Ok(counts)
    }

    fn count_sets(&mut self, tag: u32) -> Result<StateCounts, Fault> {
        if self.sets.is_none() {
            self.sets = Some((Snapshot::new(self.db)?, Standing::load(self.db, self.now)?));
        }
        let (snapshot, standing) = self.sets.as_ref().expect("they were loaded");
        let chunks = snapshot.chunks_of(tag)?;
        if chunks.len() >= LARGE {
            self.to_keep.push(tag);
        }
        Ok(standing.count(&chunks))
    }
}

/// A passport whose state is over, whether or not anybody has written that down.
struct Due {
    seq: u64,
    from: StateName,
    to: StateName,
    tags: Vec<u32>,
}

fn due(db: &Connection, now: Timestamp) -> Result<Vec<Due>, Fault> {
    let holds = "SELECT seq, state, until, tags FROM passport INDEXED BY passport_hold \
                 WHERE until IS NOT NULL AND state IN (1, 2) AND until <= ?";
    let transfers = "SELECT seq, state, until, tags FROM passport INDEXED BY passport_settle \
                     WHERE settle_by IS NOT NULL AND settle_by <= ?";
    let mut due = Vec::new();
    for sql in [holds, transfers] {
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query([now.as_micros()])?;
        while let Some(row) = rows.next()? {
            let (seq, state, until): (u64, usize, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let damaged = || Fault::Damaged(format!("passport number {seq} is unreadable"));
            let from = *StateName::ALL.get(state).ok_or_else(damaged)?;
            let is_held = until.is_none_or(|until| until > now.as_micros());
            let to = if is_held { StateName::Scanned } else { StateName::Available };
            let tags = varint::read_sorted(row.get_ref(3)?.as_blob()?).ok_or_else(damaged)?;
            due.push(Due { seq, from, to, tags });
        }
    }
    Ok(due)
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
