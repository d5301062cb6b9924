//! `bench`: how fast this program is on this machine, with everything that a number needs beside it.
//!
//! The server under test is this very program in a process of its own, on a database of its own, reached over loopback;
//! the client is this process. Rows that are compared are measured in turn, and a ratio is of one round.

mod ask;
mod case;
mod cases;
mod ceiling;
mod connection;
mod load;
mod machine;
mod measured;
mod plot;
mod promise;
mod report;
mod request;
mod rounds;
mod schema;
mod script;
mod server;
mod stand;
mod stock;
mod stopwatch;
mod table;
mod terms;
mod textbook;
mod usage;
mod visitors;
mod waits;
mod wallet;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::builder::PossibleValuesParser;
use indicatif::ProgressBar;

use self::{
    case::Case,
    cases::{LeftOut, Scale},
    machine::Machine,
    measured::Measured,
    promise::Judged,
    rounds::measure,
    schema::Schema,
    terms::Terms,
};
use super::Surroundings;
use crate::{listening::allow_many_connections, output::is_watched, serve::EndSignals};

pub(super) use ceiling::CeilingCommand;

/// Measure this program on this machine, in databases of its own
///
/// Every row is a case: calls over HTTP on this machine, against this program in a process of its own. Rows are measured
/// in turn, and a ratio is the middle one of the rounds'. Databases are made below the folder and removed afterwards: the
/// largest case needs about 5 GB.
#[derive(Debug, clap::Args)]
pub(super) struct BenchCommand {
    /// A case to be measured; may be given more than once [default: all]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(cases::names()))]
    case: Vec<String>,
    /// Measure little, and fail if a ratio is far from what it should be
    #[arg(long)]
    quick: bool,
    /// The folder in which databases are made: it should be on the disk that is meant
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
    /// A PostgreSQL to be measured too, such as postgres://USER@HOST/NAME; schemas are made there, and removed
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// How often each row is measured [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// For how many seconds each time [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: Option<u32>,
    /// How many threads make the calls [default: a quarter of the cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    client_threads: Option<u32>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Draw the curves into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl BenchCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        allow_many_connections();
        let mut signals = EndSignals::listen()?;
        tokio::select! {
            outcome = self.measure_all(around) => outcome,
            // What was started and made goes with the future.
            () = signals.received() => bail!("interrupted"),
        }
    }

    async fn measure_all(&self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let scale = if self.quick { Scale::QUICK } else { Scale::FULL };
        let seconds = self.seconds.map_or(scale.seconds, f64::from);
        let threads = self.client_threads.map_or_else(client_threads, |threads| threads as usize);
        let machine = Machine::of(&self.dir, threads).with_context(|| self.dir.display().to_string())?;
        let terms = Terms {
            folder: &self.dir,
            postgres: self.postgres.as_deref(),
            rounds: self.rounds.map_or(scale.rounds, |rounds| rounds as usize),
            time: Duration::from_secs_f64(seconds),
            threads,
        };
        if let Some(server) = &self.postgres {
            Schema::try_out(server, &*around.entropy).await?;
        }
        self.tell(machine.lines(), around)?;
        let rounds = format!("Rounds: {} of {seconds} s for each row, in turn; the middle one counts", terms.rounds);
        self.tell([rounds], around)?;
        let wanted: Vec<Case> = cases::all(&scale).into_iter().filter(|case| self.wants(case.name)).collect();
        let (cases, without): (Vec<Case>, Vec<Case>) =
            wanted.into_iter().partition(|case| self.postgres.is_some() || !case.is_on_postgres());
        let left_out: Vec<LeftOut> = without.iter().map(LeftOut::without_postgres).collect();
        self.find_room(&cases)?;
        let mut measured: Vec<Measured> = Vec::new();
        let progress = if is_watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        for case in &cases {
            progress.set_message(case.name);
            progress.enable_steady_tick(Duration::from_millis(200));
            let rows = measure(case, terms, around).await?;
            progress.disable_steady_tick();
            self.tell(table::case(case.about, &rows, &rows), around)?;
            measured.extend(rows);
        }
        progress.finish_and_clear();
        self.conclude(&machine, &measured, &left_out, around)
    }

    fn conclude(
        &self,
        machine: &Machine,
        measured: &[Measured],
        left_out: &[LeftOut],
        around: &mut Surroundings<'_>,
    ) -> anyhow::Result<ExitCode> {
        let judged = promise::judge(measured);
        self.tell(table::left_out(left_out), around)?;
        // A small run is no measurement: it knows the shape alone.
        if !self.quick {
            self.tell(table::promises(&judged), around)?;
        }
        if self.json {
            around.output.json(&report::Report::new(machine, measured, left_out, &judged))?;
        }
        if let Some(file) = &self.svg
            && !plot::draw(file, measured).with_context(|| file.display().to_string())?
        {
            around.output.warning("there is nothing to draw: no curve has been measured");
        }
        let misshapen: Vec<_> = judged.iter().filter(|judged| !judged.in_shape).collect();
        if self.quick && !misshapen.is_empty() {
            for Judged { what, wanted, by_processor_time, .. } in misshapen {
                let found = by_processor_time.unwrap_or_default();
                around.output.message(format_args!("{what}: {found:.2} by processor time, and should be {wanted}"));
            }
            bail!("a ratio is far from what it should be");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Fails before anything is made if the largest case will not fit.
    fn find_room(&self, cases: &[Case]) -> anyhow::Result<()> {
        let needed = cases.iter().map(Case::bytes).max().unwrap_or_default();
        match machine::free_space(&self.dir) {
            Some(free) if free < needed => {
                let [free, needed] = [free, needed].map(|bytes| bytes.div_ceil(1_000_000));
                bail!("{}: {free} MB are free, and {needed} MB may be needed", self.dir.display())
            }
            _ => Ok(()),
        }
    }

    fn wants(&self, case: &str) -> bool {
        self.case.is_empty() || self.case.iter().any(|wanted| wanted == case)
    }

    /// To a person, unless a program reads.
    fn tell(&self, lines: impl IntoIterator<Item = String>, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        for line in lines {
            around.output.line(line)?;
        }
        Ok(around.output.flush()?)
    }
}

/// A quarter of the cores: the server needs them more.
fn client_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 4).max(1))
}
