//! Claiming: whoever knows the link gives the passport to a wallet.

use passpool_core::{Actor, Event, LinkKey, Refusal, State};
use rusqlite::Connection;

use super::{
    ledger::{Change, Ledger},
    opening::{opens, prove, refuse_dead},
    passport::PassportRow,
    visit,
};
use crate::{Claim, StoreError};

/// Judges the proof: the key of the link that it opens, or opened for the owner who claims again.
pub(super) fn judge(db: &Connection, wish: &Claim) -> Result<LinkKey, StoreError> {
    let Some(row) = PassportRow::visible_by_id(db, wish.passport)? else {
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
pub(super) fn claim(ledger: &mut Ledger, wish: &Claim, key: &LinkKey) -> Result<(), StoreError> {
    let was = PassportRow::visible_by_id(&ledger.db, wish.passport)?.ok_or(Refusal::LinkDead)?;
    if let State::Claimed { hand_out, owner } = &was.state
        && (*owner, &hand_out.key) == (wish.owner, key)
    {
        return Ok(());
    }
    if was.state.link_key(wish.now).as_ref() != Some(key) {
        return Err(Refusal::LinkDead.into());
    }
    visit::may_own_another(&ledger.db, &was.state, wish.owner)?;
    let becomes = was.with(was.state.clone().claim(wish.owner, wish.now)?);
    let change = Change { event: Event::Claimed, by: &Actor::Wallet(wish.owner), at: wish.now };
    Ok(ledger.change(&was, &becomes, change, "")?)
}
