//! The operator's manual is true: every command of its section on PostgreSQL is run, in the order in which it stands there,
//! and after each step the database is whole, a reservation is made, and the links that were given open.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Method;

use crate::{
    client::{Client, Given},
    cluster::{Cluster, Port, SOON, as_postgres, own},
    manual::{Machine, Manual, exported, path, shell},
    next_version,
    process::Process,
    shop::assert_each_once,
    watch::within,
};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// How many passports are made beside those of the manual.
const MORE: u32 = 20_000;
const RESERVE: &str = "tags=vip&format=link";

#[test]
fn every_command_of_the_manual_does_what_it_says() {
    let mut brand = Brand::new();
    brand.makes_a_database();
    brand.starts_three_servers();
    brand.gets_a_standby();
    brand.loses_its_primary();
    let backup = brand.makes_a_backup();
    brand.goes_back_to(backup);
    brand.starts_the_other_backup();
    brand.erases_somebody();
    brand.gets_a_new_version();
    brand.manual.end();
}

/// How long a caller breathes between two calls.
const BREATH: Duration = Duration::from_millis(10);

/// A brand with machines of its own, and somebody who reads the manual.
struct Brand {
    manual: Manual,
    /// How a server is started.
    serve: String,
    /// Of a user who may reserve.
    key: String,
    /// All that was given and still has to open.
    given: Vec<Given>,
    // What runs ends before the places are taken away in which it does.
    balancer: Option<Process>,
    servers: [Option<Process>; 3],
    primary: Cluster,
    standby: Cluster,
    /// The machines of both, and those of the servers.
    on_primary: Machine,
    on_standby: Machine,
    on_server: [Machine; 3],
    on_balancer: Machine,
    /// Has the secret, the programs and whatever the servers write.
    folder: TempDir,
    /// Kept for servers that are away.
    _ports: [Port; 4],
}

fn shell_of_postgres() -> Command {
    as_postgres("sh")
}

impl Brand {
    fn new() -> Self {
        let mut manual = Manual::section("PostgreSQL");
        let (folder, primary, standby) = (tempfile::tempdir().unwrap(), Cluster::start(), Cluster::vacant());
        // Nobody comes over the network before the manual says so.
        fs::write(primary.data().join("pg_hba.conf"), "local all all trust\nlocal replication all trust\n").unwrap();
        primary.sql("postgres", "SELECT pg_reload_conf()");
        fs::create_dir(folder.path().join("safe")).unwrap();
        let backups = primary.folder().join("backups");
        fs::create_dir(&backups).unwrap();
        own(&backups);
        let ports: [Port; 4] = std::array::from_fn(|_| Port::any());
        let common = variables(folder.path(), &backups, [primary.port(), standby.port()], &ports);
        let mut named: Vec<&str> = common.iter().map(|(name, _)| *name).collect();
        let variables = manual.next("PostgreSQL", "sh variables");
        let mut expected = exported(&variables);
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected, "these are the variables of the manual");
        let on_server = [0, 1, 2].map(|number| {
            let program = folder.path().join(NAMES[number]);
            fs::create_dir(&program).unwrap();
            symlink(env!("CARGO_BIN_EXE_passpool"), program.join("passpool")).unwrap();
            let machine = Machine::new(shell, folder.path(), &common).with("PATH", path(Some(&program)));
            let machine = machine.with("PASSPOOL_LISTEN", host(ports[number].number())).with("NAME", NAMES[number]);
            machine.with("PID_FILE", program.join("pid").display().to_string())
        });
        Self {
            manual,
            serve: String::new(),
            key: String::new(),
            given: Vec::new(),
            balancer: None,
            servers: [None, None, None],
            on_primary: machine_of(&primary, &common),
            on_standby: machine_of(&standby, &common),
            on_balancer: Machine::new(shell, folder.path(), &common).with("PATH", path(None)),
            on_server,
            primary,
            standby,
            folder,
            _ports: ports,
        }
    }

    fn makes_a_database(&mut self) {
        self.on_primary.run(&self.manual.next("A database", "sh primary"));
        assert_eq!(self.primary.sql("shop", "SHOW server_encoding"), "UTF8");
        assert_eq!(self.primary.sql("shop", "SELECT rolsuper FROM pg_roles WHERE rolname = 'shop'"), "f");
    }

    fn starts_three_servers(&mut self) {
        const HEADING: &str = "Three servers";
        self.key = self.on_server[0].run(&self.manual.next(HEADING, "sh server")).trim_end().to_owned();
        self.on_server[0].run(&format!("passpool create --count {MORE} --tag vip"));
        self.on_server[0].run(&self.manual.next(HEADING, "sh server"));
        let (secret, copy) = (self.folder.path().join("passpool.secret"), self.folder.path().join("safe/secret"));
        assert_eq!(fs::read(&secret).unwrap(), fs::read(&copy).unwrap());
        let other = self.on_server[1].with("PASSPOOL_SECRET_FILE", "nowhere.secret");
        self.serve = self.manual.next(HEADING, "sh server runs");
        let refused = other.try_run(&self.serve);
        assert_eq!((refused.code, refused.stderr.contains("nowhere.secret")), (Some(1), true), "{refused:?}");
        (0..3).for_each(|number| self.starts(number));
        fs::write(self.folder.path().join("haproxy.cfg"), self.manual.next(HEADING, "haproxy") + "\n").unwrap();
        self.balancer = Some(self.on_balancer.start(&self.manual.next(HEADING, "sh balancer runs")));
        within(SOON, "the balancer", || self.caller().ask(Method::GET, "/readyz").ok());
        self.proves_itself();
        // Those of a server that is taken away are served by the others.
        self.servers[2].take().unwrap().kill();
        (0..20).for_each(|_| self.proves_it_serves());
        // Without any the balancer itself says when to come again.
        (0..2).for_each(|number| self.servers[number].take().unwrap().kill());
        let answer = self.caller().reserve(RESERVE);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.body);
        (0..3).for_each(|number| self.starts(number));
        self.proves_itself();
    }

    fn gets_a_standby(&mut self) {
        const HEADING: &str = "A synchronous standby";
        self.on_standby.run(&self.manual.next(HEADING, "sh standby"));
        self.standby.start_by(&mut self.on_standby.command(&self.manual.next(HEADING, "sh standby runs")));
        self.on_primary.run(&self.manual.next(HEADING, "sh primary"));
        assert_eq!(self.primary.sql("postgres", "SELECT sync_state FROM pg_stat_replication"), "sync");
        self.proves_itself();
    }

    fn loses_its_primary(&mut self) {
        const HEADING: &str = "The standby takes over";
        let callers = Callers::start(&self.caller(), false);
        callers.go_on(100);
        self.primary.crash();
        self.on_standby.run(&self.manual.next(HEADING, "sh standby"));
        callers.go_on(100);
        self.given.extend(callers.end());
        self.on_server[0].run(&self.manual.next(HEADING, "sh server"));
        self.proves_itself();
        self.on_primary.run(&self.manual.next(HEADING, "sh primary"));
        self.primary.start_by(&mut self.on_primary.command(&self.manual.next(HEADING, "sh primary runs")));
        self.on_standby.run(&self.manual.next(HEADING, "sh standby"));
        assert_eq!(self.standby.sql("postgres", "SELECT sync_state FROM pg_stat_replication"), "sync");
        self.proves_itself();
    }

    /// Gives how much had been given when the backup was made.
    fn makes_a_backup(&mut self) -> usize {
        self.on_server[0].run(&self.manual.next("A backup", "sh server"));
        let known = self.given.len();
        self.on_standby.run(&self.manual.next("A backup", "sh standby"));
        self.proves_itself();
        known
    }

    fn goes_back_to(&mut self, known: usize) {
        const HEADING: &str = "Back from a backup";
        self.proves_itself();
        let lost = self.given.split_off(known);
        let end = self.manual.next(HEADING, "sh server");
        (0..3).for_each(|number| self.ends(number, &end));
        self.on_standby.run(&self.manual.next(HEADING, "sh standby"));
        self.on_server[0].run(&self.manual.next(HEADING, "sh server"));
        (0..3).for_each(|number| self.starts(number));
        self.proves_itself();
        for Given { id, passphrase } in &lost {
            assert_eq!(self.caller().get(&format!("/{id},{passphrase}")).status, 404, "{id} was handed out later");
        }
        (0..100).for_each(|_| self.proves_it_serves());
        let again: Vec<&Given> = self.given.iter().filter(|now| lost.iter().any(|lost| lost.id == now.id)).collect();
        assert!(!again.is_empty(), "none of those was handed out again");
        assert!(self.given.iter().all(|now| !lost.contains(now)), "a link was made twice");
    }

    fn starts_the_other_backup(&mut self) {
        const HEADING: &str = "Back from a backup";
        let mut restored = Cluster::vacant();
        let variables = [("BACKUPS", self.primary.folder().join("backups").display().to_string())];
        let machine = machine_of(&restored, &variables);
        machine.run(&self.manual.next(HEADING, "sh restored"));
        restored.start_by(&mut machine.command(&self.manual.next(HEADING, "sh restored runs")));
        machine.run(&self.manual.next(HEADING, "sh restored"));
        let url = format!("postgres://shop:sesame@127.0.0.1:{}/shop", restored.port());
        let server = self.on_server[0].with("PASSPOOL_DATABASE", url);
        server.run("passpool check");
        server.run("passpool reserve --tags vip --count 1");
        server.run("passpool check");
    }

    fn erases_somebody(&mut self) {
        let body = json!({"tags": ["vip"], "count": 1, "recipients": [{"name": "Zerubabel", "reference": "o-1"}]});
        let made = self.caller().post_json("/v1/reservations", &body);
        assert_eq!(made.status, 201, "{}", made.body);
        let is_there = || {
            self.standby.sql("postgres", "CHECKPOINT");
            let mut grep = Command::new("grep");
            grep.args(["--recursive", "--quiet", "--text", "Zerubabel"]).arg(self.standby.data().join("base"));
            Process::spawn(&mut grep).end().code == Some(0)
        };
        assert!(is_there());
        self.on_server[0].run("passpool erase --recipient o-1");
        assert!(is_there(), "and is not before it is written anew");
        self.on_server[0].run(&self.manual.next("Who was erased", "sh server"));
        assert!(!is_there());
        self.proves_itself();
    }

    fn gets_a_new_version(&mut self) {
        const HEADING: &str = "A new version, without a break";
        let drain = self.manual.next(HEADING, "sh balancer");
        let replace = self.manual.next(HEADING, "sh server");
        let come_again = self.manual.next(HEADING, "sh balancer");
        let new = self.on_server[0].with("PATH", path(None));
        let refused = new.try_run("\"$NEW_PASSPOOL\" check");
        assert_eq!((refused.code, refused.stderr.contains("older")), (Some(1), true), "{refused:?}");
        let callers = Callers::start(&self.caller(), true);
        self.ends_for_another(0, &drain, &replace);
        // Somebody reads the passports, and goes on with it.
        let mut reader = self.reads_the_passports();
        let gave_up = self.on_server[0].try_run(&self.serve);
        assert_eq!((gave_up.code, gave_up.stderr.contains("lock timeout")), (Some(1), true), "{gave_up:?}");
        callers.go_on(10);
        reader.write("ROLLBACK;\n");
        assert_eq!(reader.end().code, Some(0));
        self.starts(0);
        self.tells_the_balancer(0, &come_again);
        callers.go_on(50);
        self.given.extend(callers.end());
        self.proves_itself();
        self.lives_with_a_newer_schema(1);
        let callers = Callers::start(&self.caller(), true);
        for number in [1, 2] {
            self.ends_for_another(number, &drain, &replace);
            self.starts(number);
            self.tells_the_balancer(number, &come_again);
            callers.go_on(50);
        }
        self.given.extend(callers.end());
        self.on_server[2].run(&self.manual.next(HEADING, "sh server"));
        self.proves_itself();
        let novelty = self.standby.sql("shop", "SELECT count(*) > 1000, min(novelty), max(novelty) FROM passport");
        assert_eq!(novelty, "t|none|none");
    }

    /// An old server that runs goes on, whatever becomes of its connections; an old program does not start.
    fn lives_with_a_newer_schema(&mut self, old: usize) {
        for refused in [&*self.serve, "passpool check", "passpool reserve --tags vip --count 1"] {
            let refused =
                self.on_server[old].with("PASSPOOL_LISTEN", "127.0.0.1:0").with("PID_FILE", "pid").try_run(refused);
            assert_eq!((refused.code, refused.stderr.contains("newer Passpool")), (Some(1), true), "{refused:?}");
        }
        let ended = "SELECT bool_and(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'shop'";
        assert_eq!(self.standby.sql("shop", ended), "t");
        let client = self.caller_at(&self.on_server[old], "PASSPOOL_LISTEN");
        let given = within(SOON, "service", || {
            let answer = client.reserve(RESERVE);
            (answer.status == 200).then(|| answer.given())
        });
        self.given.push(given);
        self.proves_itself();
    }

    fn tells_the_balancer(&self, number: usize, text: &str) {
        let listens = self.on_server[number].variable("PASSPOOL_LISTEN");
        self.on_balancer.with("NAME", NAMES[number]).with("PASSPOOL_LISTEN", listens).run(text);
    }

    fn ends_for_another(&mut self, number: usize, drain: &str, replace: &str) {
        self.tells_the_balancer(number, drain);
        self.ends(number, replace);
    }

    /// Runs commands that end a server and wait until it is gone.
    fn ends(&mut self, number: usize, text: &str) {
        let server = self.servers[number].take().unwrap();
        let ended = thread::scope(|scope| {
            let ended = scope.spawn(|| server.end());
            self.on_server[number].run(text);
            ended.join().unwrap()
        });
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }

    /// A session that keeps every passport from being changed in its shape, until it rolls back.
    fn reads_the_passports(&self) -> Process {
        let mut session = self.on_standby.start("exec psql --quiet --tuples-only --no-align --dbname shop");
        session.write("BEGIN; SELECT 'reads' FROM passport LIMIT 1;\n");
        session.said(|line| (line == "reads").then_some(()));
        session
    }

    fn starts(&mut self, number: usize) {
        let server = self.on_server[number].start(&self.serve);
        server.told(|line| line.contains("passpool listens on ").then_some(()));
        self.servers[number] = Some(server);
    }

    /// Somebody who comes by the balancer.
    fn caller(&self) -> Client {
        self.caller_at(&self.on_balancer, "BALANCER")
    }

    /// Somebody who comes to the address that a machine has in a variable.
    fn caller_at(&self, machine: &Machine, variable: &str) -> Client {
        Client::new(&format!("http://{}", machine.variable(variable))).with("x-api-key", self.key.as_bytes())
    }

    /// Fails unless the database is whole, somebody is served, and all that was given opens.
    fn proves_itself(&mut self) {
        self.proves_it_serves();
        self.on_server[0].run("passpool check");
        assert_each_once(&self.given);
        let file = self.folder.path().join("given.ndjson");
        let mut known = BTreeMap::new();
        for state in ["reserved", "scanned"] {
            _ = fs::remove_file(&file);
            self.on_server[0].run(&format!("passpool export given.ndjson --state {state} --with-passphrases"));
            known.extend(fs::read_to_string(&file).unwrap().lines().map(|line| {
                let row: Value = serde_json::from_str(line).unwrap();
                (row["id"].as_u64().unwrap(), row["passphrase"].as_str().unwrap().to_owned())
            }));
        }
        for Given { id, passphrase } in &self.given {
            assert_eq!(known.get(id), Some(passphrase), "passport {id} was given");
        }
        let last = self.given.last().unwrap();
        assert_eq!(self.caller().get(&format!("/{},{}", last.id, last.passphrase)).status, 200);
    }

    /// Whoever is told to come again does so.
    fn proves_it_serves(&mut self) {
        let given = within(SOON, "service", || {
            let answer = self.caller().reserve(RESERVE);
            (answer.status == 200).then(|| answer.given())
        });
        self.given.push(given);
    }
}

fn host(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// What the manual's variables are here. The ports are those of the servers and of the balancer.
fn variables(folder: &Path, backups: &Path, postgres: [u16; 2], ports: &[Port; 4]) -> Vec<(&'static str, String)> {
    let file = |name: &str| folder.join(name).display().to_string();
    let [primary, standby] = postgres.map(host);
    let [a, b, c, balancer] = ports.each_ref().map(|port| host(port.number()));
    let database = format!("postgres://shop:sesame@{primary},{standby}/shop?target_session_attrs=read-write");
    vec![
        ("PRIMARY", primary),
        ("STANDBY", standby),
        ("NETWORK", "127.0.0.0/8".to_owned()),
        ("REPLICATION_PASSWORD", "open".to_owned()),
        ("PASSWORD", "sesame".to_owned()),
        ("PASSPOOL_DATABASE", database),
        ("PASSPOOL_SECRET_FILE", file("passpool.secret")),
        ("PASSPOOL_PUBLIC_URL", "https://passports.brand.example".to_owned()),
        ("BALANCER", balancer),
        ("BALANCER_HOST", "127.0.0.1".to_owned()),
        ("BALANCER_CONTROL", file("control.sock")),
        ("BALANCER_CONFIG", file("haproxy.cfg")),
        ("SERVER_A", a),
        ("SERVER_B", b),
        ("SERVER_C", c),
        ("BACKUPS", backups.display().to_string()),
        ("SAFE", file("safe")),
        ("NEW_PASSPOOL", next_version::build().display().to_string()),
        // Where the data are is each PostgreSQL's own; where to listen, each server's.
        ("DATA", String::new()),
        ("PASSPOOL_LISTEN", String::new()),
        ("NAME", String::new()),
        ("PID_FILE", String::new()),
    ]
}

/// The machine on which a PostgreSQL is.
fn machine_of(cluster: &Cluster, variables: &[(&'static str, String)]) -> Machine {
    let machine = Machine::new(shell_of_postgres, cluster.folder(), variables).with("PATH", path(None));
    let machine = machine.with("DATA", cluster.data().display().to_string());
    // Where psql finds it, and as whom.
    let machine = machine.with("PGHOST", cluster.folder().display().to_string());
    machine.with("PGPORT", cluster.port().to_string()).with("PGUSER", "passpool").with("PGDATABASE", "postgres")
}

/// Some who reserve by the balancer, one call after the other.
struct Callers {
    is_over: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<Given>>>,
}

impl Callers {
    /// If nothing may be noticed every call has to be served.
    fn start(client: &Client, notice_nothing: bool) -> Self {
        let (is_over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let call = |_| {
            let (client, is_over, count) = (client.again(), is_over.clone(), count.clone());
            thread::spawn(move || {
                let mut given = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let answer = client.reserve(RESERVE);
                    if notice_nothing || answer.status == 200 {
                        given.push(answer.given());
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::sleep(BREATH);
                }
                given
            })
        };
        let threads = (0..4).map(call).collect();
        Self { is_over, count, threads }
    }

    /// Waits until so many more were given.
    fn go_on(&self, more: u64) {
        let wanted = self.count.load(Ordering::Relaxed) + more;
        within(SOON, "service", || (self.count.load(Ordering::Relaxed) >= wanted).then_some(()));
    }

    fn end(mut self) -> Vec<Given> {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.drain(..).flat_map(|thread| thread.join().unwrap()).collect()
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
