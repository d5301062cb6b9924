//! Keys of users: several for one, each good until it is removed or was replaced.

use passpool_core::{Timestamp, UserName};

use super::connection::Session;
use crate::{Fault, KeyUse, NewKey, RenewKey, StoreError};

pub(super) async fn add(_db: &Session, _name: &UserName, _key: &NewKey) -> Result<(), StoreError> {
    todo!()
}

pub(super) async fn renew(_db: &Session, _wish: &RenewKey) -> Result<(), StoreError> {
    todo!()
}

pub(super) async fn remove(_db: &Session, _name: &UserName, _head: &str) -> Result<(), StoreError> {
    todo!()
}

/// Forgets what was renewed and is dead.
pub(super) async fn forget(_db: &Session, _now: Timestamp) -> Result<u64, Fault> {
    todo!()
}

/// Writes the minutes down in which keys were used. A minute that is known already is not written again.
pub(super) async fn keep_uses(_db: &Session, _uses: &[KeyUse]) -> Result<(), Fault> {
    todo!()
}
