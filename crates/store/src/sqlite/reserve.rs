//! Reserving: passports leave the pool.

use std::fmt::Write as _;

use passpool_core::{
    Event, HandedOut, Kept, Refusal, Reservation, ReservationId, Reserve, SecretId, Shortage, Terms, Timestamp,
    WalletAddress,
};
use rusqlite::params;

use super::{
    content,
    ledger::{Change, Ledger},
    passport::PassportRow,
    repeat, transfer, varint,
};
use crate::{Airdrop, Fault, StoreError};

pub(super) fn reserve(ledger: &mut Ledger, wish: &Reserve) -> Result<Reservation, StoreError> {
    take(ledger, wish, |_| None)
}

/// Reserves for each recipient, and sends what was reserved on its way in the same step.
pub(super) fn airdrop(ledger: &mut Ledger, wish: &Airdrop) -> Result<Reservation, StoreError> {
    let Airdrop { wish, recipients } = wish;
    take(ledger, wish, |position| Some(recipients[position]))
}

fn take(
    ledger: &mut Ledger,
    wish: &Reserve,
    recipient: impl Fn(usize) -> Option<WalletAddress>,
) -> Result<Reservation, StoreError> {
    if !(1..=Reserve::MAX_COUNT).contains(&wish.count) {
        return Err(Refusal::Count { count: wish.count.into(), max: Reserve::MAX_COUNT.into() }.into());
    }
    if wish.until.is_some_and(|until| until <= wish.now) {
        return Err(Refusal::EndInThePast.into());
    }
    if let Some(Kept { repeat: Some(repeat), .. }) = &wish.keep
        && let Some(first) = repeat::find(&ledger.db, repeat)?
    {
        return replay(ledger, first, wish);
    }
    let picked = pick(ledger, wish)?;
    let each = picked.iter().enumerate();
    let handed_out = each.map(|(position, seq)| hand_out(ledger, wish, *seq, position as u32, recipient(position)));
    let handed_out = handed_out.collect::<Result<Vec<_>, _>>()?;
    if let Some(kept) = &wish.keep {
        keep(ledger, kept, wish, &picked)?;
    }
    Ok(Reservation { id: wish.keep.as_ref().map(|kept| kept.id), handed_out, replayed: false })
}

/// As many as are wanted, or a refusal: nothing is written before it is known that they are there.
fn pick(ledger: &mut Ledger, wish: &Reserve) -> Result<Vec<u64>, StoreError> {
    loop {
        // Passports whose time is over count as free, whether or not the worker came by.
        let ended = super::hold::end_due(ledger, wish.now)?;
        let picked = ledger.pick(&wish.selector, wish.count)?;
        let enough = match wish.shortage {
            Shortage::Refuse => picked.len() == wish.count as usize,
            Shortage::Partial => !picked.is_empty(),
        };
        if enough {
            return Ok(picked);
        }
        if ended == 0 {
            return Err(Refusal::PoolShort { available: picked.len() as u64 }.into());
        }
    }
}

fn hand_out(
    ledger: &mut Ledger,
    wish: &Reserve,
    seq: u64,
    position: u32,
    recipient: Option<WalletAddress>,
) -> Result<HandedOut, StoreError> {
    let was = PassportRow::by_seq(&ledger.db, seq)?;
    let reservation = wish.keep.as_ref().map(|kept| kept.id);
    let terms = Terms {
        number: wish.seed.number(position),
        secret: SecretId::FIRST,
        at: wish.now,
        until: wish.until,
        reservation,
        kiosk: None,
    };
    let state = was.state.clone();
    let (event, state) = match recipient {
        None => (Event::Reserved, state.reserve(terms)),
        Some(to) => (Event::Airdropped, state.airdrop(to, terms)),
    };
    let becomes = was.with(state.map_err(|refusal| was.wrong_in_pool(&refusal))?);
    let change = Change { event, by: &wish.by, at: wish.now };
    ledger.change(&was, &becomes, change, &detail(wish.until, reservation, recipient))?;
    handed_out(ledger, &becomes, wish.with_content)?.ok_or_else(|| unreachable!("it was just handed out"))
}

fn handed_out(ledger: &Ledger, row: &PassportRow, with_content: bool) -> Result<Option<HandedOut>, StoreError> {
    let Some(hand_out) = row.state.hand_out() else { return Ok(None) };
    let content = with_content.then(|| content::of(&ledger.db, row.content)).transpose()?;
    Ok(Some(HandedOut { passport: row.id, key: hand_out.key.clone(), content, recipient: None }))
}

fn detail(until: Option<Timestamp>, reservation: Option<ReservationId>, recipient: Option<WalletAddress>) -> String {
    let mut detail = String::new();
    let mut comma = "";
    if let Some(until) = until {
        let _ = write!(detail, "\"until\":{}", until.as_micros());
        comma = ",";
    }
    if let Some(reservation) = reservation {
        let _ = write!(detail, "{comma}\"reservation\":\"{reservation}\"");
        comma = ",";
    }
    if let Some(recipient) = recipient {
        let _ = write!(detail, "{comma}{}", transfer::detail(recipient));
    }
    detail
}

fn keep(ledger: &Ledger, kept: &Kept, wish: &Reserve, seqs: &[u64]) -> Result<(), Fault> {
    let sql = "INSERT INTO reservation (id, at, actor, passports) VALUES (?, ?, ?, ?)";
    let passports = varint::write_any(seqs.iter().copied());
    let id = kept.id.as_bytes();
    ledger.db.prepare_cached(sql)?.execute(params![id, wish.now.as_micros(), wish.by.to_string(), passports])?;
    if let Some(repeat) = &kept.repeat {
        repeat::write(&ledger.db, repeat, kept.id, wish.now)?;
    }
    Ok(())
}

/// The first answer again, made from the rows: every passport of it has to be held by it still.
fn replay(ledger: &Ledger, id: ReservationId, wish: &Reserve) -> Result<Reservation, StoreError> {
    let mut statement = ledger.db.prepare_cached("SELECT passports FROM reservation WHERE id = ?")?;
    let seqs = statement.query_row([id.as_bytes()], |row| Ok(varint::read_any(row.get_ref(0)?.as_blob()?)))?;
    let seqs = seqs.ok_or_else(|| Fault::Damaged(format!("reservation {id} is unreadable")))?;
    let handed_out = seqs.into_iter().map(|seq| {
        let row = PassportRow::by_seq(&ledger.db, seq)?;
        let row = row.with(row.state.clone().as_of(wish.now));
        match row.state.hand_out().and_then(|hand_out| hand_out.reservation) {
            Some(holder) if holder == id => {
                handed_out(ledger, &row, wish.with_content)?.ok_or(Refusal::ReservationOver.into())
            }
            _ => Err(Refusal::ReservationOver.into()),
        }
    });
    Ok(Reservation { id: Some(id), handed_out: handed_out.collect::<Result<_, StoreError>>()?, replayed: true })
}
