//! The journal, read: one passport's history by its chain, and everything in the order in which it happened.
//!
//! Numbers are taken before a transaction commits, so that rows appear out of order; but no row appears behind whoever
//! reads on: [`Reader`] sees to that.

use std::ops::Range;

use passpool_core::{Actor, Event, PassportId, Timestamp};
use tokio_postgres::Row;

use super::{
    connection::{Connections, Session},
    journal::{self, Looked, Reader, Stretch},
    ledger::Ledger,
    passport::{PassportRow, Reading},
    typed::typed,
};
use crate::{Cursor, EventFilter, EventPage, Fault, JournalRow, Page, Version};

/// How many rows of the journal are looked at for one page: some milliseconds' worth.
const LOOK_AT: i64 = 10_000;

/// The row before a row about the same passport, as its detail names it.
macro_rules! after {
    ($row:literal) => {
        concat!("substring(", $row, ".detail FROM '^\\{\"after\":([0-9]+)')::bigint")
    };
}

/// Everything that happened to a passport, the oldest first.
pub(super) async fn of(db: &Session, row: &PassportRow) -> Result<Vec<JournalRow>, Fault> {
    // The limit keeps the planner to the index: it guesses at many more rows than there are.
    let sql = concat!(
        "WITH RECURSIVE chain AS (
            SELECT journal.* FROM journal WHERE seq = $1
            UNION ALL
            SELECT before.* FROM chain CROSS JOIN LATERAL (
                SELECT * FROM journal WHERE journal.seq = ",
        after!("chain"),
        " LIMIT 1
            ) AS before
        )
        SELECT * FROM chain ORDER BY seq"
    );
    let rows = db.query(sql, typed![row.changed]).await?;
    let history = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let missing = history.first().map_or(Some(row.changed), before);
    match missing {
        None => Ok(history),
        Some(missing) => Err(Fault::Damaged(format!("the journal's row {missing} is missing"))),
    }
}

/// The row about the passport's last change. Looks at its link are none.
pub(super) async fn version(db: &Session, row: &PassportRow) -> Result<Version, Fault> {
    let sql = concat!(
        "WITH RECURSIVE back AS (
            SELECT $1::bigint AS place
            UNION ALL
            SELECT before.place FROM back CROSS JOIN LATERAL (
                SELECT ",
        after!("journal"),
        " AS place FROM journal WHERE journal.seq = back.place AND kind = ANY($2) LIMIT 1
            ) AS before WHERE before.place IS NOT NULL
        )
        SELECT min(place) FROM back"
    );
    Ok(Version(db.query_one(sql, typed![row.changed, looks()]).await?.try_get(0)?))
}

/// The same from a whole history.
pub(super) fn version_of(history: &[JournalRow]) -> Option<Version> {
    let last = history.iter().rfind(|row| row.event.is_change()).or(history.first());
    last.map(|row| Version(row.seq))
}

/// Of these rows, each a passport's seq with a row of its history: the seqs of those passports to which nothing has
/// happened since but looks at their links.
pub(super) async fn unchanged_since(db: &Session, seen: &[(i64, i64)]) -> Result<Vec<i64>, Fault> {
    if seen.is_empty() {
        return Ok(Vec::new());
    }
    // The limit keeps the planner to the index: it guesses at many more rows than there are.
    let sql = concat!(
        "WITH RECURSIVE seen AS (
            SELECT seq, since FROM unnest($1::bigint[], $2::bigint[]) AS seen (seq, since)
        ), back AS (
            SELECT seq, since, (SELECT changed FROM passport WHERE passport.seq = seen.seq) AS place FROM seen
            UNION ALL
            SELECT seq, since, before.place FROM back CROSS JOIN LATERAL (
                SELECT ",
        after!("journal"),
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
    connections: &Connections,
    filter: &EventFilter,
    page: EventPage,
) -> Result<Page<JournalRow>, Fault> {
    let db = connections.session().await?;
    let from = page.after.map_or(1, |after| after.0 + 1);
    let from = match filter.since {
        Some(since) => from.max(journal::first_since(&db, since).await?),
        None => from,
    };
    drop(db);
    match filter.passport {
        // One passport's rows are few, and found by its chain.
        Some(passport) => {
            let db = Ledger::look(connections).await?;
            let found = events_of(&db, passport, filter, from, page.limit).await?;
            db.commit().await?;
            Ok(found)
        }
        None => {
            let mut reader = Reader::new(connections);
            loop {
                let (db, behind) = reader.look().await?;
                let read = walk(&db, filter, from..behind, page.limit).await?;
                if let Some(page) = reader.accept(db, read).await? {
                    return Ok(page);
                }
            }
        }
    }
}

/// The rows about one passport from this place on.
async fn events_of(
    db: &Session,
    passport: PassportId,
    filter: &EventFilter,
    from: i64,
    limit: usize,
) -> Result<Page<JournalRow>, Fault> {
    let Some(row) = PassportRow::visible_by_id(db, passport, Reading::Only).await? else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let mut items = of(db, &row).await?;
    items.retain(|row| row.seq >= from && matches(row, filter));
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(JournalRow::cursor);
    Ok(Page { items, next })
}

async fn walk(
    db: &Session,
    filter: &EventFilter,
    range: Range<i64>,
    limit: usize,
) -> Result<Stretch<JournalRow>, Fault> {
    let sql = "SELECT * FROM (
            SELECT * FROM journal WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3
        ) AS looked
        WHERE ($4 IS NULL OR kind = $4) AND ($5 IS NULL OR actor = $5) AND ($6 IS NULL OR at >= $6)
        ORDER BY seq LIMIT $7";
    let (kind, by) = (filter.event.map(Event::as_str), filter.by.as_ref().map(Actor::to_string));
    let since = filter.since.map(Timestamp::as_micros);
    let rows = db.query(sql, typed![range.start, range.end, LOOK_AT, kind, by, since, limit as i64 + 1]).await?;
    let mut items = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let over = items.get(limit).map(|over| over.seq);
    items.truncate(limit);
    let looked = Looked::at(db, range.start..over.unwrap_or(range.end), LOOK_AT).await?;
    let next = match over {
        Some(over) => Some(Cursor(over - 1)),
        None => looked.more().map(Cursor),
    };
    Ok(Stretch { page: Page { items, next }, looked })
}

fn matches(row: &JournalRow, filter: &EventFilter) -> bool {
    filter.event.is_none_or(|event| event == row.event)
        && filter.by.as_ref().is_none_or(|by| *by == row.by)
        && filter.since.is_none_or(|since| row.at >= since)
}

/// What changes nothing.
fn looks() -> Vec<&'static str> {
    Event::ALL.iter().filter(|event| !event.is_change()).map(|event| event.as_str()).collect()
}

fn before(row: &JournalRow) -> Option<i64> {
    after(row.detail.as_deref())
}

/// The row that a row's detail names as the one before it.
pub(super) fn after(detail: Option<&str>) -> Option<i64> {
    let digits = detail?.strip_prefix("{\"after\":")?;
    digits.split([',', '}']).next()?.parse().ok()
}

fn read(row: &Row) -> Result<JournalRow, Fault> {
    let seq = row.try_get("seq")?;
    let damaged = |what: &str| Fault::Damaged(format!("journal row {seq}: {what}"));
    let passport: i64 = row.try_get("passport")?;
    Ok(JournalRow {
        seq,
        at: Timestamp::from_micros(row.try_get("at")?),
        event: Event::parse(row.try_get("kind")?).ok_or_else(|| damaged("its kind is unknown"))?,
        passport: PassportId::new(passport.cast_unsigned()).map_err(|_| damaged("its passport has no id"))?,
        by: row.try_get::<_, &str>("actor")?.parse().map_err(|_| damaged("its actor is unknown"))?,
        detail: row.try_get("detail")?,
    })
}
