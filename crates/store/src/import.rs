//! Imports: many new passports that become visible together, or not at all.

use passpool_core::{Actor, NewPassport, Timestamp};

/// New passports in one transaction: at most [`Create::MAX`], so that nobody waits long for it.
#[derive(Debug)]
pub struct Create {
    pub passports: Vec<NewPassport>,
    pub terms: ImportTerms,
}

impl Create {
    /// As many as an import writes at once; more are an import.
    pub const MAX: usize = 4_096;
}

/// How new passports are told in the journal, and what becomes of ids that exist.
#[derive(Clone, Debug)]
pub struct ImportTerms {
    pub by: Actor,
    pub now: Timestamp,
    /// True for passports that came from elsewhere, false for those made here.
    pub imported: bool,
    /// Passes over ids that the database knows. An id that stands twice in one import is refused all the same.
    pub skip_known: bool,
}

/// A running import. It ends with its publication, with a refusal, or with the process that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportId(pub(crate) i64);

/// A part of an import: at most [`Create::MAX`] passports, in one transaction that nobody sees yet.
#[derive(Debug)]
pub struct ImportBatch {
    pub import: ImportId,
    pub passports: Vec<NewPassport>,
    pub terms: ImportTerms,
}
