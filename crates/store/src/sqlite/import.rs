//! New passports: a few in one transaction, or many in an import that nobody sees before it is whole.
//!
//! Each batch of an import fills a chunk of its own, and the chunk is hidden until the import is published. So a batch
//! is as small as any other work of the writer, publication takes away one row for each 4,096 passports, and what a
//! dead import left is found and taken back chunk by chunk.

use std::collections::BTreeSet;

use passpool_core::{Content, Event, NewPassport, PassportId, Refusal, State, Tags};
use rusqlite::{Connection, ErrorCode, OptionalExtension};

use super::{
    bits::{CHUNK, chunk_of, seq_of},
    content,
    ledger::{Change, Ledger},
    passport::PassportRow,
    sets::EVERY_PASSPORT,
    varint,
};
use crate::{Create, Fault, ImportBatch, ImportId, ImportTerms, StoreError};

/// Makes passports that are visible at once.
pub(super) fn create(ledger: &mut Ledger, wish: &Create) -> Result<u64, StoreError> {
    let mut first = highest_seq(&ledger.db)?.map_or(0, |seq| seq + 1);
    if ledger.hidden.contains(&chunk_of(first)) {
        first = seq_of(chunk_of(first) + 1, 0);
    }
    let made = ledger.part(|ledger| insert_all(ledger, &wish.passports, &wish.terms, first, None))?;
    ledger.pools_grew();
    Ok(made)
}

pub(super) fn begin(ledger: &mut Ledger, terms: &ImportTerms) -> Result<ImportId, StoreError> {
    let sql = "INSERT INTO import (begun_at) VALUES (?)";
    ledger.db.prepare_cached(sql).and_then(|mut insert| insert.execute([terms.now.as_micros()]))?;
    Ok(ImportId(ledger.db.last_insert_rowid()))
}

pub(super) fn add(ledger: &mut Ledger, batch: &ImportBatch) -> Result<u64, StoreError> {
    assert!(batch.passports.len() <= Create::MAX, "a batch fills one chunk");
    let sql = "SELECT 1 FROM import WHERE id = ?";
    let runs = ledger.db.prepare_cached(sql).and_then(|mut look| look.exists([batch.import.0]))?;
    if !runs {
        return Err(Refusal::ImportOver.into());
    }
    let chunk = highest_seq(&ledger.db)?.map_or(0, |seq| chunk_of(seq) + 1);
    let added = ledger.part(|ledger| {
        let sql = "INSERT INTO hidden (chunk, import) VALUES (?, ?)";
        ledger.db.prepare_cached(sql).and_then(|mut hide| hide.execute((chunk, batch.import.0)))?;
        let added = insert_all(ledger, &batch.passports, &batch.terms, seq_of(chunk, 0), Some(batch.import))?;
        if added == 0 {
            // Every id was known, so the chunk is empty and the next batch takes it.
            ledger.db.prepare_cached("DELETE FROM hidden WHERE chunk = ?")?.execute([chunk])?;
        }
        Ok(added)
    });
    ledger.load_hidden()?;
    added
}

pub(super) fn publish(ledger: &mut Ledger, import: ImportId) -> Result<(), StoreError> {
    ledger.db.execute("DELETE FROM hidden WHERE import = ?", [import.0])?;
    let ended = ledger.db.execute("DELETE FROM import WHERE id = ?", [import.0])?;
    if ended == 0 {
        return Err(Refusal::ImportOver.into());
    }
    ledger.load_hidden()?;
    ledger.pools_grew();
    ledger.tallies.drop_all(&ledger.db)?;
    Ok(())
}

/// True if an import runs, or left something.
pub(super) fn any(db: &Connection) -> Result<bool, Fault> {
    Ok(db.prepare_cached("SELECT 1 FROM import")?.exists([])?)
}

/// Takes back one chunk of the imports that never were published; answers whether there may be more.
pub(super) fn sweep_chunk(ledger: &mut Ledger) -> Result<bool, StoreError> {
    let chunk = ledger.hidden.first().copied();
    let Some(chunk) = chunk else {
        ledger.db.execute("DELETE FROM import", [])?;
        return Ok(false);
    };
    delete_chunk(ledger, chunk)?;
    ledger.forget_tags();
    ledger.load_hidden()?;
    Ok(true)
}

fn delete_chunk(ledger: &mut Ledger, chunk: u32) -> Result<(), Fault> {
    ledger.drop_chunks()?;
    let db = &ledger.db;
    let (first, behind) = (seq_of(chunk, 0), seq_of(chunk, 0) + CHUNK);
    let mut tags = BTreeSet::from([EVERY_PASSPORT]);
    let mut select = db.prepare_cached("SELECT tags, changed FROM passport WHERE seq >= ? AND seq < ?")?;
    let mut rows = select.query([first, behind])?;
    let mut unwrite = db.prepare_cached("DELETE FROM journal WHERE seq = ?")?;
    while let Some(row) = rows.next()? {
        let ids = varint::read_sorted(row.get_ref(0)?.as_blob()?);
        tags.extend(ids.ok_or_else(|| Fault::Damaged(format!("tags in chunk {chunk} are unreadable")))?);
        unwrite.execute([row.get::<_, i64>(1)?])?;
    }
    for tag in tags {
        db.prepare_cached("DELETE FROM pool WHERE tag = ? AND chunk = ?")?.execute([tag, chunk])?;
        db.prepare_cached("DELETE FROM tagged WHERE tag = ? AND chunk = ?")?.execute([tag, chunk])?;
        // A name that nobody else has goes too. Number 0 is no tag's.
        let sql = "DELETE FROM tag WHERE id = ? AND NOT EXISTS (SELECT 1 FROM tagged WHERE tagged.tag = tag.id)";
        db.prepare_cached(sql)?.execute([tag])?;
    }
    db.prepare_cached("DELETE FROM passport WHERE seq >= ? AND seq < ?")?.execute([first, behind])?;
    db.prepare_cached("DELETE FROM hidden WHERE chunk = ?")?.execute([chunk])?;
    Ok(())
}

fn highest_seq(db: &Connection) -> Result<Option<u64>, Fault> {
    Ok(db.prepare_cached("SELECT max(seq) FROM passport")?.query_row([], |row| row.get(0))?)
}

fn insert_all(
    ledger: &mut Ledger,
    passports: &[NewPassport],
    terms: &ImportTerms,
    first: u64,
    import: Option<ImportId>,
) -> Result<u64, StoreError> {
    let rows = rows(ledger, passports, first)?;
    let made = insert_rows(&ledger.db, rows, terms.skip_known, import)?;
    let event = if terms.imported { Event::Imported } else { Event::Created };
    ledger.write_journal_of_new(first, made.len(), Change { event, by: &terms.by, at: terms.now })?;
    for row in &made {
        add_to_sets(ledger, row)?;
        if import.is_none() {
            ledger.tallies.made(&row.tags);
        }
    }
    Ok(made.len() as u64)
}

/// The rows of new passports, each at the place that it has if all before it are new.
fn rows(ledger: &mut Ledger, passports: &[NewPassport], first: u64) -> Result<Vec<PassportRow>, Fault> {
    let mut looked_up = LookedUp::default();
    let journal = ledger.next_journal_seq();
    let mut row = |(place, new): (u32, &NewPassport)| {
        Ok(PassportRow {
            seq: first + u64::from(place),
            id: new.id,
            state: State::Available(new.code.clone()),
            changed: journal + i64::from(place),
            tags: looked_up.tags(ledger, &new.tags)?,
            content: looked_up.content(ledger, &new.content)?,
        })
    };
    (0..).zip(passports).map(&mut row).collect()
}

/// Writes the rows, and answers those that are there now. Whoever comes after one that is passed over moves up.
fn insert_rows(
    db: &Connection,
    rows: Vec<PassportRow>,
    skip_known: bool,
    import: Option<ImportId>,
) -> Result<Vec<PassportRow>, StoreError> {
    let Some(first) = rows.first().map(|row| row.seq) else { return Ok(rows) };
    let mut insert = db.prepare_cached(PassportRow::INSERT).map_err(Fault::from)?;
    let (mut made, mut passed_over) = (Vec::with_capacity(rows.len()), 0_u32);
    for mut row in rows {
        row.seq -= u64::from(passed_over);
        row.changed -= i64::from(passed_over);
        match row.insert(&mut insert) {
            Ok(()) => made.push(row),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                match refuse_taken(db, row.id, first, import)? {
                    Refusal::IdUsed(_) if skip_known => passed_over += 1,
                    refusal => return Err(refusal.into()),
                }
            }
            Err(error) => return Err(Fault::from(error).into()),
        }
    }
    Ok(made)
}

fn add_to_sets(ledger: &mut Ledger, row: &PassportRow) -> Result<(), Fault> {
    ledger.tagged.insert(&ledger.db, EVERY_PASSPORT, row.seq)?;
    for tag in &row.tags {
        ledger.tagged.insert(&ledger.db, *tag, row.seq)?;
        if row.is_in_pool() {
            ledger.pool.insert(&ledger.db, *tag, row.seq)?;
        }
    }
    Ok(())
}

/// Whether an id that is taken was taken before, or by the very work that wants it.
fn refuse_taken(db: &Connection, id: PassportId, first: u64, import: Option<ImportId>) -> Result<Refusal, Fault> {
    let sql = "SELECT seq, (SELECT import FROM hidden WHERE chunk = seq >> 12) FROM passport WHERE id = ?";
    let taken =
        db.prepare_cached(sql)?.query_row([id.get()], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, Option<i64>>(1)?)));
    let Some((seq, hidden_by)) = taken.optional()? else {
        return Err(Fault::Damaged(format!("passport {id} cannot be written, and does not exist")));
    };
    let by_this = seq >= first || (import.is_some() && hidden_by == import.map(|import| import.0));
    Ok(if by_this { Refusal::IdDoubled(id) } else { Refusal::IdUsed(id) })
}

/// What the passport before had: an import seldom changes tags and content from line to line.
#[derive(Default)]
struct LookedUp {
    tags: Option<(Tags, Vec<u32>)>,
    content: Option<(Content, Option<i64>)>,
}

impl LookedUp {
    fn tags(&mut self, ledger: &mut Ledger, tags: &Tags) -> Result<Vec<u32>, Fault> {
        if let Some((known, ids)) = &self.tags
            && known == tags
        {
            return Ok(ids.clone());
        }
        let mut ids = tags.iter().map(|tag| ledger.tag_id_or_new(tag)).collect::<Result<Vec<_>, _>>()?;
        ids.sort_unstable();
        self.tags = Some((tags.clone(), ids.clone()));
        Ok(ids)
    }

    fn content(&mut self, ledger: &Ledger, content: &Content) -> Result<Option<i64>, Fault> {
        if let Some((known, id)) = &self.content
            && known == content
        {
            return Ok(*id);
        }
        let id = content::store(&ledger.db, content)?;
        self.content = Some((content.clone(), id));
        Ok(id)
    }
}
