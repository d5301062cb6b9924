//! Undoing resets: what a reset took away is kept for a day, and is given back to whom nothing else happened.

use passpool_core::{Actor, Event, Refusal, ResetId, State, StateName, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    history,
    ledger::{Change, Ledger},
    passport::{Columns, PassportRow, read_state},
    recipient, visit,
};
use crate::{Fault, KeptReset, ResetUndone, StoreError, UndoReset};

/// How many are undone, or forgotten, in one transaction.
const AT_ONCE: usize = 5_000;

/// Begins a reset that can be undone, if it was not begun by an earlier slice.
pub(super) fn begin(db: &Connection, id: ResetId, by: &Actor, now: Timestamp) -> Result<(), Fault> {
    let sql = "INSERT INTO reset (id, at, actor) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    db.prepare_cached(sql)?.execute(params![id.as_bytes(), now.as_micros(), by.to_string()])?;
    Ok(())
}

/// Remembers what a passport counted for. To be called before it is reset; `changed` is the row that will tell of that.
pub(super) fn remember(
    db: &Connection,
    id: ResetId,
    was: &PassportRow,
    now: Timestamp,
    changed: i64,
) -> Result<(), Fault> {
    // A transfer that was not settled in time has failed, also where nobody has written that down yet.
    let state = was.state.clone().as_of(now);
    let columns = Columns::of(&state);
    let visit = columns.kiosk.map(|_| visit::by_passport(db, was.seq)).transpose()?.flatten();
    let (visitor, address) = visit.map_or((None, None), |(visitor, address)| (Some(visitor), address));
    let sql = "INSERT INTO reset_passport (reset, passport, changed, state, secret, number, sealed, handed_at, until, \
               reservation, kiosk, visitor, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        was.seq,
        changed,
        state.name() as u8,
        columns.secret,
        columns.number,
        columns.sealed,
        columns.handed_at,
        columns.until,
        columns.reservation,
        columns.kiosk,
        visitor,
        address,
    ])?;
    Ok(())
}

/// What a slice of an undo did, and whether there is more to do.
pub(super) struct Slice {
    pub(super) undone: ResetUndone,
    pub(super) has_more: bool,
}

/// Undoes a few thousand, whose records are then gone: what was undone cannot be undone again.
pub(super) fn undo_slice(ledger: &mut Ledger, wish: &UndoReset) -> Result<Slice, StoreError> {
    refuse_over(&ledger.db, wish)?;
    let remembered = remembered(&ledger.db, wish.id)?;
    let mut undone = ResetUndone::default();
    for before in &remembered {
        match give_back(ledger, before, wish)? {
            true => undone.count += 1,
            false => undone.others += 1,
        }
        let sql = "DELETE FROM reset_passport WHERE reset = ? AND passport = ?";
        ledger.db.prepare_cached(sql)?.execute(params![wish.id.as_bytes(), before.seq])?;
    }
    let has_more = remembered.len() == AT_ONCE;
    if !has_more {
        let sql = "UPDATE reset SET undone = ? WHERE id = ?";
        ledger.db.prepare_cached(sql)?.execute(params![wish.now.as_micros(), wish.id.as_bytes()])?;
    }
    Ok(Slice { undone, has_more })
}

/// True if there is a reset that can no longer be undone.
pub(super) fn any_over(db: &Connection, now: Timestamp) -> Result<bool, Fault> {
    Ok(db.prepare_cached("SELECT 1 FROM reset WHERE at <= ?")?.exists([over_since(now)])?)
}

/// Forgets what can no longer be undone, and answers how many passports and resets that were.
pub(super) fn forget(db: &Connection, now: Timestamp) -> Result<u64, Fault> {
    let sql = "DELETE FROM reset_passport WHERE (reset, passport) IN (SELECT reset, passport FROM reset_passport \
               WHERE reset IN (SELECT id FROM reset WHERE at <= ?) LIMIT ?)";
    let passports = db.prepare_cached(sql)?.execute(params![over_since(now), AT_ONCE])?;
    if passports == AT_ONCE {
        return Ok(passports as u64);
    }
    let resets = db.prepare_cached("DELETE FROM reset WHERE at <= ?")?.execute([over_since(now)])?;
    Ok((passports + resets) as u64)
}

/// What a passport was before a reset.
struct Remembered {
    seq: u64,
    /// The journal's row about the reset.
    changed: i64,
    state: State,
    visitor: Option<Vec<u8>>,
    address: Option<Vec<u8>>,
}

fn remembered(db: &Connection, id: ResetId) -> Result<Vec<Remembered>, Fault> {
    // The columns of a state stand where those of a passport stand.
    let sql = "SELECT passport, 0, state, changed, NULL, NULL, secret, sealed, NULL, number, handed_at, until, reservation, \
               NULL, NULL, kiosk, visitor, address FROM reset_passport WHERE reset = ? ORDER BY passport LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![id.as_bytes(), AT_ONCE])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<Remembered, Fault> {
    let seq = row.get(0)?;
    let state = read_state(row)?;
    Ok(Remembered {
        seq,
        changed: row.get(3)?,
        state: state.ok_or_else(|| Fault::Damaged(format!("what passport number {seq} was is no state")))?,
        visitor: row.get(16)?,
        address: row.get(17)?,
    })
}

/// False if something happened to the passport since, or its hold has ended.
fn give_back(ledger: &mut Ledger, before: &Remembered, wish: &UndoReset) -> Result<bool, Fault> {
    let was = PassportRow::by_seq(&ledger.db, before.seq)?;
    if !history::is_unchanged_since(&ledger.db, &was, before.changed)? {
        return Ok(false);
    }
    let Ok(state) = was.state.clone().undo_reset(before.state.clone(), wish.now) else { return Ok(false) };
    let event = match state.name() {
        StateName::Scanned => Event::RestoredScanned,
        StateName::Recovered => Event::RestoredRecovered,
        _ => Event::RestoredReserved,
    };
    let becomes = was.with(state);
    ledger.change(&was, &becomes, Change { event, by: &wish.by, at: wish.now }, "")?;
    recipient::came_back(&ledger.db, &becomes)?;
    let kiosk = becomes.state.hand_out().and_then(|hand_out| hand_out.kiosk);
    if let (Some(kiosk), Some(visitor)) = (kiosk, &before.visitor) {
        visit::write_again(&ledger.db, kiosk, visitor, before.address.as_deref(), before.seq)?;
    }
    Ok(true)
}

fn refuse_over(db: &Connection, wish: &UndoReset) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached("SELECT at, undone FROM reset WHERE id = ?")?;
    let known = statement
        .query_row([wish.id.as_bytes()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?.is_some())));
    match known.optional()? {
        Some((at, _)) if at <= over_since(wish.now) => Err(Refusal::UnknownReset(wish.id).into()),
        Some((_, true)) => Err(Refusal::ResetUndone(wish.id).into()),
        Some((_, false)) => Ok(()),
        None => Err(Refusal::UnknownReset(wish.id).into()),
    }
}

/// Resets that are as old as this are over.
fn over_since(now: Timestamp) -> i64 {
    now.minus(KeptReset::undo_within()).as_micros()
}

/// Tells of every record that is no state.
pub(super) fn check_readable(db: &Connection, mut wrong: impl FnMut(String)) -> Result<(), Fault> {
    let sql = "SELECT passport, 0, state, changed, NULL, NULL, secret, sealed, NULL, number, handed_at, until, reservation, \
               NULL, NULL, kiosk, visitor, address FROM reset_passport";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(_) => {}
            Err(Fault::Damaged(what)) => wrong(what),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
