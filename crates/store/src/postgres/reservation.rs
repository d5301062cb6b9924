//! Reservations as they are kept: what was asked for, and which passports that gave.

use std::{collections::HashMap, pin::pin};

use futures_util::TryStreamExt as _;
use passpool_core::{
    Actor, Content, Event, Kept, KeptRecipient, Note, Refusal, ReservationId, Reserve, Rule, Selector, State,
    StateName, Tag, Timestamp,
};
use tokio_postgres::Row;

use super::{
    connection::Session,
    content,
    ledger::{Change, Ledger},
    passport::{PassportRow, Reading, read_reservation},
    recipient,
    typed::typed,
};
use crate::{
    Extend, Fault, LinksOf, OfReservation, ReservationInfo, ReservationNow, ReservationPage, ShowLinks, ShownLink,
    StateCounts, StoreError, Touched,
};

/// How many passports of a reservation are changed in one transaction.
const AT_ONCE: usize = 5_000;

/// The columns that [`read`] wants.
macro_rules! columns {
    () => {
        "id, at, actor, count, rule, tags, until, note, recipients"
    };
}

/// Writes down what was asked for, and which passports that gave, in their order.
pub(super) async fn write(db: &Session, kept: &Kept, wish: &Reserve, seqs: &[i64]) -> Result<(), Fault> {
    let sql = "INSERT INTO reservation (id, at, actor, rule, tags, until, note, recipients, count, passports) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let tags: Vec<&str> = wish.selector.tags().iter().map(Tag::as_str).collect();
    let count = seqs.len() as i64;
    db.execute(
        sql,
        typed![
            kept.id.as_bytes().to_vec(),
            wish.now.as_micros(),
            wish.by.to_string(),
            wish.selector.rule().as_str(),
            tags.join(","),
            wish.until.map(Timestamp::as_micros),
            kept.note.as_ref().map(Note::reveal),
            kept.recipients.as_ref().map_or(0, |_| count),
            count,
            seqs.to_vec(),
        ],
    )
    .await
    .map(drop)
}

/// A reservation and the seqs of its passports, in the order in which they were handed out: at most `limit` of them
/// from the place `from` on.
pub(super) async fn load(
    db: &Session,
    id: ReservationId,
    from: usize,
    limit: usize,
) -> Result<Option<(ReservationInfo, Vec<i64>)>, Fault> {
    let sql = concat!("SELECT ", columns!(), ", passports[$2:$3] AS passports FROM reservation WHERE id = $1");
    // PostgreSQL counts from one, and the last place is part of what it gives.
    let place = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let (first, last) = (place(from.saturating_add(1)), place(from.saturating_add(limit)));
    let Some(row) = db.query_opt(sql, typed![id.as_bytes().to_vec(), first, last]).await? else { return Ok(None) };
    Ok(Some((read(&row)?, row.try_get("passports")?)))
}

/// Refuses if there is no such reservation.
pub(super) async fn known(db: &Session, id: ReservationId) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM reservation WHERE id = $1";
    match db.query_opt(sql, typed![id.as_bytes().to_vec()]).await? {
        Some(_) => Ok(()),
        None => Err(Refusal::UnknownReservation(id).into()),
    }
}

/// These passports, in this order.
pub(super) async fn passports(db: &Session, seqs: &[i64], reading: Reading) -> Result<Vec<PassportRow>, Fault> {
    let rows = PassportRow::by_seqs(db, seqs, reading).await?;
    let mut by_seq: HashMap<i64, PassportRow> = rows.into_iter().map(|row| (row.seq, row)).collect();
    let missing = |seq| Fault::Damaged(format!("there is no passport number {seq}"));
    seqs.iter().map(|seq| by_seq.remove(seq).ok_or_else(|| missing(seq))).collect()
}

pub(super) async fn list(db: &Session, page: ReservationPage) -> Result<Vec<ReservationInfo>, Fault> {
    let sql = concat!("SELECT ", columns!(), " FROM reservation WHERE id < $1 ORDER BY id DESC LIMIT $2");
    let before = page.before.map_or([0xff; 16], |id| *id.as_bytes()).to_vec();
    db.query(sql, typed![before, page.limit as i64]).await?.iter().map(read).collect()
}

/// Where the passports of a reservation are at this moment.
pub(super) async fn now(db: &Session, id: ReservationId, now: Timestamp) -> Result<Option<ReservationNow>, Fault> {
    let Some((info, _)) = load(db, id, 0, 0).await? else { return Ok(None) };
    // A transfer that was not settled in time left the passport scanned, and a hold that is over holds nothing.
    let sql = "WITH own AS (
            SELECT CASE WHEN state = $3 AND settle_by <= $2 THEN $4 ELSE state END AS state, until
            FROM (SELECT unnest(passports) AS seq FROM reservation WHERE id = $1) AS kept JOIN passport USING (seq)
            WHERE passport.reservation = $1
        )
        SELECT state, count(*) FROM own WHERE NOT (state IN ($5, $4) AND coalesce(until <= $2, false)) GROUP BY state";
    let [pending, scanned, reserved] =
        [StateName::Pending, StateName::Scanned, StateName::Reserved].map(|name| name as i16);
    let id = id.as_bytes().to_vec();
    let mut states = StateCounts::default();
    for row in db.query(sql, typed![id, now.as_micros(), pending, scanned, reserved]).await? {
        let name = usize::try_from(row.try_get::<_, i16>(0)?).ok().and_then(|state| StateName::ALL.get(state));
        let name = name.ok_or_else(|| Fault::Damaged("there is no such state".into()))?;
        *states.of_mut(*name) += row.try_get::<_, i64>(1)?.cast_unsigned();
    }
    let gone = info.count - states.total();
    Ok(Some(ReservationNow { info, states, gone }))
}

/// Shows links and tells the journal of each.
pub(super) async fn show_links(ledger: &Ledger, wish: &ShowLinks) -> Result<Vec<ShownLink>, StoreError> {
    match wish.of {
        LinksOf::Passport(passport) => {
            let row = PassportRow::visible_by_id(ledger, passport, Reading::ToChange).await?;
            let row = row.ok_or(Refusal::UnknownPassport(passport))?;
            let reservation = row.state.hand_out().and_then(|hand_out| hand_out.reservation);
            show(ledger, &[row], reservation, true, wish).await
        }
        LinksOf::Reservation { id, from, limit } => {
            let found = load(ledger, id, from as usize, limit.min(LinksOf::MAX)).await?;
            let (info, seqs) = found.ok_or(Refusal::UnknownReservation(id))?;
            let rows = passports(ledger, &seqs, Reading::ToChange).await?;
            show(ledger, &rows, Some(id), info.recipients > 0, wish).await
        }
    }
}

/// What a slice did, and from which place the next one goes on.
pub(super) struct Slice {
    pub(super) touched: Touched,
    pub(super) next: Option<usize>,
}

/// Resets those that are still held, from this place on.
pub(super) async fn cancel_slice(ledger: &Ledger, wish: &OfReservation, from: usize) -> Result<Slice, StoreError> {
    touch(ledger, wish, from, Event::Reset, "", |state| state.reset(wish.now).ok()).await
}

/// Gives those that are still held another end, from this place on.
pub(super) async fn extend_slice(ledger: &Ledger, wish: &Extend, from: usize) -> Result<Slice, StoreError> {
    let Extend { of, until } = wish;
    known(ledger, of.id).await?;
    if *until <= of.now {
        return Err(Refusal::EndInThePast.into());
    }
    let sql = "UPDATE reservation SET until = $1 WHERE id = $2";
    ledger.execute(sql, typed![until.as_micros(), of.id.as_bytes().to_vec()]).await?;
    let detail = format!("\"until\":{}", until.as_micros());
    touch(ledger, of, from, Event::Extended, &detail, |state| state.extend(*until, of.now).ok()).await
}

async fn touch(
    ledger: &Ledger,
    wish: &OfReservation,
    from: usize,
    event: Event,
    detail: &str,
    step: impl Fn(State) -> Option<State>,
) -> Result<Slice, StoreError> {
    let found = load(ledger, wish.id, from, AT_ONCE).await?;
    let (info, seqs) = found.ok_or(Refusal::UnknownReservation(wish.id))?;
    let rows = passports(ledger, &seqs, Reading::ToChange).await?;
    let own = rows.iter().filter(|row| is_of(&row.state, wish.id));
    let changes = own.filter_map(|was| {
        let becomes = step(was.state.clone())?;
        Some(Change { was, becomes, event, by: &wish.by, at: wish.now, detail: detail.to_owned() })
    });
    let changes: Vec<Change<'_>> = changes.collect();
    ledger.change(&changes).await?;
    let touched = Touched { count: changes.len() as u64, others: (rows.len() - changes.len()) as u64 };
    let next = from + AT_ONCE;
    Ok(Slice { touched, next: ((next as u64) < info.count).then_some(next) })
}

/// Shows the links of those passports that the reservation has; without one, of those that no reservation has.
async fn show(
    ledger: &Ledger,
    rows: &[PassportRow],
    reservation: Option<ReservationId>,
    may_have_recipients: bool,
    wish: &ShowLinks,
) -> Result<Vec<ShownLink>, StoreError> {
    let states: Vec<State> = rows.iter().map(|row| row.state.clone().as_of(wish.now)).collect();
    let opens = |state: &&State| match state {
        State::Reserved(hand_out) | State::Scanned(hand_out) => hand_out.reservation == reservation,
        _ => false,
    };
    let shown = rows.iter().zip(&states).filter(|(_, state)| opens(state));
    let changes = shown.map(|(row, _)| Change {
        was: row,
        becomes: row.state.clone(),
        event: Event::Shown,
        by: &wish.by,
        at: wish.now,
        detail: String::new(),
    });
    ledger.change(&changes.collect::<Vec<_>>()).await?;
    let (mut recipients, contents) =
        tokio::try_join!(recipients(ledger, rows, reservation.filter(|_| may_have_recipients)), async {
            if wish.with_content { contents(ledger, rows).await } else { Ok(HashMap::new()) }
        })?;
    let links = rows.iter().zip(&states).map(|(row, state)| {
        let content = || row.content.map_or(Ok(Content::empty()), |id| found(&contents, id));
        Ok(ShownLink {
            passport: row.id,
            state: state.name(),
            key: state.hand_out().filter(|_| opens(&state)).map(|hand_out| hand_out.key.clone()),
            content: wish.with_content.then(content).transpose()?,
            recipient: recipients.remove(&row.seq),
        })
    });
    links.collect()
}

async fn recipients(
    db: &Session,
    rows: &[PassportRow],
    reservation: Option<ReservationId>,
) -> Result<HashMap<i64, KeptRecipient>, Fault> {
    let Some(reservation) = reservation else { return Ok(HashMap::new()) };
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    recipient::of(db, reservation, &seqs).await
}

async fn contents(db: &Session, rows: &[PassportRow]) -> Result<HashMap<i64, Content>, Fault> {
    let ids: Vec<i64> = rows.iter().filter_map(|row| row.content).collect();
    content::load(db, &ids).await
}

fn found(contents: &HashMap<i64, Content>, id: i64) -> Result<Content, Fault> {
    contents.get(&id).cloned().ok_or_else(|| Fault::Damaged(format!("there is no content number {id}")))
}

/// True if the passport is the reservation's own.
fn is_of(state: &State, id: ReservationId) -> bool {
    state.hand_out().is_some_and(|hand_out| hand_out.reservation == Some(id))
}

fn read(row: &Row) -> Result<ReservationInfo, Fault> {
    let id = read_reservation(row.try_get("id")?);
    let id = id.ok_or_else(|| Fault::Damaged("a reservation has no name".into()))?;
    let damaged = |what: &str| Fault::Damaged(format!("reservation {id}: {what}"));
    let selector = match (row.try_get::<_, Option<&str>>("rule")?, row.try_get::<_, Option<&str>>("tags")?) {
        (Some(rule), Some(tags)) => {
            let rule = Rule::parse(rule).map_err(|_| damaged("its rule"))?;
            Some(Selector::parse([tags], rule).map_err(|_| damaged("its tags"))?)
        }
        (None, None) => None,
        _ => return Err(damaged("half of what was asked for")),
    };
    Ok(ReservationInfo {
        id,
        at: Timestamp::from_micros(row.try_get("at")?),
        by: row.try_get::<_, &str>("actor")?.parse::<Actor>().map_err(|_| damaged("its actor"))?,
        count: row.try_get::<_, i64>("count")?.cast_unsigned(),
        selector,
        until: row.try_get::<_, Option<i64>>("until")?.map(Timestamp::from_micros),
        note: row.try_get::<_, Option<String>>("note")?.map(Note::from_stored),
        recipients: row.try_get::<_, i64>("recipients")?.cast_unsigned(),
    })
}

/// Tells of every row that has a name and is no reservation: where that is, and what is wrong.
pub(super) async fn check_readable(db: &Session, mut wrong: impl FnMut(String, String)) -> Result<(), Fault> {
    let sql = concat!("SELECT ", columns!(), " FROM reservation WHERE length(id) = 16");
    let mut rows = pin!(db.stream(sql).await?);
    while let Some(row) = rows.try_next().await? {
        let Some(id) = read_reservation(row.try_get("id")?) else { continue };
        match read(&row) {
            Ok(_) => {}
            Err(Fault::Damaged(what)) => wrong(format!("reservation {id}"), what),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
