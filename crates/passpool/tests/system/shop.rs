//! A shop: a folder with a database, the commands that work on it, and the server that serves it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    client::{Client, Given},
    process::{Ended, PATIENCE, Process},
    schema::Schema,
    watch::within,
};

/// A base whose network wallets know by its host, so that links have two fields.
pub(crate) const LINK_BASE: &str = "https://test.arianee.net";

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0", "--link-base", LINK_BASE];

pub(crate) struct Shop {
    folder: TempDir,
    /// A schema of its own, if the stories are told on PostgreSQL.
    schema: Option<Schema>,
    /// Where the story says that it is.
    elsewhere: Option<String>,
}

impl Shop {
    /// An empty folder, without a database.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), schema: Schema::if_asked_for(), elsewhere: None }
    }

    /// An empty folder, for a database that is at this address.
    pub(crate) fn at(url: String) -> Self {
        Self { elsewhere: Some(url), ..Self::empty() }
    }

    /// From now on its database is at another address.
    pub(crate) fn moved_to(&mut self, url: String) {
        self.elsewhere = Some(url);
    }

    /// An empty folder, whatever the stories are told on: the database will be a file in it.
    pub(crate) fn on_a_file() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), schema: None, elsewhere: None }
    }

    /// The same with a schema of a PostgreSQL, still empty.
    pub(crate) fn on_postgres() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), schema: Some(Schema::new()), elsewhere: None }
    }

    /// A shop with so many passports that have one tag.
    pub(crate) fn with(count: u32, tag: &str) -> Self {
        let shop = Self::empty();
        shop.create(count, tag);
        shop
    }

    /// The same shop again, to be damaged.
    pub(crate) fn copy(&self) -> Self {
        let schema = self.schema.as_ref().map(Schema::copy);
        let copy = Self { folder: tempfile::tempdir().unwrap(), schema, elsewhere: None };
        for entry in fs::read_dir(self.folder()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.folder().join(entry.file_name())).unwrap();
        }
        copy
    }

    /// Damages it by hand.
    pub(crate) fn damage(&self, statement: &str) {
        match &self.schema {
            Some(schema) => schema.damage(statement),
            None => assert_ne!(self.sql(&format!("{statement}; SELECT changes();")), "0", "{statement}"),
        }
    }

    pub(crate) fn is_on_postgres(&self) -> bool {
        self.schema.is_some()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("shop.db")
    }

    pub(crate) fn url(&self) -> String {
        match (&self.elsewhere, &self.schema) {
            (Some(url), _) => url.clone(),
            (None, Some(schema)) => schema.url(),
            (None, None) => format!("sqlite:{}", self.database().display()),
        }
    }

    pub(crate) fn secret(&self) -> PathBuf {
        self.folder().join("shop.db.secret")
    }

    /// Writes a file into the folder and gives its name.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        fs::write(self.folder().join(name), text).unwrap();
        name.to_owned()
    }

    /// The program in this folder, without anything that the tester's environment would tell it.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passpool"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PASSPOOL_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.folder());
        command
    }

    /// A command on this shop's database.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_at(&self.url(), arguments)
    }

    /// A command on a database at this address, with this shop's secret.
    pub(crate) fn command_at(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = self.program();
        command.args(arguments).args(["--database", url]);
        if self.schema.is_some() && self.elsewhere.is_none() {
            command.arg("--secret-file").arg(self.secret());
        }
        command
    }

    /// Runs a command to its end, however that is.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Process::spawn(&mut self.command(arguments)).end()
    }

    /// Runs a command that has to succeed, and gives what it printed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    /// Runs a command that has to be refused with this exit code and to name these things, and to change nothing.
    pub(crate) fn refused(&self, code: i32, arguments: &[&str], named: &[&str]) {
        let before = self.contents();
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        for name in named {
            assert!(ended.stderr.contains(name), "{arguments:?} names no {name}: {}", ended.stderr);
        }
        let after = self.contents();
        let gone = before.1.lines().filter(|line| !after.1.contains(line));
        let new = after.1.lines().filter(|line| !before.1.contains(line));
        let different: Vec<&str> = gone.chain(new).collect();
        assert!(after == before, "{arguments:?} was refused and changed something: {different:#?}");
    }

    pub(crate) fn create(&self, count: u32, tag: &str) {
        self.done(&["create", "--count", &count.to_string(), "--tag", tag]);
    }

    /// Imports a CSV file with these lines behind its header.
    pub(crate) fn import(&self, lines: &[&str]) {
        let name = self.file("import.csv", format!("id,passphrase,tags,content\n{}\n", lines.join("\n")));
        self.done(&["import", &name]);
    }

    /// Adds a user with these rights and gives the key.
    pub(crate) fn key(&self, user: &str, rights: &str) -> String {
        self.done(&["user", "add", user, "--rights", rights]).trim_end().to_owned()
    }

    pub(crate) fn pool(&self) -> Value {
        serde_json::from_str(&self.done(&["pool", "--json"])).unwrap()
    }

    /// How many passports are in a state.
    pub(crate) fn count(&self, state: &str) -> u64 {
        self.pool()["all"][state].as_u64().unwrap()
    }

    /// Fails unless `check` finds nothing.
    pub(crate) fn check(&self) {
        let ended = self.run(&["check"]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }

    /// The passports in a state, and the passphrases that open them.
    pub(crate) fn given(&self, state: &str) -> BTreeMap<u64, String> {
        let aside = tempfile::tempdir().unwrap();
        let file = aside.path().join("given.ndjson");
        self.done(&["export", file.to_str().unwrap(), "--state", state, "--with-passphrases"]);
        let row = |line: &str| {
            let row: Value = serde_json::from_str(line).unwrap();
            (row["id"].as_u64().unwrap(), row["passphrase"].as_str().unwrap().to_owned())
        };
        fs::read_to_string(&file).unwrap().lines().map(row).collect()
    }

    /// What plain SQLite answers about the file, or psql about what stands in its stead.
    pub(crate) fn sql(&self, statements: &str) -> String {
        if let Some(schema) = &self.schema {
            return schema.sql(statements);
        }
        let mut sqlite = Command::new("sqlite3");
        // Who opens or closes the file holds it for a moment.
        sqlite.args(["-bail", "-cmd", ".timeout 10000"]).arg(self.database()).arg(statements);
        let ended = Process::spawn(&mut sqlite).end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{statements}");
        ended.stdout.trim_end().to_owned()
    }

    /// The names of all files, and all that the database holds. Files that come and go with each use do not count.
    pub(crate) fn contents(&self) -> (Vec<String>, String) {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(self.folder()).unwrap().map(name).collect();
        names.retain(|name| !["-wal", "-shm", ".lock"].iter().any(|ending| name.ends_with(ending)));
        names.sort_unstable();
        let dump = match &self.schema {
            Some(schema) => schema.dump(),
            None if self.database().exists() => self.sql(".dump"),
            None => String::new(),
        };
        (names, dump)
    }

    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, arguments: &[&str]) -> Server {
        Server::start(&mut self.command(SERVE), arguments)
    }

    /// A server that reaches the same database by another address.
    pub(crate) fn serve_at(&self, url: &str) -> Server {
        Server::start(&mut self.command_at(url, SERVE), &[])
    }
}

/// A server that listens. It is killed when it is dropped.
pub(crate) struct Server {
    process: Process,
    /// `http://`, the host and the port.
    address: String,
}

impl Server {
    pub(crate) fn start(command: &mut Command, arguments: &[&str]) -> Self {
        let process = Process::spawn(command.args(arguments));
        let listens = |line: &str| line.split_once("passpool listens on ").map(|(_, address)| address.to_owned());
        let address = process.told(listens);
        Self { process, address }
    }

    /// The host and the port.
    pub(crate) fn host(&self) -> &str {
        self.address.strip_prefix("http://").unwrap()
    }

    pub(crate) fn stranger(&self) -> Client {
        Client::new(&self.address)
    }

    pub(crate) fn client(&self, key: &str) -> Client {
        self.stranger().with("x-api-key", key.as_bytes())
    }

    /// The number by which the system knows its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Stops it where it is. It does nothing until it is thawed.
    pub(crate) fn freeze(&self) {
        self.process.signal("STOP");
        // Its threads stop one by one, and may go on for a moment.
        let tasks = || fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let status =
            |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        let is_stopped = |status: String| status.rsplit(") ").next().is_some_and(|state| state.starts_with('T'));
        within(PATIENCE, "the stop", || tasks().map(status).all(is_stopped).then_some(()));
    }

    pub(crate) fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// Asks it to end, and gives what it left behind.
    pub(crate) fn stop(self) -> Ended {
        self.stop_within(PATIENCE)
    }

    pub(crate) fn stop_within(mut self, limit: Duration) -> Ended {
        self.process.signal("TERM");
        self.process.end_within(limit)
    }

    pub(crate) fn kill(self) {
        self.process.kill();
    }
}

/// Fails if somebody was given a passport that somebody else has.
pub(crate) fn assert_each_once(given: &[Given]) {
    let mut ids: Vec<u64> = given.iter().map(|given| given.id).collect();
    ids.sort_unstable();
    for pair in ids.windows(2) {
        assert_ne!(pair[0], pair[1], "a passport was given twice");
    }
}
