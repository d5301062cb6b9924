//! Connections, and what their errors mean.

use std::{path::Path, thread, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, ffi};

use crate::Fault;

/// What marks a file as ours, in its header: "PPL1".
const APPLICATION_ID: i32 = 0x5050_4c31;

/// Every commit waits for its fsync. No setting changes that.
pub(super) const SYNCHRONOUS: &str = "FULL";

/// How long a file may be locked by somebody else before that is an error.
const LOCKED_AT_MOST: Duration = Duration::from_secs(5);
/// How soon a lock is tried again: at first often, for most are held for a few milliseconds, and who runs an import lets
/// go of it for one millisecond at a time.
const FIRST_TRIES: i32 = 5_000;
const FIRST_WAIT: Duration = Duration::from_micros(100);
const LATER_WAIT: Duration = Duration::from_millis(2);

/// How many prepared statements a connection keeps: more than there are.
const STATEMENTS: usize = 128;

/// Opens a file for writing, and makes it if it is not there. Every commit is on the disk when it answers.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_handler(Some(wait_for_lock))?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::Database(format!("the file cannot be kept in WAL mode, only in {mode} mode")));
    }
    db.pragma_update(None, "synchronous", SYNCHRONOUS)?;
    db.pragma_update(None, "foreign_keys", "ON")?;
    // 4 MB: enough for the pages that are handed out or imported next. More is slower: whenever a page of the passports or of
    // an index was split, SQLite walks its whole cache at the commit (measured: 9 % of the writer's time with 16 MB).
    db.pragma_update(None, "cache_size", -4_096)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    plan_once(&db)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(db)
}

/// Opens a file for reading alone.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_handler(Some(wait_for_lock))?;
    db.pragma_update(None, "cache_size", -8_192)?;
    plan_once(&db)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(db)
}

/// Has a statement keep its plan whatever is bound to it. SQLite would otherwise plan some of ours anew whenever a number
/// becomes 0 or 1, or no longer is (measured: 6 % of the writer's time with a thousand tags).
fn plan_once(db: &Connection) -> Result<(), Fault> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// True if the file is ours, or so new that nobody has written it.
pub(super) fn is_ours(db: &Connection) -> Result<bool, Fault> {
    let id: i32 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    Ok(id == APPLICATION_ID || (id == 0 && is_empty(db)?))
}

pub(super) fn is_empty(db: &Connection) -> Result<bool, Fault> {
    Ok(db.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?)
}

pub(super) fn mark_as_ours(db: &Connection) -> Result<(), Fault> {
    Ok(db.pragma_update(None, "application_id", APPLICATION_ID)?)
}

/// SQLite's own handler waits up to 100 ms between two tries, which is long for a caller at the counter.
fn wait_for_lock(tries: i32) -> bool {
    let (wait, waited) = if tries < FIRST_TRIES {
        (FIRST_WAIT, FIRST_WAIT * tries.cast_unsigned())
    } else {
        let later = LATER_WAIT * (tries - FIRST_TRIES).cast_unsigned();
        (LATER_WAIT, FIRST_WAIT * FIRST_TRIES.cast_unsigned() + later)
    };
    if waited >= LOCKED_AT_MOST {
        return false;
    }
    thread::sleep(wait);
    true
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::SystemIoFailure) if is_write_refused(&error) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            None if is_conversion(&error) => Self::Damaged(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}

/// True if a column holds what no value of its kind is written as.
fn is_conversion(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    matches!(error, FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..))
}

/// True if the system took no more bytes: SQLite calls that a full disk only where the system does.
fn is_write_refused(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE)
    )
}

impl From<rusqlite::types::FromSqlError> for Fault {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<rusqlite::Error> for crate::StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_says_is_told_apart() {
        let check = |code: i32, expected: &str| {
            let fault = Fault::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert!(format!("{fault:?}").starts_with(expected), "{code}: {fault:?}");
        };
        check(ffi::SQLITE_BUSY, "Locked");
        check(ffi::SQLITE_BUSY_SNAPSHOT, "Locked");
        check(ffi::SQLITE_FULL, "DiskFull");
        check(ffi::SQLITE_IOERR_WRITE, "DiskFull");
        check(ffi::SQLITE_IOERR_SHMSIZE, "DiskFull");
        check(ffi::SQLITE_IOERR_READ, "Database");
        check(ffi::SQLITE_IOERR_FSYNC, "Database");
        check(ffi::SQLITE_CORRUPT, "Damaged");
        check(ffi::SQLITE_NOTADB, "Damaged");
        check(ffi::SQLITE_CONSTRAINT, "Database");
    }
}
