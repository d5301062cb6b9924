//! The paths of the NMP, byte for byte as its contract says.

mod airdrop;
mod ceiling;
mod certificate;
mod deferred;
mod error;
mod format;
mod one_to_many;
mod parameters;
mod reserve_one;
mod reset_all;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use passpool_core::{Caller, Right};
use passpool_store::Fault;
use utoipa::openapi::OpenApi;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter},
    routes,
};

use self::error::NmpError;
use super::caller::caller;
use crate::app::App;

pub(super) fn routes() -> Router<App> {
    for_brands().split_for_parts().0
}

/// The paths that strangers may ask.
pub(super) fn public_routes() -> Router<App> {
    for_visitors().split_for_parts().0
}

/// The path that only `bench` asks for.
pub(super) fn ceiling_routes(app: &App) -> Router<App> {
    ceiling::routes(app)
}

/// What both say of themselves.
pub(super) fn openapi() -> OpenApi {
    for_brands().merge(for_visitors()).into_openapi()
}

fn for_brands() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(with_head(routes!(reserve_one::reserve_one)))
        .routes(with_head(routes!(reset_all::reset_all)))
        .routes(with_head(routes!(airdrop::airdrop)))
        .routes(routes!(deferred::transfer))
        .routes(routes!(deferred::verify))
        .routes(routes!(certificate::new_link))
        .routes(routes!(certificate::recover))
}

fn for_visitors() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(with_head(routes!(one_to_many::one_to_many)))
}

/// The same with an answer to HEAD that takes nothing: else GET would answer it.
fn with_head((schemas, paths, methods): UtoipaMethodRouter<App>) -> UtoipaMethodRouter<App> {
    (schemas, paths, methods.head(nothing))
}

/// With what the paths of the NMP begin. What is wrong there is told in its shapes.
const BEGINNINGS: [&str; 7] = ["api", "certificate", "deferred", "dispenser", "nft", "productManagement", "users"];

pub(super) fn speaks(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|beginning| BEGINNINGS.contains(&beginning))
}

pub(super) fn wrong_method() -> Response {
    NmpError::WrongMethod.into_response()
}

pub(super) fn too_large() -> Response {
    NmpError::TooLarge.into_response()
}

pub(super) fn failed(fault: Fault) -> Response {
    NmpError::Store(fault.into()).into_response()
}

pub(super) fn too_many_requests(seconds: u64) -> Response {
    NmpError::TooManyRequests(seconds).into_response()
}

/// HEAD is what mail scanners and link checkers ask: it changes nothing.
async fn nothing() -> Response {
    no_store(())
}

/// An answer that nobody on the way may keep.
fn no_store(answer: impl IntoResponse) -> Response {
    let mut answer = answer.into_response();
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The caller of an NMP path. Without a good key the request is over.
struct NmpCaller(Caller);

impl NmpCaller {
    fn needs(&self, right: Right) -> Result<(), NmpError> {
        if self.0.may(right) { Ok(()) } else { Err(NmpError::Unauthorized) }
    }
}

impl FromRequestParts<App> for NmpCaller {
    type Rejection = NmpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, NmpError> {
        caller(app, &parts.headers).await?.map(Self).ok_or(NmpError::NoUser)
    }
}
