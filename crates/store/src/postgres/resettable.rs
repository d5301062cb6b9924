//! What a reset would give back at a moment: by name, or by conditions.

use passpool_core::{PassportId, Refusal, Rule, State, Timestamp};

use super::{
    connection::Session,
    passport::{PassportRow, Reading},
    reservation,
    tagged::{self, BLOCK},
    tags::{TagNumbers, Wanted},
    typed::typed,
};
use crate::{Fault, HeldState, Matching, StoreError};

/// Passports are walked in the order of their creation and no further than is wanted, whatever the planner believes of the
/// table. Right after a large hand-out it takes those who are out of the pool for few, and sorts the whole table for each
/// slice (measured: 11 s for a preview of 100,000 of a million). These are for one transaction, and suit what follows in it.
const KEEP_ORDER: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL jit = off";

/// Refuses conditions that name a reservation which does not exist.
pub(super) async fn refuse_unknown(db: &Session, matching: &Matching) -> Result<(), StoreError> {
    match matching.reservation {
        Some(id) => reservation::known(db, id).await.map(drop),
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

/// What each becomes: all of them, or a refusal.
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
