//! Records of calls that can be repeated: which reservation a key made, and how long that is remembered.

use passpool_core::{Refusal, Repeat, ReservationId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{Fault, StoreError};

/// How many are forgotten in one transaction.
const AT_ONCE: usize = 2_000;

/// The reservation that an earlier call with this key made. Refuses if that call had other parameters.
pub(super) fn find(db: &Connection, repeat: &Repeat) -> Result<Option<ReservationId>, StoreError> {
    let mut statement = db.prepare_cached("SELECT parameters, reservation FROM repeat WHERE record = ?")?;
    let known = statement.query_row([repeat.record.as_bytes()], |row| {
        Ok((row.get::<_, [u8; 16]>(0)?, ReservationId::from_stored(row.get(1)?)))
    });
    match known.optional()? {
        None => Ok(None),
        Some((parameters, reservation)) if parameters == *repeat.parameters.as_bytes() => Ok(Some(reservation)),
        Some(_) => Err(Refusal::KeyReused.into()),
    }
}

pub(super) fn write(db: &Connection, repeat: &Repeat, reservation: ReservationId, now: Timestamp) -> Result<(), Fault> {
    let sql = "INSERT INTO repeat (at, record, parameters, reservation) VALUES (?, ?, ?, ?)";
    let (record, parameters) = (repeat.record.as_bytes(), repeat.parameters.as_bytes());
    db.prepare_cached(sql)?.execute(params![now.as_micros(), record, parameters, reservation.as_bytes()])?;
    Ok(())
}

/// Forgets the oldest of those made before this moment. Rows stand in the order of their making.
pub(super) fn forget(db: &Connection, before: Timestamp) -> Result<u64, Fault> {
    let sql = "DELETE FROM repeat WHERE seq IN (SELECT seq FROM repeat ORDER BY seq LIMIT ?) AND at < ?";
    Ok(db.prepare_cached(sql)?.execute(params![AT_ONCE, before.as_micros()])? as u64)
}
