//! Cases: what is measured, as data.

use std::time::Duration;

use super::{
    ask::Ask,
    stock::{Backend, Stock},
};

/// Rows that are measured in turn, round by round, so that whatever else the machine does meets all of them alike.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What it is about, for whoever reads the table.
    pub(super) about: &'static str,
    /// For how long each row is measured, if that is once and not in rounds.
    pub(super) once: Option<Duration>,
    pub(super) stocks: Vec<Stock>,
    pub(super) rows: Vec<Row>,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Unique in its case.
    pub(super) name: String,
    /// Which of the case's stocks it works on.
    pub(super) stock: usize,
    pub(super) work: Work,
    /// The row of this case that it is compared with.
    pub(super) against: Option<String>,
}

/// What is done in a round.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Load(Load),
    /// `passpool import` of so many into a new database.
    Import {
        passports: u64,
    },
    /// `passpool export` of the stock.
    Export,
    /// A start of the server, up to the first link.
    Start,
    /// The textbook statement, over so many connections, in a table of so many.
    Textbook {
        connections: usize,
        passports: u64,
    },
    /// The size of the database, once: as it was made, or with so many handed out since.
    Weigh {
        handed_out: u64,
    },
}

/// Calls over HTTP.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) ask: Ask,
    pub(super) connections: usize,
    /// How many of the stock's servers they call.
    pub(super) servers: usize,
    pub(super) pace: Pace,
    pub(super) extent: Extent,
}

#[derive(Clone, Debug)]
pub(super) enum Pace {
    FlatOut,
    /// So much of what another row did in the same round.
    ShareOf {
        row: String,
        share: f64,
    },
}

/// How much is done in a round.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    /// As much as fits into a round's time, and as there are passports.
    Time,
    /// As many slices of so many calls as fit. Before each all is given back, while the clock stands still.
    Slices(u64),
    /// So many calls.
    Calls(u64),
    /// The same, after all was given back.
    CallsOfFull(u64),
}

impl Case {
    /// How many bytes its databases take on the disk at most, with what the commands write beside them.
    pub(super) fn bytes(&self) -> u64 {
        /// Handed out, with its history and its idempotency key, and a log that was not yet written back.
        const PASSPORT: u64 = 400;
        let on_this_disk = self.stocks.iter().filter(|stock| stock.backend == Backend::File);
        on_this_disk.map(|stock| stock.passports * PASSPORT).sum()
    }

    /// True if it needs a PostgreSQL.
    pub(super) fn is_on_postgres(&self) -> bool {
        self.stocks.iter().any(|stock| stock.backend != Backend::File)
    }
}

impl Row {
    pub(super) fn new(name: impl Into<String>, stock: usize, work: Work) -> Self {
        Self { name: name.into(), stock, work, against: None }
    }

    /// Many connections, flat out, for a round's time.
    pub(super) fn flat_out(name: impl Into<String>, stock: usize, ask: Ask, connections: usize) -> Self {
        let load = Load { ask, connections, servers: 1, pace: Pace::FlatOut, extent: Extent::Time };
        Self::new(name, stock, Work::Load(load))
    }

    /// The same for another extent.
    pub(super) fn extent(mut self, chosen: Extent) -> Self {
        if let Work::Load(load) = &mut self.work {
            load.extent = chosen;
        }
        self
    }

    /// The same, of several servers.
    pub(super) fn servers(mut self, chosen: usize) -> Self {
        if let Work::Load(load) = &mut self.work {
            load.servers = chosen;
        }
        self
    }

    /// The same at a fixed rate.
    pub(super) fn pace(mut self, chosen: Pace) -> Self {
        if let Work::Load(load) = &mut self.work {
            load.pace = chosen;
        }
        self
    }

    pub(super) fn against(mut self, row: impl Into<String>) -> Self {
        self.against = Some(row.into());
        self
    }

    /// True if it takes passports out of its stock that nobody gives back.
    pub(super) const fn takes(&self) -> bool {
        match &self.work {
            Work::Load(Load { ask, extent: Extent::Time, .. }) => ask.takes() > 0,
            _ => false,
        }
    }
}
