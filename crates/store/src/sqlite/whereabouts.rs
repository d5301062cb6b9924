//! Where the shop is. Every transaction that writes asks, as soon as somebody else has written.

use passpool_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{CopyId, Fault, whereabouts::Whereabouts};

/// Also of a database that an older version made, which knows no other place.
pub(super) fn read(db: &Connection) -> Result<Whereabouts, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'whereabouts')";
    if !db.prepare_cached(sql)?.query_row([], |row| row.get::<_, bool>(0))? {
        return Ok(Whereabouts::Here { by: None });
    }
    let mut statement = db.prepare_cached("SELECT kind, copy, place FROM whereabouts")?;
    let row = statement
        .query_row([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, String>(2)?)));
    let Some((kind, copy, place)) = row.optional()? else { return Ok(Whereabouts::Here { by: None }) };
    Whereabouts::read(&kind, &copy, place).ok_or_else(|| Fault::Damaged("where the shop is cannot be read".into()))
}

/// Fails unless the shop is here.
pub(super) fn guard(db: &Connection) -> Result<(), Fault> {
    match read(db)? {
        Whereabouts::Here { .. } => Ok(()),
        Whereabouts::Arriving { from, .. } => Err(Fault::Moved(format!("this is an unfinished copy of {from}"))),
        Whereabouts::Moved { to, .. } => Err(Fault::Moved(format!("the shop has moved to {to}"))),
    }
}

pub(super) fn write_arriving(db: &Connection, copy: CopyId, from: &str, at: Timestamp) -> Result<(), Fault> {
    write(db, "arriving", copy, from, at)
}

pub(super) fn write_moved(db: &Connection, copy: CopyId, to: &str, at: Timestamp) -> Result<(), Fault> {
    write(db, "moved", copy, to, at)
}

/// True if this copy was arriving, and now the shop is here.
pub(super) fn arrive(db: &Connection, copy: CopyId) -> Result<bool, Fault> {
    let sql = "UPDATE whereabouts SET kind = 'arrived' WHERE kind = 'arriving' AND copy = ?";
    Ok(db.execute(sql, [copy.as_bytes()])? == 1)
}

/// Forgets that the shop has moved.
pub(super) fn reopen(db: &Connection) -> Result<(), Fault> {
    db.execute("DELETE FROM whereabouts WHERE kind = 'moved'", [])?;
    Ok(())
}

fn write(db: &Connection, kind: &str, copy: CopyId, place: &str, at: Timestamp) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO whereabouts (id, kind, copy, place, at) VALUES (1, ?, ?, ?, ?)";
    db.execute(sql, params![kind, copy.as_bytes(), place, at.as_micros()])?;
    Ok(())
}
