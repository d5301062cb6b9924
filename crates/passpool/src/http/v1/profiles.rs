//! `/v1/profiles`: rights that several users share.

use axum::{extract::State, http::StatusCode, response::Response};
use passpool_core::{ProfileName, Right};
use passpool_store::ProfileInfo;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    at::At,
    body::Json,
    caller::{AccountManage, May},
    reply,
    users::rights,
    words::RightWord,
};
use crate::{app::App, http::problem::Problem};

#[derive(Serialize, ToSchema)]
pub(super) struct ProfileList {
    profiles: Vec<ProfileShown>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Profile)]
pub(crate) struct ProfileShown {
    name: String,
    #[schema(value_type = Vec<RightWord>)]
    rights: Vec<&'static str>,
    /// How many users have it.
    users: u64,
}

impl ProfileShown {
    pub(crate) fn of(profile: &ProfileInfo) -> Self {
        Self {
            name: profile.name.to_string(),
            rights: profile.rights.iter().map(Right::as_str).collect(),
            users: profile.users,
        }
    }
}

/// Every profile by name.
#[utoipa::path(get, path = "/v1/profiles", operation_id = "listProfiles", tag = "profiles",
    responses((status = 200, body = ProfileList)))]
pub(super) async fn list(State(app): State<App>, _: May<AccountManage>) -> Result<Response, Problem> {
    let profiles = app.store.profiles().await?.iter().map(ProfileShown::of).collect();
    Ok(reply::json(StatusCode::OK, &ProfileList { profiles }))
}

/// One profile.
#[utoipa::path(get, path = "/v1/profiles/{name}", operation_id = "getProfile", tag = "profiles",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$")),
    responses((status = 200, body = ProfileShown)))]
pub(super) async fn show(
    State(app): State<App>,
    _: May<AccountManage>,
    At(name): At<ProfileName>,
) -> Result<Response, Problem> {
    let profiles = app.store.profiles().await?;
    let found = profiles.iter().find(|profile| profile.name == name).ok_or(Problem::Unknown("profile"))?;
    Ok(reply::json(StatusCode::OK, &ProfileShown::of(found)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProfile {
    #[schema(pattern = "^[A-Za-z0-9._@+-]{1,64}$")]
    name: String,
    #[schema(value_type = Vec<RightWord>, min_items = 1)]
    rights: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct MadeProfile {
    name: String,
}

/// Adds a profile.
#[utoipa::path(post, path = "/v1/profiles", operation_id = "addProfile", tag = "profiles", request_body = NewProfile,
    responses((status = 201, body = MadeProfile, headers(("Location" = String)))))]
pub(super) async fn add(
    State(app): State<App>,
    by: May<AccountManage>,
    Json(body): Json<NewProfile>,
) -> Result<Response, Problem> {
    let name = ProfileName::parse(&body.name).map_err(|wrong| Problem::field("/name", wrong))?;
    let rights = rights("/rights", &body.rights)?;
    app.store.add_profile(name.clone(), rights, by.granter()).await?;
    let made = reply::json(StatusCode::CREATED, &MadeProfile { name: name.to_string() });
    Ok(reply::made_at(&format!("/v1/profiles/{name}"), made))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileChange {
    #[schema(value_type = Vec<RightWord>, min_items = 1)]
    rights: Vec<String>,
}

/// Gives a profile, and all who have it, other rights.
#[utoipa::path(put, path = "/v1/profiles/{name}", operation_id = "changeProfile", tag = "profiles",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$")), request_body = ProfileChange,
    responses((status = 204, description = "It has these rights")))]
pub(super) async fn change(
    State(app): State<App>,
    by: May<AccountManage>,
    At(name): At<ProfileName>,
    Json(body): Json<ProfileChange>,
) -> Result<Response, Problem> {
    let changed = app.store.change_rights(name, rights("/rights", &body.rights)?, by.granter()).await;
    app.callers.forget();
    changed?;
    Ok(reply::nothing())
}

/// Removes a profile that nobody has.
#[utoipa::path(delete, path = "/v1/profiles/{name}", operation_id = "removeProfile", tag = "profiles",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$")),
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove(
    State(app): State<App>,
    by: May<AccountManage>,
    At(name): At<ProfileName>,
) -> Result<Response, Problem> {
    app.store.remove_profile(name, by.granter()).await?;
    Ok(reply::nothing())
}
