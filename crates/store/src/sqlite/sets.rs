//! Sets of passports in a table of chunks, changed in memory and written together.

use std::collections::{BTreeMap, btree_map::Entry};

use rusqlite::{Connection, OptionalExtension, params};

use super::bits::{Bits, bit_of, chunk_of};
use crate::Fault;

/// The key in `tagged` under which every passport is.
pub(super) const EVERY_PASSPORT: u32 = 0;

/// How many chunks are remembered from one transaction to the next: about 5 MB.
const REMEMBERED: usize = 8_192;

/// Which table, and what its first column is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Table {
    Pool,
    Tagged,
    Standing,
}

/// The statements of one table.
struct Statements {
    load: &'static str,
    next: &'static str,
    write: &'static str,
    delete: &'static str,
}

macro_rules! statements {
    ($table:literal, $key:literal) => {
        &Statements {
            load: concat!("SELECT bits FROM ", $table, " WHERE ", $key, " = ? AND chunk = ?"),
            next: concat!(
                "SELECT chunk, bits FROM ",
                $table,
                " WHERE ",
                $key,
                " = ? AND chunk >= ? ORDER BY chunk LIMIT 1"
            ),
            write: concat!("INSERT OR REPLACE INTO ", $table, " (", $key, ", chunk, bits) VALUES (?, ?, ?)"),
            delete: concat!("DELETE FROM ", $table, " WHERE ", $key, " = ? AND chunk = ?"),
        }
    };
}

impl Table {
    const fn statements(self) -> &'static Statements {
        match self {
            Self::Pool => statements!("pool", "tag"),
            Self::Tagged => statements!("tagged", "tag"),
            Self::Standing => statements!("standing", "state"),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Tagged => "tagged",
            Self::Standing => "standing",
        }
    }

    fn stored(self, key: u32, number: u32, bits: Option<Bits>) -> Result<Chunk, Fault> {
        let bits =
            bits.ok_or_else(|| Fault::Damaged(format!("{} {key}, chunk {number} is unreadable", self.name())))?;
        Ok(Chunk { bits, is_stored: true, is_changed: false })
    }
}

/// The sets of one table, seen through the changes of the running transaction.
pub(super) struct Sets {
    table: Table,
    chunks: BTreeMap<(u32, u32), Chunk>,
    /// What has to be written, in the order of the first change.
    changed: Vec<(u32, u32)>,
}

struct Chunk {
    bits: Bits,
    is_stored: bool,
    is_changed: bool,
}

impl Sets {
    pub(super) const fn new(table: Table) -> Self {
        Self { table, chunks: BTreeMap::new(), changed: Vec::new() }
    }

    pub(super) fn insert(&mut self, db: &Connection, key: u32, seq: u64) -> Result<(), Fault> {
        self.changing(db, key, chunk_of(seq))?.insert(bit_of(seq));
        Ok(())
    }

    /// Takes a passport out of a set in which it has to be.
    pub(super) fn remove(&mut self, db: &Connection, key: u32, seq: u64) -> Result<(), Fault> {
        if self.changing(db, key, chunk_of(seq))?.remove(bit_of(seq)) {
            return Ok(());
        }
        Err(Fault::Damaged(format!("passport number {seq} is missing from {} {key}", self.table.name())))
    }

    /// Takes a passport out of a set in which it may no longer be.
    pub(super) fn leave_out(&mut self, db: &Connection, key: u32, seq: u64) -> Result<(), Fault> {
        if self.load(db, key, chunk_of(seq))?.bits.contains(bit_of(seq)) {
            self.changing(db, key, chunk_of(seq))?.remove(bit_of(seq));
        }
        Ok(())
    }

    /// The bits of a chunk, empty if it has none.
    pub(super) fn chunk(&mut self, db: &Connection, key: u32, chunk: u32) -> Result<&Bits, Fault> {
        Ok(&self.load(db, key, chunk)?.bits)
    }

    /// The first chunk from this one on that holds anything.
    pub(super) fn next(&mut self, db: &Connection, key: u32, mut from: u32) -> Result<Option<u32>, Fault> {
        loop {
            let known = self.chunks.range((key, from)..=(key, u32::MAX)).find(|(_, chunk)| !chunk.bits.is_empty());
            let known = known.map(|((_, chunk), _)| *chunk);
            if known == Some(from) {
                return Ok(known);
            }
            let Some(stored) = self.next_stored(db, key, from)? else { return Ok(known) };
            if known.is_some_and(|known| known <= stored) {
                return Ok(known);
            }
            if !self.chunks[&(key, stored)].bits.is_empty() {
                return Ok(Some(stored));
            }
            from = stored + 1; // It was emptied, and that is not written yet.
        }
    }

    /// Writes what was changed.
    pub(super) fn flush(&mut self, db: &Connection) -> Result<(), Fault> {
        let mut changed = self.take_changed();
        changed.sort_unstable(); // Neighbouring rows share pages.
        changed.into_iter().try_for_each(|place| self.write(db, place))
    }

    /// How many chunks were changed and not written.
    pub(super) const fn changed(&self) -> usize {
        self.changed.len()
    }

    /// Those chunks, for somebody who writes all of them, sooner or later.
    pub(super) fn take_changed(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.changed)
    }

    /// Writes a changed chunk as it is by now.
    pub(super) fn write(&mut self, db: &Connection, place: (u32, u32)) -> Result<(), Fault> {
        let Statements { write, delete, .. } = self.table.statements();
        let (key, number) = place;
        let chunk = self.chunks.get_mut(&place).expect("a changed chunk is in memory");
        chunk.is_changed = false;
        if chunk.bits.is_empty() {
            if chunk.is_stored {
                db.prepare_cached(delete)?.execute(params![key, number])?;
            }
            self.chunks.remove(&place);
        } else {
            db.prepare_cached(write)?.execute(params![key, number, chunk.bits.encode()])?;
            chunk.is_stored = true;
        }
        Ok(())
    }

    /// Makes room, after a commit.
    pub(super) fn trim(&mut self) {
        if self.chunks.len() > REMEMBERED {
            self.chunks.retain(|_, chunk| chunk.is_changed);
        }
    }

    /// Forgets everything: after a rollback, and when somebody else has written.
    pub(super) fn forget(&mut self) {
        self.chunks.clear();
        self.changed.clear();
    }

    fn changing(&mut self, db: &Connection, key: u32, number: u32) -> Result<&mut Bits, Fault> {
        let chunk = Self::loaded(&mut self.chunks, self.table, db, (key, number))?;
        if !chunk.is_changed {
            chunk.is_changed = true;
            self.changed.push((key, number));
        }
        Ok(&mut chunk.bits)
    }

    fn load(&mut self, db: &Connection, key: u32, number: u32) -> Result<&Chunk, Fault> {
        Self::loaded(&mut self.chunks, self.table, db, (key, number)).map(|chunk| &*chunk)
    }

    /// One look into the map for each that is there already: an import does this seven times a passport.
    fn loaded<'a>(
        chunks: &'a mut BTreeMap<(u32, u32), Chunk>,
        table: Table,
        db: &Connection,
        place: (u32, u32),
    ) -> Result<&'a mut Chunk, Fault> {
        match chunks.entry(place) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => {
                let (key, number) = place;
                let mut statement = db.prepare_cached(table.statements().load)?;
                let bits = statement
                    .query_row(params![key, number], |row| Ok(Bits::decode(row.get_ref(0)?.as_blob()?)))
                    .optional()?;
                Ok(free.insert(match bits {
                    None => Chunk { bits: Bits::empty(), is_stored: false, is_changed: false },
                    Some(bits) => table.stored(key, number, bits)?,
                }))
            }
        }
    }

    /// The next row of the table, which is in memory from then on.
    fn next_stored(&mut self, db: &Connection, key: u32, from: u32) -> Result<Option<u32>, Fault> {
        let mut statement = db.prepare_cached(self.table.statements().next)?;
        let row = statement.query_row(params![key, from], |row| {
            let chunk: u32 = row.get(0)?;
            let known = self.chunks.contains_key(&(key, chunk));
            let bits = if known { None } else { Some(Bits::decode(row.get_ref(1)?.as_blob()?)) };
            Ok((chunk, bits))
        });
        let Some((number, bits)) = row.optional()? else { return Ok(None) };
        if let Some(bits) = bits {
            let chunk = self.table.stored(key, number, bits)?;
            self.chunks.insert((key, number), chunk);
        }
        Ok(Some(number))
    }
}
