//! Undoing resets: what a reset took away is kept for a day, and is given back to whom nothing else happened.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use passpool_core::{Actor, Event, Refusal, ResetId, State, StateName, Timestamp};
use tokio_postgres::Row;

use super::{
    connection::Session,
    history,
    ledger::{Change, Ledger},
    passport::{PassportRow, Reading, read_state},
    recipient,
    typed::typed,
    visit,
};
use crate::{Fault, KeptReset, ResetUndone, StoreError, UndoReset};

/// How many are undone, or forgotten, in one transaction.
const AT_ONCE: i64 = 5_000;

/// The columns that [`read`] wants: what a passport has besides, none had that was reset.
macro_rules! columns {
    () => {
        "*, NULL::boolean AS printed, NULL::bytea AS owner, NULL::bigint AS settle_by"
    };
}

/// Begins a reset that can be undone, if it was not begun by an earlier slice.
pub(super) async fn begin(db: &Session, id: ResetId, by: &Actor, now: Timestamp) -> Result<(), Fault> {
    let sql = "INSERT INTO reset (id, at, actor) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    db.execute(sql, typed![id.as_bytes().to_vec(), now.as_micros(), by.to_string()]).await.map(drop)
}

/// Remembers what these passports are. To be called before they are reset; which row tells of that is filled in by
/// [`mark`].
pub(super) async fn remember(db: &Session, id: ResetId, seqs: &[i64]) -> Result<(), Fault> {
    let sql = "INSERT INTO reset_passport (reset, passport, changed, state, secret, number, sealed, handed_at, until, \
                   reservation, kiosk, visitor, address) \
               SELECT $1, seq, changed, state, secret, number, sealed, handed_at, until, reservation, passport.kiosk, \
                   visitor, address \
               FROM passport LEFT JOIN visit ON visit.passport = passport.seq WHERE seq = ANY($2)";
    db.execute(sql, typed![id.as_bytes().to_vec(), seqs.to_vec()]).await.map(drop)
}

/// Writes down which rows of the journal tell of the reset.
pub(super) async fn mark(db: &Session, id: ResetId, seqs: &[i64]) -> Result<(), Fault> {
    let sql = "UPDATE reset_passport SET changed = passport.changed FROM passport \
               WHERE reset = $1 AND reset_passport.passport = ANY($2) AND passport.seq = reset_passport.passport";
    db.execute(sql, typed![id.as_bytes().to_vec(), seqs.to_vec()]).await.map(drop)
}

/// What a slice of an undo did, and whether there is more to do.
pub(super) struct Slice {
    pub(super) undone: ResetUndone,
    pub(super) has_more: bool,
}

/// Undoes a few thousand, whose records are then gone: what was undone cannot be undone again.
pub(super) async fn undo_slice(ledger: &Ledger, wish: &UndoReset) -> Result<Slice, StoreError> {
    refuse_over(ledger, wish).await?;
    let remembered = remembered(ledger, wish.id).await?;
    let seqs: Vec<i64> = remembered.iter().map(|before| before.seq).collect();
    let given_back = give_back(ledger, &remembered, &seqs, wish).await?;
    let sql = "DELETE FROM reset_passport WHERE reset = $1 AND passport = ANY($2)";
    ledger.execute(sql, typed![wish.id.as_bytes().to_vec(), seqs]).await?;
    let has_more = remembered.len() as i64 == AT_ONCE;
    if !has_more {
        let sql = "UPDATE reset SET undone = $1 WHERE id = $2";
        ledger.execute(sql, typed![wish.now.as_micros(), wish.id.as_bytes().to_vec()]).await?;
    }
    let undone = ResetUndone { count: given_back, others: remembered.len() as u64 - given_back };
    Ok(Slice { undone, has_more })
}

/// True if there is a reset that can no longer be undone.
pub(super) async fn any_over(db: &Session, now: Timestamp) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM reset WHERE at <= $1)";
    Ok(db.query_one(sql, typed![over_since(now)]).await?.try_get(0)?)
}

/// Forgets what can no longer be undone, a few thousand passports at once, and answers how many passports and resets
/// that were.
pub(super) async fn forget(db: &Session, now: Timestamp) -> Result<u64, Fault> {
    let sql = "DELETE FROM reset_passport WHERE (reset, passport) IN (SELECT reset, passport FROM reset_passport \
               WHERE reset IN (SELECT id FROM reset WHERE at <= $1) LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let passports = db.execute(sql, typed![over_since(now), AT_ONCE]).await?;
    let sql = "DELETE FROM reset WHERE at <= $1 AND NOT EXISTS (SELECT 1 FROM reset_passport WHERE reset = reset.id)";
    Ok(passports + db.execute(sql, typed![over_since(now)]).await?)
}

/// What a passport was before a reset.
struct Remembered {
    seq: i64,
    /// The journal's row about the reset.
    changed: i64,
    state: State,
    visitor: Option<Vec<u8>>,
    address: Option<Vec<u8>>,
}

async fn remembered(db: &Session, id: ResetId) -> Result<Vec<Remembered>, Fault> {
    let sql =
        concat!("SELECT ", columns!(), " FROM reset_passport WHERE reset = $1 ORDER BY passport LIMIT $2 FOR UPDATE");
    db.query(sql, typed![id.as_bytes().to_vec(), AT_ONCE]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Remembered, Fault> {
    let seq: i64 = row.try_get("passport")?;
    let state = read_state(row)?;
    Ok(Remembered {
        seq,
        changed: row.try_get("changed")?,
        state: state.ok_or_else(|| Fault::Damaged(format!("what passport number {seq} was is no state")))?,
        visitor: row.try_get("visitor")?,
        address: row.try_get("address")?,
    })
}

/// Gives back those to which nothing happened since and whose hold still runs, and answers how many.
async fn give_back(ledger: &Ledger, remembered: &[Remembered], seqs: &[i64], wish: &UndoReset) -> Result<u64, Fault> {
    let rows = PassportRow::by_seqs(ledger, seqs, Reading::ToChange).await?;
    let seen: Vec<(i64, i64)> = remembered.iter().map(|before| (before.seq, before.changed)).collect();
    let mut unchanged = history::unchanged_since(ledger, &seen).await?;
    unchanged.sort_unstable();
    let (mut changes, mut visits) = (Vec::new(), Vec::new());
    for before in remembered {
        let Ok(at) = rows.binary_search_by_key(&before.seq, |row| row.seq) else { continue };
        if unchanged.binary_search(&before.seq).is_err() {
            continue;
        }
        let was = &rows[at];
        let Ok(becomes) = was.state.clone().undo_reset(before.state.clone(), wish.now) else { continue };
        let event = match becomes.name() {
            StateName::Scanned => Event::RestoredScanned,
            StateName::Recovered => Event::RestoredRecovered,
            _ => Event::RestoredReserved,
        };
        if let (Some(kiosk), Some(visitor)) = (becomes.hand_out().and_then(|hand_out| hand_out.kiosk), &before.visitor)
        {
            visits.push(visit::Again {
                seq: before.seq,
                kiosk,
                visitor: visitor.clone(),
                address: before.address.clone(),
            });
        }
        changes.push(Change { was, becomes, event, by: &wish.by, at: wish.now, detail: String::new() });
    }
    ledger.change(&changes).await?;
    recipient::came_back(ledger, &changes).await?;
    visit::write_again(ledger, &visits).await?;
    Ok(changes.len() as u64)
}

async fn refuse_over(db: &Session, wish: &UndoReset) -> Result<(), StoreError> {
    let sql = "SELECT at, undone IS NOT NULL FROM reset WHERE id = $1 FOR UPDATE";
    let Some(row) = db.query_opt(sql, typed![wish.id.as_bytes().to_vec()]).await? else {
        return Err(Refusal::UnknownReset(wish.id).into());
    };
    match (row.try_get::<_, i64>(0)? <= over_since(wish.now), row.try_get(1)?) {
        (true, _) => Err(Refusal::UnknownReset(wish.id).into()),
        (false, true) => Err(Refusal::ResetUndone(wish.id).into()),
        (false, false) => Ok(()),
    }
}

/// Resets that are as old as this are over.
fn over_since(now: Timestamp) -> i64 {
    now.minus(KeptReset::undo_within()).as_micros()
}

/// Tells of every record that is no state.
pub(super) async fn check_readable(db: &Session, mut wrong: impl FnMut(String)) -> Result<(), Fault> {
    let mut rows = pin!(db.stream(concat!("SELECT ", columns!(), " FROM reset_passport")).await?);
    while let Some(row) = rows.try_next().await? {
        match read(&row) {
            Ok(_) => {}
            Err(Fault::Damaged(what)) => wrong(what),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
