//! Profiles: rights under a name, for one user or for several.

use passpool_core::{ProfileName, Rights};

use super::connection::Session;
use crate::{Fault, ProfileInfo, StoreError};

pub(super) async fn list(_db: &Session) -> Result<Vec<ProfileInfo>, Fault> {
    todo!()
}

pub(super) async fn add(_db: &Session, _name: &ProfileName, _rights: Rights) -> Result<(), StoreError> {
    todo!()
}

pub(super) async fn change_rights(_db: &Session, _name: &ProfileName, _rights: Rights) -> Result<(), StoreError> {
    todo!()
}

pub(super) async fn remove(_db: &Session, _name: &ProfileName) -> Result<(), StoreError> {
    todo!()
}
