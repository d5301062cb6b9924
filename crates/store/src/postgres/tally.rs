//! The tally: how many passports of each tag are in which state.
//!
//! Whoever changes states or tags adds what changed by it as rows of its own, in the same statement; so the sums are
//! right at every committed moment, and nobody waits for the row of a tag that everybody wants. Now and then these rows
//! are folded together. Who counts adds up what there is.

use std::collections::BTreeSet;

use passpool_core::StateName;

use super::{connection::Session, typed::typed};
use crate::{CheckReport, Fault};

/// The tag that every passport has in the tally, and nowhere else.
pub(super) const EVERY_PASSPORT: i32 = 0;

/// How many rows are folded together at once.
const ROWS_AT_ONCE: i64 = 20_000;
/// How many chunks of new passports are: each may have thousands of tags.
const CHUNKS_AT_ONCE: i64 = 5;

/// The part of a statement that tells the tally of passports that leave the pool for this state. The rows have `tags`,
/// and with `told` the number of the journal's row about it.
pub(super) fn leave_available(rows: &str, state: StateName) -> String {
    format!(
        "INSERT INTO tally_delta (tag, number, available, {state}) SELECT tag, max(told), -count(*), count(*) \
         FROM {rows} CROSS JOIN unnest(tags || {EVERY_PASSPORT}) AS tag GROUP BY tag"
    )
}

/// One more part of a WITH that tells the tally of passports that went from a `was_state` to a `state`, both of which
/// are among these. The rows have `tags`, and with `changed` the number of the journal's row about it.
pub(super) fn move_between(states: &BTreeSet<StateName>, rows: &str) -> String {
    if states.is_empty() {
        return String::new();
    }
    let names = join(states, |state| state.to_string());
    let sums = join(states, |state| {
        let number = state as i16;
        format!("count(*) FILTER (WHERE state = {number}) - count(*) FILTER (WHERE was_state = {number})")
    });
    format!(
        ", tallied AS (
            INSERT INTO tally_delta (tag, number, {names}) SELECT tag, max(changed), {sums}
            FROM {rows} CROSS JOIN unnest(tags || {EVERY_PASSPORT}) AS tag WHERE state <> was_state GROUP BY tag
        )"
    )
}

/// The part of a statement that tells the tally of one passport in this state that got other tags. The row has with
/// `changed` the number of the journal's row about it; the lists of tags are parameters.
pub(super) fn retag(state: StateName, row: &str, added: &str, removed: &str) -> String {
    format!(
        "INSERT INTO tally_delta (tag, number, {state}) SELECT tag, changed, count FROM {row} CROSS JOIN (
            SELECT tag, 1 AS count FROM unnest({added}) AS tag
            UNION ALL SELECT tag, -1 FROM unnest({removed}) AS tag
        ) AS moved"
    )
}

/// The sums of each state, to be selected from `tallied`, in the order of the states.
pub(super) fn sums() -> String {
    join(&StateName::ALL, |state| format!("sum({state})::bigint AS {state}"))
}

/// The sum of all states.
pub(super) fn total() -> String {
    StateName::ALL.map(|state| format!("sum({state})")).join(" + ")
}

/// Folds together a part of what was added, and answers whether there may be more. Any number of servers may do so at
/// the same time: each takes other rows, and what has gone from one table is in another with the same commit.
pub(super) async fn fold(db: &Session) -> Result<bool, Fault> {
    let names = join(&StateName::ALL, |state| state.to_string());
    let sums = sums();
    let added = join(&StateName::ALL, |state| format!("{state} = known.{state} + excluded.{state}"));
    let is_zero = StateName::ALL.map(|state| format!("known.{state} = 0")).join(" AND ");
    // Rows of the tally are changed in the order of their tags, so that two who fold never wait for each other in a
    // circle. A row of `tally_delta` is never changed, so that its place is as good as its key, and found at once.
    let sql = format!(
        "WITH chunk AS (
            DELETE FROM tally_chunk WHERE chunk IN (
                SELECT chunk FROM tally_chunk
                WHERE NOT EXISTS (SELECT 1 FROM hidden WHERE hidden.chunk = tally_chunk.chunk)
                LIMIT $1 FOR UPDATE SKIP LOCKED
            ) RETURNING tags, counts
        ), delta AS (
            DELETE FROM tally_delta
            WHERE ctid = ANY (ARRAY(SELECT ctid FROM tally_delta LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING *
        ), folded AS (
            INSERT INTO tally AS known (tag, {names})
            SELECT tag, {sums} FROM (
                SELECT tag, {names} FROM delta
                UNION ALL
                SELECT made.tag, made.number, 0, 0, 0, 0, 0, 0
                FROM chunk CROSS JOIN LATERAL unnest(tags, counts) AS made (tag, number)
            ) AS either GROUP BY tag ORDER BY tag
            ON CONFLICT (tag) DO UPDATE SET {added} RETURNING tag, {is_zero} AS is_zero
        )
        SELECT (SELECT count(*) FROM chunk), (SELECT count(*) FROM delta), ARRAY(SELECT tag FROM folded WHERE is_zero)"
    );
    let row = db.query_one(&sql, typed![CHUNKS_AT_ONCE, ROWS_AT_ONCE]).await?;
    let (chunks, deltas, empty): (i64, i64, Vec<i32>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if !empty.is_empty() {
        // Somebody may have added to them meanwhile; the guard is asked again after the wait.
        let sql = format!("DELETE FROM tally AS known WHERE tag = ANY($1) AND {is_zero}");
        db.execute(&sql, typed![empty]).await?;
    }
    Ok(chunks == CHUNKS_AT_ONCE || deltas == ROWS_AT_ONCE)
}

/// Compares the tally with the passports.
pub(super) async fn check(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    let counts = join(&StateName::ALL, |state| format!("count(*) FILTER (WHERE state = {}) AS {state}", state as i16));
    let pairs =
        join(&StateName::ALL, |state| format!("('{state}', coalesce(told.{state}, 0), coalesce(found.{state}, 0))"));
    let sql = format!(
        "WITH told AS (SELECT tag, {} FROM tallied GROUP BY tag), found AS (
            SELECT tag, {counts} FROM passport CROSS JOIN unnest(tags || {EVERY_PASSPORT}) AS tag
            WHERE NOT EXISTS (SELECT 1 FROM hidden WHERE chunk = seq >> 12) GROUP BY tag
        )
        SELECT tag, name, state, told, found FROM (
            SELECT tag, pair.* FROM told FULL JOIN found USING (tag)
            CROSS JOIN LATERAL (VALUES {pairs}) AS pair (state, told, found)
        ) AS either LEFT JOIN tag ON tag.id = tag WHERE told <> found ORDER BY tag, state",
        sums()
    );
    for row in db.query(&sql, typed![]).await? {
        let (tag, name): (i32, Option<&str>) = (row.try_get("tag")?, row.try_get("name")?);
        let (state, told, found): (&str, i64, i64) =
            (row.try_get("state")?, row.try_get("told")?, row.try_get("found")?);
        let place = match name {
            _ if tag == EVERY_PASSPORT => "every passport".to_owned(),
            Some(name) => format!("tag {name}"),
            None => format!("tag number {tag}"),
        };
        report.find(place, format!("the tally counts {told} as {state}, and there are {found}"));
    }
    Ok(())
}

fn join<'a>(states: impl IntoIterator<Item = &'a StateName>, text: impl Fn(StateName) -> String) -> String {
    states.into_iter().map(|state| text(*state)).collect::<Vec<_>>().join(", ")
}
