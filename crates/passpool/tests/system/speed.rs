//! Speed: how long a caller waits while others are busy.
//!
//! The numbers are asserted in the long run alone, which measures the release build with nothing beside it. The plain
//! run shows that the same load is answered.

mod dead_links;

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    client::RESERVE,
    process::Process,
    shop::{Server, Shop},
    watch::{Watch, is_long, rounds},
};

/// One connection that is kept, and the one request that is sent over it. All callers share one thread, so that the
/// load takes little of the processor from what it measures.
struct Caller {
    stream: TcpStream,
    request: String,
    answer: Vec<u8>,
}

impl Caller {
    async fn new(server: &Server, key: &str) -> Self {
        let stream = TcpStream::connect(server.host()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "GET {RESERVE}?tags=vip&format=link HTTP/1.1\r\nhost: {}\r\nx-api-key: {key}\r\n\r\n",
            server.host()
        );
        Self { stream, request, answer: Vec::with_capacity(1_024) }
    }

    async fn connect(server: &Server, key: &str, connections: usize) -> Vec<Self> {
        let mut callers = Vec::with_capacity(connections);
        for _ in 0..connections {
            callers.push(Self::new(server, key).await);
        }
        callers
    }

    /// Reserves one passport.
    async fn call(&mut self) {
        self.stream.write_all(self.request.as_bytes()).await.unwrap();
        self.answer.clear();
        while !is_whole(&self.answer) {
            let read = self.stream.read_buf(&mut self.answer).await.unwrap();
            assert_ne!(read, 0, "the server hung up");
        }
        assert!(self.answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{:?}", str::from_utf8(&self.answer));
    }
}

/// True if there is a head, and a body as long as the head says.
fn is_whole(answer: &[u8]) -> bool {
    let text = str::from_utf8(answer).expect("an answer in UTF-8");
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value);
    body.len() == length.and_then(|value| value.parse::<usize>().ok()).expect("a body of a known length")
}

/// What callers do with their connections, all in one thread. The waits of all come together.
async fn load<W>(callers: Vec<Caller>, each: impl Fn(usize, Caller) -> W) -> Vec<Duration>
where
    W: Future<Output = Vec<Duration>> + Send + 'static,
{
    let all: JoinSet<Vec<Duration>> =
        callers.into_iter().enumerate().map(|(number, caller)| each(number, caller)).collect();
    all.join_all().await.concat()
}

fn percentile(waits: &mut [Duration], percent: usize) -> Duration {
    waits.sort_unstable();
    waits[(waits.len() * percent).div_ceil(100) - 1]
}

#[expect(clippy::print_stderr, reason = "whoever asks for the long run wants to see the numbers")]
fn tell(line: &str) {
    eprintln!("{line}");
}

/// The release build, and nothing beside it: only then a number means something.
fn is_measured() -> bool {
    is_long() && !cfg!(debug_assertions)
}

#[tokio::test]
async fn a_large_import_makes_nobody_wait() {
    let shop = Shop::with(rounds(1_000_000, 100_000), "vip");
    let key = shop.key("crm", "certCreate");
    let count = rounds(1_000_000, 100_000);
    let mut rows = String::from("tags\n");
    for number in 0..count {
        writeln!(rows, "\"gold,size-{},batch-{}\"", number % 40, number / 5_000).unwrap();
    }
    let file = shop.file("rows.csv", rows);
    let server = shop.serve();
    let callers = Caller::connect(&server, &key, 16).await;
    let mut command = shop.command(&["import", &file]);
    let is_over = Arc::new(AtomicBool::new(false));
    let import = thread::spawn({
        let is_over = is_over.clone();
        move || {
            let ended = Process::spawn(&mut command).end();
            is_over.store(true, Ordering::Relaxed);
            ended
        }
    });
    let mut waits = load(callers, |_, caller| call_until(is_over.clone(), caller)).await;
    let ended = import.join().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(shop.pool()["tags"]["gold"]["available"], count);
    assert_eq!(shop.count("reserved"), waits.len() as u64);
    let [middle, high] = [50, 99].map(|percent| percentile(&mut waits, percent));
    tell(&format!("{} calls while {count} passports were imported: p50 {middle:?}, p99 {high:?}", waits.len()));
    if is_measured() {
        assert!(high < Duration::from_millis(100), "p99 is {high:?}");
    }
}

async fn call_until(is_over: Arc<AtomicBool>, mut caller: Caller) -> Vec<Duration> {
    let mut waits = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let watch = Watch::start();
        caller.call().await;
        waits.push(watch.elapsed());
    }
    waits
}

async fn call_for(time: Duration, mut caller: Caller) -> Vec<Duration> {
    let all = Watch::start();
    let mut waits = Vec::new();
    while all.elapsed() < time {
        let watch = Watch::start();
        caller.call().await;
        waits.push(watch.elapsed());
    }
    waits
}

/// Calls at a constant rate. Each wait begins when the call was due, so that a server which falls behind is seen.
async fn call_every(every: Duration, first: Duration, time: Duration, mut caller: Caller) -> Vec<Duration> {
    let watch = Watch::start();
    let mut waits = Vec::new();
    let mut due = first;
    while due < time {
        // Not to wait for anything that happens: this is the pace.
        tokio::time::sleep(due.saturating_sub(watch.elapsed())).await;
        caller.call().await;
        waits.push(watch.elapsed() - due);
        due += every;
    }
    waits
}

#[tokio::test]
async fn at_half_of_the_top_rate_nobody_waits_long() {
    let shop = Shop::with(rounds(1_000_000, 60_000), "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let time = rounds(Duration::from_secs(6), Duration::from_millis(600));
    let connections = rounds(256, 32);
    let callers = Caller::connect(&server, &key, connections).await;
    let calls = load(callers, |_, caller| call_for(time, caller)).await.len();
    let top = calls as f64 / time.as_secs_f64();
    let every = Duration::from_secs_f64(connections as f64 / (top / 2.0));
    let callers = Caller::connect(&server, &key, connections).await;
    let pace = |number| every.mul_f64(number as f64 / connections as f64);
    let mut waits = load(callers, |number, caller| call_every(every, pace(number), time, caller)).await;
    let [middle, high] = [50, 99].map(|percent| percentile(&mut waits, percent));
    tell(&format!("top rate {top:.0}/s over {connections} connections; at half of it p50 {middle:?}, p99 {high:?}"));
    if is_measured() {
        assert!(high < Duration::from_millis(30), "p99 is {high:?}");
    }
    shop.check();
}
