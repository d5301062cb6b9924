//! The journal, read: one passport's history by its chain, and everything in the order in which it happened.

use passpool_core::{Actor, Event, PassportId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{bits::seq_of, passport::PassportRow, snapshot::Snapshot};
use crate::{Cursor, EventFilter, EventPage, Fault, JournalRow, Page, Version};

/// How many rows of the journal are looked at for one page: some milliseconds' worth.
const LOOK_AT: usize = 20_000;

macro_rules! columns {
    () => {
        "seq, at, kind, passport, actor, detail"
    };
}

/// Everything that happened to a passport, the oldest first.
pub(super) fn of(db: &Connection, row: &PassportRow) -> Result<Vec<JournalRow>, Fault> {
    let mut history = Vec::new();
    let mut next = Some(row.changed);
    while let Some(seq) = next {
        let row = by_seq(db, seq)?;
        next = before(&row);
        history.push(row);
    }
    history.reverse();
    Ok(history)
}

/// The row about the passport's last change. Looks at its link are none.
pub(super) fn version(db: &Connection, row: &PassportRow) -> Result<Version, Fault> {
    let mut seq = row.changed;
    loop {
        let row = by_seq(db, seq)?;
        match before(&row) {
            Some(before) if !row.event.is_change() => seq = before,
            _ => return Ok(Version(seq)),
        }
    }
}

/// True if nothing has happened to the passport since this row of its history but looks at its link.
pub(super) fn is_unchanged_since(db: &Connection, row: &PassportRow, since: i64) -> Result<bool, Fault> {
    let mut seq = row.changed;
    while seq > since {
        let row = by_seq(db, seq)?;
        match before(&row) {
            Some(before) if !row.event.is_change() => seq = before,
            _ => return Ok(false),
        }
    }
    Ok(seq == since)
}

/// A page of the journal.
pub(super) fn events(db: &Connection, filter: &EventFilter, page: EventPage) -> Result<Page<JournalRow>, Fault> {
    let from = page.after.map_or(0, |after| after.0 + 1);
    let from = match filter.since {
        Some(since) => from.max(first_since(db, since)?),
        None => from,
    };
    match filter.passport {
        // One passport's rows are few, and found by its chain.
        Some(passport) => events_of(db, passport, filter, from, page.limit),
        None => walk(db, filter, from, page.limit),
    }
}

/// The first row that is no older than this moment; behind the last one, if all are. The journal's time never goes back.
pub(super) fn first_since(db: &Connection, since: Timestamp) -> Result<i64, Fault> {
    // Each end in a question of its own: SQLite answers that from the tree's edge, and both together from every row.
    let end = |sql: &str| db.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
    let first = end("SELECT ifnull(min(seq), 1) FROM journal")?;
    let last = end("SELECT ifnull(max(seq), 0) FROM journal")?;
    let mut at = db.prepare_cached("SELECT at FROM journal WHERE seq >= ? ORDER BY seq LIMIT 1")?;
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<i64> = at.query_row([middle], |row| row.get(0)).optional()?;
        match found {
            Some(at) if at < since.as_micros() => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The rows about one passport from this place on.
fn events_of(
    db: &Connection,
    passport: PassportId,
    filter: &EventFilter,
    from: i64,
    limit: usize,
) -> Result<Page<JournalRow>, Fault> {
    let Some(row) = PassportRow::visible_by_id(db, passport)? else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let mut items: Vec<JournalRow> =
        of(db, &row)?.into_iter().filter(|row| row.seq >= from && matches(row, filter)).collect();
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(JournalRow::cursor);
    Ok(Page { items, next })
}

fn walk(db: &Connection, filter: &EventFilter, from: i64, limit: usize) -> Result<Page<JournalRow>, Fault> {
    let behind = first_hidden(db)?;
    let sql = concat!("SELECT ", columns!(), " FROM journal WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?");
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![from, behind, LOOK_AT])?;
    let mut items = Vec::new();
    let (mut looked_at, mut last) = (0, from);
    while let Some(row) = rows.next()? {
        if items.len() == limit {
            return Ok(Page { items, next: Some(Cursor(last)) });
        }
        looked_at += 1;
        last = row.get(0)?;
        if is_named(row, filter)? {
            items.push(read(row)?);
        }
    }
    Ok(Page { items, next: (looked_at == LOOK_AT).then_some(Cursor(last)) })
}

/// Where the journal ends for those who read: before the first row of a running import.
pub(super) fn first_hidden(db: &Connection) -> Result<i64, Fault> {
    let Some(chunk) = Snapshot::new(db)?.first_hidden() else { return Ok(i64::MAX) };
    // What an import adds is not changed before it is published, so that its first passport has its first row.
    let sql = "SELECT changed FROM passport WHERE seq >= ? ORDER BY seq LIMIT 1";
    let first = db.prepare_cached(sql)?.query_row([seq_of(chunk, 0)], |row| row.get(0)).optional()?;
    Ok(first.unwrap_or(i64::MAX))
}

/// Judged before a row is taken out of the database's hands, for most are passed over.
fn is_named(row: &Row<'_>, filter: &EventFilter) -> Result<bool, Fault> {
    let kind = filter.event.map(Event::as_str);
    if kind.is_some_and(|kind| row.get_ref(2).ok().and_then(|found| found.as_str().ok()) != Some(kind)) {
        return Ok(false);
    }
    let Some(by) = &filter.by else { return Ok(true) };
    Ok(row.get_ref(4)?.as_str()? == by.to_string())
}

fn matches(row: &JournalRow, filter: &EventFilter) -> bool {
    filter.event.is_none_or(|event| event == row.event) && filter.by.as_ref().is_none_or(|by| *by == row.by)
}

fn before(row: &JournalRow) -> Option<i64> {
    after(row.detail.as_deref())
}

/// The row that a row's detail names as the one before it.
pub(super) fn after(detail: Option<&str>) -> Option<i64> {
    let digits = detail?.strip_prefix("{\"after\":")?;
    digits.split([',', '}']).next()?.parse().ok()
}

fn by_seq(db: &Connection, seq: i64) -> Result<JournalRow, Fault> {
    let mut statement = db.prepare_cached(concat!("SELECT ", columns!(), " FROM journal WHERE seq = ?"))?;
    let mut rows = statement.query([seq])?;
    match rows.next()? {
        Some(row) => read(row),
        None => Err(Fault::Damaged(format!("the journal's row {seq} is missing"))),
    }
}

fn read(row: &Row<'_>) -> Result<JournalRow, Fault> {
    let seq = row.get(0)?;
    let damaged = |what: &str| Fault::Damaged(format!("journal row {seq}: {what}"));
    Ok(JournalRow {
        seq,
        at: Timestamp::from_micros(row.get(1)?),
        event: Event::parse(row.get_ref(2)?.as_str()?).ok_or_else(|| damaged("its kind is unknown"))?,
        passport: PassportId::new(row.get(3)?).map_err(|_| damaged("its passport has no id"))?,
        by: row.get_ref(4)?.as_str()?.parse::<Actor>().map_err(|_| damaged("its actor is unknown"))?,
        detail: row.get(5)?,
    })
}
