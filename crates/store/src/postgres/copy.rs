//! A copy's side in PostgreSQL: one transaction, and its rows in the shape in which they are copied.

mod row;

use std::path::PathBuf;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use passpool_core::{StateName, Timestamp};
use tokio::sync::mpsc::Sender;
use tokio_postgres::types::Type;

use super::{
    check,
    connection::{Connections, Session},
    import,
    ledger::Ledger,
    lock::ImportLock,
    presence, probe_with, schema, tagged, tally,
    typed::typed,
    url::PostgresUrl,
    whereabouts,
};
use crate::{
    CheckReport, CopyId, Fault, Found, OpenError, StoreError,
    copy::{Cells, Part, Rows, Side},
    whereabouts::Whereabouts,
};

/// What the transaction of a source begins with. Its snapshot is taken by the first question after the locks, and so is
/// what they keep.
const GIVE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = 0; \
                    SET LOCAL idle_in_transaction_session_timeout = 0";
/// What that of a target begins with.
const TAKE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; \
                    SET LOCAL idle_in_transaction_session_timeout = 0";

/// What is built from the rows, or belongs to imports alone.
const DERIVED: [&str; 8] = ["pool", "tagged", "ending", "tally", "tally_move", "journal_mark", "hidden", "import"];

pub(crate) struct CopySide {
    url: PostgresUrl,
    connections: Option<Connections>,
    /// Held to the end, also when the transaction is over.
    lock: Option<ImportLock>,
    transaction: Option<Ledger>,
}

impl CopySide {
    pub(crate) fn new(url: PostgresUrl) -> Self {
        Self { url, connections: None, lock: None, transaction: None }
    }

    fn connections(&mut self) -> Result<&Connections, Fault> {
        if self.connections.is_none() {
            self.connections = Some(Connections::new(&self.url)?);
        }
        Ok(self.connections.as_ref().expect("they were made"))
    }

    fn transaction(&self) -> Result<&Ledger, Fault> {
        self.transaction.as_ref().ok_or(Fault::Closed)
    }

    fn failed(&self, fault: Fault) -> OpenError {
        OpenError::Fault { path: self.place(), fault }
    }

    async fn is_served(&mut self) -> Result<bool, OpenError> {
        let asked = async { presence::any(&self.connections()?.session().await?).await };
        asked.await.map_err(|fault| self.failed(fault))
    }

    async fn give(&mut self) -> Result<(), Fault> {
        let connections = self.connections()?;
        schema::migrate(connections, None).await?;
        sweep(connections).await?;
        let transaction = Ledger::begin_with(connections, GIVE).await?;
        let tables = Part::ALL.map(Part::table).join(", ");
        transaction.run(&format!("LOCK TABLE {tables}, import, hidden IN EXCLUSIVE MODE")).await?;
        if let Whereabouts::Moved { to, .. } = whereabouts::read(&transaction).await? {
            return Err(Fault::Moved(format!("the shop has moved to {to}")));
        }
        self.transaction = Some(transaction);
        Ok(())
    }

    async fn take(&mut self) -> Result<bool, Fault> {
        let connections = self.connections()?;
        schema::judge_server(&connections.session().await?).await?;
        schema::migrate(connections, None).await?;
        let transaction = Ledger::begin_with(connections, TAKE).await?;
        // Whoever would make a database here waits, and finds the copy.
        schema::lock_migrations(&transaction).await?;
        if !may_be_cleared(&transaction).await? {
            return Ok(false);
        }
        if schema::fingerprint(&transaction).await?.is_some() {
            let tables: Vec<&str> = Part::ALL.map(Part::table).into_iter().chain(DERIVED).collect();
            transaction.run(&format!("TRUNCATE {}, whereabouts", tables.join(", "))).await?;
            whereabouts::unlock(&transaction).await?;
        }
        self.transaction = Some(transaction);
        Ok(true)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        self.transaction.take().ok_or(Fault::Closed)?.commit().await
    }
}

#[async_trait]
impl Side for CopySide {
    fn place(&self) -> PathBuf {
        self.url.to_string().into()
    }

    fn address(&self) -> String {
        self.url.to_string()
    }

    async fn lock(&mut self) -> Result<(), OpenError> {
        let found = self.found().await?;
        if found != Found::Nothing && self.is_served().await? {
            return Err(OpenError::Served(self.place()));
        }
        let lock = async { ImportLock::take(self.connections()?).await };
        match lock.await {
            Ok(Some(lock)) => self.lock = Some(lock),
            Ok(None) => return Err(OpenError::InUse(self.place())),
            Err(fault) => return Err(self.failed(fault)),
        }
        Ok(())
    }

    async fn found(&mut self) -> Result<Found, OpenError> {
        let url = self.url.clone();
        let connections =
            self.connections().map_err(|fault| OpenError::Fault { path: url.to_string().into(), fault })?;
        probe_with(&url, connections).await
    }

    async fn whereabouts(&mut self) -> Result<Whereabouts, OpenError> {
        if self.found().await? == Found::Nothing {
            return Ok(Whereabouts::Here { by: None });
        }
        let read = async { whereabouts::read(&self.connections()?.session().await?).await };
        read.await.map_err(|fault| self.failed(fault))
    }

    async fn begin_giving(&mut self) -> Result<(), OpenError> {
        self.give().await.map_err(|fault| self.failed(fault))?;
        // Once more, for a server may have come before the tables were locked.
        match self.is_served().await? {
            true => Err(OpenError::Served(self.place())),
            false => Ok(()),
        }
    }

    async fn begin_taking(&mut self) -> Result<bool, OpenError> {
        self.take().await.map_err(|fault| self.failed(fault))
    }

    async fn size(&mut self) -> Result<u64, Fault> {
        let counts = Part::ALL.map(|part| format!("(SELECT count(*) FROM {})", part.table())).join(" + ");
        let row = self.transaction()?.query_one(&format!("SELECT {counts}"), typed![]).await?;
        Ok(row.try_get::<_, i64>(0)?.cast_unsigned())
    }

    async fn read(&mut self, part: Part, sender: Sender<Vec<Cells>>) -> Result<(), Fault> {
        let db = self.transaction()?;
        let no_parameters: [(&str, Type); 0] = [];
        let found = db.client().query_typed_raw(&row::select(part), no_parameters).await;
        let mut found = Box::pin(found.map_err(|error| db.fault_of(error))?);
        let mut rows = Rows::default();
        while let Some(row) = found.try_next().await.map_err(|error| db.fault_of(error))? {
            if let Some(full) = rows.add(row::read(&row, part)?)
                && sender.send(full).await.is_err()
            {
                return Ok(()); // Nobody listens any more.
            }
        }
        let _ = sender.send(rows.rest()).await; // As above.
        Ok(())
    }

    async fn write(&mut self, part: Part, rows: Vec<Cells>) -> Result<(), Fault> {
        if rows.is_empty() {
            return Ok(());
        }
        let columns = row::Columns::of(part, rows);
        self.transaction()?.execute(&row::insert(part), &columns.parameters()).await.map(drop)
    }

    async fn index(&mut self) -> Result<(), Fault> {
        index(self.transaction()?).await
    }

    async fn check(&mut self) -> Result<CheckReport, Fault> {
        check::check(self.transaction()?).await
    }

    async fn commit_arriving(&mut self, copy: CopyId, from: &str, at: Timestamp) -> Result<(), Fault> {
        whereabouts::write_arriving(self.transaction()?, copy, from, at).await?;
        self.commit().await
    }

    async fn commit_moved(&mut self, copy: CopyId, to: &str, at: Timestamp) -> Result<(), Fault> {
        whereabouts::write_moved(self.transaction()?, copy, to, at).await?;
        self.commit().await
    }

    async fn commit_arrived(&mut self, copy: CopyId) -> Result<bool, Fault> {
        let transaction = Ledger::begin(self.connections()?).await?;
        let has_arrived = whereabouts::arrive(&transaction, copy).await?;
        transaction.commit().await?;
        Ok(has_arrived)
    }

    async fn commit_reopened(&mut self) -> Result<(), Fault> {
        let transaction = Ledger::begin(self.connections()?).await?;
        whereabouts::reopen(&transaction).await?;
        transaction.commit().await
    }
}

/// Takes away what imports left that were never published. Nobody imports meanwhile.
async fn sweep(connections: &Connections) -> Result<(), Fault> {
    while import::any(&connections.session().await?).await? {
        let transaction = Ledger::begin(connections).await?;
        let swept = import::sweep_chunk(&transaction).await;
        match transaction.end(swept).await {
            Ok(_) => {}
            Err(StoreError::Fault(fault)) => return Err(fault),
            Err(StoreError::Refusal(refusal)) => return Err(Fault::Database(refusal.to_string())),
        }
    }
    Ok(())
}

/// True if there is nothing that anybody would miss: no database, an unfinished copy, or a database as it is made.
async fn may_be_cleared(db: &Session) -> Result<bool, Fault> {
    if let Whereabouts::Arriving { .. } = whereabouts::read(db).await? {
        return Ok(true);
    }
    let empty = ["passport", "journal", "tag", "reservation", "kiosk", "api_key", "setting", "import"];
    let empty = empty.map(|table| format!("NOT EXISTS (SELECT 1 FROM {table})")).join(" AND ");
    let sql = format!("SELECT {empty} AND (SELECT count(*) FROM account) <= 1 AND (SELECT count(*) FROM profile) <= 1");
    Ok(db.query_one(&sql, typed![]).await?.try_get(0)?)
}

/// Builds what this database alone keeps, and sets what it counts behind what was copied.
async fn index(db: &Session) -> Result<(), Fault> {
    let counts = StateName::ALL.map(|state| format!("count(*) FILTER (WHERE state = {})", state as i16)).join(", ");
    let tally = format!(
        "INSERT INTO tally SELECT tag, {counts}, count(*) FROM passport CROSS JOIN unnest(tags || {}) AS tag GROUP BY tag",
        tally::EVERY_PASSPORT,
    );
    for sql in [
        &format!("INSERT INTO tagged (tag, block, bits) {}", tagged::blocks_of("passport")),
        "INSERT INTO pool (tag, seq) SELECT unnest(tags) AS tag, seq FROM passport \
         WHERE state = 0 AND printed IS NULL ORDER BY tag, seq",
        "INSERT INTO ending (seq, at, is_transfer) SELECT seq, settle_by, true FROM passport WHERE state = 3",
        "INSERT INTO ending (seq, at, is_transfer) SELECT seq, until, false FROM passport \
         WHERE state IN (1, 2) AND until IS NOT NULL",
        &tally,
    ] {
        db.execute(sql, typed![]).await?;
    }
    for table in ["profile", "account", "tag", "content", "kiosk"] {
        let next = next_behind(db, &format!("SELECT max(id)::bigint FROM {table}")).await?;
        db.run(&format!("ALTER TABLE {table} ALTER COLUMN id RESTART WITH {next}")).await?;
    }
    let chunk = next_behind(db, "SELECT max(seq) >> 12 FROM passport").await?;
    db.run(&format!("ALTER SEQUENCE chunk_number RESTART WITH {chunk}")).await?;
    if let Some(last) = db.query_one("SELECT max(seq) FROM journal", typed![]).await?.try_get::<_, Option<i64>>(0)? {
        // As if the last row had taken its number here: from that the journal's marks know how far it goes.
        let sql = format!("ALTER SEQUENCE journal_number RESTART WITH {last}; SELECT nextval('journal_number')");
        db.run(&sql).await?;
    }
    db.run(&format!(
        "ANALYZE {}",
        Part::ALL.map(Part::table).into_iter().chain(["pool", "tagged", "ending"]).collect::<Vec<_>>().join(", ")
    ))
    .await
}

/// The number behind the highest one; 1 if there is none.
async fn next_behind(db: &Session, highest: &str) -> Result<i64, Fault> {
    let highest: Option<i64> = db.query_one(highest, typed![]).await?.try_get(0)?;
    Ok(highest.unwrap_or(0) + 1)
}
