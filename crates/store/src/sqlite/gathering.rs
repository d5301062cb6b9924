//! Gathering: the writer waits a moment for those who are about to come, so that one commit serves them all.
//!
//! Callers who were answered just now mostly come back with their next call. A commit that begins at the first of them
//! serves few, and costs as much as one that serves all.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long the first may have to wait for others: what some fsyncs take.
pub(super) const AT_MOST: Duration = Duration::from_micros(500);

/// For fewer nobody waits: as long as the processors have time to spare, a commit of its own is the sooner answer.
const FEW: usize = 32;

/// Where the writer waits and callers announce themselves.
#[derive(Debug)]
pub(super) struct Gathering {
    at_most: Duration,
    /// How many the writer waits for; 0 if it does not wait.
    wanted: AtomicUsize,
    waits: Mutex<()>,
    are_there: Condvar,
}

/// How many are worth waiting for when so many were answered last, and so many have come since: four fifths of them all, or
/// none.
pub(super) const fn worth_waiting_for(answered: usize, came: usize) -> usize {
    let most = (answered + came) * 4 / 5;
    if most < FEW { 0 } else { most }
}

impl Gathering {
    pub(super) const fn new(at_most: Duration) -> Self {
        Self { at_most, wanted: AtomicUsize::new(0), waits: Mutex::new(()), are_there: Condvar::new() }
    }

    /// Waits until so many are there, or the moment is over.
    pub(super) fn wait(&self, wanted: usize, are_there: impl Fn() -> usize) {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        self.wanted.store(wanted, Ordering::SeqCst);
        if are_there() < wanted {
            let still = |(): &mut ()| self.wanted.load(Ordering::SeqCst) != 0;
            drop(self.are_there.wait_timeout_while(waits, self.at_most, still));
        }
        self.wanted.store(0, Ordering::SeqCst);
    }

    /// To be called by whoever came, with how many there are now.
    pub(super) fn announce(&self, are_there: impl Fn() -> usize) {
        let wanted = self.wanted.load(Ordering::SeqCst);
        if wanted != 0 && are_there() >= wanted {
            // The lock, so that the writer does not miss it between its look and its sleep.
            let _waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
            self.wanted.store(0, Ordering::SeqCst);
            self.are_there.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn most_of_those_who_were_answered_are_waited_for() {
        let check = |answered, came, expected| assert_eq!(worth_waiting_for(answered, came), expected);
        check(0, 1, 0);
        check(16, 16, 0);
        check(40, 0, 32);
        check(200, 56, 204);
    }

    /// With an hour to wait, each round ends because the last caller ended it.
    #[test]
    fn the_last_who_comes_ends_it() {
        let gathering = Arc::new(Gathering::new(Duration::from_hours(1)));
        for _ in 0..1_000 {
            let there = Arc::new(AtomicUsize::new(0));
            let callers = [(); 2].map(|()| {
                let (gathering, there) = (gathering.clone(), there.clone());
                thread::spawn(move || {
                    there.fetch_add(1, Ordering::SeqCst);
                    gathering.announce(|| there.load(Ordering::SeqCst));
                })
            });
            gathering.wait(2, || there.load(Ordering::SeqCst));
            assert_eq!(there.load(Ordering::SeqCst), 2);
            callers.into_iter().for_each(|caller| caller.join().unwrap());
        }
    }

    #[test]
    fn nobody_waits_for_those_who_do_not_come() {
        Gathering::new(AT_MOST).wait(1, || 0);
    }
}
