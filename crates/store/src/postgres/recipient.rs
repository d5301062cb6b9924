//! Recipients: for whom passports were reserved, as long as nobody erased them.

use std::collections::HashMap;

use passpool_core::{
    KeptRecipient, NewRecipients, PassportId, Personal, Recipient, RecipientId, Reference, Refusal, ReservationId,
    State, Timestamp,
};
use tokio_postgres::Row;

use super::{connection::Session, ledger::Change, passport::read_reservation, typed::typed};
use crate::{Fault, RecipientInfo, RecipientPage, StoreError};

/// How many are forgotten in one transaction.
const AT_ONCE: i64 = 2_000;

/// The columns that [`read`] wants.
macro_rules! columns {
    () => {
        "recipient.id, recipient.name, recipient.email, recipient.reference"
    };
}

/// Writes down for whom each of these passports is, in their order. Fewer passports leave out the last recipients.
pub(super) async fn write(
    db: &Session,
    reservation: ReservationId,
    new: &NewRecipients,
    seqs: &[i64],
) -> Result<(), Fault> {
    let recipients = &new.recipients.as_slice()[..seqs.len()];
    let ids: Vec<Vec<u8>> = (0..).zip(seqs).map(|(position, _)| new.first.nth(position).as_bytes().to_vec()).collect();
    let names: Vec<Option<&str>> = recipients.iter().map(|known| known.name().map(Personal::reveal)).collect();
    let emails: Vec<Option<&str>> = recipients.iter().map(|known| known.email().map(Personal::reveal)).collect();
    let references: Vec<Option<&str>> =
        recipients.iter().map(|known| known.reference().map(Reference::as_str)).collect();
    let sql = "INSERT INTO recipient (id, reservation, passport, name, email, reference) \
               SELECT id, $1, passport, name, email, reference \
               FROM unnest($2::bytea[], $3::bigint[], $4::text[], $5::text[], $6::text[]) \
               AS new (id, passport, name, email, reference)";
    let reservation = reservation.as_bytes().to_vec();
    db.execute(sql, typed![reservation, ids, seqs.to_vec(), names, emails, references]).await.map(drop)
}

/// For whom a reservation has these passports, by their seqs, as far as it is known.
pub(super) async fn of(
    db: &Session,
    reservation: ReservationId,
    seqs: &[i64],
) -> Result<HashMap<i64, KeptRecipient>, Fault> {
    let sql = concat!("SELECT ", columns!(), ", passport FROM recipient WHERE passport = ANY($1) AND reservation = $2");
    let rows = db.query(sql, typed![seqs.to_vec(), reservation.as_bytes().to_vec()]).await?;
    rows.iter().map(|row| Ok((row.try_get("passport")?, read(row)?))).collect()
}

/// Keeps recipients in step with their passports: from the moment at which nobody may claim a passport by its
/// reservation any more, the days are counted after which its recipient is forgotten.
pub(super) async fn follow(db: &Session, changes: &[Change<'_>]) -> Result<(), Fault> {
    let left = changes.iter().filter_map(|change| {
        let reservation = waits_for_claim(&change.was.state)?;
        let has_left = waits_for_claim(&change.becomes) != Some(reservation);
        has_left.then_some((change.was.seq, reservation, Some(change.at)))
    });
    write_left(db, left).await
}

/// Counts no days any more: a reset was undone.
pub(super) async fn came_back(db: &Session, changes: &[Change<'_>]) -> Result<(), Fault> {
    let back = changes.iter().filter_map(|change| Some((change.was.seq, waits_for_claim(&change.becomes)?, None)));
    write_left(db, back).await
}

pub(super) async fn list(db: &Session, page: &RecipientPage) -> Result<Vec<RecipientInfo>, Fault> {
    let all = concat!(
        "SELECT ",
        columns!(),
        ", recipient.reservation, passport.id AS passport_id, left_at \
         FROM recipient JOIN passport ON seq = recipient.passport \
         WHERE recipient.id > $1 ORDER BY recipient.id LIMIT $2"
    );
    // One person has few passports, so sorting them is cheap; a limit would tempt the planner to walk everybody instead.
    let of_one = concat!(
        "WITH own AS MATERIALIZED (SELECT * FROM recipient WHERE reference = $3 AND id > $1) SELECT ",
        columns!(),
        ", recipient.reservation, passport.id AS passport_id, left_at \
         FROM own AS recipient JOIN passport ON seq = recipient.passport ORDER BY recipient.id LIMIT $2"
    );
    let after = page.after.map(|after| after.as_bytes().to_vec()).unwrap_or_default();
    let limit = page.limit as i64;
    let rows = match &page.reference {
        Some(reference) => db.query(of_one, typed![after, limit, reference.as_str()]).await?,
        None => db.query(all, typed![after, limit]).await?,
    };
    rows.iter().map(read_info).collect()
}

pub(super) async fn erase(db: &Session, id: RecipientId) -> Result<(), StoreError> {
    let erased = db.execute("DELETE FROM recipient WHERE id = $1", typed![id.as_bytes().to_vec()]).await?;
    if erased == 0 { Err(Refusal::UnknownRecipient(id).into()) } else { Ok(()) }
}

pub(super) async fn erase_of(db: &Session, reference: &Reference) -> Result<u64, Fault> {
    let sql = "WITH own AS MATERIALIZED (SELECT id FROM recipient WHERE reference = $1 ORDER BY id FOR UPDATE) \
               DELETE FROM recipient WHERE id IN (SELECT id FROM own)";
    db.execute(sql, typed![reference.as_str()]).await
}

/// Erases those whose passports all left before this moment, who left first. Whoever is being changed or forgotten by
/// somebody else at this moment is left for the next time.
pub(super) async fn forget(db: &Session, left_before: Timestamp) -> Result<u64, Fault> {
    let sql = "WITH over AS MATERIALIZED (
            SELECT id FROM recipient WHERE left_at < $1 AND NOT EXISTS (
                SELECT 1 FROM recipient AS other
                WHERE other.reference = recipient.reference AND coalesce(other.left_at >= $1, true)
            )
            ORDER BY left_at LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM recipient WHERE id IN (SELECT id FROM over)";
    db.execute(sql, typed![left_before.as_micros(), AT_ONCE]).await
}

/// The reservation by which somebody may still claim the passport.
fn waits_for_claim(state: &State) -> Option<ReservationId> {
    match state {
        State::Reserved(hand_out) | State::Scanned(hand_out) | State::Pending { hand_out, .. } => hand_out.reservation,
        _ => None,
    }
}

/// Writes when passports, by their seqs and reservations, left the shop.
///
/// Rows are locked in the order of their ids, as by those who erase several, so that nobody waits in a circle.
async fn write_left(
    db: &Session,
    moved: impl Iterator<Item = (i64, ReservationId, Option<Timestamp>)>,
) -> Result<(), Fault> {
    let (mut seqs, mut reservations, mut ats) = (Vec::new(), Vec::new(), Vec::new());
    for (seq, reservation, at) in moved {
        seqs.push(seq);
        reservations.push(reservation.as_bytes().to_vec());
        ats.push(at.map(Timestamp::as_micros));
    }
    if seqs.is_empty() {
        return Ok(());
    }
    let sql = "WITH moved AS MATERIALIZED (
            SELECT recipient.id, new.at
            FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS new (passport, reservation, at)
            JOIN recipient ON recipient.passport = new.passport AND recipient.reservation = new.reservation
            ORDER BY recipient.id FOR UPDATE OF recipient
        )
        UPDATE recipient SET left_at = moved.at FROM moved WHERE recipient.id = moved.id";
    db.execute(sql, typed![seqs, reservations, ats]).await.map(drop)
}

fn read(row: &Row) -> Result<KeptRecipient, Fault> {
    let personal = |column| row.try_get::<_, Option<String>>(column).map(|text| text.map(Personal::from_stored));
    let reference = row.try_get::<_, Option<String>>("reference")?.map(Reference::from_stored);
    let recipient = Recipient::new(personal("name")?, personal("email")?, reference);
    let recipient = recipient.map_err(|error| Fault::Damaged(format!("a recipient: {error}")))?;
    let id = <[u8; 16]>::try_from(row.try_get::<_, &[u8]>("id")?);
    let id = id.map_err(|_| Fault::Damaged("a recipient has no id".into()))?;
    Ok(KeptRecipient { id: RecipientId::from_stored(id), recipient })
}

fn read_info(row: &Row) -> Result<RecipientInfo, Fault> {
    let damaged = |what: &str| Fault::Damaged(format!("a recipient: {what}"));
    let passport = PassportId::new(row.try_get::<_, i64>("passport_id")?.cast_unsigned());
    let reservation = read_reservation(row.try_get("reservation")?);
    Ok(RecipientInfo {
        recipient: read(row)?,
        reservation: reservation.ok_or_else(|| damaged("its reservation has no name"))?,
        passport: passport.map_err(|_| damaged("the id of its passport is out of range"))?,
        left_at: row.try_get::<_, Option<i64>>("left_at")?.map(Timestamp::from_micros),
    })
}
