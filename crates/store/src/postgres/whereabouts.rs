//! Where the shop is. A database from which it has moved, or to which it is on its way, refuses every change itself: also
//! that of a server which was frozen meanwhile, or whose version knows nothing of this.

use passpool_core::Timestamp;
use tokio_postgres::error::SqlState;

use super::{connection::Session, typed::typed};
use crate::{CopyId, Fault, copy::Part, whereabouts::Whereabouts};

/// What a change of a closed database is answered with.
const CLOSED: &str = "PPM01";

pub(super) async fn read(db: &Session) -> Result<Whereabouts, Fault> {
    let Some(row) = db.query_opt("SELECT kind, copy, place FROM whereabouts", typed![]).await? else {
        return Ok(Whereabouts::Here { by: None });
    };
    let read = Whereabouts::read(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    read.ok_or_else(|| Fault::Damaged("where the shop is cannot be read".into()))
}

/// True if a change was refused because the database is closed.
pub(super) fn is_closed(code: &SqlState) -> bool {
    code.code() == CLOSED
}

/// Writes down that everything was copied to here. From the commit on nothing can be changed.
pub(super) async fn write_arriving(db: &Session, copy: CopyId, from: &str, at: Timestamp) -> Result<(), Fault> {
    write(db, "arriving", copy, from, at).await
}

/// Writes down that the shop is elsewhere. From the commit on nothing can be changed.
pub(super) async fn write_moved(db: &Session, copy: CopyId, to: &str, at: Timestamp) -> Result<(), Fault> {
    write(db, "moved", copy, to, at).await
}

/// True if this copy was arriving, and now the shop is here.
pub(super) async fn arrive(db: &Session, copy: CopyId) -> Result<bool, Fault> {
    let sql = "UPDATE whereabouts SET kind = 'arrived' WHERE kind = 'arriving' AND copy = $1";
    let has_arrived = db.execute(sql, typed![copy.as_bytes().to_vec()]).await? == 1;
    if has_arrived {
        unlock(db).await?;
    }
    Ok(has_arrived)
}

/// Forgets that the shop has moved.
pub(super) async fn reopen(db: &Session) -> Result<(), Fault> {
    db.run("DELETE FROM whereabouts WHERE kind = 'moved'").await?;
    unlock(db).await
}

async fn write(db: &Session, kind: &str, copy: CopyId, place: &str, at: Timestamp) -> Result<(), Fault> {
    let sql = "INSERT INTO whereabouts (id, kind, copy, place, at) VALUES (1, $1, $2, $3, $4)
               ON CONFLICT (id) DO UPDATE SET
                   kind = excluded.kind, copy = excluded.copy, place = excluded.place, at = excluded.at";
    db.execute(sql, typed![kind, copy.as_bytes().to_vec(), place, at.as_micros()]).await?;
    lock(db).await
}

/// From the commit on every statement that changes a table of the shop fails.
async fn lock(db: &Session) -> Result<(), Fault> {
    let mut sql = format!(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            other record;
        BEGIN
            SELECT kind, place INTO other FROM whereabouts;
            RAISE EXCEPTION USING ERRCODE = '{CLOSED}', MESSAGE = CASE other.kind
                WHEN 'arriving' THEN 'this is an unfinished copy of ' ELSE 'the shop has moved to ' END || other.place;
        END $$;"
    );
    for part in Part::ALL {
        let table = part.table();
        sql += &format!(
            "DROP TRIGGER IF EXISTS closed ON {table};
             CREATE TRIGGER closed BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION refuse_change();"
        );
    }
    db.run(&sql).await
}

/// Whatever closed the database: it may be changed again.
pub(super) async fn unlock(db: &Session) -> Result<(), Fault> {
    let drops = Part::ALL.map(|part| format!("DROP TRIGGER IF EXISTS closed ON {};", part.table()));
    db.run(&format!("{} DROP FUNCTION IF EXISTS refuse_change();", drops.concat())).await
}
