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
            HandoutFormat::LinkObject => error::json_text(handout.link_object_json()),
            HandoutFormat::Content => content(&handout),
        };
        if replayed {
            mark_replayed(&mut answer);
        }
        no_store(answer)
    }
}

fn mark_replayed(answer: &mut Response) {
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
}

/// What a kiosk and an airdrop may be asked for: the same, and a redirection; the link object is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ManyFormat {
    Redirect,
    Handout(HandoutFormat),
}

impl ManyFormat {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "redirect" => Ok(Self::Redirect),
            text => HandoutFormat::parse(text)
                .map(Self::Handout)
                .map_err(|_| "it must be redirect, link, linkObject or content"),
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Handout(format) => format.as_str(),
        }
    }

    pub(super) fn with_content(self) -> bool {
        self == Self::Handout(HandoutFormat::Content)
    }

    pub(super) fn answer(self, handout: Handout, replayed: bool) -> Response {
        let mut answer = match self {
            Self::Redirect => {
                let link = HeaderValue::try_from(handout.link).expect("a link is ASCII");
                no_store((StatusCode::FOUND, [(header::LOCATION, link)]))
            }
            Self::Handout(HandoutFormat::LinkObject) => {
                no_store(error::json(StatusCode::OK, &handout.plain_link_object()))
            }
            Self::Handout(format) => HandoutAnswer { handout, format, replayed: false }.into_response(),
        };
        if replayed {
            mark_replayed(&mut answer);
        }
        answer
    }
}

/// The bare content. The headers say which passport it is of, and how it is claimed.
fn content(handout: &Handout) -> Response {
    let claim = HeaderValue::try_from(format!("<{}>; rel=\"claim\"", handout.link)).expect("a link is ASCII");
    let certificate_id = HeaderValue::from(handout.passport.get());
    let headers = [(header::CONTENT_TYPE, error::JSON), (header::LINK, claim), (CERTIFICATE_ID, certificate_id)];
    (headers, handout.content().to_owned()).into_response()
}
