//! Connections, and what their errors mean.

use std::{
    error::Error as _,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, QueueMode, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::{
    Row, RowStream,
    error::SqlState,
    types::{Type, WasNull, WrongType},
};

use super::{tls, typed::Parameters, url::PostgresUrl, whereabouts};
use crate::{Fault, StoreError};

/// How many connections a server has at most. PostgreSQL serves more work with few than with many.
const CONNECTIONS: usize = 16;
/// How long a caller waits for one of them, and for a new one.
const WAIT_AT_MOST: Duration = Duration::from_secs(10);

/// How long a statement may take: as long as anybody's request. A server that says nothing for that long is taken for one
/// that never will, although the connection stands.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What a transaction bears unless the URL's `options` say otherwise: nobody waits longer than 5 s for another's lock, and
/// a server that is frozen in the middle of one loses it after 15 s, whether it has something to say or to read.
const PATIENCE: [(&str, &str); 3] =
    [("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "15s"), ("tcp_user_timeout", "15s")];

/// The connections of one server.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool,
    /// What every transaction begins with that changes something.
    begin: Arc<str>,
}

/// One connection, outside of a transaction or inside of one.
pub(super) struct Session {
    /// There until it is dropped.
    client: Option<Object>,
    is_broken: AtomicBool,
    /// True if what is done on it is done when it is committed, and not statement by statement.
    is_in_transaction: AtomicBool,
    /// True if its statements may take as long as they take.
    is_patient: AtomicBool,
}

impl Connections {
    /// Connects to nothing yet.
    pub(super) fn new(url: &PostgresUrl) -> Result<Self, Fault> {
        // Whether a connection still lives is known without asking the server.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(url.config.clone(), tls::connector(url)?, config);
        let timeouts = Timeouts { wait: Some(WAIT_AT_MOST), create: Some(WAIT_AT_MOST), recycle: Some(WAIT_AT_MOST) };
        // The one that was used last: the server's process behind it has at hand what it needs again.
        let pool = Pool::builder(manager).max_size(CONNECTIONS).queue_mode(QueueMode::Lifo);
        let pool = pool.runtime(Runtime::Tokio1).timeouts(timeouts);
        let pool = pool.build().map_err(|error| Fault::Database(error.to_string()))?;
        Ok(Self { pool, begin: begin(url).into() })
    }

    pub(super) fn begin(&self) -> &str {
        &self.begin
    }

    pub(super) async fn session(&self) -> Result<Session, Fault> {
        match self.pool.get().await {
            Ok(client) => Ok(Session {
                client: Some(client),
                is_broken: AtomicBool::new(false),
                is_in_transaction: AtomicBool::new(false),
                is_patient: AtomicBool::new(false),
            }),
            Err(PoolError::Backend(error)) => Err(error.into()),
            Err(PoolError::Closed) => Err(Fault::Closed),
            Err(PoolError::Timeout(_)) => Err(Fault::Unreachable("no connection within 10 s".into())),
            Err(error) => Err(Fault::Database(error.to_string())),
        }
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

fn begin(url: &PostgresUrl) -> String {
    // The planner guesses at many more rows than there are, for which compiling would be worth its time.
    let mut begin = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL jit = off".to_owned();
    for (setting, value) in PATIENCE.into_iter().filter(|(setting, _)| !url.sets(setting)) {
        begin.push_str(&format!("; SET LOCAL {setting} = '{value}'"));
    }
    begin
}

impl Session {
    pub(super) async fn query(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Fault> {
        self.ask(self.client().query_typed(sql, parameters)).await
    }

    pub(super) async fn query_opt(&self, sql: &str, parameters: Parameters<'_>) -> Result<Option<Row>, Fault> {
        self.ask(self.client().query_typed_opt(sql, parameters)).await
    }

    pub(super) async fn query_one(&self, sql: &str, parameters: Parameters<'_>) -> Result<Row, Fault> {
        self.ask(self.client().query_typed_one(sql, parameters)).await
    }

    /// Rows as they come: all of them at once may be more than the memory holds.
    pub(super) async fn stream(&self, sql: &str) -> Result<RowStream, Fault> {
        let no_parameters: [(&str, Type); 0] = [];
        self.ask(self.client().query_typed_raw(sql, no_parameters)).await
    }

    /// Answers how many rows were changed. Outside of a transaction the statement is its own commit.
    pub(super) async fn execute(&self, sql: &str, parameters: Parameters<'_>) -> Result<u64, Fault> {
        let done = self.ask(self.client().execute_typed(sql, parameters)).await;
        if self.is_in_transaction.load(Ordering::Relaxed) { done } else { done.map_err(unheard) }
    }

    /// Begins a transaction, which ends with the session at the latest.
    pub(super) async fn begin(&self, begin: &str) -> Result<(), Fault> {
        self.is_in_transaction.store(true, Ordering::Relaxed);
        self.run(begin).await
    }

    /// Runs statements that have no parameters and whose rows nobody wants.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Fault> {
        self.ask(self.client().batch_execute(sql)).await
    }

    /// What the server says to a question. If it says nothing, or nobody waits for the answer any more, the connection is
    /// of no use to anybody else: whoever asks next would wait behind that answer, perhaps for ever.
    pub(super) async fn hear<T>(
        &self,
        question: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<Result<T, tokio_postgres::Error>, Fault> {
        let unanswered = Unanswered(self);
        let said = if self.is_patient.load(Ordering::Relaxed) {
            question.await
        } else {
            let silent = |_| Fault::Unreachable(format!("no answer within {} s", ANSWER_WITHIN.as_secs()));
            tokio::time::timeout(ANSWER_WITHIN, question).await.map_err(silent)?
        };
        std::mem::forget(unanswered);
        Ok(said)
    }

    /// From now on its statements may take as long as they take: they are some big job's, which somebody watches.
    pub(super) fn be_patient(&self) {
        self.is_patient.store(true, Ordering::Relaxed);
    }

    /// Commits what was begun. Whoever hears nothing of a commit does not know whether it was done.
    pub(super) async fn commit(&self) -> Result<(), Fault> {
        self.run("COMMIT").await.map_err(unheard)
    }

    pub(super) fn client(&self) -> &tokio_postgres::Client {
        self.client.as_ref().expect("a session has its connection until it is dropped")
    }

    pub(super) fn client_mut(&mut self) -> &mut tokio_postgres::Client {
        self.client.as_mut().expect("a session has its connection until it is dropped")
    }

    /// Closes the connection instead of giving it back: what it has begun is undone by the server.
    pub(super) fn abandon(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    /// What an error of this connection means.
    pub(super) fn fault_of(&self, error: tokio_postgres::Error) -> Fault {
        let fault = Fault::from(error);
        if matches!(fault, Fault::Unreachable(_)) {
            // A server that became a standby answers, and will not write again.
            self.abandon();
        }
        fault
    }

    async fn ask<T>(&self, question: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Fault> {
        self.hear(question).await?.map_err(|error| self.fault_of(error))
    }
}

/// Abandons the session if it is dropped.
struct Unanswered<'a>(&'a Session);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(client) = self.client.take()
            && self.is_broken.load(Ordering::Relaxed)
        {
            drop(Object::take(client));
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connections").field(&self.pool).finish()
    }
}

/// What it means if a commit is not answered.
pub(super) fn unheard(fault: Fault) -> Fault {
    if let Fault::Unreachable(_) = fault { Fault::OutcomeUnknown } else { fault }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(told) = error.as_db_error() else {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            // What is neither the server's word nor the way to it is ours: a column that is not what we read.
            let is_ours = error.source().is_some_and(|source| source.is::<WrongType>() || source.is::<WasNull>());
            return if is_ours { Self::Database(format!("{error}: {cause}")) } else { Self::Unreachable(cause) };
        };
        let text = format!("{} ({})", told.message(), told.code().code());
        match told.code() {
            code if whereabouts::is_closed(code) => Self::Moved(told.message().to_owned()),
            code if code.code().starts_with("08") || code.code().starts_with("57P") => Self::Unreachable(text),
            &(SqlState::TOO_MANY_CONNECTIONS | SqlState::READ_ONLY_SQL_TRANSACTION) => Self::Unreachable(text),
            &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Self::Unreachable(text),
            &(SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::LOCK_NOT_AVAILABLE
            | SqlState::QUERY_CANCELED) => Self::Locked,
            &SqlState::DISK_FULL => Self::DiskFull,
            &(SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED) => Self::Damaged(text),
            _ => Self::Database(text),
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Fault(error.into())
    }
}
