//! The journal, read: one passport's history by its chain, and everything in the order in which it happened.

use super::connection::{Connections, Session};
use crate::{EventFilter, EventPage, Fault, JournalRow, Page};

/// Of these rows, each a passport's seq with a row of its history: the seqs of those passports to which nothing has
/// happened since but looks at their links.
pub(super) async fn unchanged_since(db: &Session, seen: &[(i64, i64)]) -> Result<Vec<i64>, Fault> {
    let _ = (db, seen);
    todo!()
}

/// A page of the journal.
pub(super) async fn events(
    _connections: &Connections,
    _filter: &EventFilter,
    _page: EventPage,
) -> Result<Page<JournalRow>, Fault> {
    todo!()
}
