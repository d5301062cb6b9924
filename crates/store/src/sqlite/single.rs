//! What the brand does to one passport that it names: another link, back from its owner, out of use.

use passpool_core::{Event, HandedOut, PassportId, Refusal, SecretId, Terms};

use super::{
    ledger::{Change, Ledger},
    passport::PassportRow,
};
use crate::{OfPassport, Relink, StoreError};

pub(super) fn relink(ledger: &mut Ledger, wish: &Relink) -> Result<HandedOut, StoreError> {
    let was = named(ledger, wish.passport)?;
    let terms = Terms {
        number: wish.seed.number(),
        secret: SecretId::FIRST,
        at: wish.now,
        until: None,
        reservation: None,
        kiosk: None,
    };
    let becomes = was.with(was.state.clone().relink(wish.passphrase.clone(), terms)?);
    ledger.change(&was, &becomes, Change { event: Event::Relinked, by: &wish.by, at: wish.now }, "")?;
    let key = becomes.state.hand_out().expect("it was just handed out").key.clone();
    Ok(HandedOut { passport: becomes.id, key, content: None, recipient: None })
}

pub(super) fn recover(ledger: &mut Ledger, wish: &OfPassport) -> Result<(), StoreError> {
    let was = named(ledger, wish.passport)?;
    let becomes = was.with(was.state.clone().recover()?);
    Ok(ledger.change(&was, &becomes, Change { event: Event::Recovered, by: &wish.by, at: wish.now }, "")?)
}

pub(super) fn withdraw(ledger: &mut Ledger, wish: &OfPassport) -> Result<(), StoreError> {
    let was = named(ledger, wish.passport)?;
    let becomes = was.with(was.state.clone().withdraw(wish.now)?);
    Ok(ledger.change(&was, &becomes, Change { event: Event::Withdrawn, by: &wish.by, at: wish.now }, "")?)
}

fn named(ledger: &Ledger, passport: PassportId) -> Result<PassportRow, StoreError> {
    Ok(PassportRow::visible_by_id(&ledger.db, passport)?.ok_or(Refusal::UnknownPassport(passport))?)
}
