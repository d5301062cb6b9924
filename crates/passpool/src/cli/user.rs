//! `user`: who may call the server, and with which key.

use std::process::ExitCode;

use passpool_core::{ApiKey, Granter, Right, Rights, UserName};
use passpool_store::{Intent, NewKey, NewUser, ProfileOf, RenewKey, UserInfo};
use serde::Serialize;

use super::{Surroundings, misused, moment::rfc_3339};
use crate::clock::random;

/// Add, list and remove users, and renew their keys
#[derive(Debug, clap::Subcommand)]
pub(super) enum UserCommand {
    /// Add a user and print the new key, which is not shown again
    Add {
        #[arg(value_parser = UserName::parse)]
        name: UserName,
        /// What the user may do: names of rights, with commas between them
        #[arg(long, value_name = "RIGHTS", value_parser = Rights::parse)]
        rights: Rights,
        /// Print the name and the key as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a user a new key and print it; the old one is dead within five seconds
    Key {
        #[arg(value_parser = UserName::parse)]
        name: UserName,
        /// Print the name and the key as JSON
        #[arg(long)]
        json: bool,
    },
    /// List all users
    List {
        /// Print the users as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a user, whose key is dead within five seconds
    Remove {
        #[arg(value_parser = UserName::parse)]
        name: UserName,
    },
}

/// A key on its way to its owner.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    key: &'a str,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    profile: &'a str,
    rights: Vec<&'static str>,
    key: Option<ListedKey<'a>>,
}

#[derive(Serialize)]
struct ListedKey<'a> {
    /// The first characters, to tell keys apart.
    head: &'a str,
    made_at: String,
}

impl UserCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add { name, rights, json } => add(&name, rights, json, around).await?,
            Self::Key { name, json } => renew(&name, json, around).await?,
            Self::List { json } => list(json, around).await?,
            Self::Remove { name } => {
                let store = around.open(Intent::Write)?;
                store.remove_user(name.clone(), Granter::CommandLine).await?;
                around.output.message(format_args!("Removed the user {name}."));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn add(name: &UserName, rights: Rights, json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    if rights == Rights::default() {
        return Err(misused("--rights names no right, and nobody needs a key that opens nothing").into());
    }
    let store = around.open(Intent::Write)?;
    let key = ApiKey::from_random(&random(&*around.entropy));
    let user = NewUser { name: name.clone(), profile: ProfileOf::Own(rights), key: NewKey::of(&key, around.now()) };
    store.add_user(user, Granter::CommandLine).await?;
    show(name, &key, json, around)
}

async fn renew(name: &UserName, json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Write)?;
    let key = ApiKey::from_random(&random(&*around.entropy));
    let key_now = NewKey::of(&key, around.now());
    let wish = RenewKey { user: name.clone(), old: None, key: key_now, old_until: None };
    store.renew_key(wish, Granter::CommandLine).await?;
    show(name, &key, json, around)
}

/// The key stands alone on its line, for whoever takes it into a variable.
fn show(name: &UserName, key: &ApiKey, json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    match json {
        true => around.output.json(&Shown { name: name.as_str(), key: key.reveal() })?,
        false => around.output.line(key.reveal())?,
    }
    Ok(())
}

async fn list(json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Read)?;
    let users = store.users().await?;
    let listed = users.iter().map(listed).collect::<anyhow::Result<Vec<_>>>()?;
    if json {
        return Ok(around.output.json(&listed)?);
    }
    let width = listed.iter().map(|user| user.name.len()).max().unwrap_or_default();
    for Listed { name, rights, key, .. } in &listed {
        let (head, made_at) = key.as_ref().map_or(("no key", "-"), |key| (key.head, &key.made_at));
        around.output.line(format_args!("{name:<width$}  {head:<8}  {made_at:<27}  {}", rights.join(",")))?;
    }
    Ok(())
}

fn listed(user: &UserInfo) -> anyhow::Result<Listed<'_>> {
    let newest = user.keys.last();
    let key = newest.map(|key| rfc_3339(key.made_at).map(|made_at| ListedKey { head: &key.head, made_at }));
    Ok(Listed {
        name: user.name.as_str(),
        profile: user.profile.as_str(),
        rights: user.rights.iter().map(Right::as_str).collect(),
        key: key.transpose()?,
    })
}
