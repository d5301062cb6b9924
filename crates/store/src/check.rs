//! Checks: a proof that the database agrees with itself.

use std::fmt;

/// What a check read, and what it found wrong.
#[derive(Debug, Default)]
pub struct CheckReport {
    pub passports: u64,
    pub journal_rows: u64,
    /// At most [`CheckReport::MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
}

impl CheckReport {
    /// Enough to see a pattern; a damaged file may have millions.
    pub const MAX_FINDINGS: usize = 100;

    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(crate) fn find(&mut self, place: impl Into<String>, wrong: impl Into<String>) {
        if self.findings.len() < Self::MAX_FINDINGS {
            self.findings.push(Finding { place: place.into(), wrong: wrong.into() });
        } else {
            self.more += 1;
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `passport 42`, `journal row 7`, `pool of vip, chunk 3`.
    pub place: String,
    pub wrong: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.wrong)
    }
}
