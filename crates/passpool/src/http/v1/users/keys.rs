//! The keys of a user: another one, one in the place of others, and none.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use passpool_core::{ApiKey, UserName, WholeSeconds};
use passpool_store::{NewKey, RenewKey};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    about_body, find,
    shown::{KeyList, KeyShown, MadeKey},
};
use crate::{
    app::App,
    clock::random,
    http::{
        problem::Problem,
        v1::{
            at::At,
            body::Json,
            caller::{AccountManage, May},
            reply, whole,
            words::rfc_3339,
        },
    },
};

/// The keys of a user, the oldest first.
#[utoipa::path(get, path = "/v1/users/{name}/keys", operation_id = "listKeys", tag = "users",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$")),
    responses((status = 200, body = KeyList)))]
pub(in crate::http::v1) async fn list(
    State(app): State<App>,
    _: May<AccountManage>,
    At(name): At<UserName>,
) -> Result<Response, Problem> {
    let keys = find(&app, &name).await?.keys.iter().map(KeyShown::of).collect();
    Ok(reply::json(StatusCode::OK, &KeyList { keys }))
}

/// Gives a user one more key, and answers it. It is not shown again.
#[utoipa::path(post, path = "/v1/users/{name}/keys", operation_id = "addKey", tag = "users",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$")),
    responses((status = 201, body = MadeKey)))]
pub(in crate::http::v1) async fn add(
    State(app): State<App>,
    by: May<AccountManage>,
    At(name): At<UserName>,
) -> Result<Response, Problem> {
    let key = ApiKey::from_random(&random(&*app.entropy));
    app.store.add_key(name, NewKey::of(&key, app.clock.now()), by.granter()).await?;
    Ok(made(&key, None))
}

/// For how many seconds a caller's own key stays good at least.
const OWN_OVERLAP: u32 = 60;

/// How a key is renewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::v1) struct Renewal {
    /// The first eight characters of the key to be replaced: all that the user has, if it is left out.
    #[schema(pattern = "^pp_[a-z2-7]{5}$")]
    old: Option<String>,
    /// For how many more seconds the old key is valid: none, if it is left out.
    #[schema(minimum = 0, maximum = 315_360_000)]
    #[serde(default, deserialize_with = "whole::one")]
    old_key_valid_for: u32,
}

/// Gives a user a key in the place of another, and answers it. The old one may stay good for a while.
#[utoipa::path(post, path = "/v1/users/{name}/keys/renew", operation_id = "renewKey", tag = "users",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$")), request_body = Renewal,
    responses((status = 201, body = MadeKey)))]
pub(in crate::http::v1) async fn renew(
    State(app): State<App>,
    by: May<AccountManage>,
    At(user): At<UserName>,
    Json(body): Json<Renewal>,
) -> Result<Response, Problem> {
    if by.caller.name == user && body.old_key_valid_for < OWN_OVERLAP {
        return Err(Problem::OwnAccount("your own key has to stay valid for a minute, in case this answer is lost"));
    }
    let now = app.clock.now();
    let old_until = match body.old_key_valid_for {
        0 => None,
        span => {
            let span = WholeSeconds::new(span.into());
            Some(now.plus(span.map_err(|wrong| Problem::field("/old_key_valid_for", wrong))?))
        }
    };
    let key = ApiKey::from_random(&random(&*app.entropy));
    let wish = RenewKey { user, old: body.old, key: NewKey::of(&key, now), old_until };
    let renewed = app.store.renew_key(wish, by.granter()).await;
    app.callers.forget();
    renewed.map_err(about_body)?;
    Ok(made(&key, old_until.map(rfc_3339)))
}

/// Removes a key, which is dead at once, and at other servers within five seconds.
#[utoipa::path(delete, path = "/v1/users/{name}/keys/{head}", operation_id = "removeKey", tag = "users",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._@+-]{1,64}$"),
        ("head" = String, Path, pattern = "^pp_[a-z2-7]{5}$", description = "Its first eight characters")),
    responses((status = 204, description = "It is gone")))]
pub(in crate::http::v1) async fn remove(
    State(app): State<App>,
    by: May<AccountManage>,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
) -> Result<Response, Problem> {
    let Path((name, head)) = path.map_err(|wrong| Problem::parameter("name", wrong.body_text()))?;
    let name = UserName::parse(&name).map_err(|wrong| Problem::parameter("name", wrong))?;
    if headers.get("x-api-key").is_some_and(|key| key.as_bytes().starts_with(head.as_bytes())) {
        return Err(Problem::OwnAccount("this is the key of this very call"));
    }
    let removed = app.store.remove_key(name, head, by.granter()).await;
    app.callers.forget();
    removed?;
    Ok(reply::nothing())
}

fn made(key: &ApiKey, old_until: Option<String>) -> Response {
    let made = MadeKey { key: key.reveal().to_owned(), head: key.head().to_owned(), old_until };
    reply::json(StatusCode::CREATED, &made)
}
