//! `passport`: what is known of passports, and what the brand changes about one.

mod edit;

use std::process::ExitCode;

use passpool_core::{PassportId, Personal, Reference, Refusal, Rule, Selector, StateName, Tags, Timestamp};
use passpool_store::{Intent, ListedPassport, PassportFilter, PassportNow, PassportPage};
use serde::Serialize;

use self::edit::EditCommand;
use super::{
    Surroundings, events,
    links::LinksFlags,
    list::{ListFlags, or_dash},
    misused,
    moment::{parse_moment, rfc_3339},
};
use crate::http::v1::shapes::{PassportShown, PassportSummary};

/// List and show passports, print the link of one, and give it other tags or another content
#[derive(Debug, clap::Subcommand)]
pub(super) enum PassportCommand {
    /// List passports in order of creation, or of their last change with --since
    List(ListCommand),
    /// Show a passport and its whole history
    Show {
        #[arg(value_name = "ID", value_parser = PassportId::parse)]
        id: PassportId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the link of a passport that is reserved or scanned; each look is a row of the journal
    Links {
        #[arg(value_name = "ID", value_parser = PassportId::parse)]
        id: PassportId,
        #[command(flatten)]
        flags: LinksFlags,
    },
    /// Give a passport other tags or another content
    Edit(EditCommand),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListCommand {
    /// Only passports with these tags, with commas between them
    #[arg(long, value_name = "TAGS", visible_alias = "tag")]
    tags: Vec<String>,
    /// Whether a passport needs all of the tags (and) or one of them (or)
    #[arg(long, value_name = "RULE", default_value = "and")]
    rule: Rule,
    /// Only passports in this state
    #[arg(long, value_name = "STATE", value_parser = StateName::parse)]
    state: Option<StateName>,
    /// Only passports that somebody with this reference has, or had last and owns
    #[arg(long, value_name = "REFERENCE", value_parser = Reference::parse)]
    reference: Option<Reference>,
    /// Only passports whose last change is no older than this moment, such as 2026-06-01T09:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    since: Option<Timestamp>,
    #[command(flatten)]
    list: ListFlags,
}

/// A passport, and what a change of it may name.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    passport: PassportShown,
    version: String,
}

impl PassportCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(command) => command.run(around).await?,
            Self::Show { id, json } => show(id, json, around).await?,
            Self::Links { id, flags } => flags.of_passport(id, around).await?,
            Self::Edit(command) => command.run(around).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl ListCommand {
    async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        let selector = match self.tags.as_slice() {
            [] => None,
            tags => Some(
                Selector::parse(tags.iter().map(String::as_str), self.rule)
                    .map_err(|error| misused(format!("--tags: {error}")))?,
            ),
        };
        let filter =
            PassportFilter { selector, state: self.state, reference: self.reference, changed_since: self.since };
        let store = around.open(Intent::Read).await?;
        // All pages are of one moment, as far as holds are judged.
        let now = around.now();
        let (mut room, mut after) = (self.list.room(), None);
        while let Some(limit) = room.page() {
            let found = store.passports(filter.clone(), PassportPage { after, limit, now }).await?;
            for passport in &found.items {
                match self.list.json {
                    true => around.output.json(&PassportSummary::of(passport))?,
                    false => around.output.line(line(passport)?)?,
                }
            }
            room.take(found.items.len());
            let Some(next) = found.next else { break };
            after = Some(next);
        }
        Ok(())
    }
}

fn line(found: &ListedPassport) -> anyhow::Result<String> {
    let [handed_out_at, until] = [found.handed_out_at, found.until].map(|moment| moment.map(rfc_3339).transpose());
    let (handed_out_at, until) = (handed_out_at?, until?);
    let [handed_out_at, until] = [&handed_out_at, &until].map(|moment| or_dash(moment.as_deref()));
    let (id, state, tags) = (found.passport, found.state.as_str(), written(&found.tags));
    Ok(format!("{id:<16}  {state:<9}  {handed_out_at:<27}  {until:<27}  {tags}"))
}

fn written(tags: &Tags) -> String {
    tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(",")
}

async fn show(id: PassportId, json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Read).await?;
    let found = store.passport(id, around.now()).await?.ok_or(Refusal::UnknownPassport(id))?;
    if json {
        let version = found.version.to_string();
        return Ok(around.output.json(&Shown { passport: PassportShown::of(found, true), version })?);
    }
    for (name, value) in facts(&found)? {
        around.output.line(format_args!("{name:<13}  {value}"))?;
    }
    around.output.line("")?;
    for row in &found.history {
        around.output.line(events::line(row)?)?;
    }
    Ok(())
}

/// What is known of a passport, a line each.
fn facts(found: &PassportNow) -> anyhow::Result<Vec<(&'static str, String)>> {
    let hand_out = found.hand_out();
    let moment = |moment: Option<Timestamp>| moment.map(rfc_3339).transpose();
    let mut facts = vec![
        ("id", found.passport.to_string()),
        ("state", found.state.name().as_str().to_owned()),
        ("version", found.version.to_string()),
        ("tags", written(&found.tags)),
    ];
    facts.extend(moment(hand_out.map(|hand_out| hand_out.at))?.map(|at| ("handed out at", at)));
    facts.extend(moment(hand_out.and_then(|hand_out| hand_out.until))?.map(|until| ("until", until)));
    facts.extend(hand_out.and_then(|hand_out| hand_out.reservation).map(|id| ("reservation", id.to_string())));
    facts.extend(found.kiosk.as_ref().map(|kiosk| ("kiosk", kiosk.to_string())));
    facts.extend(found.state.owner().map(|owner| ("owner", owner.to_string())));
    if let Some(kept) = &found.recipient {
        let one = &kept.recipient;
        facts.extend(one.name().map(|name| ("name", Personal::reveal(name).to_owned())));
        facts.extend(one.email().map(|email| ("email", Personal::reveal(email).to_owned())));
        facts.extend(one.reference().map(|reference| ("reference", reference.to_string())));
    }
    facts.push(("content", found.content.as_str().to_owned()));
    Ok(facts)
}
