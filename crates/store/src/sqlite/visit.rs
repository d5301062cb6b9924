//! Visits: which visitor of a kiosk has which passport.

use passpool_core::{KioskId, KioskVisitor, State, Timestamp};
use rusqlite::{Connection, params};

use super::passport::PassportRow;
use crate::{AddressDigest, Fault};

/// Writes down who was given this passport.
pub(super) fn write(
    db: &Connection,
    kiosk: KioskId,
    visitor: KioskVisitor,
    address: AddressDigest,
    seq: u64,
) -> Result<(), Fault> {
    let sql = "INSERT INTO visit (passport, kiosk, visitor, address) VALUES (?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![seq, kiosk.0, visitor.to_bytes(), address.as_bytes()])?;
    Ok(())
}

/// The seqs of what a visitor has of a kiosk, oldest first.
pub(super) fn of(db: &Connection, kiosk: KioskId, visitor: KioskVisitor) -> Result<Vec<u64>, Fault> {
    let mut statement =
        db.prepare_cached("SELECT passport FROM visit WHERE kiosk = ? AND visitor = ? ORDER BY passport")?;
    let seqs = statement.query_map(params![kiosk.0, visitor.to_bytes()], |row| row.get(0))?;
    Ok(seqs.collect::<Result<_, _>>()?)
}

/// How many passports this address holds at this moment that nobody has claimed.
pub(super) fn count_held(db: &Connection, address: AddressDigest, now: Timestamp) -> Result<u64, Fault> {
    let sql = "SELECT count(*) FROM visit JOIN passport ON seq = passport \
               WHERE address = ? AND (until IS NULL OR until > ?)";
    Ok(db.prepare_cached(sql)?.query_row(params![address.as_bytes(), now.as_micros()], |row| row.get(0))?)
}

/// Keeps a visit in step with its passport: after a claim its address no longer counts, and when the passport is nobody's
/// or somebody else's the visit is forgotten.
pub(super) fn follow(db: &Connection, was: &PassportRow, becomes: &PassportRow) -> Result<(), Fault> {
    let kiosk = |row: &PassportRow| row.state.hand_out().and_then(|hand_out| hand_out.kiosk);
    if kiosk(was).is_none() {
        return Ok(());
    }
    let sql = match (kiosk(becomes), &becomes.state) {
        (None, _) => "DELETE FROM visit WHERE passport = ?",
        (Some(_), State::Pending { .. } | State::Claimed { .. }) => {
            "UPDATE visit SET address = NULL WHERE passport = ?"
        }
        (Some(_), _) => return Ok(()),
    };
    db.prepare_cached(sql)?.execute([was.seq])?;
    Ok(())
}
