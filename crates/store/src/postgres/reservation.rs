//! Reservations as they are kept: what was asked for, and which passports that gave.

use passpool_core::{ReservationId, Timestamp};

use super::{connection::Session, ledger::Ledger};
use crate::{
    Extend, Fault, OfReservation, ReservationInfo, ReservationNow, ReservationPage, ShowLinks, ShownLink, StoreError,
    Touched,
};

pub(super) async fn list(_db: &Session, _page: ReservationPage) -> Result<Vec<ReservationInfo>, Fault> {
    todo!()
}

/// Where the passports of a reservation are at this moment.
pub(super) async fn now(_db: &Session, _id: ReservationId, _now: Timestamp) -> Result<Option<ReservationNow>, Fault> {
    todo!()
}

/// Shows links and tells the journal of each.
pub(super) async fn show_links(_ledger: &Ledger, _wish: &ShowLinks) -> Result<Vec<ShownLink>, StoreError> {
    todo!()
}

/// What a slice did, and from which place the next one goes on.
pub(super) struct Slice {
    pub(super) touched: Touched,
    pub(super) next: Option<usize>,
}

/// Resets those that are still held, from this place on.
pub(super) async fn cancel_slice(_ledger: &Ledger, _wish: &OfReservation, _from: usize) -> Result<Slice, StoreError> {
    todo!()
}

/// Gives those that are still held another end, from this place on.
pub(super) async fn extend_slice(_ledger: &Ledger, _wish: &Extend, _from: usize) -> Result<Slice, StoreError> {
    todo!()
}

/// Refuses if there is no such reservation.
pub(super) async fn known(_db: &Session, _id: ReservationId) -> Result<(), StoreError> {
    todo!()
}
