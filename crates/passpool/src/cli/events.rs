//! `events`: the journal, one row for each change of a passport.

use std::process::ExitCode;

use passpool_core::{Actor, Event, PassportId, Timestamp};
use passpool_store::{Cursor, EventFilter, EventPage, Intent, JournalRow};

use super::{
    Surroundings,
    list::{ListFlags, or_dash},
    moment::{parse_moment, rfc_3339},
};
use crate::http::v1::shapes::EventShown;

/// Print the journal, the oldest row first: what happened to which passport, and who did it
#[derive(Debug, clap::Args)]
pub(super) struct EventsCommand {
    /// Only this kind: reserved, scanned, claimed, reset and so on
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    kind: Option<Event>,
    /// Only what happened to this passport
    #[arg(long, value_name = "ID", value_parser = PassportId::parse)]
    passport: Option<PassportId>,
    /// Only what this one did: user:NAME, cli, visitor, wallet:ADDRESS or clock
    #[arg(long, value_name = "ACTOR")]
    actor: Option<Actor>,
    /// Only what is no older than this moment, such as 2026-06-01T09:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    since: Option<Timestamp>,
    /// Only what stands behind this place: the seq of the last row that was read
    #[arg(long, value_name = "SEQ", value_parser = parse_place)]
    after: Option<Cursor>,
    #[command(flatten)]
    list: ListFlags,
}

impl EventsCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let Self { kind: event, passport, actor: by, since, mut after, list } = self;
        let filter = EventFilter { event, passport, by, since };
        let store = around.open(Intent::Read).await?;
        let mut room = list.room();
        while let Some(limit) = room.page() {
            let found = store.events(filter.clone(), EventPage { after, limit }).await?;
            room.take(found.items.len());
            for row in found.items {
                match list.json {
                    true => around.output.json(&EventShown::of(row))?,
                    false => around.output.line(line(&row)?)?,
                }
            }
            let Some(next) = found.next else { break };
            after = Some(next);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A row of the journal, for a person.
pub(super) fn line(row: &JournalRow) -> anyhow::Result<String> {
    let JournalRow { seq, at, event, passport, by, detail } = row;
    let (at, kind, by) = (rfc_3339(*at)?, event.as_str(), by.to_string());
    Ok(format!("{seq:>9}  {at:<27}  {kind:<18}  {passport:<16}  {by:<12}  {}", or_dash(detail.as_deref())))
}

fn parse_kind(text: &str) -> Result<Event, String> {
    Event::parse(text).ok_or_else(|| {
        let kinds = Event::ALL.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", ");
        format!("there is no such kind; the kinds are {kinds}")
    })
}

fn parse_place(text: &str) -> Result<Cursor, &'static str> {
    let place = text.parse::<Cursor>().ok();
    // No journal is so long, and behind the largest number there is no place.
    place
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 19)
        .ok_or("it is no place of the journal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_number() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse_place(text).ok().map(|place| place.to_string()).as_deref(), expected, "{text:?}");
        };
        check("0", Some("0"));
        check("170", Some("170"));
        for wrong in ["", "-1", "+1", "x", "1.5", "9223372036854775807"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_kind_is_one_of_the_journals() {
        assert_eq!(parse_kind("reserved"), Ok(Event::Reserved));
        assert!(parse_kind("lost").unwrap_err().contains("reserved, previewed, scanned"));
    }
}
