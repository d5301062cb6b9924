//! The embedded store.

use std::{path::Path, sync::Arc};

use passpool_core::Fingerprint;

use crate::{Found, Intent, OpenError, Store};

/// What stands at this path.
pub fn probe(_path: &Path) -> Result<Found, OpenError> {
    todo!()
}

/// Opens the database, and makes it if the intent allows that. `secret` is needed only to make one; if it is given,
/// an existing database has to belong to it.
pub fn open(_path: &Path, _intent: Intent, _secret: Option<Fingerprint>) -> Result<Arc<dyn Store>, OpenError> {
    todo!()
}
