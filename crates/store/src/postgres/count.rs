//! Counting: how many passports are in which state, from the tally and from what is due.

use std::collections::HashMap;

use passpool_core::{StateName, Tag, Timestamp};
use tokio_postgres::Row;

use super::{
    connection::Session,
    tally::{self, EVERY_PASSPORT},
    typed::typed,
};
use crate::{Fault, PoolCounts, PoolPage, StateCounts, TagFilter};

/// Counting reads few rows, and is over before others have come to help. For one transaction.
const ALONE: &str = "SET LOCAL max_parallel_workers_per_gather = 0";

/// Counts at the moment that this connection's transaction sees. Holds that have ended count as available.
pub(super) async fn counts(db: &Session, filter: TagFilter, now: Timestamp) -> Result<PoolCounts, Fault> {
    match filter {
        TagFilter::Named(tags) => named(db, tags, now).await,
        TagFilter::Largest(limit) => {
            let PoolCounts { all, .. } = named(db, Vec::new(), now).await?;
            Ok(PoolCounts { all, tags: largest(db, limit, now).await? })
        }
    }
}

/// A page of tags by name, with their counts. A tag that no passport has any more is none.
pub(super) async fn page(db: &Session, page: &PoolPage) -> Result<Vec<(Tag, StateCounts)>, Fault> {
    let sql = format!(
        "{} SELECT * FROM (SELECT name, id AS tag, {} FROM tag {JOINED}) AS counted
        WHERE name > $1 AND total > 0 ORDER BY name LIMIT $2",
        fresh(),
        added()
    );
    let after = page.after.as_ref().map_or("", Tag::as_str);
    let (rows, due) = ask(db, &sql, typed![after, page.limit as i64], page.now).await?;
    rows.iter().map(|row| read_named(row, &due)).collect()
}

/// Of every passport, and of these tags. A tag that nobody has is counted with zeros.
async fn named(db: &Session, tags: Vec<Tag>, now: Timestamp) -> Result<PoolCounts, Fault> {
    let sql = format!(
        "{} SELECT name, id AS tag, {} FROM (
            SELECT NULL AS name, {EVERY_PASSPORT} AS id UNION ALL SELECT name, id FROM tag WHERE name = ANY($1)
        ) AS tag {JOINED}",
        fresh(),
        added()
    );
    let mut all = StateCounts::default();
    let mut tags: Vec<(Tag, StateCounts)> = tags.into_iter().map(|tag| (tag, StateCounts::default())).collect();
    let names: Vec<&str> = tags.iter().map(|(tag, _)| tag.as_str()).collect();
    let (rows, due) = ask(db, &sql, typed![names], now).await?;
    for row in rows {
        let counted = read(&row, &due)?;
        let Some(name) = row.try_get::<_, Option<&str>>("name")? else {
            all = counted;
            continue;
        };
        for (_, counts) in tags.iter_mut().filter(|(tag, _)| tag.as_str() == name) {
            *counts = counted;
        }
    }
    Ok(PoolCounts { all, tags })
}

async fn largest(db: &Session, limit: usize, now: Timestamp) -> Result<Vec<(Tag, StateCounts)>, Fault> {
    // The planner has to know how few rows these are.
    let moved = format!("{} SELECT count(*) FROM fresh WHERE total <> 0", fresh());
    let moved: i64 = db.query_one(&moved, typed![]).await?.try_get(0)?;
    // Those that were the largest when the tally was folded together, and as many more as have shrunk or grown since.
    // Numbers break ties here, and names below: among tags of one size at the edge of the list any choice is right.
    let sql = format!(
        "{}, candidate AS (
            (SELECT tag AS id FROM tally ORDER BY total DESC LIMIT $2) UNION SELECT tag FROM fresh WHERE total <> 0
        ), counted AS (
            SELECT * FROM (SELECT id AS tag, {} FROM candidate {JOINED}) AS summed
            WHERE tag <> {EVERY_PASSPORT} AND total > 0 ORDER BY total DESC, tag LIMIT $1
        )
        SELECT name, counted.* FROM counted JOIN tag ON tag.id = counted.tag",
        fresh(),
        added()
    );
    let limit = limit as i64;
    let (rows, due) = ask(db, &sql, typed![limit, limit + moved + 1], now).await?;
    let mut counts = rows.iter().map(|row| read_named(row, &due)).collect::<Result<Vec<_>, _>>()?;
    counts.sort_unstable_by(|(a, x), (b, y)| y.total().cmp(&x.total()).then_with(|| a.cmp(b)));
    Ok(counts)
}

/// The beginning of a statement: what moved since the tally was folded together, added up once for all tags.
fn fresh() -> String {
    format!("WITH fresh AS MATERIALIZED (SELECT tag, {} FROM tally_fresh GROUP BY tag)", tally::sums())
}

/// What is known of a tag, by its `id`.
const JOINED: &str = "LEFT JOIN tally ON tally.tag = id LEFT JOIN fresh ON fresh.tag = id";

fn added() -> String {
    tally::columns(|column| format!("coalesce(tally.{column}, 0) + coalesce(fresh.{column}, 0) AS {column}"))
}

/// What is due and not yet written down, by tag: how many passports count as in a state in which they no longer are, and
/// in which they are.
type Due = HashMap<i32, Vec<(StateName, StateName, u64)>>;

/// Asks the tally, and for what is due.
async fn ask(
    db: &Session,
    sql: &str,
    parameters: super::typed::Parameters<'_>,
    now: Timestamp,
) -> Result<(Vec<Row>, Due), Fault> {
    // One after the other on the server, and all on their way at once.
    let ((), rows, due) = tokio::try_join!(db.run(ALONE), db.query(sql, parameters), due(db, now))?;
    Ok((rows, due))
}

async fn due(db: &Session, now: Timestamp) -> Result<Due, Fault> {
    let sql = format!(
        "SELECT tag, state, becomes, count(*) FROM (
            SELECT tags, state, CASE WHEN state = 3 AND (until IS NULL OR until > $1) THEN 2::smallint ELSE 0::smallint END
                AS becomes
            FROM (
                SELECT seq FROM ending WHERE is_transfer AND at <= $1
                UNION ALL
                SELECT seq FROM ending WHERE NOT is_transfer AND at <= $1
            ) AS either JOIN passport USING (seq)
        ) AS due CROSS JOIN unnest(tags || {EVERY_PASSPORT}) AS tag GROUP BY tag, state, becomes"
    );
    let mut due = Due::new();
    for row in db.query(&sql, typed![now.as_micros()]).await? {
        let state = |column| {
            let number: i16 = row.try_get(column)?;
            let name = usize::try_from(number).ok().and_then(|number| StateName::ALL.get(number)).copied();
            name.ok_or_else(|| Fault::Damaged(format!("there is no state {number}")))
        };
        let count: i64 = row.try_get("count")?;
        due.entry(row.try_get("tag")?).or_default().push((state("state")?, state("becomes")?, count.cast_unsigned()));
    }
    Ok(due)
}

fn read_named(row: &Row, due: &Due) -> Result<(Tag, StateCounts), Fault> {
    let tag = Tag::parse(row.try_get("name")?).map_err(|error| Fault::Damaged(error.to_string()))?;
    Ok((tag, read(row, due)?))
}

fn read(row: &Row, due: &Due) -> Result<StateCounts, Fault> {
    let tag: i32 = row.try_get("tag")?;
    let wrong = |state| Fault::Damaged(format!("the tally counts too few passports of tag number {tag} as {state}"));
    let mut counts = StateCounts::default();
    for state in StateName::ALL {
        let count: i64 = row.try_get(state.as_str())?;
        *counts.of_mut(state) = u64::try_from(count).map_err(|_| wrong(state))?;
    }
    for &(state, becomes, count) in due.get(&tag).into_iter().flatten() {
        *counts.of_mut(state) = counts.of(state).checked_sub(count).ok_or_else(|| wrong(state))?;
        *counts.of_mut(becomes) += count;
    }
    Ok(counts)
}
