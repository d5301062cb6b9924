//! Transferring: passports on their way to a wallet, by the brand's wish.

use passpool_core::{
    Actor, Event, LinkKey, Refusal, State, StateName, Timestamp, Untransferable, WalletAddress, WholeSeconds,
};
use rusqlite::Connection;

use super::{
    ledger::{Change, Ledger},
    opening::opens,
    passport::{PassportRow, columns},
    visit,
};
use crate::{Fault, StoreError, Transfer};

/// How many are settled, or have failed, in one transaction.
const AT_ONCE: usize = 2_000;

/// Judges everything that a transfer needs, and answers the key of the link that was proven.
pub(super) fn judge(db: &Connection, wish: &Transfer) -> Result<LinkKey, StoreError> {
    let row = PassportRow::visible_by_id(db, wish.passport)?.ok_or(refuse(Untransferable::Unknown))?;
    let key = row.state.clone().transferable(wish.to, wish.now).map_err(refuse)?;
    if !opens(&wish.proof, row.id, &key)? {
        return Err(refuse(Untransferable::WrongPassphrase).into());
    }
    visit::may_own_another(db, &row.state, wish.to)?;
    Ok(key)
}

/// Transfers by the link that was proven, if it is still the one.
pub(super) fn transfer(ledger: &mut Ledger, wish: &Transfer, proven: &LinkKey) -> Result<(), StoreError> {
    let was = PassportRow::visible_by_id(&ledger.db, wish.passport)?.ok_or(refuse(Untransferable::Unknown))?;
    let key = was.state.clone().transferable(wish.to, wish.now).map_err(refuse)?;
    if key != *proven {
        return Err(refuse(Untransferable::NoLink).into());
    }
    visit::may_own_another(&ledger.db, &was.state, wish.to)?;
    let becomes = was.with(was.state.clone().transfer(wish.to, wish.now)?);
    let change = Change { event: Event::Transferred, by: &wish.by, at: wish.now };
    Ok(ledger.change(&was, &becomes, change, &detail(wish.to))?)
}

/// What the journal says of where a passport is going.
pub(super) fn detail(to: WalletAddress) -> String {
    format!("\"to\":\"{to}\"")
}

/// True if anything is on its way.
pub(super) fn any(db: &Connection) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM passport INDEXED BY passport_settle WHERE settle_by IS NOT NULL";
    Ok(db.prepare_cached(sql)?.exists([])?)
}

/// Settles what is on its way for this long, oldest first, and answers how many.
pub(super) fn settle(ledger: &mut Ledger, after: Option<WholeSeconds>, now: Timestamp) -> Result<u64, Fault> {
    let begun_by = after.map_or(now, |after| now.minus(after));
    let mut settled = 0;
    for was in on_their_way(&ledger.db)? {
        if was.state.transferred_at().is_none_or(|begun| begun > begun_by) {
            break;
        }
        // What comes too late has failed, and ends with the holds.
        let Ok(state) = was.state.clone().settle(now) else { continue };
        let change = Change { event: Event::Settled, by: &Actor::Clock, at: now };
        ledger.change(&was, &was.with(state), change, "")?;
        settled += 1;
    }
    Ok(settled)
}

/// Writes down that transfers which were not settled in time have failed, and answers how many.
pub(super) fn fail_overdue(ledger: &mut Ledger, now: Timestamp) -> Result<u64, Fault> {
    let mut failed = 0;
    for was in on_their_way(&ledger.db)? {
        let State::Pending { settle_by, .. } = &was.state else { break };
        if *settle_by > now {
            break;
        }
        let state = was.state.clone().fail(now).map_err(|refusal| Fault::Damaged(refusal.to_string()))?;
        // If the hold ended meanwhile too, nothing is left of it.
        let event = if state.name() == StateName::Scanned { Event::Failed } else { Event::Ended };
        ledger.change(&was, &was.with(state), Change { event, by: &Actor::Clock, at: now }, "")?;
        failed += 1;
    }
    Ok(failed)
}

fn on_their_way(db: &Connection) -> Result<Vec<PassportRow>, Fault> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM passport INDEXED BY passport_settle WHERE settle_by IS NOT NULL ORDER BY settle_by LIMIT ?"
    );
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([AT_ONCE])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(PassportRow::read(row)?);
    }
    Ok(found)
}

fn refuse(why: Untransferable) -> Refusal {
    Refusal::Untransferable(why)
}
