//! Health: whether the process lives, and whether the store answers.

use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::app::App;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

/// From memory: no key, no store, no lock, no limit.
async fn healthz() -> &'static str {
    "ok"
}

async fn readyz(State(app): State<App>) -> Result<&'static str, StatusCode> {
    match app.store.ready().await {
        Ok(()) => Ok("ok"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
