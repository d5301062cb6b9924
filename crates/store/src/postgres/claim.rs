//! Claiming: whoever knows the link gives the passport to a wallet.

use passpool_core::{Actor, Event, LinkKey, Refusal, State};

use super::{
    connection::Session,
    ledger::{Change, Ledger},
    opening::{opens, prove, refuse_dead},
    passport::{PassportRow, Reading},
    visit,
};
use crate::{Claim, StoreError};

/// Judges the proof: the key of the link that it opens, or opened for the owner who claims again.
pub(super) async fn judge(db: &Session, wish: &Claim) -> Result<LinkKey, StoreError> {
    let Some(row) = PassportRow::visible_by_id(db, wish.passport, Reading::Only).await? else {
        return refuse_dead(wish.passport, &wish.proof);
    };
    match &row.state {
        State::Claimed { hand_out, owner } if *owner == wish.owner => {
            let is_known = opens(&wish.proof, row.id, &hand_out.key)?;
            if is_known { Ok(hand_out.key.clone()) } else { Err(Refusal::LinkDead.into()) }
        }
        _ => prove(&row, &wish.proof, wish.now),
    }
}

/// Claims by the link that was proven, if it is still the one.
pub(super) async fn claim(ledger: &Ledger, wish: &Claim, key: &LinkKey) -> Result<(), StoreError> {
    let was = PassportRow::visible_by_id(ledger, wish.passport, Reading::ToChange).await?.ok_or(Refusal::LinkDead)?;
    if let State::Claimed { hand_out, owner } = &was.state
        && (*owner, &hand_out.key) == (wish.owner, key)
    {
        return Ok(());
    }
    if was.state.link_key(wish.now).as_ref() != Some(key) {
        return Err(Refusal::LinkDead.into());
    }
    visit::wait_for_wallet(ledger, &was.state, wish.owner).await?;
    visit::may_own_another(ledger, &was.state, wish.owner).await?;
    let becomes = was.state.clone().claim(wish.owner, wish.now)?;
    let by = Actor::Wallet(wish.owner);
    let change = Change { was: &was, becomes, event: Event::Claimed, by: &by, at: wish.now, detail: String::new() };
    Ok(ledger.change(&[change]).await?)
}
