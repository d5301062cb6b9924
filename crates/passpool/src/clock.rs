//! The clock, and the source of random bytes: the two things that the rest of the program is handed.

use std::cell::RefCell;

use passpool_core::Timestamp;
use zeroize::Zeroize as _;

/// Tells what time it is.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others are handed")]
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
    }
}

/// Gives random bytes that nobody can guess.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// The randomness of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        AHEAD.with_borrow_mut(|ahead| ahead.fill(bytes));
    }
}

thread_local! {
    static AHEAD: RefCell<Ahead> = const { RefCell::new(Ahead { bytes: [0; _], used: Ahead::BYTES }) };
}

/// Bytes that were asked for ahead: each visit to the operating system costs as much as hashing a key.
struct Ahead {
    bytes: [u8; Self::BYTES],
    used: usize,
}

impl Ahead {
    const BYTES: usize = 1_024;

    fn fill(&mut self, bytes: &mut [u8]) {
        if bytes.len() > Self::BYTES {
            return from_system(bytes);
        }
        if bytes.len() > Self::BYTES - self.used {
            from_system(&mut self.bytes);
            self.used = 0;
        }
        let given = &mut self.bytes[self.used..][..bytes.len()];
        bytes.copy_from_slice(given);
        // What was given is nobody else's business.
        given.zeroize();
        self.used += bytes.len();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the source that all others are handed")]
fn from_system(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// Random bytes of a fixed number.
pub fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice() {
        let (mut ahead, mut seen) = (Ahead { bytes: [0; _], used: Ahead::BYTES }, HashSet::new());
        // Not a divisor of what is asked for ahead, so that some of that is left over now and then.
        for _ in 0..1_000 {
            let mut bytes = [0; 24];
            ahead.fill(&mut bytes);
            assert!(seen.insert(bytes));
            assert!(ahead.bytes[..ahead.used].iter().all(|byte| *byte == 0));
        }
        let mut large = [0; Ahead::BYTES + 1];
        ahead.fill(&mut large);
        assert!(large.iter().any(|byte| *byte != 0));
    }
}
