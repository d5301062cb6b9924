//! `kiosk`: one address at which everybody gets a passport.

use std::process::ExitCode;

use passpool_core::{Kiosk, KioskName, Rule, Selector, Tag, Timestamp, WholeSeconds};
use passpool_store::{Intent, KioskInfo};
use serde::Serialize;

use super::{
    Surroundings, misused,
    moment::{parse_moment, rfc_3339},
    span::parse_span,
};

/// Open, list and close kiosks: one address each, at which every visitor gets a passport of their own
#[derive(Debug, clap::Subcommand)]
pub(super) enum KioskCommand {
    /// Open a kiosk
    Add(AddCommand),
    /// List all kiosks, and how many of their passports are held and claimed
    List {
        /// Print the kiosks as JSON
        #[arg(long)]
        json: bool,
    },
    /// Close a kiosk; what its visitors hold they may still claim
    Close {
        #[arg(value_parser = KioskName::parse)]
        name: KioskName,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct AddCommand {
    /// What the kiosk is called: the last part of its address, /k/NAME
    #[arg(value_parser = KioskName::parse)]
    name: KioskName,
    /// The tags of the passports that it gives; may be given more than once
    #[arg(long, value_name = "TAG", visible_alias = "tags", required = true)]
    tag: Vec<String>,
    /// Whether a passport needs all of the tags (and) or one of them (or)
    #[arg(long, value_name = "RULE", default_value = "and")]
    rule: Rule,
    /// How long a visitor may take to claim
    #[arg(long, value_name = "SPAN", default_value = "15m", value_parser = parse_span)]
    hold: WholeSeconds,
    /// How many passports one visitor may claim, and one wallet
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    per_visitor: u32,
    /// From when on it gives passports, such as 2026-06-01T09:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    opens: Option<Timestamp>,
    /// When it stops giving them
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    closes: Option<Timestamp>,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
    rule: &'static str,
    hold_seconds: u32,
    per_visitor: u32,
    opens: Option<String>,
    closes: Option<String>,
    held: u64,
    claimed: u64,
}

impl KioskCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add(command) => command.run(around).await?,
            Self::List { json } => list(json, around).await?,
            Self::Close { name } => {
                let store = around.open(Intent::Write).await?;
                store.close_kiosk(name.clone(), around.now()).await?;
                around.output.message(format_args!("The kiosk {name} is closed."));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl AddCommand {
    async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        let now = around.now();
        let kiosk = self.kiosk(now)?;
        let name = kiosk.name.clone();
        let store = around.open(Intent::Write).await?;
        store.add_kiosk(kiosk, now).await?;
        around.output.message("Everybody gets a passport at this path of the server:");
        around.output.line(format_args!("/k/{name}"))?;
        Ok(())
    }

    fn kiosk(self, now: Timestamp) -> Result<Kiosk, clap::Error> {
        let selector = Selector::parse(self.tag.iter().map(String::as_str), self.rule);
        let selector = selector.map_err(|error| misused(format!("--tag: {error}")))?;
        if self.closes.is_some_and(|closes| closes <= now) {
            return Err(misused("--closes lies in the past"));
        }
        if let (Some(opens), Some(closes)) = (self.opens, self.closes)
            && closes <= opens
        {
            return Err(misused("--closes is not after --opens"));
        }
        let Self { name, hold, per_visitor, opens, closes, .. } = self;
        Ok(Kiosk { name, selector, hold, per_visitor, opens, closes })
    }
}

async fn list(json: bool, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Read).await?;
    let kiosks = store.kiosks(around.now()).await?;
    let listed = kiosks.iter().map(listed).collect::<anyhow::Result<Vec<_>>>()?;
    if json {
        return Ok(around.output.json(&listed)?);
    }
    let width = listed.iter().map(|kiosk| kiosk.name.len()).max().unwrap_or_default();
    for Listed { name, tags, rule, held, claimed, opens, closes, .. } in &listed {
        let tags = tags.join(if *rule == "or" { " or " } else { " and " });
        let [opens, closes] = [opens, closes].map(|moment| moment.as_deref().unwrap_or("-"));
        around
            .output
            .line(format_args!("{name:<width$}  {held:>6} held  {claimed:>6} claimed  {opens} to {closes}  {tags}"))?;
    }
    Ok(())
}

fn listed(info: &KioskInfo) -> anyhow::Result<Listed<'_>> {
    let KioskInfo { kiosk, held, claimed } = info;
    Ok(Listed {
        name: kiosk.name.as_str(),
        tags: kiosk.selector.tags().iter().map(Tag::as_str).collect(),
        rule: kiosk.selector.rule().as_str(),
        hold_seconds: kiosk.hold.get(),
        per_visitor: kiosk.per_visitor,
        opens: kiosk.opens.map(rfc_3339).transpose()?,
        closes: kiosk.closes.map(rfc_3339).transpose()?,
        held: *held,
        claimed: *claimed,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        add: AddCommand,
    }

    #[test]
    fn a_kiosk_is_what_was_asked_for_or_named_wrong() {
        let check = |line: &str, expected: Result<(u32, u32), &str>| {
            let words = ["add"].into_iter().chain(line.split_ascii_whitespace());
            let kiosk = Line::try_parse_from(words).and_then(|line| line.add.kiosk(Timestamp::from_micros(0)));
            match (kiosk, expected) {
                (Ok(kiosk), Ok(expected)) => assert_eq!((kiosk.hold.get(), kiosk.per_visitor), expected, "{line}"),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{line}: {error}"),
                (kiosk, expected) => panic!("{line}: {kiosk:?} is not {expected:?}"),
            }
        };
        check("expo --tag a --tag b", Ok((900, 1)));
        check("expo --tag a,b --rule or --hold 1h --per-visitor 3", Ok((3_600, 3)));
        check("expo --tag a --opens 2026-06-01T09:00:00Z --closes 2026-06-01T18:00:00+02:00", Ok((900, 1)));
        check("expo", Err("--tag"));
        check("expo --tag ,", Err("--tag: no tag is given"));
        check("e/x --tag a", Err("NAME"));
        check("expo --tag a --hold 0", Err("--hold"));
        check("expo --tag a --per-visitor 0", Err("--per-visitor"));
        check("expo --tag a --opens tomorrow", Err("--opens"));
        check("expo --tag a --closes 1969-01-01T00:00:00Z", Err("--closes lies in the past"));
        check(
            "expo --tag a --opens 2026-06-02T00:00:00Z --closes 2026-06-01T00:00:00Z",
            Err("--closes is not after --opens"),
        );
    }
}
