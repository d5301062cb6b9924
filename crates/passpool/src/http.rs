//! HTTP: the paths, and the layers that every request walks through.

mod caller;
mod cors;
mod failed;
mod health;
mod holder;
mod kiosk_visitor;
mod limit;
mod nmp;
pub(crate) mod openapi;
mod problem;
mod request_id;
mod rpc;
pub(crate) mod v1;

use std::time::Duration;

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::{StatusCode, Uri},
    middleware::{Next, from_fn, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    limit::RequestBodyLimitLayer,
    request_id::{PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
};

use self::problem::Problem;
use crate::app::App;

/// How large a request's body may be: a bulk reservation with its recipients.
const BODY_AT_MOST: usize = 32 << 20;
/// How long a request may take: longer than the largest reservation, shorter than a proxy's patience.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Every path that the server answers.
pub fn router(app: App) -> Router {
    router_with(app, Router::new())
}

/// The same and one path more: an answer from memory, behind everything that a reservation walks through. `bench` shows
/// with it what the machine could do at best.
pub(crate) fn router_with_ceiling(app: App) -> Router {
    let ceiling = nmp::ceiling_routes(&app);
    router_with(app, ceiling)
}

fn router_with(app: App, more_keyed: Router<App>) -> Router {
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(request_id::Counting::new(&*app.entropy)))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(()).on_failure(()))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(from_fn(tell_too_large))
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_WITHIN))
        .layer(RequestBodyLimitLayer::new(BODY_AT_MOST));
    // What strangers may ask for. All else needs a key, or is health, and has no limit.
    let limit = from_fn_with_state(app.clone(), limit::by_address);
    let keyed = Router::new().merge(nmp::routes()).merge(v1::routes()).merge(more_keyed);
    let keyed = keyed.layer(from_fn_with_state(app.clone(), limit::known_by_address));
    let public = Router::new().merge(nmp::public_routes()).fallback(async || Problem::NoSuchPath).layer(limit.clone());
    let for_wallets = Router::new()
        .merge(v1::public_routes())
        .merge(rpc::routes())
        .merge(holder::routes())
        .layer(limit)
        .layer(map_response(cors::open_data));
    Router::new()
        .merge(health::routes())
        .merge(keyed)
        .merge(openapi::routes())
        .merge(for_wallets)
        .merge(public)
        .method_not_allowed_fallback(wrong_method)
        .layer(layers)
        .with_state(app)
}

async fn wrong_method(uri: Uri) -> Response {
    if nmp::speaks(uri.path()) { nmp::wrong_method() } else { Problem::WrongMethod.into_response() }
}

/// Tells of a body that is too large as the path tells of everything. Whoever found that out has plain words alone.
async fn tell_too_large(request: Request, next: Next) -> Response {
    let is_nmp = nmp::speaks(request.uri().path());
    let answer = next.run(request).await;
    if answer.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return answer;
    }
    if is_nmp { nmp::too_large() } else { Problem::BodyTooLarge.into_response() }
}

/// Names the route's pattern and never the path, the query or a header: those hold secrets.
fn span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), route, id)
}
