//! Each passport's rows in the journal are a chain that begins with its making, ends where the passport says, and leaves
//! it in the state that it is in. Its time never goes back, and the marks say so of all rows before them.

use std::{collections::HashSet, iter::Peekable, pin::pin, vec};

use futures_util::TryStreamExt as _;
use passpool_core::{Actor, Event, StateName};
use tokio_postgres::Row;

use super::{
    super::{connection::Session, history, typed::typed},
    Known, find_each,
};
use crate::{CheckReport, Fault};

pub(super) async fn check(db: &Session, known: &mut [Known], report: &mut CheckReport) -> Result<(), Fault> {
    let hidden = "SELECT id FROM hidden JOIN passport ON seq >= chunk << 12 AND seq < (chunk + 1) << 12";
    let hidden = db.query(hidden, typed![]).await?;
    let hidden = hidden.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<i64>, _>>()?;
    let mut marks = Marks::read(db).await?;
    let mut rows = pin!(db.stream("SELECT seq, at, kind, passport, actor, detail FROM journal ORDER BY seq").await?);
    while let Some(row) = rows.try_next().await? {
        marks.pass(row.try_get(0)?, row.try_get(1)?, report);
        if !hidden.contains(&row.try_get(3)?) {
            check_row(&row, known, report)?;
        }
    }
    marks.end(report);
    for passport in known {
        check_end(passport, report);
    }
    check_numbers(db, report).await
}

fn check_row(row: &Row, known: &mut [Known], report: &mut CheckReport) -> Result<(), Fault> {
    let (seq, at, id): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?);
    report.journal_rows += 1;
    let place = || format!("journal row {seq}");
    if row.try_get::<_, &str>(4)?.parse::<Actor>().is_err() {
        report.find(place(), "its actor is unknown");
    }
    let Some(event) = Event::parse(row.try_get(2)?) else {
        report.find(place(), "its kind is unknown");
        return Ok(());
    };
    let Ok(found) = known.binary_search_by_key(&id, |passport| passport.id) else {
        report.find(place(), format!("there is no passport {id}"));
        return Ok(());
    };
    let passport = &mut known[found];
    if matches!(event, Event::Created | Event::Imported) != passport.last_row.is_none() {
        report.find(place(), format!("it is no row with which the history of passport {id} could go on"));
    }
    if history::after(row.try_get(5)?) != passport.last_row {
        report.find(place(), format!("a row about passport {id} is missing before it"));
    }
    if at < passport.last_at {
        report.find(place(), format!("its time is before that of the row about passport {id} before it"));
    }
    passport.last_row = Some(seq);
    passport.last_at = at;
    passport.told = event.leaves().or(passport.told);
    Ok(())
}

/// Compares a passport with what all of its rows tell.
fn check_end(passport: &Known, report: &mut CheckReport) {
    let place = || format!("passport {}", passport.id);
    if passport.last_row != Some(passport.changed) {
        report.find(place(), format!("the journal's row {} about its last change is missing", passport.changed));
        return;
    }
    if passport.told != Some(passport.state) {
        let told = passport.told.map_or("nothing", StateName::as_str);
        report.find(place(), format!("it is {}, and the journal tells that it is {told}", passport.state));
    }
    if passport.changed_at != passport.last_at {
        report.find(place(), "the time of its last change is not the journal's");
    }
}

/// The marks that were not passed yet, and the youngest row so far.
struct Marks {
    left: Peekable<vec::IntoIter<(i64, i64)>>,
    youngest: i64,
}

impl Marks {
    async fn read(db: &Session) -> Result<Self, Fault> {
        let rows = db.query("SELECT seq, at FROM journal_mark ORDER BY seq", typed![]).await?;
        let marks = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<Vec<_>, Fault>>()?;
        Ok(Self { left: marks.into_iter().peekable(), youngest: i64::MIN })
    }

    /// Goes on to a row of the journal.
    fn pass(&mut self, seq: i64, at: i64, report: &mut CheckReport) {
        self.judge_before(Some(seq), report);
        self.youngest = self.youngest.max(at);
    }

    fn end(&mut self, report: &mut CheckReport) {
        self.judge_before(None, report);
    }

    fn judge_before(&mut self, end: Option<i64>, report: &mut CheckReport) {
        while let Some((mark, at)) = self.left.next_if(|(mark, _)| end.is_none_or(|end| *mark < end)) {
            if at < self.youngest {
                report.find(format!("journal mark {mark}"), "a row up to there is younger than it says");
            }
        }
    }
}

/// Who takes the next number gets one that nobody has, and no mark stands before numbers that are still to come.
/// Numbers are given out behind the back of every transaction, so these may be younger than all that was read.
async fn check_numbers(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    for (sql, wrong) in [
        (
            "SELECT 'journal' FROM journal_number WHERE (SELECT max(seq) FROM journal) >= last_value + is_called::integer",
            "the number of its next row is taken",
        ),
        (
            "SELECT 'passports' FROM chunk_number
             WHERE (SELECT max(seq) >> 12 FROM passport) >= last_value + is_called::integer",
            "the next chunk is taken",
        ),
        (
            "SELECT 'journal mark ' || seq FROM journal_mark, journal_number WHERE seq >= last_value + is_called::integer",
            "a row up to there is still to come",
        ),
    ] {
        find_each(db, report, sql, wrong).await?;
    }
    Ok(())
}
