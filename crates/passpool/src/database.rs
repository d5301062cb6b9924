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
use passpool_store::{DatabaseUrl, Found, Intent, OpenError, Store, sqlite};

pub(crate) use secret_file::{SecretFile, SecretFileError};

use crate::clock::Entropy;

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
    /// The secret is where it is said to be, else beside the database.
    pub(crate) fn new(database: DatabaseUrl, secret_file: Option<PathBuf>) -> Self {
        let DatabaseUrl::Sqlite(path) = &database;
        let secret = SecretFile::new(secret_file.unwrap_or_else(|| with_suffix(path, ".secret")));
        Self { database, secret }
    }

    pub(crate) fn database(&self) -> &DatabaseUrl {
        &self.database
    }

    /// The file of the database.
    pub(crate) fn path(&self) -> &Path {
        let DatabaseUrl::Sqlite(path) = &self.database;
        path
    }

    /// True if whoever opens it to write makes it.
    pub(crate) fn is_empty(&self) -> Result<bool, DatabaseError> {
        Ok(sqlite::probe(self.path()).map_err(DatabaseError::Open)? == Found::Nothing)
    }

    /// Opens the database for whoever makes no links and reads none. Its secret may be elsewhere; only a new database
    /// needs it, to be bound to it.
    pub(crate) fn open(&self, intent: Intent, entropy: &dyn Entropy) -> Result<Opened, DatabaseError> {
        match sqlite::probe(self.path()).map_err(DatabaseError::Open)? {
            Found::Nothing if intent != Intent::Read => {
                self.open_with_secret(intent, entropy).map(|(opened, _)| opened)
            }
            Found::Nothing | Found::Database(_) => self.open_store(intent, None, None),
        }
    }

    /// Opens the database, and its secret.
    pub(crate) fn open_with_secret(
        &self,
        intent: Intent,
        entropy: &dyn Entropy,
    ) -> Result<(Opened, Secret), DatabaseError> {
        let found = sqlite::probe(self.path()).map_err(DatabaseError::Open)?;
        let mut made = None;
        if found == Found::Nothing {
            if intent == Intent::Read {
                return Err(DatabaseError::Open(OpenError::Missing(self.path().to_owned())));
            }
            made = self.secret.make_if_missing(entropy)?.then(|| self.secret.path().to_owned());
        }
        let secret = self.secret.read()?;
        let opened = self.open_store(intent, Some(&secret), made)?;
        Ok((opened, secret))
    }

    fn open_store(
        &self,
        intent: Intent,
        secret: Option<&Secret>,
        made: Option<PathBuf>,
    ) -> Result<Opened, DatabaseError> {
        match sqlite::open(self.path(), intent, secret.map(Secret::fingerprint)) {
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
