//! Opening: a passport is looked at by its link.

use passpool_core::{Actor, Event, LinkKey, PassportId, Proof, Refusal, State, Timestamp};

use super::{
    connection::Session,
    content,
    ledger::{Change, Ledger},
    passport::{PassportRow, Reading},
    typed::typed,
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
pub(super) async fn look(db: &Session, wish: &Opening) -> Result<Look, StoreError> {
    let Some(row) = PassportRow::visible_by_id(db, wish.passport, Reading::Only).await? else {
        return refuse_dead(wish.passport, &wish.proof);
    };
    if let State::Claimed { owner, .. } = row.state
        && wish.proof.is_of(owner)
    {
        return Ok(Look::Seen(show(db, &row).await?));
    }
    let key = prove(&row, &wish.proof, wish.now)?;
    let opened = show(db, &row).await?;
    let is_first = match wish.visitor {
        Visitor::Person => !matches!(row.state, State::Scanned(_)),
        Visitor::Robot => !is_previewed(db, &row, wish.now).await?,
    };
    Ok(if is_first { Look::First { key, opened } } else { Look::Seen(opened) })
}

/// Writes down that the passport was looked at, if the link is still the one that was proven.
pub(super) async fn record(ledger: &Ledger, wish: &Opening, key: &LinkKey) -> Result<State, StoreError> {
    // The guard against whatever came between the proof and this change.
    let was = PassportRow::visible_by_id(ledger, wish.passport, Reading::ToChange).await?.ok_or(Refusal::LinkDead)?;
    if was.state.link_key(wish.now).as_ref() != Some(key) {
        return Err(Refusal::LinkDead.into());
    }
    let change = |becomes: &State, event| {
        let becomes = becomes.clone();
        [Change { was: &was, becomes, event, by: &Actor::Visitor, at: wish.now, detail: String::new() }]
    };
    match wish.visitor {
        Visitor::Person => {
            let becomes = was.state.clone().open(wish.now)?;
            if becomes != was.state {
                ledger.change(&change(&becomes, Event::Scanned)).await?;
            }
            Ok(becomes)
        }
        Visitor::Robot => {
            if !is_previewed(ledger, &was, wish.now).await? {
                ledger.change(&change(&was.state, Event::Previewed)).await?;
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

async fn show(db: &Session, row: &PassportRow) -> Result<Opened, Fault> {
    let content = content::of(db, row.content).await?;
    Ok(Opened { passport: row.id, state: row.state.clone(), content })
}

/// True if a robot looked within the hour. The passport's history is walked from its end, as far as that hour goes.
async fn is_previewed(db: &Session, row: &PassportRow, now: Timestamp) -> Result<bool, Fault> {
    let sql = "WITH RECURSIVE history AS (
            SELECT at, kind, (detail::json ->> 'after')::bigint AS after FROM journal WHERE seq = $1
            UNION ALL
            SELECT journal.at, journal.kind, (journal.detail::json ->> 'after')::bigint
            FROM history JOIN journal ON journal.seq = history.after
            WHERE history.kind <> $2 AND history.at > $3
        )
        SELECT EXISTS (SELECT 1 FROM history WHERE kind = $2 AND at > $3)";
    let since = now.as_micros() - PREVIEWED_FOR_MICROS;
    let answer = db.query_one(sql, typed![row.changed, Event::Previewed.as_str(), since]).await?;
    Ok(answer.try_get(0)?)
}
