//! Reservations as they are kept: what was asked for, and which passports that gave.

use passpool_core::{
    Actor, Event, Kept, Note, Refusal, ReservationId, Reserve, Rule, Selector, State, StateName, Tag, Timestamp,
};
use rusqlite::{Connection, Row, params};

use super::{
    content,
    ledger::{Change, Ledger},
    passport::PassportRow,
    recipient, varint,
};
use crate::{
    Extend, Fault, LinksOf, OfReservation, ReservationInfo, ReservationNow, ReservationPage, ShowLinks, ShownLink,
    StateCounts, StoreError, Touched,
};

/// How many passports of a reservation are changed in one transaction.
const AT_ONCE: usize = 5_000;

/// The columns that [`read`] wants, in its order.
macro_rules! columns {
    () => {
        "id, at, actor, ifnull(count, 0), rule, tags, until, note, recipients"
    };
}

/// Writes down what was asked for, and which passports that gave, in their order.
pub(super) fn write(db: &Connection, kept: &Kept, wish: &Reserve, seqs: &[u64]) -> Result<(), Fault> {
    let sql = "INSERT INTO reservation (id, at, actor, passports, count, rule, tags, until, note, recipients) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let tags: Vec<&str> = wish.selector.tags().iter().map(Tag::as_str).collect();
    db.prepare_cached(sql)?.execute(params![
        kept.id.as_bytes(),
        wish.now.as_micros(),
        wish.by.to_string(),
        varint::write_any(seqs.iter().copied()),
        seqs.len(),
        wish.selector.rule().as_str(),
        tags.join(","),
        wish.until.map(Timestamp::as_micros),
        kept.note.as_ref().map(Note::reveal),
        kept.recipients.as_ref().map_or(0, |_| seqs.len()),
    ])?;
    Ok(())
}

/// A reservation and the seqs of its passports, in the order in which they were handed out.
pub(super) fn load(db: &Connection, id: ReservationId) -> Result<Option<(ReservationInfo, Vec<u64>)>, Fault> {
    let mut statement =
        db.prepare_cached(concat!("SELECT ", columns!(), ", passports FROM reservation WHERE id = ?"))?;
    let mut rows = statement.query([id.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let seqs = varint::read_any(row.get_ref(9)?.as_blob()?);
    let seqs = seqs.ok_or_else(|| Fault::Damaged(format!("reservation {id} is unreadable")))?;
    // One that was made before reservations were counted has its count in its list.
    let info = ReservationInfo { count: seqs.len() as u64, ..read(row)? };
    Ok(Some((info, seqs)))
}

/// A reservation as it is written, and how many passports it says that it has.
pub(super) struct Written {
    pub(super) info: ReservationInfo,
    pub(super) seqs: Vec<u64>,
    pub(super) count: Option<u64>,
}

/// Shows every reservation by its name, or what is wrong with it.
pub(super) fn each(
    db: &Connection,
    mut each: impl FnMut(&str, Result<Written, Fault>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let sql = concat!("SELECT ", columns!(), ", passports, count, 'rv_' || lower(hex(id)) FROM reservation");
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let written = || {
            let seqs = varint::read_any(row.get_ref(9)?.as_blob()?);
            let seqs = seqs.ok_or_else(|| Fault::Damaged("its passports are unreadable".into()))?;
            Ok(Written { info: read(row)?, seqs, count: row.get(10)? })
        };
        each(&row.get::<_, String>(11)?, written())?;
    }
    Ok(())
}

/// The same, if there is one; a refusal else.
pub(super) fn known(db: &Connection, id: ReservationId) -> Result<(ReservationInfo, Vec<u64>), StoreError> {
    Ok(load(db, id)?.ok_or(Refusal::UnknownReservation(id))?)
}

pub(super) fn list(db: &Connection, page: ReservationPage) -> Result<Vec<ReservationInfo>, Fault> {
    let sql = concat!("SELECT ", columns!(), " FROM reservation WHERE id < ? ORDER BY id DESC LIMIT ?");
    let before = page.before.map_or([0xff; 16], |id| *id.as_bytes());
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![before, page.limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let info = read(row)?;
        let is_counted = info.count > 0;
        found.push(if is_counted { info } else { known_count(db, info)? });
    }
    Ok(found)
}

/// Where the passports of a reservation are at this moment.
pub(super) fn now(db: &Connection, id: ReservationId, now: Timestamp) -> Result<Option<ReservationNow>, Fault> {
    let Some((info, seqs)) = load(db, id)? else { return Ok(None) };
    let mut states = StateCounts::default();
    each_standing(db, id, &seqs, |name, until, settle_by| {
        let is_over = |end: Option<i64>| end.is_some_and(|end| end <= now.as_micros());
        let name = if name == StateName::Pending && is_over(settle_by) { StateName::Scanned } else { name };
        let holds = matches!(name, StateName::Reserved | StateName::Scanned);
        if !(holds && is_over(until)) {
            *states.of_mut(name) += 1;
        }
    })?;
    let gone = info.count - states.total();
    Ok(Some(ReservationNow { info, states, gone }))
}

/// Shows links and tells the journal of each.
pub(super) fn show_links(ledger: &mut Ledger, wish: &ShowLinks) -> Result<Vec<ShownLink>, StoreError> {
    match wish.of {
        LinksOf::Passport(passport) => {
            let row = PassportRow::visible_by_id(&ledger.db, passport)?.ok_or(Refusal::UnknownPassport(passport))?;
            let reservation = row.state.hand_out().and_then(|hand_out| hand_out.reservation);
            Ok(vec![show(ledger, row, reservation, true, wish)?])
        }
        LinksOf::Reservation { id, from, limit } => {
            let (info, seqs) = known(&ledger.db, id)?;
            let mut shown = Vec::new();
            for seq in seqs.into_iter().skip(from as usize).take(limit.min(LinksOf::MAX)) {
                let row = PassportRow::by_seq(&ledger.db, seq)?;
                shown.push(show(ledger, row, Some(id), info.recipients > 0, wish)?);
            }
            Ok(shown)
        }
    }
}

/// What a slice did, and from which place the next one goes on.
pub(super) struct Slice {
    pub(super) touched: Touched,
    pub(super) next: Option<usize>,
}

/// Resets those that are still held, from this place on.
pub(super) fn cancel_slice(ledger: &mut Ledger, wish: &OfReservation, from: usize) -> Result<Slice, StoreError> {
    let (_, seqs) = known(&ledger.db, wish.id)?;
    touch(ledger, wish, &seqs, from, Event::Reset, "", |state| state.reset(wish.now).ok())
}

/// Gives those that are still held another end, from this place on.
pub(super) fn extend_slice(ledger: &mut Ledger, wish: &Extend, from: usize) -> Result<Slice, StoreError> {
    let Extend { of, until } = wish;
    let (_, seqs) = known(&ledger.db, of.id)?;
    if *until <= of.now {
        return Err(Refusal::EndInThePast.into());
    }
    let sql = "UPDATE reservation SET until = ? WHERE id = ?";
    ledger.db.prepare_cached(sql)?.execute(params![until.as_micros(), of.id.as_bytes()])?;
    let detail = format!("\"until\":{}", until.as_micros());
    touch(ledger, of, &seqs, from, Event::Extended, &detail, |state| state.extend(*until, of.now).ok())
}

fn touch(
    ledger: &mut Ledger,
    wish: &OfReservation,
    seqs: &[u64],
    from: usize,
    event: Event,
    detail: &str,
    step: impl Fn(State) -> Option<State>,
) -> Result<Slice, StoreError> {
    let mut touched = Touched::default();
    let change = Change { event, by: &wish.by, at: wish.now };
    let end = seqs.len().min(from + AT_ONCE);
    for was in PassportRow::by_seqs(&ledger.db, &seqs[from.min(end)..end])? {
        match Some(&was.state).filter(|state| is_of(state, wish.id)).cloned().and_then(&step) {
            Some(state) => {
                ledger.change(&was, &was.with(state), change, detail)?;
                touched.count += 1;
            }
            None => touched.others += 1,
        }
    }
    Ok(Slice { touched, next: Some(from + AT_ONCE).filter(|next| *next < seqs.len()) })
}

fn show(
    ledger: &mut Ledger,
    row: PassportRow,
    reservation: Option<ReservationId>,
    may_have_recipient: bool,
    wish: &ShowLinks,
) -> Result<ShownLink, StoreError> {
    let state = row.state.clone().as_of(wish.now);
    let key = match &state {
        State::Reserved(hand_out) | State::Scanned(hand_out) if hand_out.reservation == reservation => {
            Some(hand_out.key.clone())
        }
        _ => None,
    };
    if key.is_some() {
        ledger.change(&row, &row, Change { event: Event::Shown, by: &wish.by, at: wish.now }, "")?;
    }
    let recipient = match reservation.filter(|_| may_have_recipient) {
        Some(reservation) => recipient::of(&ledger.db, reservation, row.seq)?,
        None => None,
    };
    let content = wish.with_content.then(|| content::of(&ledger.db, row.content)).transpose()?;
    Ok(ShownLink { passport: row.id, state: state.name(), key, content, recipient })
}

/// True if the passport is the reservation's own.
pub(super) fn is_of(state: &State, id: ReservationId) -> bool {
    state.hand_out().is_some_and(|hand_out| hand_out.reservation == Some(id))
}

/// Shows state, end and time to settle of each passport that is the reservation's own.
fn each_standing(
    db: &Connection,
    id: ReservationId,
    seqs: &[u64],
    mut each: impl FnMut(StateName, Option<i64>, Option<i64>),
) -> Result<(), Fault> {
    let (Some(first), Some(last)) = (seqs.iter().min(), seqs.iter().max()) else { return Ok(()) };
    let mut read = |row: &Row<'_>| {
        let name = StateName::ALL.get(row.get::<_, usize>(0)?).copied();
        each(name.ok_or_else(|| Fault::Damaged("there is no such state".into()))?, row.get(1)?, row.get(2)?);
        Ok::<_, Fault>(())
    };
    // Most reservations are of neighbours, and walking over those is ten times as fast as looking each one up.
    if (last - first) / 8 <= seqs.len() as u64 {
        let sql = "SELECT state, until, settle_by FROM passport WHERE seq BETWEEN ? AND ? AND reservation = ?";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query(params![first, last, id.as_bytes()])?;
        while let Some(row) = rows.next()? {
            read(row)?;
        }
        return Ok(());
    }
    let sql = "SELECT state, until, settle_by FROM passport WHERE seq = ? AND reservation = ?";
    let mut statement = db.prepare_cached(sql)?;
    for seq in seqs {
        let mut rows = statement.query(params![seq, id.as_bytes()])?;
        if let Some(row) = rows.next()? {
            read(row)?;
        }
    }
    Ok(())
}

fn known_count(db: &Connection, info: ReservationInfo) -> Result<ReservationInfo, Fault> {
    let counted = load(db, info.id)?.map(|(counted, _)| counted);
    Ok(counted.unwrap_or(info))
}

fn read(row: &Row<'_>) -> Result<ReservationInfo, Fault> {
    let id = ReservationId::from_stored(row.get(0)?);
    let damaged = |what: &str| Fault::Damaged(format!("reservation {id}: {what}"));
    let selector = match (row.get::<_, Option<String>>(4)?, row.get::<_, Option<String>>(5)?) {
        (Some(rule), Some(tags)) => {
            let rule = Rule::parse(&rule).map_err(|_| damaged("its rule"))?;
            Some(Selector::parse([tags.as_str()], rule).map_err(|_| damaged("its tags"))?)
        }
        (None, None) => None,
        _ => return Err(damaged("half of what was asked for")),
    };
    Ok(ReservationInfo {
        id,
        at: Timestamp::from_micros(row.get(1)?),
        by: row.get::<_, String>(2)?.parse::<Actor>().map_err(|_| damaged("its actor"))?,
        count: row.get(3)?,
        selector,
        until: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_micros),
        note: row.get::<_, Option<String>>(7)?.map(Note::from_stored),
        recipients: row.get(8)?,
    })
}
