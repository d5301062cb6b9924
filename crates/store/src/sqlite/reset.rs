//! Resetting: passports come back to the pool, and their links die.

use passpool_core::{Event, PassportId, Refusal, State, Timestamp};
use rusqlite::Connection;

use super::{
    bits::{Bits, chunk_of, seq_of},
    hold,
    ledger::{Change, Ledger},
    passport::PassportRow,
    snapshot::{ResolvedTags, Snapshot},
};
use crate::{Fault, HeldState, Matching, Reset, Resettable, StoreError};

/// How many come back in one transaction: more hold up everybody else (measured: 0.25 to 0.5 s for 100,000).
const AT_ONCE: usize = 5_000;

/// What a slice did, and where the next one goes on.
pub(super) struct Slice {
    pub(super) count: u64,
    pub(super) next: Option<u64>,
}

/// Resets those that match, from this seq on.
pub(super) fn reset_slice(
    ledger: &mut Ledger,
    wish: &Reset,
    matching: &Matching,
    from: u64,
) -> Result<Slice, StoreError> {
    // A transfer that was not settled in time holds nothing, and nor does a hold that has ended.
    hold::end_due(ledger, wish.now)?;
    let found = find(&ledger.snapshot()?, matching, wish.now, from, AT_ONCE)?;
    let change = Change { event: Event::Reset, by: &wish.by, at: wish.now };
    for was in &found.rows {
        let state = was.state.clone().reset(wish.now)?;
        ledger.change(was, &was.with(state), change, "")?;
    }
    Ok(Slice { count: found.rows.len() as u64, next: found.next })
}

/// Resets these, all or none.
pub(super) fn reset_named(ledger: &mut Ledger, wish: &Reset, ids: &[PassportId]) -> Result<u64, StoreError> {
    let becoming = named(&ledger.db, ids, wish.now)?;
    let change = Change { event: Event::Reset, by: &wish.by, at: wish.now };
    for (was, state) in &becoming {
        ledger.change(was, &was.with(state.clone()), change, "")?;
    }
    Ok(becoming.len() as u64)
}

/// What a reset of these would give back.
pub(super) fn preview_named(
    db: &Connection,
    ids: &[PassportId],
    now: Timestamp,
) -> Result<Vec<Resettable>, StoreError> {
    Ok(named(db, ids, now)?.iter().map(|(was, _)| resettable(was)).collect())
}

/// A page of what a reset by tags would give back.
pub(super) fn preview_matching(
    snapshot: &Snapshot<'_>,
    matching: &Matching,
    now: Timestamp,
    from: u64,
    limit: usize,
) -> Result<Vec<Resettable>, Fault> {
    let found = find(snapshot, matching, now, from, limit)?;
    Ok(found.rows.iter().map(resettable).collect())
}

struct Found {
    rows: Vec<PassportRow>,
    next: Option<u64>,
}

fn named(db: &Connection, ids: &[PassportId], now: Timestamp) -> Result<Vec<(PassportRow, State)>, StoreError> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup(); // Named twice is meant once.
    let becoming = ids.into_iter().map(|id| {
        let was = PassportRow::visible_by_id(db, id)?.ok_or(Refusal::UnknownPassport(id))?;
        let state = was.state.clone().reset_by_name(now).map_err(|refusal| refusal.about(id))?;
        Ok((was, state))
    });
    becoming.collect()
}

/// Up to `limit` passports that can be reset at this moment, from this seq on, in order of creation.
fn find(snapshot: &Snapshot<'_>, matching: &Matching, now: Timestamp, from: u64, limit: usize) -> Result<Found, Fault> {
    let tags = matching.selector.as_ref().map(|selector| snapshot.resolve(selector)).transpose()?;
    let mut rows = Vec::new();
    let mut next_chunk = snapshot.next_held(chunk_of(from))?;
    while let Some(chunk) = next_chunk {
        let candidates = candidates(snapshot, matching.state, tags.as_ref(), chunk)?;
        for seq in candidates.iter().map(|bit| seq_of(chunk, bit)).filter(|seq| *seq >= from) {
            if rows.len() == limit {
                return Ok(Found { rows, next: Some(seq) });
            }
            let row = PassportRow::by_seq(snapshot.db, seq)?;
            if is_meant(&row.state, matching.handed_out_before, now) {
                rows.push(row);
            }
        }
        next_chunk = snapshot.next_held(chunk + 1)?;
    }
    Ok(Found { rows, next: None })
}

fn candidates(
    snapshot: &Snapshot<'_>,
    state: Option<HeldState>,
    tags: Option<&ResolvedTags>,
    chunk: u32,
) -> Result<Bits, Fault> {
    let states = match state {
        None => &[HeldState::Reserved, HeldState::Scanned][..],
        Some(HeldState::Reserved) => &[HeldState::Reserved],
        Some(HeldState::Scanned) => &[HeldState::Scanned],
    };
    let mut bits = Bits::empty();
    for state in states {
        bits.unite(&snapshot.standing(state.name(), chunk)?);
    }
    if let Some(tags) = tags
        && !bits.is_empty()
    {
        bits.intersect(&snapshot.tagged(tags, chunk)?);
    }
    Ok(bits)
}

/// A hold that has ended holds nothing: there is nothing to reset.
fn is_meant(state: &State, handed_out_before: Option<Timestamp>, now: Timestamp) -> bool {
    let (State::Reserved(hand_out) | State::Scanned(hand_out)) = state else { return false };
    !hand_out.has_ended(now) && handed_out_before.is_none_or(|before| hand_out.at < before)
}

fn resettable(row: &PassportRow) -> Resettable {
    let handed_out_at = match &row.state {
        State::Reserved(hand_out) | State::Scanned(hand_out) => Some(hand_out.at),
        _ => None,
    };
    Resettable { passport: row.id, state: row.state.name(), handed_out_at }
}
