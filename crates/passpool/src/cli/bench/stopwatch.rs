//! Time as it passes: a measurement is the one place where the machine's own clock is what is asked for.

use std::time::{Duration, Instant};

/// Runs from its making on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "it measures how long real processes take")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Returns when it has run for so long. The timer has steps of a millisecond, and never rings early.
    pub(super) async fn reaches(self, time: Duration) {
        tokio::time::sleep_until((self.0 + time).into()).await;
    }
}
