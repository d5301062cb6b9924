//! Load: many connections that call at once, flat out or at a fixed rate.
//!
//! At a fixed rate a call's wait begins when the call was due, not when the connection got round to it, so a server
//! that falls behind is seen: the waits need no later correction for coordinated omission. Flat out a wait is the time
//! between a request and its answer, with as many on their way as there are connections.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{task::JoinSet, time::timeout};

use super::{
    connection::{CallError, Connection, Stream},
    script::{Script, Unexpected},
    stopwatch::Stopwatch,
    waits::Waits,
};

/// How long an answer may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a load is carried.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The servers, among which connections are shared out evenly.
    pub(super) servers: Vec<SocketAddr>,
    /// How many threads make the calls.
    pub(super) threads: usize,
    /// Calls a second, of all connections together. None is flat out.
    pub(super) rate: Option<f64>,
    /// When no more calls are begun: after this time, or after so many calls.
    pub(super) time: Duration,
    pub(super) calls: u64,
}

/// What a load has done.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// From the first request to the last answer.
    pub(super) time: Duration,
    /// How many passports are out of the pool now that were in it before.
    pub(super) taken: i64,
    /// By the script's kinds of calls.
    pub(super) waits: Vec<Waits>,
    /// How many answers came in each second.
    pub(super) seconds: Vec<u64>,
}

/// Why a load tells nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("no connection: {0}")]
    NoConnection(io::Error),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Answer(#[from] Unexpected),
    #[error("the server did not answer within {} s", PATIENCE.as_secs())]
    NoAnswer,
}

impl Tally {
    pub(super) fn calls(&self) -> u64 {
        self.waits.iter().map(Waits::count).sum()
    }

    /// Counts what another load has done with this one's, one after the other.
    pub(super) fn follow(&mut self, other: &Self) {
        self.time += other.time;
        self.absorb(other);
    }

    fn absorb(&mut self, other: &Self) {
        self.taken += other.taken;
        self.waits.resize_with(self.waits.len().max(other.waits.len()), Waits::default);
        self.waits.iter_mut().zip(&other.waits).for_each(|(waits, more)| *waits += more);
        self.seconds.resize(self.seconds.len().max(other.seconds.len()), 0);
        self.seconds.iter_mut().zip(&other.seconds).for_each(|(answers, more)| *answers += more);
    }

    /// Counts an answer that came so long after the start.
    pub(super) fn note_answer(&mut self, at: Duration) {
        self.note_answers(at.as_secs(), 1);
    }

    fn note_answers(&mut self, second: u64, answers: u64) {
        let second = second as usize;
        self.seconds.resize(self.seconds.len().max(second + 1), 0);
        self.seconds[second] += answers;
    }
}

/// Connects every script, then lets all of them call until the plan's end. Blocks as long as that takes.
pub(super) fn carry(plan: &Plan, scripts: Vec<Box<dyn Script>>) -> Result<Tally, LoadError> {
    let connections = scripts.len();
    let left = Arc::new(AtomicI64::new(i64::try_from(plan.calls).unwrap_or(i64::MAX)));
    let mut hands: Vec<Vec<Caller>> = (0..plan.threads.min(connections)).map(|_| Vec::new()).collect();
    let count = hands.len();
    let every = plan.rate.map(|rate| Duration::from_secs_f64(connections as f64 / rate));
    for (number, script) in scripts.into_iter().enumerate() {
        let stream = Stream::open(plan.servers[number % plan.servers.len()]).map_err(LoadError::NoConnection)?;
        let pace = every.map(|every| Pace { due: every.mul_f64(number as f64 / connections as f64), every });
        hands[number % count].push(Caller { stream, script, pace, until: plan.time, left: left.clone() });
    }
    let watch = Stopwatch::start();
    let tallies = thread::scope(|scope| {
        let hands: Vec<_> = hands.into_iter().map(|callers| scope.spawn(move || drive(callers, watch))).collect();
        hands.into_iter().map(|hand| hand.join().expect("a client does not panic")).collect::<Vec<_>>()
    });
    let mut all = Tally { time: watch.elapsed(), ..Tally::default() };
    for tally in tallies {
        all.absorb(&tally?);
    }
    Ok(all)
}

/// One connection and what it is to do.
struct Caller {
    stream: Stream,
    script: Box<dyn Script>,
    pace: Option<Pace>,
    until: Duration,
    /// How many calls all of them may still make.
    left: Arc<AtomicI64>,
}

/// When the next call is due, and how long after it the one after it.
struct Pace {
    due: Duration,
    every: Duration,
}

/// What one connection has seen: the kinds of its calls, and the waits.
#[derive(Default)]
struct Seen {
    taken: i64,
    waits: Vec<(usize, Duration)>,
    /// How many answers came in the seconds in which any did.
    seconds: Vec<(u64, u64)>,
}

/// One thread's connections.
fn drive(callers: Vec<Caller>, watch: Stopwatch) -> Result<Tally, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(LoadError::NoConnection)?.block_on(async {
        let patience = callers.first().map_or(PATIENCE, |caller| caller.until.saturating_add(PATIENCE));
        let mut running: JoinSet<_> = callers.into_iter().map(|caller| caller.call(watch)).collect();
        let mut all = Tally::default();
        let counted = async {
            while let Some(seen) = running.join_next().await {
                let seen = seen.expect("a caller does not panic")?;
                all.taken += seen.taken;
                for (kind, wait) in seen.waits {
                    all.waits.resize_with(all.waits.len().max(kind + 1), Waits::default);
                    all.waits[kind].add(wait);
                }
                for (second, answers) in seen.seconds {
                    all.note_answers(second, answers);
                }
            }
            Ok(())
        };
        timeout(patience, counted).await.unwrap_or(Err(LoadError::NoAnswer))?;
        Ok(all)
    })
}

impl Caller {
    async fn call(mut self, watch: Stopwatch) -> Result<Seen, LoadError> {
        let mut connection = Connection::over(self.stream).map_err(LoadError::NoConnection)?;
        let mut seen = Seen::default();
        loop {
            let begun = match &mut self.pace {
                None => watch.elapsed(),
                Some(Pace { due, every }) => {
                    let now_due = *due;
                    *due += *every;
                    if watch.elapsed() < now_due {
                        watch.reaches(now_due).await;
                    }
                    now_due
                }
            };
            if begun >= self.until || self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
                return Ok(seen);
            }
            let answer = connection.call(self.script.next()).await?;
            let effect = self.script.judge(answer)?;
            seen.taken += effect.taken;
            let answered = watch.elapsed();
            seen.waits.push((effect.kind, answered.saturating_sub(begun)));
            match seen.seconds.last_mut() {
                Some((second, answers)) if *second == answered.as_secs() => *answers += 1,
                _ => seen.seconds.push((answered.as_secs(), 1)),
            }
        }
    }
}
