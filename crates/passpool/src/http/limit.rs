//! Limits by address: strangers who ask for too much are sent away.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
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
        let answer = if nmp::speaks(request.uri().path()) {
            nmp::too_many_requests(seconds)
        } else if holder::wants_page(request.headers()) {
            holder::crowded(request.headers(), seconds)
        } else {
            Problem::TooManyRequests(seconds).into_response()
        };
        return with_standing(answer, &app, address);
    }
    let answer = next.run(request).await;
    if let Some(Failed(times)) = answer.extensions().get() {
        (0..*times).for_each(|_| app.limits.count_failure(address, app.clock.now()));
    }
    with_standing(answer, &app, address)
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// Tells the limits and how they stand, in the IETF's fields (draft-ietf-httpapi-ratelimit-headers-10).
fn with_standing(mut answer: Response, app: &App, address: VisitorAddress) -> Response {
    let quotas = app.limits.standing(address, app.clock.now());
    let policy = quotas.map(|(name, quota)| format!("\"{name}\";q={};w={}", quota.all, quota.seconds)).join(", ");
    let standing = quotas.map(|(name, quota)| format!("\"{name}\";r={};t={}", quota.left, quota.back_in)).join(", ");
    for (field, value) in [(POLICY, policy), (STANDING, standing)] {
        answer.headers_mut().insert(field, HeaderValue::try_from(value).expect("names and numbers are a header"));
    }
    answer
}

#[cfg(test)]
mod tests;
