//! Holds that end: passports whose time is over come back to the pool, and so do those of transfers that failed.

use passpool_core::{Actor, Event, Timestamp};

use super::{
    ledger::{Change, Ledger},
    passport::{PassportRow, columns},
    transfer,
};
use crate::Fault;

/// How many end in one transaction. More have to wait for the next, so that no caller waits for them all.
const AT_ONCE: usize = 2_000;

/// Ends what is due, oldest end first, and answers how many.
pub(super) fn end_due(ledger: &mut Ledger, now: Timestamp) -> Result<u64, Fault> {
    if ledger.next_end.is_none_or(|next| now < next) {
        return Ok(0);
    }
    ledger.see_passports()?;
    let failed = transfer::fail_overdue(ledger, now)?;
    let due = due(ledger, now)?;
    let change = Change { event: Event::Ended, by: &Actor::Clock, at: now };
    for was in &due {
        let state = was.state.clone().end_hold(now);
        let state = state.map_err(|refusal| {
            Fault::Damaged(format!("passport {} stands among the holds that end: {refusal}", was.id))
        })?;
        ledger.change(was, &was.with(state), change, "")?;
    }
    ledger.load_next_end()?;
    Ok(due.len() as u64 + failed)
}

fn due(ledger: &Ledger, now: Timestamp) -> Result<Vec<PassportRow>, Fault> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM passport INDEXED BY passport_hold WHERE until IS NOT NULL AND state IN (1, 2) AND until <= ? ORDER BY until LIMIT ?"
    );
    let mut statement = ledger.db.prepare_cached(sql)?;
    let mut rows = statement.query((now.as_micros(), AT_ONCE))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push(PassportRow::read(row)?);
    }
    Ok(due)
}
