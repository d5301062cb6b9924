//! `/v1/passports/{id}`: what the brand does to one passport that it names.

use axum::{
    Router,
    extract::{FromRequestParts, Path, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::post,
};
use passpool_core::{Actor, Caller, PassportId, Right, StateName};
use passpool_store::OfPassport;
use serde::Serialize;

use super::{caller::caller, problem::Problem};
use crate::app::App;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/passports/{id}/recover", post(recover))
        .route("/v1/passports/{id}/withdraw", post(withdraw))
}

async fn recover(State(app): State<App>, caller: KnownCaller, Path(id): Path<String>) -> Result<Response, Problem> {
    let wish = wish(&app, caller.with(Right::CertRecover)?, &id)?;
    let passport = wish.passport;
    app.store.recover(wish).await?;
    Ok(tell(passport, StateName::Recovered))
}

async fn withdraw(State(app): State<App>, caller: KnownCaller, Path(id): Path<String>) -> Result<Response, Problem> {
    let wish = wish(&app, caller.with(Right::CertDelete)?, &id)?;
    let passport = wish.passport;
    app.store.withdraw(wish).await?;
    Ok(tell(passport, StateName::Withdrawn))
}

fn wish(app: &App, caller: Caller, id: &str) -> Result<OfPassport, Problem> {
    let passport = PassportId::parse(id).map_err(|wrong| Problem::Invalid("id", wrong.to_string()))?;
    Ok(OfPassport { passport, by: Actor::User(caller.name), now: app.clock.now() })
}

#[derive(Serialize)]
struct Now {
    passport_id: u64,
    state: &'static str,
}

fn tell(passport: PassportId, state: StateName) -> Response {
    let now = Now { passport_id: passport.get(), state: state.as_str() };
    let body = serde_json::to_string(&now).expect("a state is JSON");
    let headers = [(header::CONTENT_TYPE, "application/json; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::OK, headers, body).into_response()
}

/// Whoever has a good key.
struct KnownCaller(Caller);

impl KnownCaller {
    fn with(self, right: Right) -> Result<Caller, Problem> {
        if self.0.may(right) { Ok(self.0) } else { Err(Problem::RightMissing(right)) }
    }
}

impl FromRequestParts<App> for KnownCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        caller(app, &parts.headers).await?.map(Self).ok_or(Problem::NoKey)
    }
}
