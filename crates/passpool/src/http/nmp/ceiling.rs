//! The ceiling: an answer as long as a reservation's, to a caller who is known, without a visit to the store.
//!
//! `bench` compares reservations with it. What lies between the two is what a durable hand-out costs; what lies below it
//! is the price of HTTP on this machine.

use axum::{Router, body::Bytes, http::header, response::Response, routing::get};
use passpool_core::{HandOutNumber, HandedOut, LinkKey, PassportId, Right};

use super::{
    NmpCaller,
    error::{JSON, NmpError},
    no_store,
};
use crate::{app::App, handout::Handout};

const PATH: &str = "/bench/ceiling";

pub(super) fn routes(app: &App) -> Router<App> {
    let body = body(app);
    Router::new().route(PATH, get(async move |caller: NmpCaller| answer(&caller, body.clone())))
}

fn answer(caller: &NmpCaller, body: Bytes) -> Result<Response, NmpError> {
    caller.needs(Right::CertCreate)?;
    Ok(no_store(([(header::CONTENT_TYPE, JSON)], body)))
}

/// A link object with an id of as many digits as most have.
fn body(app: &App) -> Bytes {
    let handed = HandedOut {
        passport: PassportId::new(123_456_789_012_345).expect("it is below 2^53"),
        key: LinkKey::Derived(HandOutNumber::new(1), app.secret.id()),
        content: None,
        recipient: None,
    };
    let handout = Handout::new(&handed, &app.secret, &app.links).expect("the key is of this secret");
    serde_json::to_vec(&handout.link_object()).expect("a link object is JSON").into()
}
