//! What the brand does to one certificate: a new link for it, or back from its owner (contract, sections 1.6 and 10).

use axum::{body::Bytes, extract::State, http::StatusCode, response::Response};
use passpool_core::{Actor, HandOutSeed, Passphrase, PassportId, Right};
use passpool_store::{Fault, OfPassport, Relink, StoreError};
use serde::Serialize;
use serde_json::Value;

use super::{
    NmpCaller,
    error::{self, NmpError},
    no_store,
};
use crate::{app::App, clock::random, handout::Handout};

pub(super) const NEW_LINK: &str = "/api/createCertificateRequestOwnershipLink";
pub(super) const RECOVER: &str = "/api/recoverCertificate";

/// Gives a passport that nobody owns a link, upon which the one it had is dead.
///
/// The body is `[certificateId, passphrase?]`.
#[utoipa::path(post, path = NEW_LINK, operation_id = "createCertificateRequestOwnershipLink", tag = "certificate",
    request_body(content = Vec<Value>, description = "`[certificateId, passphrase?]`"),
    responses(
        (status = 200, description = "The link and its parts", body = Value),
        (status = "default", description = "An error in the NMP's shape", body = Value)))]
pub(super) async fn new_link(State(app): State<App>, caller: NmpCaller, body: Bytes) -> Result<Response, NmpError> {
    caller.needs(Right::CertCreate)?;
    let arguments = arguments(&body)?;
    let passport = certificate(&arguments)?;
    let chosen = match arguments.get(1) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(passphrase(text)?),
        Some(_) => return Err(NmpError::InvalidParameter("passphrase".into(), "it must be a text".into())),
    };
    let sealed = chosen.map(|chosen| app.secret.seal(passport, &chosen, random(&*app.entropy)));
    let seed = HandOutSeed::new(random(&*app.entropy));
    let by = Actor::User(caller.0.name);
    let wish = Relink { passport, passphrase: sealed, seed, by, now: app.clock.now() };
    let handed = app.store.relink(wish).await?;
    let handout = Handout::new(&handed, &app.secret, &app.links);
    let handout = handout.map_err(|error| StoreError::from(Fault::Damaged(error.to_string())))?;
    Ok(no_store(error::json(StatusCode::OK, &handout.flat())))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Success {
    success: bool,
}

/// Takes a claimed passport back from its owner.
///
/// The body is `[certificateId]`.
#[utoipa::path(post, path = RECOVER, operation_id = "recoverCertificate", tag = "certificate",
    request_body(content = Vec<Value>, description = "`[certificateId]`"),
    responses(
        (status = 200, description = "It was taken back", body = Success),
        (status = "default", description = "An error in the NMP's shape", body = Value)))]
pub(super) async fn recover(State(app): State<App>, caller: NmpCaller, body: Bytes) -> Result<Response, NmpError> {
    caller.needs(Right::CertRecover)?;
    let passport = certificate(&arguments(&body)?)?;
    let wish = OfPassport { passport, by: Actor::User(caller.0.name), now: app.clock.now() };
    app.store.recover(wish).await?;
    Ok(no_store(error::json(StatusCode::OK, &Success { success: true })))
}

fn arguments(body: &[u8]) -> Result<Vec<Value>, NmpError> {
    serde_json::from_slice(body).map_err(|_| NmpError::InvalidParameter("body".into(), "it must be a list".into()))
}

fn certificate(arguments: &[Value]) -> Result<PassportId, NmpError> {
    match arguments.first() {
        None | Some(Value::Null) => Err(NmpError::MissingParameter("certificateId".into())),
        Some(id @ (Value::Number(_) | Value::String(_))) => {
            PassportId::from_json(id).map_err(|_| NmpError::UnknownCertificate)
        }
        Some(_) => Err(NmpError::InvalidParameter("certificateId".into(), "it must be a number".into())),
    }
}

/// A passphrase that everybody reads in the same way.
fn passphrase(text: &str) -> Result<Passphrase, NmpError> {
    let invalid = |wrong: String| NmpError::InvalidParameter("passphrase".into(), wrong);
    let passphrase = Passphrase::parse(text).map_err(|wrong| invalid(wrong.to_string()))?;
    if passphrase.is_ambiguous() {
        return Err(invalid(
            "it could be read as a number, which wallets do in different ways; add a letter from g to z".into(),
        ));
    }
    Ok(passphrase)
}
