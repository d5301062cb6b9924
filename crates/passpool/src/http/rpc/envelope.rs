//! Envelopes: JSON-RPC 2.0 around what is called and what is answered.

use passpool_core::Content;
use serde::Serialize;
use serde_json::{Value, value::RawValue};

/// How many calls one request may hold: a wallet asks for a handful.
const BATCH_AT_MOST: usize = 50;

/// What a request asks for.
pub(super) struct Envelope {
    /// True if the answers have to be a list, however many there are.
    pub(super) is_batch: bool,
    pub(super) calls: Vec<Result<Call, (Value, RpcError)>>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Call {
    /// None if no answer is wanted.
    pub(super) id: Option<Value>,
    pub(super) method: String,
    pub(super) params: Value,
}

impl Envelope {
    /// What holds no call that could be answered.
    pub(super) fn refused(error: RpcError) -> Self {
        Self { is_batch: false, calls: vec![Err((Value::Null, error))] }
    }

    pub(super) fn open(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Err(_) => Self::refused(RpcError::Unreadable),
            Ok(Value::Array(calls)) if calls.is_empty() || calls.len() > BATCH_AT_MOST => {
                Self::refused(RpcError::NoRequest)
            }
            Ok(Value::Array(calls)) => Self { is_batch: true, calls: calls.into_iter().map(Call::read).collect() },
            Ok(call) => Self { is_batch: false, calls: vec![Call::read(call)] },
        }
    }
}

impl Call {
    fn read(mut call: Value) -> Result<Self, (Value, RpcError)> {
        let id = call.get("id").cloned();
        let is_id = id.as_ref().is_none_or(|id| id.is_string() || id.is_number() || id.is_null());
        let method = call.get("method").and_then(Value::as_str).map(str::to_owned);
        let is_ours = call.get("jsonrpc").is_some_and(|version| version == "2.0");
        match method {
            Some(method) if is_id && is_ours => Ok(Self { id, method, params: call["params"].take() }),
            _ => Err((id.filter(|_| is_id).unwrap_or(Value::Null), RpcError::NoRequest)),
        }
    }
}

/// What went wrong, as the protocol numbers it; below zero as JSON-RPC does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RpcError {
    Unreadable,
    NoRequest,
    UnknownMethod,
    InvalidParams(&'static str),
    /// Our fault, and why: for the log alone.
    Internal(String),
    /// Nothing was shown, or nothing that can be read.
    Unauthorized,
    NotStoredHere,
    OtherPassport,
    TooOld,
    BadToken,
    NothingThere,
    /// Whatever is wrong with a link: whoever asks is not told.
    NotYours,
}

impl RpcError {
    const fn code(&self) -> i32 {
        match self {
            Self::Unreadable => -32_700,
            Self::NoRequest => -32_600,
            Self::UnknownMethod => -32_601,
            Self::InvalidParams(_) => -32_602,
            Self::Internal(_) => -32_603,
            Self::Unauthorized | Self::NotStoredHere => 0,
            Self::OtherPassport => 2,
            Self::TooOld => 3,
            Self::BadToken => 7,
            Self::NothingThere => 8,
            Self::NotYours => 9,
        }
    }

    const fn message(&self) -> &'static str {
        match self {
            Self::Unreadable => "The request is not JSON",
            Self::NoRequest => "The request is no JSON-RPC 2.0",
            Self::UnknownMethod => "There is no such method",
            Self::InvalidParams(wrong) => wrong,
            Self::Internal(_) => "Something is wrong here: please try again",
            Self::Unauthorized => "Neither a readable message with its signature nor a bearer was given",
            Self::NotStoredHere => "Contents are not stored through this gateway",
            Self::OtherPassport => "The message was signed for another certificateId",
            Self::TooOld => "The message has no readable timestamp within 300 seconds of now",
            Self::BadToken => "The bearer is not valid for this certificate",
            Self::NothingThere => "There is nothing under this id",
            Self::NotYours => "The signer is neither the owner of this certificate nor knows its link",
        }
    }

    /// True of what somebody who guesses would meet.
    pub(super) fn is_a_guess(&self) -> bool {
        matches!(self, Self::NotYours | Self::BadToken)
    }
}

/// The answer to one call.
pub(super) struct Reply {
    pub(super) id: Value,
    pub(super) result: Result<Content, RpcError>,
}

#[derive(Serialize)]
struct Written<'a> {
    jsonrpc: &'static str,
    id: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<WrittenError>,
}

#[derive(Serialize)]
struct WrittenError {
    code: i32,
    message: &'static str,
}

impl Reply {
    /// None if nobody wants an answer.
    pub(super) fn write(replies: &[Self], is_batch: bool) -> Option<String> {
        let written: Vec<_> = replies.iter().map(Self::written).collect();
        let text = match written.as_slice() {
            [] => return None,
            [one] if !is_batch => serde_json::to_string(one),
            all => serde_json::to_string(all),
        };
        Some(text.expect("an answer is JSON"))
    }

    fn written(&self) -> Written<'_> {
        let (result, error) = match &self.result {
            Ok(content) => (Some(serde_json::from_str(content.as_str()).expect("a content is JSON")), None),
            Err(error) => (None, Some(WrittenError { code: error.code(), message: error.message() })),
        };
        Written { jsonrpc: "2.0", id: &self.id, result, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        let envelope = Envelope::open(body.as_bytes());
        let replies = envelope.calls.into_iter().filter_map(|call| match call {
            Err((id, error)) => Some(Reply { id, result: Err(error) }),
            Ok(call) => {
                call.id.map(|id| Reply { id, result: Content::parse(r#"{"a":1.50}"#).map_err(|_| unreachable!()) })
            }
        });
        let replies: Vec<_> = replies.collect();
        assert_eq!(Reply::write(&replies, envelope.is_batch).unwrap_or_default(), expected, "{body}");
    }

    #[test]
    fn the_id_comes_back_as_it_was() {
        let answer = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"a":1.50}}}}"#);
        check(r#"{"jsonrpc":"2.0","method":"m","id":2}"#, &answer("2"));
        check(r#"{"jsonrpc":"2.0","method":"m","id":"17"}"#, &answer(r#""17""#));
        check(r#"{"jsonrpc":"2.0","method":"m","id":null}"#, &answer("null"));
        check(r#"[{"jsonrpc":"2.0","method":"m","id":2}]"#, &format!("[{}]", answer("2")));
        let two = r#"[{"jsonrpc":"2.0","method":"m","id":2},{"jsonrpc":"2.0","method":"m"},{"jsonrpc":"2.0","method":"m","id":3}]"#;
        check(two, &format!("[{},{}]", answer("2"), answer("3")));
        check(r#"{"jsonrpc":"2.0","method":"m"}"#, "");
    }

    #[test]
    fn what_is_no_request_is_told_so() {
        let refused = |id: &str, code: i32, message: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#)
        };
        let no_request = |id| refused(id, -32_600, "The request is no JSON-RPC 2.0");
        for body in ["", "{", "nonsense", "\u{e9}"] {
            check(body, &refused("null", -32_700, "The request is not JSON"));
        }
        for body in ["1", "[]", "{}", r#"{"jsonrpc":"1.0","method":"m"}"#, r#"{"jsonrpc":"2.0","method":7}"#] {
            check(body, &no_request("null"));
        }
        check(r#"{"jsonrpc":"2.0","id":5}"#, &no_request("5"));
        check(r#"{"jsonrpc":"2.0","method":"m","id":{}}"#, &no_request("null"));
        check("[1]", &format!("[{}]", no_request("null")));
        check(&format!("[{}]", vec!["1"; BATCH_AT_MOST + 1].join(",")), &no_request("null"));
    }
}
