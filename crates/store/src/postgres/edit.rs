//! Editing: a passport gets other tags, or another content.

use passpool_core::{Event, Refusal, Tag, Tags};

use super::{
    connection::Session,
    content,
    export::Names,
    history,
    ledger::{Change, Ledger, all_of},
    passport::{PassportRow, Reading},
    tags::TagNumbers,
    tally,
    typed::typed,
};
use crate::{EditPassport, Fault, StoreError, Version};

/// What the passport gets, by numbers.
pub(super) struct LookedUp {
    /// Sorted.
    tags: Option<Vec<i32>>,
    content: Option<Option<i64>>,
}

impl LookedUp {
    /// Tags and contents that nobody had yet are made at once. Nothing points to them if somebody changes the passport in
    /// this moment; who is refused without that makes none.
    pub(super) async fn of(db: &Session, tags: &TagNumbers, wish: &EditPassport) -> Result<Self, StoreError> {
        let was = find(db, wish, Reading::Only).await?;
        judge(db, &was, wish).await?;
        let numbers = match &wish.tags {
            None => None,
            Some(names) => {
                let names: Vec<Tag> = names.iter().cloned().collect();
                let mut numbers: Vec<i32> = tags.find_or_make(db, &names).await?.into_values().collect();
                numbers.sort_unstable();
                Some(numbers)
            }
        };
        let content = match &wish.content {
            None => None,
            Some(new) => Some(content::store(db, &[new]).await?.remove(new)),
        };
        Ok(Self { tags: numbers, content })
    }
}

pub(super) async fn edit(ledger: &Ledger, wish: &EditPassport, becomes: &LookedUp) -> Result<Version, StoreError> {
    let mut was = find(ledger, wish, Reading::ToChange).await?;
    judge(ledger, &was, wish).await?;
    if let (Some(names), Some(tags)) = (&wish.tags, &becomes.tags)
        && was.tags != *tags
    {
        retag(ledger, &was, names, tags, wish).await?;
        was = find(ledger, wish, Reading::ToChange).await?;
    }
    if let Some(content) = becomes.content
        && was.content != content
    {
        tell(ledger, &was, Event::Edited, String::new(), wish).await?;
        let sql = "UPDATE passport SET content = $1 WHERE seq = $2";
        all_of(ledger.execute(sql, typed![content, was.seq]).await?, 1, "passport to edit is gone")?;
        was = find(ledger, wish, Reading::ToChange).await?;
    }
    Ok(history::version(ledger, &was).await?)
}

async fn judge(db: &Session, was: &PassportRow, wish: &EditPassport) -> Result<(), StoreError> {
    if let Some(seen) = &wish.if_one_of
        && !seen.contains(&history::version(db, was).await?)
    {
        return Err(Refusal::Changed.into());
    }
    was.state.clone().retag()?;
    Ok(())
}

async fn find(db: &Session, wish: &EditPassport, reading: Reading) -> Result<PassportRow, StoreError> {
    let row = PassportRow::visible_by_id(db, wish.passport, reading).await?;
    row.ok_or_else(|| Refusal::UnknownPassport(wish.passport).into())
}

/// Gives a passport these tags and no others, and keeps everything in step that is kept by tag.
async fn retag(
    ledger: &Ledger,
    was: &PassportRow,
    names: &Tags,
    tags: &[i32],
    wish: &EditPassport,
) -> Result<(), StoreError> {
    let mut known = Names::default();
    known.look_up_tags(ledger, std::slice::from_ref(was)).await?;
    let before = known.tags(was)?;
    let detail = format!("\"added\":{},\"removed\":{}", list(names, &before), list(&before, names));
    tell(ledger, was, Event::Retagged, detail, wish).await?;
    let without = |of: &[i32], other: &[i32]| of.iter().filter(|tag| !other.contains(tag)).copied().collect::<Vec<_>>();
    let (added, removed) = (without(tags, &was.tags), without(&was.tags, tags));
    let moved: Vec<i32> = added.iter().chain(&removed).copied().collect();
    let counts: Vec<i32> = added.iter().map(|_| 1).chain(removed.iter().map(|_| -1)).collect();
    // Others may change passports of the same block: its rows are taken in the order of their tags, so that nobody waits in
    // a circle.
    let sql = "WITH retagged AS (
            UPDATE passport SET tags = $2 WHERE seq = $1 RETURNING changed
        ), its AS (
            SELECT $1 >> 6 AS block, 1::bigint << ($1 & 63)::integer AS bit
        ), tagged AS (
            INSERT INTO tagged AS known (tag, block, bits)
            SELECT tag, block, CASE WHEN tag = ANY($3) THEN bit ELSE 0 END FROM its, unnest($3 || $4) AS tag ORDER BY tag
            ON CONFLICT (tag, block) DO UPDATE
            SET bits = known.bits & ~(SELECT bit FROM its) | excluded.bits
        ), unpooled AS (
            DELETE FROM pool WHERE seq = $1 AND tag = ANY($4)
        ), pooled AS (
            INSERT INTO pool (tag, seq) SELECT tag, $1 FROM unnest($3) AS tag WHERE $5
        )
        INSERT INTO tally_move (number, was, becomes, tags, counts) SELECT changed, $6, $7, $8, $9 FROM retagged";
    let (state, is_in_pool) = (was.state.name() as i16, was.is_in_pool());
    let retagged = ledger
        .execute(
            sql,
            typed![was.seq, tags.to_vec(), added, removed.clone(), is_in_pool, tally::NONE, state, moved, counts],
        )
        .await;
    all_of(retagged?, 1, "passport to retag is gone")?;
    // Their rows are ours until the commit.
    let sql = "DELETE FROM tagged WHERE tag = ANY($1) AND block = $2 >> 6 AND bits = 0";
    ledger.execute(sql, typed![removed, was.seq]).await?;
    Ok(())
}

async fn tell(
    ledger: &Ledger,
    was: &PassportRow,
    event: Event,
    detail: String,
    wish: &EditPassport,
) -> Result<(), Fault> {
    ledger.change(&[Change { was, becomes: was.state.clone(), event, by: &wish.by, at: wish.now, detail }]).await
}

/// The tags of the first that the second has not, as JSON.
fn list(of: &Tags, without: &Tags) -> String {
    let tags: Vec<&str> = of.iter().filter(|tag| !without.contains(tag)).map(Tag::as_str).collect();
    serde_json::to_string(&tags).expect("strings are JSON")
}
