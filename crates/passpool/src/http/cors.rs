//! Cross-origin requests: wallets live in browsers, on pages of others.
//!
//! What answers them carries no cookie and needs no key, so any origin may read it, without credentials.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

const ANY: HeaderValue = HeaderValue::from_static("*");

/// Lets any page read an answer of data. A page of ours is for nobody's scripts.
pub(super) async fn open_data(mut answer: Response) -> Response {
    let is_data = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().ends_with(b"json") || kind.as_bytes().starts_with(b"application/json"));
    if is_data {
        answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    }
    answer
}

/// What a browser asks before it sends JSON to another origin.
pub(super) async fn preflight(headers: HeaderMap) -> Response {
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let sent = answer.headers_mut();
    sent.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST"));
    sent.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(HeaderValue::from_static("content-type")));
    sent.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    sent.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    answer
}
