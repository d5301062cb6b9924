//! Stands: a stock in its database, with the server that serves it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use anyhow::{Context, ensure};
use passpool_core::{ApiKey, StateName};
use passpool_store::{DatabaseUrl, Intent, TagFilter};
use tempfile::TempDir;

use super::{
    ask::reset_all,
    connection::{Connection, Stream},
    request,
    server::Server,
    stock::{self, Stock, Stocked},
};
use crate::{
    cli::Surroundings,
    database::{Place, with_suffix},
};

/// A shop that is measured. Its folder goes with it.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) stock: Stock,
    pub(super) database: PathBuf,
    /// What the connections of all rows count together: whose turn it is, and which number is free.
    pub(super) turn: Arc<AtomicU64>,
    pub(super) claims: Arc<[String]>,
    pub(super) next_claim: Arc<AtomicU64>,
    key: ApiKey,
    /// How many passports can be had.
    available: u64,
    /// None while it is weighed, and between two starts.
    server: Option<Server>,
    /// Last, so that the server ends before its folder goes.
    folder: TempDir,
}

impl Stand {
    /// Makes the stock in a folder of its own, and serves it.
    pub(super) async fn set_up(stock: Stock, within: &Path, around: &Surroundings<'_>) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("passpool-bench-").tempdir_in(within);
        let folder = folder.with_context(|| within.display().to_string())?;
        let database = folder.path().join("bench.db");
        let Stocked { key, available, claims } = stock.make(&database, around).await?;
        let (turn, next_claim) = (Arc::default(), Arc::default());
        let mut stand = Self { stock, database, turn, claims, next_claim, key, available, server: None, folder };
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
        self.folder.path()
    }

    pub(super) fn server(&self) -> anyhow::Result<&Server> {
        self.server.as_ref().context("nobody serves this stock")
    }

    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        self.server = Some(Server::start(self.stock.program, &self.database).await?);
        Ok(())
    }

    /// Kills the server, as it is.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        match self.server.take() {
            Some(server) => server.kill().await,
            None => Ok(()),
        }
    }

    /// Counts what callers were told that they have, or that they gave back.
    pub(super) fn note_taken(&mut self, taken: i64) {
        self.available = self.available.saturating_add_signed(-taken);
    }

    /// Gives everything back that has these tags and is reserved.
    pub(super) async fn refill(&mut self, tags: &str) -> anyhow::Result<()> {
        let mut connection = Connection::over(Stream::open(self.server()?.address())?)?;
        let answer = connection.call(&request::get(&reset_all(tags), self.key())).await?;
        let text = str::from_utf8(answer.body).unwrap_or_default();
        let count = text.strip_prefix("{\"count\":").and_then(|rest| rest.strip_suffix('}'));
        let count: i64 = count.and_then(|count| count.parse().ok()).with_context(|| format!("no reset: {text}"))?;
        self.note_taken(-count);
        Ok(())
    }

    /// How many bytes the database has, when all of it is in its one file.
    pub(super) async fn size(&mut self, around: &Surroundings<'_>) -> anyhow::Result<u64> {
        self.stop().await?;
        let opened = self.place().open(Intent::Write, &*around.entropy, around.clock.clone()).await?;
        opened.store.close().await;
        let mut bytes = 0;
        for suffix in ["", "-wal"] {
            bytes += match fs::metadata(with_suffix(&self.database, suffix)) {
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
        stock::hand_out(&self.database, count, around).await?;
        self.available -= count;
        self.start().await
    }

    /// Kills the server and looks whether every passport that somebody was told to have is out of the pool.
    ///
    /// So each case proves that its answers came after their commits: what was not committed goes with the process.
    pub(super) async fn tear_down(mut self, around: &Surroundings<'_>) -> anyhow::Result<()> {
        self.stop().await?;
        let opened = self.place().open(Intent::Read, &*around.entropy, around.clock.clone()).await?;
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

    fn place(&self) -> Place {
        Place::new(DatabaseUrl::Sqlite(self.database.clone()), None)
    }
}
