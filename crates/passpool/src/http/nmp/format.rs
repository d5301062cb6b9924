//! What a hand-out looks like: a link, an object around it, or the passport's content.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use passpool_core::{Content, HandedOut, Link, LinkBase, Network, UnsealError};
use serde::Serialize;

use super::{error, no_store};
use crate::app::App;

/// The parameter `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Link,
    LinkObject,
    Content,
}

impl Format {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "link" => Ok(Self::Link),
            "linkObject" => Ok(Self::LinkObject),
            "content" => Ok(Self::Content),
            _ => Err("it must be link, linkObject or content"),
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::LinkObject => "linkObject",
            Self::Content => "content",
        }
    }
}

/// A passport on its way to the caller.
pub(super) struct Handout {
    link: Link,
    url: String,
    content: Content,
    format: Format,
    replayed: bool,
}

impl Handout {
    pub(super) fn new(app: &App, handed: &HandedOut, format: Format, replayed: bool) -> Result<Self, UnsealError> {
        let passphrase = app.secret.passphrase(handed.passport, &handed.key)?;
        let network: Option<Network> = app.links.network.clone();
        let base: &LinkBase = &app.links.base;
        let link = Link { passport: handed.passport, passphrase, network };
        let url = link.write(base);
        let content = handed.content.clone().unwrap_or_else(Content::empty);
        Ok(Self { link, url, content, format, replayed })
    }
}

/// Field order and types are facts of the wire: `deeplink` is an object here, and the id a number.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkObject<'a> {
    method: &'static str,
    certificate_id: u64,
    passphrase: &'a str,
    deeplink: Deeplink<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deeplink<'a> {
    certificate_id: u64,
    passphrase: &'a str,
    link: &'a str,
}

const CERTIFICATE_ID: HeaderName = HeaderName::from_static("x-certificate-id");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl IntoResponse for Handout {
    fn into_response(self) -> Response {
        let (certificate_id, passphrase) = (self.link.passport.get(), self.link.passphrase.reveal());
        let mut answer = match self.format {
            Format::Link => ([(header::CONTENT_TYPE, TEXT)], self.url).into_response(),
            Format::LinkObject => {
                let deeplink = Deeplink { certificate_id, passphrase, link: &self.url };
                let object = LinkObject { method: "requestOwnership", certificate_id, passphrase, deeplink };
                error::json(StatusCode::OK, &object)
            }
            Format::Content => {
                let claim = HeaderValue::try_from(format!("<{}>; rel=\"claim\"", self.url));
                let headers = [
                    (header::CONTENT_TYPE, error::JSON),
                    (header::LINK, claim.expect("a link is ASCII")),
                    (CERTIFICATE_ID, HeaderValue::from(certificate_id)),
                ];
                (headers, self.content.as_str().to_owned()).into_response()
            }
        };
        if self.replayed {
            answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        no_store(answer)
    }
}
