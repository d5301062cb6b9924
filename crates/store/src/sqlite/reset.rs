//! Resetting: passports come back to the pool, and their links die.

use passpool_core::{Actor, Event, PassportId, PreviewId, Refusal, ReservationId, ResetId, State, Timestamp};
use rusqlite::Connection;

use super::{
    bits::{Bits, chunk_of, seq_of},
    hold,
    ledger::{Change, Ledger},
    passport::PassportRow,
    preview, reservation,
    snapshot::{ResolvedTags, Snapshot},
    undo,
};
use crate::{Fault, HeldState, Matching, ResetDone, ResetScope, Resettable, StoreError};

/// How many come back in one transaction: more hold up everybody else (measured: 0.25 to 0.5 s for 100,000).
const AT_ONCE: usize = 5_000;

/// Where a reset goes on, and how many it has done.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    from: u64,
    done: ResetDone,
}

/// What a reset has done so far, and where its next slice goes on.
pub(super) struct Slice {
    pub(super) done: ResetDone,
    pub(super) next: Option<Place>,
}

/// Who resets when, and under which name it is kept.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) by: &'a Actor,
    pub(super) now: Timestamp,
    pub(super) keep: Option<ResetId>,
}

/// Resets a few thousand of those that are meant, from this place on. Those that are named are reset all or none, in one
/// slice.
pub(super) fn slice(
    ledger: &mut Ledger,
    scope: &ResetScope,
    terms: Terms<'_>,
    place: Place,
) -> Result<Slice, StoreError> {
    let Place { from, mut done } = place;
    let matching = match scope {
        ResetScope::Named(ids) => {
            let becoming = named(&ledger.db, ids, terms.now)?;
            done.count = becoming.len() as u64;
            give_back(ledger, becoming, terms)?;
            return Ok(Slice { done, next: None });
        }
        ResetScope::Matching(matching) => matching,
    };
    refuse_unknown(&ledger.db, matching)?;
    // A transfer that was not settled in time holds nothing, and nor does a hold that has ended.
    hold::end_due(ledger, terms.now)?;
    let left = |done: ResetDone| matching.limit.map_or(u64::MAX, |limit| limit - done.count);
    let found = find(&ledger.snapshot()?, matching, terms.now, from, left(done).min(AT_ONCE as u64) as usize)?;
    done.count += found.rows.len() as u64;
    let reset = |was: PassportRow| {
        let state = was.state.clone().reset(terms.now)?;
        Ok((was, state))
    };
    let becoming = found.rows.into_iter().map(reset).collect::<Result<_, Refusal>>()?;
    give_back(ledger, becoming, terms)?;
    let next = found.next.filter(|_| left(done) > 0).map(|from| Place { from, done });
    Ok(Slice { done, next })
}

/// Resets those of a previewed chunk to which nothing happened since.
pub(super) fn preview_slice(
    ledger: &mut Ledger,
    preview: PreviewId,
    terms: Terms<'_>,
    place: Place,
) -> Result<Slice, StoreError> {
    let Place { from, mut done } = place;
    preview::refuse_over(&ledger.db, preview, terms.now)?;
    hold::end_due(ledger, terms.now)?;
    let Some((chunk, seen)) = preview::chunk_from(&ledger.db, preview, chunk_of(from))? else {
        give_back(ledger, Vec::new(), terms)?;
        return Ok(Slice { done, next: None });
    };
    let mut becoming = Vec::new();
    for seen in seen {
        let was = PassportRow::by_seq(&ledger.db, seen.seq)?;
        match was.state.clone().reset_by_name(terms.now) {
            Ok(state) if preview::is_unchanged(&ledger.db, &was, seen)? => becoming.push((was, state)),
            _ => done.changed_since += 1,
        }
    }
    done.count += becoming.len() as u64;
    give_back(ledger, becoming, terms)?;
    Ok(Slice { done, next: Some(Place { from: seq_of(chunk + 1, 0), done }) })
}

/// Refuses conditions that name a reservation which does not exist.
pub(super) fn refuse_unknown(db: &Connection, matching: &Matching) -> Result<(), StoreError> {
    matching.reservation.map_or(Ok(()), |id| reservation::known(db, id).map(drop))
}

fn give_back(ledger: &mut Ledger, becoming: Vec<(PassportRow, State)>, terms: Terms<'_>) -> Result<(), Fault> {
    let change = Change { event: Event::Reset, by: terms.by, at: terms.now };
    if let Some(id) = terms.keep {
        undo::begin(&ledger.db, id, terms.by, terms.now)?;
    }
    for (was, state) in becoming {
        if let Some(id) = terms.keep {
            undo::remember(&ledger.db, id, &was, terms.now, ledger.next_journal_seq())?;
        }
        ledger.change(&was, &was.with(state), change, "")?;
    }
    Ok(())
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

/// Passports that can be reset, and where there may be more.
pub(super) struct Found {
    pub(super) rows: Vec<PassportRow>,
    pub(super) next: Option<u64>,
}

pub(super) fn named(
    db: &Connection,
    ids: &[PassportId],
    now: Timestamp,
) -> Result<Vec<(PassportRow, State)>, StoreError> {
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
pub(super) fn find(
    snapshot: &Snapshot<'_>,
    matching: &Matching,
    now: Timestamp,
    from: u64,
    limit: usize,
) -> Result<Found, Fault> {
    let tags = matching.selector.as_ref().map(|selector| snapshot.resolve(selector)).transpose()?;
    if let Some(id) = matching.reservation {
        return find_of(snapshot, id, matching, tags.as_ref(), (now, from, limit));
    }
    let mut rows = Vec::new();
    let mut next_chunk = snapshot.next_held(chunk_of(from))?;
    while let Some(chunk) = next_chunk {
        let candidates = candidates(snapshot, matching.state, tags.as_ref(), chunk)?;
        for seq in candidates.iter().map(|bit| seq_of(chunk, bit)).filter(|seq| *seq >= from) {
            if rows.len() == limit {
                return Ok(Found { rows, next: Some(seq) });
            }
            let row = PassportRow::by_seq(snapshot.db, seq)?;
            if is_meant(&row.state, matching, now) {
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

/// The same, of the passports of one reservation.
fn find_of(
    snapshot: &Snapshot<'_>,
    id: ReservationId,
    matching: &Matching,
    tags: Option<&ResolvedTags>,
    (now, from, limit): (Timestamp, u64, usize),
) -> Result<Found, Fault> {
    let mut seqs = reservation::load(snapshot.db, id)?.map(|(_, seqs)| seqs).unwrap_or_default();
    seqs.sort_unstable();
    let mut rows = Vec::new();
    for seq in seqs.into_iter().filter(|seq| *seq >= from) {
        if rows.len() == limit {
            return Ok(Found { rows, next: Some(seq) });
        }
        let row = PassportRow::by_seq(snapshot.db, seq)?;
        let is_tagged = tags.is_none_or(|tags| tags.match_ids(&row.tags));
        let is_in_state = matching.state.is_none_or(|state| state.name() == row.state.name());
        if is_tagged && is_in_state && is_meant(&row.state, matching, now) {
            rows.push(row);
        }
    }
    Ok(Found { rows, next: None })
}

/// A hold that has ended holds nothing, and one of a kiosk that still runs ends by itself within minutes: its visitor stands
/// there with the link in hand.
fn is_meant(state: &State, matching: &Matching, now: Timestamp) -> bool {
    let (State::Reserved(hand_out) | State::Scanned(hand_out)) = state else { return false };
    !hand_out.has_ended(now)
        && hand_out.kiosk.is_none()
        && matching.handed_out_before.is_none_or(|before| hand_out.at < before)
        && matching.reservation.is_none_or(|id| hand_out.reservation == Some(id))
}

pub(super) fn resettable(row: &PassportRow) -> Resettable {
    let handed_out_at = match &row.state {
        State::Reserved(hand_out) | State::Scanned(hand_out) => Some(hand_out.at),
        _ => None,
    };
    Resettable { passport: row.id, state: row.state.name(), handed_out_at }
}
