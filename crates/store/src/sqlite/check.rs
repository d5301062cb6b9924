//! Checking: everything is read once, at one moment, and compared with what follows from it.
//!
//! What a check proves is written in `docs/architecture.md`, invariant by invariant. This file reads the passports and the
//! journal; what else there is has a file for each kind of thing.

mod accounts;
mod kiosks;
mod references;
mod repeats;
mod reservations;
mod resets;
mod sets;

use std::collections::BTreeSet;

use passpool_core::{Actor, Event, StateName};
use rusqlite::Connection;

use self::sets::Expected;
use super::{
    bits::chunk_of,
    history,
    passport::{PassportRow, columns},
    snapshot::Snapshot,
    tally,
};
use crate::{CheckReport, Fault};

/// What is known of a passport while the rest is read. Passports stand in order of their ids.
struct Known {
    id: u64,
    state: StateName,
    changed: i64,
    /// The journal's last row about it so far, and the state that its rows leave it in.
    last_row: Option<i64>,
    told: Option<StateName>,
}

pub(super) fn check(db: &Connection) -> Result<CheckReport, Fault> {
    let mut report = CheckReport::default();
    check_file(db, &mut report)?;
    let snapshot = Snapshot::new(db)?;
    let mut sets = Expected::default();
    let mut known = read_passports(&snapshot, &mut sets, &mut report)?;
    check_journal(&snapshot, &mut known, &mut report)?;
    sets::check(&snapshot, sets, &mut report)?;
    for (place, check) in [
        ("tallies", tally::check as fn(&Connection, &mut CheckReport) -> Result<(), Fault>),
        ("references", references::check),
        ("reservations", reservations::check),
        ("idempotency records", repeats::check),
        ("resets", resets::check),
        ("kiosks", kiosks::check),
        ("users", accounts::check),
    ] {
        unless_damaged(check(db, &mut report), place, &mut report)?;
    }
    Ok(report)
}

/// What cannot be read is one of the things that a check finds, and no reason to end it.
fn unless_damaged(read: Result<(), Fault>, place: &str, report: &mut CheckReport) -> Result<(), Fault> {
    match read {
        Err(Fault::Damaged(wrong)) => {
            report.find(place, wrong);
            Ok(())
        }
        read => read,
    }
}

/// Asks for places, and finds the same wrong at each that is answered.
fn find_each(db: &Connection, report: &mut CheckReport, sql: &str, wrong: &str) -> Result<(), Fault> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        report.find(row.get::<_, String>(0)?, wrong);
    }
    Ok(())
}

/// SQLite's own view of its pages and indexes.
fn check_file(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let mut statement = db.prepare("PRAGMA quick_check(20)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            report.find("file", line);
        }
    }
    Ok(())
}

fn read_passports(snapshot: &Snapshot<'_>, sets: &mut Expected, report: &mut CheckReport) -> Result<Vec<Known>, Fault> {
    let mut known = Vec::new();
    let mut statement = snapshot.db.prepare(concat!("SELECT ", columns!(), " FROM passport ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let passport = match PassportRow::read(row) {
            Ok(passport) => passport,
            Err(Fault::Damaged(wrong)) => {
                report.find(format!("passport number {}", row.get::<_, i64>(0)?), wrong);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        if snapshot.is_hidden(chunk_of(passport.seq)) {
            continue;
        }
        sets.add(&passport);
        if !passport.tags.is_sorted_by(|a, b| a < b) {
            report.find(format!("passport {}", passport.id), "its tags are not sorted, or doubled");
        }
        let (id, state, changed) = (passport.id.get(), passport.state.name(), passport.changed);
        known.push(Known { id, state, changed, last_row: None, told: None });
    }
    report.passports = known.len() as u64;
    known.sort_unstable_by_key(|passport| passport.id);
    Ok(known)
}

/// Each passport's rows are a chain that begins with its making, ends where the passport says, and leaves it in the
/// state that it is in.
fn check_journal(snapshot: &Snapshot<'_>, known: &mut [Known], report: &mut CheckReport) -> Result<(), Fault> {
    let hidden = hidden_ids(snapshot)?;
    let mut statement =
        snapshot.db.prepare("SELECT seq, at, kind, passport, actor, detail FROM journal ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut last_at = i64::MIN;
    while let Some(row) = rows.next()? {
        let (seq, at, id): (i64, i64, u64) = (row.get(0)?, row.get(1)?, row.get(3)?);
        if hidden.contains(&id) {
            continue;
        }
        report.journal_rows += 1;
        let place = || format!("journal row {seq}");
        if at < last_at {
            report.find(place(), "its time is before that of the row before it");
        }
        last_at = at;
        if row.get_ref(4)?.as_str()?.parse::<Actor>().is_err() {
            report.find(place(), "its actor is unknown");
        }
        let Some(event) = Event::parse(row.get_ref(2)?.as_str()?) else {
            report.find(place(), "its kind is unknown");
            continue;
        };
        let Ok(at) = known.binary_search_by_key(&id, |passport| passport.id) else {
            report.find(place(), format!("there is no passport {id}"));
            continue;
        };
        let passport = &mut known[at];
        if matches!(event, Event::Created | Event::Imported) != passport.last_row.is_none() {
            report.find(place(), format!("it is no row with which the history of passport {id} could go on"));
        }
        if history::after(row.get_ref(5)?.as_str_or_null()?) != passport.last_row {
            report.find(place(), format!("a row about passport {id} is missing before it"));
        }
        passport.last_row = Some(seq);
        passport.told = event.leaves().or(passport.told);
    }
    for passport in known {
        let place = || format!("passport {}", passport.id);
        if passport.last_row != Some(passport.changed) {
            report.find(place(), format!("the journal's row {} about its last change is missing", passport.changed));
        } else if passport.told != Some(passport.state) {
            let told = passport.told.map_or("nothing", StateName::as_str);
            report.find(place(), format!("it is {}, and the journal tells that it is {told}", passport.state));
        }
    }
    Ok(())
}

/// The ids of passports that an import wrote and did not publish. Their rows are of no account.
fn hidden_ids(snapshot: &Snapshot<'_>) -> Result<BTreeSet<u64>, Fault> {
    let sql = "SELECT id FROM hidden JOIN passport ON seq BETWEEN chunk << 12 AND (chunk << 12) + 4095";
    let mut statement = snapshot.db.prepare(sql)?;
    let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}
