//! Child processes: what they say is read as they say it, and none outlives its story.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use crate::watch::Watch;

/// No story waits longer for a line or an end that it expects.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

/// What a process said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Drained by a thread, so that nobody blocks on a full pipe.
struct Stream {
    text: Arc<Mutex<String>>,
    /// Each line as it comes. It is closed when the process has ended.
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = start(command.stderr(Stdio::piped()));
        let stderr = child.stderr.take().unwrap();
        Self::of(child, stderr)
    }

    /// Starts with a stderr that is full: whoever writes to it waits until the sender is dropped.
    pub(crate) fn spawn_unheard(command: &mut Command) -> (Self, Sender<()>) {
        let (stderr, listener) = UnixStream::pair().unwrap();
        stderr.set_nonblocking(true).unwrap();
        while (&stderr).write(b"\n").is_ok() {}
        stderr.set_nonblocking(false).unwrap();
        let child = start(command.stderr(OwnedFd::from(stderr)));
        // The command would keep that end open.
        command.stderr(Stdio::null());
        let (sender, begin) = mpsc::channel();
        (Self::of(child, Late { begin, pipe: listener }), sender)
    }

    fn of(mut child: Child, stderr: impl Read + Send + 'static) -> Self {
        let stdout = Stream::drain(child.stdout.take().unwrap());
        Self { child, stdout, stderr: Stream::drain(stderr) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on stdout in which something is found.
    pub(crate) fn said<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        self.stdout.wait_for(find).unwrap_or_else(|| panic!("it never said that; {}", self.story()))
    }

    /// The same on stderr.
    pub(crate) fn told<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        self.stderr.wait_for(find).unwrap_or_else(|| panic!("it never told that; {}", self.story()))
    }

    /// All that stderr told so far.
    pub(crate) fn log(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn write(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("its stdin is open");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("it reads what it is sent");
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status().unwrap();
        assert!(sent.success(), "{name} was not sent");
    }

    /// Takes the process away in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Sends it a signal that ends it and all that it has started, and waits for that. Never fails.
    pub(crate) fn end_by(self, signal: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {} 2>/dev/null", self.id())]).status();
        _ = sent.is_ok_and(|sent| sent.success())
            && self.stdout.ends_within(PATIENCE)
            && self.stderr.ends_within(PATIENCE);
    }

    /// Closes its stdin and waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        self.end_within(PATIENCE)
    }

    pub(crate) fn end_within(&mut self, limit: Duration) -> Ended {
        drop(self.child.stdin.take());
        let watch = Watch::start();
        // It has ended when nobody can write to its streams any more.
        for stream in [&self.stdout, &self.stderr] {
            let left = limit.saturating_sub(watch.elapsed());
            assert!(stream.ends_within(left), "it did not end within {limit:?}; {}", self.story());
        }
        let code = self.child.wait().expect("it ends").code();
        Ended { code, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    fn story(&self) -> String {
        format!("stdout:\n{}\nstderr:\n{}", self.stdout.text(), self.stderr.text())
    }
}

fn start(command: &mut Command) -> Child {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    child.unwrap_or_else(|error| panic!("{:?} does not start: {error}", command.get_program()))
}

/// Is not read before the sender is dropped.
struct Late<R> {
    begin: Receiver<()>,
    pipe: R,
}

impl<R: Read> Read for Late<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        _ = self.begin.recv();
        self.pipe.read(buffer)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Stream {
    fn drain(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = mpsc::channel();
        let drained = text.clone();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = String::new();
            while pipe.read_line(&mut line).expect("what it says is UTF-8") > 0 {
                drained.lock().unwrap().push_str(&line);
                // A story may not listen any more.
                _ = sender.send(std::mem::take(&mut line));
            }
        });
        Self { text, lines }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let watch = Watch::start();
        loop {
            let line = self.lines.recv_timeout(PATIENCE.saturating_sub(watch.elapsed())).ok()?;
            if let Some(found) = find(line.trim_end_matches('\n')) {
                return Some(found);
            }
        }
    }

    fn ends_within(&self, limit: Duration) -> bool {
        let watch = Watch::start();
        loop {
            match self.lines.recv_timeout(limit.saturating_sub(watch.elapsed())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}
