//! Visits: which visitor of a kiosk has which passport, and which wallet has one.

use passpool_core::{KioskId, KioskVisitor, Refusal, State, Timestamp, WalletAddress};

use super::{connection::Session, ledger::Change, typed::typed};
use crate::{AddressDigest, Fault, StoreError};

/// What only one transaction at a time may look at and then change. No row stands for a visitor who has nothing yet, so
/// these are locks of their own; they end with the transaction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// A visitor of a kiosk comes for a passport.
    Visitor(KioskId, KioskVisitor),
    /// An address takes one more passport.
    Address(AddressDigest),
    /// A wallet gets one more passport of a kiosk.
    Wallet(KioskId, WalletAddress),
}

impl Turn {
    /// Waits for the turn.
    pub(super) async fn take(self, db: &Session) -> Result<(), Fault> {
        let name = match self {
            Self::Visitor(kiosk, visitor) => [&b"visitor"[..], &kiosk.0.to_be_bytes(), &visitor.to_bytes()].concat(),
            Self::Address(address) => [&b"address"[..], address.as_bytes()].concat(),
            Self::Wallet(kiosk, wallet) => [&b"wallet"[..], &kiosk.0.to_be_bytes(), wallet.as_bytes()].concat(),
        };
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' ' || encode($1, 'hex'), 0))";
        db.query(sql, typed![name]).await.map(drop)
    }
}

/// Writes down who was given this passport.
pub(super) async fn write(
    db: &Session,
    kiosk: KioskId,
    visitor: KioskVisitor,
    address: AddressDigest,
    seq: i64,
) -> Result<(), Fault> {
    let sql = "INSERT INTO visit (passport, kiosk, visitor, address) VALUES ($1, $2, $3, $4)";
    let (kiosk, address) = (kiosk.0.cast_signed(), address.as_bytes().to_vec());
    db.execute(sql, typed![seq, kiosk, visitor.to_bytes(), address]).await.map(drop)
}

/// A visit that was forgotten, and is there again because a reset was undone.
pub(super) struct Again {
    pub(super) seq: i64,
    pub(super) kiosk: KioskId,
    pub(super) visitor: Vec<u8>,
    pub(super) address: Option<Vec<u8>>,
}

pub(super) async fn write_again(db: &Session, visits: &[Again]) -> Result<(), Fault> {
    if visits.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO visit (passport, kiosk, visitor, address) \
               SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::bytea[])";
    let seqs: Vec<i64> = visits.iter().map(|visit| visit.seq).collect();
    let kiosks: Vec<i32> = visits.iter().map(|visit| visit.kiosk.0.cast_signed()).collect();
    let visitors: Vec<Vec<u8>> = visits.iter().map(|visit| visit.visitor.clone()).collect();
    let addresses: Vec<Option<Vec<u8>>> = visits.iter().map(|visit| visit.address.clone()).collect();
    db.execute(sql, typed![seqs, kiosks, visitors, addresses]).await.map(drop)
}

/// The seqs of what a visitor has of a kiosk, oldest first.
pub(super) async fn of(db: &Session, kiosk: KioskId, visitor: KioskVisitor) -> Result<Vec<i64>, Fault> {
    let sql = "SELECT passport FROM visit WHERE kiosk = $1 AND visitor = $2 ORDER BY passport";
    seqs(db.query(sql, typed![kiosk.0.cast_signed(), visitor.to_bytes()]).await?)
}

/// How many passports this address holds at this moment that nobody has claimed.
pub(super) async fn count_held(db: &Session, address: AddressDigest, now: Timestamp) -> Result<u64, Fault> {
    let sql = "SELECT count(*) FROM visit JOIN passport ON seq = passport \
               WHERE address = $1 AND (until IS NULL OR until > $2)";
    let row = db.query_one(sql, typed![address.as_bytes().to_vec(), now.as_micros()]).await?;
    Ok(row.try_get::<_, i64>(0)?.cast_unsigned())
}

/// The seqs of the kiosk's passports that belong to this wallet, or are on their way to it.
pub(super) async fn owned_by(db: &Session, kiosk: KioskId, wallet: WalletAddress) -> Result<Vec<i64>, Fault> {
    let sql = "SELECT passport FROM visit WHERE kiosk = $1 AND owner = $2";
    seqs(db.query(sql, typed![kiosk.0.cast_signed(), wallet.as_bytes().to_vec()]).await?)
}

/// Whether this wallet may own one more passport of the kiosk that gave this one, if one did.
pub(super) async fn may_own_another(db: &Session, state: &State, wallet: WalletAddress) -> Result<(), StoreError> {
    let Some(kiosk) = state.hand_out().and_then(|hand_out| hand_out.kiosk) else { return Ok(()) };
    let row = db.query_one("SELECT per_visitor FROM kiosk WHERE id = $1", typed![kiosk.0.cast_signed()]).await?;
    let per_visitor: i64 = row.try_get(0)?;
    let owned = owned_by(db, kiosk, wallet).await?.len() as u64;
    if owned < per_visitor.cast_unsigned() { Ok(()) } else { Err(Refusal::WalletServed.into()) }
}

/// Waits until no other transaction gives this wallet a passport of the same kiosk, if it is one of a kiosk.
pub(super) async fn wait_for_wallet(db: &Session, state: &State, wallet: WalletAddress) -> Result<(), Fault> {
    match state.hand_out().and_then(|hand_out| hand_out.kiosk) {
        Some(kiosk) => Turn::Wallet(kiosk, wallet).take(db).await,
        None => Ok(()),
    }
}

/// Keeps visits in step with their passports: after a claim the address no longer counts, and when the passport is
/// nobody's or somebody else's the visit is forgotten.
pub(super) async fn follow(db: &Session, changes: &[Change<'_>]) -> Result<(), Fault> {
    let kiosk = |state: &State| state.hand_out().and_then(|hand_out| hand_out.kiosk);
    let (mut over, mut owned, mut owners, mut unowned) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for change in changes.iter().filter(|change| kiosk(&change.was.state).is_some()) {
        let seq = change.was.seq;
        match (kiosk(&change.becomes), change.becomes.owner(), change.was.state.owner()) {
            (None, _, _) => over.push(seq),
            (Some(_), Some(owner), _) => {
                owned.push(seq);
                owners.push(owner.as_bytes().to_vec());
            }
            (Some(_), None, Some(_)) => unowned.push(seq),
            (Some(_), None, None) => {}
        }
    }
    if !over.is_empty() {
        db.execute("DELETE FROM visit WHERE passport = ANY($1)", typed![over]).await?;
    }
    if !owned.is_empty() {
        let sql = "UPDATE visit SET address = NULL, owner = new.owner \
                   FROM unnest($1::bigint[], $2::bytea[]) AS new (passport, owner) WHERE visit.passport = new.passport";
        db.execute(sql, typed![owned, owners]).await?;
    }
    if !unowned.is_empty() {
        db.execute("UPDATE visit SET owner = NULL WHERE passport = ANY($1)", typed![unowned]).await?;
    }
    Ok(())
}

fn seqs(rows: Vec<tokio_postgres::Row>) -> Result<Vec<i64>, Fault> {
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
