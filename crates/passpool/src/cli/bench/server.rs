//! The server that is measured: this very program, as a process of its own.

use std::{
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use super::usage::Usage;
use crate::config;

/// How long a server may take to listen.
const START_WITHIN: Duration = Duration::from_secs(60);
/// The line with which it tells that it does.
const LISTENS: &str = "passpool listens on http://";
/// How much of what it says is kept, to be told if it fails.
const KEPT_LINES: usize = 20;
/// The setting that names the database.
const DATABASE: &str = "PASSPOOL_DATABASE";
/// Links as most shops have them, of a host whose network wallets know.
pub(super) const LINK_BASE: &str = "https://test.arianee.net";

/// Which server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Serve,
    /// The one that answers from memory too.
    Ceiling,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Ceiling => "bench-ceiling",
        }
    }
}

/// A process that serves. It is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    process: Child,
    id: u32,
    address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts, and answers as soon as it listens.
    pub(super) async fn start(program: Program, database: &OsString, secret: &Path) -> anyhow::Result<Self> {
        let mut command = passpool()?;
        // Not an argument, which everybody on the machine could read: there may be a password in it.
        command.env(DATABASE, database);
        command.arg(program.name()).arg("--secret-file").arg(secret);
        command.args(["--listen", "127.0.0.1:0", "--link-base", LINK_BASE, "--log", "warn"]);
        // Every visitor has an address of their own, as behind a proxy, and as many as like may hold something.
        command.args(["--trusted-proxy", "127.0.0.1", "--held-per-address", "1000000"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().context("the server does not start")?;
        let id = process.id().context("the server has ended")?;
        let stderr = BufReader::new(process.stderr.take().expect("it is piped"));
        let said = Arc::default();
        match timeout(START_WITHIN, first_address(stderr, &said)).await {
            Ok(Some(address)) => Ok(Self { process, id, address, said }),
            Ok(None) => bail!("the server ended before it listened: {}", joined(&said)),
            Err(_) => bail!("the server did not listen within {} s: {}", START_WITHIN.as_secs(), joined(&said)),
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has used so far.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.id).with_context(|| format!("the server has ended: {}", joined(&self.said)))
    }

    /// Takes it away in the middle of whatever it does, as a crash would.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("the server cannot be ended")
    }
}

/// Reads what the server says up to the line that names its address, and leaves the rest to a task, so that the server
/// never waits for a reader.
async fn first_address(mut stderr: BufReader<ChildStderr>, said: &Arc<Mutex<Vec<String>>>) -> Option<SocketAddr> {
    let mut line = String::new();
    while stderr.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
        if let Some(address) = line.trim_end().strip_prefix(LISTENS).and_then(|address| address.parse().ok()) {
            tokio::spawn(listen_on(stderr, said.clone()));
            return Some(address);
        }
        keep(said, std::mem::take(&mut line));
    }
    None
}

async fn listen_on(mut stderr: BufReader<ChildStderr>, said: Arc<Mutex<Vec<String>>>) {
    let mut line = String::new();
    while stderr.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
        keep(&said, std::mem::take(&mut line));
    }
}

fn keep(said: &Mutex<Vec<String>>, line: String) {
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    if said.len() < KEPT_LINES {
        said.push(line);
    }
}

fn joined(said: &Mutex<Vec<String>>) -> String {
    said.lock().unwrap_or_else(PoisonError::into_inner).concat()
}

/// A command of this program that runs to its end. Answers how it ended, and what it had used when it was looked at
/// last.
pub(super) async fn run(arguments: &[&OsStr], folder: &Path) -> anyhow::Result<Usage> {
    /// How often it is looked at: an ended process tells nothing any more.
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let mut command = passpool()?;
    command.args(arguments).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = command.spawn().context("the program does not start")?;
    let id = process.id().context("the program has ended")?;
    let said = Arc::default();
    let stderr = BufReader::new(process.stderr.take().expect("it is piped"));
    tokio::spawn(listen_on(stderr, Arc::clone(&said)));
    let mut used = Usage::default();
    let ended: ExitStatus = loop {
        tokio::select! {
            ended = process.wait() => break ended?,
            () = tokio::time::sleep(LOOK_EVERY) => {
                let now = Usage::of(id).unwrap_or_default();
                used = Usage { cpu: used.cpu.max(now.cpu), memory: used.memory.max(now.memory) };
            }
        }
    };
    if !ended.success() {
        bail!("{} failed: {}", arguments[0].to_string_lossy(), joined(&said));
    }
    Ok(used)
}

/// This program, without anything that its own surroundings told it.
fn passpool() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program is not to be found")?);
    command.kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(config::PREFIX) {
            command.env_remove(name);
        }
    }
    Ok(command)
}
