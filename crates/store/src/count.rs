//! Counts: how many passports are in which state.

use passpool_core::{StateName, Tag, Timestamp};

/// How many passports are in each state. `total` is their sum at every committed moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCounts([u64; StateName::ALL.len()]);

impl StateCounts {
    pub fn of(&self, state: StateName) -> u64 {
        self.0[state as usize]
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn of_mut(&mut self, state: StateName) -> &mut u64 {
        &mut self.0[state as usize]
    }
}

/// The whole pool's counts, and those of some tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCounts {
    pub all: StateCounts,
    /// The largest first; of the same size, by name.
    pub tags: Vec<(Tag, StateCounts)>,
}

/// Which tags are counted.
#[derive(Clone, Debug)]
pub enum TagFilter {
    Largest(usize),
    /// A tag that nobody has is counted with zeros.
    Named(Vec<Tag>),
}

/// A page of tags by name.
#[derive(Clone, Debug)]
pub struct PoolPage {
    /// The last tag of the page before.
    pub after: Option<Tag>,
    pub limit: usize,
    /// The moment at which holds are judged.
    pub now: Timestamp,
}
