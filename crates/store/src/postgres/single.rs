//! What the brand does to one passport that it names: another link, back from its owner, out of use.

use passpool_core::{Event, HandedOut, PassportId, Refusal, SecretId, State, Terms};

use super::{
    ledger::{Change, Ledger},
    passport::{PassportRow, Reading},
};
use crate::{Fault, OfPassport, Relink, StoreError};

pub(super) async fn relink(ledger: &Ledger, wish: &Relink) -> Result<HandedOut, StoreError> {
    let was = named(ledger, wish.passport).await?;
    let terms = Terms {
        number: wish.seed.number(),
        secret: SecretId::FIRST,
        at: wish.now,
        until: None,
        reservation: None,
        kiosk: None,
    };
    let becomes = was.state.clone().relink(wish.passphrase.clone(), terms)?;
    let key = becomes.hand_out().expect("it was just handed out").key.clone();
    let change =
        Change { was: &was, becomes, event: Event::Relinked, by: &wish.by, at: wish.now, detail: String::new() };
    ledger.change(&[change]).await?;
    Ok(HandedOut { passport: was.id, key, content: None, recipient: None })
}

pub(super) async fn recover(ledger: &Ledger, wish: &OfPassport) -> Result<(), StoreError> {
    let was = named(ledger, wish.passport).await?;
    let becomes = was.state.clone().recover()?;
    Ok(change(ledger, wish, &was, becomes, Event::Recovered).await?)
}

pub(super) async fn withdraw(ledger: &Ledger, wish: &OfPassport) -> Result<(), StoreError> {
    let was = named(ledger, wish.passport).await?;
    let becomes = was.state.clone().withdraw(wish.now)?;
    Ok(change(ledger, wish, &was, becomes, Event::Withdrawn).await?)
}

async fn change(
    ledger: &Ledger,
    wish: &OfPassport,
    was: &PassportRow,
    becomes: State,
    event: Event,
) -> Result<(), Fault> {
    ledger.change(&[Change { was, becomes, event, by: &wish.by, at: wish.now, detail: String::new() }]).await
}

async fn named(ledger: &Ledger, passport: PassportId) -> Result<PassportRow, StoreError> {
    let row = PassportRow::visible_by_id(ledger, passport, Reading::ToChange).await?;
    Ok(row.ok_or(Refusal::UnknownPassport(passport))?)
}
