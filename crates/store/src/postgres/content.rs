//! Contents: equal ones are stored once.

use std::collections::{BTreeMap, HashMap};

use passpool_core::Content;
use sha2::{Digest, Sha256};

use super::{connection::Session, typed::typed};
use crate::Fault;

/// The content of a passport that names this row, or none.
pub(super) async fn of(db: &Session, id: Option<i64>) -> Result<Content, Fault> {
    let Some(id) = id else { return Ok(Content::empty()) };
    let mut found = load(db, &[id]).await?;
    found.remove(&id).ok_or_else(|| Fault::Damaged(format!("there is no content number {id}")))
}

pub(super) async fn load(db: &Session, ids: &[i64]) -> Result<HashMap<i64, Content>, Fault> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = db.query("SELECT id, json FROM content WHERE id = ANY($1)", typed![ids.to_vec()]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, Content::from_stored(row.try_get(1)?)))).collect()
}

/// The rows that hold these contents, which are made if need be, in a transaction of their own. The empty one has none.
pub(super) async fn store(db: &Session, contents: &[&Content]) -> Result<HashMap<Content, i64>, Fault> {
    // In the order of their digests, so that two who store the same wait for each other at most once.
    let by_digest: BTreeMap<Vec<u8>, &Content> = contents
        .iter()
        .filter(|content| !content.is_empty())
        .map(|content| (Sha256::digest(content.as_str())[..16].to_vec(), *content))
        .collect();
    if by_digest.is_empty() {
        return Ok(HashMap::new());
    }
    let digests: Vec<Vec<u8>> = by_digest.keys().cloned().collect();
    let known = "SELECT digest, id FROM content WHERE digest = ANY($1)";
    let mut rows = db.query(known, typed![digests]).await?;
    if rows.len() < by_digest.len() {
        let texts: Vec<&str> = by_digest.values().map(|content| content.as_str()).collect();
        let sql = "INSERT INTO content (digest, json) SELECT * FROM unnest($1::bytea[], $2::text[]) \
                   ON CONFLICT DO NOTHING";
        db.execute(sql, typed![digests, texts]).await?;
        rows = db.query(known, typed![digests]).await?;
    }
    let mut numbers = HashMap::with_capacity(rows.len());
    for row in rows {
        if let Some(content) = by_digest.get(row.try_get::<_, &[u8]>(0)?) {
            numbers.insert((*content).clone(), row.try_get(1)?);
        }
    }
    Ok(numbers)
}
