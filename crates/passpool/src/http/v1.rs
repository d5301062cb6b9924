//! `/v1`: our own API. Answers are JSON, and problems RFC 9457's.

#![expect(unused_qualifications, reason = "utoipa writes the whole path of what it names")]

mod at;
mod body;
mod caller;
mod claims;
mod create;
mod imports;
mod page;
mod passport_moves;
mod query;
mod reply;

use axum::{Router, extract::DefaultBodyLimit, routing::options};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{BODY_AT_MOST, cors};
use crate::app::App;

/// The paths that need a key.
pub(super) fn routes() -> Router<App> {
    for_operators().split_for_parts().0.layer(DefaultBodyLimit::max(BODY_AT_MOST))
}

/// The paths that wallets call, from anywhere.
pub(super) fn public_routes() -> Router<App> {
    for_wallets().split_for_parts().0.route(claims::PATH, options(cors::preflight))
}

/// What both say of themselves.
pub(super) fn openapi() -> OpenApi {
    for_operators().merge(for_wallets()).into_openapi()
}

fn for_operators() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create))
        .routes(routes!(imports::import))
        .routes(routes!(imports::show))
        .routes(routes!(passport_moves::recover))
        .routes(routes!(passport_moves::withdraw))
}

fn for_wallets() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(claims::claim))
}
