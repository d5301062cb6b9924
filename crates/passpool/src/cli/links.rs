//! Links that are printed: where they lead, and in which form they are shown again.

use passpool_core::{Actor, KeptRecipient, LinkBase, Network, PassportId, ReservationId, Secret};
use passpool_store::{LinkSettings, LinksOf, ShowLinks, ShownLink, Store, StoreError};

use super::{Passports, Surroundings};
use crate::{
    handout::{Handout, HandoutFormat},
    handout_table::write_table,
    http::v1::shapes::Link,
};

/// Where links lead until a server has said otherwise.
const DEFAULT_BASE: &str = "http://127.0.0.1:8080";

/// Where links lead.
#[derive(Debug, clap::Args)]
pub(super) struct LinkFlags {
    /// Where links lead [default: what the last serve said]
    #[arg(long, value_name = "URL", value_parser = LinkBase::parse)]
    link_base: Option<LinkBase>,
    /// The network that links name [default: what the last serve said]
    #[arg(long, value_name = "SLUG", value_parser = Network::parse)]
    network: Option<Network>,
}

impl LinkFlags {
    pub(super) async fn settings(
        &self,
        store: &dyn Store,
        around: &Surroundings<'_>,
    ) -> Result<LinkSettings, StoreError> {
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
}

/// What is printed of a hand-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "camelCase")]
pub(super) enum PrintedFormat {
    Link,
    LinkObject,
    Content,
    Csv,
}

impl PrintedFormat {
    pub(super) const fn handout(self) -> HandoutFormat {
        match self {
            Self::Link | Self::Csv => HandoutFormat::Link,
            Self::LinkObject => HandoutFormat::LinkObject,
            Self::Content => HandoutFormat::Content,
        }
    }

    /// Prints hand-outs, and those who get them. A table has its header before the first of them.
    pub(super) fn print(
        self,
        handouts: &[(Handout, Option<KeptRecipient>)],
        is_first: bool,
        around: &mut Surroundings<'_>,
    ) -> anyhow::Result<()> {
        if self == Self::Csv {
            let mut table = Vec::new();
            write_table(&mut table, is_first, handouts.iter().map(|(handout, one)| (handout, one.as_ref())))?;
            return Ok(around.output.text(&table)?);
        }
        for (handout, _) in handouts {
            match self {
                Self::Link | Self::Csv => around.output.line(&handout.link)?,
                Self::LinkObject => around.output.json(&handout.link_object())?,
                Self::Content => around.output.line(handout.content())?,
            }
        }
        Ok(())
    }
}

/// How links are shown again.
#[derive(Debug, clap::Args)]
pub(super) struct LinksFlags {
    /// What is printed for each; csv is a table with the recipients, for a spreadsheet
    #[arg(long, value_name = "FORMAT", default_value = "link", conflicts_with = "json")]
    format: PrintedFormat,
    #[command(flatten)]
    links: LinkFlags,
    /// Print JSON: an object a line for each passport, whether its link still opens or not
    #[arg(long)]
    json: bool,
}

impl LinksFlags {
    /// Prints the links of a reservation, in the order in which they were handed out.
    pub(super) async fn of_reservation(self, id: ReservationId, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        let shop = self.shop(around).await?;
        let (mut from, mut dead, limit) = (0, 0, LinksOf::MAX);
        loop {
            let found = self.show(&shop, LinksOf::Reservation { id, from, limit }, around).await?;
            dead += self.print(&shop, &found, from == 0, around)?;
            if found.len() < limit {
                break;
            }
            from += u32::try_from(found.len()).expect("a page is small");
        }
        self.tell_of(dead, around);
        Ok(())
    }

    /// Prints the link of a passport that is reserved or scanned.
    pub(super) async fn of_passport(self, id: PassportId, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        let shop = self.shop(around).await?;
        let found = self.show(&shop, LinksOf::Passport(id), around).await?;
        let dead = self.print(&shop, &found, true, around)?;
        self.tell_of(dead, around);
        Ok(())
    }

    async fn shop(&self, around: &mut Surroundings<'_>) -> anyhow::Result<LinkShop> {
        // Each look is written down, and still it is a look: it makes no database.
        let (store, secret) = around.open_existing_with_secret().await?;
        let links = self.links.settings(&*store, around).await?;
        Ok(LinkShop { store, secret, links })
    }

    async fn show(&self, shop: &LinkShop, of: LinksOf, around: &Surroundings<'_>) -> anyhow::Result<Vec<ShownLink>> {
        let with_content = self.format == PrintedFormat::Content && !self.json;
        let wish = ShowLinks { of, with_content, by: Actor::CommandLine, now: around.now() };
        Ok(shop.store.show_links(wish).await?)
    }

    /// Prints a page, and answers how many of its links open nothing any more.
    fn print(
        &self,
        shop: &LinkShop,
        found: &[ShownLink],
        is_first: bool,
        around: &mut Surroundings<'_>,
    ) -> anyhow::Result<u64> {
        let (mut handouts, mut dead) = (Vec::with_capacity(found.len()), 0);
        for shown in found {
            let handout = Handout::of_shown(shown, &shop.secret, &shop.links)?;
            dead += u64::from(handout.is_none());
            match (handout, self.json) {
                (handout, true) => around.output.json(&Link::of(shown, handout))?,
                (Some(handout), false) => handouts.push((handout, shown.recipient.clone())),
                (None, false) => {}
            }
        }
        if !self.json {
            self.format.print(&handouts, is_first, around)?;
        }
        Ok(dead)
    }

    fn tell_of(&self, dead: u64, around: &Surroundings<'_>) {
        if dead > 0 && !self.json {
            around.output.message(format_args!("Left out, for no link of theirs opens any more: {}.", Passports(dead)));
        }
    }
}

/// What links are made of.
struct LinkShop {
    store: std::sync::Arc<dyn Store>,
    secret: Secret,
    links: LinkSettings,
}
