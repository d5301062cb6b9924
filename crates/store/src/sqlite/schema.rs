//! Making a database, and bringing an older one up to date.

use std::path::Path;

use passpool_core::{Fingerprint, SecretId};
use rusqlite::{Connection, OptionalExtension, config::DbConfig, params};

use super::{connection, user};
use crate::{Fault, Found, OpenError};

mod migrations {
    refinery::embed_migrations!("src/sqlite/migrations");
}

pub(super) fn probe(path: &Path) -> Result<Found, OpenError> {
    if !path.try_exists().map_err(|error| OpenError::Io { path: path.to_owned(), error })? {
        return Ok(Found::Nothing);
    }
    let fault = |fault| OpenError::Fault { path: path.to_owned(), fault };
    let db = match connection::open_to_read(path).and_then(|db| connection::is_ours(&db).map(|ours| (db, ours))) {
        Ok((db, true)) => db,
        Ok((_, false)) => return Err(OpenError::Foreign(path.to_owned())),
        Err(Fault::Damaged(_)) if !is_sqlite(path) => return Err(OpenError::Foreign(path.to_owned())),
        Err(error) => return Err(fault(error)),
    };
    let version = applied_version(&db).map_err(fault)?;
    if version > known_version() {
        return Err(OpenError::Newer { path: path.to_owned(), version, known: known_version() });
    }
    if version == 0 {
        return Ok(Found::Nothing);
    }
    let fingerprint = fingerprint(&db).map_err(fault)?;
    Ok(fingerprint.map_or(Found::Nothing, Found::Database))
}

/// To be asked by those who will not bring it up to date.
pub(super) fn refuse_older(path: &Path) -> Result<(), OpenError> {
    match version_of(path)? {
        version if version < known_version() => {
            Err(OpenError::Older { path: path.to_owned(), version, known: known_version() })
        }
        _ => Ok(()),
    }
}

/// True if there is a database that has to be brought up to date.
pub(super) fn is_older(path: &Path) -> Result<bool, OpenError> {
    Ok(probe(path)? != Found::Nothing && version_of(path)? < known_version())
}

fn version_of(path: &Path) -> Result<i64, OpenError> {
    let version = connection::open_to_read(path).and_then(|db| applied_version(&db));
    version.map_err(|fault| OpenError::Fault { path: path.to_owned(), fault })
}

/// Brings the schema up to date. What makes a database one, its secret and its admin, comes last and in one step, so
/// that a cut leaves either a database or something that the next attempt goes on with.
pub(super) fn migrate(path: &Path, secret: Option<Fingerprint>) -> Result<(), OpenError> {
    let fault = |fault| OpenError::Fault { path: path.to_owned(), fault };
    let mut db = connection::open_to_write(path).map_err(fault)?;
    if applied_version(&db).map_err(fault)? < known_version() {
        connection::mark_as_ours(&db).map_err(fault)?;
        // One of them changes the schema's text, from which SQLite otherwise defends it.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).map_err(|error| fault(error.into()))?;
        // In one transaction: one by one, a kill between a migration and the note of it would leave a file that nobody opens.
        let migrated = migrations::migrations::runner().set_grouped(true).run(&mut db);
        migrated.map_err(|error| fault(Fault::Database(error.to_string())))?;
    }
    if let Some(secret) = secret {
        found(&mut db, secret).map_err(fault)?;
    }
    Ok(())
}

/// A question that a working database answers.
pub(super) fn ask(db: &Connection) -> Result<(), Fault> {
    Ok(db.prepare_cached("SELECT id FROM secret LIMIT 1")?.query_row([], |_| Ok(()))?)
}

fn found(db: &mut Connection, secret: Fingerprint) -> Result<(), Fault> {
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if fingerprint(&transaction)?.is_none() {
        let sql = "INSERT INTO secret (id, fingerprint) VALUES (?, ?)";
        transaction.execute(sql, params![SecretId::FIRST.0, secret.as_bytes()])?;
        user::add_admin(&transaction)?;
    }
    Ok(transaction.commit()?)
}

fn fingerprint(db: &Connection) -> Result<Option<Fingerprint>, Fault> {
    let sql = "SELECT fingerprint FROM secret WHERE id = ?";
    let stored: Option<Vec<u8>> = db.query_row(sql, [SecretId::FIRST.0], |row| row.get(0)).optional()?;
    let read =
        |bytes: Vec<u8>| Fingerprint::try_from(bytes.as_slice()).map_err(|error| Fault::Damaged(error.to_string()));
    stored.map(read).transpose()
}

/// The number of the last migration that was run here; 0 before the first.
fn applied_version(db: &Connection) -> Result<i64, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history')";
    if !db.query_row(sql, [], |row| row.get::<_, bool>(0))? {
        return Ok(0);
    }
    let version: Option<i64> =
        db.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| row.get(0))?;
    Ok(version.unwrap_or(0))
}

fn known_version() -> i64 {
    let runner = migrations::migrations::runner();
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

fn is_sqlite(path: &Path) -> bool {
    use std::io::Read as _;
    let mut head = [0; 16];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *b"SQLite format 3\0"
}
