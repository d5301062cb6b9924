//! The writer: one thread that owns the connection that writes.
//!
//! It drains what waits, runs it in one transaction, commits once, and only then answers everybody. So a hundred
//! callers share one fsync, and nobody hears of a change that a power cut could take back. Before it begins it waits a moment
//! for half of those who call at the time.

use std::{
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    checkpoint::Checkpoints,
    gathering::{Gathering, worth_as_long_as, worth_waiting_for},
    ledger::Ledger,
};
use crate::{Fault, StoreError};

/// How many callers may wait before the next one waits for a place to wait.
const QUEUE: usize = 4_096;
/// How many share a transaction: enough to spread an fsync thin, few enough that the first are answered while others come.
/// (With 512, a thousand callers had 8 % fewer answers.)
pub(super) const BATCH: usize = 256;

#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    gathering: Arc<Gathering>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Job(Box<dyn Job>),
    Close,
}

impl Writer {
    pub(super) fn start(ledger: Ledger, checkpoints: Checkpoints) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let gathering = Arc::new(Gathering::default());
        let work = Work { ledger, checkpoints, waiting, gathering: gathering.clone() };
        let thread = thread::Builder::new().name("passpool-writer".into()).spawn(move || or_abort(move || work.run()));
        Self { queue, gathering, thread: Mutex::new(Some(thread.expect("a thread can be started"))) }
    }

    /// Runs the verb in a transaction, and answers when that is durable. The verb may run twice: if the transaction that
    /// it shared with others failed, it is tried once more alone.
    pub(super) fn run<T: Send + 'static>(
        &self,
        verb: impl FnMut(&mut Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        let (reply, answer) = oneshot::channel();
        // Boxed here and not in the future, which would keep room for the verb as long as its caller waits.
        let job = Message::Job(Box::new(Verb { verb, outcome: None, reply }));
        async move {
            self.queue.send(job).await.map_err(|_| Fault::Closed)?;
            self.gathering.announce(|| self.queue.max_capacity() - self.queue.capacity());
            answer.await.map_err(|_| Fault::Closed)?
        }
    }

    /// Waits until everything that was sent before is done, and the file is closed.
    pub(super) async fn close(&self) {
        let _ = self.queue.send(Message::Close).await; // An error means that it is closed already.
        let thread = self.thread.lock().expect("nobody panics while holding it").take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

/// What the thread is asked to do.
trait Job: Send {
    /// True if nobody waits for the answer any more. A job that has not begun is then not begun.
    fn is_abandoned(&self) -> bool;
    /// Does the work and keeps the outcome. A fault undoes the whole transaction.
    fn run(&mut self, ledger: &mut Ledger) -> Result<(), Fault>;
    /// Sends the outcome, after the commit.
    fn answer(self: Box<Self>);
    fn fail(self: Box<Self>, fault: Fault);
}

struct Verb<T, V> {
    verb: V,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, V: FnMut(&mut Ledger) -> Result<T, StoreError> + Send> Job for Verb<T, V> {
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<(), Fault> {
        match (self.verb)(ledger) {
            Err(StoreError::Fault(fault)) => return Err(fault),
            outcome => self.outcome = Some(outcome),
        }
        Ok(())
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or(Err(Fault::Closed.into()));
        let _ = self.reply.send(outcome); // Whoever asked may have gone.
    }

    fn fail(self: Box<Self>, fault: Fault) {
        let _ = self.reply.send(Err(fault.into()));
    }
}

struct Work {
    ledger: Ledger,
    checkpoints: Checkpoints,
    waiting: mpsc::Receiver<Message>,
    gathering: Arc<Gathering>,
}

impl Work {
    fn run(mut self) {
        let (mut answered, mut took) = (0, Duration::ZERO);
        while let Some(first) = self.waiting.blocking_recv() {
            let mut jobs = Vec::new();
            self.take(first, &mut jobs);
            self.drain(&mut jobs);
            let wanted = worth_waiting_for(answered, jobs.len()).min(BATCH);
            if let Some(missing @ 1..) = wanted.checked_sub(jobs.len()) {
                self.gathering.wait(worth_as_long_as(took), missing, || self.waiting.len());
                self.drain(&mut jobs);
            }
            answered = jobs.len();
            took = time_of(|| self.process(jobs));
            self.checkpoints.after_commit(&self.ledger.db);
        }
        self.checkpoints.end();
    }

    /// Takes what waits at this moment, as far as it fits into one transaction; if the store closes, then all.
    fn drain(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        while jobs.len() < BATCH || self.waiting.is_closed() {
            let Ok(message) = self.waiting.try_recv() else { break };
            self.take(message, jobs);
        }
    }

    fn take(&mut self, message: Message, jobs: &mut Vec<Box<dyn Job>>) {
        match message {
            Message::Job(job) if !job.is_abandoned() => jobs.push(job),
            Message::Job(_) => {}
            Message::Close => self.waiting.close(),
        }
    }

    fn process(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        match self.ledger.transaction(|ledger| jobs.iter_mut().try_for_each(|job| job.run(ledger))) {
            Ok(()) => jobs.into_iter().for_each(|job| job.answer()),
            Err(fault) if jobs.len() == 1 || fault.passes() => {
                jobs.into_iter().for_each(|job| job.fail(fault.clone()));
            }
            // One of them is at fault; the others need not suffer for it.
            Err(_) => jobs.into_iter().for_each(|job| self.process(vec![job])),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it is how fast this machine is, which no clock of ours is asked")]
fn time_of(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// A bug in the writer must not leave a server that answers and cannot write: the process ends, and what was committed
/// stands.
fn or_abort(work: impl FnOnce()) {
    struct Abort;
    impl Drop for Abort {
        fn drop(&mut self) {
            if thread::panicking() {
                tracing::error!("the writer panicked: passpool ends");
                std::process::abort();
            }
        }
    }
    let _abort = Abort;
    work();
}
