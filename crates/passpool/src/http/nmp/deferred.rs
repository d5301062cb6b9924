//! `POST /deferred/transfer` and `/deferred/verify`: the brand gives a passport to a wallet (contract, section 1.5).

use axum::{body::Bytes, extract::State, http::StatusCode, response::Response};
use passpool_core::{Actor, Passphrase, PassportId, Proof, Refusal, Right, Shown, Untransferable, WalletAddress};
use passpool_store::{StoreError, Transfer};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    NmpCaller,
    error::{self, NmpError},
    no_store,
};
use crate::app::App;

pub(super) const TRANSFER: &str = "/deferred/transfer";
pub(super) const VERIFY: &str = "/deferred/verify";

/// Sends a passport, by a link that the brand knows, to a wallet.
#[utoipa::path(post, path = TRANSFER, operation_id = "deferredTransfer", tag = "deferred", request_body = TransferBody,
    responses(
        (status = 200, description = "It was sent, or it can be", body = Told),
        (status = "default", description = "An error in the NMP's shape", body = Value)))]
pub(super) async fn transfer(State(app): State<App>, caller: NmpCaller, body: Bytes) -> Result<Response, NmpError> {
    let wish = wish(&app, caller, &body)?;
    let (passport, to) = (wish.passport, wish.to);
    app.store.transfer(wish).await.map_err(refused)?;
    let message = format!("Token {passport} will be transfered to address {to}");
    Ok(tell("nmp.back.deferredTransfer.success", message))
}

/// Answers whether such a transfer can be, and changes nothing.
#[utoipa::path(post, path = VERIFY, operation_id = "deferredVerify", tag = "deferred", request_body = TransferBody,
    responses(
        (status = 200, description = "It was sent, or it can be", body = Told),
        (status = "default", description = "An error in the NMP's shape", body = Value)))]
pub(super) async fn verify(State(app): State<App>, caller: NmpCaller, body: Bytes) -> Result<Response, NmpError> {
    let wish = wish(&app, caller, &body)?;
    let to = wish.to;
    app.store.verify_transfer(wish).await.map_err(refused)?;
    let message = format!("Token can be transfered to address {to}");
    Ok(tell("nmp.back.deferredTransfer.tokenCanBeTransfered", message))
}

/// What both are sent.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes a body that is read field by field, in the contract's order")]
pub(super) struct TransferBody {
    token_id: u64,
    passphrase: String,
    address: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Told {
    message: String,
    #[schema(value_type = String)]
    code: &'static str,
}

fn tell(code: &'static str, message: String) -> Response {
    no_store(error::json(StatusCode::OK, &Told { message, code }))
}

fn wish(app: &App, caller: NmpCaller, body: &[u8]) -> Result<Transfer, NmpError> {
    caller.needs(Right::CertCreate)?;
    let body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| NmpError::InvalidParameter("body".into(), "it must be a JSON object".into()))?;
    let invalid = |name: &str, wrong: String| NmpError::InvalidParameter(name.into(), wrong);
    let passport = PassportId::from_json(given(&body, "tokenId")?);
    let passport = passport.map_err(|_| refused(Refusal::Untransferable(Untransferable::Unknown).into()))?;
    let passphrase =
        Passphrase::parse(text(&body, "passphrase")?).map_err(|wrong| invalid("passphrase", wrong.to_string()))?;
    let to = WalletAddress::parse(text(&body, "address")?).map_err(|wrong| invalid("address", wrong.to_string()))?;
    let proof = Proof::new(Shown::Passphrase(passphrase), app.secret.clone());
    Ok(Transfer { passport, proof, to, by: Actor::User(caller.0.name), now: app.clock.now() })
}

fn given<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a Value, NmpError> {
    body.get(name).filter(|value| !value.is_null()).ok_or_else(|| NmpError::MissingParameter(name.into()))
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, NmpError> {
    let value = given(body, name)?.as_str();
    value.ok_or_else(|| NmpError::InvalidParameter(name.into(), "it must be a text".into()))
}

const NOT_FOUND: &str = "The token was not found";

fn refused(error: StoreError) -> NmpError {
    match error {
        StoreError::Refusal(Refusal::Untransferable(why)) => {
            let (code, description) = words(why);
            NmpError::Transfer(code, description)
        }
        StoreError::Refusal(Refusal::WalletServed) => {
            NmpError::Transfer("nmp.back.deferredTransfer.errorTransfer", "This wallet has its passport of this kiosk")
        }
        error => error.into(),
    }
}

/// The contract's code, and its words where it prints them (the misspelt one included).
const fn words(why: Untransferable) -> (&'static str, &'static str) {
    match why {
        Untransferable::Unknown => ("nmp.back.deferredTransfer.tokenNotFound", NOT_FOUND),
        Untransferable::AlreadyOwner => ("nmp.back.deferredTransfer.alreadyOwner", "You are already the owner"),
        Untransferable::OwnedByAnother => {
            ("nmp.back.deferredTransfer.issuerNotOwner", "You are not the issuer of the digital passport.")
        }
        Untransferable::Pending => ("nmp.back.deferredTransfer.pending", "Token tranfer is already pending"),
        Untransferable::NoLink => {
            ("nmp.back.deferredTransfer.errorFetchRequestKey", "The passphrase is not a request key")
        }
        Untransferable::WrongPassphrase => {
            ("nmp.back.deferredTransfer.passphraseNotRight", "The passphrase is not right")
        }
    }
}
