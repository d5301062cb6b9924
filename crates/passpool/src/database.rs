//! Opening the database, together with the secret that belongs to it.
//!
//! The secret is in a file of its own. It is made before a new database is, and only then: a secret made for a database
//! that exists would open none of its links.

mod secret_file;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use passpool_core::Secret;
use passpool_store::{DatabaseUrl, Found, Intent, OpenError, Store, postgres, sqlite};

pub(crate) use secret_file::{SecretFile, SecretFileError};

use crate::clock::{Clock, Entropy};

/// Where a database is, and where its secret.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    database: DatabaseUrl,
    secret: SecretFile,
}

/// A database that is open.
pub(crate) struct Opened {
    pub store: Arc<dyn Store>,
    /// The secret file that was made with it, if the database is new.
    pub made: Option<PathBuf>,
}

/// Why a database cannot be used. Each names the file at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error(transparent)]
    Open(OpenError),
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    #[error(
        "{secret} holds another secret than the one that {database} was made with: give that one back, or name its \
         file with --secret-file",
        secret = secret.display(), database = database.display()
    )]
    OtherSecret { secret: PathBuf, database: PathBuf },
}

impl Place {
    /// The secret is where it is said to be, else beside the database, or in the working directory if the database is
    /// elsewhere.
    pub(crate) fn new(database: DatabaseUrl, secret_file: Option<PathBuf>) -> Self {
        let secret = secret_file.unwrap_or_else(|| match &database {
            DatabaseUrl::Sqlite(path) => with_suffix(path, ".secret"),
            DatabaseUrl::Postgres(_) => "passpool.secret".into(),
        });
        Self { database, secret: SecretFile::new(secret) }
    }

    pub(crate) fn database(&self) -> &DatabaseUrl {
        &self.database
    }

    /// Where its secret is, or has to be.
    pub(crate) fn secret_path(&self) -> &Path {
        self.secret.path()
    }

    /// The secret of a shop that moves from here. The file in which the new place will look for it holds the same one,
    /// or is not there yet.
    pub(crate) async fn secret_for_copy(&self, to: &Self) -> Result<Secret, DatabaseError> {
        if self.is_empty().await? {
            return Err(DatabaseError::Open(OpenError::Missing(self.shown())));
        }
        let secret = self.secret.read()?;
        match to.secret.read() {
            Err(SecretFileError::Missing(_)) => {}
            Err(error) => return Err(error.into()),
            Ok(other) if other.fingerprint() == secret.fingerprint() => {}
            Ok(_) => {
                return Err(DatabaseError::OtherSecret { secret: to.secret_path().to_owned(), database: self.shown() });
            }
        }
        Ok(secret)
    }

    /// True if whoever opens it to write makes it.
    pub(crate) async fn is_empty(&self) -> Result<bool, DatabaseError> {
        Ok(self.probe().await? == Found::Nothing)
    }

    /// Opens the database for whoever makes no links and reads none. Its secret may be elsewhere; only a new database
    /// needs it, to be bound to it.
    pub(crate) async fn open(
        &self,
        intent: Intent,
        entropy: &dyn Entropy,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened, DatabaseError> {
        match self.probe().await? {
            Found::Nothing if intent != Intent::Read => {
                self.open_with_secret(intent, entropy, clock).await.map(|(opened, _)| opened)
            }
            Found::Nothing | Found::Database(_) => self.open_store(intent, None, None, clock).await,
        }
    }

    /// Opens the database, and its secret.
    pub(crate) async fn open_with_secret(
        &self,
        intent: Intent,
        entropy: &dyn Entropy,
        clock: Arc<dyn Clock>,
    ) -> Result<(Opened, Secret), DatabaseError> {
        let mut made = None;
        if self.is_empty().await? {
            if intent == Intent::Read {
                return Err(DatabaseError::Open(OpenError::Missing(self.shown())));
            }
            made = self.secret.make_if_missing(entropy)?.then(|| self.secret.path().to_owned());
        }
        let secret = self.secret.read()?;
        let opened = self.open_store(intent, Some(&secret), made, clock).await?;
        Ok((opened, secret))
    }

    async fn probe(&self) -> Result<Found, DatabaseError> {
        let found = match &self.database {
            DatabaseUrl::Sqlite(path) => sqlite::probe(path),
            DatabaseUrl::Postgres(url) => postgres::probe(url).await,
        };
        found.map_err(DatabaseError::Open)
    }

    /// The database as errors name it.
    fn shown(&self) -> PathBuf {
        match &self.database {
            DatabaseUrl::Sqlite(path) => path.clone(),
            DatabaseUrl::Postgres(url) => url.to_string().into(),
        }
    }

    async fn open_store(
        &self,
        intent: Intent,
        secret: Option<&Secret>,
        made: Option<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened, DatabaseError> {
        let fingerprint = secret.map(Secret::fingerprint);
        let opened = match &self.database {
            DatabaseUrl::Sqlite(path) => sqlite::open(path, intent, fingerprint),
            DatabaseUrl::Postgres(url) => {
                postgres::open(url, intent, fingerprint, Some(Arc::new(move || clock.now()))).await
            }
        };
        match opened {
            Ok(store) => Ok(Opened { store, made }),
            Err(OpenError::OtherSecret { path, .. }) => {
                Err(DatabaseError::OtherSecret { secret: self.secret.path().to_owned(), database: path })
            }
            Err(error) => Err(DatabaseError::Open(error)),
        }
    }
}

/// The same path with something behind its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
