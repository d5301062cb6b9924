//! Visits: which visitor of a kiosk has which passport, and which wallet has one.

use passpool_core::{KioskId, KioskVisitor, Refusal, State, Timestamp, WalletAddress};
use rusqlite::{Connection, OptionalExtension, params};

use super::passport::PassportRow;
use crate::{AddressDigest, Fault, StoreError};

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

/// Visitor and address as they are kept.
pub(super) type Visited = (Vec<u8>, Option<Vec<u8>>);

/// Who was given this passport, if a kiosk gave it.
pub(super) fn by_passport(db: &Connection, seq: u64) -> Result<Option<Visited>, Fault> {
    let mut statement = db.prepare_cached("SELECT visitor, address FROM visit WHERE passport = ?")?;
    Ok(statement.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Writes down again what [`by_passport`] told.
pub(super) fn write_again(
    db: &Connection,
    kiosk: KioskId,
    visitor: &[u8],
    address: Option<&[u8]>,
    seq: u64,
) -> Result<(), Fault> {
    let sql = "INSERT INTO visit (passport, kiosk, visitor, address) VALUES (?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![seq, kiosk.0, visitor, address])?;
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

/// The seqs of the kiosk's passports that belong to this wallet, or are on their way to it.
pub(super) fn owned_by(db: &Connection, kiosk: KioskId, wallet: WalletAddress) -> Result<Vec<u64>, Fault> {
    let sql = "SELECT seq FROM passport INDEXED BY passport_kiosk WHERE kiosk = ? AND owner = ?";
    let mut statement = db.prepare_cached(sql)?;
    let seqs = statement.query_map(params![kiosk.0, wallet.as_bytes()], |row| row.get(0))?;
    Ok(seqs.collect::<Result<_, _>>()?)
}

/// Whether this wallet may own one more passport of the kiosk that gave this one, if one did.
pub(super) fn may_own_another(db: &Connection, state: &State, wallet: WalletAddress) -> Result<(), StoreError> {
    let Some(kiosk) = state.hand_out().and_then(|hand_out| hand_out.kiosk) else { return Ok(()) };
    let sql = "SELECT per_visitor FROM kiosk WHERE id = ?";
    let per_visitor: u64 = db.prepare_cached(sql)?.query_row([kiosk.0], |row| row.get(0))?;
    let owned = owned_by(db, kiosk, wallet)?.len() as u64;
    if owned < per_visitor { Ok(()) } else { Err(Refusal::WalletServed.into()) }
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
