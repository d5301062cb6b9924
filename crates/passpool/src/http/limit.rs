//! Limits by address: strangers who ask for too much are sent away.

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{caller::caller, failed::Failed, holder, nmp, problem::Problem};
use crate::{address::VisitorAddress, app::App};

/// Lets a request through, or answers that its address has used up what it may.
///
/// Calls with a good key are not limited, unless the shop wants it. Whoever has guessed wrong too often is sent away
/// before any work is done.
pub(super) async fn by_address(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let address = VisitorAddress::of(&request, &app.proxies);
    request.extensions_mut().insert(address);
    if !app.limit_keys && has_key(&app, request.headers()).await {
        return next.run(request).await;
    }
    if let Err(seconds) = app.limits.admit(address, app.clock.now()) {
        return sent_away(&request, seconds);
    }
    let answer = next.run(request).await;
    if let Some(Failed(times)) = answer.extensions().get() {
        (0..*times).for_each(|_| app.limits.count_failure(address, app.clock.now()));
    }
    answer
}

/// The same for paths that need a key: only who has one is counted there, and only if the shop wants it.
pub(super) async fn known_by_address(State(app): State<App>, request: Request, next: Next) -> Response {
    if app.limit_keys && has_key(&app, request.headers()).await {
        let address = VisitorAddress::of(&request, &app.proxies);
        if let Err(seconds) = app.limits.admit(address, app.clock.now()) {
            return sent_away(&request, seconds);
        }
    }
    next.run(request).await
}

async fn has_key(app: &App, headers: &HeaderMap) -> bool {
    matches!(caller(app, headers).await, Ok(Some(_)))
}

fn sent_away(request: &Request, seconds: u64) -> Response {
    if nmp::speaks(request.uri().path()) {
        nmp::too_many_requests(seconds)
    } else if holder::wants_page(request.headers()) {
        holder::crowded(request.headers(), seconds)
    } else {
        Problem::TooManyRequests(seconds).into_response()
    }
}

#[cfg(test)]
mod tests;
