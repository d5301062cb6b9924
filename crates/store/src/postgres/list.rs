//! Passports as they are listed and shown.

use passpool_core::{PassportId, Timestamp};

use super::{connection::Session, tags::TagNumbers};
use crate::{Fault, ListedPassport, Page, PassportFilter, PassportNow, PassportPage};

pub(super) async fn page(
    _db: &Session,
    _tags: &TagNumbers,
    _filter: &PassportFilter,
    _page: PassportPage,
) -> Result<Page<ListedPassport>, Fault> {
    todo!()
}

pub(super) async fn one(
    _db: &Session,
    _tags: &TagNumbers,
    _id: PassportId,
    _now: Timestamp,
) -> Result<Option<PassportNow>, Fault> {
    todo!()
}
