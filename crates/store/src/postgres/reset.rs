//! Resetting: passports come back to the pool, and their links die.

use passpool_core::{Actor, Event, PassportId, PreviewId, Refusal, ResetId, Rule, State, Timestamp};

use super::{
    connection::Session,
    ledger::{Change, Ledger},
    passport::{PassportRow, Reading},
    preview, reservation,
    tagged::{self, BLOCK},
    tags::{TagNumbers, Wanted},
    typed::typed,
    undo,
};
use crate::{Fault, HeldState, Matching, PreviewPage, ResetDone, ResetScope, Resettable, StoreError};

/// How many come back in one transaction: more hold up everybody else.
const AT_ONCE: u64 = 5_000;

/// Passports are walked in the order of their creation and no further than is wanted, whatever the planner believes of the
/// table. Right after a large hand-out it takes those who are out of the pool for few, and sorts the whole table for each
/// slice (measured: 11 s for a preview of 100,000 of a million). These are for one transaction, and suit what follows in it.
const KEEP_ORDER: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL jit = off";

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
            let rows = named(ledger, ids, Reading::ToChange).await?;
            let becoming = becoming(&rows, terms.now)?;
            give_back(ledger, &becoming, terms).await?;
            done.count = becoming.len() as u64;
            return Ok(Slice { done, next: None });
        }
        ResetScope::Matching(matching) => matching,
    };
    refuse_unknown(ledger, matching).await?;
    let limit = matching.limit.map_or(AT_ONCE, |limit| (limit - done.count).min(AT_ONCE));
    let window = (after, limit.cast_signed());
    let found = find(ledger, tags, matching, terms.now, window, Reading::ToChange).await?;
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

/// Refuses conditions that name a reservation which does not exist.
pub(super) async fn refuse_unknown(db: &Session, matching: &Matching) -> Result<(), StoreError> {
    match matching.reservation {
        Some(id) => reservation::known(db, id).await.map(drop),
        None => Ok(()),
    }
}

/// Behind which passport a page begins.
pub(super) async fn seq_behind(db: &Session, page: PreviewPage) -> Result<i64, Fault> {
    match page.after {
        None => Ok(-1),
        Some(last) => Ok(PassportRow::visible_by_id(db, last, Reading::Only).await?.map_or(-1, |row| row.seq)),
    }
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

/// In the order of their ids, each once.
pub(super) async fn named(db: &Session, ids: &[PassportId], reading: Reading) -> Result<Vec<PassportRow>, StoreError> {
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

pub(super) fn becoming(rows: &[PassportRow], now: Timestamp) -> Result<Vec<(&PassportRow, State)>, Refusal> {
    let becoming = rows.iter().map(|was| {
        let state = was.state.clone().reset_by_name(now).map_err(|refusal| refusal.about(was.id))?;
        Ok((was, state))
    });
    becoming.collect()
}

/// Passports that can be reset at this moment, in order of creation: those behind the window's seq, at most as many as it
/// says. A hold that has ended holds nothing, and one of a kiosk that still runs ends by itself within minutes: its
/// visitor stands there with the link in hand.
pub(super) async fn find(
    db: &Session,
    tags: &TagNumbers,
    matching: &Matching,
    now: Timestamp,
    (after, limit): (i64, i64),
    reading: Reading,
) -> Result<Vec<PassportRow>, Fault> {
    let wanted = match &matching.selector {
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
    let conditions = "seq > $1 AND state = ANY($2) AND (until IS NULL OR until > $3) AND kiosk IS NULL \
         AND ($4::bigint IS NULL OR handed_at < $4) AND $5::integer[] IS NOT NULL \
         AND ($7::bytea IS NULL OR reservation = $7) AND NOT EXISTS (SELECT 1 FROM hidden WHERE chunk = seq >> 12)";
    let sql = match (&wanted, matching.reservation) {
        (None, None) => format!("SELECT * FROM passport WHERE {conditions} ORDER BY seq LIMIT $6 {lock}"),
        // What is looked up row by row comes in the order of the blocks.
        (Some(wanted), None) => format!(
            "SELECT passport.* FROM ({}) AS tagged CROSS JOIN LATERAL (
                SELECT * FROM passport WHERE passport.seq = tagged.seq AND {conditions} LIMIT 1 {lock}
            ) AS passport LIMIT $6",
            tagged::seqs_of(&blocks(wanted), "$1")
        ),
        (wanted, Some(_)) => format!(
            "SELECT * FROM passport WHERE {conditions} {} AND seq = ANY((
                SELECT passports FROM reservation WHERE reservation.id = $7
            )::bigint[]) ORDER BY seq LIMIT $6 {lock}",
            match wanted.as_ref().map(|wanted| wanted.rule) {
                None => "",
                Some(Rule::And) => "AND tags @> $5",
                Some(Rule::Or) => "AND tags && $5",
            }
        ),
    };
    let before = matching.handed_out_before.map(Timestamp::as_micros);
    let numbers = wanted.map(|wanted| wanted.tags).unwrap_or_default();
    let reservation = matching.reservation.map(|id| id.as_bytes().to_vec());
    // Those of a reservation are looked up one by one, and sorted.
    let set = if matching.reservation.is_none() { KEEP_ORDER } else { "" };
    let asked =
        async { db.query(&sql, typed![after, states, now.as_micros(), before, numbers, limit, reservation]).await };
    let ((), rows) = tokio::try_join!(db.run(set), asked)?;
    rows.iter().map(PassportRow::read).collect()
}

/// The blocks of the passports that have the tags whose numbers are the fifth parameter.
fn blocks(wanted: &Wanted) -> String {
    let behind = format!("block >= $1 >> {BLOCK}");
    match wanted.rule {
        Rule::Or => {
            format!("SELECT block, bit_or(bits) AS bits FROM tagged WHERE tag = ANY($5) AND {behind} GROUP BY block")
        }
        Rule::And => {
            let first = format!("SELECT block, bits FROM tagged WHERE tag = ($5::integer[])[1] AND {behind}");
            (2..=wanted.tags.len()).fold(first, |met, tag| {
                format!(
                    "SELECT block, met.bits & tagged.bits AS bits FROM ({met}) AS met JOIN tagged USING (block) \
                     WHERE tag = ($5::integer[])[{tag}]"
                )
            })
        }
    }
}

/// A passport as it counts at this moment.
pub(super) fn show(row: &PassportRow, now: Timestamp) -> Resettable {
    let state = row.state.clone().as_of(now);
    let handed_out_at = match &state {
        State::Reserved(hand_out) | State::Scanned(hand_out) => Some(hand_out.at),
        _ => None,
    };
    Resettable { passport: row.id, state: state.name(), handed_out_at }
}
