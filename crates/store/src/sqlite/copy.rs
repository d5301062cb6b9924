//! A copy's side in SQLite: the file's locks, its transaction, and its rows in the shape in which they are copied.

mod row;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use passpool_core::{StateName, Timestamp};
use rusqlite::Connection;
use tokio::sync::mpsc::Sender;

use super::{
    bits::chunk_of,
    check, connection, import,
    ledger::Ledger,
    lock::{Lock, Purpose},
    passport::{PassportRow, columns},
    prepare_to_copy, repeat, schema,
    sets::{EVERY_PASSPORT, Sets, Table},
    take_serve_lock, where_it_is, whereabouts,
};
use crate::{
    CheckReport, CopyId, Fault, Found, OpenError, StoreError,
    copy::{Cells, Part, Rows, Side},
    whereabouts::Whereabouts,
};

/// How much memory a side that is written may take for pages, in KiB: the ids of some million passports come in any
/// order, and their index is slow if it does not fit.
const CACHE: i64 = 192 * 1_024;

/// What is built from the rows, or belongs to imports alone.
const DERIVED: [&str; 9] =
    ["pool", "taken", "tagged", "standing", "tally", "hidden", "import", "repeat_era", "repeat_place"];

pub(crate) struct CopySide {
    path: PathBuf,
    /// Locks are given back in the end alone, also when the transaction is over.
    locks: Vec<Lock>,
    /// None before the side has begun, and while a thread has it.
    db: Option<Connection>,
}

impl CopySide {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, locks: Vec::new(), db: None }
    }

    /// Works on the connection away from the async threads. One that was not opened before is opened now.
    async fn with_db<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let path = self.path.clone();
        let known = self.db.take();
        let done = tokio::task::spawn_blocking(move || {
            let mut db = match known {
                Some(db) => db,
                None => connection::open_to_write(&path)?,
            };
            Ok::<_, Fault>((work(&mut db), db))
        });
        let (done, db) = done.await.map_err(|error| Fault::Database(error.to_string()))??;
        self.db = Some(db);
        done
    }

    fn failed(&self, fault: Fault) -> OpenError {
        OpenError::Fault { path: self.path.clone(), fault }
    }
}

#[async_trait]
impl Side for CopySide {
    fn place(&self) -> PathBuf {
        self.path.clone()
    }

    fn address(&self) -> String {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        format!("sqlite:{}", path.display())
    }

    async fn lock(&mut self) -> Result<(), OpenError> {
        self.locks.push(take_serve_lock(&self.path)?);
        let import = Lock::take(&self.path, Purpose::Import);
        let import = import.map_err(|error| OpenError::Io { path: self.path.clone(), error })?;
        self.locks.push(import.ok_or_else(|| OpenError::InUse(self.path.clone()))?);
        Ok(())
    }

    async fn found(&mut self) -> Result<Found, OpenError> {
        schema::probe(&self.path)
    }

    async fn whereabouts(&mut self) -> Result<Whereabouts, OpenError> {
        where_it_is(&self.path)
    }

    async fn begin_giving(&mut self) -> Result<(), OpenError> {
        prepare_to_copy(&self.path)?;
        let path = self.path.clone();
        let begun = self.with_db(move |db| {
            sweep(&path)?;
            // Whoever wants to write from here on waits, and then meets what this transaction decides.
            db.execute_batch("BEGIN IMMEDIATE")?;
            whereabouts::guard(db)
        });
        begun.await.map_err(|fault| self.failed(fault))
    }

    async fn begin_taking(&mut self) -> Result<bool, OpenError> {
        prepare_to_copy(&self.path)?;
        let begun = self.with_db(|db| {
            db.pragma_update(None, "cache_size", -CACHE)?;
            db.execute_batch("BEGIN IMMEDIATE")?;
            let may_be_cleared = may_be_cleared(db)?;
            if may_be_cleared {
                clear(db)?;
            }
            Ok(may_be_cleared)
        });
        begun.await.map_err(|fault| self.failed(fault))
    }

    async fn size(&mut self) -> Result<u64, Fault> {
        self.with_db(|db| {
            let count = |part| Ok(db.query_row(&row::count(part), [], |row| row.get::<_, u64>(0))?);
            Part::ALL.into_iter().map(count).sum()
        })
        .await
    }

    async fn read(&mut self, part: Part, rows: Sender<Vec<Cells>>) -> Result<(), Fault> {
        self.with_db(move |db| read(db, part, &rows)).await
    }

    async fn write(&mut self, part: Part, rows: Vec<Cells>) -> Result<(), Fault> {
        self.with_db(move |db| {
            let mut statement = db.prepare_cached(&row::insert(part))?;
            rows.iter().try_for_each(|cells| row::write(&mut statement, part, cells))
        })
        .await
    }

    async fn index(&mut self) -> Result<(), Fault> {
        self.with_db(|db| index(db)).await
    }

    async fn check(&mut self) -> Result<CheckReport, Fault> {
        self.with_db(|db| check::check(db)).await
    }

    async fn commit_arriving(&mut self, copy: CopyId, from: &str, at: Timestamp) -> Result<(), Fault> {
        let from = from.to_owned();
        self.with_db(move |db| {
            whereabouts::write_arriving(db, copy, &from, at)?;
            Ok(db.execute_batch("COMMIT")?)
        })
        .await
    }

    async fn commit_moved(&mut self, copy: CopyId, to: &str, at: Timestamp) -> Result<(), Fault> {
        let to = to.to_owned();
        self.with_db(move |db| {
            whereabouts::write_moved(db, copy, &to, at)?;
            Ok(db.execute_batch("COMMIT")?)
        })
        .await
    }

    async fn commit_arrived(&mut self, copy: CopyId) -> Result<bool, Fault> {
        self.with_db(move |db| whereabouts::arrive(db, copy)).await
    }

    async fn commit_reopened(&mut self) -> Result<(), Fault> {
        self.with_db(|db| whereabouts::reopen(db)).await
    }
}

/// Takes away what imports left that were never published. Nobody imports meanwhile.
fn sweep(path: &Path) -> Result<(), Fault> {
    let mut ledger = Ledger::open(path)?;
    let sweep_chunk = |ledger: &mut Ledger| match import::sweep_chunk(ledger) {
        Err(StoreError::Refusal(refusal)) => Err(Fault::Database(refusal.to_string())),
        Err(StoreError::Fault(fault)) => Err(fault),
        Ok(may_be_more) => Ok(may_be_more),
    };
    while import::any(&ledger.db)? {
        ledger.transaction(sweep_chunk)?;
    }
    Ok(())
}

/// True if there is nothing that anybody would miss: no database, an unfinished copy, or a database as it is made.
fn may_be_cleared(db: &Connection) -> Result<bool, Fault> {
    if let Whereabouts::Arriving { .. } = whereabouts::read(db)? {
        return Ok(true);
    }
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM passport) AND NOT EXISTS (SELECT 1 FROM journal) \
               AND NOT EXISTS (SELECT 1 FROM tag) AND NOT EXISTS (SELECT 1 FROM reservation) \
               AND NOT EXISTS (SELECT 1 FROM kiosk) AND NOT EXISTS (SELECT 1 FROM api_key) \
               AND NOT EXISTS (SELECT 1 FROM setting) AND NOT EXISTS (SELECT 1 FROM import) \
               AND (SELECT count(*) FROM user) <= 1 AND (SELECT count(*) FROM profile) <= 1";
    Ok(db.query_row(sql, [], |row| row.get(0))?)
}

fn clear(db: &Connection) -> Result<(), Fault> {
    let tables = Part::ALL.into_iter().rev().map(row::table).chain(DERIVED).chain(["whereabouts"]);
    Ok(tables.into_iter().try_for_each(|table| db.execute(&format!("DELETE FROM {table}"), []).map(drop))?)
}

/// Sends all rows of a part, as long as somebody listens.
fn read(db: &Connection, part: Part, sender: &Sender<Vec<Cells>>) -> Result<(), Fault> {
    let mut statement = db.prepare(&row::select(part))?;
    let mut found = statement.query([])?;
    let mut rows = Rows::default();
    while let Some(row) = found.next()? {
        if let Some(full) = rows.add(row::read(row, part)?)
            && sender.blocking_send(full).is_err()
        {
            return Ok(());
        }
    }
    let _ = sender.blocking_send(rows.rest()); // As above.
    Ok(())
}

fn index(db: &Connection) -> Result<(), Fault> {
    repeat::index(db)?;
    index_passports(db)
}

/// Builds the sets from the passports, chunk by chunk.
fn index_passports(db: &Connection) -> Result<(), Fault> {
    let mut sets = [Table::Pool, Table::Tagged, Table::Standing].map(Sets::new);
    let mut statement = db.prepare(concat!("SELECT ", columns!(), " FROM passport ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    let mut chunk = 0;
    while let Some(row) = rows.next()? {
        let passport = PassportRow::read(row)?;
        if chunk_of(passport.seq) != chunk {
            chunk = chunk_of(passport.seq);
            write_out(db, &mut sets)?;
        }
        let [pool, tagged, standing] = &mut sets;
        tagged.insert(db, EVERY_PASSPORT, passport.seq)?;
        for tag in &passport.tags {
            tagged.insert(db, *tag, passport.seq)?;
            if passport.is_in_pool() {
                pool.insert(db, *tag, passport.seq)?;
            }
        }
        if passport.state.name() != StateName::Available {
            standing.insert(db, passport.state.name() as u32, passport.seq)?;
        }
    }
    write_out(db, &mut sets)
}

fn write_out(db: &Connection, sets: &mut [Sets; 3]) -> Result<(), Fault> {
    for sets in sets {
        sets.flush(db)?;
        sets.forget();
    }
    Ok(())
}
