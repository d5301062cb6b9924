//! The NMP's errors. It has several shapes; each is written here once (its contract, section 13).

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use passpool_core::Refusal;
use passpool_store::{Fault, StoreError};
use serde::Serialize;

use crate::http::trouble::Trouble;

#[derive(Debug)]
pub(super) enum NmpError {
    /// No key, or a wrong one.
    NoUser,
    /// A right is missing.
    Unauthorized,
    /// The path is there, and takes another method.
    WrongMethod,
    /// The body is larger than any that is asked for here.
    TooLarge,
    /// This address has asked for too much, and may ask again in so many seconds.
    TooManyRequests(u64),
    MissingParameter(String),
    /// A parameter's name as it is spelt in the query, and what is wrong with it.
    InvalidParameter(String, String),
    /// A kiosk or an airdrop has nothing to give, for whatever reason: a stranger is not told which.
    NoneToSend,
    /// A transfer is refused, by the last part of its code.
    Transfer(&'static str, &'static str),
    /// A transfer could not be judged or written down: our fault.
    TransferFailed(Fault),
    UnknownCertificate,
    Store(StoreError),
}

impl From<StoreError> for NmpError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for NmpError {
    fn into_response(self) -> Response {
        let answer = match self {
            Self::NoUser => shape_c(StatusCode::FORBIDDEN, "no user"),
            Self::Unauthorized => shape_c(StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::WrongMethod => shape_c(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
            Self::TooLarge => shape_c(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large"),
            Self::TooManyRequests(seconds) => {
                let (code, description) = ("nmp.back.dispenser.tooManyRequests", "Too many requests from this address");
                retry_after(seconds, shape_a(StatusCode::TOO_MANY_REQUESTS, code, description))
            }
            Self::MissingParameter(name) => {
                let description = format!("The parameter {name} is missing");
                shape_a(StatusCode::BAD_REQUEST, "nmp.back.dispenser.missingParameter", &description)
            }
            Self::InvalidParameter(name, wrong) => {
                let description = format!("The parameter {name} is invalid: {wrong}");
                shape_a(StatusCode::BAD_REQUEST, "nmp.back.dispenser.invalidParameter", &description)
            }
            Self::NoneToSend => {
                let code = "nmp.back.dispenser.oneToMany.noNFTsToSend";
                shape_a(StatusCode::BAD_REQUEST, code, "No NFT found to distribute")
            }
            Self::Transfer(code, description) => shape_a(StatusCode::BAD_REQUEST, code, description),
            Self::TransferFailed(fault) => {
                let code = "nmp.back.deferredTransfer.errorTransfer";
                let answer = shape_a(StatusCode::INTERNAL_SERVER_ERROR, code, "Error during the transfer");
                Trouble::new("a transfer failed", fault).on(answer)
            }
            Self::UnknownCertificate => shape_d("undefinedRessource", "This certificate does not exist"),
            Self::Store(StoreError::Refusal(refusal)) => refused(&refusal),
            Self::Store(StoreError::Fault(fault)) => failed(&fault),
        };
        super::no_store(answer)
    }
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::PoolShort { .. } => {
            shape_a(StatusCode::BAD_REQUEST, "nmp.back.dispenser.oneToOne.noNFTsToSend", "No NFT found to distribute")
        }
        Refusal::KeyReused => {
            shape_a(StatusCode::UNPROCESSABLE_ENTITY, "nmp.back.dispenser.idempotency.reused", &refusal.to_string())
        }
        Refusal::ReservationOver => {
            shape_a(StatusCode::CONFLICT, "nmp.back.dispenser.idempotency.over", &refusal.to_string())
        }
        Refusal::StillRunning => retry_after(
            1,
            shape_a(StatusCode::CONFLICT, "nmp.back.dispenser.idempotency.running", &refusal.to_string()),
        ),
        Refusal::UnknownPassport(_) => shape_d("undefinedRessource", "This certificate does not exist"),
        Refusal::WrongState { .. } => {
            shape_a(StatusCode::CONFLICT, "nmp.back.dispenser.wrongState", &refusal.to_string())
        }
        Refusal::TooManyHeld => {
            let code = "nmp.back.dispenser.tooManyRequests";
            retry_after(60, shape_a(StatusCode::TOO_MANY_REQUESTS, code, &refusal.to_string()))
        }
        // The handlers of these paths ask for nothing that the store could refuse otherwise.
        other => {
            let answer = shape_c(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
            Trouble::new("a refusal that no NMP path should meet", other).on(answer)
        }
    }
}

fn failed(fault: &Fault) -> Response {
    let answer = match fault {
        Fault::Locked => busy("The database is locked by another program"),
        Fault::DiskFull => busy("The disk is full or cannot be written"),
        Fault::Closed => busy("The server is closing"),
        Fault::Unreachable(_) => busy("The database cannot be reached"),
        Fault::OutcomeUnknown => busy(
            "The database did not say whether this was done: repeat the call with the same Idempotency-Key to learn it",
        ),
        Fault::Moved(_) | Fault::Damaged(_) | Fault::Database(_) => {
            shape_c(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    };
    Trouble::new("a request failed", fault).on(answer)
}

fn busy(message: &str) -> Response {
    retry_after(1, shape_c(StatusCode::SERVICE_UNAVAILABLE, message))
}

fn retry_after(seconds: u64, mut answer: Response) -> Response {
    answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    answer
}

#[derive(Serialize)]
struct ShapeA<'a> {
    name: &'static str,
    description: &'a str,
    code: &'a str,
    #[serde(rename = "httpCode")]
    http_code: u16,
}

fn shape_a(status: StatusCode, code: &str, description: &str) -> Response {
    json(status, &ShapeA { name: "API Error", description, code, http_code: status.as_u16() })
}

#[derive(Serialize)]
struct ShapeD {
    message: &'static str,
    code: &'static str,
    e: &'static str,
}

fn shape_d(code: &'static str, message: &'static str) -> Response {
    json(StatusCode::BAD_REQUEST, &ShapeD { message, code, e: "{}" })
}

#[derive(Serialize)]
struct ShapeC<'a> {
    message: &'a str,
}

fn shape_c(status: StatusCode, message: &str) -> Response {
    json(status, &ShapeC { message })
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).expect("our wire types are JSON");
    (status, json_text(body)).into_response()
}

/// A text that is JSON already.
pub(super) fn json_text(text: String) -> Response {
    let mut answer = Response::new(Body::from(text));
    answer.headers_mut().insert(header::CONTENT_TYPE, JSON);
    answer
}

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
