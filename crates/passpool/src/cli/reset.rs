//! `reset`: passports given back to the pool.

use std::process::ExitCode;

use passpool_core::{Actor, PassportId, Rule, Selector, Timestamp, WholeSeconds};
use passpool_store::{HeldState, Intent, PreviewPage, Reset, ResetScope, Resettable, Store};
use serde::Serialize;

use super::{Passports, Surroundings, misused, moment::rfc_3339, span::parse_span};

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
    /// These passports and no others, all or none of them; may be given more than once
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = PassportId::parse)]
    id: Vec<PassportId>,
    /// List what would be reset, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON: the count, or an object a line for each passport of a dry run
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum HeldStateFlag {
    Reserved,
    Scanned,
}

#[derive(Serialize)]
struct Listed {
    id: u64,
    state: &'static str,
    handed_out_at: Option<String>,
}

impl ResetCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let now = around.now();
        let wish = Reset { scope: self.scope(now)?, by: Actor::CommandLine, now };
        if self.dry_run {
            let store = around.open(Intent::Read).await?;
            return self.list(wish, &*store, around).await;
        }
        let store = around.open(Intent::Write).await?;
        let count = store.reset(wish).await?;
        match self.json {
            true => around.output.json(&serde_json::json!({ "count": count }))?,
            false => around.output.line(format_args!("{} back in the pool", Passports(count)))?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn scope(&self, now: Timestamp) -> Result<ResetScope, clap::Error> {
        let is_matching = !self.tags.is_empty() || self.state.is_some() || self.older_than.is_some();
        match (self.id.as_slice(), is_matching) {
            ([], false) => Err(misused("name what is to be reset, by --tags, --state, --older-than or --id")),
            ([], true) => Ok(ResetScope::Matching {
                selector: self.selector()?,
                state: self.state.map(HeldState::from),
                handed_out_before: self.older_than.map(|span| now.minus(span)),
            }),
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

    async fn list(&self, wish: Reset, store: &dyn Store, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let mut page = PreviewPage { after: None, limit: PAGE };
        let mut count = 0;
        loop {
            let found = store.preview_reset(wish.clone(), page).await?;
            for passport in &found {
                self.print(passport, around)?;
            }
            count += found.len() as u64;
            match found.last() {
                Some(last) if found.len() == PAGE => page.after = Some(last.passport),
                _ => break,
            }
        }
        around.output.message(format_args!("Would reset {}; nothing was changed.", Passports(count)));
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, passport: &Resettable, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        let (id, state) = (passport.passport.get(), passport.state.as_str());
        let handed_out_at = passport.handed_out_at.map(rfc_3339).transpose()?;
        if self.json {
            around.output.json(&Listed { id, state, handed_out_at })?;
        } else {
            around.output.line(format_args!("{id:<16} {state:<9} {}", handed_out_at.as_deref().unwrap_or("-")))?;
        }
        Ok(())
    }
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
        check("", Err("name what is to be reset, by --tags, --state, --older-than or --id"));
        check("--rule or", Err("name what is to be reset, by --tags, --state, --older-than or --id"));
        check("--id 5 --id 6,7", Ok("Named([5, 6, 7])"));
        check("--id 5 --tags vip", Err("--id names passports one by one, and cannot be joined with other conditions"));
        check("--tags ,", Err("--tags: no tag is given"));
        check(
            "--tags b,a --rule or --state scanned --older-than 2h",
            Ok("Matching { selector: Some(Selector { tags: [\"a\", \"b\"], rule: Or }), state: Some(Scanned), \
                handed_out_before: Some(0us) }"),
        );
    }
}
