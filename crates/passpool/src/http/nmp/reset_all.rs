//! `GET /dispenser/distribution/resetAll`: passports back to the pool (contract, section 1.2).

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use passpool_core::{Actor, Right, WholeSeconds};
use passpool_store::{HeldState, Matching, Reset, ResetScope};
use serde::Serialize;

use super::{
    NmpCaller,
    error::{self, NmpError},
    no_store,
    parameters::Parameters,
};
use crate::app::App;

pub(super) const PATH: &str = "/dispenser/distribution/resetAll";

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Count {
    count: u64,
}

/// Gives back every reserved or scanned passport that matches. Their links are dead from then on.
#[utoipa::path(get, path = PATH, operation_id = "resetAll", tag = "dispenser",
    params(
        ("tags" = String, Query, description = "Which passports: tags with commas between them"),
        ("tagRule" = Option<String>, Query, description = "and: all of the tags. or: one of them"),
        ("state" = Option<String>, Query, description = "reserved or scanned alone"),
        ("olderThan" = Option<u32>, Query, minimum = 1, maximum = 315_360_000,
            description = "Only those handed out more than so many seconds ago")),
    responses(
        (status = 200, description = "How many are back", body = Count),
        (status = "default", description = "An error in the NMP's shape", body = Value)))]
pub(super) async fn reset_all(
    State(app): State<App>,
    caller: NmpCaller,
    RawQuery(query): RawQuery,
) -> Result<Response, NmpError> {
    caller.needs(Right::CertCreate)?;
    let wish = wish(&app, caller, query.as_deref())?;
    let count = app.store.reset(wish).await?;
    Ok(no_store(error::json(StatusCode::OK, &Count { count })))
}

fn wish(app: &App, caller: NmpCaller, query: Option<&str>) -> Result<Reset, NmpError> {
    let now = app.clock.now();
    let parameters = Parameters::parse(query);
    let selector = parameters.selector(app.tag_rule)?;
    let state = parameters.read("state", |state| match state {
        "reserved" => Ok(HeldState::Reserved),
        "scanned" => Ok(HeldState::Scanned),
        _ => Err("it must be reserved or scanned"),
    })?;
    let older_than = parameters.read("olderThan", WholeSeconds::parse)?;
    let handed_out_before = older_than.map(|span| now.minus(span));
    let matching = Matching { selector: Some(selector), state, handed_out_before, ..Matching::default() };
    let scope = ResetScope::Matching(matching);
    Ok(Reset { scope, by: Actor::User(caller.0.name), now })
}
