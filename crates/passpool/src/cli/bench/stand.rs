//! Stands: a stock in its database, with the server that serves it.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use anyhow::{Context, bail, ensure};
use passpool_core::{ApiKey, StateName};
use passpool_store::{DatabaseUrl, Intent, TagFilter};
use tempfile::TempDir;

use super::{
    connection::{Connection, Stream},
    request::{self, reset_all},
    schema::Schema,
    server::Server,
    stock::{self, Backend, Stock, Stocked},
    terms::Terms,
    usage::Usage,
};
use crate::{
    cli::Surroundings,
    database::{Place, with_suffix},
};

/// A shop that is measured. Its folder goes with it.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) stock: Stock,
    /// What the connections of all rows count together: whose turn it is, and which number is free.
    pub(super) turn: Arc<AtomicU64>,
    pub(super) claims: Arc<[String]>,
    pub(super) next_claim: Arc<AtomicU64>,
    key: ApiKey,
    /// How many passports can be had.
    available: u64,
    /// None while it is weighed, and between two starts. They stand before what they serve, and so end before it goes.
    servers: Vec<Server>,
    home: Home,
}

/// Where a stand's database is, and its secret.
#[derive(Debug)]
struct Home {
    schema: Option<Schema>,
    folder: TempDir,
}

impl Home {
    async fn make(stock: Stock, terms: Terms<'_>, around: &Surroundings<'_>) -> anyhow::Result<Self> {
        let schema = match (stock.backend, terms.postgres) {
            (Backend::File, _) => None,
            (Backend::Postgres { .. }, Some(url)) => Some(Schema::make(url, &*around.entropy).await?),
            (Backend::Postgres { .. }, None) => bail!("no PostgreSQL is named"),
        };
        let folder = tempfile::Builder::new().prefix("passpool-bench-").tempdir_in(terms.folder);
        Ok(Self { schema, folder: folder.with_context(|| terms.folder.display().to_string())? })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("bench.db")
    }

    fn secret(&self) -> PathBuf {
        self.folder.path().join("bench.secret")
    }

    /// As `--database` names it.
    fn url(&self) -> OsString {
        match &self.schema {
            Some(schema) => schema.url().into(),
            None => [OsStr::new("sqlite:"), self.file().as_os_str()].into_iter().collect(),
        }
    }

    fn place(&self) -> anyhow::Result<Place> {
        let database = match &self.schema {
            Some(schema) => schema.database()?,
            None => DatabaseUrl::Sqlite(self.file()),
        };
        Ok(Place::new(database, Some(self.secret())))
    }
}

impl Stand {
    /// Makes the stock in a place of its own, and serves it.
    pub(super) async fn set_up(stock: Stock, terms: Terms<'_>, around: &Surroundings<'_>) -> anyhow::Result<Self> {
        let home = Home::make(stock, terms, around).await?;
        let Stocked { key, available, claims } = stock.make(&home.place()?, around).await?;
        let (turn, next_claim) = (Arc::default(), Arc::default());
        let mut stand = Self { stock, turn, claims, next_claim, key, available, servers: Vec::new(), home };
        stand.start().await?;
        Ok(stand)
    }

    pub(super) fn key(&self) -> &str {
        self.key.reveal()
    }

    pub(super) const fn available(&self) -> u64 {
        self.available
    }

    pub(super) fn folder(&self) -> &Path {
        self.home.folder.path()
    }

    /// As `--database` names it.
    pub(super) fn url(&self) -> OsString {
        self.home.url()
    }

    /// The place of its own in the PostgreSQL.
    pub(super) fn schema(&self) -> anyhow::Result<&Schema> {
        self.home.schema.as_ref().context("this stock is in no PostgreSQL")
    }

    /// So many of the servers that serve it.
    pub(super) fn addresses(&self, servers: usize) -> anyhow::Result<Vec<SocketAddr>> {
        ensure!((1..=self.servers.len()).contains(&servers), "{} serve this stock", self.servers.len());
        Ok(self.servers[..servers].iter().map(Server::address).collect())
    }

    fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.addresses(1)?[0])
    }

    /// What its servers have used so far, together.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        let mut all = Usage::default();
        for server in &self.servers {
            let used = server.usage()?;
            all = Usage { cpu: all.cpu + used.cpu, memory: all.memory + used.memory };
        }
        Ok(all)
    }

    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.stock.backend.servers() {
            self.servers.push(Server::start(self.stock.program, &self.home.url(), &self.home.secret()).await?);
        }
        Ok(())
    }

    /// Kills the servers, as they are.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        for server in self.servers.drain(..) {
            server.kill().await?;
        }
        Ok(())
    }

    /// Counts what callers were told that they have, or that they gave back.
    pub(super) fn note_taken(&mut self, taken: i64) {
        self.available = self.available.saturating_add_signed(-taken);
    }

    /// Gives everything back that has these tags and is reserved.
    pub(super) async fn refill(&mut self, tags: &str) -> anyhow::Result<()> {
        let mut connection = Connection::over(Stream::open(self.address()?)?)?;
        let answer = connection.call(&request::get(&reset_all(tags), self.key())).await?;
        let text = str::from_utf8(answer.body).unwrap_or_default();
        let count = text.strip_prefix("{\"count\":").and_then(|rest| rest.strip_suffix('}'));
        let count: i64 = count.and_then(|count| count.parse().ok()).with_context(|| format!("no reset: {text}"))?;
        self.note_taken(-count);
        Ok(())
    }

    /// How many bytes the database has, when all of it is in its one file or in its tables and their indexes.
    pub(super) async fn size(&mut self, around: &Surroundings<'_>) -> anyhow::Result<u64> {
        if let Some(schema) = &self.home.schema {
            return schema.size().await;
        }
        self.stop().await?;
        let opened = self.home.place()?.open(Intent::Write, &*around.entropy, around.clock.clone()).await?;
        opened.store.close().await;
        let mut bytes = 0;
        for suffix in ["", "-wal"] {
            bytes += match fs::metadata(with_suffix(&self.home.file(), suffix)) {
                Ok(file) => file.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                Err(error) => return Err(error.into()),
            };
        }
        self.start().await?;
        Ok(bytes)
    }

    /// Hands out so many without the server, as a bulk reservation does.
    pub(super) async fn hand_out(&mut self, count: u64, around: &Surroundings<'_>) -> anyhow::Result<()> {
        self.stop().await?;
        stock::hand_out(&self.home.place()?, count, around).await?;
        self.available -= count;
        self.start().await
    }

    /// Kills the server and looks whether every passport that somebody was told to have is out of the pool.
    ///
    /// So each case proves that its answers came after their commits: what was not committed goes with the process.
    pub(super) async fn tear_down(mut self, around: &Surroundings<'_>) -> anyhow::Result<()> {
        self.stop().await?;
        let opened = self.home.place()?.open(Intent::Read, &*around.entropy, around.clock.clone()).await?;
        let counts = opened.store.counts(TagFilter::Named(Vec::new()), around.now()).await;
        opened.store.close().await;
        let available = counts?.all.of(StateName::Available);
        ensure!(
            available == self.available,
            "the answers and the database disagree: {available} passports are available, and should be {}",
            self.available
        );
        Ok(())
    }
}
