//! The journal, read: one passport's history by its chain, and everything in the order in which it happened.

use passpool_core::Event;

use super::{
    connection::{Connections, Session},
    typed::typed,
};
use crate::{EventFilter, EventPage, Fault, JournalRow, Page};

/// The row before a row about the same passport, as its detail names it.
macro_rules! after {
    () => {
        "substring(detail FROM '^\\{\"after\":([0-9]+)')::bigint"
    };
}

/// Of these rows, each a passport's seq with a row of its history: the seqs of those passports to which nothing has
/// happened since but looks at their links.
pub(super) async fn unchanged_since(db: &Session, seen: &[(i64, i64)]) -> Result<Vec<i64>, Fault> {
    if seen.is_empty() {
        return Ok(Vec::new());
    }
    // The limits keep the planner to its indexes: it guesses at many more rows than there are.
    let sql = concat!(
        "WITH RECURSIVE seen AS (
            SELECT seq, since FROM unnest($1::bigint[], $2::bigint[]) AS seen (seq, since)
        ), back AS (
            SELECT seq, since, (SELECT changed FROM passport WHERE passport.seq = seen.seq) AS place FROM seen
            UNION ALL
            SELECT seq, since, before.place FROM back CROSS JOIN LATERAL (
                SELECT ",
        after!(),
        " AS place FROM journal WHERE journal.seq = back.place AND kind = ANY($3) LIMIT 1
            ) AS before WHERE back.place > since
        )
        SELECT seq FROM back WHERE place = since"
    );
    let (seqs, since): (Vec<i64>, Vec<i64>) = seen.iter().copied().unzip();
    db.query(sql, typed![seqs, since, looks()]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// A page of the journal.
pub(super) async fn events(
    _connections: &Connections,
    _filter: &EventFilter,
    _page: EventPage,
) -> Result<Page<JournalRow>, Fault> {
    todo!()
}

/// What changes nothing.
fn looks() -> Vec<&'static str> {
    Event::ALL.iter().filter(|event| !event.is_change()).map(|event| event.as_str()).collect()
}
