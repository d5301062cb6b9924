//! `/v1`: our own API. Answers are JSON, and problems RFC 9457's.

#![expect(unused_qualifications, reason = "utoipa writes the whole path of what it names")]

mod at;
mod body;
mod caller;
mod claims;
mod create;
mod events;
mod idempotency;
mod imports;
mod links;
mod page;
mod passport_moves;
mod passports;
mod pools;
mod profiles;
mod query;
mod recipients;
mod reply;
mod reservations;
mod resets;
mod users;
mod whole;
mod words;

use axum::{Router, extract::DefaultBodyLimit, routing::options};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{BODY_AT_MOST, cors};
use crate::app::App;

/// What `/v1` answers, for the command line: it prints the same.
pub(crate) mod shapes {
    pub(crate) use super::{
        events::EventShown,
        links::Link,
        passports::{PassportShown, PassportSummary},
        pools::Pool,
        profiles::ProfileShown,
        recipients::ListedRecipient,
        reservations::{Counts, MadeReservation, ReservationShown, ReservationSummary, Reserved, Touched},
        resets::PreviewedPassport,
        users::{KeyShown, MadeKey, MadeUser, UserShown},
    };
}

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
        .routes(routes!(reservations::reserve, reservations::list))
        .routes(routes!(reservations::show))
        .routes(routes!(links::of_reservation))
        .routes(routes!(reservations::cancel))
        .routes(routes!(reservations::extend))
        .routes(routes!(resets::reset))
        .routes(routes!(resets::preview))
        .routes(routes!(resets::undo))
        .routes(routes!(pools::list))
        .routes(routes!(pools::show))
        .merge(for_passports())
        .routes(routes!(recipients::list))
        .routes(routes!(recipients::erase))
        .routes(routes!(events::list))
        .merge(for_accounts())
}

fn for_passports() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, passports::list))
        .routes(routes!(imports::import))
        .routes(routes!(imports::show))
        .routes(routes!(passports::show, passports::change))
        .routes(routes!(links::of_passport))
        .routes(routes!(passport_moves::recover))
        .routes(routes!(passport_moves::withdraw))
}

fn for_accounts() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(users::add, users::list))
        .routes(routes!(users::show, users::change, users::remove))
        .routes(routes!(users::keys::add, users::keys::list))
        .routes(routes!(users::keys::renew))
        .routes(routes!(users::keys::remove))
        .routes(routes!(profiles::add, profiles::list))
        .routes(routes!(profiles::show, profiles::change, profiles::remove))
}

fn for_wallets() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(claims::claim))
}
