//! Resetting: passports come back to the pool, and their links die.

use passpool_core::{Actor, Event, PreviewId, Refusal, ResetId, State, Timestamp};

use super::{
    ledger::{Change, Ledger},
    passport::{PassportRow, Reading},
    preview, resettable,
    tags::TagNumbers,
    undo,
};
use crate::{Fault, ResetDone, ResetScope, StoreError};

/// How many come back in one transaction: more hold up everybody else.
const AT_ONCE: u64 = 5_000;

/// Where a reset goes on, and how many it has done.
#[derive(Clone, Copy)]
pub(super) struct Place {
    after: i64,
    done: ResetDone,
}

impl Place {
    pub(super) const START: Self = Self { after: -1, done: ResetDone { count: 0, changed_since: 0 } };
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

/// Resets a few thousand of those that are meant, behind this place. Those that are named are reset all or none, in one
/// slice.
pub(super) async fn slice(
    ledger: &Ledger,
    tags: &TagNumbers,
    scope: &ResetScope,
    terms: Terms<'_>,
    place: Place,
) -> Result<Slice, StoreError> {
    let Place { after, mut done } = place;
    let matching = match scope {
        ResetScope::Named(ids) => {
            let rows = resettable::named(ledger, ids, Reading::ToChange).await?;
            let becoming = resettable::becoming(&rows, terms.now)?;
            give_back(ledger, &becoming, terms).await?;
            done.count = becoming.len() as u64;
            return Ok(Slice { done, next: None });
        }
        ResetScope::Matching(matching) => matching,
    };
    resettable::refuse_unknown(ledger, matching).await?;
    let limit = matching.limit.map_or(AT_ONCE, |limit| (limit - done.count).min(AT_ONCE));
    let window = (after, limit.cast_signed());
    let found = resettable::find(ledger, tags, matching, terms.now, window, Reading::ToChange).await?;
    let becoming = found.iter().map(|was| Ok((was, was.state.clone().reset(terms.now)?)));
    let becoming = becoming.collect::<Result<Vec<_>, Refusal>>()?;
    give_back(ledger, &becoming, terms).await?;
    done.count += found.len() as u64;
    let has_more = found.len() as u64 == limit && matching.limit != Some(done.count);
    let next = found.last().filter(|_| has_more).map(|last| Place { after: last.seq, done });
    Ok(Slice { done, next })
}

/// Resets those of a few thousand previewed passports to which nothing happened since.
pub(super) async fn preview_slice(
    ledger: &Ledger,
    preview: PreviewId,
    terms: Terms<'_>,
    place: Place,
) -> Result<Slice, StoreError> {
    let Place { after, mut done } = place;
    preview::refuse_over(ledger, preview, terms.now).await?;
    let seen = preview::seen_after(ledger, preview, after).await?;
    let mut becoming = Vec::new();
    for was in &seen.rows {
        match was.state.clone().reset_by_name(terms.now) {
            Ok(state) if seen.unchanged.binary_search(&was.seq).is_ok() => becoming.push((was, state)),
            _ => done.changed_since += 1,
        }
    }
    done.count += becoming.len() as u64;
    give_back(ledger, &becoming, terms).await?;
    Ok(Slice { done, next: seen.next.map(|after| Place { after, done }) })
}

async fn give_back(ledger: &Ledger, becoming: &[(&PassportRow, State)], terms: Terms<'_>) -> Result<(), Fault> {
    let seqs: Vec<i64> = becoming.iter().map(|(was, _)| was.seq).collect();
    if let Some(id) = terms.keep {
        undo::begin(ledger, id, terms.by, terms.now).await?;
        undo::remember(ledger, id, &seqs).await?;
    }
    let changes = becoming.iter().map(|(was, becomes)| Change {
        was,
        becomes: becomes.clone(),
        event: Event::Reset,
        by: terms.by,
        at: terms.now,
        detail: String::new(),
    });
    ledger.change(&changes.collect::<Vec<_>>()).await?;
    match terms.keep {
        Some(id) => undo::mark(ledger, id, &seqs).await,
        None => Ok(()),
    }
}
