//! Schemas: a place of its own in a PostgreSQL, for a shop that is measured there.

use anyhow::{Context, ensure};
use passpool_store::DatabaseUrl;
use tokio_postgres::{Client, NoTls};

use crate::clock::{Entropy, random};

/// It goes with this, and everything that is in it.
#[derive(Debug)]
pub(super) struct Schema {
    /// With the schema as its search path.
    url: String,
    name: String,
}

impl Schema {
    /// Fails if schemas cannot be made there.
    pub(super) async fn try_out(server: &str, entropy: &dyn Entropy) -> anyhow::Result<()> {
        Self::make(server, entropy).await.map(drop)
    }

    pub(super) async fn make(server: &str, entropy: &dyn Entropy) -> anyhow::Result<Self> {
        ensure!(
            !server.contains("options="),
            "--postgres: the URL's `options` are needed for the measurement's schema"
        );
        // Whoever finds one that was left behind sees whether its process still runs.
        let name = format!("passpool_bench_{}_{:08x}", std::process::id(), u32::from_be_bytes(random(entropy)));
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-csearch_path%3D{name}");
        let schema = Self { url, name };
        schema.connect().await?.batch_execute(&format!("CREATE SCHEMA {}", schema.name)).await?;
        Ok(schema)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn database(&self) -> anyhow::Result<DatabaseUrl> {
        self.url.parse().context("--postgres")
    }

    /// A connection that works in it.
    pub(super) async fn connect(&self) -> anyhow::Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.context("--postgres")?;
        // It ends with the client, and the client tells what is wrong with it.
        tokio::spawn(connection);
        Ok(client)
    }

    /// How many bytes its tables and indexes have.
    pub(super) async fn size(&self) -> anyhow::Result<u64> {
        let sql = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class \
                   WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'm')";
        let bytes: i64 = self.connect().await?.query_one(sql, &[]).await?.try_get(0)?;
        Ok(bytes.cast_unsigned())
    }
}

impl Drop for Schema {
    /// Also when the measurement was given up. What is left behind if even this fails is one schema that says what it is.
    fn drop(&mut self) {
        let (url, sql) = (self.url.clone(), format!("DROP SCHEMA {} CASCADE", self.name));
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await.ok()?;
                tokio::spawn(connection);
                client.batch_execute(&sql).await.ok()
            })
        });
        let _ = dropping.join();
    }
}
