//! The sets as they are in the database at one moment, for those who read.

use std::collections::BTreeSet;

use passpool_core::{Rule, Selector, StateName};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    bits::Bits,
    sets::{EVERY_PASSPORT, Table},
};
use crate::Fault;

/// A connection inside a transaction, and the chunks that nobody sees yet.
pub(super) struct Snapshot<'a> {
    pub(super) db: &'a Connection,
    hidden: BTreeSet<u32>,
}

/// A selector's tags by their ids. Tags that nobody has are left out of an `or`, and make an `and` match nothing.
pub(super) struct ResolvedTags {
    rule: Rule,
    ids: Vec<u32>,
}

impl ResolvedTags {
    /// Whether a passport with these tags is meant.
    pub(super) fn match_ids(&self, ids: &[u32]) -> bool {
        let has = |tag: &u32| ids.binary_search(tag).is_ok();
        match self.rule {
            Rule::And => self.ids.iter().all(has),
            Rule::Or => self.ids.iter().any(has),
        }
    }
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(db: &'a Connection) -> Result<Self, Fault> {
        let mut statement = db.prepare_cached("SELECT chunk FROM hidden")?;
        let hidden = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(Self { db, hidden })
    }

    pub(super) fn is_hidden(&self, chunk: u32) -> bool {
        self.hidden.contains(&chunk)
    }

    /// The first chunk of a running import.
    pub(super) fn first_hidden(&self) -> Option<u32> {
        self.hidden.first().copied()
    }

    pub(super) fn resolve(&self, selector: &Selector) -> Result<ResolvedTags, Fault> {
        let mut statement = self.db.prepare_cached("SELECT id FROM tag WHERE name = ?")?;
        let mut ids = Vec::new();
        for tag in selector.tags() {
            match statement.query_row([tag.as_str()], |row| row.get(0)).optional()? {
                Some(id) => ids.push(id),
                None if selector.rule() == Rule::And => return Ok(ResolvedTags { rule: Rule::Or, ids: Vec::new() }),
                None => {}
            }
        }
        Ok(ResolvedTags { rule: selector.rule(), ids })
    }

    /// Those of a chunk that have the tags.
    pub(super) fn tagged(&self, tags: &ResolvedTags, chunk: u32) -> Result<Bits, Fault> {
        let Some((first, others)) = tags.ids.split_first() else { return Ok(Bits::empty()) };
        let mut bits = self.tagged_with(*first, chunk)?;
        for tag in others {
            let other = self.tagged_with(*tag, chunk)?;
            match tags.rule {
                Rule::And => bits.intersect(&other),
                Rule::Or => bits.unite(&other),
            }
        }
        Ok(bits)
    }

    pub(super) fn tagged_with(&self, tag: u32, chunk: u32) -> Result<Bits, Fault> {
        self.load(Table::Tagged, "SELECT bits FROM tagged WHERE tag = ? AND chunk = ?", tag, chunk)
    }

    pub(super) fn standing(&self, state: StateName, chunk: u32) -> Result<Bits, Fault> {
        self.load(Table::Standing, "SELECT bits FROM standing WHERE state = ? AND chunk = ?", state as u32, chunk)
    }

    /// The next chunk in which somebody holds a passport.
    pub(super) fn next_held(&self, from: u32) -> Result<Option<u32>, Fault> {
        let sql = "SELECT min(chunk) FROM standing WHERE state = ? AND chunk >= ?";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut next =
            |state: StateName| statement.query_row(params![state as u32, from], |row| row.get::<_, Option<u32>>(0));
        Ok([next(StateName::Reserved)?, next(StateName::Scanned)?].into_iter().flatten().min())
    }

    /// Shows every chunk of every tag that can be seen, tag by tag; tag 0 is every passport.
    pub(super) fn each_tagged(&self, mut each: impl FnMut(u32, u32, Bits) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut statement = self.db.prepare_cached("SELECT tag, chunk, bits FROM tagged ORDER BY tag, chunk")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (tag, chunk) = (row.get(0)?, row.get(1)?);
            if !self.is_hidden(chunk) {
                each(tag, chunk, decode(Table::Tagged, tag, chunk, row.get_ref(2)?.as_blob()?)?)?;
            }
        }
        Ok(())
    }

    /// The visible chunks of one tag.
    pub(super) fn chunks_of(&self, tag: u32) -> Result<Vec<(u32, Bits)>, Fault> {
        let mut statement = self.db.prepare_cached("SELECT chunk, bits FROM tagged WHERE tag = ? ORDER BY chunk")?;
        let mut rows = statement.query([tag])?;
        let mut chunks = Vec::new();
        while let Some(row) = rows.next()? {
            let chunk = row.get(0)?;
            if !self.is_hidden(chunk) {
                chunks.push((chunk, decode(Table::Tagged, tag, chunk, row.get_ref(1)?.as_blob()?)?));
            }
        }
        Ok(chunks)
    }

    /// The visible chunks of all passports, in order.
    pub(super) fn chunks(&self) -> Result<Vec<(u32, Bits)>, Fault> {
        self.chunks_of(EVERY_PASSPORT)
    }

    fn load(&self, table: Table, sql: &str, key: u32, chunk: u32) -> Result<Bits, Fault> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![key, chunk])?;
        match rows.next()? {
            None => Ok(Bits::empty()),
            Some(row) => decode(table, key, chunk, row.get_ref(0)?.as_blob()?),
        }
    }
}

pub(super) fn decode(table: Table, key: u32, chunk: u32, bytes: &[u8]) -> Result<Bits, Fault> {
    Bits::decode(bytes).ok_or_else(|| Fault::Damaged(format!("{} {key}, chunk {chunk} is unreadable", table.name())))
}
