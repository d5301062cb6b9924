//! Holds that end: passports whose time is over come back to the pool, and so do those of transfers that failed.

use passpool_core::{Actor, Event, State, StateName, Timestamp};

use super::{
    connection::Session,
    ledger::{Change, Ledger},
    passport::PassportRow,
    typed::typed,
};
use crate::Fault;

/// How many end in one transaction. More have to wait for the next, so that no caller waits for them all.
const AT_ONCE: i64 = 2_000;

/// True if anything is due, also what another transaction is about to end.
pub(super) async fn any_due(db: &Session, now: Timestamp) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM ending WHERE is_transfer AND at <= $1) \
               OR EXISTS (SELECT 1 FROM ending WHERE NOT is_transfer AND at <= $1)";
    Ok(db.query_one(sql, typed![now.as_micros()]).await?.try_get(0)?)
}

/// Ends what is due, oldest end first, and answers how many. What another transaction ends meanwhile is waited for.
pub(super) async fn end_due(ledger: &Ledger, now: Timestamp) -> Result<u64, Fault> {
    let due = due(ledger, now).await?;
    let changes = due.iter().map(|was| {
        let (event, state) = match &was.state {
            State::Pending { .. } => {
                let state = was.state.clone().fail(now);
                // If the hold ended meanwhile too, nothing is left of it.
                let is_held = matches!(&state, Ok(state) if state.name() == StateName::Scanned);
                (if is_held { Event::Failed } else { Event::Ended }, state)
            }
            state => (Event::Ended, state.clone().end_hold(now)),
        };
        let becomes = state
            .map_err(|refusal| Fault::Damaged(format!("passport {} stands among what ends: {refusal}", was.id)))?;
        Ok(Change { was, becomes, event, by: &Actor::Clock, at: now, detail: String::new() })
    });
    let changes = changes.collect::<Result<Vec<_>, Fault>>()?;
    ledger.change(&changes).await?;
    Ok(changes.len() as u64)
}

/// Locked in the order of their creation, as everybody locks who locks more than one.
async fn due(ledger: &Ledger, now: Timestamp) -> Result<Vec<PassportRow>, Fault> {
    let sql = "SELECT passport.* FROM passport JOIN (
            SELECT seq, at FROM (
                (SELECT seq, at FROM ending WHERE is_transfer AND at <= $1 ORDER BY at LIMIT $2)
                UNION ALL
                (SELECT seq, at FROM ending WHERE NOT is_transfer AND at <= $1 ORDER BY at LIMIT $2)
            ) AS either ORDER BY at LIMIT $2
        ) AS due USING (seq)
        WHERE CASE passport.state WHEN 3 THEN settle_by <= $1 ELSE passport.state IN (1, 2) AND until <= $1 END
        ORDER BY passport.seq FOR UPDATE OF passport";
    ledger.query(sql, typed![now.as_micros(), AT_ONCE]).await?.iter().map(PassportRow::read).collect()
}
