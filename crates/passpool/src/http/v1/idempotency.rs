//! `Idempotency-Key`: the same call again gives the same answer again.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, request::Parts},
    response::Response,
};
use passpool_core::IdempotencyKey;

use crate::{app::App, http::problem::Problem};

const NAME: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key that a caller sent, if any.
pub(super) struct Once(pub Option<IdempotencyKey>);

impl FromRequestParts<App> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let wrong = |wrong: &str| Problem::header("Idempotency-Key", wrong);
        let mut sent = parts.headers.get_all(NAME).iter();
        let Some(first) = sent.next() else { return Ok(Self(None)) };
        if sent.next().is_some() {
            return Err(wrong("it is given more than once"));
        }
        let key = IdempotencyKey::parse(first.to_str().unwrap_or_default());
        key.map(Some).map(Self).map_err(|error| wrong(&error.to_string()))
    }
}

pub(super) fn mark_replayed(mut answer: Response, replayed: bool) -> Response {
    if replayed {
        answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    answer
}
