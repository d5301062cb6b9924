//! Records of calls that can be repeated: which reservation a key made, and how long that is remembered.

use passpool_core::{Refusal, Repeat, ReservationId, Timestamp};

use super::{connection::Session, ledger::Ledger, passport::read_reservation, typed::typed};
use crate::{Fault, StoreError};

/// How many are forgotten in one transaction.
const AT_ONCE: i64 = 2_000;

/// The reservation that an earlier call with this key made. Refuses if that call had other parameters.
pub(super) async fn find(db: &Session, repeat: &Repeat) -> Result<Option<ReservationId>, StoreError> {
    let sql = "SELECT parameters, reservation FROM repeat WHERE record = $1";
    let Some(row) = db.query_opt(sql, typed![repeat.record.as_bytes().to_vec()]).await? else { return Ok(None) };
    if row.try_get::<_, &[u8]>(0)? != repeat.parameters.as_bytes() {
        return Err(Refusal::KeyReused.into());
    }
    let reservation = read_reservation(row.try_get(1)?);
    Ok(Some(reservation.ok_or_else(|| Fault::Damaged("a repeat names no reservation".into()))?))
}

/// False if an earlier call has written it. One that runs at this moment is waited for, and is refused as running if
/// that takes too long.
pub(super) async fn write(
    ledger: &Ledger,
    repeat: &Repeat,
    reservation: ReservationId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO repeat (record, at, parameters, reservation) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let (record, parameters) = (repeat.record.as_bytes().to_vec(), repeat.parameters.as_bytes().to_vec());
    let written =
        ledger.execute(sql, typed![record, now.as_micros(), parameters, reservation.as_bytes().to_vec()]).await;
    match written {
        Ok(rows) => Ok(rows == 1),
        Err(Fault::Locked) => Err(Refusal::StillRunning.into()),
        Err(fault) => Err(fault.into()),
    }
}

/// Forgets the oldest of those made before this moment.
pub(super) async fn forget(db: &Session, before: Timestamp) -> Result<u64, Fault> {
    let sql = "DELETE FROM repeat WHERE record IN \
               (SELECT record FROM repeat WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    db.execute(sql, typed![before.as_micros(), AT_ONCE]).await
}
