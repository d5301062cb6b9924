//! Resetting: passports come back to the pool, and their links die.

use passpool_core::{Actor, Event, PreviewId, Refusal, ResetId, State, Timestamp};

use super::{
    bits::{chunk_of, seq_of},
    hold,
    ledger::{Change, Ledger},
    passport::PassportRow,
    preview, resettable, undo,
};
use crate::{Fault, ResetDone, ResetScope, StoreError};

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
            let becoming = resettable::named(&ledger.db, ids, terms.now)?;
            done.count = becoming.len() as u64;
            give_back(ledger, becoming, terms)?;
            return Ok(Slice { done, next: None });
        }
        ResetScope::Matching(matching) => matching,
    };
    resettable::refuse_unknown(&ledger.db, matching)?;
    // A transfer that was not settled in time holds nothing, and nor does a hold that has ended.
    hold::end_due(ledger, terms.now)?;
    let left = |done: ResetDone| matching.limit.map_or(u64::MAX, |limit| limit - done.count);
    let found =
        resettable::find(&ledger.snapshot()?, matching, terms.now, from, left(done).min(AT_ONCE as u64) as usize)?;
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
    let seqs: Vec<u64> = seen.iter().map(|seen| seen.seq).collect();
    for (was, seen) in PassportRow::by_seqs(&ledger.db, &seqs)?.into_iter().zip(seen) {
        match was.state.clone().reset_by_name(terms.now) {
            Ok(state) if preview::is_unchanged(&ledger.db, &was, seen)? => becoming.push((was, state)),
            _ => done.changed_since += 1,
        }
    }
    done.count += becoming.len() as u64;
    give_back(ledger, becoming, terms)?;
    Ok(Slice { done, next: Some(Place { from: seq_of(chunk + 1, 0), done }) })
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
