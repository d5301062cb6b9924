//! `reservation`: what was reserved, where it is now, and what becomes of it.

use std::process::ExitCode;

use passpool_core::{Actor, Note, ReservationId, Selector, StateName, Tag, Timestamp, WholeSeconds};
use passpool_store::{Extend, Intent, OfReservation, ReservationInfo, ReservationNow, ReservationPage};

use super::{
    Passports, Surroundings,
    links::LinksFlags,
    list::{ListFlags, or_dash},
    misused,
    moment::{parse_moment, rfc_3339},
    span::parse_span,
};
use crate::{
    http::v1::shapes::{ReservationShown, ReservationSummary, Touched},
    output::waiting,
};

/// List, show, cancel and extend reservations, and print their links again
#[derive(Debug, clap::Subcommand)]
pub(super) enum ReservationCommand {
    /// List reservations, the newest first
    List(ListFlags),
    /// Show a reservation, and where its passports are now
    Show {
        #[arg(value_name = "RESERVATION", value_parser = ReservationId::parse)]
        id: ReservationId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the links of a reservation again, as far as they open; each look is a row of the journal
    Links {
        #[arg(value_name = "RESERVATION", value_parser = ReservationId::parse)]
        id: ReservationId,
        #[command(flatten)]
        flags: LinksFlags,
    },
    /// Give back what is still reserved or scanned; those links are dead from then on
    Cancel {
        #[arg(value_name = "RESERVATION", value_parser = ReservationId::parse)]
        id: ReservationId,
        /// Print the counts as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give what is still reserved or scanned another end
    Extend(ExtendCommand),
}

#[derive(Debug, clap::Args)]
pub(super) struct ExtendCommand {
    #[arg(value_name = "RESERVATION", value_parser = ReservationId::parse)]
    id: ReservationId,
    /// The end, counted from now: seconds, or a number with s, m, h, d or w behind it
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    expires_in: Option<WholeSeconds>,
    /// The end, such as 2026-06-01T09:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment, conflicts_with = "expires_in")]
    until: Option<Timestamp>,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

impl ReservationCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(flags) => list(&flags, around).await?,
            Self::Show { id, json } => show(id, json, around).await?,
            Self::Links { id, flags } => flags.of_reservation(id, around).await?,
            Self::Cancel { id, json } => cancel(id, json, around).await?,
            Self::Extend(command) => command.run(around).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(flags: &ListFlags, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Read).await?;
    let (mut room, mut before) = (flags.room(), None);
    while let Some(limit) = room.page() {
        let found = store.reservations(ReservationPage { before, limit }).await?;
        let (printed, last) = (found.len(), found.last().map(|info| info.id));
        for info in found {
            match flags.json {
                true => around.output.json(&ReservationSummary::of(info, true))?,
                false => around.output.line(line(&info)?)?,
            }
        }
        if printed < limit {
            break;
        }
        room.take(printed);
        before = last;
    }
    Ok(())
}

fn line(info: &ReservationInfo) -> anyhow::Result<String> {
    let ReservationInfo { id, count, by, .. } = info;
    let until = info.until.map(rfc_3339).transpose()?;
    let (made_at, until) = (rfc_3339(info.at)?, or_dash(until.as_deref()));
    let tags = info.selector.as_ref().map(written);
    Ok(format!("{id}  {made_at:<27}  {count:>6}  {until:<27}  {by}  {}", or_dash(tags.as_deref())))
}

fn written(selector: &Selector) -> String {
    let between = format!(" {} ", selector.rule().as_str());
    selector.tags().iter().map(Tag::as_str).collect::<Vec<_>>().join(&between)
}

async fn show(id: ReservationId, json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Read).await?;
    let Some(found) = store.reservation(id, around.now()).await? else {
        return Err(passpool_core::Refusal::UnknownReservation(id).into());
    };
    if json {
        return Ok(around.output.json(&ReservationShown::of(found, true))?);
    }
    for (name, value) in facts(&found)? {
        around.output.line(format_args!("{name:<10}  {value}"))?;
    }
    Ok(())
}

/// What is known of a reservation, a line each.
fn facts(found: &ReservationNow) -> anyhow::Result<Vec<(&'static str, String)>> {
    let ReservationNow { info, states, gone } = found;
    let mut facts = vec![
        ("id", info.id.to_string()),
        ("made at", rfc_3339(info.at)?),
        ("made by", info.by.to_string()),
        ("count", info.count.to_string()),
    ];
    facts.extend(info.selector.as_ref().map(|selector| ("tags", written(selector))));
    facts.extend(info.until.map(rfc_3339).transpose()?.map(|until| ("until", until)));
    facts.extend(info.note.as_ref().map(|note| ("note", Note::reveal(note).to_owned())));
    facts.push(("recipients", info.recipients.to_string()));
    for state in StateName::ALL {
        facts.extend(Some(states.of(state)).filter(|count| *count > 0).map(|n| (state.as_str(), n.to_string())));
    }
    facts.push(("gone", gone.to_string()));
    Ok(facts)
}

async fn cancel(id: ReservationId, json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Write).await?;
    let wish = OfReservation { id, by: Actor::CommandLine, now: around.now() };
    let done = waiting("Giving passports back", store.cancel_reservation(wish)).await?;
    tell(done, json, "back in the pool", around)
}

impl ExtendCommand {
    async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        let now = around.now();
        let until = self.end(now)?;
        let store = around.open(Intent::Write).await?;
        let of = OfReservation { id: self.id, by: Actor::CommandLine, now };
        let done = waiting("Moving the end", store.extend_reservation(Extend { of, until })).await?;
        tell(done, self.json, &format!("held until {}", rfc_3339(until)?), around)
    }

    fn end(&self, now: Timestamp) -> Result<Timestamp, clap::Error> {
        match (self.until, self.expires_in) {
            (Some(until), _) if until <= now => Err(misused("--until lies in the past")),
            (Some(until), _) => Ok(until),
            (None, Some(span)) => Ok(now.plus(span)),
            (None, None) => Err(misused("name the new end, by --expires-in or --until")),
        }
    }
}

/// Says how many it was done to, and how many it was not done to.
fn tell(done: passpool_store::Touched, json: bool, what: &str, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    match json {
        true => around.output.json(&Touched::from(done))?,
        false => around.output.line(format_args!("{} {what}", Passports(done.count)))?,
    }
    if done.others > 0 {
        around.output.message(format_args!("Left alone: {}.", Passports(done.others)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        extend: ExtendCommand,
    }

    #[test]
    fn a_new_end_is_named_once_and_lies_ahead() {
        let check = |line: &str, expected: Result<i64, &str>| {
            let words =
                ["extend", "rv_018bcfe5680077078707070707070707"].into_iter().chain(line.split_ascii_whitespace());
            let now = Timestamp::from_micros(1_700_000_000_000_000);
            let end = Line::try_parse_from(words).and_then(|line| line.extend.end(now));
            match (end, expected) {
                (Ok(end), Ok(expected)) => assert_eq!(end.as_micros() / 1_000_000, expected, "{line}"),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{line}: {error}"),
                (end, expected) => panic!("{line}: {end:?} is not {expected:?}"),
            }
        };
        check("--expires-in 1h", Ok(1_700_003_600));
        check("--until 2023-11-14T22:13:21Z", Ok(1_700_000_001));
        check("--until 2023-11-14T22:13:20Z", Err("--until lies in the past"));
        check("--until tomorrow", Err("--until"));
        check("--expires-in 0", Err("--expires-in"));
        check("", Err("name the new end"));
        check("--expires-in 1h --until 2030-01-01T00:00:00Z", Err("cannot be used with"));
    }
}
