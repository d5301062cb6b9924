//! What a reset would give back at a moment: by name, or by conditions.

use passpool_core::{PassportId, Refusal, ReservationId, State, Timestamp};
use rusqlite::Connection;

use super::{
    bits::{Bits, chunk_of, seq_of},
    passport::PassportRow,
    reservation,
    snapshot::{ResolvedTags, Snapshot},
};
use crate::{Fault, HeldState, Matching, StoreError};

/// Refuses conditions that name a reservation which does not exist.
pub(super) fn refuse_unknown(db: &Connection, matching: &Matching) -> Result<(), StoreError> {
    matching.reservation.map_or(Ok(()), |id| reservation::known(db, id).map(drop))
}

/// Passports that can be reset, and where there may be more.
pub(super) struct Found {
    pub(super) rows: Vec<PassportRow>,
    pub(super) next: Option<u64>,
}

/// These, and what each becomes: all of them, or a refusal.
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
