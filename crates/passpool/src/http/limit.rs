//! Limits by address: strangers who ask for too much are sent away.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{caller::caller, failed::Failed, holder, nmp, problem::Problem};
use crate::{address::VisitorAddress, app::App};

/// Lets a request through, or answers that its address has used up what it may.
///
/// Calls with a good key are not limited. Whoever has guessed wrong too often is sent away before any work is done.
pub(super) async fn by_address(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let address = VisitorAddress::of(&request, &app.proxies);
    request.extensions_mut().insert(address);
    if let Ok(Some(_)) = caller(&app, request.headers()).await {
        return next.run(request).await;
    }
    if let Err(seconds) = app.limits.admit(address, app.clock.now()) {
        return if nmp::speaks(request.uri().path()) {
            nmp::too_many_requests(seconds)
        } else if holder::wants_page(request.headers()) {
            holder::crowded(request.headers(), seconds)
        } else {
            Problem::TooManyRequests(seconds).into_response()
        };
    }
    let answer = next.run(request).await;
    if let Some(Failed(times)) = answer.extensions().get() {
        (0..*times).for_each(|_| app.limits.count_failure(address, app.clock.now()));
    }
    answer
}

#[cfg(test)]
mod tests;
