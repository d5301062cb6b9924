//! The tally: how many passports of each tag are in which state.
//!
//! Whoever changes states or tags tells by a row of its own what moved, in the same statement; so the sums are right at
//! every committed moment, and nobody waits for the row of a tag that everybody wants. Now and then these moves are
//! folded together. Who counts adds up what there is.

use passpool_core::StateName;

use super::{check::find_each, connection::Session, typed::typed};
use crate::{CheckReport, Fault};

/// The tag that every passport has in the tally, and nowhere else.
pub(super) const EVERY_PASSPORT: i32 = 0;

/// The state of what is not there.
pub(super) const NONE: i16 = -1;

/// How many moves are folded together at once.
const MOVES_AT_ONCE: i64 = 500;
/// How many chunks of new passports are: each may have thousands of tags.
const CHUNKS_AT_ONCE: i64 = 5;

/// The part of a statement that tells the tally of passports that moved. These are expressions over the rows, which
/// have their `tags`: the number of the journal's row about each, the state that it was in, and the one it is in now.
pub(super) fn moved(rows: &str, number: &str, was: &str, becomes: &str) -> String {
    format!(
        "INSERT INTO tally_move (number, was, becomes, tags, counts)
        SELECT min(number), was, becomes, array_agg(tag), array_agg(count) FROM (
            SELECT min(number) AS number, was, becomes, tag, count(*)::integer AS count FROM (
                SELECT {number} AS number, {was} AS was, {becomes} AS becomes, unnest(tags || {EVERY_PASSPORT}) AS tag
                FROM {rows} WHERE {was} <> {becomes}
            ) AS each GROUP BY was, becomes, tag
        ) AS by_tag GROUP BY was, becomes"
    )
}

/// The columns that are added up: one for each state, and `total`.
pub(super) fn columns(text: impl Fn(&str) -> String) -> String {
    let columns = StateName::ALL.iter().map(|state| state.as_str()).chain(["total"]);
    columns.map(text).collect::<Vec<_>>().join(", ")
}

/// Their sums.
pub(super) fn sums() -> String {
    columns(|column| format!("sum({column})::bigint AS {column}"))
}

/// Folds a part of the moves together, and answers whether there may be more. Any number of servers may do so at the
/// same time: each takes other moves, and what has gone from one table is in the other with the same commit.
pub(super) async fn fold(db: &Session) -> Result<bool, Fault> {
    let names = columns(str::to_owned);
    let sums = join(|state| {
        let number = state as i16;
        format!("sum(count * ((becomes = {number})::integer - (was = {number})::integer))")
    });
    let added = columns(|column| format!("{column} = known.{column} + excluded.{column}"));
    let is_zero = StateName::ALL.map(|state| format!("known.{state} = 0")).join(" AND ");
    // Rows of the tally are changed in the order of their tags, so that two who fold never wait for each other in a
    // circle. A move is never changed, so that its place is as good as its number, and found at once.
    let sql = format!(
        "WITH taken AS (
            DELETE FROM tally_move WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM tally_move WHERE chunk IS NULL LIMIT $1 FOR UPDATE SKIP LOCKED
            )) OR ctid = ANY (ARRAY(
                SELECT ctid FROM tally_move WHERE chunk IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM hidden WHERE hidden.chunk = tally_move.chunk)
                LIMIT $2 FOR UPDATE SKIP LOCKED
            )) RETURNING *
        ), folded AS (
            INSERT INTO tally AS known (tag, {names})
            SELECT tag, {sums}, sum(count * ((becomes >= 0)::integer - (was >= 0)::integer)) FROM (
                SELECT was, becomes, unnest(tags) AS tag, unnest(counts) AS count FROM taken
            ) AS moved GROUP BY tag ORDER BY tag
            ON CONFLICT (tag) DO UPDATE SET {added} RETURNING tag, {is_zero} AS is_zero
        )
        SELECT count(*) FILTER (WHERE chunk IS NULL), count(chunk), ARRAY(SELECT tag FROM folded WHERE is_zero) FROM taken"
    );
    let row = db.query_one(&sql, typed![MOVES_AT_ONCE, CHUNKS_AT_ONCE]).await?;
    let (moves, chunks, empty): (i64, i64, Vec<i32>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if !empty.is_empty() {
        // Somebody may have added to them meanwhile; the guard is asked again after the wait.
        let sql = format!("DELETE FROM tally AS known WHERE tag = ANY($1) AND {is_zero}");
        db.execute(&sql, typed![empty]).await?;
    }
    Ok(moves == MOVES_AT_ONCE || chunks == CHUNKS_AT_ONCE)
}

/// Compares the tally with the passports, and with itself.
pub(super) async fn check(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    check_sums(db, report).await?;
    let sum = StateName::ALL.map(StateName::as_str).join(" + ");
    let wrong_totals = format!("SELECT 'tally of tag number ' || tag FROM tally WHERE total <> {sum}");
    find_each(db, report, &wrong_totals, "its total is not the sum of its states").await?;
    let last = StateName::ALL.len() - 1;
    let no_moves = format!(
        "SELECT 'move ' || number || ' of the tally' FROM tally_move
         WHERE was NOT BETWEEN {NONE} AND {last} OR becomes NOT BETWEEN {NONE} AND {last}
         OR EXISTS (SELECT 1 FROM unnest(tags, counts) AS moved (tag, count) WHERE tag IS NULL OR count IS NULL)"
    );
    find_each(db, report, &no_moves, "it is none that could be added up").await
}

async fn check_sums(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    let counts = join(|state| format!("count(*) FILTER (WHERE state = {}) AS {state}", state as i16));
    let pairs = join(|state| format!("('{state}', coalesce(told.{state}, 0), coalesce(found.{state}, 0))"));
    let sql = format!(
        "WITH told AS (
            SELECT tag, {} FROM (SELECT * FROM tally UNION ALL SELECT * FROM tally_fresh) AS either GROUP BY tag
        ), found AS (
            SELECT tag, {counts} FROM passport CROSS JOIN unnest(tags || {EVERY_PASSPORT}) AS tag
            WHERE NOT EXISTS (SELECT 1 FROM hidden WHERE chunk = seq >> 12) AND coalesce(array_ndims(tags), 1) = 1
            GROUP BY tag
        )
        SELECT tag, name, state, told, found FROM (
            SELECT tag, pair.* FROM told FULL JOIN found USING (tag)
            CROSS JOIN LATERAL (VALUES {pairs}) AS pair (state, told, found)
        ) AS either LEFT JOIN tag ON tag.id = tag WHERE told <> found AND tag IS NOT NULL ORDER BY tag, state",
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

/// A text for each state, in their order.
fn join(text: impl Fn(StateName) -> String) -> String {
    StateName::ALL.map(text).join(", ")
}
