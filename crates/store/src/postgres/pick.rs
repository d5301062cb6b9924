//! Picking: the first passports of the pool that a selector matches, taken in one statement.
//!
//! A row of `pool` is there for each tag of each passport that can be had, so nothing dead is walked. What is locked is
//! the passport, never the posting: two callers who come by different tags would wait for each other in a circle.

pub(super) mod routine;

use std::{borrow::Cow, fmt::Write as _, sync::LazyLock};

use futures_util::future::join;
use passpool_core::{Event, Rule, StateName, Timestamp};
use tokio_postgres::Row;

use super::{connection::Session, passport::PassportRow, tagged::BLOCK, tags::Wanted, tally, typed::typed};
use crate::Fault;

/// The planner is right about most statements, and about this one only for some seconds: with several tags a passport it
/// changes to joins that read the whole pool (measured: a third of the speed). These are for one transaction.
pub(super) const KEEP_NESTED_LOOPS: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_memoize = off; \
     SET LOCAL enable_material = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
     SET LOCAL jit = off";

/// The same where several tags meet. The blocks of large tags may be merged, which reads each of them once; nothing else
/// of the statement can be.
const KEEP_MERGES: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_memoize = off; \
     SET LOCAL enable_material = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
     SET LOCAL jit = off";

/// How far beyond what is wanted each branch of an `or` looks: as many rows as other statements may have locked.
const LOOK_AHEAD: i64 = 2_048;

const PASSING_OVER: &str = "FOR UPDATE OF passport SKIP LOCKED";
const WAITING: &str = "FOR UPDATE OF passport";

/// How passports that others have locked are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locked {
    /// They are passed over, from a place before which there was nothing. Fast, and it may find too few.
    Skip { from: i64 },
    /// They are waited for, in the order of their creation. What this does not find is not there.
    Wait,
}

/// What becomes of the passports that are picked: one of them for each of the numbers.
pub(super) struct HandOuts {
    pub(super) event: Event,
    pub(super) numbers: Vec<i64>,
    pub(super) secret: i16,
    /// One for each, or one for all.
    pub(super) ats: Vec<i64>,
    /// One for each, or one for all; 0 is no end.
    pub(super) untils: Vec<i64>,
    /// One for each, or one for all: a place among the actors.
    pub(super) by: Vec<i32>,
    pub(super) actors: Vec<String>,
    pub(super) reservation: Option<Vec<u8>>,
    /// What the journal says besides the end: the inside of a JSON object that begins with a comma.
    pub(super) detail: String,
    /// The wallets that they go to, 20 bytes each, one behind the other. Empty if they go to nobody yet.
    pub(super) recipients: Vec<u8>,
    pub(super) settle_by: Option<Timestamp>,
    pub(super) kiosk: Option<i32>,
    pub(super) with_content: bool,
}

/// What was taken.
pub(super) struct Taken {
    /// How many were found: all of them were taken if they were enough, and none if not.
    pub(super) found: usize,
    /// In the order of the hand-outs.
    pub(super) passports: Vec<(PassportRow, Option<String>)>,
}

/// Why nothing was taken.
pub(super) enum TakeError {
    /// A passport came back to the pool and left it again while this waited for it. Ask again.
    Overtaken,
    Fault(Fault),
}

impl From<Fault> for TakeError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Takes a passport for each hand-out, or as many as there are if they are `at_least` so many, or none.
///
/// It wants a transaction, and leaves settings in it that suit no other large statement.
pub(super) async fn take(
    db: &Session,
    wanted: &Wanted,
    locked: Locked,
    at_least: usize,
    hand_outs: &HandOuts,
) -> Result<Taken, TakeError> {
    let HandOuts { numbers, ats, untils, by, actors, detail, recipients, .. } = hand_outs;
    let count = numbers.len() as i64;
    let (from, look_ahead) = match locked {
        Locked::Skip { from } => (from, Some(count + LOOK_AHEAD)),
        Locked::Wait => (0, None),
    };
    let state = if recipients.is_empty() { StateName::Reserved } else { StateName::Pending };
    let statement = Statement::of(wanted, locked);
    let set = async {
        match statement.settings {
            Some(settings) => db.run(settings).await,
            None => Ok(()),
        }
    };
    let (set, rows) = join(
        set,
        db.hear(db.client().query_typed(
            &statement.sql,
            typed![
                wanted.tags,
                from,
                count,
                look_ahead,
                at_least as i64,
                *numbers,
                *ats,
                *untils,
                *by,
                *actors,
                hand_outs.event.as_str(),
                state as i16,
                hand_outs.secret,
                hand_outs.reservation,
                *detail,
                *recipients,
                hand_outs.settle_by.map(Timestamp::as_micros),
                hand_outs.kiosk,
                hand_outs.with_content,
            ],
        )),
    )
    .await;
    set?;
    let rows = rows?;
    match rows {
        Ok(rows) => Ok(read(&rows)?),
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::DIVISION_BY_ZERO) => {
            Err(TakeError::Overtaken)
        }
        Err(error) => Err(TakeError::Fault(db.fault_of(error))),
    }
}

/// The statement that takes, and what has to be set for it.
struct Statement {
    settings: Option<&'static str>,
    sql: Cow<'static, str>,
}

impl Statement {
    fn of(wanted: &Wanted, locked: Locked) -> Self {
        static CALL: LazyLock<String> = LazyLock::new(routine::call);
        let lock = match locked {
            Locked::Skip { .. } => PASSING_OVER,
            Locked::Wait => WAITING,
        };
        let plain = |settings, picked: String| Self { settings: Some(settings), sql: statement(&picked).into() };
        match (wanted.rule, wanted.tags.len()) {
            (_, 1) if lock == PASSING_OVER => Self { settings: None, sql: CALL.as_str().into() },
            (_, 1) => plain(KEEP_NESTED_LOOPS, picked_by_tag_in_turn()),
            (Rule::Or, tags) => plain(KEEP_NESTED_LOOPS, picked_by_any_tag(tags, lock)),
            (Rule::And, tags) => plain(KEEP_MERGES, picked_where_tags_meet(tags, lock)),
        }
    }
}

fn read(rows: &[Row]) -> Result<Taken, Fault> {
    let found: i64 = rows.first().map_or(Ok(0), |row| row.try_get("found"))?;
    let mut passports = Vec::with_capacity(rows.len());
    for row in rows.iter().filter(|row| !matches!(row.try_get::<_, Option<i64>>("seq"), Ok(None))) {
        let position: i64 = row.try_get("position")?;
        passports.push((position, PassportRow::read(row)?, row.try_get("json")?));
    }
    passports.sort_unstable_by_key(|(position, ..)| *position);
    let passports = passports.into_iter().map(|(_, row, json)| (row, json)).collect();
    Ok(Taken { found: found as usize, passports })
}

/// Everything that one reservation is, as one statement: what is picked, what becomes of it, and what is told.
///
/// The last lines divide by zero if a passport's postings were not those that this statement saw.
fn statement(picked: &str) -> String {
    let tallied = tally::moved("handed", "told", "0", "$12");
    format!(
        "WITH {picked}, numbered AS (
            SELECT row_number() OVER (ORDER BY seq) AS position, picked.* FROM picked
        ), handed AS MATERIALIZED (
            SELECT place, seq, changed AS was_changed, tags, position, nextval('journal_number') AS told,
                ($6::bigint[])[position] AS number,
                coalesce(($7::bigint[])[position], ($7::bigint[])[1]) AS at,
                nullif(coalesce(($8::bigint[])[position], ($8::bigint[])[1]), 0) AS until,
                ($10::text[])[coalesce(($9::integer[])[position], ($9::integer[])[1])] AS actor,
                CASE WHEN $12::smallint = 3 THEN substr($16::bytea, (position::integer - 1) * 20 + 1, 20) END AS owner
            FROM numbered WHERE (SELECT count(*) FROM picked) >= $5
        ), written AS (
            UPDATE passport SET state = $12, changed = told, changed_at = greatest(at, passport.changed_at),
                secret = coalesce(passport.secret, $13::smallint),
                number = CASE WHEN passport.sealed IS NULL THEN handed.number END,
                handed_at = at, until = handed.until, reservation = $14::bytea, owner = handed.owner,
                settle_by = $17::bigint, kiosk = $18::integer
            FROM handed WHERE passport.ctid = place AND passport.state = 0 AND passport.changed = was_changed
            RETURNING passport.*, position, actor, was_changed
        ), unpooled AS (
            DELETE FROM pool WHERE ctid = ANY (ARRAY(
                SELECT posting.ctid FROM handed CROSS JOIN LATERAL unnest(tags) AS had (tag) CROSS JOIN LATERAL (
                    SELECT ctid FROM pool WHERE pool.tag = had.tag AND pool.seq = handed.seq OFFSET 0
                ) AS posting
            )) RETURNING 1
        ), ends AS (
            INSERT INTO ending (seq, at, is_transfer)
            SELECT seq, coalesce($17, until), $17 IS NOT NULL FROM handed WHERE coalesce($17, until) IS NOT NULL
        ), tallied AS (
            {tallied}
        ), told AS (
            INSERT INTO journal (seq, at, kind, passport, actor, detail)
            SELECT changed, changed_at, $11::text, id, actor, '{{\"after\":' || was_changed
                || coalesce(',\"until\":' || until, '') || $15::text
                || CASE WHEN owner IS NULL THEN '' ELSE ',\"to\":\"0x' || encode(owner, 'hex') || '\"' END || '}}'
            FROM written
        )
        SELECT (SELECT count(*) FROM picked)
            / (CASE WHEN (SELECT count(*) FROM unpooled) = (SELECT coalesce(sum(cardinality(tags)), 0) FROM handed)
                AND (SELECT count(*) FROM written) = (SELECT count(*) FROM handed) THEN 1 ELSE 0 END) AS found,
            position, seq, id, state, changed, tags, content, secret, number, sealed, printed, handed_at, until,
            reservation, owner, settle_by, kiosk,
            CASE WHEN $19::boolean THEN (SELECT json FROM content WHERE content.id = written.content) END AS json
        FROM (SELECT 1) AS one LEFT JOIN written ON true"
    )
}

/// Where there are passports that can be seen: between the chunks that imports hide, so that nothing of a large import
/// is walked.
const VISIBLE: &str = "visible AS MATERIALIZED (
        SELECT low, high FROM (
            SELECT greatest($2::bigint, (lag(chunk, 1, -1::bigint) OVER (ORDER BY chunk) + 1) << 12) AS low,
                chunk << 12 AS high
            FROM (SELECT chunk FROM hidden UNION ALL SELECT 1::bigint << 50) AS edge
        ) AS gap WHERE low < high ORDER BY low
    )";

/// The first passports that have a tag and are nobody's at this moment.
///
/// There is one way to read this, whatever the planner believes of the tables: posting by posting, and no further than
/// is wanted. It may have planned it when they were empty.
fn picked_by_tag() -> String {
    format!(
        "{VISIBLE}, picked AS MATERIALIZED (
            SELECT found.* FROM visible CROSS JOIN LATERAL (
                SELECT passport.*, place FROM (
                    SELECT pool.seq, (SELECT ctid FROM passport WHERE passport.seq = pool.seq) AS place FROM pool
                    WHERE tag = ($1::integer[])[1] AND pool.seq >= low AND pool.seq < high ORDER BY pool.seq
                ) AS candidate JOIN passport ON passport.ctid = place
                WHERE passport.state = 0 ORDER BY candidate.seq LIMIT $3 {PASSING_OVER}
            ) AS found LIMIT $3
        )"
    )
}

/// The first passports that have a tag, as soon as nobody else is about to have them. Whoever waited for a passport
/// finds it at another place of the table.
fn picked_by_tag_in_turn() -> String {
    format!(
        "{VISIBLE}, picked AS MATERIALIZED (
            SELECT found.* FROM visible CROSS JOIN LATERAL (
                SELECT passport.*, passport.ctid AS place FROM pool JOIN passport ON passport.seq = pool.seq
                WHERE pool.tag = ($1::integer[])[1] AND pool.seq >= low AND pool.seq < high AND passport.state = 0
                ORDER BY passport.seq LIMIT $3 {WAITING}
            ) AS found LIMIT $3
        )"
    )
}

/// The first passports that have one of several tags. Without a limit in each branch all of them are read to the end.
fn picked_by_any_tag(tags: usize, lock: &str) -> String {
    let branch = |tag| {
        format!(
            "(SELECT seq FROM pool WHERE tag = ($1::integer[])[{tag}] AND seq >= low AND seq < high \
             ORDER BY seq LIMIT $4)"
        )
    };
    let branches = (1..=tags).map(branch).collect::<Vec<_>>().join(" UNION ALL ");
    format!(
        "{VISIBLE}, picked AS MATERIALIZED (
            SELECT found.* FROM visible CROSS JOIN LATERAL (
                SELECT passport.*, passport.ctid AS place FROM (SELECT DISTINCT seq FROM ({branches}) AS branch ORDER BY seq) AS candidate
                JOIN passport ON passport.seq = candidate.seq WHERE passport.state = 0
                ORDER BY passport.seq LIMIT $3 {lock}
            ) AS found LIMIT $3
        )"
    )
}

/// The first passports that have all of several tags.
///
/// Who has all of them is read from the blocks, 64 passports at a time, and who of those can be had from the postings of
/// one tag, which are no further away than their block. So what the tags do not share is passed by, and so is what has
/// left the pool. (Measured with 500,000 passports a tag that hardly meet, none of them left: 0.45 s when postings met
/// postings, 0.015 s when blocks do.) Where a tag's pool begins and ends bounds its blocks, or a pool that is sold out would
/// be walked by all that it ever had: 22 ms a call with a million passports that have both tags, and 3.4 ms like this.
///
/// How much lies behind a place has to be known when this is planned, so the place is a parameter and no column. The
/// passports are looked at one by one, in their order: what is not wanted any more is not locked.
fn picked_where_tags_meet(tags: usize, lock: &str) -> String {
    let (mut blocks, mut bits, mut condition) = ("tagged AS t1".to_owned(), "t1.bits".to_owned(), String::new());
    for tag in 1..=tags {
        if tag > 1 {
            let _ = write!(blocks, " JOIN tagged AS t{tag} ON t{tag}.block = t1.block");
            let _ = write!(bits, " & t{tag}.bits");
        }
        let wanted = format!("($1::integer[])[{tag}]");
        let _ = write!(
            condition,
            "t{tag}.tag = {wanted} AND t{tag}.block >= $2::bigint >> {BLOCK}
                AND t{tag}.block >= (SELECT min(seq) >> {BLOCK} FROM pool WHERE tag = {wanted} AND seq >= $2)
                AND t{tag}.block <= (SELECT max(seq) >> {BLOCK} FROM pool WHERE tag = {wanted} AND seq >= $2) AND "
        );
    }
    format!(
        "picked AS MATERIALIZED (
            SELECT found.* FROM (
                SELECT t1.block, {bits} AS bits FROM {blocks}
                WHERE {condition} {bits} <> 0 AND t1.block >> (12 - {BLOCK}) <> ALL (ARRAY(SELECT chunk FROM hidden))
                ORDER BY t1.block
            ) AS meeting CROSS JOIN LATERAL (
                SELECT seq FROM pool WHERE tag = ($1::integer[])[1] AND seq >= greatest($2, block << {BLOCK})
                    AND seq < (block + 1) << {BLOCK} AND bits >> (seq & 63)::integer & 1 = 1 ORDER BY seq
            ) AS candidate CROSS JOIN LATERAL (
                SELECT passport.*, passport.ctid AS place FROM passport WHERE passport.seq = candidate.seq AND passport.state = 0 {lock}
            ) AS found LIMIT $3
        )"
    )
}
