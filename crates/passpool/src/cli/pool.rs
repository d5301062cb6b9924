//! `pool`: how many passports are in which state.

use std::process::ExitCode;

use passpool_core::{StateName, Tag};
use passpool_store::{Intent, PoolCounts, PoolPage, StateCounts, TagFilter};
use serde::{Serialize, Serializer};

use super::Surroundings;
use crate::http::v1::shapes::{Counts, Pool};

/// How many tags are listed if none is named, and how many are read at once if every one is.
const TAGS_LISTED: usize = 1_000;

/// Count passports by state, of the whole pool and of each tag
#[derive(Debug, clap::Args)]
pub(super) struct PoolCommand {
    /// Only this tag instead of the 1,000 largest; may be given more than once
    #[arg(long, value_name = "TAG", visible_alias = "tags", value_parser = Tag::parse)]
    tag: Vec<Tag>,
    /// Every tag by name, instead of the 1,000 largest
    #[arg(long, conflicts_with = "tag")]
    every_tag: bool,
    /// Print the counts as JSON; with --every-tag an object a line
    #[arg(long)]
    json: bool,
}

impl PoolCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        if self.every_tag {
            return self.list(around).await;
        }
        let filter = if self.tag.is_empty() { TagFilter::Largest(TAGS_LISTED) } else { TagFilter::Named(self.tag) };
        let store = around.open(Intent::Read).await?;
        let counts = store.counts(filter, around.now()).await?;
        if self.json {
            around.output.json(&PoolJson::from(&counts))?;
        } else {
            for line in table(&counts) {
                around.output.line(line)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Lists every tag, however many there are.
    async fn list(&self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let store = around.open(Intent::Read).await?;
        let (now, mut after) = (around.now(), None);
        if !self.json {
            around.output.line(line(&heads(), "tag"))?;
        }
        loop {
            let found = store.pools(PoolPage { after, limit: TAGS_LISTED, now }).await?;
            for pool in &found {
                match self.json {
                    true => around.output.json(&Pool::of(pool))?,
                    false => around.output.line(line(&numbers(&pool.1), pool.0.as_str()))?,
                }
            }
            let Some((last, _)) = found.last().filter(|_| found.len() == TAGS_LISTED) else { break };
            after = Some(last.clone());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A line of a list whose other lines are not known yet: the counts are in columns, and the name comes last.
fn line(cells: &[String], name: &str) -> String {
    let cells = cells.iter().map(|cell| format!("{cell:>9}  "));
    format!("{}{name}", cells.collect::<String>())
}

fn heads() -> Vec<String> {
    StateName::ALL.iter().map(|state| state.as_str()).chain(["total"]).map(str::to_owned).collect()
}

#[derive(Serialize)]
struct PoolJson<'a> {
    all: Counts,
    #[serde(serialize_with = "as_map")]
    tags: Vec<(&'a str, Counts)>,
}

impl<'a> From<&'a PoolCounts> for PoolJson<'a> {
    fn from(counts: &'a PoolCounts) -> Self {
        let tags = counts.tags.iter().map(|(tag, counts)| (tag.as_str(), Counts::of(counts))).collect();
        Self { all: Counts::of(&counts.all), tags }
    }
}

/// The largest tag stays the first.
fn as_map<S: Serializer>(tags: &[(&str, Counts)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tags.iter().map(|(tag, counts)| (tag, counts)))
}

/// Lines with a column for each state. The first row counts the whole pool.
fn table(counts: &PoolCounts) -> Vec<String> {
    let mut rows = vec![("tag".to_owned(), heads())];
    rows.push(("(all)".to_owned(), numbers(&counts.all)));
    rows.extend(counts.tags.iter().map(|(tag, counts)| (tag.to_string(), numbers(counts))));
    let first = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
    let column = |index: usize| rows.iter().map(|(_, cells)| cells[index].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..=StateName::ALL.len()).map(column).collect();
    let line = |(label, cells): &(String, Vec<String>)| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}"));
        format!("{label:<first$}{}", cells.collect::<String>())
    };
    rows.iter().map(line).collect()
}

fn numbers(counts: &StateCounts) -> Vec<String> {
    StateName::ALL.iter().map(|state| counts.of(*state)).chain([counts.total()]).map(|n| n.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> PoolCounts {
        let tag = |text| (Tag::parse(text).unwrap(), StateCounts::default());
        PoolCounts { all: StateCounts::default(), tags: vec![tag("vip"), tag("a\"b")] }
    }

    #[test]
    fn json_has_every_state_and_keeps_the_order_of_tags() {
        let zeros =
            r#"{"available":0,"reserved":0,"scanned":0,"pending":0,"claimed":0,"recovered":0,"withdrawn":0,"total":0}"#;
        let expected = format!(r#"{{"all":{zeros},"tags":{{"vip":{zeros},"a\"b":{zeros}}}}}"#);
        assert_eq!(serde_json::to_string(&PoolJson::from(&counts())).unwrap(), expected);
    }

    #[test]
    fn a_table_has_a_line_for_each_tag() {
        let expected = [
            "tag    available  reserved  scanned  pending  claimed  recovered  withdrawn  total",
            "(all)          0         0        0        0        0          0          0      0",
            "vip            0         0        0        0        0          0          0      0",
            "a\"b            0         0        0        0        0          0          0      0",
        ];
        assert_eq!(table(&counts()), expected);
    }
}
