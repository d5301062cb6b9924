//! Which database, and what for.

use std::{fmt, path::PathBuf, str::FromStr};

use passpool_core::Fingerprint;

use crate::postgres::{PostgresUrl, PostgresUrlError};

/// Where the database is: `sqlite:PATH` or `postgres://...`.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(Box<PostgresUrl>),
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if PostgresUrl::SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::Postgres(Box::new(PostgresUrl::parse(text)?)));
        }
        match text.strip_prefix("sqlite:") {
            Some("") => Err(DatabaseUrlError::NoPath),
            Some(path) => Ok(Self::Sqlite(path.into())),
            // The text may hold a password, so only what stands before the colon is repeated.
            None => Err(DatabaseUrlError::Scheme(text.split(':').next().unwrap_or_default().to_owned())),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => write!(f, "{url}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    #[error("a database is sqlite:PATH or postgres://...; \"{0}:\" is not known")]
    Scheme(String),
    #[error("sqlite: needs a path behind it")]
    NoPath,
    #[error(transparent)]
    Postgres(#[from] PostgresUrlError),
}

/// What the database is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To look: a database that is not there is refused.
    Read,
    /// To change something: a database that is not there is made.
    Write,
    /// To serve: as to write, and nobody else serves it meanwhile.
    Serve,
}

/// What stands at a place before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or a database whose making was cut off: it has no secret yet.
    Nothing,
    /// A database that belongs to this secret.
    Database(Fingerprint),
}
