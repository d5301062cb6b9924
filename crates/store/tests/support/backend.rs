//! The databases that every story is told on, each story on one of its own.

use std::{path::PathBuf, sync::Arc};

use passpool_core::Fingerprint;
use passpool_store::{
    Intent, Store,
    postgres::{self, PostgresUrl},
    sqlite,
};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// Names a PostgreSQL that the tests may make schemas in.
const POSTGRES: &str = "PASSPOOL_TEST_POSTGRES";

pub(crate) enum Backend {
    Sqlite(TempDir),
    /// The URL of the whole, and the schema that is the story's.
    Postgres {
        url: String,
        schema: String,
    },
}

impl Backend {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// A story without its PostgreSQL is a failed one: nobody has seen it end well.
    pub(crate) async fn postgres() -> Self {
        let url = std::env::var(POSTGRES)
            .unwrap_or_else(|_| panic!("{POSTGRES} names no PostgreSQL to test with; scripts/test.sh starts one"));
        // A name that no other story has, nor any of another run.
        let name = tempfile::Builder::new().prefix("story_").rand_bytes(12).tempdir().unwrap();
        let schema = name.path().file_name().unwrap().to_str().unwrap().to_lowercase();
        connect(&url).await.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
        Self::Postgres { url, schema }
    }

    pub(crate) async fn open(&self, secret: Fingerprint) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(_) => {
                let is_new = !self.file().exists();
                let store = sqlite::open(&self.file(), Intent::Write, Some(secret)).unwrap();
                if is_new {
                    self.keep_tallies();
                }
                store
            }
            Self::Postgres { .. } => {
                let url = PostgresUrl::parse(&self.url()).unwrap();
                postgres::open(&url, Intent::Write, Some(secret), None).await.unwrap()
            }
        }
    }

    /// Lets an embedded database count the first few tags from the beginning, when there are no passports, although they
    /// will be small: so every story looks whether that is done right.
    fn keep_tallies(&self) {
        let sql = "INSERT INTO tally SELECT value, 0, 0, 0, 0, 0, 0, 0 FROM json_each('[0, 1, 2, 3, 4]')";
        assert_eq!(rusqlite::Connection::open(self.file()).unwrap().execute(sql, []).unwrap(), 5);
    }

    /// Takes the database away.
    pub(crate) async fn remove(&self) {
        if let Self::Postgres { url, schema } = self {
            connect(url).await.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
        }
    }

    /// The file of an embedded database.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder) => folder.path().join("shop.db"),
            Self::Postgres { .. } => panic!("the files of a PostgreSQL are its own"),
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(_) => format!("sqlite:{}", self.file().display()),
            Self::Postgres { url, schema } => {
                let joint = if url.contains('?') { '&' } else { '?' };
                format!("{url}{joint}options=-c%20search_path%3D{schema}")
            }
        }
    }
}

pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
