//! `GET /api/certificate/one2Many/forceTransfer/v2`: passports into wallets that did not ask (contract, section 1.4).

use std::collections::HashSet;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use passpool_core::{
    AccessToken, Actor, HandOutSeed, Kept, ParameterDigest, Refusal, Repeat, ReservationId, Reserve, Right, Selector,
    Shortage, Tag, WalletAddress,
};
use passpool_store::{Airdrop, Fault, StoreError};

use super::{NmpCaller, error::NmpError, format::ManyFormat, parameters::Parameters, reserve_one::idempotency_key};
use crate::{app::App, clock::random, handout::Handout};

pub(super) const PATH: &str = "/api/certificate/one2Many/forceTransfer/v2";

/// All or none of them in one transaction, which others wait for.
const RECIPIENTS_AT_MOST: usize = 10_000;
const RECIPIENTS: &str = "recipients";

/// Takes a passport out of the pool for each wallet and sends it there, or none.
#[utoipa::path(get, path = PATH, operation_id = "forceTransfer", tag = "dispenser",
    params(
        ("label" = String, Query, description = "Which passports: tags with commas between them"),
        ("format" = String, Query, description = "redirect, link, linkObject or content, of the first recipient"),
        ("tagRule" = Option<String>, Query, description = "and: all of the tags. or: one of them"),
        ("arianeeAccessToken" = Option<String>, Query, description = "If there is one it has to be good; it gives no right"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same answer again")),
    request_body(content = Vec<String>, description = "At most 10,000 addresses, each once"),
    responses(
        (status = 200, description = "The first recipient's link, the link with its parts, or the content",
            content((String = "text/plain"), (Value = "application/json"))),
        (status = 302, description = "To the first recipient's link"),
        (status = "default", description = "An error in the NMP's shape", body = Value)))]
pub(super) async fn airdrop(
    State(app): State<App>,
    caller: NmpCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, NmpError> {
    caller.needs(Right::CertCreate)?;
    let parameters = Parameters::parse(query.as_deref());
    let selector = parameters.labels(app.tag_rule)?;
    parameters.required("format")?;
    let format = parameters.read("format", ManyFormat::parse)?;
    let format = format.ok_or_else(|| NmpError::MissingParameter("format".into()))?;
    let now = app.clock.now();
    // The key says who calls. A token beside it has to be a good one, and gives no right.
    parameters.read("arianeeAccessToken", |token| AccessToken::verify(token, now))?;
    let recipients = recipients(&body)?;
    let by = Actor::User(caller.0.name);
    let keep = idempotency_key(&headers)?.map(|key| {
        let repeat =
            Repeat { record: key.digest(&by.to_string(), PATH), parameters: digest(format, &selector, &recipients) };
        Kept::new(ReservationId::new(now, random(&*app.entropy)), Some(repeat))
    });
    let wish = Reserve {
        selector,
        count: u32::try_from(recipients.len()).expect("there is a limit on them"),
        shortage: Shortage::Refuse,
        by,
        now,
        until: None,
        keep,
        seed: HandOutSeed::new(random(&*app.entropy)),
        with_content: format.with_content(),
    };
    let sent = match app.store.airdrop(Airdrop { wish, recipients }).await {
        Err(StoreError::Refusal(Refusal::PoolShort { .. })) => return Err(NmpError::NoneToSend),
        sent => sent?,
    };
    let handout = Handout::new(&sent.handed_out[0], &app.secret, &app.links);
    let handout = handout.map_err(|error| StoreError::from(Fault::Damaged(error.to_string())))?;
    Ok(format.answer(handout, sent.replayed))
}

/// The body: a list of addresses, each once.
fn recipients(body: &[u8]) -> Result<Vec<WalletAddress>, NmpError> {
    if body.is_empty() {
        return Err(NmpError::MissingParameter(RECIPIENTS.into()));
    }
    let invalid = |wrong: String| NmpError::InvalidParameter(RECIPIENTS.into(), wrong);
    let texts: Vec<String> =
        serde_json::from_slice(body).map_err(|_| invalid("the body must be a list of addresses".into()))?;
    if texts.is_empty() {
        return Err(NmpError::MissingParameter(RECIPIENTS.into()));
    }
    if texts.len() > RECIPIENTS_AT_MOST {
        return Err(invalid(format!("there are {}; at most {RECIPIENTS_AT_MOST} are allowed", texts.len())));
    }
    let mut seen = HashSet::new();
    let read = texts.iter().enumerate().map(|(position, text)| {
        let place = position + 1;
        let address = WalletAddress::parse(text).map_err(|wrong| invalid(format!("number {place}: {wrong}")))?;
        if seen.insert(address) {
            Ok(address)
        } else {
            Err(invalid(format!("number {place}: {address} stands there twice")))
        }
    });
    read.collect()
}

/// Everything that makes another call of it.
fn digest(format: ManyFormat, selector: &Selector, recipients: &[WalletAddress]) -> ParameterDigest {
    let addresses: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    let fixed = [format.as_str(), selector.rule().as_str()];
    let tags = selector.tags().iter().map(Tag::as_str);
    ParameterDigest::of(fixed.into_iter().chain(tags).chain(addresses.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_addresses_each_once() {
        let (alice, bob) = ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x90F79bf6EB2c4f870365E785982E1f101E93b906");
        let check = |body: &str, expected: Result<usize, &str>| {
            let read = recipients(body.as_bytes()).map(|read| read.len()).map_err(|error| format!("{error:?}"));
            match (read, expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{body}"),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{body}: {error}"),
                (read, expected) => panic!("{body}: {read:?} is not {expected:?}"),
            }
        };
        check(&format!("[\"{alice}\"]"), Ok(1));
        check(&format!("[\"{alice}\",\"{bob}\"]"), Ok(2));
        check(&format!("[\"{alice}\",\"{}\"]", alice.to_lowercase()), Err("number 2"));
        check(&format!("[\"{bob}\",\"{}\"]", alice.replace("C5", "c5")), Err("number 2: the checksum"));
        check("", Err("MissingParameter"));
        check("[]", Err("MissingParameter"));
        check("{}", Err("a list of addresses"));
        check("[7]", Err("a list of addresses"));
        check(&format!("[{}]", vec!["\"x\""; RECIPIENTS_AT_MOST + 1].join(",")), Err("10001"));
    }
}
