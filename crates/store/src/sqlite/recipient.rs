//! Recipients: for whom passports were reserved, as long as nobody erased them.

use passpool_core::{
    KeptRecipient, PassportId, Personal, Recipient, RecipientId, Reference, Refusal, ReservationId, State, Timestamp,
};
use rusqlite::{Connection, Row, params};

use super::passport::PassportRow;
use crate::{Fault, RecipientInfo, RecipientPage, StoreError};

/// How many are forgotten in one transaction.
const AT_ONCE: usize = 2_000;

/// The columns that [`read`] wants, in its order.
macro_rules! columns {
    () => {
        "recipient.id, name, email, reference"
    };
}

/// Left before ?1, and so did every other passport of the same reference.
macro_rules! forgettable {
    () => {
        "left_at IS NOT NULL AND left_at < ?1 AND NOT EXISTS (SELECT 1 FROM recipient AS other \
         WHERE other.reference = recipient.reference AND ifnull(other.left_at >= ?1, 1))"
    };
}

/// Writes down for whom a passport was reserved.
pub(super) fn write(
    db: &Connection,
    id: RecipientId,
    recipient: &Recipient,
    reservation: ReservationId,
    seq: u64,
) -> Result<(), Fault> {
    let sql =
        "INSERT INTO recipient (id, reservation, passport, name, email, reference) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        reservation.as_bytes(),
        seq,
        recipient.name().map(Personal::reveal),
        recipient.email().map(Personal::reveal),
        recipient.reference().map(Reference::as_str),
    ])?;
    Ok(())
}

/// For whom a reservation has this passport, if it is known.
pub(super) fn of(db: &Connection, reservation: ReservationId, seq: u64) -> Result<Option<KeptRecipient>, Fault> {
    let sql = concat!("SELECT ", columns!(), " FROM recipient WHERE passport = ? AND reservation = ?");
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![seq, reservation.as_bytes()])?;
    rows.next()?.map(read).transpose()
}

/// Keeps a recipient in step with the passport: from the moment at which nobody may claim it by this reservation any
/// more, the days are counted after which its recipient is forgotten.
pub(super) fn follow(db: &Connection, was: &PassportRow, becomes: &PassportRow, at: Timestamp) -> Result<(), Fault> {
    let Some(reservation) = waits_for_claim(&was.state) else { return Ok(()) };
    if waits_for_claim(&becomes.state) != Some(reservation) {
        let sql = "UPDATE recipient SET left_at = ? WHERE passport = ? AND reservation = ?";
        db.prepare_cached(sql)?.execute(params![at.as_micros(), was.seq, reservation.as_bytes()])?;
    }
    Ok(())
}

/// Counts no days any more: a reset was undone.
pub(super) fn came_back(db: &Connection, becomes: &PassportRow) -> Result<(), Fault> {
    if let Some(reservation) = waits_for_claim(&becomes.state) {
        let sql = "UPDATE recipient SET left_at = NULL WHERE passport = ? AND reservation = ?";
        db.prepare_cached(sql)?.execute(params![becomes.seq, reservation.as_bytes()])?;
    }
    Ok(())
}

pub(super) fn list(db: &Connection, page: &RecipientPage) -> Result<Vec<RecipientInfo>, Fault> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        ", recipient.reservation, passport.id, left_at FROM recipient JOIN passport ON seq = passport \
         WHERE recipient.id > ?1 ORDER BY recipient.id LIMIT ?2"
    );
    // One person has few passports, so sorting them is cheap; the plus keeps SQLite from walking everybody instead.
    let of_one = concat!(
        "SELECT ",
        columns!(),
        ", recipient.reservation, passport.id, left_at FROM recipient JOIN passport ON seq = passport \
         WHERE +recipient.id > ?1 AND reference = ?3 ORDER BY +recipient.id LIMIT ?2"
    );
    let after = page.after.map_or([0; 16], |after| *after.as_bytes());
    let mut statement = db.prepare_cached(if page.reference.is_some() { of_one } else { sql })?;
    let mut rows = match &page.reference {
        Some(reference) => statement.query(params![after, page.limit, reference.as_str()])?,
        None => statement.query(params![after, page.limit])?,
    };
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let passport = PassportId::new(row.get(5)?).map_err(|error| Fault::Damaged(error.to_string()))?;
        found.push(RecipientInfo {
            recipient: read(row)?,
            reservation: ReservationId::from_stored(row.get(4)?),
            passport,
            left_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_micros),
        });
    }
    Ok(found)
}

pub(super) fn erase(db: &Connection, id: RecipientId) -> Result<(), StoreError> {
    let erased =
        overwriting(db, || Ok(db.prepare_cached("DELETE FROM recipient WHERE id = ?")?.execute([id.as_bytes()])?))?;
    if erased == 0 { Err(Refusal::UnknownRecipient(id).into()) } else { Ok(()) }
}

pub(super) fn erase_of(db: &Connection, reference: &Reference) -> Result<u64, Fault> {
    overwriting(db, || {
        let sql = "DELETE FROM recipient WHERE reference = ?";
        Ok(db.prepare_cached(sql)?.execute([reference.as_str()])? as u64)
    })
}

/// True if there is anybody to forget.
pub(super) fn any_to_forget(db: &Connection, left_before: Timestamp) -> Result<bool, Fault> {
    let sql = concat!("SELECT 1 FROM recipient INDEXED BY recipient_left WHERE ", forgettable!());
    Ok(db.prepare_cached(sql)?.exists([left_before.as_micros()])?)
}

/// Erases those whose passports all left before this moment, who left first.
pub(super) fn forget(db: &Connection, left_before: Timestamp) -> Result<u64, Fault> {
    overwriting(db, || {
        let sql = concat!(
            "DELETE FROM recipient WHERE id IN (SELECT id FROM recipient INDEXED BY recipient_left WHERE ",
            forgettable!(),
            " ORDER BY left_at LIMIT ?2)"
        );
        Ok(db.prepare_cached(sql)?.execute(params![left_before.as_micros(), AT_ONCE])? as u64)
    })
}

/// The reservation by which somebody may still claim the passport.
fn waits_for_claim(state: &State) -> Option<ReservationId> {
    match state {
        State::Reserved(hand_out) | State::Scanned(hand_out) | State::Pending { hand_out, .. } => hand_out.reservation,
        _ => None,
    }
}

/// What is deleted here is overwritten with zeros, so that the file's free pages do not tell names.
fn overwriting<T>(db: &Connection, erase: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    db.pragma_update(None, "secure_delete", true)?;
    let erased = erase();
    db.pragma_update(None, "secure_delete", false)?;
    erased
}

fn read(row: &Row<'_>) -> Result<KeptRecipient, Fault> {
    let personal = |at: usize| row.get::<_, Option<String>>(at).map(|text| text.map(Personal::from_stored));
    let reference = row.get::<_, Option<String>>(3)?.map(Reference::from_stored);
    let recipient = Recipient::new(personal(1)?, personal(2)?, reference);
    let recipient = recipient.map_err(|error| Fault::Damaged(format!("a recipient: {error}")))?;
    Ok(KeptRecipient { id: RecipientId::from_stored(row.get(0)?), recipient })
}

/// Tells of every row that is no recipient.
pub(super) fn check_readable(db: &Connection, mut wrong: impl FnMut(String)) -> Result<(), Fault> {
    let mut statement = db.prepare(concat!("SELECT ", columns!(), " FROM recipient"))?;
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

/// The seqs of what somebody with this reference has been given, from this seq on.
pub(super) fn seqs_of(db: &Connection, reference: &Reference, from: i64, limit: usize) -> Result<Vec<u64>, Fault> {
    let sql = "SELECT DISTINCT passport FROM recipient INDEXED BY recipient_reference \
               WHERE reference = ? AND passport >= ? ORDER BY passport LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let seqs = statement.query_map(params![reference.as_str(), from, limit], |row| row.get(0))?;
    Ok(seqs.collect::<Result<_, _>>()?)
}

/// Whether somebody with this reference has the passport by this reservation.
pub(super) fn is_of(
    db: &Connection,
    reservation: Option<ReservationId>,
    seq: u64,
    reference: &Reference,
) -> Result<bool, Fault> {
    let Some(reservation) = reservation else { return Ok(false) };
    let known = of(db, reservation, seq)?;
    Ok(known.is_some_and(|kept| kept.recipient.reference() == Some(reference)))
}
