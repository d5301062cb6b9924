//! The textbook statement: what a queue in PostgreSQL is usually made of, to be compared with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use super::{load::Tally, schema::Schema, stopwatch::Stopwatch, waits::Waits};

/// The table is as lean as it can be: no history, no link, one tag.
const TABLE: &str = "
    CREATE TABLE textbook (id bigint PRIMARY KEY, tag text NOT NULL, state smallint NOT NULL);
    CREATE INDEX textbook_available ON textbook (tag, id) WHERE state = 0;";
const TAKE: &str = "
    UPDATE textbook SET state = 1 WHERE id = (
        SELECT id FROM textbook WHERE tag = 'vip' AND state = 0 ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1
    ) RETURNING id";

/// Makes the table anew.
pub(super) async fn fill(schema: &Schema, passports: u64) -> anyhow::Result<()> {
    let client = schema.connect().await?;
    client.batch_execute(&format!("DROP TABLE IF EXISTS textbook; {TABLE}")).await?;
    let rows = format!("INSERT INTO textbook SELECT id, 'vip', 0 FROM generate_series(1, {passports}) AS id");
    client.batch_execute(&rows).await?;
    Ok(client.batch_execute("VACUUM (ANALYZE) textbook").await?)
}

/// Takes one after the other over so many connections, each with the statement prepared.
pub(super) async fn carry(schema: &Schema, connections: usize, time: Duration, most: u64) -> anyhow::Result<Tally> {
    let left = Arc::new(AtomicI64::new(i64::try_from(most).unwrap_or(i64::MAX)));
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        let client = schema.connect().await?;
        let statement = client.prepare(TAKE).await?;
        clients.push((client, statement));
    }
    let watch = Stopwatch::start();
    let mut taking = JoinSet::new();
    for (client, statement) in clients {
        let left = left.clone();
        taking.spawn(async move {
            let mut seen = Vec::new();
            while watch.elapsed() < time && left.fetch_sub(1, Ordering::Relaxed) > 0 {
                let begun = watch.elapsed();
                client.query_one(&statement, &[]).await?;
                seen.push((begun, watch.elapsed()));
            }
            Ok::<_, tokio_postgres::Error>(seen)
        });
    }
    let mut all = Tally { waits: vec![Waits::default()], ..Tally::default() };
    while let Some(seen) = taking.join_next().await {
        for (begun, ended) in seen?? {
            all.waits[0].add(ended.saturating_sub(begun));
            all.note_answer(ended);
        }
    }
    all.time = watch.elapsed();
    Ok(all)
}
