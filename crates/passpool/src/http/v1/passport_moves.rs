//! `/v1/passports/{id}/recover` and `/withdraw`: what the brand does to one passport that it names.

use axum::{extract::State, http::StatusCode, response::Response};
use passpool_core::{PassportId, StateName};
use passpool_store::OfPassport;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    at::At,
    caller::{CertDelete, CertRecover, May},
    reply,
    words::StateWord,
};
use crate::{app::App, http::problem::Problem};

/// Takes a claimed passport back from its owner. It stays out of the pool until a reset names it.
#[utoipa::path(post, path = "/v1/passports/{id}/recover", operation_id = "recoverPassport", tag = "passports",
    params(("id" = u64, Path, minimum = 1, maximum = 9007199254740991u64)),
    responses((status = 200, body = Moved)))]
pub(super) async fn recover(
    State(app): State<App>,
    by: May<CertRecover>,
    At(passport): At<PassportId>,
) -> Result<Response, Problem> {
    app.store.recover(OfPassport { passport, by: by.actor(), now: app.clock.now() }).await?;
    Ok(tell(passport, StateName::Recovered))
}

/// Takes a passport out of use for good.
#[utoipa::path(post, path = "/v1/passports/{id}/withdraw", operation_id = "withdrawPassport", tag = "passports",
    params(("id" = u64, Path, minimum = 1, maximum = 9007199254740991u64)),
    responses((status = 200, body = Moved)))]
pub(super) async fn withdraw(
    State(app): State<App>,
    by: May<CertDelete>,
    At(passport): At<PassportId>,
) -> Result<Response, Problem> {
    app.store.withdraw(OfPassport { passport, by: by.actor(), now: app.clock.now() }).await?;
    Ok(tell(passport, StateName::Withdrawn))
}

/// A passport and what became of it.
#[derive(Serialize, ToSchema)]
pub(super) struct Moved {
    passport_id: u64,
    #[schema(value_type = StateWord)]
    state: &'static str,
}

fn tell(passport: PassportId, state: StateName) -> Response {
    reply::json(StatusCode::OK, &Moved { passport_id: passport.get(), state: state.as_str() })
}
