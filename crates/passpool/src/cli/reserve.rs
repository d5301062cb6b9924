//! `reserve`: passports for somebody, by the command line.

use std::process::ExitCode;

use passpool_core::{
    Actor, HandOutSeed, IdempotencyKey, Kept, LinkBase, Network, ParameterDigest, Refusal, Repeat, ReservationId,
    Reserve, Rule, Selector, Shortage, Tag, WholeSeconds,
};
use passpool_store::{Intent, LinkSettings, Store, StoreError};
use serde::Serialize;

use super::{Passports, Surroundings, misused, span::parse_span};
use crate::{
    clock::random,
    handout::{Handout, HandoutEntry, HandoutFormat},
};

/// Where links lead until a server has said otherwise.
const DEFAULT_BASE: &str = "http://127.0.0.1:8080";

/// Take passports out of the pool and print a link for each
#[derive(Debug, clap::Args)]
pub(super) struct ReserveCommand {
    /// The tags that pick the passports, with commas between them
    #[arg(long, value_name = "TAGS", required = true, visible_alias = "tag")]
    tags: Vec<String>,
    /// Whether a passport needs all of the tags (and) or one of them (or)
    #[arg(long, value_name = "RULE", default_value = "and")]
    rule: Rule,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(Reserve::MAX_COUNT)))]
    count: u32,
    /// What is printed for each
    #[arg(long, value_name = "FORMAT", default_value = "link")]
    format: HandoutFormat,
    /// When the reservation ends by itself: seconds, or a number with s, m, h, d or w behind it
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    expires_in: Option<WholeSeconds>,
    /// Makes the call repeatable: the same key gives the same links again
    #[arg(long, value_name = "KEY", value_parser = IdempotencyKey::parse)]
    idempotency_key: Option<IdempotencyKey>,
    /// Take as many as there are, if there are not enough
    #[arg(long)]
    partial: bool,
    /// Where links lead [default: what the last serve said]
    #[arg(long, value_name = "URL", value_parser = LinkBase::parse)]
    link_base: Option<LinkBase>,
    /// The network that links name [default: what the last serve said]
    #[arg(long, value_name = "SLUG", value_parser = Network::parse)]
    network: Option<Network>,
    /// Print one JSON object, with the id of the reservation
    #[arg(long)]
    json: bool,
}

/// A reservation as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    id: Option<String>,
    count: usize,
    links: Vec<HandoutEntry<'a>>,
}

impl ReserveCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let selector = Selector::parse(self.tags.iter().map(String::as_str), self.rule)
            .map_err(|error| misused(format!("--tags: {error}")))?;
        let (store, secret) = around.open_with_secret(Intent::Write).await?;
        let links = self.link_settings(&*store, around).await?;
        let wish = self.wish(selector, around);
        let reservation = store.reserve(wish).await.map_err(|error| self.explain(error))?;
        let id = reservation.id;
        let handouts = reservation.handed_out.into_iter().map(|handed| Handout::new(&handed, &secret, &links));
        let handouts = handouts.collect::<Result<Vec<_>, _>>()?;
        if handouts.len() < self.count as usize {
            around.output.message(format_args!("Reserved {} of {}.", handouts.len(), Passports(self.count.into())));
        }
        self.print(id, &handouts, around)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn link_settings(&self, store: &dyn Store, around: &Surroundings<'_>) -> Result<LinkSettings, StoreError> {
        let (kept_base, kept_network) = match store.link_settings().await? {
            Some(LinkSettings { base, network }) => (Some(base), network),
            None => (None, None),
        };
        let base = self.link_base.clone().or(kept_base).unwrap_or_else(|| {
            around.output.warning(format_args!(
                "no server has said where links lead, so these lead to {DEFAULT_BASE}; --link-base changes that"
            ));
            LinkBase::parse(DEFAULT_BASE).expect("the default is a link base")
        });
        Ok(LinkSettings { base, network: self.network.clone().or(kept_network) })
    }

    fn wish(&self, selector: Selector, around: &Surroundings<'_>) -> Reserve {
        let now = around.now();
        let repeat = self
            .idempotency_key
            .as_ref()
            .map(|key| Repeat { record: key.digest("cli", "/reserve"), parameters: self.parameters(&selector) });
        Reserve {
            selector,
            count: self.count,
            shortage: self.shortage(),
            by: Actor::CommandLine,
            now,
            until: self.expires_in.map(|span| now.plus(span)),
            keep: Some(Kept { id: ReservationId::new(now, random(&*around.entropy)), repeat }),
            seed: HandOutSeed::new(random(&*around.entropy)),
            with_content: self.format == HandoutFormat::Content,
        }
    }

    /// All that makes one call different from another under the same key. A selector's tags are sorted.
    fn parameters(&self, selector: &Selector) -> ParameterDigest {
        let tags = selector.tags().iter().map(Tag::as_str).collect::<Vec<_>>().join(",");
        let expires_in = self.expires_in.map(|span| span.get().to_string()).unwrap_or_default();
        let shortage = match self.shortage() {
            Shortage::Refuse => "refuse",
            Shortage::Partial => "partial",
        };
        let count = self.count.to_string();
        ParameterDigest::of([&*tags, selector.rule().as_str(), &count, &expires_in, shortage, self.format.as_str()])
    }

    fn shortage(&self) -> Shortage {
        if self.partial { Shortage::Partial } else { Shortage::Refuse }
    }

    fn explain(&self, error: StoreError) -> anyhow::Error {
        match error {
            StoreError::Refusal(Refusal::PoolShort { available }) => anyhow::anyhow!(
                "nothing was reserved: {} asked for, {available} available",
                Passports(self.count.into())
            ),
            error => error.into(),
        }
    }

    fn print(
        &self,
        id: Option<ReservationId>,
        handouts: &[Handout],
        around: &mut Surroundings<'_>,
    ) -> anyhow::Result<()> {
        if self.json {
            let links = handouts.iter().map(|handout| handout.entry(self.format)).collect();
            return Ok(around.output.json(&Printed {
                id: id.map(|id| id.to_string()),
                count: handouts.len(),
                links,
            })?);
        }
        for handout in handouts {
            match self.format {
                HandoutFormat::Link => around.output.line(&handout.link)?,
                HandoutFormat::LinkObject => around.output.json(&handout.link_object())?,
                HandoutFormat::Content => around.output.line(handout.content())?,
            }
        }
        Ok(())
    }
}
