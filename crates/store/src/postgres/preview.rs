//! Previews: what a reset would do, remembered for some minutes with the version of each passport.

use passpool_core::{PreviewId, Refusal, Timestamp};

use super::{
    connection::Session,
    history,
    ledger::Ledger,
    passport::{PassportRow, Reading},
    resettable,
    tags::TagNumbers,
    typed::typed,
};
use crate::{Fault, Preview, PreviewPage, Previewed, ResetScope, Resettable, StoreError};

/// How many passports are found, or shown to a reset, at once.
const AT_ONCE: i64 = 5_000;

/// Remembers what a reset would give back, and shows the first of them.
pub(super) async fn keep(
    ledger: &Ledger,
    tags: &TagNumbers,
    wish: &Preview,
    first: usize,
) -> Result<Previewed, StoreError> {
    let sql = "INSERT INTO preview (id, at) VALUES ($1, $2)";
    ledger.execute(sql, typed![wish.id.as_bytes().to_vec(), wish.now.as_micros()]).await?;
    let matching = match &wish.scope {
        ResetScope::Named(ids) => {
            let rows = resettable::named(ledger, ids, Reading::Only).await?;
            resettable::becoming(&rows, wish.now)?;
            write(ledger, wish.id, &rows).await?;
            let mut rows = rows;
            rows.sort_unstable_by_key(|row| row.seq);
            return Ok(Previewed { count: rows.len() as u64, first: shown(&rows, first, wish.now) });
        }
        ResetScope::Matching(matching) => matching,
    };
    resettable::refuse_unknown(ledger, matching).await?;
    let (mut previewed, mut after) = (Previewed::default(), -1);
    loop {
        let limit = matching.limit.map_or(AT_ONCE, |limit| (limit - previewed.count).min(AT_ONCE as u64).cast_signed());
        let rows = resettable::find(ledger, tags, matching, wish.now, (after, limit), Reading::Only).await?;
        write(ledger, wish.id, &rows).await?;
        previewed.count += rows.len() as u64;
        previewed.first.extend(shown(&rows, first - previewed.first.len(), wish.now));
        match rows.last() {
            Some(last) if rows.len() as i64 == limit && matching.limit != Some(previewed.count) => after = last.seq,
            _ => return Ok(previewed),
        }
    }
}

/// A page of what was seen, as it is now.
pub(super) async fn page(
    db: &Session,
    id: PreviewId,
    page: PreviewPage,
    now: Timestamp,
) -> Result<Vec<Resettable>, StoreError> {
    refuse_over(db, id, now).await?;
    let after = seq_behind(db, page).await?;
    let sql = "SELECT passport.* FROM preview_passport JOIN passport ON passport.seq = preview_passport.passport \
               WHERE preview = $1 AND preview_passport.passport > $2 ORDER BY preview_passport.passport LIMIT $3";
    let rows = db.query(sql, typed![id.as_bytes().to_vec(), after, page.limit as i64]).await?;
    let rows = rows.iter().map(PassportRow::read).collect::<Result<Vec<_>, _>>()?;
    Ok(shown(&rows, page.limit, now))
}

/// Behind which passport a page begins.
async fn seq_behind(db: &Session, page: PreviewPage) -> Result<i64, Fault> {
    match page.after {
        None => Ok(-1),
        Some(last) => Ok(PassportRow::visible_by_id(db, last, Reading::Only).await?.map_or(-1, |row| row.seq)),
    }
}

/// Previewed passports behind this seq, each to be changed by nobody else, and which of them have not changed since.
pub(super) struct Seen {
    pub(super) rows: Vec<PassportRow>,
    /// Sorted.
    pub(super) unchanged: Vec<i64>,
    /// Where the next ones are, if there are more.
    pub(super) next: Option<i64>,
}

pub(super) async fn seen_after(ledger: &Ledger, id: PreviewId, after: i64) -> Result<Seen, Fault> {
    let sql = "SELECT passport, changed FROM preview_passport WHERE preview = $1 AND passport > $2 \
               ORDER BY passport LIMIT $3";
    let rows = ledger.query(sql, typed![id.as_bytes().to_vec(), after, AT_ONCE]).await?;
    let seen = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<Vec<_>, Fault>>()?;
    let seqs: Vec<i64> = seen.iter().map(|(seq, _)| *seq).collect();
    let rows = PassportRow::by_seqs(ledger, &seqs, Reading::ToChange).await?;
    let mut unchanged = history::unchanged_since(ledger, &seen).await?;
    unchanged.sort_unstable();
    let next = seqs.last().copied().filter(|_| seqs.len() as i64 == AT_ONCE);
    Ok(Seen { rows, unchanged, next })
}

pub(super) async fn refuse_over(db: &Session, id: PreviewId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM preview WHERE id = $1 AND at > $2";
    match db.query_opt(sql, typed![id.as_bytes().to_vec(), over_since(now)]).await? {
        Some(_) => Ok(()),
        None => Err(Refusal::UnknownPreview(id).into()),
    }
}

/// True if there is a preview that is good no longer.
pub(super) async fn any_over(db: &Session, now: Timestamp) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM preview WHERE at <= $1)";
    Ok(db.query_one(sql, typed![over_since(now)]).await?.try_get(0)?)
}

/// Forgets a few thousand passports of previews that are good no longer, and what then is empty. Answers how many.
pub(super) async fn forget(ledger: &Ledger, now: Timestamp) -> Result<u64, Fault> {
    let sql = "DELETE FROM preview_passport WHERE (preview, passport) IN (SELECT preview, passport FROM preview_passport \
               WHERE preview IN (SELECT id FROM preview WHERE at <= $1) LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let passports = ledger.execute(sql, typed![over_since(now), AT_ONCE]).await?;
    let sql = "DELETE FROM preview WHERE at <= $1 \
               AND NOT EXISTS (SELECT 1 FROM preview_passport WHERE preview = preview.id)";
    Ok(passports + ledger.execute(sql, typed![over_since(now)]).await?)
}

async fn write(ledger: &Ledger, id: PreviewId, rows: &[PassportRow]) -> Result<(), Fault> {
    let sql = "INSERT INTO preview_passport (preview, passport, changed) \
               SELECT $1, * FROM unnest($2::bigint[], $3::bigint[])";
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let changed: Vec<i64> = rows.iter().map(|row| row.changed).collect();
    ledger.execute(sql, typed![id.as_bytes().to_vec(), seqs, changed]).await.map(drop)
}

fn shown(rows: &[PassportRow], limit: usize, now: Timestamp) -> Vec<Resettable> {
    rows.iter().take(limit).map(|row| Resettable::of(row.id, &row.state, now)).collect()
}

/// Previews that are as old as this are over.
fn over_since(now: Timestamp) -> i64 {
    now.minus(Preview::good_for()).as_micros()
}
