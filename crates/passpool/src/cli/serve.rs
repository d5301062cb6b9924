//! `serve`: the server.

use std::{io, net::SocketAddr, process::ExitCode};

use anyhow::{Context, anyhow};
use axum::Router;
use passpool_core::{LinkBase, Network, Rule, State, WholeSeconds};
use passpool_store::{DatabaseUrl, Intent, LinkSettings, Store, StoreError};

use super::{Surroundings, span::parse_span};
use crate::{
    address::TrustedProxy,
    app::App,
    http,
    listening::listen,
    logs::LogFlags,
    serve::{EndSignals, serve},
    shop::Shop,
};

/// Serve the API and the links
#[derive(Debug, clap::Args)]
pub(super) struct ServeCommand {
    /// The address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// How this server is reached from outside [default: http and the address it listens at]
    #[arg(long, value_name = "URL", value_parser = LinkBase::parse)]
    public_url: Option<LinkBase>,
    /// Where links lead [default: the public URL]
    #[arg(long, value_name = "URL", value_parser = LinkBase::parse)]
    link_base: Option<LinkBase>,
    /// The network that links name, as Arianee's wallets need it for a host of your own
    #[arg(long, value_name = "SLUG", value_parser = Network::parse)]
    network: Option<Network>,
    /// Whether several tags mean passports with all of them (and) or with one of them (or), if a call does not say
    #[arg(long, value_name = "RULE", default_value = "and")]
    tag_rule: Rule,
    /// A proxy that may say on whose behalf it asks, as an address or a network; may be given more than once
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = TrustedProxy::parse)]
    trusted_proxy: Vec<TrustedProxy>,
    /// How many passports that nobody has claimed one address may hold of all kiosks: a venue is one address
    #[arg(long, value_name = "N", default_value_t = Shop::HELD_PER_ADDRESS, value_parser = clap::value_parser!(u32).range(1..))]
    held_per_address: u32,
    /// Limit calls with a good key by address too, as those of strangers are
    #[arg(long)]
    limit_keys: bool,
    /// How long a transfer stays pending before it is settled: 0, or a span below 15m, after which transfers fail
    #[arg(long, value_name = "SPAN", default_value = "0", value_parser = SettleDelay::parse)]
    settle_delay: SettleDelay,
    /// How long recipients are kept after the last of their passports has left the shop
    #[arg(long, value_name = "SPAN", default_value = "400d", value_parser = parse_span)]
    keep_recipients: WholeSeconds,
    #[command(flatten)]
    logs: LogFlags,
}

/// None settles at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SettleDelay(Option<WholeSeconds>);

impl SettleDelay {
    fn parse(text: &str) -> Result<Self, String> {
        if matches!(text, "0" | "0s") {
            return Ok(Self(None));
        }
        let delay = parse_span(text).map_err(|wrong| format!("must be 0, or {wrong}"))?;
        match u64::from(delay.get()) < State::SETTLE_WITHIN {
            true => Ok(Self(Some(delay))),
            false => Err("a transfer that is not settled within 15 minutes has failed".into()),
        }
    }
}

impl ServeCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        self.run_with(around, http::router).await
    }

    /// The same with other paths.
    pub(super) async fn run_with(
        self,
        around: &mut Surroundings<'_>,
        routes: fn(App) -> Router,
    ) -> anyhow::Result<ExitCode> {
        self.logs.start(around.output)?;
        // Before the database, so that an address in use does not leave a new one behind.
        let listener = listen(&self.listen).await.map_err(|error| cannot_listen(&self.listen, &error))?;
        let address = listener.local_addr()?;
        let public_url = match self.public_url {
            Some(url) => url,
            None => base_of(address)?,
        };
        let base = self.link_base.unwrap_or_else(|| public_url.clone());
        let links = LinkSettings { base, network: self.network };
        let mut signals = EndSignals::listen()?;
        let (store, secret) = tokio::select! {
            opened = around.open_with_secret(Intent::Serve) => opened?,
            // Nobody was told yet that there is a server, and what it began with the database is done whole or not at all.
            () = signals.received() => return Ok(ExitCode::SUCCESS),
        };
        store.keep_link_settings(links.clone()).await?;
        for warning in warnings(&public_url, &links) {
            around.output.warning(warning);
        }
        tell_if_nobody_has_a_key(&*store, around).await?;
        tell_address(address, around);
        around.hand_over();
        let (clock, entropy) = (around.clock.clone(), around.entropy.clone());
        let shop = Shop {
            store,
            secret,
            links,
            public_url,
            tag_rule: self.tag_rule,
            proxies: self.trusted_proxy.into(),
            held_per_address: self.held_per_address,
            limit_keys: self.limit_keys,
            settle_delay: self.settle_delay.0,
            keep_recipients: self.keep_recipients,
            clock,
            entropy,
        };
        serve(listener, shop, signals, routes).await?;
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn cannot_listen(address: &str, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!("{address} is in use: another program listens there"),
        _ => anyhow!("cannot listen at {address}: {error}"),
    }
}

/// The URL of an address.
pub(super) fn base_of(address: SocketAddr) -> anyhow::Result<LinkBase> {
    LinkBase::parse(&format!("http://{address}")).context("the address makes no URL; give --public-url")
}

pub(super) fn tell_address(address: SocketAddr, around: &Surroundings<'_>) {
    around.output.message(format_args!("passpool listens on http://{address}"));
}

/// What is allowed, and will surprise.
fn warnings(public_url: &LinkBase, links: &LinkSettings) -> Vec<String> {
    let mut warnings = Vec::new();
    let host = links.base.host();
    if !host.eq_ignore_ascii_case(public_url.host()) {
        warnings.push(format!(
            "links lead to {host}, and this server is reached at {}: it will not see who opens a link",
            public_url.host()
        ));
    }
    if links.network.is_none() && Network::of_host(host).is_none() {
        warnings.push(format!(
            "{host} is a host of your own: Arianee's wallets read its links only if they name a network; give --network"
        ));
    }
    warnings
}

async fn tell_if_nobody_has_a_key(store: &dyn Store, around: &Surroundings<'_>) -> Result<(), StoreError> {
    if store.users().await?.iter().all(|user| user.keys.is_empty()) {
        let database = match around.place.database() {
            DatabaseUrl::Sqlite(path) if path.as_os_str() == "passpool.db" => String::new(),
            database => format!(" --database {database}"),
        };
        around.output.message(format_args!("Nobody has a key yet: `passpool user key admin{database}` prints one."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_leaves_time_to_settle() {
        let check = |text: &str, expected: Option<Option<u32>>| {
            let delay = SettleDelay::parse(text).ok().map(|delay| delay.0.map(WholeSeconds::get));
            assert_eq!(delay, expected, "{text}");
        };
        check("0", Some(None));
        check("0s", Some(None));
        check("30s", Some(Some(30)));
        check("14m", Some(Some(840)));
        check("15m", None);
        check("1d", None);
        check("", None);
        check("-1", None);
    }

    #[test]
    fn a_server_warns_of_links_that_will_not_work() {
        let check = |public_url: &str, base: &str, network: Option<&str>, expected: &[&str]| {
            let [public_url, base] = [public_url, base].map(|url| LinkBase::parse(url).unwrap());
            let links = LinkSettings { base, network: network.map(|slug| Network::parse(slug).unwrap()) };
            let warnings = warnings(&public_url, &links);
            let starts = |(warning, start): (&String, &&str)| warning.starts_with(start);
            assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
            assert!(warnings.iter().zip(expected).all(starts), "{warnings:?}");
        };
        check("https://brand.example", "https://brand.example:8443", Some("mainnet"), &[]);
        check("https://Brand.example", "https://brand.EXAMPLE", None, &["brand.EXAMPLE is a host of your own"]);
        check("https://arian.ee", "https://arian.ee", None, &[]);
        check("https://brand.example", "https://arian.ee", None, &["links lead to arian.ee, and"]);
        check(
            "http://127.0.0.1:8080",
            "https://brand.example",
            None,
            &["links lead to brand.example, and", "brand.example is a host of your own"],
        );
    }
}
