//! Recipients: for whom passports were reserved, as long as nobody erased them.

use std::collections::HashMap;

use passpool_core::{KeptRecipient, RecipientId, Reference, ReservationId, Timestamp};

use super::{connection::Session, ledger::Change};
use crate::{Fault, RecipientInfo, RecipientPage, StoreError};

/// For whom a reservation has these passports, by their seqs, as far as it is known.
pub(super) async fn of(
    _db: &Session,
    _reservation: ReservationId,
    _seqs: &[i64],
) -> Result<HashMap<i64, KeptRecipient>, Fault> {
    todo!()
}

pub(super) async fn list(_db: &Session, _page: &RecipientPage) -> Result<Vec<RecipientInfo>, Fault> {
    todo!()
}

pub(super) async fn erase(_db: &Session, _id: RecipientId) -> Result<(), StoreError> {
    todo!()
}

pub(super) async fn erase_of(_db: &Session, _reference: &Reference) -> Result<u64, Fault> {
    todo!()
}

/// Erases those whose passports all left before this moment, who left first.
pub(super) async fn forget(_db: &Session, _left_before: Timestamp) -> Result<u64, Fault> {
    todo!()
}

/// Counts no days any more: a reset was undone.
pub(super) async fn came_back(_db: &Session, _changes: &[Change<'_>]) -> Result<(), Fault> {
    todo!()
}
