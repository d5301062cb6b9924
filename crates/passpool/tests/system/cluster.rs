//! A PostgreSQL of a story's own: real, in a folder that goes with it, with fsync on.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::TcpSocket;

use crate::{
    process::{Ended, PATIENCE, Process},
    shop::Shop,
    watch::within,
};

/// How it is asked to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// Sessions are ended, and all that is committed is written to the disk.
    Fast,
    /// As if it had crashed: the next start replays the log.
    Immediate,
}

/// Is ended, with its folder, when it is dropped.
pub(crate) struct Cluster {
    folder: TempDir,
    port: Port,
    settings: Vec<String>,
    /// None while it is down.
    postmaster: Option<Process>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A new cluster with these settings besides.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let cluster = Self::prepare(settings);
        cluster.initialize();
        cluster.started()
    }

    /// A cluster with files of the caller's in its folder, which is not started before they are there.
    pub(crate) fn start_after(settings: &[&str], put: impl FnOnce(&Path)) -> Self {
        let cluster = Self::prepare(settings);
        put(cluster.folder.path());
        cluster.initialize();
        own(cluster.folder.path());
        cluster.started()
    }

    /// A standby of this one, which has caught up and without which this one commits nothing from now on.
    pub(crate) fn synchronous_standby(&self) -> Self {
        let standby = Self::prepare(&[]);
        let mut copy = postgres("pg_basebackup");
        copy.args(["--username", "passpool", "--no-sync", "--checkpoint", "fast", "--write-recovery-conf", "--pgdata"]);
        copy.arg(standby.data()).arg("--host").arg(self.folder.path()).args(["--port", &self.port().to_string()]);
        done(&mut copy);
        let standby = standby.started();
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("postgres", "SELECT pg_reload_conf()");
        within(PATIENCE, "the standby", || {
            (self.sql("postgres", "SELECT sync_state FROM pg_stat_replication") == "sync").then_some(())
        });
        standby
    }

    fn prepare(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        own(folder.path());
        let settings = settings.iter().map(ToString::to_string).collect();
        Self { folder, port: Port::any(), settings, postmaster: None }
    }

    fn initialize(&self) {
        let mut initdb = postgres("initdb");
        initdb.args(["--username", "passpool", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]);
        done(initdb.arg("--pgdata").arg(self.data()));
    }

    fn started(mut self) -> Self {
        self.start_again();
        self
    }

    fn comes_up(&mut self, command: &mut Command) {
        let postmaster = Process::spawn(command);
        postmaster.told(|line| line.contains("database system is ready to accept").then_some(()));
        self.postmaster = Some(postmaster);
    }

    fn settings(&self) -> Vec<String> {
        let own = [
            format!("port={}", self.port()),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", self.folder.path().display()),
            "fsync=on".to_owned(),
            "shared_buffers=32MB".to_owned(),
            "max_connections=250".to_owned(),
        ];
        own.into_iter().chain(self.settings.clone()).collect()
    }

    /// A place for data that somebody else will put there and start.
    pub(crate) fn vacant() -> Self {
        Self::prepare(&[])
    }

    /// Starts it by a command of the caller's, with its own settings written where PostgreSQL finds them.
    pub(crate) fn start_by(&mut self, command: &mut Command) {
        let quoted = |setting: String| setting.split_once('=').map(|(name, value)| format!("{name} = '{value}'\n"));
        let settings: String = self.settings().into_iter().filter_map(quoted).collect();
        let mut file = fs::OpenOptions::new().append(true).open(self.data().join("postgresql.conf")).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
        self.comes_up(command);
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// All that it has logged since it was started last.
    pub(crate) fn log(&self) -> String {
        self.postmaster.as_ref().expect("it runs").log()
    }

    /// The address of one of its databases, over TCP.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://passpool@127.0.0.1:{}/{database}", self.port())
    }

    /// A shop whose database is a new one, still empty, here.
    pub(crate) fn shop(&self, database: &str) -> Shop {
        self.sql("postgres", &format!("CREATE DATABASE {database}"));
        Shop::at(self.url(database))
    }

    /// What psql answers: a row a line, with `|` between the columns.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(bin().join("psql"));
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "passpool", "-d", database, "-h"]).arg(self.folder.path());
        psql.args(["-p", &self.port().to_string(), "-c", statement]);
        let ended = Process::spawn(&mut psql).end();
        assert_eq!(ended.code, Some(0), "{statement}: {}", ended.stderr);
        ended.stdout.trim_end().to_owned()
    }

    /// Keeps everybody from writing to a table, who then wait with all that they hold.
    pub(crate) fn shut(&self, database: &str, table: &str) -> Gate {
        let mut psql = Command::new(bin().join("psql"));
        psql.args(["-XAtq", "-U", "passpool", "-d", database, "-h"]).arg(self.folder.path());
        let mut session = Process::spawn(psql.args(["-p", &self.port().to_string()]));
        session.write(&format!("BEGIN; LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;\nSELECT 'shut';\n"));
        session.said(|line| (line == "shut").then_some(()));
        Gate(session)
    }

    /// Ends it as `pg_ctl stop` does.
    pub(crate) fn stop(&mut self, mode: Mode) {
        let mut postmaster = self.postmaster.take().expect("it runs");
        postmaster.signal(match mode {
            Mode::Fast => "INT",
            Mode::Immediate => "QUIT",
        });
        postmaster.end_within(PATIENCE);
    }

    /// Starts it again, at the same address.
    pub(crate) fn start_again(&mut self) {
        let mut command = postgres("postgres");
        command.arg("-D").arg(self.data());
        self.settings().iter().for_each(|setting| _ = command.args(["-c", setting]));
        self.comes_up(&mut command);
    }

    /// Takes it away with all its processes, as if its machine were gone.
    pub(crate) fn crash(&mut self) {
        let postmaster = self.postmaster.take().expect("it runs");
        // It would start its processes anew if it saw them end.
        postmaster.signal("STOP");
        let id = postmaster.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        // One or another may end by itself.
        let killed = Command::new("sh").args(["-c", &format!("kill -KILL {children} 2>/dev/null; true")]).status();
        assert!(killed.unwrap().success());
        postmaster.kill();
    }

    /// Makes a standby the one that can be written.
    pub(crate) fn promote(&self) {
        let limit = PATIENCE.as_secs();
        assert_eq!(self.sql("postgres", &format!("SELECT pg_promote(true, {limit})")), "t");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(postmaster) = self.postmaster.take() {
            postmaster.end_by("QUIT");
        }
    }
}

/// A table that nobody writes to, until it is opened or dropped.
pub(crate) struct Gate(Process);

impl Gate {
    pub(crate) fn open(mut self) {
        self.0.write("ROLLBACK;\n");
        assert_eq!(self.0.end().code, Some(0));
    }
}

/// Where the newest PostgreSQL that is installed has its programs.
pub(crate) fn bin() -> PathBuf {
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let installed = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let newest =
        installed.map(|entry| entry.unwrap().path()).filter(|path| version(path).is_some()).max_by_key(version);
    newest.expect("a version of PostgreSQL is installed").join("bin")
}

/// A program of PostgreSQL's.
fn postgres(program: &str) -> Command {
    as_postgres(bin().join(program))
}

/// A program that refuses to run as root, and then runs as the user that Debian made for PostgreSQL. It ends with the
/// thread that starts it at the latest.
pub(crate) fn as_postgres(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program).current_dir("/");
    command
}

/// Gives a folder to the user that PostgreSQL runs as.
pub(crate) fn own(folder: &Path) {
    if is_root() {
        done(Command::new("chown").args(["-R", "postgres:"]).arg(folder));
    }
}

fn is_root() -> bool {
    done(Command::new("id").arg("-u")).stdout.trim_end() == "0"
}

/// Runs a program that has to succeed.
pub(crate) fn done(command: &mut Command) -> Ended {
    let ended = Process::spawn(command).end();
    assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.stderr);
    ended
}

/// A port that is kept for a server which is not there yet, or not all the time. Whoever asks for just any port gets
/// another one; whoever asks for this one may listen on it, if it allows its address to be used again, as servers do.
pub(crate) struct Port(TcpSocket);

impl Port {
    pub(crate) fn any() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(crate) fn number(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }
}

/// That a session waits for a lock.
pub(crate) const WAITS: &str = "wait_event_type = 'Lock'";

/// How many sessions of a server's satisfy a condition on `pg_stat_activity`.
pub(crate) fn sessions(cluster: &Cluster, server: &str, condition: &str) -> u32 {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{server}' AND ({condition})");
    cluster.sql("postgres", &sql).parse().unwrap()
}

/// No story waits longer for something that should be there in a moment.
pub(crate) const SOON: Duration = Duration::from_secs(60);
