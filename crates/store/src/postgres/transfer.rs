//! Transferring: passports on their way to a wallet, by the brand's wish.

use passpool_core::{Actor, Event, LinkKey, Refusal, State, Timestamp, Untransferable, WalletAddress, WholeSeconds};

use super::{
    connection::Session,
    ledger::{Change, Ledger},
    opening::opens,
    passport::{PassportRow, Reading},
    typed::typed,
    visit,
};
use crate::{Fault, StoreError, Transfer};

/// How many are settled in one transaction.
const AT_ONCE: i64 = 2_000;

/// Judges everything that a transfer needs, and answers the key of the link that was proven.
pub(super) async fn judge(db: &Session, wish: &Transfer) -> Result<LinkKey, StoreError> {
    let row = PassportRow::visible_by_id(db, wish.passport, Reading::Only).await?;
    let row = row.ok_or(refuse(Untransferable::Unknown))?;
    let key = row.state.clone().transferable(wish.to, wish.now).map_err(refuse)?;
    if !opens(&wish.proof, row.id, &key)? {
        return Err(refuse(Untransferable::WrongPassphrase).into());
    }
    visit::may_own_another(db, &row.state, wish.to).await?;
    Ok(key)
}

/// Transfers by the link that was proven, if it is still the one.
pub(super) async fn transfer(ledger: &Ledger, wish: &Transfer, proven: &LinkKey) -> Result<(), StoreError> {
    let was = PassportRow::visible_by_id(ledger, wish.passport, Reading::ToChange).await?;
    let was = was.ok_or(refuse(Untransferable::Unknown))?;
    let key = was.state.clone().transferable(wish.to, wish.now).map_err(refuse)?;
    if key != *proven {
        return Err(refuse(Untransferable::NoLink).into());
    }
    visit::wait_for_wallet(ledger, &was.state, wish.to).await?;
    visit::may_own_another(ledger, &was.state, wish.to).await?;
    let becomes = was.state.clone().transfer(wish.to, wish.now)?;
    let detail = detail(wish.to);
    let change = Change { was: &was, becomes, event: Event::Transferred, by: &wish.by, at: wish.now, detail };
    Ok(ledger.change(&[change]).await?)
}

/// True if anything is on its way.
pub(super) async fn any(db: &Session) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM ending WHERE is_transfer)";
    Ok(db.query_one(sql, typed![]).await?.try_get(0)?)
}

/// Settles what is on its way for this long, oldest first, and answers how many. What another server settles at this
/// moment is left to it.
pub(super) async fn settle(ledger: &Ledger, after: Option<WholeSeconds>, now: Timestamp) -> Result<u64, Fault> {
    let begun_by = after.map_or(now, |after| now.minus(after));
    // What comes too late has failed, and ends with the holds.
    let sql = "SELECT passport.* FROM passport JOIN (
            SELECT seq FROM ending WHERE is_transfer AND at > $1 AND at <= $2 ORDER BY at LIMIT $3
        ) AS due USING (seq) WHERE passport.state = 3 ORDER BY passport.seq FOR UPDATE OF passport SKIP LOCKED";
    let latest = State::settle_by(begun_by).as_micros();
    let rows = ledger.query(sql, typed![now.as_micros(), latest, AT_ONCE]).await?;
    let on_their_way = rows.iter().map(PassportRow::read).collect::<Result<Vec<_>, _>>()?;
    let changes = on_their_way.iter().filter_map(|was| {
        let becomes = was.state.clone().settle(now).ok()?;
        Some(Change { was, becomes, event: Event::Settled, by: &Actor::Clock, at: now, detail: String::new() })
    });
    let changes: Vec<Change<'_>> = changes.collect();
    ledger.change(&changes).await?;
    Ok(changes.len() as u64)
}

/// What the journal says of where a passport is going.
fn detail(to: WalletAddress) -> String {
    format!("\"to\":\"{to}\"")
}

fn refuse(why: Untransferable) -> Refusal {
    Refusal::Untransferable(why)
}
