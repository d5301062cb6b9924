//! Where a shop is: in this database, or in another one to which it was copied.

use crate::OpenError;
use std::path::Path;

/// The name of one copy of one database, the same in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyId([u8; 16]);

impl CopyId {
    /// From random bytes.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Where the shop of a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    Here {
        /// The copy that brought it here.
        by: Option<CopyId>,
    },
    /// Everything was copied to here, and the other database is not known to be closed: this one stays closed.
    Arriving { copy: CopyId, from: String },
    /// This database is closed.
    Moved { copy: CopyId, to: String },
}

impl Whereabouts {
    /// From the columns in which it is kept. None if they are no whereabouts.
    pub(crate) fn read(kind: &str, copy: &[u8], place: String) -> Option<Self> {
        let copy = CopyId(copy.try_into().ok()?);
        match kind {
            "arriving" => Some(Self::Arriving { copy, from: place }),
            "arrived" => Some(Self::Here { by: Some(copy) }),
            "moved" => Some(Self::Moved { copy, to: place }),
            _ => None,
        }
    }

    /// Refuses unless the shop is here.
    pub(crate) fn refuse_elsewhere(self, path: &Path) -> Result<(), OpenError> {
        match self {
            Self::Here { .. } => Ok(()),
            Self::Arriving { from, .. } => Err(OpenError::Unfinished { path: path.to_owned(), from }),
            Self::Moved { to, .. } => Err(OpenError::Moved { path: path.to_owned(), to }),
        }
    }
}
