//! Time: how long something took, and how long it is waited for.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Runs from its making on.
#[derive(Clone, Copy)]
pub(crate) struct Watch(Instant);

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "the stories measure real processes in real time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Asks until there is an answer, and fails when the time is over.
pub(crate) fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let watch = Watch::start();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(watch.elapsed() < limit, "{what}: not within {limit:?}");
        // Leaves the processor to what is waited for.
        thread::sleep(Duration::from_millis(5));
    }
}

/// True if the stories take all their rounds; otherwise they take about a tenth of them.
pub(crate) fn is_long() -> bool {
    std::env::var_os("PASSPOOL_TEST_LONG").is_some_and(|value| value == "1")
}

/// So many rounds as there is time for.
pub(crate) fn rounds<T>(long: T, plain: T) -> T {
    if is_long() { long } else { plain }
}
