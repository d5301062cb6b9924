//! Reserving for one caller who wants many, or wants to be able to ask again: a transaction of its own.

use std::collections::HashMap;

use passpool_core::{
    Content, Event, HandedOut, Kept, KeptRecipient, Refusal, Reservation, ReservationId, Reserve, SecretId, Shortage,
    State, Timestamp, WalletAddress,
};

use super::{
    connection::Session,
    content,
    ledger::Ledger,
    passport::{PassportRow, Reading},
    pick::{self, HandOuts, Locked, TakeError, Taken},
    recipient, repeat, reservation,
    shelf::Shelf,
    tags::Wanted,
};
use crate::{Fault, StoreError};

/// How often passports may be snatched away and given back under the eyes of one call. It is rare once.
const TRIES: usize = 100;

/// Refuses what no pool could fulfil.
pub(super) fn judge(wish: &Reserve) -> Result<(), Refusal> {
    if !(1..=Reserve::MAX_COUNT).contains(&wish.count) {
        return Err(Refusal::Count { count: wish.count.into(), max: Reserve::MAX_COUNT.into() });
    }
    if wish.until.is_some_and(|until| until <= wish.now) {
        return Err(Refusal::EndInThePast);
    }
    let recipients = wish.keep.as_ref().and_then(|kept| kept.recipients.as_ref());
    match recipients.map(|new| new.recipients.as_slice().len()) {
        Some(recipients) if recipients != wish.count as usize => {
            Err(Refusal::RecipientCount { count: wish.count.into(), recipients: recipients as u64 })
        }
        _ => Ok(()),
    }
}

/// Takes what is wished for. With recipients each passport is sent on its way in the same step.
pub(super) async fn reserve(
    shelf: &Shelf,
    wish: &Reserve,
    recipients: &[WalletAddress],
) -> Result<Reservation, StoreError> {
    judge(wish)?;
    let db = shelf.connections.session().await?;
    if let Some(Kept { repeat: Some(repeat), .. }) = &wish.keep
        && let Some(first) = repeat::find(&db, repeat).await?
    {
        return replay(&db, first, wish).await;
    }
    let wanted = shelf.tags.resolve(&db, &wish.selector).await?;
    drop(db);
    let Some(wanted) = wanted else { return Err(Refusal::PoolShort { available: 0 }.into()) };
    let hand_outs = hand_outs(wish, recipients);
    let mark = shelf.marks.of(&wanted);
    let at_least = wish.count as usize;
    let mut from_the_beginning = false;
    for _ in 0..TRIES {
        let from = if from_the_beginning { 0 } else { mark };
        match attempt(shelf, wish, &wanted, Locked::Skip { from }, at_least, &hand_outs).await? {
            Attempt::Done(reservation) => return Ok(reservation),
            Attempt::Repeated(first) => {
                return replay(&shelf.connections.session().await?, first, wish).await;
            }
            Attempt::Overtaken => {}
            Attempt::Short { .. } if from > 0 => from_the_beginning = true,
            Attempt::Short { .. } => break,
        }
    }
    wait_for_all(shelf, wish, &wanted, &hand_outs).await
}

/// What others have locked is not gone: it is asked for again, in the order of creation and without passing over
/// anything, by one who holds nothing. What this does not find is not there.
async fn wait_for_all(
    shelf: &Shelf,
    wish: &Reserve,
    wanted: &Wanted,
    hand_outs: &HandOuts,
) -> Result<Reservation, StoreError> {
    let at_least = match wish.shortage {
        Shortage::Refuse => wish.count as usize,
        Shortage::Partial => 1,
    };
    for _ in 0..TRIES {
        // Passports whose time is over count as free, whether or not the worker came by.
        shelf.end_all_due(wish.now).await?;
        match attempt(shelf, wish, wanted, Locked::Wait, at_least, hand_outs).await? {
            Attempt::Done(reservation) => return Ok(reservation),
            Attempt::Repeated(first) => {
                return replay(&shelf.connections.session().await?, first, wish).await;
            }
            Attempt::Short { found } => return Err(Refusal::PoolShort { available: found as u64 }.into()),
            Attempt::Overtaken => {}
        }
    }
    Err(Fault::Locked.into())
}

/// What came of one transaction.
enum Attempt {
    Done(Reservation),
    /// An earlier call with the same key has made this one.
    Repeated(ReservationId),
    Short {
        found: usize,
    },
    Overtaken,
}

async fn attempt(
    shelf: &Shelf,
    wish: &Reserve,
    wanted: &Wanted,
    locked: Locked,
    at_least: usize,
    hand_outs: &HandOuts,
) -> Result<Attempt, StoreError> {
    let ledger = shelf.ledger().await?;
    if let Some(Kept { id, repeat: Some(repeat), .. }) = &wish.keep
        && !repeat::write(&ledger, repeat, *id, wish.now).await?
    {
        ledger.roll_back().await;
        let db = shelf.connections.session().await?;
        // It may have been forgotten in this moment; then it is as if it had never been.
        return Ok(repeat::find(&db, repeat).await?.map_or(Attempt::Overtaken, Attempt::Repeated));
    }
    let taken = match pick::take(&ledger, wanted, locked, at_least, hand_outs).await {
        Ok(taken) => taken,
        Err(TakeError::Overtaken) => {
            ledger.roll_back().await;
            return Ok(Attempt::Overtaken);
        }
        Err(TakeError::Fault(fault)) => return Err(fault.into()),
    };
    if taken.found < at_least {
        // Whoever waits holds nothing.
        ledger.roll_back().await;
        return Ok(Attempt::Short { found: taken.found });
    }
    if let Some(kept) = &wish.keep {
        keep(&ledger, kept, wish, &taken).await?;
    }
    ledger.commit().await?;
    if let Some((first, _)) = taken.passports.first() {
        shelf.marks.set(wanted, first.seq);
    }
    let handed_out = taken.passports.into_iter().map(|(row, json)| handed_out(&row, json, wish.with_content));
    let mut handed_out = handed_out.collect::<Result<Vec<_>, Fault>>()?;
    if let Some(Kept { recipients: Some(new), .. }) = &wish.keep {
        for (position, (handed, recipient)) in (0..).zip(handed_out.iter_mut().zip(new.recipients.as_slice())) {
            handed.recipient =
                Some(Box::new(KeptRecipient { id: new.first.nth(position), recipient: recipient.clone() }));
        }
    }
    Ok(Attempt::Done(Reservation { id: wish.keep.as_ref().map(|kept| kept.id), handed_out, replayed: false }))
}

fn hand_outs(wish: &Reserve, recipients: &[WalletAddress]) -> HandOuts {
    let reservation = wish.keep.as_ref().map(|kept| kept.id);
    HandOuts {
        event: if recipients.is_empty() { Event::Reserved } else { Event::Airdropped },
        numbers: wish.seed.numbers(0).take(wish.count as usize).map(|number| number.get().cast_signed()).collect(),
        secret: SecretId::FIRST.0.into(),
        ats: vec![wish.now.as_micros()],
        untils: vec![wish.until.map_or(0, Timestamp::as_micros)],
        by: vec![1],
        actors: vec![wish.by.to_string()],
        reservation: reservation.map(|id| id.as_bytes().to_vec()),
        detail: reservation.map(|id| format!(",\"reservation\":\"{id}\"")).unwrap_or_default(),
        recipients: recipients.iter().flat_map(|wallet| *wallet.as_bytes()).collect(),
        settle_by: (!recipients.is_empty()).then(|| State::settle_by(wish.now)),
        kiosk: None,
        with_content: wish.with_content,
    }
}

/// One passport as its new holder gets it.
pub(super) fn handed_out(row: &PassportRow, json: Option<String>, with_content: bool) -> Result<HandedOut, Fault> {
    let hand_out = row.state.hand_out().ok_or_else(|| Fault::Damaged(format!("passport {} is nobody's", row.id)))?;
    let content = with_content.then(|| json.map_or_else(Content::empty, Content::from_stored));
    Ok(HandedOut { passport: row.id, key: hand_out.key.clone(), content, recipient: None })
}

/// Writes down what was asked for, what that gave, and for whom each passport is.
async fn keep(ledger: &Ledger, kept: &Kept, wish: &Reserve, taken: &Taken) -> Result<(), Fault> {
    let seqs: Vec<i64> = taken.passports.iter().map(|(row, _)| row.seq).collect();
    reservation::write(ledger, kept, wish, &seqs).await?;
    match &kept.recipients {
        Some(new) => recipient::write(ledger, kept.id, new, &seqs).await,
        None => Ok(()),
    }
}

/// The first answer again, made from the rows: every passport of it has to be held by it still.
async fn replay(db: &Session, id: ReservationId, wish: &Reserve) -> Result<Reservation, StoreError> {
    let known = reservation::load(db, id, 0, Reserve::MAX_COUNT as usize).await?;
    let (info, seqs) = known.ok_or_else(|| Fault::Damaged(format!("there is no reservation {id}")))?;
    let rows = reservation::passports(db, &seqs, Reading::Only).await?;
    let mut recipients = if info.recipients > 0 { recipient::of(db, id, &seqs).await? } else { HashMap::new() };
    let contents: Vec<i64> = rows.iter().filter_map(|row| row.content).collect();
    let contents = if wish.with_content { content::load(db, &contents).await? } else { HashMap::new() };
    let handed_out = rows.into_iter().map(|row| {
        let row = row.with(row.state.clone().as_of(wish.now));
        if row.state.hand_out().and_then(|hand_out| hand_out.reservation) != Some(id) {
            return Err(Refusal::ReservationOver.into());
        }
        let json = row.content.and_then(|id| contents.get(&id)).map(|content| content.as_str().to_owned());
        let recipient = recipients.remove(&row.seq).map(Box::new);
        Ok(HandedOut { recipient, ..handed_out(&row, json, wish.with_content)? })
    });
    Ok(Reservation { id: Some(id), handed_out: handed_out.collect::<Result<_, StoreError>>()?, replayed: true })
}
