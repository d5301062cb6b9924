//! Problems: what went wrong on a path of our own, as RFC 9457 tells it.

use axum::{
    Extension,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use passpool_core::{Refusal, Right, Untransferable};
use passpool_store::{Fault, StoreError};
use serde::Serialize;

use super::failed::Failed;

#[derive(Debug)]
pub(super) enum Problem {
    /// Nothing is here, and nothing is told of what may be elsewhere.
    NoSuchPath,
    WrongMethod,
    /// No key, or one that nobody has.
    NoKey,
    /// The caller is known, and may not do this.
    RightMissing(Right),
    /// Something in the request is not what it has to be: which field, and what is wrong with it.
    Invalid(&'static str, String),
    /// This address has asked for too much, and may ask again in so many seconds.
    TooManyRequests(u64),
    Store(StoreError),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::NoSuchPath => {
                tell(StatusCode::NOT_FOUND, "no-such-path", "There is nothing here", Members::default())
            }
            Self::WrongMethod => tell(
                StatusCode::METHOD_NOT_ALLOWED,
                "wrong-method",
                "This path takes no such method",
                Members::default(),
            ),
            Self::NoKey => {
                let answer =
                    tell(StatusCode::UNAUTHORIZED, "no-key", "A good key is needed in x-api-key", Members::default());
                ([(header::WWW_AUTHENTICATE, "ApiKey header=\"x-api-key\"")], answer).into_response()
            }
            Self::RightMissing(right) => {
                let members = Members { detail: Some(format!("the right {right} is needed")), ..Members::default() };
                tell(StatusCode::FORBIDDEN, "right-missing", "A right is missing", members)
            }
            Self::Invalid(field, wrong) => {
                let members = Members { detail: Some(format!("{field}: {wrong}")), ..Members::default() };
                tell(StatusCode::BAD_REQUEST, "invalid-request", "The request is invalid", members)
            }
            Self::TooManyRequests(seconds) => {
                let title = "Too many requests from this address";
                retry_after(
                    seconds,
                    tell(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", title, Members::default()),
                )
            }
            Self::Store(StoreError::Refusal(refusal)) => refused(&refusal),
            Self::Store(StoreError::Fault(fault)) => failed(&fault),
        }
    }
}

/// What a problem has besides its type, title and status.
#[derive(Default, Serialize)]
struct Members {
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Which of many passports it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    passport_id: Option<u64>,
    /// How many passports there are for a wish that asked for more.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<u64>,
    /// From when on, in RFC 3339, the same wish may be granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_at: Option<String>,
}

fn refused(refusal: &Refusal) -> Response {
    let mut members = Members { detail: Some(refusal.to_string()), ..Members::default() };
    let mut inner = refusal;
    while let Refusal::About { passport, refusal } = inner {
        members.passport_id = Some(passport.get());
        inner = refusal;
    }
    match inner {
        Refusal::PoolShort { available } => members.available = Some(*available),
        Refusal::KioskNotYetOpen { opens } => {
            members.opens_at = jiff::Timestamp::from_microsecond(opens.as_micros()).ok().map(|opens| opens.to_string());
        }
        _ => {}
    }
    let (status, title) = kind(inner);
    let answer = tell(status, inner.code(), title, members);
    match inner {
        Refusal::StillRunning => retry_after(1, answer),
        Refusal::LinkDead => (Extension(Failed(1)), answer).into_response(),
        _ => answer,
    }
}

/// The one table: the status of every refusal, and its name to people, which stays the same from time to time.
fn kind(refusal: &Refusal) -> (StatusCode, &'static str) {
    use StatusCode as Is;
    match refusal {
        Refusal::About { refusal, .. } => kind(refusal),
        Refusal::Untransferable(why) => match why {
            Untransferable::Unknown => (Is::NOT_FOUND, "Unknown passport"),
            Untransferable::AlreadyOwner => (Is::CONFLICT, "This wallet is the owner already"),
            Untransferable::OwnedByAnother => (Is::CONFLICT, "Another wallet is the owner"),
            Untransferable::Pending => (Is::CONFLICT, "A transfer is pending"),
            Untransferable::NoLink => (Is::CONFLICT, "The passport has no link"),
            Untransferable::WrongPassphrase => (Is::FORBIDDEN, "Wrong passphrase"),
        },
        Refusal::PoolShort { .. } => (Is::CONFLICT, "Too few passports are available"),
        Refusal::LinkDead => (Is::NOT_FOUND, "This link opens nothing"),
        Refusal::WalletServed => (Is::CONFLICT, "This wallet has its passport"),
        Refusal::UnknownKiosk(_) => (Is::NOT_FOUND, "Unknown kiosk"),
        Refusal::KioskExists(_) => (Is::CONFLICT, "The kiosk exists already"),
        Refusal::NoKiosk => (Is::NOT_FOUND, "No open kiosk gives this"),
        Refusal::KioskNotYetOpen { .. } => (Is::CONFLICT, "The kiosk is not open yet"),
        Refusal::KioskClosed => (Is::CONFLICT, "The kiosk is closed"),
        Refusal::TooManyHeld => (Is::TOO_MANY_REQUESTS, "Too many passports are held from this address"),
        Refusal::WrongState { .. } => (Is::CONFLICT, "The passport's state does not allow this"),
        Refusal::Printed => (Is::CONFLICT, "The passport's code is printed"),
        Refusal::UnknownPassport(_) => (Is::NOT_FOUND, "Unknown passport"),
        Refusal::IdUsed(_) => (Is::CONFLICT, "The id was used before"),
        Refusal::IdDoubled(_) => (Is::UNPROCESSABLE_ENTITY, "An id stands twice"),
        Refusal::Count { .. } => (Is::BAD_REQUEST, "The count is out of range"),
        Refusal::EndInThePast => (Is::BAD_REQUEST, "The end lies in the past"),
        Refusal::KeyReused => (Is::UNPROCESSABLE_ENTITY, "The Idempotency-Key belongs to another call"),
        Refusal::ReservationOver => (Is::CONFLICT, "The reservation is over"),
        Refusal::StillRunning => (Is::CONFLICT, "The same call is still running"),
        Refusal::UserExists(_) => (Is::CONFLICT, "The user exists already"),
        Refusal::UnknownUser(_) => (Is::NOT_FOUND, "Unknown user"),
        Refusal::LastAdmin(_) => (Is::CONFLICT, "The last admin has to stay"),
        Refusal::ImportRunning => (Is::CONFLICT, "Another import is running"),
        Refusal::ImportOver => (Is::CONFLICT, "The import is over"),
    }
}

/// Ours: the caller is told no more than whether to come again.
fn failed(fault: &Fault) -> Response {
    tracing::error!(%fault, "a request failed");
    if fault.passes() {
        let (code, title, detail) = match fault {
            // Which host does not answer, and why, is nobody's business.
            Fault::Unreachable(_) => ("unavailable", "Not now", "the database cannot be reached".to_owned()),
            Fault::OutcomeUnknown => ("outcome-unknown", "Nobody knows whether this was done", fault.to_string()),
            _ => ("unavailable", "Not now", fault.to_string()),
        };
        let members = Members { detail: Some(detail), ..Members::default() };
        return retry_after(1, tell(StatusCode::SERVICE_UNAVAILABLE, code, title, members));
    }
    tell(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal Server Error", Members::default())
}

#[derive(Serialize)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    #[serde(flatten)]
    members: Members,
}

fn tell(status: StatusCode, code: &str, title: &'static str, members: Members) -> Response {
    let body = Body { kind: format!("/problems/{code}"), title, status: status.as_u16(), members };
    let body = serde_json::to_string(&body).expect("a problem is JSON");
    // What is wrong now may be right in a moment: a reset that is undone gives a dead link its life back.
    let headers = [(header::CONTENT_TYPE, PROBLEM_JSON), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, body).into_response()
}

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

fn retry_after(seconds: u64, mut answer: Response) -> Response {
    answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    answer
}

#[cfg(test)]
mod tests;
