//! `profile`: rights that several users share.

use std::process::ExitCode;

use passpool_core::{Granter, ProfileName, Rights};
use passpool_store::{Intent, ProfileInfo};

use super::{Surroundings, misused};
use crate::http::v1::shapes::ProfileShown;

/// Add, list, edit and remove profiles: rights that several users share
#[derive(Debug, clap::Subcommand)]
pub(super) enum ProfileCommand {
    /// Add a profile, for `user add --profile`
    Add {
        #[arg(value_parser = ProfileName::parse)]
        name: ProfileName,
        /// What its users may do: names of rights, with commas between them
        #[arg(long, value_name = "RIGHTS", value_parser = Rights::parse)]
        rights: Rights,
    },
    /// List all profiles
    List {
        /// Print the profiles as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a profile, and all who have it, other rights
    Edit {
        #[arg(value_parser = ProfileName::parse)]
        name: ProfileName,
        /// All that its users may do from now on: names of rights, with commas between them
        #[arg(long, value_name = "RIGHTS", value_parser = Rights::parse)]
        rights: Rights,
    },
    /// Remove a profile that nobody has
    Remove {
        #[arg(value_parser = ProfileName::parse)]
        name: ProfileName,
    },
}

impl ProfileCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add { name, rights } => {
                refuse_none(rights)?;
                let store = around.open(Intent::Write).await?;
                store.add_profile(name.clone(), rights, Granter::CommandLine).await?;
                around.output.message(format_args!("Added the profile {name}."));
            }
            Self::List { json } => list(json, around).await?,
            Self::Edit { name, rights } => {
                refuse_none(rights)?;
                let store = around.open(Intent::Write).await?;
                store.change_rights(name.clone(), rights, Granter::CommandLine).await?;
                around.output.message(format_args!("The profile {name} has these rights within five seconds."));
            }
            Self::Remove { name } => {
                let store = around.open(Intent::Write).await?;
                store.remove_profile(name.clone(), Granter::CommandLine).await?;
                around.output.message(format_args!("Removed the profile {name}."));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn refuse_none(rights: Rights) -> Result<(), clap::Error> {
    match rights == Rights::default() {
        true => Err(misused("--rights names no right")),
        false => Ok(()),
    }
}

async fn list(json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Read).await?;
    let profiles = store.profiles().await?;
    if json {
        return Ok(around.output.json(&profiles.iter().map(ProfileShown::of).collect::<Vec<_>>())?);
    }
    let width = profiles.iter().map(|profile| profile.name.to_string().len()).max().unwrap_or_default();
    for ProfileInfo { name, rights, users } in &profiles {
        let name = name.as_str();
        around.output.line(format_args!("{name:<width$}  {users:>5}  {rights}"))?;
    }
    Ok(())
}
