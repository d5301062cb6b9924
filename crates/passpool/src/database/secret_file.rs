//! The file that holds the secret: 32 random bytes for the owner's eyes alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use passpool_core::Secret;

use crate::{
    clock::{Entropy, random},
    database::with_suffix,
};

/// Where the secret is.
#[derive(Clone, Debug)]
pub(crate) struct SecretFile(PathBuf);

#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretFileError {
    #[error(
        "there is no secret file {path}: without it this database's links can be neither made nor read. Give it back \
         from your copy, or name it with --secret-file", path = .0.display()
    )]
    Missing(PathBuf),
    #[error("{path} is no secret file: it has {length} bytes, and a secret has {}", Secret::LENGTH, path = path.display())]
    Length { path: PathBuf, length: String },
    #[error("the secret file {path}: {error}", path = path.display())]
    Io { path: PathBuf, error: io::Error },
}

impl SecretFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn read(&self) -> Result<Secret, SecretFileError> {
        let file = match File::open(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SecretFileError::Missing(self.0.clone()));
            }
            opened => opened.map_err(|error| self.failed(error))?,
        };
        // One byte more than it may have tells a file that is too long from one that is right.
        let mut bytes = Vec::with_capacity(Secret::LENGTH + 1);
        let read = file.take(Secret::LENGTH as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.failed(error))?;
        Secret::from_slice(&bytes).map_err(|_| {
            let length = if bytes.len() > Secret::LENGTH { "more".to_owned() } else { bytes.len().to_string() };
            SecretFileError::Length { path: self.0.clone(), length }
        })
    }

    /// Makes a secret where there is none. Answers whether it did; a file that is there is left as it is.
    ///
    /// The file gets its name only once its bytes are on the disk, and by a link, which never replaces another's: a
    /// crash leaves no half secret, and of two processes at once both end up with the same one.
    pub(crate) fn make_if_missing(&self, entropy: &dyn Entropy) -> Result<bool, SecretFileError> {
        if self.0.exists() {
            return Ok(false);
        }
        let draft = with_suffix(&self.0, &format!(".{:016x}.new", u64::from_be_bytes(random(entropy))));
        let made = write_durably(&draft, &random::<{ Secret::LENGTH }>(entropy)).and_then(|()| link(&draft, &self.0));
        _ = fs::remove_file(&draft);
        made.and_then(|made| sync_directory_of(&self.0).map(|()| made)).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> SecretFileError {
        SecretFileError::Io { path: self.0.clone(), error }
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Answers false if somebody else was faster.
fn link(draft: &Path, path: &Path) -> io::Result<bool> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        linked => linked.map(|()| true),
    }
}

/// A name is durable when its directory is.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = SecretFile::new(directory.path().join("p.db.secret"));
        assert!(matches!(file.read(), Err(SecretFileError::Missing(_))));
        assert!(file.make_if_missing(&SystemEntropy).unwrap());
        let first = file.read().unwrap().fingerprint();
        assert!(!file.make_if_missing(&SystemEntropy).unwrap());
        assert_eq!(file.read().unwrap().fingerprint(), first);
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_file_of_another_length_is_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let check = |length: usize, expected: &str| {
            fs::write(&path, vec![7; length]).unwrap();
            let error = SecretFile::new(path.clone()).read().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("{} is no secret file: it has {expected} bytes, and a secret has 32", path.display())
            );
        };
        check(0, "0");
        check(31, "31");
        check(33, "more");
    }
}
