//! `user`: who may call the server, and with which keys.

mod key;

use std::process::ExitCode;

use passpool_core::{ApiKey, Granter, ProfileName, Rights, UserName};
use passpool_store::{Intent, KeyInfo, NewKey, NewUser, ProfileOf, UserInfo};
use serde::Serialize;

use self::key::KeyCommand;
use super::{Surroundings, list::or_dash, misused, moment::rfc_3339};
use crate::{
    clock::random,
    http::v1::shapes::{KeyShown, MadeUser, UserShown},
};

/// Add, list, edit and remove users, and give them keys
#[derive(Debug, clap::Subcommand)]
pub(super) enum UserCommand {
    /// Add a user and print the new key, which is not shown again
    Add {
        #[arg(value_parser = UserName::parse)]
        name: UserName,
        /// What the user may do: names of rights, with commas between them
        #[arg(long, value_name = "RIGHTS", value_parser = Rights::parse)]
        rights: Option<Rights>,
        /// The same, by a profile that exists
        #[arg(long, value_name = "PROFILE", value_parser = ProfileName::parse, conflicts_with = "rights")]
        profile: Option<ProfileName>,
        /// Print the name and the key as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a user another profile, within five seconds
    Edit {
        #[arg(value_parser = UserName::parse)]
        name: UserName,
        /// A profile that exists; `passpool profile` makes them
        #[arg(long, value_name = "PROFILE", value_parser = ProfileName::parse)]
        profile: ProfileName,
    },
    /// Give a user a new key and print it; the old ones are dead within five seconds, unless they are to stay
    Key(KeyCommand),
    /// List all users and their keys
    List {
        /// Print the users as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a user, whose keys are dead within five seconds
    Remove {
        #[arg(value_parser = UserName::parse)]
        name: UserName,
    },
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    user: UserShown,
    /// The newest of the keys.
    key: Option<KeyShown>,
}

impl UserCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add { name, rights, profile, json } => add(name, of(rights, profile)?, json, around).await?,
            Self::Edit { name, profile } => {
                let store = around.open(Intent::Write).await?;
                store.change_profile(name.clone(), profile.clone(), Granter::CommandLine).await?;
                around.output.message(format_args!("The user {name} has the profile {profile} within five seconds."));
            }
            Self::Key(command) => command.run(around).await?,
            Self::List { json } => list(json, around).await?,
            Self::Remove { name } => {
                let store = around.open(Intent::Write).await?;
                store.remove_user(name.clone(), Granter::CommandLine).await?;
                around.output.message(format_args!("Removed the user {name}."));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A profile that is named wins over rights that the environment gives.
fn of(rights: Option<Rights>, profile: Option<ProfileName>) -> Result<ProfileOf, clap::Error> {
    match (profile, rights) {
        (Some(profile), _) => Ok(ProfileOf::Named(profile)),
        (None, Some(rights)) if rights == Rights::default() => {
            Err(misused("--rights names no right, and nobody needs a key that opens nothing"))
        }
        (None, Some(rights)) => Ok(ProfileOf::Own(rights)),
        (None, None) => Err(misused("say what the user may do, by --rights or --profile")),
    }
}

async fn add(name: UserName, profile: ProfileOf, json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Write).await?;
    let key = ApiKey::from_random(&random(&*around.entropy));
    let user = NewUser { name: name.clone(), profile, key: NewKey::of(&key, around.now()) };
    store.add_user(user, Granter::CommandLine).await?;
    // The key stands alone on its line, for whoever takes it into a variable.
    let (name, head) = (name.to_string(), key.head().to_owned());
    match json {
        true => around.output.json(&MadeUser { name, key: key.reveal().to_owned(), head })?,
        false => around.output.line(key.reveal())?,
    }
    Ok(())
}

async fn list(json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Read).await?;
    let users = store.users().await?;
    if json {
        let listed = |user: &UserInfo| Listed { user: UserShown::of(user), key: user.keys.last().map(KeyShown::of) };
        return Ok(around.output.json(&users.iter().map(listed).collect::<Vec<_>>())?);
    }
    let width = users.iter().map(|user| user.name.as_str().len()).max().unwrap_or_default();
    for UserInfo { name, profile, rights, keys } in &users {
        let name = name.as_str();
        // A line for each key, and one for whoever has none.
        let lines: Vec<_> = if keys.is_empty() { vec![None] } else { keys.iter().map(Some).collect() };
        for key in lines {
            let key = written(key)?;
            around.output.line(format_args!("{name:<width$}  {key}  {profile}: {rights}"))?;
        }
    }
    Ok(())
}

/// A key: how it begins, when it was made, when it was used last, and until when it is good.
fn written(key: Option<&KeyInfo>) -> anyhow::Result<String> {
    let head = key.map_or("no key", |key| &key.head);
    let moments = [key.map(|key| key.made_at), key.and_then(|key| key.used_at), key.and_then(|key| key.until)];
    let [made_at, used_at, until] = moments.map(|moment| moment.map(rfc_3339).transpose());
    let (made_at, used_at, until) = (made_at?, used_at?, until?);
    let [made_at, used_at, until] = [&made_at, &used_at, &until].map(|moment| or_dash(moment.as_deref()));
    Ok(format!("{head:<8}  made {made_at:<27}  used {used_at:<20}  until {until:<27}"))
}
