//! Speed: how long a caller waits while others are busy.
//!
//! The numbers are asserted in the long run alone, which measures the release build with nothing beside it. The plain
//! run shows that the same load is answered.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use crate::{
    client::RESERVE,
    process::Process,
    shop::{Server, Shop},
    watch::{Watch, is_long, rounds},
};

/// One connection that is kept, and the one request that is sent over it. Cheaper than a whole HTTP client, so that the
/// load takes little of the processor from what it measures.
struct Caller {
    stream: BufReader<TcpStream>,
    request: String,
}

impl Caller {
    fn new(server: &Server, key: &str) -> Self {
        let stream = TcpStream::connect(server.host()).unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "GET {RESERVE}?tags=vip&format=link HTTP/1.1\r\nhost: {}\r\nx-api-key: {key}\r\n\r\n",
            server.host()
        );
        Self { stream: BufReader::new(stream), request }
    }

    /// Reserves one passport.
    fn call(&mut self) {
        self.stream.get_mut().write_all(self.request.as_bytes()).unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), "HTTP/1.1 200 OK");
        let mut length = None;
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
        }
        let mut body = vec![0; length.expect("a body of a known length")];
        self.stream.read_exact(&mut body).unwrap();
    }
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

#[test]
fn a_large_import_makes_nobody_wait() {
    let shop = Shop::with(rounds(1_000_000, 100_000), "vip");
    let key = shop.key("crm", "certCreate");
    let count = rounds(1_000_000, 100_000);
    let mut rows = String::from("tags\n");
    for number in 0..count {
        writeln!(rows, "\"gold,size-{},batch-{}\"", number % 40, number / 5_000).unwrap();
    }
    let file = shop.file("rows.csv", rows);
    let server = shop.serve();
    let is_over = AtomicBool::new(false);
    let mut waits: Vec<Duration> = thread::scope(|scope| {
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let mut caller = Caller::new(&server, &key);
                let is_over = &is_over;
                scope.spawn(move || {
                    let mut waits = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        let watch = Watch::start();
                        caller.call();
                        waits.push(watch.elapsed());
                    }
                    waits
                })
            })
            .collect();
        let ended = Process::spawn(&mut shop.command(&["import", &file])).end();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(shop.pool()["tags"]["gold"]["available"], count);
    assert_eq!(shop.count("reserved"), waits.len() as u64);
    let [middle, high] = [50, 99].map(|percent| percentile(&mut waits, percent));
    tell(&format!("{} calls while {count} passports were imported: p50 {middle:?}, p99 {high:?}", waits.len()));
    if is_measured() {
        assert!(high < Duration::from_millis(100), "p99 is {high:?}");
    }
}

/// As many calls as the server answers in this time, over so many connections: calls a second.
fn top_rate(server: &Server, key: &str, connections: usize, time: Duration) -> f64 {
    let calls = AtomicU64::new(0);
    let watch = Watch::start();
    thread::scope(|scope| {
        for _ in 0..connections {
            let mut caller = Caller::new(server, key);
            let calls = &calls;
            scope.spawn(move || {
                while watch.elapsed() < time {
                    caller.call();
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    calls.into_inner() as f64 / watch.elapsed().as_secs_f64()
}

/// Calls at a constant rate. Each wait begins when the call was due, so that a server which falls behind is seen.
fn waits_at(rate: f64, server: &Server, key: &str, connections: usize, time: Duration) -> Vec<Duration> {
    let every = Duration::from_secs_f64(connections as f64 / rate);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..connections)
            .map(|number| {
                let mut caller = Caller::new(server, key);
                scope.spawn(move || {
                    let watch = Watch::start();
                    let mut waits = Vec::new();
                    let mut due = every.mul_f64(number as f64 / connections as f64);
                    while due < time {
                        // Not to wait for anything that happens: this is the pace.
                        thread::sleep(due.saturating_sub(watch.elapsed()));
                        caller.call();
                        waits.push(watch.elapsed() - due);
                        due += every;
                    }
                    waits
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}

#[test]
fn at_half_of_the_top_rate_nobody_waits_long() {
    let shop = Shop::with(rounds(1_000_000, 60_000), "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let time = rounds(Duration::from_secs(6), Duration::from_millis(600));
    let connections = rounds(256, 32);
    let top = top_rate(&server, &key, connections, time);
    let mut waits = waits_at(top / 2.0, &server, &key, connections, time);
    let [middle, high] = [50, 99].map(|percent| percentile(&mut waits, percent));
    tell(&format!("top rate {top:.0}/s over {connections} connections; at half of it p50 {middle:?}, p99 {high:?}"));
    if is_measured() {
        assert!(high < Duration::from_millis(60), "p99 is {high:?}");
    }
    shop.check();
}
