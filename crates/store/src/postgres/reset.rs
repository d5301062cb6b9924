//! Resetting: passports come back to the pool, and their links die.

use passpool_core::{Event, PassportId, Refusal, Rule, Selector, State, Timestamp};

use super::{
    connection::Session,
    ledger::{Change, Ledger},
    passport::{PassportRow, Reading},
    tags::{TagNumbers, Wanted},
    typed::typed,
};
use crate::{Fault, HeldState, Reset, Resettable, StoreError};

/// How many come back in one transaction: more hold up everybody else.
pub(super) const AT_ONCE: i64 = 5_000;

/// What a reset by tags means.
#[derive(Clone, Copy)]
pub(super) struct Matching<'a> {
    pub(super) selector: Option<&'a Selector>,
    pub(super) state: Option<HeldState>,
    pub(super) handed_out_before: Option<Timestamp>,
}

/// What a slice did, and where the next one goes on.
pub(super) struct Slice {
    pub(super) count: u64,
    pub(super) next: Option<i64>,
}

/// Resets those that match, behind this seq.
pub(super) async fn reset_slice(
    ledger: &Ledger,
    tags: &TagNumbers,
    wish: &Reset,
    matching: Matching<'_>,
    after: i64,
) -> Result<Slice, StoreError> {
    let found = find(ledger, tags, matching, wish.now, after, AT_ONCE, Reading::ToChange).await?;
    let becoming = found.iter().map(|was| Ok((was, was.state.clone().reset(wish.now)?)));
    let becoming = becoming.collect::<Result<Vec<_>, Refusal>>()?;
    give_back(ledger, wish, &becoming).await?;
    let next = found.last().map(|row| row.seq).filter(|_| found.len() as i64 == AT_ONCE);
    Ok(Slice { count: found.len() as u64, next })
}

/// Resets these, all or none.
pub(super) async fn reset_named(ledger: &Ledger, wish: &Reset, ids: &[PassportId]) -> Result<u64, StoreError> {
    let rows = named(ledger, ids, Reading::ToChange).await?;
    let becoming = becoming(&rows, wish.now)?;
    give_back(ledger, wish, &becoming).await?;
    Ok(becoming.len() as u64)
}

/// What a reset of these would give back.
pub(super) async fn preview_named(
    db: &Session,
    ids: &[PassportId],
    now: Timestamp,
) -> Result<Vec<Resettable>, StoreError> {
    let rows = named(db, ids, Reading::Only).await?;
    Ok(becoming(&rows, now)?.iter().map(|(was, _)| resettable(was)).collect())
}

/// A page of what a reset by tags would give back.
pub(super) async fn preview_matching(
    db: &Session,
    tags: &TagNumbers,
    matching: Matching<'_>,
    now: Timestamp,
    after: i64,
    limit: usize,
) -> Result<Vec<Resettable>, Fault> {
    let found = find(db, tags, matching, now, after, limit as i64, Reading::Only).await?;
    Ok(found.iter().map(resettable).collect())
}

async fn give_back(ledger: &Ledger, wish: &Reset, becoming: &[(&PassportRow, State)]) -> Result<(), Fault> {
    let changes = becoming.iter().map(|(was, becomes)| Change {
        was,
        becomes: becomes.clone(),
        event: Event::Reset,
        by: &wish.by,
        at: wish.now,
        detail: String::new(),
    });
    ledger.change(&changes.collect::<Vec<_>>()).await
}

/// In the order of their ids, each once.
async fn named(db: &Session, ids: &[PassportId], reading: Reading) -> Result<Vec<PassportRow>, StoreError> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup(); // Named twice is meant once.
    let lock = if reading == Reading::ToChange { "FOR UPDATE" } else { "" };
    let sql = format!(
        "SELECT * FROM passport WHERE id = ANY($1) AND NOT EXISTS (SELECT 1 FROM hidden WHERE chunk = seq >> 12) \
         ORDER BY seq {lock}"
    );
    let wanted: Vec<i64> = ids.iter().map(|id| id.get().cast_signed()).collect();
    let rows = db.query(&sql, typed![wanted]).await?;
    let mut rows = rows.iter().map(PassportRow::read).collect::<Result<Vec<_>, _>>()?;
    rows.sort_unstable_by_key(|row| row.id);
    match ids.iter().find(|id| rows.binary_search_by_key(*id, |row| row.id).is_err()) {
        Some(unknown) => Err(Refusal::UnknownPassport(*unknown).into()),
        None => Ok(rows),
    }
}

fn becoming(rows: &[PassportRow], now: Timestamp) -> Result<Vec<(&PassportRow, State)>, Refusal> {
    let becoming = rows.iter().map(|was| {
        let state = was.state.clone().reset_by_name(now).map_err(|refusal| refusal.about(was.id))?;
        Ok((was, state))
    });
    becoming.collect()
}

/// Up to `limit` passports that can be reset at this moment, behind this seq, in order of creation. A hold that has
/// ended holds nothing: there is nothing to reset.
async fn find(
    db: &Session,
    tags: &TagNumbers,
    matching: Matching<'_>,
    now: Timestamp,
    after: i64,
    limit: i64,
    reading: Reading,
) -> Result<Vec<PassportRow>, Fault> {
    let wanted = match matching.selector {
        None => None,
        Some(selector) => match tags.resolve(db, selector).await? {
            None => return Ok(Vec::new()),
            wanted => wanted,
        },
    };
    let states: Vec<i16> = match matching.state {
        None => vec![HeldState::Reserved.name() as i16, HeldState::Scanned.name() as i16],
        Some(state) => vec![state.name() as i16],
    };
    let lock = if reading == Reading::ToChange { "FOR UPDATE OF passport" } else { "" };
    let has_tags = wanted.as_ref().map(has_tags).unwrap_or_default();
    let sql = format!(
        "SELECT passport.* FROM passport WHERE seq > $1 AND state = ANY($2) AND (until IS NULL OR until > $3) \
         AND ($4::bigint IS NULL OR handed_at < $4) AND ($5::integer[] IS NOT NULL) {has_tags} \
         AND NOT EXISTS (SELECT 1 FROM hidden WHERE chunk = seq >> 12) ORDER BY seq LIMIT $6 {lock}"
    );
    let before = matching.handed_out_before.map(Timestamp::as_micros);
    let numbers = wanted.map(|wanted| wanted.tags).unwrap_or_default();
    let rows = db.query(&sql, typed![after, states, now.as_micros(), before, numbers, limit]).await?;
    rows.iter().map(PassportRow::read).collect()
}

/// The condition that a passport has the tags whose numbers are the fifth parameter.
fn has_tags(wanted: &Wanted) -> String {
    let has = |tag| {
        format!("AND EXISTS (SELECT 1 FROM tagged WHERE tagged.seq = passport.seq AND tag = ($5::integer[])[{tag}])")
    };
    match wanted.rule {
        Rule::And => (1..=wanted.tags.len()).map(has).collect::<Vec<_>>().join(" "),
        Rule::Or => "AND seq IN (SELECT tagged.seq FROM tagged WHERE tag = ANY($5))".into(),
    }
}

fn resettable(row: &PassportRow) -> Resettable {
    let handed_out_at = match &row.state {
        State::Reserved(hand_out) | State::Scanned(hand_out) => Some(hand_out.at),
        _ => None,
    };
    Resettable { passport: row.id, state: row.state.name(), handed_out_at }
}
