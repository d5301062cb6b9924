//! `recover` and `withdraw`: passports taken back from their owners, or out of use.

use std::process::ExitCode;

use anyhow::Context as _;
use passpool_core::{Actor, PassportId};
use passpool_store::{Intent, OfPassport};

use super::{Passports, Surroundings};

/// Take claimed passports back from their owners; they stay out of the pool until they are reset by --id
#[derive(Debug, clap::Args)]
pub(super) struct RecoverCommand {
    /// The passports, one after the other; the first that is refused ends the command
    #[arg(value_name = "ID", required = true, value_parser = PassportId::parse)]
    ids: Vec<PassportId>,
}

/// Take passports out of use for good; their ids stay used
#[derive(Debug, clap::Args)]
pub(super) struct WithdrawCommand {
    /// The passports, one after the other; the first that is refused ends the command
    #[arg(value_name = "ID", required = true, value_parser = PassportId::parse)]
    ids: Vec<PassportId>,
}

impl RecoverCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let store = around.open(Intent::Write).await?;
        for (done, passport) in self.ids.iter().enumerate() {
            let recovered = store.recover(wish(*passport, around)).await;
            recovered.with_context(|| so_far(*passport, done, "recovered"))?;
        }
        around.output.line(format_args!("{} recovered", Passports(self.ids.len() as u64)))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl WithdrawCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let store = around.open(Intent::Write).await?;
        for (done, passport) in self.ids.iter().enumerate() {
            let withdrawn = store.withdraw(wish(*passport, around)).await;
            withdrawn.with_context(|| so_far(*passport, done, "withdrawn"))?;
        }
        around.output.line(format_args!("{} withdrawn", Passports(self.ids.len() as u64)))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn wish(passport: PassportId, around: &Surroundings<'_>) -> OfPassport {
    OfPassport { passport, by: Actor::CommandLine, now: around.now() }
}

/// Which one is refused, and what was done before it.
fn so_far(passport: PassportId, done: usize, what: &str) -> String {
    match done {
        0 => format!("passport {passport}"),
        done => format!("{} {what} before passport {passport}", Passports(done as u64)),
    }
}
