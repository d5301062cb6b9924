//! Troubles: what the log says of an answer that should have been another.

use std::fmt::Display;

use axum::response::Response;

/// What could not be done, and why. It rides on the answer to where the request's id is known, and is logged there.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) what: &'static str,
    pub(super) why: String,
}

impl Trouble {
    pub(super) fn new(what: &'static str, why: impl Display) -> Self {
        Self { what, why: why.to_string() }
    }

    pub(super) fn on(self, mut answer: Response) -> Response {
        answer.extensions_mut().insert(self);
        answer
    }
}
