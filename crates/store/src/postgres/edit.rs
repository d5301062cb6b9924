//! Editing: a passport gets other tags or another content.

use super::{ledger::Ledger, tags::TagNumbers};
use crate::{EditPassport, StoreError, Version};

pub(super) async fn edit(_ledger: &Ledger, _tags: &TagNumbers, _wish: &EditPassport) -> Result<Version, StoreError> {
    todo!()
}
