//! Rows: passports as files tell of them.

use passpool_core::{Content, Passphrase, PassportId, Tags};

/// A passport about to be made, as one line tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The number of the line, the first being 1.
    pub line: u64,
    /// None for a passport whose id is drawn.
    pub id: Option<PassportId>,
    pub passphrase: Option<Passphrase>,
    pub tags: Tags,
    pub content: Content,
}

/// A line that no passport can be made of.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct BadLine {
    pub line: u64,
    pub reason: String,
}

impl BadLine {
    pub(crate) fn new(line: u64, reason: impl ToString) -> Self {
        Self { line, reason: reason.to_string() }
    }
}
