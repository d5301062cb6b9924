//! What a store answers when it does not do what was asked: a refusal for the caller, a fault for us.

use std::{io, path::PathBuf};

use passpool_core::{Fingerprint, Refusal};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Something of ours is broken or out of reach. Nothing was changed, unless it is said that nobody knows.
///
/// A fault reaches every caller whose work was in the same transaction, so it can be cloned.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    #[error("another program keeps the database locked")]
    Locked,
    /// Also where a quota or a limit of the process keeps the file from growing: SQLite does not tell those apart.
    #[error("the disk is full or cannot be written")]
    DiskFull,
    #[error("the store is closed")]
    Closed,
    /// What stands in the way is told to whoever keeps the server, and not to callers.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke during the commit. Nothing of it is half done.
    #[error("the database did not say whether this was done: look, or repeat the call with the same Idempotency-Key")]
    OutcomeUnknown,
    /// The shop is in another database: this one was copied there, or is a copy that is not finished.
    #[error("{0}")]
    Moved(String),
    /// What the database holds contradicts itself: `passpool check` tells more.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    #[error("{0}")]
    Database(String),
}

impl Fault {
    /// True if the same call may well succeed in a moment.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Locked | Self::DiskFull | Self::Closed | Self::Unreachable(_) | Self::OutcomeUnknown)
    }
}

/// Why a database cannot be used. Each names the thing at fault.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("there is no database at {0}")]
    Missing(PathBuf),
    #[error("{0} is no Passpool database")]
    Foreign(PathBuf),
    #[error("{path} was made by a newer Passpool (its version is {version}, this program knows {known})")]
    Newer { path: PathBuf, version: i64, known: i64 },
    /// Whoever only reads does not bring it up to date.
    #[error(
        "{path} was made by an older Passpool (its version is {version}, this program's is {known}); `passpool serve` or any command that writes brings it up to date"
    )]
    Older { path: PathBuf, version: i64, known: i64 },
    #[error("another passpool serves {0} already")]
    Served(PathBuf),
    /// Nothing is brought up to date behind a server's back.
    #[error(
        "{0} was made by an older Passpool that still serves it: end that server first, so that the file can be brought up to date"
    )]
    ServedByOlder(PathBuf),
    #[error("{0} is in use: an import into it or a copy of it is running")]
    InUse(PathBuf),
    #[error(
        "{path} has moved to {to}, and neither serves nor changes anything: use {to}, or call `passpool reopen` here if nobody uses that"
    )]
    Moved { path: PathBuf, to: String },
    #[error("{path} is an unfinished copy of {from}: `passpool copy` from there to here, once more, finishes it")]
    Unfinished { path: PathBuf, from: String },
    #[error("{path} belongs to another secret than the one given (it has {ours:02x?}, the secret {given:02x?})", ours = ours.as_bytes(), given = given.as_bytes())]
    OtherSecret { path: PathBuf, ours: Fingerprint, given: Fingerprint },
    #[error("{path}: {fault}")]
    Fault { path: PathBuf, fault: Fault },
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
}
