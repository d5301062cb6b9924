//! Reserving for one caller who wants many, or wants to be able to ask again: a transaction of its own.

use passpool_core::{
    Content, Event, HandedOut, Kept, Refusal, Reservation, ReservationId, Reserve, SecretId, Shortage, State,
    Timestamp, WalletAddress,
};

use super::{
    connection::Session,
    content,
    ledger::Ledger,
    passport::{PassportRow, Reading},
    pick::{self, HandOuts, KEEP_NESTED_LOOPS, Locked, TakeError, Taken},
    repeat,
    shelf::Shelf,
    tags::Wanted,
    typed::typed,
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
    Ok(())
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
    ledger.run(KEEP_NESTED_LOOPS).await?;
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
        keep(&ledger, kept.id, wish, &taken).await?;
    }
    ledger.commit().await?;
    if let Some((first, _)) = taken.passports.first() {
        shelf.marks.set(wanted, first.seq);
    }
    let handed_out = taken.passports.into_iter().map(|(row, json)| handed_out(&row, json, wish.with_content));
    let handed_out = handed_out.collect::<Result<_, Fault>>()?;
    Ok(Attempt::Done(Reservation { id: wish.keep.as_ref().map(|kept| kept.id), handed_out, replayed: false }))
}

fn hand_outs(wish: &Reserve, recipients: &[WalletAddress]) -> HandOuts {
    let reservation = wish.keep.as_ref().map(|kept| kept.id);
    HandOuts {
        event: if recipients.is_empty() { Event::Reserved } else { Event::Airdropped },
        numbers: (0..wish.count).map(|position| wish.seed.number(position).get().cast_signed()).collect(),
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

async fn keep(ledger: &Ledger, id: ReservationId, wish: &Reserve, taken: &Taken) -> Result<(), Fault> {
    let seqs: Vec<i64> = taken.passports.iter().map(|(row, _)| row.seq).collect();
    let sql = "INSERT INTO reservation (id, at, actor, passports) VALUES ($1, $2, $3, $4)";
    let (id, at, actor) = (id.as_bytes().to_vec(), wish.now.as_micros(), wish.by.to_string());
    ledger.execute(sql, typed![id, at, actor, seqs]).await.map(drop)
}

/// The first answer again, made from the rows: every passport of it has to be held by it still.
async fn replay(db: &Session, id: ReservationId, wish: &Reserve) -> Result<Reservation, StoreError> {
    let sql = "SELECT passports FROM reservation WHERE id = $1";
    let row = db.query_opt(sql, typed![id.as_bytes().to_vec()]).await?;
    let row = row.ok_or_else(|| Fault::Damaged(format!("there is no reservation {id}")))?;
    let seqs: Vec<i64> = row.try_get(0)?;
    let rows = PassportRow::by_seqs(db, &seqs, Reading::Only).await?;
    let contents: Vec<i64> = rows.iter().filter_map(|row| row.content).collect();
    let contents = if wish.with_content { content::load(db, &contents).await? } else { Default::default() };
    let handed_out = seqs.into_iter().map(|seq| {
        let at = rows.binary_search_by_key(&seq, |row| row.seq);
        let row = &rows[at.map_err(|_| Fault::Damaged(format!("there is no passport number {seq}")))?];
        let row = row.with(row.state.clone().as_of(wish.now));
        if row.state.hand_out().and_then(|hand_out| hand_out.reservation) != Some(id) {
            return Err(Refusal::ReservationOver.into());
        }
        let json = row.content.and_then(|id| contents.get(&id)).map(|content| content.as_str().to_owned());
        Ok(handed_out(&row, json, wish.with_content)?)
    });
    Ok(Reservation { id: Some(id), handed_out: handed_out.collect::<Result<_, StoreError>>()?, replayed: true })
}
