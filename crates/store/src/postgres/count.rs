//! Counting: how many passports are in which state, from the tally alone.

use passpool_core::{StateName, Tag, Timestamp};
use tokio_postgres::Row;

use super::{
    connection::Session,
    tally::{self, EVERY_PASSPORT},
    typed::typed,
};
use crate::{Fault, PoolCounts, PoolPage, StateCounts, TagFilter};

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
        "{} SELECT name, counted.* FROM tag CROSS JOIN LATERAL (SELECT {}, {} FROM counting WHERE tag = tag.id) AS counted
        WHERE name > $2 AND total > 0 ORDER BY name LIMIT $3",
        counting(),
        tally::sums(),
        total("total"),
    );
    let after = page.after.as_ref().map_or("", Tag::as_str);
    let rows = db.query(&sql, typed![page.now.as_micros(), after, page.limit as i64]).await?;
    rows.iter().map(read_named).collect()
}

/// Of every passport, and of these tags. A tag that nobody has is counted with zeros.
async fn named(db: &Session, tags: Vec<Tag>, now: Timestamp) -> Result<PoolCounts, Fault> {
    let sql = format!(
        "{}, wanted AS (
            SELECT NULL AS name, {EVERY_PASSPORT} AS id UNION ALL SELECT name, id FROM tag WHERE name = ANY($2)
        )
        SELECT name, counted.* FROM wanted
        CROSS JOIN LATERAL (SELECT {} FROM counting WHERE tag = wanted.id) AS counted",
        counting(),
        tally::sums(),
    );
    let mut all = StateCounts::default();
    let mut tags: Vec<(Tag, StateCounts)> = tags.into_iter().map(|tag| (tag, StateCounts::default())).collect();
    let names: Vec<&str> = tags.iter().map(|(tag, _)| tag.as_str()).collect();
    for row in db.query(&sql, typed![now.as_micros(), names]).await? {
        let counted = read(&row)?;
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
    // Numbers break ties here, and names below: among tags of one size at the edge of the list any choice is right.
    let sql = format!(
        "{} SELECT name, counted.* FROM (
            SELECT tag, {}, {} FROM counting WHERE tag <> {EVERY_PASSPORT}
            GROUP BY tag HAVING {} > 0 ORDER BY total DESC, tag LIMIT $2
        ) AS counted JOIN tag ON tag.id = tag",
        counting(),
        tally::sums(),
        total("total"),
        total(""),
    );
    let rows = db.query(&sql, typed![now.as_micros(), limit as i64]).await?;
    let mut counts = rows.iter().map(read_named).collect::<Result<Vec<_>, _>>()?;
    counts.sort_unstable_by(|(a, x), (b, y)| y.total().cmp(&x.total()).then_with(|| a.cmp(b)));
    Ok(counts)
}

/// The beginning of a statement: all that is to be added up, by tag and state. What the tally says is corrected by what
/// is due at the moment that is the first parameter: nobody has written that down yet.
fn counting() -> String {
    let moved = StateName::ALL.map(|state| {
        let number = state as i16;
        format!("(becomes = {number})::integer - (state = {number})::integer")
    });
    format!(
        "WITH due AS (
            SELECT tags, state, CASE WHEN state = 3 AND (until IS NULL OR until > $1) THEN 2 ELSE 0 END AS becomes
            FROM (
                SELECT seq FROM ending WHERE is_transfer AND at <= $1
                UNION ALL
                SELECT seq FROM ending WHERE NOT is_transfer AND at <= $1
            ) AS either JOIN passport USING (seq)
        ), moved AS MATERIALIZED (
            SELECT tag, {} FROM due CROSS JOIN unnest(tags || {EVERY_PASSPORT}) AS tag
        ), counting AS (
            SELECT * FROM tallied UNION ALL SELECT * FROM moved
        )",
        moved.join(", ")
    )
}

fn total(name: &str) -> String {
    let sums = StateName::ALL.map(|state| format!("sum({state})")).join(" + ");
    if name.is_empty() { sums } else { format!("{sums} AS {name}") }
}

fn read_named(row: &Row) -> Result<(Tag, StateCounts), Fault> {
    let tag = Tag::parse(row.try_get("name")?).map_err(|error| Fault::Damaged(error.to_string()))?;
    Ok((tag, read(row)?))
}

fn read(row: &Row) -> Result<StateCounts, Fault> {
    let mut counts = StateCounts::default();
    for state in StateName::ALL {
        let count = row.try_get::<_, Option<i64>>(state.as_str())?.unwrap_or(0);
        *counts.of_mut(state) = u64::try_from(count)
            .map_err(|_| Fault::Damaged(format!("the tally counts {count} passports as {state}")))?;
    }
    Ok(counts)
}
