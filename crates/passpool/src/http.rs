//! HTTP: the paths, and what every request walks through.

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
mod trouble;
pub(crate) mod v1;

use std::{any::Any, convert::Infallible, panic::AssertUnwindSafe, time::Duration};

use axum::{
    Router,
    body::HttpBody as _,
    extract::{MatchedPath, Request},
    http::{HeaderValue, Method, StatusCode, Uri},
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::Route,
};
use futures_util::{
    FutureExt as _,
    future::{Either, ready},
};
use passpool_store::{Fault, StoreError};
use tokio::time::timeout;
use tower::{Service as _, layer::layer_fn, service_fn};

use self::{problem::Problem, request_id::RequestIds, trouble::Trouble};
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
    // What strangers may ask for. All else needs a key, or is health, and has no limit unless the shop wants it.
    let limit = from_fn_with_state(app.clone(), limit::by_address);
    let mut keyed = Router::new().merge(nmp::routes()).merge(v1::routes()).merge(more_keyed);
    if app.limit_keys {
        keyed = keyed.layer(from_fn_with_state(app.clone(), limit::known_by_address));
    }
    let public = Router::new().merge(nmp::public_routes()).fallback(async || Problem::NoSuchPath).layer(limit.clone());
    let for_wallets = Router::new()
        .merge(v1::public_routes())
        .merge(rpc::routes())
        .merge(holder::routes())
        .layer(limit)
        .layer(map_response(cors::open_data));
    let ids = RequestIds::new(&*app.entropy);
    let routes = Router::new()
        .merge(health::routes())
        .merge(keyed)
        .merge(openapi::routes())
        .merge(for_wallets)
        .merge(public)
        .method_not_allowed_fallback(wrong_method);
    walked(routes, ids).with_state(app)
}

/// Has every request to the router walk through this: it is given an id, which its answer and the log show, and it is
/// answered whatever happens, in the words of its path.
///
/// One step and not a layer for each, because a layer has its share of memory in every request that waits, and is walked
/// through twice in a call that waits for a commit.
fn walked<S: Clone + Send + Sync + 'static>(router: Router<S>, ids: RequestIds) -> Router<S> {
    router.layer(layer_fn(move |mut route: Route| {
        let ids = ids.clone();
        service_fn(move |request| walk(&ids, &mut route, request))
    }))
}

/// The request is handed on here and not in a future, which would keep room for it as long as its caller waits.
fn walk(
    ids: &RequestIds,
    route: &mut Route,
    request: Request,
) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
    let asked = Asked::of(&request, ids);
    answer(route, request).map(move |mut answer| {
        asked.log(&answer);
        answer.headers_mut().entry(request_id::HEADER).or_insert(asked.id);
        Ok(answer)
    })
}

fn answer(route: &mut Route, request: Request) -> impl Future<Output = Response> + Send + use<> {
    let is_nmp = nmp::speaks(request.uri().path());
    if request.body().size_hint().lower() > BODY_AT_MOST as u64 {
        return Either::Left(ready(too_large(is_nmp)));
    }
    let answer = AssertUnwindSafe(route.call(request)).catch_unwind();
    Either::Right(timeout(ANSWER_WITHIN, answer).map(move |outcome| match outcome {
        // Whoever found that out has plain words alone.
        Ok(Ok(Ok(answer))) if answer.status() == StatusCode::PAYLOAD_TOO_LARGE => too_large(is_nmp),
        Ok(Ok(Ok(answer))) => answer,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(panic)) => failed(is_nmp, Fault::Database(format!("a request panicked: {}", message(&*panic)))),
        // The work may have been cut off in its commit.
        Err(_) => failed(is_nmp, Fault::OutcomeUnknown),
    }))
}

fn too_large(is_nmp: bool) -> Response {
    if is_nmp { nmp::too_large() } else { Problem::BodyTooLarge.into_response() }
}

fn failed(is_nmp: bool, fault: Fault) -> Response {
    if is_nmp { nmp::failed(fault) } else { Problem::from(StoreError::from(fault)).into_response() }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}

async fn wrong_method(uri: Uri) -> Response {
    if nmp::speaks(uri.path()) { nmp::wrong_method() } else { Problem::WrongMethod.into_response() }
}

/// What the log calls a request: by the route's pattern, and never by the path, the query or a header, as those hold
/// secrets.
///
/// It is written down only if there is something to say. A span would be written for each request.
struct Asked {
    method: Method,
    route: Option<MatchedPath>,
    id: HeaderValue,
}

impl Asked {
    fn of(request: &Request, ids: &RequestIds) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { method: request.method().clone(), route, id: ids.of(request.headers()) }
    }

    fn log(&self, answer: &Response) {
        let (method, id) = (&self.method, self.id.to_str().unwrap_or_default());
        let route = self.route.as_ref().map_or("", MatchedPath::as_str);
        tracing::debug!(%method, route, id, status = answer.status().as_u16(), "answered");
        if let Some(Trouble { what, why }) = answer.extensions().get() {
            tracing::error!(%method, route, id, fault = why, "{what}");
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::header, routing::any};
    use tower::ServiceExt as _;

    use super::*;
    use crate::clock::Entropy;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    /// What is told on a path of each kind when the route does this.
    async fn told(does: fn(), body: Body) -> [Response; 2] {
        let route = any(async move || {
            does();
            std::future::pending::<()>().await;
        });
        let ids = RequestIds::new(&Sevens);
        let router = walked(Router::new().fallback_service(route), ids);
        let [first, second] = ["/dispenser/distribution/reserveOne", "/v1/reservations"];
        let (ours, theirs) =
            (Request::get(first).body(body).unwrap(), Request::get(second).body(Body::empty()).unwrap());
        [router.clone().oneshot(ours).await.unwrap(), router.oneshot(theirs).await.unwrap()]
    }

    fn kinds(told: &[Response; 2]) -> [(u16, &str); 2] {
        told.each_ref()
            .map(|answer| (answer.status().as_u16(), answer.headers()[header::CONTENT_TYPE].to_str().unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_not_answered_in_time_is_told_that_nobody_knows() {
        let told = told(|| (), Body::empty()).await;
        assert_eq!(kinds(&told), [(503, "application/json; charset=utf-8"), (503, "application/problem+json")]);
        assert!(told.iter().all(|answer| answer.headers()[header::RETRY_AFTER] == "1"));
    }

    #[tokio::test]
    async fn a_panic_ends_no_more_than_its_request() {
        let told = told(|| panic!("this is a test"), Body::empty()).await;
        assert_eq!(kinds(&told), [(500, "application/json; charset=utf-8"), (500, "application/problem+json")]);
        assert_eq!(told[1].headers()[request_id::HEADER], "0707070707070708");
        for answer in told {
            let Trouble { what, why } = answer.extensions().get().expect("nothing of it for the log");
            assert_eq!((*what, why.as_str()), ("a request failed", "a request panicked: this is a test"));
        }
    }
}
