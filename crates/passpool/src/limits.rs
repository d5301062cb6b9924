//! Limits: how much one address may ask for, and how often it may guess wrong.
//!
//! What each address has used is kept as one moment for each rate: when all of it will have come back. That is little
//! to keep, can be looked at without being used up, and is forgotten without loss once the moment has passed. (The
//! usual crate for this can neither only look nor be kept from growing.)

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use passpool_core::Timestamp;

use crate::address::VisitorAddress;

/// 1,200 a minute, 600 at once: a venue is one address.
const REQUESTS: Rate = Rate { every: 50_000, burst: 600 };
/// 60 a minute, 30 at once: a person with a dead link tries a few times, a machine that guesses thousands.
const FAILURES: Rate = Rate { every: 1_000_000, burst: 30 };
/// How many addresses are remembered at least. More than a shop sees in half a minute, and with as many again about
/// 10 MiB at most.
const REMEMBERED: usize = 65_536;

/// A rate at which something comes back, in microseconds for one, and how much of it there is when all is back.
struct Rate {
    every: i64,
    burst: i64,
}

impl Rate {
    const fn whole(&self) -> i64 {
        self.every * self.burst
    }

    /// How long until there is one, in microseconds; nothing or less if there is.
    const fn wait(&self, all_back: i64, now: i64) -> i64 {
        all_back + self.every - self.whole() - now
    }

    /// How many there are, and in how many seconds there are all again.
    fn standing(&self, all_back: i64, now: i64) -> Quota {
        let used = (all_back - now).clamp(0, self.whole());
        Quota {
            all: self.burst,
            seconds: self.whole() / 1_000_000,
            left: (self.whole() - used) / self.every,
            back_in: used.unsigned_abs().div_ceil(1_000_000),
        }
    }

    /// Uses one, although there may be none.
    fn take(&self, all_back: i64, now: i64) -> i64 {
        (all_back.max(now) + self.every).min(now + self.whole())
    }
}

/// How a limit stands for one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// How many there are at most, and in how many seconds so many come back.
    pub all: i64,
    pub seconds: i64,
    pub left: i64,
    /// In how many seconds there are all again.
    pub back_in: u64,
}

/// What every address has used.
#[derive(Default)]
pub(crate) struct Limits(Mutex<Book>);

/// Two pages, and a fresh one whenever the last is full or too old to matter: what was on the page before and was not
/// needed since is forgotten with it. So strangers cannot fill the memory. Whoever has more addresses than fit can make
/// the book forget, and has no need to.
#[derive(Default)]
struct Book {
    began: i64,
    page: HashMap<IpAddr, Used>,
    page_before: HashMap<IpAddr, Used>,
}

/// When all is back.
#[derive(Clone, Copy, Default)]
struct Used {
    requests: i64,
    failures: i64,
}

impl Limits {
    /// Counts a request, or answers after how many seconds one may come.
    pub(crate) fn admit(&self, address: VisitorAddress, now: Timestamp) -> Result<(), u64> {
        let now = now.as_micros();
        self.of(address, now, |used| {
            let wait = REQUESTS.wait(used.requests, now).max(FAILURES.wait(used.failures, now));
            if let Ok(wait @ 1..) = u64::try_from(wait) {
                return Err(wait.div_ceil(1_000_000));
            }
            used.requests = REQUESTS.take(used.requests, now);
            Ok(())
        })
    }

    pub(crate) fn count_failure(&self, address: VisitorAddress, now: Timestamp) {
        let now = now.as_micros();
        self.of(address, now, |used| used.failures = FAILURES.take(used.failures, now));
    }

    /// How the limits stand, of requests and of failures.
    pub(crate) fn standing(&self, address: VisitorAddress, now: Timestamp) -> [(&'static str, Quota); 2] {
        let now = now.as_micros();
        self.of(address, now, |used| {
            [("requests", REQUESTS.standing(used.requests, now)), ("failures", FAILURES.standing(used.failures, now))]
        })
    }

    fn of<T>(&self, address: VisitorAddress, now: i64, work: impl FnOnce(&mut Used) -> T) -> T {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(book.entry(address.home(), now))
    }
}

impl Book {
    fn entry(&mut self, home: IpAddr, now: i64) -> &mut Used {
        let too_old = REQUESTS.whole().max(FAILURES.whole());
        // A clock that was set back begins a page too.
        if !(0..too_old).contains(&(now - self.began)) || self.page.len() >= REMEMBERED {
            self.page_before = std::mem::take(&mut self.page);
            self.began = now;
        }
        let before = &self.page_before;
        let used = self.page.entry(home).or_insert_with(|| before.get(&home).copied().unwrap_or_default());
        // And it must not make anybody wait for the time between.
        used.requests = used.requests.min(now + REQUESTS.whole());
        used.failures = used.failures.min(now + FAILURES.whole());
        used
    }
}

#[cfg(test)]
mod tests;
