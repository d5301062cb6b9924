//! Checking: everything is read at one moment, and compared with what follows from it.
//!
//! What a check proves is written in `docs/architecture.md`, invariant by invariant. This file reads the passports and the
//! journal; what else there is has a file for each kind of thing. Each statement joins whole tables, for there may be ten
//! million passports, and hundreds of thousands of tags.

mod accounts;
mod journal;
mod kiosks;
mod references;
mod reservations;
mod resets;
mod sets;

use std::pin::pin;

use futures_util::TryStreamExt as _;
use passpool_core::StateName;
use tokio_postgres::Row;

use super::{connection::Session, passport::PassportRow, tally};
use crate::{CheckReport, Fault};

/// Whole tables are joined, whatever the planner believes: what it last heard of them may be from before the largest
/// reservation, and then it compares every passport with every other.
const JOIN_BY_HASH: &str = "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off";

/// What is known of a passport while the rest is read. Passports stand in order of their ids.
struct Known {
    id: i64,
    state: StateName,
    changed: i64,
    changed_at: i64,
    /// The journal's last row about it so far, when that was, and the state that its rows leave it in.
    last_row: Option<i64>,
    last_at: i64,
    told: Option<StateName>,
}

/// Wants a transaction that sees one moment.
pub(super) async fn check(db: &Session) -> Result<CheckReport, Fault> {
    db.run(JOIN_BY_HASH).await?;
    let mut report = CheckReport::default();
    let mut known = read_passports(db, &mut report).await?;
    journal::check(db, &mut known, &mut report).await?;
    drop(known);
    sets::check(db, &mut report).await?;
    tally::check(db, &mut report).await?;
    references::check(db, &mut report).await?;
    reservations::check(db, &mut report).await?;
    resets::check(db, &mut report).await?;
    kiosks::check(db, &mut report).await?;
    accounts::check(db, &mut report).await?;
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
pub(super) async fn find_each(db: &Session, report: &mut CheckReport, sql: &str, wrong: &str) -> Result<(), Fault> {
    let mut rows = pin!(db.stream(sql).await?);
    while let Some(row) = rows.try_next().await? {
        report.find(row.try_get::<_, String>(0)?, wrong);
    }
    Ok(())
}

/// Asks for rows of which something may be wrong: conditions, each with what is wrong where it holds. All are judged in
/// one reading; the expression names the place.
async fn judge(
    db: &Session,
    report: &mut CheckReport,
    (rows, place): (&str, &str),
    wrongs: &[(&str, &str)],
) -> Result<(), Fault> {
    let any = wrongs.iter().map(|(condition, _)| format!("({condition})")).collect::<Vec<_>>().join(" OR ");
    let each = wrongs.iter().map(|(condition, wrong)| format!("({condition}, '{wrong}')"));
    let each = each.collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT {place}, wrong FROM {rows} CROSS JOIN LATERAL (VALUES {each}) AS judged (is_wrong, wrong)
         WHERE ({any}) AND is_wrong"
    );
    let mut rows = pin!(db.stream(&sql).await?);
    while let Some(row) = rows.try_next().await? {
        report.find(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
    }
    Ok(())
}

async fn read_passports(db: &Session, report: &mut CheckReport) -> Result<Vec<Known>, Fault> {
    let sql = "SELECT * FROM passport WHERE seq >> 12 NOT IN (SELECT chunk FROM hidden)";
    let mut rows = pin!(db.stream(sql).await?);
    let mut known = Vec::new();
    while let Some(row) = rows.try_next().await? {
        match read_passport(&row, report) {
            Ok(passport) => known.push(passport),
            // The row is here: whatever is said of it is wrong with it.
            Err(fault) => report.find(format!("passport number {}", row.try_get::<_, i64>("seq")?), wrong(fault)),
        }
    }
    report.passports = known.len() as u64;
    known.sort_unstable_by_key(|passport| passport.id);
    Ok(known)
}

fn read_passport(row: &Row, report: &mut CheckReport) -> Result<Known, Fault> {
    let passport = PassportRow::read(row)?;
    let place = || format!("passport {}", passport.id);
    if !passport.is_all_of(row)? {
        report.find(place(), "it remembers what its state has not");
    }
    if !passport.tags.is_sorted_by(|a, b| a < b) {
        report.find(place(), "its tags are not sorted, or doubled");
    }
    Ok(Known {
        id: passport.id.get().cast_signed(),
        state: passport.state.name(),
        changed: passport.changed,
        changed_at: row.try_get("changed_at")?,
        last_row: None,
        last_at: i64::MIN,
        told: None,
    })
}

/// What is wrong with a row that is no such thing.
fn wrong(fault: Fault) -> String {
    match fault {
        Fault::Damaged(wrong) | Fault::Database(wrong) | Fault::Unreachable(wrong) => wrong,
        fault => fault.to_string(),
    }
}
