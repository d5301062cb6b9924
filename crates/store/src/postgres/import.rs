//! New passports: a few in one transaction, or many in an import that nobody sees before it is whole.
//!
//! Each batch fills a chunk of its own, and the chunk of an import is hidden until the import is published. So a batch is
//! as small as any other work, publication takes away one row for each 4,096 passports, and what a dead import left is
//! found and taken back chunk by chunk.

use std::collections::{HashMap, HashSet};

use passpool_core::{Content, Event, NewPassport, PassportId, Refusal, State, Tag};

use super::{
    connection::Session,
    content,
    ledger::Ledger,
    passport::{Columns, is_in_pool},
    tagged,
    tags::TagNumbers,
    tally,
    typed::typed,
};
use crate::{Create, Fault, ImportBatch, ImportId, ImportTerms, StoreError};

/// What new passports name, by numbers.
pub(super) struct LookedUp {
    tags: HashMap<Tag, i32>,
    contents: HashMap<Content, i64>,
}

impl LookedUp {
    /// Tags and contents that nobody had yet are made at once. Nothing points to them if the passports are not made.
    pub(super) async fn of(db: &Session, tags: &TagNumbers, passports: &[NewPassport]) -> Result<Self, Fault> {
        let names: HashSet<&Tag> = passports.iter().flat_map(|new| new.tags.iter()).collect();
        let names: Vec<Tag> = names.into_iter().cloned().collect();
        let distinct: HashSet<&Content> = passports.iter().map(|new| &new.content).collect();
        let contents = content::store(db, &distinct.into_iter().collect::<Vec<_>>()).await?;
        Ok(Self { tags: tags.find_or_make(db, &names).await?, contents })
    }

    fn tags(&self, new: &NewPassport) -> Result<Vec<i32>, Fault> {
        let number = |tag| self.tags.get(tag).copied().ok_or_else(|| Fault::Damaged(format!("the tag {tag} is gone")));
        let mut numbers = new.tags.iter().map(number).collect::<Result<Vec<_>, _>>()?;
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// Makes passports that are visible at once.
pub(super) async fn create(ledger: &Ledger, wish: &Create, looked_up: &LookedUp) -> Result<u64, StoreError> {
    assert!(wish.passports.len() <= Create::MAX, "what is made at once fills one chunk");
    let chunk = next_chunk(ledger).await?;
    insert_all(ledger, &wish.passports, &wish.terms, looked_up, chunk, None).await
}

pub(super) async fn begin(db: &Session, terms: &ImportTerms) -> Result<ImportId, Fault> {
    let sql = "INSERT INTO import (begun_at) VALUES ($1) RETURNING id";
    Ok(ImportId(db.query_one(sql, typed![terms.now.as_micros()]).await?.try_get(0)?))
}

pub(super) async fn add(ledger: &Ledger, batch: &ImportBatch, looked_up: &LookedUp) -> Result<u64, StoreError> {
    assert!(batch.passports.len() <= Create::MAX, "a batch fills one chunk");
    // Whoever would sweep it away waits for this batch.
    let runs = ledger.query_opt("SELECT id FROM import WHERE id = $1 FOR SHARE", typed![batch.import.0]).await?;
    if runs.is_none() {
        return Err(Refusal::ImportOver.into());
    }
    let chunk = next_chunk(ledger).await?;
    let sql = "INSERT INTO hidden (chunk, import) VALUES ($1, $2)";
    ledger.execute(sql, typed![chunk, batch.import.0]).await?;
    insert_all(ledger, &batch.passports, &batch.terms, looked_up, chunk, Some(batch.import)).await
}

pub(super) async fn publish(ledger: &Ledger, import: ImportId) -> Result<(), StoreError> {
    ledger.execute("DELETE FROM hidden WHERE import = $1", typed![import.0]).await?;
    match ledger.execute("DELETE FROM import WHERE id = $1", typed![import.0]).await? {
        0 => Err(Refusal::ImportOver.into()),
        _ => Ok(()),
    }
}

/// Tells the planner what came. Without it a statement that picks sorts a tag's whole pool.
pub(super) async fn analyze(db: &Session) -> Result<(), Fault> {
    db.be_patient();
    db.run("ANALYZE passport, pool, tagged").await
}

/// True if an import runs, or left something.
pub(super) async fn any(db: &Session) -> Result<bool, Fault> {
    Ok(db.query_one("SELECT EXISTS (SELECT 1 FROM import)", typed![]).await?.try_get(0)?)
}

/// Takes back one chunk of the imports that never were published; answers whether there may be more.
pub(super) async fn sweep_chunk(ledger: &Ledger) -> Result<bool, StoreError> {
    // What an import that lost its lock is still writing is waited for.
    ledger.query("SELECT id FROM import FOR UPDATE", typed![]).await?;
    let chunk: Option<i64> = ledger.query_one("SELECT min(chunk) FROM hidden", typed![]).await?.try_get(0)?;
    let Some(chunk) = chunk else {
        ledger.execute("DELETE FROM import", typed![]).await?;
        return Ok(false);
    };
    let (first, behind) = (chunk << 12, (chunk + 1) << 12);
    for sql in [
        "DELETE FROM journal USING passport WHERE journal.seq = changed AND passport.seq >= $1 AND passport.seq < $2",
        "DELETE FROM pool USING (SELECT unnest(tags) AS tag, seq FROM passport WHERE seq >= $1 AND seq < $2) AS posted \
         WHERE pool.tag = posted.tag AND pool.seq = posted.seq",
        "DELETE FROM tagged USING (SELECT DISTINCT unnest(tags) AS tag FROM passport WHERE seq >= $1 AND seq < $2) AS had \
         WHERE tagged.tag = had.tag AND block >= $1 >> 6 AND block < $2 >> 6",
        "DELETE FROM passport WHERE seq >= $1 AND seq < $2",
        "DELETE FROM tally_move WHERE chunk >= $1 >> 12 AND chunk < $2 >> 12",
    ] {
        ledger.execute(sql, typed![first, behind]).await?;
    }
    ledger.execute("DELETE FROM hidden WHERE chunk = $1", typed![chunk]).await?;
    Ok(true)
}

async fn next_chunk(ledger: &Ledger) -> Result<i64, Fault> {
    Ok(ledger.query_one("SELECT nextval('chunk_number')", typed![]).await?.try_get(0)?)
}

async fn insert_all(
    ledger: &Ledger,
    passports: &[NewPassport],
    terms: &ImportTerms,
    looked_up: &LookedUp,
    chunk: i64,
    import: Option<ImportId>,
) -> Result<u64, StoreError> {
    let inserted = insert_new(ledger, passports, terms, looked_up, chunk).await?;
    let missing: Vec<i64> =
        passports.iter().map(|new| new.id.get().cast_signed()).filter(|id| !inserted.contains(id)).collect();
    let taken_by = if missing.is_empty() { HashMap::new() } else { taken_by(ledger, &missing).await? };
    let mut seen = HashSet::with_capacity(passports.len());
    for id in passports.iter().map(|new| new.id) {
        let number = id.get().cast_signed();
        if inserted.contains(&number) {
            if !seen.insert(number) {
                return Err(Refusal::IdDoubled(id).into());
            }
            continue;
        }
        match refuse_taken(id, taken_by.get(&number), import) {
            Refusal::IdUsed(_) if terms.skip_known => {}
            refusal => return Err(refusal.into()),
        }
    }
    if inserted.is_empty() && import.is_some() {
        ledger.execute("DELETE FROM hidden WHERE chunk = $1", typed![chunk]).await?;
    }
    Ok(inserted.len() as u64)
}

/// Writes those whose ids are free, with all that follows from them, and answers the ids.
async fn insert_new(
    ledger: &Ledger,
    passports: &[NewPassport],
    terms: &ImportTerms,
    looked_up: &LookedUp,
    chunk: i64,
) -> Result<HashSet<i64>, Fault> {
    let event = if terms.imported { Event::Imported } else { Event::Created };
    let states: Vec<State> = passports.iter().map(|new| State::Available(new.code.clone())).collect();
    let columns: Vec<Columns> = states.iter().map(Columns::of).collect();
    let tags = passports.iter().map(|new| looked_up.tags(new).map(|tags| array(&tags)));
    let tags = tags.collect::<Result<Vec<String>, _>>()?;
    // By id, so that two who make the same ids wait for each other in one order.
    let blocks = tagged::blocks_of("made");
    let sql = format!(
        "WITH made AS (
            INSERT INTO passport (seq, id, state, changed, changed_at, tags, content, secret, sealed, printed)
            SELECT seq, id, 0, nextval('journal_number'), $8, tags::integer[], content, secret, sealed, printed
            FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::smallint[], $6::bytea[], $7::boolean[])
            AS new (seq, id, tags, content, secret, sealed, printed) ORDER BY id
            ON CONFLICT (id) DO NOTHING RETURNING seq, id, changed, tags, printed
        ), told AS (
            INSERT INTO journal (seq, at, kind, passport, actor) SELECT changed, $8, $9, id, $10 FROM made
        ), in_tags AS (
            INSERT INTO tagged (tag, block, bits) {blocks}
        ), in_pool AS (
            INSERT INTO pool (tag, seq) SELECT unnest(tags), seq FROM made WHERE printed IS NULL
        ), tallied AS (
            INSERT INTO tally_move (number, chunk, was, becomes, tags, counts)
            SELECT min(number), $11, $12, 0, array_agg(tag), array_agg(count) FROM (
                SELECT min(changed) AS number, tag, count(*)::integer AS count
                FROM made CROSS JOIN unnest(tags || $13) AS tag GROUP BY tag
            ) AS by_tag HAVING count(*) > 0
        )
        SELECT id FROM made"
    );
    debug_assert!(states.iter().zip(&columns).all(|(state, columns)| is_in_pool(state) == columns.printed.is_none()));
    let rows = ledger
        .query(
            &sql,
            typed![
                (0..passports.len() as i64).map(|bit| (chunk << 12) + bit).collect::<Vec<_>>(),
                passports.iter().map(|new| new.id.get().cast_signed()).collect::<Vec<_>>(),
                tags,
                passports.iter().map(|new| looked_up.contents.get(&new.content).copied()).collect::<Vec<_>>(),
                columns.iter().map(|columns| columns.secret).collect::<Vec<_>>(),
                columns.iter().map(|columns| columns.sealed.clone()).collect::<Vec<_>>(),
                columns.iter().map(|columns| columns.printed).collect::<Vec<_>>(),
                terms.now.as_micros(),
                event.as_str(),
                terms.by.to_string(),
                chunk,
                tally::NONE,
                tally::EVERY_PASSPORT,
            ],
        )
        .await;
    rows?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Of the ids that are taken, the import that hides them, if one does.
async fn taken_by(ledger: &Ledger, ids: &[i64]) -> Result<HashMap<i64, Option<i64>>, Fault> {
    let sql = "SELECT id, (SELECT import FROM hidden WHERE chunk = seq >> 12) FROM passport WHERE id = ANY($1)";
    let rows = ledger.query(sql, typed![ids.to_vec()]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Whether an id that is taken was taken before, or by the very work that wants it.
fn refuse_taken(id: PassportId, taken_by: Option<&Option<i64>>, import: Option<ImportId>) -> Refusal {
    match (taken_by, import) {
        (Some(Some(hidden_by)), Some(import)) if *hidden_by == import.0 => Refusal::IdDoubled(id),
        _ => Refusal::IdUsed(id),
    }
}

/// An array as PostgreSQL writes it: lists of lists cannot be sent as one parameter.
fn array(numbers: &[i32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}
