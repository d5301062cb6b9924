//! The worker: what has to happen although nobody calls.

use std::time::Duration;

use passpool_core::WholeSeconds;
use passpool_store::StoreError;
use tokio::time::MissedTickBehavior;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::app::App;

/// Holds that have ended are available within a second, and transfers settled.
const EVERY: Duration = Duration::from_millis(500);
/// Idempotency records are kept for 24 hours at least.
const KEEP_REPEATS: u64 = 25 * 3_600;

/// How much longer previews and resets are kept than they are good for, in seconds: who began in time may be at work in
/// slices, and is not cut off.
const LET_FINISH: u64 = 60;

/// How often what is no longer needed is looked for: it is never wanted to the second.
const FORGET_EVERY: Duration = Duration::from_secs(30);

/// Works until it is told to end.
pub(crate) fn start(app: &App, workers: &TaskTracker, ending: &CancellationToken) {
    let (first, second) = (app.clone(), app.clone());
    workers.spawn(repeat(EVERY, ending.clone(), move || {
        let app = first.clone();
        async move { work(&app).await }
    }));
    workers.spawn(repeat(FORGET_EVERY, ending.clone(), move || {
        let app = second.clone();
        async move { forget(&app).await }
    }));
}

async fn repeat<W: Future<Output = Result<(), StoreError>>>(
    every: Duration,
    ending: CancellationToken,
    work: impl Fn() -> W,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while ending.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = work().await {
            tracing::warn!(%error, "the worker could not do its work, and tries again");
        }
    }
}

async fn work(app: &App) -> Result<(), StoreError> {
    while app.store.settle(app.settle_delay, app.clock.now()).await? > 0 {}
    while app.store.end_holds(app.clock.now()).await? > 0 {}
    app.store.sweep_imports().await?;
    let keep = WholeSeconds::new(KEEP_REPEATS).expect("25 hours are a span");
    while app.store.forget_repeats(app.clock.now().minus(keep)).await? > 0 {}
    Ok(())
}

/// Erases what was kept for a while, and writes down which keys were used.
async fn forget(app: &App) -> Result<(), StoreError> {
    let uses = app.callers.take_uses();
    if !uses.is_empty() {
        app.store.keep_key_uses(uses).await?;
    }
    let now = app.clock.now();
    app.store.forget_keys(now).await?;
    let let_finish = WholeSeconds::new(LET_FINISH).expect("a minute is a span");
    while app.store.forget_resets(now.minus(let_finish)).await? > 0 {}
    while app.store.forget_recipients(now.minus(app.keep_recipients)).await? > 0 {}
    Ok(())
}
