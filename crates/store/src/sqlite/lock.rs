//! Locks of the operating system: they end with the process that holds them, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// None if somebody else holds it.
    pub(super) fn take(database: &Path, purpose: Purpose) -> io::Result<Option<Self>> {
        let file = purpose.file(database)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Held together with others who hold it like this. Waits until nobody has it alone.
    pub(super) fn share(database: &Path, purpose: Purpose) -> io::Result<Self> {
        let file = purpose.file(database)?;
        file.lock_shared()?;
        Ok(Self { _file: file })
    }

    /// Waits until nobody else holds it.
    pub(super) fn wait_for(database: &Path, purpose: Purpose) -> io::Result<Self> {
        let file = purpose.file(database)?;
        file.lock()?;
        Ok(Self { _file: file })
    }
}

/// What only one may do at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Serve,
    Import,
    Upgrade,
    /// To write as a command does. Commands share it, and whoever brings the file up to date has it alone.
    Work,
}

impl Purpose {
    fn file(self, database: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(false).open(self.path(database))
    }

    fn path(self, database: &Path) -> PathBuf {
        let ending = match self {
            Self::Serve => ".serve.lock",
            Self::Import => ".import.lock",
            Self::Upgrade => ".upgrade.lock",
            Self::Work => ".work.lock",
        };
        let mut path = database.as_os_str().to_owned();
        path.push(ending);
        path.into()
    }
}
