//! Gathering: the writer waits a moment for those who are about to come, so that one commit serves them too.
//!
//! Callers who were answered just now mostly come back with their next call. A commit that begins at the first of them
//! serves few, and costs as much as one that serves many; one that begins at the last leaves nothing to do for those who
//! speak HTTP meanwhile. So half of them are written while the other half is answered and comes back. Should they not come,
//! as calls at a constant rate do not, then the first has waited no longer for them than the commit before took.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long the first may have to wait for others at most, however long the commit before took: it may have been a large one.
const AT_MOST: Duration = Duration::from_millis(2);

/// Where the writer waits and callers announce themselves.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// How many the writer waits for; 0 if it does not wait.
    wanted: AtomicUsize,
    waits: Mutex<()>,
    are_there: Condvar,
}

/// How many are worth waiting for when so many were answered last, and so many have come since: half of them all. If as many
/// have come as were answered, they are there already, so calls at a constant rate soon wait for nobody.
pub(super) const fn worth_waiting_for(answered: usize, came: usize) -> usize {
    usize::midpoint(answered, came)
}

/// How long others are worth waiting for after a commit that took so long: what they save is another of its kind.
pub(super) fn worth_as_long_as(commit: Duration) -> Duration {
    commit.min(AT_MOST)
}

impl Gathering {
    /// Waits until so many are there, or the time is over.
    pub(super) fn wait(&self, at_most: Duration, wanted: usize, are_there: impl Fn() -> usize) {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        self.wanted.store(wanted, Ordering::SeqCst);
        if are_there() < wanted {
            let still = |(): &mut ()| self.wanted.load(Ordering::SeqCst) != 0;
            drop(self.are_there.wait_timeout_while(waits, at_most, still));
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
    fn half_of_those_who_call_are_waited_for() {
        let check = |answered, came, expected| assert_eq!(worth_waiting_for(answered, came), expected);
        check(0, 1, 0);
        check(1, 1, 1);
        check(2, 1, 1);
        check(3, 1, 2);
        check(16, 16, 16);
        check(200, 56, 128);
        check(10, 90, 50);
    }

    #[test]
    fn nobody_is_waited_for_longer_than_the_commit_before_took() {
        let check = |micros, expected| {
            assert_eq!(worth_as_long_as(Duration::from_micros(micros)), Duration::from_micros(expected));
        };
        check(0, 0);
        check(380, 380);
        check(2_000, 2_000);
        check(300_000, 2_000);
    }

    /// With an hour to wait, each round ends because the last caller ended it.
    #[test]
    fn the_last_who_comes_ends_it() {
        let gathering = Arc::new(Gathering::default());
        for _ in 0..1_000 {
            let there = Arc::new(AtomicUsize::new(0));
            let callers = [(); 2].map(|()| {
                let (gathering, there) = (gathering.clone(), there.clone());
                thread::spawn(move || {
                    there.fetch_add(1, Ordering::SeqCst);
                    gathering.announce(|| there.load(Ordering::SeqCst));
                })
            });
            gathering.wait(Duration::from_hours(1), 2, || there.load(Ordering::SeqCst));
            assert_eq!(there.load(Ordering::SeqCst), 2);
            callers.into_iter().for_each(|caller| caller.join().unwrap());
        }
    }

    #[test]
    fn nobody_waits_for_those_who_do_not_come() {
        Gathering::default().wait(AT_MOST, 1, || 0);
    }
}
