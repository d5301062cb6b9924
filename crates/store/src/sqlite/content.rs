//! Contents: equal ones are stored once.

use passpool_core::Content;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::Fault;

fn load(db: &Connection, id: i64) -> Result<Content, Fault> {
    let mut statement = db.prepare_cached("SELECT json FROM content WHERE id = ?")?;
    let json = statement.query_row([id], |row| row.get(0)).optional()?;
    json.map(Content::from_stored).ok_or_else(|| Fault::Damaged(format!("there is no content number {id}")))
}

/// The content of a passport that names this row, or none.
pub(super) fn of(db: &Connection, id: Option<i64>) -> Result<Content, Fault> {
    id.map_or_else(|| Ok(Content::empty()), |id| load(db, id))
}

/// The row that holds this content, which is made if need be. None for the empty one, which has no row.
pub(super) fn store(db: &Connection, content: &Content) -> Result<Option<i64>, Fault> {
    if content.is_empty() {
        return Ok(None);
    }
    let digest = &Sha256::digest(content.as_str())[..16];
    let known = db
        .prepare_cached("SELECT id FROM content WHERE digest = ?")?
        .query_row([digest], |row| row.get(0))
        .optional()?;
    if known.is_some() {
        return Ok(known);
    }
    db.prepare_cached("INSERT INTO content (digest, json) VALUES (?, ?)")?
        .execute(params![digest, content.as_str()])?;
    Ok(Some(db.last_insert_rowid()))
}
