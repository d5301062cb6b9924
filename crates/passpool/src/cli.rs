//! The command line: one file a command.

mod bench;
mod check;
mod copy;
mod create;
mod demo;
mod erase;
mod events;
mod export;
mod import;
mod kiosk;
mod links;
mod list;
mod moment;
mod openapi;
mod passport;
mod pool;
mod profile;
mod recipient;
mod recover;
mod reopen;
mod reservation;
mod reserve;
mod reset;
mod serve;
mod span;
mod surroundings;
mod user;

use std::{ffi::OsString, fmt, io, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use passpool_store::{DatabaseUrl, StoreError};
use tokio::runtime::{self, Runtime};

use crate::{
    clock::{SystemClock, SystemEntropy},
    config::Settings,
    filling::FillError,
    output::Output,
};
use surroundings::Surroundings;

/// Hands out digital passports from a pool, each exactly once
#[derive(Debug, Parser)]
#[command(
    name = "passpool",
    version,
    after_help = "Every flag may also be given as PASSPOOL_* in the environment (PASSPOOL_SECRET_FILE), or in the TOML \
                  file that --config names (secret-file = \"...\"). A flag wins over the environment, and that over \
                  the file.\n\nExit codes: 0 done, 1 refused or failed, 2 a wrong call."
)]
pub struct Arguments {
    /// The database: sqlite:PATH or postgres://USER@HOST/NAME
    #[arg(long, global = true, value_name = "URL", default_value = "sqlite:passpool.db")]
    database: String,
    /// The file that holds the secret [default: the SQLite path with .secret behind it, else passpool.secret]
    #[arg(long, global = true, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// A TOML file with values for flags
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeCommand),
    Demo(demo::DemoCommand),
    Create(create::CreateCommand),
    Import(import::ImportCommand),
    Export(export::ExportCommand),
    Reserve(reserve::ReserveCommand),
    #[command(subcommand)]
    Reservation(reservation::ReservationCommand),
    #[command(subcommand)]
    Recipient(recipient::RecipientCommand),
    Erase(erase::EraseCommand),
    Reset(reset::ResetCommand),
    Pool(pool::PoolCommand),
    #[command(subcommand)]
    Passport(passport::PassportCommand),
    Events(events::EventsCommand),
    #[command(subcommand)]
    Kiosk(kiosk::KioskCommand),
    Recover(recover::RecoverCommand),
    Withdraw(recover::WithdrawCommand),
    #[command(subcommand)]
    User(user::UserCommand),
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    Check(check::CheckCommand),
    Copy(copy::CopyCommand),
    Reopen(reopen::ReopenCommand),
    Openapi(openapi::OpenapiCommand),
    Bench(bench::BenchCommand),
    #[command(hide = true)]
    BenchCeiling(bench::CeilingCommand),
}

impl Arguments {
    /// Reads the command line, the environment and the configuration file.
    pub fn read() -> anyhow::Result<Self> {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let command = Self::command();
        let settings = Settings::read(&command, &arguments, |name| std::env::var(name).ok());
        let settings = settings.map_err(clap::Error::from)?;
        let matches = settings.apply(command).try_get_matches_from(&arguments);
        let matches = matches.map_err(|error| settings.explain(error, &arguments))?;
        Ok(Self::from_arg_matches(&matches)?)
    }

    /// Runs the command.
    pub fn run(self, output: &mut Output) -> anyhow::Result<ExitCode> {
        // Not an argument that clap reads, for its errors repeat what they refuse, and this may hold a password.
        let database: DatabaseUrl = self.database.parse().map_err(|error| misused(format!("--database: {error}")))?;
        let runtime = fair_runtime()?;
        let outcome = runtime.block_on(async {
            let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
            let mut around = Surroundings::new(database.clone(), self.secret_file, clock, entropy, output);
            let outcome = self.command.run(&mut around).await;
            around.close().await;
            outcome
        });
        // What still runs in the background has lost whoever waited for it.
        runtime.shutdown_background();
        match outcome {
            Err(error) if is_fault(&error) => Err(error).with_context(|| database.to_string()),
            outcome => outcome,
        }
    }
}

impl Command {
    async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(command) => command.run(around).await,
            Self::Demo(command) => command.run(around).await,
            Self::Create(command) => command.run(around).await,
            Self::Import(command) => command.run(around).await,
            Self::Export(command) => command.run(around).await,
            Self::Reserve(command) => command.run(around).await,
            Self::Reservation(command) => command.run(around).await,
            Self::Recipient(command) => command.run(around).await,
            Self::Erase(command) => command.run(around).await,
            Self::Reset(command) => command.run(around).await,
            Self::Pool(command) => command.run(around).await,
            Self::Passport(command) => command.run(around).await,
            Self::Events(command) => command.run(around).await,
            Self::Kiosk(command) => command.run(around).await,
            Self::Recover(command) => command.run(around).await,
            Self::Withdraw(command) => command.run(around).await,
            Self::User(command) => command.run(around).await,
            Self::Profile(command) => command.run(around).await,
            Self::Check(command) => command.run(around).await,
            Self::Copy(command) => command.run(around).await,
            Self::Reopen(command) => command.run(around).await,
            Self::Openapi(command) => command.run(around),
            Self::Bench(command) => command.run(around).await,
            Self::BenchCeiling(command) => command.run(around).await,
        }
    }
}

/// A runtime that serves callers in the order in which they come.
///
/// A thread of tokio's has a queue of 256 tasks; what finds no room there goes to another, which is looked at now and then.
/// Usually it asks for up to 1,024 callers who have sent something, after each 61 tasks. So of a thousand busy callers two
/// hundred were served again and again, while the others waited 0.16 s for what takes 0.02. Here it asks for as many as half
/// of its queue has room for, and for more when it is through with them.
fn fair_runtime() -> io::Result<Runtime> {
    const EVENTS_AT_ONCE: usize = 128;
    const EVENTS_EVERY: u32 = 1_000;
    let mut runtime = runtime::Builder::new_multi_thread();
    runtime.worker_threads(workers()).max_io_events_per_tick(EVENTS_AT_ONCE).event_interval(EVENTS_EVERY);
    runtime.enable_all().build()
}

/// How many threads speak with callers: one is left of the cores for whoever writes, be it the writer's thread or a database
/// on this machine. With a thread on each core they take turns, and each turn wakes a core that sleeps: on two cores that
/// is an eighth of the speed.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() - 1).max(1)
}

/// A call that cannot be meant like this: exit code 2.
fn misused(reason: impl fmt::Display) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{reason}\n"))
}

/// So many passports, in words.
struct Passports(u64);

impl fmt::Display for Passports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 passport"),
            count => write!(f, "{count} passports"),
        }
    }
}

/// A fault tells what is wrong with the database, and not which database it is.
fn is_fault(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(StoreError::Fault(_)))
            || matches!(cause.downcast_ref(), Some(FillError::Store(StoreError::Fault(_))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Arguments::command().debug_assert();
        Settings::default().apply(Arguments::command()).debug_assert();
    }

    #[test]
    fn the_database_may_stand_anywhere_behind_the_command() {
        for line in [
            "passpool user add crm --rights certRead --database sqlite:x.db",
            "passpool user add --database sqlite:x.db crm --rights certRead",
            "passpool user --database sqlite:x.db add crm --rights certRead",
            "passpool --database sqlite:x.db user add crm --rights certRead",
        ] {
            assert_eq!(Arguments::try_parse_from(line.split(' ')).unwrap().database, "sqlite:x.db", "{line}");
        }
    }
}
