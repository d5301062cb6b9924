//! Previews: what a reset would do, remembered for some minutes with the version of each passport.

use passpool_core::{PreviewId, Refusal, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    bits::{bit_of, chunk_of, seq_of},
    history,
    passport::PassportRow,
    resettable,
    snapshot::Snapshot,
    varint,
};
use crate::{Fault, Preview, PreviewPage, ResetScope, Resettable, StoreError};

/// How many passports are found at once.
const AT_ONCE: usize = 5_000;

/// A passport as it was previewed.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) seq: u64,
    /// The journal's row about its last change.
    pub(super) changed: i64,
}

/// Finds what a reset would give back, in order of creation, and shows the first of them.
pub(super) fn look(db: &Connection, wish: &Preview, first: usize) -> Result<(Vec<Seen>, Vec<Resettable>), StoreError> {
    let mut rows = Vec::new();
    match &wish.scope {
        ResetScope::Named(ids) => rows.extend(resettable::named(db, ids, wish.now)?.iter().map(|(was, _)| seen(was))),
        ResetScope::Matching(matching) => {
            let snapshot = Snapshot::new(db)?;
            resettable::refuse_unknown(db, matching)?;
            let mut next = Some(0);
            while let Some(from) = next {
                let left =
                    matching.limit.map_or(AT_ONCE, |limit| (limit - rows.len() as u64).min(AT_ONCE as u64) as usize);
                let found = resettable::find(&snapshot, matching, wish.now, from, left)?;
                rows.extend(found.rows.iter().map(seen));
                next = found.next.filter(|_| matching.limit.is_none_or(|limit| (rows.len() as u64) < limit));
            }
        }
    }
    rows.sort_unstable_by_key(|seen| seen.seq);
    let first = rows.iter().take(first).map(|seen| shown(db, seen, wish.now)).collect::<Result<_, Fault>>()?;
    Ok((rows, first))
}

/// Remembers what was seen.
pub(super) fn write(db: &Connection, wish: &Preview, seen: &[Seen]) -> Result<(), Fault> {
    let sql = "INSERT INTO preview (id, at) VALUES (?, ?)";
    db.prepare_cached(sql)?.execute(params![wish.id.as_bytes(), wish.now.as_micros()])?;
    let sql = "INSERT INTO preview_chunk (preview, chunk, passports, versions) VALUES (?, ?, ?, ?)";
    let mut statement = db.prepare_cached(sql)?;
    for chunk in seen.chunk_by(|a, b| chunk_of(a.seq) == chunk_of(b.seq)) {
        let passports: Vec<u32> = chunk.iter().map(|seen| u32::from(bit_of(seen.seq))).collect();
        let versions = varint::write_any(chunk.iter().map(|seen| seen.changed.cast_unsigned()));
        let passports = varint::write_sorted(&passports);
        statement.execute(params![wish.id.as_bytes(), chunk_of(chunk[0].seq), passports, versions])?;
    }
    Ok(())
}

/// A page of what was seen, as it is now.
pub(super) fn page(
    db: &Connection,
    id: PreviewId,
    page: PreviewPage,
    now: Timestamp,
) -> Result<Vec<Resettable>, StoreError> {
    refuse_over(db, id, now)?;
    let from = match page.after {
        None => 0,
        Some(last) => PassportRow::visible_by_id(db, last)?.map_or(0, |row| row.seq + 1),
    };
    let mut found = Vec::new();
    let mut next = Some(chunk_of(from));
    while let Some(chunk) = next
        && let Some((number, seen)) = chunk_from(db, id, chunk)?
    {
        for seen in seen.into_iter().filter(|seen| seen.seq >= from) {
            if found.len() == page.limit {
                return Ok(found);
            }
            found.push(shown(db, &seen, now)?);
        }
        next = number.checked_add(1);
    }
    Ok(found)
}

/// A passport that was seen, as it is now.
fn shown(db: &Connection, seen: &Seen, now: Timestamp) -> Result<Resettable, Fault> {
    let row = PassportRow::by_seq(db, seen.seq)?;
    Ok(Resettable::of(row.id, &row.state, now))
}

/// The first chunk of a preview from this one on, and what was seen in it.
pub(super) fn chunk_from(db: &Connection, id: PreviewId, from: u32) -> Result<Option<(u32, Vec<Seen>)>, Fault> {
    let sql =
        "SELECT chunk, passports, versions FROM preview_chunk WHERE preview = ? AND chunk >= ? ORDER BY chunk LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![id.as_bytes(), from])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let chunk = row.get(0)?;
    let seen = read_chunk(chunk, row.get_ref(1)?.as_blob()?, row.get_ref(2)?.as_blob()?);
    Ok(Some((chunk, seen.ok_or_else(|| Fault::Damaged(format!("preview {id}, chunk {chunk} is unreadable")))?)))
}

/// True if nothing has happened to a passport since it was seen but looks at its link.
pub(super) fn is_unchanged(db: &Connection, row: &PassportRow, seen: Seen) -> Result<bool, Fault> {
    history::is_unchanged_since(db, row, seen.changed)
}

pub(super) fn refuse_over(db: &Connection, id: PreviewId, now: Timestamp) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached("SELECT at FROM preview WHERE id = ?")?;
    let at: Option<i64> = statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    match at {
        Some(at) if at > over_since(now) => Ok(()),
        _ => Err(Refusal::UnknownPreview(id).into()),
    }
}

/// True if there is a preview that is good no longer.
pub(super) fn any_over(db: &Connection, now: Timestamp) -> Result<bool, Fault> {
    Ok(db.prepare_cached("SELECT 1 FROM preview WHERE at <= ?")?.exists([over_since(now)])?)
}

/// Forgets one preview that is good no longer: at most some hundred rows.
pub(super) fn forget_one(db: &Connection, now: Timestamp) -> Result<u64, Fault> {
    let mut statement = db.prepare_cached("SELECT id FROM preview WHERE at <= ? LIMIT 1")?;
    let id: Option<[u8; 16]> = statement.query_row([over_since(now)], |row| row.get(0)).optional()?;
    let Some(id) = id else { return Ok(0) };
    db.prepare_cached("DELETE FROM preview_chunk WHERE preview = ?")?.execute([id])?;
    Ok(db.prepare_cached("DELETE FROM preview WHERE id = ?")?.execute([id])? as u64)
}

/// Shows what was seen in each chunk of each preview, by the chunk's name; none if it is unreadable.
pub(super) fn each_chunk(
    db: &Connection,
    mut each: impl FnMut(String, Option<Vec<Seen>>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT lower(hex(preview)), chunk, passports, versions FROM preview_chunk")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (preview, chunk): (String, i64) = (row.get(0)?, row.get(1)?);
        let seen = |chunk| Ok::<_, Fault>(read_chunk(chunk, row.get_ref(2)?.as_blob()?, row.get_ref(3)?.as_blob()?));
        let seen = u32::try_from(chunk).ok().map(seen).transpose()?.flatten();
        each(format!("preview rp_{preview}, chunk {chunk}"), seen)?;
    }
    Ok(())
}

fn read_chunk(chunk: u32, passports: &[u8], versions: &[u8]) -> Option<Vec<Seen>> {
    let (passports, versions) = (varint::read_sorted(passports)?, varint::read_any(versions)?);
    if passports.len() != versions.len() {
        return None;
    }
    let seen = passports.into_iter().zip(versions).map(|(bit, changed)| {
        Some(Seen { seq: seq_of(chunk, u16::try_from(bit).ok()?), changed: changed.cast_signed() })
    });
    seen.collect()
}

fn seen(row: &PassportRow) -> Seen {
    Seen { seq: row.seq, changed: row.changed }
}

/// Previews that are as old as this are over.
fn over_since(now: Timestamp) -> i64 {
    now.minus(Preview::good_for()).as_micros()
}
