//! `POST /rpc`: the privacy gateway, by which Arianee's wallets read what a passport shows (protocol, section 5).
//!
//! JSON-RPC 2.0: every answer is a 200, and what went wrong stands in its `error`.

mod authentication;
mod envelope;

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use passpool_core::{Content, Proof, Refusal};
use passpool_store::{Opening, StoreError, Visitor};
use serde_json::Value;

use self::{
    authentication::Authentication,
    envelope::{Call, Envelope, Reply, RpcError},
};
use super::{cors, failed::Failed, trouble::Trouble};
use crate::app::App;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/rpc", post(answer).options(cors::preflight))
}

async fn answer(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    let envelope = body.map_or_else(|_| Envelope::refused(RpcError::NoRequest), |body| Envelope::open(&body));
    let mut replies = Vec::new();
    let (mut failures, mut trouble) = (0, None);
    for call in envelope.calls {
        let (id, result) = match call {
            Err((id, error)) => (id, Err(error)),
            Ok(Call { id, method, params }) => {
                let result = carry_out(&app, &method, &params).await;
                if let Err(RpcError::Internal(why)) = &result {
                    trouble = Some(Trouble::new("a passport could not be read", why));
                }
                // A call without an id wants no answer.
                let Some(id) = id else { continue };
                (id, result)
            }
        };
        failures += u32::from(result.as_ref().is_err_and(RpcError::is_a_guess));
        replies.push(Reply { id, result });
    }
    let answer = Reply::write(&replies, envelope.is_batch).map_or_else(|| StatusCode::NO_CONTENT.into_response(), json);
    let answer = if let Some(trouble) = trouble { trouble.on(answer) } else { answer };
    if failures > 0 { (Extension(Failed(failures)), answer).into_response() } else { answer }
}

fn json(body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}

async fn carry_out(app: &App, method: &str, params: &Value) -> Result<Content, RpcError> {
    match method {
        // There are no updates: the passport as it was made is the newest.
        "certificate.read" | "update.read" => read(app, params).await,
        "event.read" | "message.read" => Err(RpcError::NothingThere),
        "certificate.create" | "update.create" | "event.create" | "message.create" => Err(RpcError::NotStoredHere),
        _ => Err(RpcError::UnknownMethod),
    }
}

/// The content, for whoever knows the link, which is a scan, or owns the passport.
async fn read(app: &App, params: &Value) -> Result<Content, RpcError> {
    let now = app.clock.now();
    let Authentication { passport, shown, is_in_scope } = Authentication::judge(params, now)?;
    let proof = Proof::new(shown, app.secret.clone());
    match app.store.open(Opening { passport, proof, visitor: Visitor::Person, now }).await {
        Ok(_) if !is_in_scope => Err(RpcError::BadToken),
        Ok(opened) => Ok(opened.content),
        Err(StoreError::Refusal(Refusal::LinkDead)) => Err(RpcError::NotYours),
        Err(error) => Err(RpcError::Internal(error.to_string())),
    }
}
