//! The pool: for each tag the passports that can be had.
//!
//! It is a table of chunks. A commit that hands out by a thousand tags takes one passport out of each of many chunks, and
//! nearly each of their rows has a page of its own. So such a commit notes all that it took in one row, and the chunks follow
//! later: some at each commit, in their own order, for all that was taken from each meanwhile. The pool is the chunks without
//! what is noted, and in memory it always is as it is. Nobody but a writer reads it.

#[cfg(test)]
mod tests;

use rusqlite::{Connection, params};

use super::{
    bits::Bits,
    sets::{Sets, Table},
    varint,
};
use crate::Fault;

/// When a commit is noted, and how chunks follow.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Up to how many changed chunks are written at once: that costs no more than a note.
    few: usize,
    /// How many may be taken in one note. Who takes more takes many from each chunk.
    in_note: usize,
    /// How many have to be noted before the chunks begin to follow: the more, the more of them are in one chunk. Up to
    /// twice as many are noted then, which is what the next server has to read.
    begin_at: usize,
}

const LIMITS: Limits = Limits { few: 8, in_note: 1_024, begin_at: 4_096 };

/// A tag, and the seq of a passport that was taken out of its pool.
type Taken = (u32, u64);

/// The pool, seen through the changes of the running transaction.
pub(super) struct Pool {
    limits: Limits,
    chunks: Sets,
    /// None before they were read, and whenever what is remembered was forgotten.
    notes: Option<Notes>,
    /// What was taken since the last note.
    taken: Vec<Taken>,
}

/// The rows of `taken`.
#[derive(Default)]
struct Notes {
    last: i64,
    /// How many passports are noted.
    count: usize,
    /// True if this transaction may add none: something came into the pool, which a note from before would take out again,
    /// or another writer has noted something, which whoever reads it brings to an end.
    are_over: bool,
    /// How many chunks are to follow before they have caught up.
    owed: usize,
    way: Option<Way>,
}

/// Chunks are following the notes up to this one.
struct Way {
    up_to: i64,
    /// Those that are still to follow, the last of them first.
    left: Vec<(u32, u32)>,
    /// How many passports were noted since it was set out on.
    noted_since: usize,
}

impl Pool {
    pub(super) const fn new() -> Self {
        Self::with(LIMITS)
    }

    const fn with(limits: Limits) -> Self {
        Self { limits, chunks: Sets::new(Table::Pool), notes: None, taken: Vec::new() }
    }

    pub(super) fn insert(&mut self, db: &Connection, tag: u32, seq: u64) -> Result<(), Fault> {
        self.notes(db)?.are_over = true;
        self.chunks.insert(db, tag, seq)
    }

    /// Takes a passport out of a pool in which it has to be.
    pub(super) fn remove(&mut self, db: &Connection, tag: u32, seq: u64) -> Result<(), Fault> {
        self.notes(db)?;
        self.chunks.remove(db, tag, seq)?;
        self.taken.push((tag, seq));
        Ok(())
    }

    /// What a tag's chunk holds.
    pub(super) fn chunk(&mut self, db: &Connection, tag: u32, chunk: u32) -> Result<&Bits, Fault> {
        self.notes(db)?;
        self.chunks.chunk(db, tag, chunk)
    }

    /// A tag's first chunk from this one on that holds anything.
    pub(super) fn next(&mut self, db: &Connection, tag: u32, from: u32) -> Result<Option<u32>, Fault> {
        self.notes(db)?;
        self.chunks.next(db, tag, from)
    }

    /// Writes or notes what was changed.
    pub(super) fn flush(&mut self, db: &Connection) -> Result<(), Fault> {
        let Limits { few, in_note, .. } = self.limits;
        let Notes { are_over, way, .. } = self.notes(db)?;
        let (are_over, on_their_way) = (*are_over, way.as_ref().map_or(0, |way| way.left.len()));
        if are_over || self.chunks.changed() + on_their_way <= few || self.taken.len() > in_note {
            self.write_all(db)
        } else {
            self.note(db)
        }
    }

    /// Writes every chunk that is not as it is in memory, so that nothing is noted any more.
    pub(super) fn write_all(&mut self, db: &Connection) -> Result<(), Fault> {
        let notes = self.notes(db)?;
        let (last, noted) = (notes.last, notes.count);
        let left = notes.way.take().map_or_else(Vec::new, |way| way.left);
        *notes = Notes { last, ..Notes::default() };
        self.taken.clear();
        let mut changed = self.chunks.take_changed();
        changed.extend(left);
        changed.sort_unstable(); // Neighbouring rows share pages.
        changed.into_iter().try_for_each(|place| self.chunks.write(db, place))?;
        if noted > 0 {
            db.prepare_cached("DELETE FROM taken")?.execute([])?;
        }
        Ok(())
    }

    /// To be called before each commit: lets some chunks follow the notes.
    pub(super) fn follow_up(&mut self, db: &Connection) -> Result<(), Fault> {
        let begin_at = self.limits.begin_at;
        let Some(notes) = &mut self.notes else { return Ok(()) };
        let Notes { last, count, owed, way, .. } = notes;
        if way.is_none() {
            if *count < begin_at {
                *owed = 0;
                return Ok(());
            }
            let mut left = self.chunks.take_changed();
            left.sort_unstable_by(|a, b| b.cmp(a));
            *way = Some(Way { up_to: *last, left, noted_since: 0 });
        }
        let Some(Way { up_to, left, noted_since }) = way else { return Ok(()) };
        let stays = left.len().saturating_sub(std::mem::take(owed));
        left.drain(stays..).rev().try_for_each(|place| self.chunks.write(db, place))?;
        if left.is_empty() {
            db.prepare_cached("DELETE FROM taken WHERE seq <= ?")?.execute([*up_to])?;
            (*count, *way) = (*noted_since, None);
        }
        Ok(())
    }

    /// Makes room, after a commit.
    pub(super) fn trim(&mut self) {
        self.chunks.trim();
    }

    /// Forgets everything: after a rollback, and when somebody else has written.
    pub(super) fn forget(&mut self) {
        self.chunks.forget();
        self.notes = None;
        self.taken.clear();
    }

    fn note(&mut self, db: &Connection) -> Result<(), Fault> {
        if self.taken.is_empty() {
            return Ok(());
        }
        let taken = std::mem::take(&mut self.taken);
        let notes = self.notes(db)?;
        notes.last += 1;
        notes.count += taken.len();
        // Twice as many follow as may have been changed, so that they get there.
        notes.owed += 2 * taken.len();
        if let Some(way) = &mut notes.way {
            way.noted_since += taken.len();
        }
        let tags = varint::write_any(taken.iter().map(|(tag, _)| u64::from(*tag)));
        let passports = varint::write_any(taken.iter().map(|(_, seq)| *seq));
        let sql = "INSERT INTO taken (seq, tags, passports) VALUES (?, ?, ?)";
        db.prepare_cached(sql)?.execute(params![notes.last, tags, passports])?;
        Ok(())
    }

    /// The notes, which nothing is known without.
    fn notes(&mut self, db: &Connection) -> Result<&mut Notes, Fault> {
        if self.notes.is_none() {
            let mut notes = Notes::default();
            for_each_taken(db, |note, (tag, seq)| {
                (notes.last, notes.count, notes.are_over) = (note, notes.count + 1, true);
                self.chunks.leave_out(db, tag, seq)
            })?;
            self.notes = Some(notes);
        }
        Ok(self.notes.as_mut().expect("they were read"))
    }
}

/// Reads all that is noted, with the number of the note.
pub(super) fn for_each_taken(
    db: &Connection,
    mut each: impl FnMut(i64, Taken) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = db.prepare_cached("SELECT seq, tags, passports FROM taken ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let note = row.get(0)?;
        let taken = read(row.get_ref(1)?.as_blob()?, row.get_ref(2)?.as_blob()?);
        let taken = taken
            .ok_or_else(|| Fault::Damaged(format!("what commit {note} has taken out of the pool is unreadable")))?;
        taken.into_iter().try_for_each(|taken| each(note, taken))?;
    }
    Ok(())
}

/// None if no note is written so.
fn read(tags: &[u8], passports: &[u8]) -> Option<Vec<Taken>> {
    let (tags, passports) = (varint::read_any(tags)?, varint::read_any(passports)?);
    if tags.len() != passports.len() {
        return None;
    }
    tags.into_iter().zip(passports).map(|(tag, seq)| Some((u32::try_from(tag).ok()?, seq))).collect()
}
