//! Answers of our own paths.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// An answer in compact JSON that nobody on the way may keep: it may hold links, and is old in a moment in any case.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    written(status, serde_json::to_vec(body).expect("an answer is JSON"))
}

/// The same for a body that is written already.
pub(super) fn written(status: StatusCode, body: Vec<u8>) -> Response {
    let headers = [(header::CONTENT_TYPE, JSON), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, body).into_response()
}

/// The same with the place of what was made.
pub(super) fn made_at(location: &str, mut answer: Response) -> Response {
    let location = HeaderValue::try_from(location).expect("a path of ours is a header");
    answer.headers_mut().insert(header::LOCATION, location);
    answer
}

pub(super) fn nothing() -> Response {
    (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-store")]).into_response()
}
