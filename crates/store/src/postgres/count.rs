//! Counting: how many passports are in which state.

use passpool_core::{StateName, Tag, Timestamp};
use tokio_postgres::Row;

use super::{connection::Session, typed::typed};
use crate::{Fault, PoolCounts, StateCounts, TagFilter};

/// The passports that can be seen, with the state that counts at a moment, which is the first parameter.
const COUNTED: &str = "WITH counted AS (
        SELECT seq, tags, CASE
            WHEN state = 3 AND settle_by <= $1 THEN CASE WHEN until <= $1 THEN 0 ELSE 2 END
            WHEN state IN (1, 2) AND until <= $1 THEN 0
            ELSE state END AS state
        FROM passport WHERE seq >> 12 NOT IN (SELECT chunk FROM hidden)
    )";

/// Counts at one moment of the database. Holds that have ended count as available.
pub(super) async fn counts(db: &Session, filter: TagFilter, now: Timestamp) -> Result<PoolCounts, Fault> {
    let sql = format!("{COUNTED} SELECT state, count(*) FROM counted GROUP BY state");
    let mut all = StateCounts::default();
    for row in db.query(&sql, typed![now.as_micros()]).await? {
        add(&mut all, &row, 0)?;
    }
    let tags = match filter {
        TagFilter::Named(tags) => named(db, tags, now).await?,
        TagFilter::Largest(limit) => largest(db, limit, now).await?,
    };
    Ok(PoolCounts { all, tags })
}

async fn named(db: &Session, tags: Vec<Tag>, now: Timestamp) -> Result<Vec<(Tag, StateCounts)>, Fault> {
    let sql = format!(
        "{COUNTED} SELECT counted.state, count(*), tag.name FROM tag JOIN tagged ON tagged.tag = tag.id \
         JOIN counted ON counted.seq = tagged.seq WHERE tag.name = ANY($2) GROUP BY tag.name, counted.state"
    );
    let mut counts: Vec<(Tag, StateCounts)> = tags.into_iter().map(|tag| (tag, StateCounts::default())).collect();
    let names: Vec<&str> = counts.iter().map(|(tag, _)| tag.as_str()).collect();
    let rows = db.query(&sql, typed![now.as_micros(), names]).await?;
    for row in rows {
        let name: &str = row.try_get(2)?;
        for (_, counts) in counts.iter_mut().filter(|(tag, _)| tag.as_str() == name) {
            add(counts, &row, 0)?;
        }
    }
    Ok(counts)
}

async fn largest(db: &Session, limit: usize, now: Timestamp) -> Result<Vec<(Tag, StateCounts)>, Fault> {
    let sql = format!(
        "{COUNTED}, by_tag AS (
            SELECT tag, state, count(*) AS number FROM (SELECT unnest(tags) AS tag, state FROM counted) AS posting
            GROUP BY tag, state
        ), largest AS (
            SELECT tag FROM by_tag GROUP BY tag ORDER BY sum(number) DESC, tag LIMIT $2
        )
        SELECT by_tag.state, by_tag.number, tag.name FROM by_tag JOIN largest USING (tag) JOIN tag ON tag.id = by_tag.tag \
         ORDER BY tag.name"
    );
    let rows = db.query(&sql, typed![now.as_micros(), limit as i64]).await?;
    let mut counts: Vec<(Tag, StateCounts)> = Vec::new();
    for row in rows {
        let name: &str = row.try_get(2)?;
        if counts.last().is_none_or(|(tag, _)| tag.as_str() != name) {
            let tag = Tag::parse(name).map_err(|error| Fault::Damaged(error.to_string()))?;
            counts.push((tag, StateCounts::default()));
        }
        if let Some((_, counts)) = counts.last_mut() {
            add(counts, &row, 0)?;
        }
    }
    counts.sort_unstable_by(|(a, x), (b, y)| y.total().cmp(&x.total()).then_with(|| a.cmp(b)));
    Ok(counts)
}

/// Adds a row that has a state in this column and a number in the next.
fn add(counts: &mut StateCounts, row: &Row, column: usize) -> Result<(), Fault> {
    let state: i32 = row.try_get(column)?;
    let name = usize::try_from(state).ok().and_then(|state| StateName::ALL.get(state));
    let name = name.ok_or_else(|| Fault::Damaged(format!("there is no state {state}")))?;
    *counts.of_mut(*name) += row.try_get::<_, i64>(column + 1)?.cast_unsigned();
    Ok(())
}

/// A page of the tags that a passport has, by name, with their counts.
pub(super) async fn page(
    _db: &Session,
    _page: &crate::PoolPage,
) -> Result<Vec<(passpool_core::Tag, crate::StateCounts)>, Fault> {
    todo!()
}
