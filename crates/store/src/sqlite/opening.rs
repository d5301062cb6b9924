//! Opening: a passport is looked at by its link.

use passpool_core::{Actor, Event, LinkKey, PassportId, Proof, Refusal, State, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::{
    content,
    ledger::{Change, Ledger},
    passport::PassportRow,
};
use crate::{Fault, Opened, Opening, StoreError, Visitor};

/// How long a robot's look stands for all that come after it.
const PREVIEWED_FOR_MICROS: i64 = 3_600 * 1_000_000;

/// What a look does.
pub(super) enum Look {
    /// Nothing is to be written.
    Seen(Opened),
    /// It is the first one at this link.
    First { key: LinkKey, opened: Opened },
}

/// Judges the proof and shows the passport.
pub(super) fn look(db: &Connection, wish: &Opening) -> Result<Look, StoreError> {
    let Some(row) = PassportRow::visible_by_id(db, wish.passport)? else {
        return refuse_dead(wish.passport, &wish.proof);
    };
    if let State::Claimed { owner, .. } = row.state
        && wish.proof.is_of(owner)
    {
        return Ok(Look::Seen(show(db, &row)?));
    }
    let key = prove(&row, &wish.proof, wish.now)?;
    let opened = show(db, &row)?;
    let is_first = match wish.visitor {
        Visitor::Person => !matches!(row.state, State::Scanned(_)),
        Visitor::Robot => !is_previewed(db, &row, wish.now)?,
    };
    Ok(if is_first { Look::First { key, opened } } else { Look::Seen(opened) })
}

/// Writes down that the passport was looked at, if the link is still the one that was proven.
pub(super) fn record(ledger: &mut Ledger, wish: &Opening, key: &LinkKey) -> Result<State, StoreError> {
    // The guard against whatever came between the proof and this change.
    let was = PassportRow::visible_by_id(&ledger.db, wish.passport)?.ok_or(Refusal::LinkDead)?;
    if was.state.link_key(wish.now).as_ref() != Some(key) {
        return Err(Refusal::LinkDead.into());
    }
    let change = |event| Change { event, by: &Actor::Visitor, at: wish.now };
    match wish.visitor {
        Visitor::Person => {
            let becomes = was.with(was.state.clone().open(wish.now)?);
            if becomes.state != was.state {
                ledger.change(&was, &becomes, change(Event::Scanned), "")?;
            }
            Ok(becomes.state)
        }
        Visitor::Robot => {
            if !is_previewed(&ledger.db, &was, wish.now)? {
                ledger.change(&was, &was, change(Event::Previewed), "")?;
            }
            Ok(was.state)
        }
    }
}

/// The key of the link that the proof opens at this moment. A passport without a link is refused in the same time as
/// one with another link.
pub(super) fn prove(row: &PassportRow, proof: &Proof, now: Timestamp) -> Result<LinkKey, StoreError> {
    match row.state.link_key(now) {
        None => refuse_dead(row.id, proof),
        Some(key) if opens(proof, row.id, &key)? => Ok(key),
        Some(_) => Err(Refusal::LinkDead.into()),
    }
}

pub(super) fn opens(proof: &Proof, passport: PassportId, key: &LinkKey) -> Result<bool, Fault> {
    proof.opens(passport, key).map_err(|error| Fault::Damaged(format!("passport {passport}: {error}")))
}

/// Refuses a passport without a link, no sooner than one whose link is another.
pub(super) fn refuse_dead<T>(passport: PassportId, proof: &Proof) -> Result<T, StoreError> {
    proof.opens_nothing(passport);
    Err(Refusal::LinkDead.into())
}

fn show(db: &Connection, row: &PassportRow) -> Result<Opened, Fault> {
    let content = content::of(db, row.content)?;
    Ok(Opened { passport: row.id, state: row.state.clone(), content })
}

/// True if a robot looked within the hour. Looks are few between two changes, so the history is walked from its end.
fn is_previewed(db: &Connection, row: &PassportRow, now: Timestamp) -> Result<bool, Fault> {
    let mut statement =
        db.prepare_cached("SELECT at, kind, json_extract(detail, '$.after') FROM journal WHERE seq = ?")?;
    let mut next = Some(row.changed);
    while let Some(seq) = next {
        let found =
            statement.query_row([seq], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get(2)?)));
        let Some((at, kind, after)) = found.optional()? else { return Ok(false) };
        if now.as_micros() - at >= PREVIEWED_FOR_MICROS {
            return Ok(false);
        }
        if kind == Event::Previewed.as_str() {
            return Ok(true);
        }
        next = after;
    }
    Ok(false)
}
