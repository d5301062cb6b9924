//! Terms: what is the same for all cases.

use std::{path::Path, time::Duration};

/// Where all is measured, how often and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    /// Where databases are made.
    pub(super) folder: &'a Path,
    /// The PostgreSQL in which schemas are made, if there is one.
    pub(super) postgres: Option<&'a str>,
    pub(super) rounds: usize,
    /// How long a row of calls is measured in a round.
    pub(super) time: Duration,
    /// How many threads the client has.
    pub(super) threads: usize,
}
