//! Problems: what went wrong on a path of our own, as RFC 9457 tells it.

mod flaw;

use axum::{
    Extension,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use passpool_core::{Refusal, Right, Untransferable};
use passpool_store::{Fault, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) use flaw::{Flaw, token};

use super::{failed::Failed, trouble::Trouble};

#[derive(Debug)]
pub(super) enum Problem {
    /// Nothing is here, and nothing is told of what may be elsewhere.
    NoSuchPath,
    /// Told like a dead link. Nobody guessed one.
    NoLink,
    WrongMethod,
    /// The path is right, and what it names is not there.
    Unknown(&'static str),
    /// No key, or one that nobody has.
    NoKey,
    /// The caller is known, and may not do this.
    RightMissing(Right),
    /// The caller would lock itself out, or may do so by an answer that is lost.
    OwnAccount(&'static str),
    /// The body is not what it says it is: no JSON, or cut off.
    Malformed(String),
    /// The request can be read, and some of it is not what it has to be.
    Invalid(Vec<Flaw>),
    /// The body is of another media type than this.
    WrongMediaType(&'static str),
    BodyTooLarge,
    /// A line of a file that no passport can be made of.
    BadLine {
        line: u64,
        detail: String,
    },
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

impl Problem {
    /// A field of the body that is wrong.
    pub(super) fn field(pointer: impl AsRef<str>, wrong: impl ToString) -> Self {
        Self::Invalid(vec![Flaw::body(pointer, wrong)])
    }

    /// A part of the path or the query that is wrong.
    pub(super) fn parameter(name: &'static str, wrong: impl ToString) -> Self {
        Self::Invalid(vec![Flaw::parameter(name, wrong)])
    }

    pub(super) fn header(name: &'static str, wrong: impl ToString) -> Self {
        Self::Invalid(vec![Flaw::header(name, wrong)])
    }

    /// What a caller is told.
    pub(super) fn told(&self) -> Told {
        use StatusCode as Is;
        let detail = |detail: String| Members { detail: Some(detail), ..Members::default() };
        match self {
            Self::NoSuchPath => Told::new(Is::NOT_FOUND, "no-such-path", "There is nothing here"),
            Self::WrongMethod => Told::new(Is::METHOD_NOT_ALLOWED, "wrong-method", "This path takes no such method"),
            Self::NoKey => Told::new(Is::UNAUTHORIZED, "no-key", "A good key is needed in x-api-key"),
            Self::RightMissing(right) => Told::new(Is::FORBIDDEN, "right-missing", "A right is missing")
                .with(detail(format!("the right {right} is needed"))),
            Self::OwnAccount(why) => {
                Told::new(Is::CONFLICT, "own-account", "This would lock you out").with(detail((*why).to_owned()))
            }
            Self::Malformed(wrong) => {
                Told::new(Is::BAD_REQUEST, "malformed-body", "The body cannot be read").with(detail(wrong.clone()))
            }
            Self::Invalid(flaws) => {
                let all = flaws.iter().map(Flaw::told).collect::<Vec<_>>().join("; ");
                let members = Members { errors: flaws.clone(), ..detail(all) };
                Told::new(Is::UNPROCESSABLE_ENTITY, "invalid-request", "The request is invalid").with(members)
            }
            Self::WrongMediaType(wanted) => {
                Told::new(Is::UNSUPPORTED_MEDIA_TYPE, "wrong-media-type", "The body is of another type")
                    .with(detail(format!("the body has to be {wanted}")))
            }
            Self::Unknown(what) => Told::new(Is::NOT_FOUND, &format!("unknown-{what}"), "Unknown")
                .with(detail(format!("there is no such {what}"))),
            Self::BadLine { line, detail: wrong } => {
                let members = Members { lines: vec![*line], ..detail(wrong.clone()) };
                Told::new(Is::UNPROCESSABLE_ENTITY, "bad-line", "A line is not what it has to be").with(members)
            }
            Self::BodyTooLarge => {
                let whole = Flaw::body("", "it is larger than this path takes");
                let members = Members { errors: vec![whole.clone()], ..detail(whole.told()) };
                Told::new(Is::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large").with(members)
            }
            Self::TooManyRequests(_) => {
                Told::new(Is::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests from this address")
            }
            Self::NoLink => refused(&Refusal::LinkDead),
            Self::Store(StoreError::Refusal(refusal)) => refused(refusal),
            Self::Store(StoreError::Fault(fault)) => failed(fault),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let answer = self.told().into_response();
        match self {
            Self::NoKey => ([(header::WWW_AUTHENTICATE, "ApiKey header=\"x-api-key\"")], answer).into_response(),
            Self::TooManyRequests(seconds) => retry_after(seconds, answer),
            Self::Store(StoreError::Refusal(Refusal::StillRunning)) => retry_after(1, answer),
            Self::Store(StoreError::Refusal(Refusal::LinkDead)) => (Extension(Failed(1)), answer).into_response(),
            Self::Store(StoreError::Fault(fault)) => {
                let answer = if fault.passes() { retry_after(1, answer) } else { answer };
                Trouble::new("a request failed", fault).on(answer)
            }
            _ => answer,
        }
    }
}

/// What went wrong, as RFC 9457 has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Told {
    /// `/problems/` and a code that stays the same.
    #[serde(rename = "type")]
    #[schema(example = "/problems/pool-short")]
    kind: String,
    #[schema(value_type = String)]
    title: &'static str,
    status: u16,
    #[serde(flatten)]
    members: Members,
}

/// What a problem has besides its type, title and status.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(super) struct Members {
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What is wrong with the request, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Flaw>,
    /// Which lines of a file it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    lines: Vec<u64>,
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

impl Told {
    fn new(status: StatusCode, code: &str, title: &'static str) -> Self {
        let kind = format!("/problems/{code}");
        Self { kind, title, status: status.as_u16(), members: Members::default() }
    }

    fn with(self, members: Members) -> Self {
        Self { members, ..self }
    }

    /// The same, told of lines of a file.
    pub(super) fn about_lines(mut self, lines: &[u64], detail: String) -> Self {
        self.members.lines = lines.to_vec();
        self.members.detail = Some(detail);
        self
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("it was made from a status");
        let body = serde_json::to_string(&self).expect("a problem is JSON");
        // What is wrong now may be right in a moment: a reset that is undone gives a dead link its life back.
        let headers =
            [(header::CONTENT_TYPE, PROBLEM_JSON), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (status, headers, body).into_response()
    }
}

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

fn retry_after(seconds: u64, mut answer: Response) -> Response {
    answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    answer
}

fn refused(refusal: &Refusal) -> Told {
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
    Told::new(status, inner.code(), title).with(members)
}

/// Ours: the caller is told no more than whether to come again.
fn failed(fault: &Fault) -> Told {
    if fault.passes() {
        let (code, title, detail) = match fault {
            // Which host does not answer, and why, is nobody's business.
            Fault::Unreachable(_) => ("unavailable", "Not now", "the database cannot be reached".to_owned()),
            Fault::OutcomeUnknown => ("outcome-unknown", "Nobody knows whether this was done", fault.to_string()),
            _ => ("unavailable", "Not now", fault.to_string()),
        };
        let members = Members { detail: Some(detail), ..Members::default() };
        return Told::new(StatusCode::SERVICE_UNAVAILABLE, code, title).with(members);
    }
    Told::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal Server Error")
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
        Refusal::Count { .. } => (Is::UNPROCESSABLE_ENTITY, "The count is out of range"),
        Refusal::EndInThePast => (Is::UNPROCESSABLE_ENTITY, "The end lies in the past"),
        Refusal::KeyReused => (Is::UNPROCESSABLE_ENTITY, "The Idempotency-Key belongs to another call"),
        Refusal::ReservationOver => (Is::CONFLICT, "The reservation is over"),
        Refusal::StillRunning => (Is::CONFLICT, "The same call is still running"),
        Refusal::UserExists(_) => (Is::CONFLICT, "The user exists already"),
        Refusal::UnknownUser(_) => (Is::NOT_FOUND, "Unknown user"),
        Refusal::LastAdmin(_) => (Is::CONFLICT, "The last admin has to stay"),
        Refusal::UnknownReservation(_) => (Is::NOT_FOUND, "Unknown reservation"),
        Refusal::RecipientCount { .. } => (Is::UNPROCESSABLE_ENTITY, "There is not one recipient for each passport"),
        Refusal::UnknownRecipient(_) => (Is::NOT_FOUND, "Unknown recipient"),
        Refusal::UnknownPreview(_) => (Is::NOT_FOUND, "Unknown preview"),
        Refusal::UnknownReset(_) => (Is::NOT_FOUND, "Unknown reset"),
        Refusal::ResetUndone(_) => (Is::CONFLICT, "The reset was undone already"),
        Refusal::Changed => (Is::PRECONDITION_FAILED, "The passport was changed meanwhile"),
        Refusal::UnknownProfile(_) => (Is::NOT_FOUND, "Unknown profile"),
        Refusal::ProfileExists(_) => (Is::CONFLICT, "The profile exists already"),
        Refusal::ProfileInUse(_) => (Is::CONFLICT, "The profile is in use"),
        Refusal::RightMissing(_) => (Is::FORBIDDEN, "A right is missing"),
        Refusal::OwnAccount => (Is::CONFLICT, "This would lock you out"),
        Refusal::UnknownKey => (Is::NOT_FOUND, "Unknown key"),
        Refusal::KeyExists => (Is::CONFLICT, "A key begins like this already"),
        Refusal::ImportRunning => (Is::CONFLICT, "Another import is running"),
        Refusal::ImportOver => (Is::CONFLICT, "The import is over"),
    }
}

#[cfg(test)]
mod tests;
