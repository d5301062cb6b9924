//! `/v1/users`: who may call, as which profile, and with which keys.

pub(super) mod keys;
mod shown;

use axum::{extract::State, http::StatusCode, response::Response};
use passpool_core::{ApiKey, ProfileName, Refusal, Right, Rights, UserName};
use passpool_store::{NewKey, NewUser, ProfileOf, StoreError, UserInfo};
use serde::Deserialize;
use utoipa::ToSchema;

use self::shown::UserList;
pub(crate) use self::shown::{KeyShown, MadeKey, MadeUser, UserShown};
use super::{
    at::At,
    body::Json,
    caller::{AccountManage, May},
    reply,
    words::RightWord,
};
use crate::{
    app::App,
    clock::random,
    http::problem::{Flaw, Problem},
};

/// Every user by name.
#[utoipa::path(get, path = "/v1/users", operation_id = "listUsers", tag = "users",
    responses((status = 200, body = UserList)))]
pub(super) async fn list(State(app): State<App>, _: May<AccountManage>) -> Result<Response, Problem> {
    let users = app.store.users().await?.iter().map(UserShown::of).collect();
    Ok(reply::json(StatusCode::OK, &UserList { users }))
}

/// One user.
#[utoipa::path(get, path = "/v1/users/{name}", operation_id = "getUser", tag = "users",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$")),
    responses((status = 200, body = UserShown)))]
pub(super) async fn show(
    State(app): State<App>,
    _: May<AccountManage>,
    At(name): At<UserName>,
) -> Result<Response, Problem> {
    Ok(reply::json(StatusCode::OK, &UserShown::of(&find(&app, &name).await?)))
}

/// A user with a profile of its own, that has these rights; or with a profile that exists. Exactly one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUserBody {
    #[schema(pattern = "^[A-Za-z0-9._@+-]{1,64}$")]
    name: String,
    #[schema(value_type = Option<Vec<RightWord>>, min_items = 1)]
    rights: Option<Vec<String>>,
    #[schema(pattern = "^[A-Za-z0-9._@+-]{1,64}$")]
    profile: Option<String>,
}

/// Adds a user, and answers the key, which is not shown again.
#[utoipa::path(post, path = "/v1/users", operation_id = "addUser", tag = "users", request_body = NewUserBody,
    responses((status = 201, body = MadeUser, headers(("Location" = String)))))]
pub(super) async fn add(
    State(app): State<App>,
    by: May<AccountManage>,
    Json(body): Json<NewUserBody>,
) -> Result<Response, Problem> {
    let name = UserName::parse(&body.name).map_err(|wrong| Problem::field("/name", wrong))?;
    let profile = match (&body.rights, &body.profile) {
        (Some(given), None) => ProfileOf::Own(rights("/rights", given)?),
        (None, Some(name)) => ProfileOf::Named(profile(name)?),
        _ => return Err(Problem::field("", "rights or profile has to be there, and not both")),
    };
    let key = ApiKey::from_random(&random(&*app.entropy));
    let user = NewUser { name: name.clone(), profile, key: NewKey::of(&key, app.clock.now()) };
    app.store.add_user(user, by.granter()).await.map_err(about_body)?;
    let made = MadeUser { name: name.to_string(), key: key.reveal().to_owned(), head: key.head().to_owned() };
    Ok(reply::made_at(&format!("/v1/users/{name}"), reply::json(StatusCode::CREATED, &made)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChange {
    #[schema(pattern = "^[A-Za-z0-9._@+-]{1,64}$")]
    profile: String,
}

/// Gives a user another profile.
#[utoipa::path(patch, path = "/v1/users/{name}", operation_id = "changeUser", tag = "users",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$")), request_body = UserChange,
    responses((status = 204, description = "It has that profile")))]
pub(super) async fn change(
    State(app): State<App>,
    by: May<AccountManage>,
    At(name): At<UserName>,
    Json(body): Json<UserChange>,
) -> Result<Response, Problem> {
    let changed = app.store.change_profile(name, profile(&body.profile)?, by.granter()).await;
    app.callers.forget();
    changed.map_err(about_body)?;
    Ok(reply::nothing())
}

/// Removes a user and its keys, which are dead at once, and at other servers within five seconds.
#[utoipa::path(delete, path = "/v1/users/{name}", operation_id = "removeUser", tag = "users",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$")),
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove(
    State(app): State<App>,
    by: May<AccountManage>,
    At(name): At<UserName>,
) -> Result<Response, Problem> {
    let removed = app.store.remove_user(name, by.granter()).await;
    app.callers.forget();
    removed?;
    Ok(reply::nothing())
}

pub(super) async fn find(app: &App, name: &UserName) -> Result<UserInfo, Problem> {
    let users = app.store.users().await?;
    users.into_iter().find(|user| user.name == *name).ok_or(Problem::Unknown("user"))
}

/// What a body names and is not there is wrong with the body: that the path is right has to be told by the status.
pub(super) fn about_body(error: StoreError) -> Problem {
    match error {
        StoreError::Refusal(unknown @ Refusal::UnknownProfile(_)) => Problem::field("/profile", unknown),
        StoreError::Refusal(unknown @ Refusal::UnknownKey) => Problem::field("/old", unknown),
        other => other.into(),
    }
}

/// A profile that a body names.
fn profile(name: &str) -> Result<ProfileName, Problem> {
    ProfileName::parse(name).map_err(|wrong| Problem::field("/profile", wrong))
}

/// Rights from a field of a body.
pub(super) fn rights(pointer: &str, given: &[String]) -> Result<Rights, Problem> {
    let mut flaws = Vec::new();
    let mut read = Vec::new();
    for (place, name) in given.iter().enumerate() {
        match Right::parse(name) {
            Ok(right) => read.push(right),
            Err(wrong) => flaws.push(Flaw::body(format!("{pointer}/{place}"), wrong)),
        }
    }
    if given.is_empty() {
        flaws.push(Flaw::body(pointer, "it names no right"));
    }
    if flaws.is_empty() { Ok(read.into_iter().collect()) } else { Err(Problem::Invalid(flaws)) }
}
