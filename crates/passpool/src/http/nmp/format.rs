//! The answer to a reservation, in the format that was asked for.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{error, no_store};
use crate::handout::{Handout, HandoutFormat};

/// A passport on its way to the caller.
pub(super) struct HandoutAnswer {
    pub(super) handout: Handout,
    pub(super) format: HandoutFormat,
    /// True if this repeats the answer to an earlier call.
    pub(super) replayed: bool,
}

const CERTIFICATE_ID: HeaderName = HeaderName::from_static("x-certificate-id");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl IntoResponse for HandoutAnswer {
    fn into_response(self) -> Response {
        let Self { handout, format, replayed } = self;
        let mut answer = match format {
            HandoutFormat::Link => ([(header::CONTENT_TYPE, TEXT)], handout.link).into_response(),
            HandoutFormat::LinkObject => error::json(StatusCode::OK, &handout.link_object()),
            HandoutFormat::Content => content(&handout),
        };
        if replayed {
            answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        no_store(answer)
    }
}

/// The bare content. The headers say which passport it is of, and how it is claimed.
fn content(handout: &Handout) -> Response {
    let claim = HeaderValue::try_from(format!("<{}>; rel=\"claim\"", handout.link)).expect("a link is ASCII");
    let certificate_id = HeaderValue::from(handout.passport.get());
    let headers = [(header::CONTENT_TYPE, error::JSON), (header::LINK, claim), (CERTIFICATE_ID, certificate_id)];
    (headers, handout.content().to_owned()).into_response()
}
