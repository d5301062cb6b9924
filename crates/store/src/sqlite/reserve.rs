//! Reserving: passports leave the pool.

use passpool_core::{
    Event, HandOutNumber, HandedOut, Kept, KeptRecipient, NewRecipients, Refusal, Reservation, ReservationId, Reserve,
    SecretId, Shortage, State, Terms, WalletAddress,
};
use rusqlite::Connection;

use super::{
    content,
    hand_out::HandOutStep,
    ledger::{Change, Ledger},
    passport::PassportRow,
    recipient, reservation, transfer,
};
use crate::{Airdrop, Fault, StoreError};

/// How many passports of one reservation are read at once.
const READ_TOGETHER: usize = 1_024;
/// From how many passports on they are read beside the writer. (Measured: 10,000 gain nothing by it, and lose where the two
/// threads have to share a core at first.)
const MANY: usize = 16 * READ_TOGETHER;

/// A passport that was picked, and what it is given.
struct Picked {
    row: PassportRow,
    number: HandOutNumber,
    /// Where it is sent in the same step.
    wallet: Option<WalletAddress>,
}

/// What is to be written of a passport, and what the caller is told of it.
struct Prepared {
    step: HandOutStep,
    told: HandedOut,
}

pub(super) fn reserve(ledger: &mut Ledger, wish: &Reserve) -> Result<Reservation, StoreError> {
    take(ledger, wish, None)
}

/// Reserves for each recipient, and sends what was reserved on its way in the same step.
pub(super) fn airdrop(ledger: &mut Ledger, wish: &Airdrop) -> Result<Reservation, StoreError> {
    take(ledger, &wish.wish, Some(&wish.recipients))
}

fn take(ledger: &mut Ledger, wish: &Reserve, wallets: Option<&[WalletAddress]>) -> Result<Reservation, StoreError> {
    if !(1..=Reserve::MAX_COUNT).contains(&wish.count) {
        return Err(Refusal::Count { count: wish.count.into(), max: Reserve::MAX_COUNT.into() }.into());
    }
    if wish.until.is_some_and(|until| until <= wish.now) {
        return Err(Refusal::EndInThePast.into());
    }
    let recipients = wish.keep.as_ref().and_then(|kept| kept.recipients.as_ref());
    if let Some(new) = recipients
        && new.recipients.as_slice().len() != wish.count as usize
    {
        let recipients = new.recipients.as_slice().len() as u64;
        return Err(Refusal::RecipientCount { count: wish.count.into(), recipients }.into());
    }
    if let Some(Kept { repeat: Some(repeat), .. }) = &wish.keep
        && let Some(first) = ledger.repeats.find(&ledger.db, repeat)?
    {
        ledger.see_passports()?;
        return replay(ledger, first, wish);
    }
    let picked = pick(ledger, wish)?;
    let mut handed_out = hand_out(ledger, wish, &picked, wallets)?;
    assert_eq!(handed_out.len(), picked.len(), "what was picked is handed out");
    if let Some(kept) = &wish.keep {
        reservation::write(&ledger.db, kept, wish, &picked)?;
        if let Some(repeat) = &kept.repeat {
            ledger.repeats.write(&ledger.db, repeat, kept.id, wish.now)?;
        }
        if let Some(new) = &kept.recipients {
            assign(ledger, kept.id, new, &picked, &mut handed_out)?;
        }
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
    seqs: &[u64],
    wallets: Option<&[WalletAddress]>,
) -> Result<Vec<HandedOut>, StoreError> {
    let detail = detail(wish);
    if let [one] = *seqs {
        let row = ledger.ahead.take(&ledger.db, one)?;
        let picked = Picked { row, number: wish.seed.number(), wallet: wallets.map(|wallets| wallets[0]) };
        let prepared = prepare(&ledger.db, wish, picked)?;
        return Ok(vec![write(ledger, wish, prepared, &detail)?]);
    }
    if seqs.len() >= MANY && ledger.has_written_nothing() {
        return hand_out_many(ledger, wish, seqs, wallets, &detail);
    }
    let mut handed_out = Vec::with_capacity(seqs.len());
    for (first, seqs) in slices(seqs) {
        for picked in read(&ledger.db, wish, first, seqs, wallets)? {
            let prepared = prepare(&ledger.db, wish, picked)?;
            handed_out.push(write(ledger, wish, prepared, &detail)?);
        }
    }
    Ok(handed_out)
}

/// The same, but each slice is read and prepared in another thread while those before it are written. To be called in a
/// transaction that has not written yet.
fn hand_out_many(
    ledger: &mut Ledger,
    wish: &Reserve,
    seqs: &[u64],
    wallets: Option<&[WalletAddress]>,
    detail: &str,
) -> Result<Vec<HandedOut>, StoreError> {
    let prepare_slice = |db: &Connection, (first, seqs): (usize, &[u64])| {
        let mut slice = Vec::with_capacity(seqs.len());
        for picked in read(db, wish, first, seqs, wallets)? {
            slice.push(prepare(db, wish, picked)?);
        }
        Ok(slice)
    };
    let mut handed_out = Vec::with_capacity(seqs.len());
    let beside = ledger.beside.clone();
    beside.read_while_writing(slices(seqs), prepare_slice, |slice| {
        for prepared in slice {
            handed_out.push(write(ledger, wish, prepared, detail)?);
        }
        Ok(())
    })?;
    Ok(handed_out)
}

/// What is read at once, and how many stand before it.
fn slices(seqs: &[u64]) -> impl Iterator<Item = (usize, &[u64])> {
    (0..).step_by(READ_TOGETHER).zip(seqs.chunks(READ_TOGETHER))
}

/// Reads the passports at these places, which stand behind `first` others that the wish is given.
fn read<'wish>(
    db: &Connection,
    wish: &'wish Reserve,
    first: usize,
    seqs: &[u64],
    wallets: Option<&'wish [WalletAddress]>,
) -> Result<impl Iterator<Item = Picked> + use<'wish>, Fault> {
    let rows = PassportRow::of_pool(db, seqs)?.into_iter().zip(wish.seed.numbers(first as u32));
    Ok((first..).zip(rows).map(move |(position, (row, number))| Picked {
        row,
        number,
        wallet: wallets.map(|wallets| wallets[position]),
    }))
}

fn prepare(db: &Connection, wish: &Reserve, picked: Picked) -> Result<Prepared, StoreError> {
    let Picked { row: was, number, wallet } = picked;
    let becomes = was.with(handed_state(wish, &was, number, wallet)?);
    let told = handed_out(db, &becomes, wish.with_content)?;
    let told = told.unwrap_or_else(|| unreachable!("it is being handed out"));
    Ok(Prepared { step: HandOutStep { was, becomes, at: wish.now }, told })
}

fn write(
    ledger: &mut Ledger,
    wish: &Reserve,
    Prepared { step, told }: Prepared,
    detail: &str,
) -> Result<HandedOut, StoreError> {
    if let State::Pending { to, .. } = step.becomes.state {
        let change = Change { event: Event::Airdropped, by: &wish.by, at: wish.now };
        ledger.change(&step.was, &step.becomes, change, &with_recipient(detail, to))?;
    } else {
        ledger.hand_out(step, &wish.by, detail)?;
    }
    Ok(told)
}

/// The state of the passport that is handed out under this number.
fn handed_state(
    wish: &Reserve,
    was: &PassportRow,
    number: HandOutNumber,
    wallet: Option<WalletAddress>,
) -> Result<State, Fault> {
    let terms = Terms {
        number,
        secret: SecretId::FIRST,
        at: wish.now,
        until: wish.until,
        reservation: wish.keep.as_ref().map(|kept| kept.id),
        kiosk: None,
    };
    let state = was.state.clone();
    let state = match wallet {
        None => state.reserve(terms),
        Some(to) => state.airdrop(to, terms),
    };
    state.map_err(|refusal| was.wrong_in_pool(&refusal))
}

fn handed_out(db: &Connection, row: &PassportRow, with_content: bool) -> Result<Option<HandedOut>, StoreError> {
    let Some(hand_out) = row.state.hand_out() else { return Ok(None) };
    let content = with_content.then(|| content::of(db, row.content)).transpose()?;
    Ok(Some(HandedOut { passport: row.id, key: hand_out.key.clone(), content, recipient: None }))
}

/// Writes down for whom each passport is, in their order.
fn assign(
    ledger: &Ledger,
    reservation: ReservationId,
    new: &NewRecipients,
    picked: &[u64],
    handed_out: &mut [HandedOut],
) -> Result<(), Fault> {
    let places = new.recipients.as_slice().iter().zip(picked).zip(handed_out);
    for (position, ((recipient, seq), handed)) in (0..).zip(places) {
        let id = new.first.nth(position);
        recipient::write(&ledger.db, id, recipient, reservation, *seq)?;
        handed.recipient = Some(Box::new(KeptRecipient { id, recipient: recipient.clone() }));
    }
    Ok(())
}

/// What the journal says of each passport alike.
fn detail(wish: &Reserve) -> String {
    let until = wish.until.map(|until| format!("\"until\":{}", until.as_micros()));
    let reservation = wish.keep.as_ref().map(|kept| format!("\"reservation\":\"{}\"", kept.id));
    until.into_iter().chain(reservation).collect::<Vec<_>>().join(",")
}

fn with_recipient(detail: &str, to: WalletAddress) -> String {
    let comma = if detail.is_empty() { "" } else { "," };
    format!("{detail}{comma}{}", transfer::detail(to))
}

/// The first answer again, made from the rows: every passport of it has to be held by it still.
fn replay(ledger: &Ledger, id: ReservationId, wish: &Reserve) -> Result<Reservation, StoreError> {
    let known = reservation::load(&ledger.db, id)?;
    let (info, seqs) = known.ok_or_else(|| Fault::Damaged(format!("there is no reservation {id}")))?;
    let mut again = Vec::with_capacity(seqs.len());
    for together in seqs.chunks(READ_TOGETHER) {
        for row in PassportRow::by_seqs(&ledger.db, together)? {
            let row = row.with(row.state.clone().as_of(wish.now));
            if row.state.hand_out().and_then(|hand_out| hand_out.reservation) != Some(id) {
                return Err(Refusal::ReservationOver.into());
            }
            let mut handed = handed_out(&ledger.db, &row, wish.with_content)?.ok_or(Refusal::ReservationOver)?;
            if info.recipients > 0 {
                handed.recipient = recipient::of(&ledger.db, id, row.seq)?.map(Box::new);
            }
            again.push(handed);
        }
    }
    Ok(Reservation { id: Some(id), handed_out: again, replayed: true })
}
