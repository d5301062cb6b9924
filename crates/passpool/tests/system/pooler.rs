//! PgBouncer in transaction mode between the servers and PostgreSQL: each transaction may have another connection.

use std::{fs, thread};

use serde_json::json;

use crate::{
    cluster::{Cluster, Mode, Port, SOON, as_postgres, own},
    load::Load,
    process::Process,
    shop::{Server, Shop},
    watch::{rounds, within},
};

/// Fewer connections than one server would have, so that all share them.
const CONNECTIONS: u32 = 4;

struct Pooler {
    port: Port,
    folder: tempfile::TempDir,
    process: Process,
}

impl Pooler {
    fn before(cluster: &Cluster) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), Port::any());
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\npool_mode = transaction\nlisten_addr = 127.0.0.1\n\
             listen_port = {}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\nmax_client_conn = 200\n\
             default_pool_size = {CONNECTIONS}\n",
            cluster.folder().display(),
            cluster.port(),
            port.number(),
            folder.path().join("users").display(),
        );
        fs::write(folder.path().join("settings"), settings).unwrap();
        fs::write(folder.path().join("users"), "\"passpool\" \"\"\n").unwrap();
        own(folder.path());
        let process = Self::start(&folder);
        Self { port, folder, process }
    }

    fn start(folder: &tempfile::TempDir) -> Process {
        let mut command = as_postgres("/usr/sbin/pgbouncer");
        let process = Process::spawn(command.arg(folder.path().join("settings")));
        process.told(|line| line.contains("process up").then_some(()));
        process
    }

    fn restart(&mut self) {
        self.process.signal("KILL");
        self.process.end_within(SOON);
        self.process = Self::start(&self.folder);
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://passpool@127.0.0.1:{}/{database}", self.port.number())
    }
}

#[test]
fn everything_works_behind_a_pooler_that_gives_each_transaction_another_connection() {
    let mut cluster = Cluster::start();
    let mut pooler = Pooler::before(&cluster);
    // Ten make their schema through the same few connections.
    cluster.sql("postgres", "CREATE DATABASE shop");
    let shop = Shop::at(pooler.url("shop"));
    let servers: Vec<Server> = thread::scope(|scope| {
        let starting: Vec<_> = (0..10).map(|_| scope.spawn(|| shop.serve())).collect();
        starting.into_iter().take(3).map(|server| server.join().unwrap()).collect()
    });
    let created = rounds(100_000, 6_000);
    shop.create(created, "vip");
    let key = shop.key("crm", "certCreate,certRead");
    let client = servers[0].client(&key);
    // An import and a bulk, which have transactions of many statements, and a worker's.
    let rows: String = (1..=9_000).map(|id| format!("{{\"id\":{id},\"tags\":[\"vip\"]}}\n")).collect();
    let begun = client.post("/v1/passports/import", "application/x-ndjson", &rows);
    let place = begun.header("location").unwrap();
    let job = within(SOON, "the import", || {
        let job = client.get(place).json();
        (job["state"] != "running").then_some(job)
    });
    assert_eq!((&job["state"], &job["imported"]), (&json!("done"), &json!(9_000)), "{job}");
    let bulk = client.post_json("/v1/reservations", &json!({"tags": ["vip"], "count": 5_000, "expires_in": 1}));
    assert_eq!(bulk.status, 201, "{}", bulk.body);
    within(SOON, "the end of all holds", || (shop.count("available") == u64::from(created) + 9_000).then_some(()));

    let load = Load::start(&servers.iter().collect::<Vec<_>>(), &key, 4);
    load.goes_on(&[0, 1, 2], rounds(1_000, 100));
    pooler.restart();
    load.goes_on(&[0, 1, 2], rounds(1_000, 100));
    cluster.stop(Mode::Fast);
    cluster.start_again();
    load.goes_on(&[0, 1, 2], rounds(1_000, 100));
    load.end().prove(&shop, u64::from(created) + 9_000, 0);
}
