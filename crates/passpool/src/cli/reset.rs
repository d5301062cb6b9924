//! `reset`: passports given back to the pool.

use std::process::ExitCode;

use passpool_core::{Actor, PassportId, PreviewId, ReservationId, ResetId, Rule, Selector, Timestamp, WholeSeconds};
use passpool_store::{
    HeldState, Intent, KeptReset, Matching, Preview, PreviewPage, ResetOf, ResetScope, Resettable, Store, UndoReset,
};
use serde::{Serialize, Serializer};

use super::{Passports, Surroundings, list::or_dash, misused, moment::rfc_3339, span::parse_span};
use crate::{clock::random, http::v1::shapes::PreviewedPassport, output::waiting};

/// How many passports a dry run reads at once.
const PAGE: usize = 1_000;

/// Give reserved and scanned passports back to the pool; their links are dead from then on
#[derive(Debug, clap::Args)]
pub(super) struct ResetCommand {
    /// Only passports with these tags, with commas between them
    #[arg(long, value_name = "TAGS", visible_alias = "tag")]
    tags: Vec<String>,
    /// Whether a passport needs all of the tags (and) or one of them (or)
    #[arg(long, value_name = "RULE", default_value = "and")]
    rule: Rule,
    /// Only passports in this state: reserved or scanned
    #[arg(long, value_name = "STATE")]
    state: Option<HeldStateFlag>,
    /// Only passports handed out longer ago than this: seconds, or a number with s, m, h, d or w behind it
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    older_than: Option<WholeSeconds>,
    /// Only passports that this reservation has
    #[arg(long, value_name = "RESERVATION", value_parser = ReservationId::parse)]
    reservation: Option<ReservationId>,
    /// At most so many, the oldest first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// What a preview told, as far as nothing happened to it since
    #[arg(long, value_name = "PREVIEW", value_parser = PreviewId::parse, conflicts_with_all = ["tags", "state", "older_than", "reservation", "limit", "id"])]
    preview: Option<PreviewId>,
    /// Takes a reset back, as far as nothing happened to its passports since
    #[arg(long, value_name = "RESET", value_parser = ResetId::parse, conflicts_with_all = ["preview", "tags", "state", "older_than", "reservation", "limit", "id", "dry_run"])]
    undo: Option<ResetId>,
    /// These passports and no others, all or none of them; may be given more than once
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = PassportId::parse)]
    id: Vec<PassportId>,
    /// List what would be reset, and change nothing; --preview resets just that, or with this lists it again
    #[arg(long)]
    dry_run: bool,
    /// Print JSON: the counts and by which id it can be undone, or what would be reset
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum HeldStateFlag {
    Reserved,
    Scanned,
}

/// What would be reset.
#[derive(Serialize)]
struct PrintedPreview {
    /// By which it can be reset.
    preview: String,
    count: usize,
    #[serde(serialize_with = "as_previewed")]
    passports: Vec<Resettable>,
}

#[derive(Serialize)]
struct PrintedReset {
    count: u64,
    /// By which it can be undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_since: Option<u64>,
}

impl ResetCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        if let Some(id) = self.undo {
            return self.undo(id, around).await;
        }
        match self.preview {
            Some(preview) if self.dry_run => self.look_again(preview, around).await,
            Some(preview) => self.reset(ResetOf::Preview(preview), around).await,
            None => {
                let scope = self.scope(around.now())?;
                match self.dry_run {
                    true => self.look(scope, around).await,
                    false => self.reset(ResetOf::Scope(scope), around).await,
                }
            }
        }
    }

    async fn reset(&self, of: ResetOf, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let store = around.open(Intent::Write).await?;
        let (now, id) = (around.now(), ResetId::new(around.now(), random(&*around.entropy)));
        let wish = KeptReset { id, of, by: Actor::CommandLine, now };
        let done = waiting("Giving passports back", store.keep_reset(wish)).await?;
        if self.json {
            let id = (done.count > 0).then(|| id.to_string());
            let changed_since = self.preview.map(|_| done.changed_since);
            around.output.json(&PrintedReset { count: done.count, id, changed_since })?;
        } else {
            around.output.line(format_args!("{} back in the pool", Passports(done.count)))?;
        }
        if done.changed_since > 0 {
            around
                .output
                .message(format_args!("Left alone, for they have changed since: {}.", Passports(done.changed_since)));
        }
        if done.count > 0 {
            around.output.message(format_args!("For 24 hours `passpool reset --undo {id}` takes this back."));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn undo(&self, id: ResetId, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let store = around.open(Intent::Write).await?;
        let wish = UndoReset { id, by: Actor::CommandLine, now: around.now() };
        let done = waiting("Taking the reset back", store.undo_reset(wish)).await?;
        match self.json {
            true => around.output.json(&serde_json::json!({ "count": done.count, "others": done.others }))?,
            false => around.output.line(format_args!("{} as before the reset", Passports(done.count)))?,
        }
        if done.others > 0 {
            around.output.message(format_args!("Left alone: {}.", Passports(done.others)));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn scope(&self, now: Timestamp) -> Result<ResetScope, clap::Error> {
        let is_matching =
            !self.tags.is_empty() || self.state.is_some() || self.older_than.is_some() || self.reservation.is_some();
        match (self.id.as_slice(), is_matching) {
            ([], false) => {
                Err(misused("name what is to be reset, by --tags, --state, --older-than, --reservation or --id"))
            }
            ([], true) => Ok(ResetScope::Matching(Matching {
                selector: self.selector()?,
                state: self.state.map(HeldState::from),
                handed_out_before: self.older_than.map(|span| now.minus(span)),
                reservation: self.reservation,
                limit: self.limit,
            })),
            (ids, false) => Ok(ResetScope::Named(ids.to_vec())),
            (_, true) => Err(misused("--id names passports one by one, and cannot be joined with other conditions")),
        }
    }

    fn selector(&self) -> Result<Option<Selector>, clap::Error> {
        if self.tags.is_empty() {
            return Ok(None);
        }
        let selector = Selector::parse(self.tags.iter().map(String::as_str), self.rule);
        selector.map(Some).map_err(|error| misused(format!("--tags: {error}")))
    }

    /// Remembers what would be reset, and lists it.
    async fn look(&self, scope: ResetScope, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        // What is kept of it is gone in a quarter of an hour, so it is a look: it makes no database.
        let store = around.open_existing().await?;
        let now = around.now();
        let id = PreviewId::new(now, random(&*around.entropy));
        let previewed = waiting("Looking", store.keep_preview(Preview { id, scope, now }, 0)).await?;
        self.list(&*store, id, around).await?;
        around.output.message(format_args!("Would reset {}; nothing was changed.", Passports(previewed.count)));
        if previewed.count > 0 {
            around.output.message(format_args!(
                "For 15 minutes `passpool reset --preview {id}` resets these, as far as nothing happens to them."
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Lists what a preview told, as it is now.
    async fn look_again(&self, id: PreviewId, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let store = around.open(Intent::Read).await?;
        self.list(&*store, id, around).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn list(&self, store: &dyn Store, id: PreviewId, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        let (mut page, mut passports) = (PreviewPage { after: None, limit: PAGE }, Vec::new());
        loop {
            let found = store.preview(id, page, around.now()).await?;
            page.after = found.last().filter(|_| found.len() == PAGE).map(|last| last.passport);
            if self.json {
                passports.extend(found);
            } else {
                for passport in &found {
                    around.output.line(line(passport)?)?;
                }
            }
            if page.after.is_none() {
                break;
            }
        }
        if self.json {
            around.output.json(&PrintedPreview { preview: id.to_string(), count: passports.len(), passports })?;
        }
        Ok(())
    }
}

fn line(passport: &Resettable) -> anyhow::Result<String> {
    let handed_out_at = passport.handed_out_at.map(rfc_3339).transpose()?;
    let (id, state) = (passport.passport, passport.state.as_str());
    Ok(format!("{id:<16} {state:<9} {}", or_dash(handed_out_at.as_deref())))
}

fn as_previewed<S: Serializer>(passports: &[Resettable], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(passports.iter().map(PreviewedPassport::of))
}

impl From<HeldStateFlag> for HeldState {
    fn from(flag: HeldStateFlag) -> Self {
        match flag {
            HeldStateFlag::Reserved => Self::Reserved,
            HeldStateFlag::Scanned => Self::Scanned,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        reset: ResetCommand,
    }

    #[test]
    fn a_reset_needs_a_condition_and_ids_stand_alone() {
        let check = |line: &str, expected: Result<&str, &str>| {
            let words = ["reset"].into_iter().chain(line.split_ascii_whitespace());
            let scope = Line::parse_from(words).reset.scope(Timestamp::from_micros(7_200_000_000));
            let scope = scope.map(|scope| format!("{scope:?}")).map_err(|error| error.to_string());
            assert_eq!(
                scope.as_deref().map_err(|error| error.trim_start_matches("error: ").trim_end()),
                expected,
                "{line}"
            );
        };
        check("", Err("name what is to be reset, by --tags, --state, --older-than, --reservation or --id"));
        check("--rule or", Err("name what is to be reset, by --tags, --state, --older-than, --reservation or --id"));
        check("--id 5 --id 6,7", Ok("Named([5, 6, 7])"));
        check("--id 5 --tags vip", Err("--id names passports one by one, and cannot be joined with other conditions"));
        check("--tags ,", Err("--tags: no tag is given"));
        check(
            "--tags b,a --rule or --state scanned --older-than 2h",
            Ok(
                "Matching(Matching { selector: Some(Selector { tags: [\"a\", \"b\"], rule: Or }), state: Some(Scanned), \
                handed_out_before: Some(0us), reservation: None, limit: None })",
            ),
        );
    }
}
