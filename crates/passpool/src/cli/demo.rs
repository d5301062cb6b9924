//! `demo`: everything in one command, to be seen and thrown away.

mod catalogue;

use std::{fs, io, path::Path, process::ExitCode};

use anyhow::Context;
use passpool_core::{
    Actor, ApiKey, Code, Granter, HandOutSeed, Kept, LinkBase, NewPassport, PassportId, ReservationId, Reserve, Right,
    Rule, Secret, Selector, Shortage, Tag, Tags, UserName, WholeSeconds,
};
use passpool_store::{
    Create, Fault, ImportTerms, Intent, LinkSettings, NewKey, NewUser, OpenError, ProfileOf, Store, sqlite,
};
use tokio::net::TcpListener;

use super::{
    Surroundings,
    serve::{base_of, cannot_listen, tell_address},
};
use crate::{
    address::TrustedProxies,
    clock::random,
    database::{Place, with_suffix},
    handout::Handout,
    http,
    listening::listen,
    logs::LogFlags,
    serve::{EndSignals, serve},
    shop::Shop,
};

const DATABASE: &str = "passpool-demo.db";
const TAG: &str = "vip";
const PASSPORTS: usize = 150;
const RESERVED: u32 = 50;

/// Make a fresh passpool-demo.db with 150 passports, reserve 50, print their links, and serve the rest
#[derive(Debug, clap::Args)]
pub(super) struct DemoCommand {
    /// The address to listen at; if it is taken, a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    #[command(flatten)]
    logs: LogFlags,
}

impl DemoCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        self.logs.start(around.output)?;
        around.place = Place::new(passpool_store::DatabaseUrl::Sqlite(DATABASE.into()), None);
        release_old(Path::new(DATABASE)).await?;
        let listener = listen_here_or_beside(&self.listen, around).await?;
        remove_old(Path::new(DATABASE))?;
        let address = listener.local_addr()?;
        let base = base_of(address)?;
        let signals = EndSignals::listen()?;
        let (store, secret) = around.open_with_secret(Intent::Serve).await?;
        let links = LinkSettings { base: base.clone(), network: None };
        store.keep_link_settings(links.clone()).await?;
        create(&*store, around).await?;
        for handout in reserve(&*store, &secret, &links, around).await? {
            around.output.line(handout.link)?;
        }
        let key = add_user(&*store, around).await?;
        around.output.line(curl(&base, &key))?;
        around.output.flush()?;
        tell_address(address, around);
        around.hand_over();
        let (clock, entropy) = (around.clock.clone(), around.entropy.clone());
        let (tag_rule, proxies) = (Rule::default(), TrustedProxies::default());
        let keep_recipients = WholeSeconds::new(400 * 24 * 3_600).expect("400 days are a span");
        let shop = Shop {
            store,
            secret,
            links,
            public_url: base,
            tag_rule,
            proxies,
            held_per_address: Shop::HELD_PER_ADDRESS,
            limit_keys: false,
            settle_delay: None,
            keep_recipients,
            clock,
            entropy,
        };
        serve(listener, shop, signals, http::router).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes sure that what an earlier demo left may go: nobody serves it, and it is a demo's.
async fn release_old(database: &Path) -> anyhow::Result<()> {
    if !database.exists() {
        return Ok(());
    }
    match sqlite::open(database, Intent::Serve, None) {
        Ok(store) => store.close().await,
        // Its making was cut off, or a newer Passpool made it, or it is damaged.
        Err(OpenError::Missing(_) | OpenError::Newer { .. } | OpenError::Fault { fault: Fault::Damaged(_), .. }) => {}
        Err(error) => return Err(error).context("the old demo stays as it is"),
    }
    Ok(())
}

fn remove_old(database: &Path) -> anyhow::Result<()> {
    // The database goes first: without it the others are nothing, whereas it would be nothing without its secret.
    for suffix in ["", "-wal", "-shm", ".secret"] {
        let file = with_suffix(database, suffix);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| file.display().to_string());
            }
            _ => {}
        }
    }
    Ok(())
}

async fn listen_here_or_beside(address: &str, around: &Surroundings<'_>) -> anyhow::Result<TcpListener> {
    match listen(address).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
            let listener = listen(&format!("{host}:0")).await.map_err(|error| cannot_listen(address, &error))?;
            around.output.message(format_args!("{address} is in use, so the demo takes {}", listener.local_addr()?));
            Ok(listener)
        }
        bound => bound.map_err(|error| cannot_listen(address, &error)),
    }
}

async fn create(store: &dyn Store, around: &Surroundings<'_>) -> anyhow::Result<()> {
    let tags = Tags::new([Tag::parse(TAG)?])?;
    let mut passports = Vec::with_capacity(PASSPORTS);
    let neighbourhood = u16::from_be_bytes(random(&*around.entropy));
    for content in catalogue::contents(PASSPORTS) {
        let id = PassportId::from_random(neighbourhood, u32::from_be_bytes(random(&*around.entropy)));
        passports.push(NewPassport { id, code: Code::None, tags: tags.clone(), content: content? });
    }
    let terms = ImportTerms { by: Actor::CommandLine, now: around.now(), imported: false, skip_known: false };
    store.create(Create { passports, terms }).await?;
    Ok(())
}

async fn reserve(
    store: &dyn Store,
    secret: &Secret,
    links: &LinkSettings,
    around: &Surroundings<'_>,
) -> anyhow::Result<Vec<Handout>> {
    let now = around.now();
    let wish = Reserve {
        selector: Selector::new([Tag::parse(TAG)?], Rule::And)?,
        count: RESERVED,
        shortage: Shortage::Refuse,
        by: Actor::CommandLine,
        now,
        until: None,
        keep: Some(Kept::new(ReservationId::new(now, random(&*around.entropy)), None)),
        seed: HandOutSeed::new(random(&*around.entropy)),
        with_content: false,
    };
    let reservation = store.reserve(wish).await?;
    let handouts = reservation.handed_out.into_iter().map(|handed| Handout::new(&handed, secret, links));
    Ok(handouts.collect::<Result<_, _>>()?)
}

/// A user of the demo's own, who may do what the curl line does and no more.
async fn add_user(store: &dyn Store, around: &Surroundings<'_>) -> anyhow::Result<ApiKey> {
    let key = ApiKey::from_random(&random(&*around.entropy));
    let name = UserName::parse("demo")?;
    let rights = [Right::CertCreate].into_iter().collect();
    let user = NewUser { name, profile: ProfileOf::Own(rights), key: NewKey::of(&key, around.now()) };
    store.add_user(user, Granter::CommandLine).await?;
    Ok(key)
}

fn curl(base: &LinkBase, key: &ApiKey) -> String {
    let key = key.reveal();
    format!("curl -sS -H 'x-api-key: {key}' '{base}/dispenser/distribution/reserveOne?tags={TAG}&format=link'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curl_line_asks_for_a_link() {
        let line = curl(&LinkBase::parse("http://127.0.0.1:8080").unwrap(), &ApiKey::from_random(&[0; 32]));
        let path = "http://127.0.0.1:8080/dispenser/distribution/reserveOne?tags=vip&format=link";
        assert_eq!(line, format!("curl -sS -H 'x-api-key: pp_{}' '{path}'", "a".repeat(52)));
    }
}
