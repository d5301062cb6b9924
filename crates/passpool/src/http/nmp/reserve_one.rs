//! `GET /dispenser/distribution/reserveOne`: one passport out of the pool (contract, section 1.1).

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderName, request::Parts},
};
use passpool_core::{
    Actor, HandOutSeed, IdempotencyKey, Kept, ParameterDigest, Repeat, ReservationId, Reserve, Right, Rule, Selector,
    Shortage, Tag, WholeSeconds,
};
use passpool_store::{Fault, StoreError};

use super::{NmpCaller, error::NmpError, format::HandoutAnswer, parameters::Parameters};
use crate::{
    app::App,
    clock::random,
    handout::{Handout, HandoutFormat},
};

pub(super) const PATH: &str = "/dispenser/distribution/reserveOne";

/// Takes one passport out of the pool.
#[utoipa::path(get, path = PATH, operation_id = "reserveOne", tag = "dispenser",
    params(
        ("tags" = String, Query, description = "Which passports: tags with commas between them"),
        ("format" = String, Query, description = "link, linkObject or content"),
        ("tagRule" = Option<String>, Query, description = "and: all of the tags. or: one of them"),
        ("expiresIn" = Option<u32>, Query, minimum = 1, maximum = 315_360_000,
            description = "After how many seconds it comes back by itself"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same link again")),
    responses(
        (status = 200, description = "The link, the link with its parts, or the content",
            content((String = "text/plain"), (Value = "application/json"))),
        (status = "default", description = "An error in the NMP's shape", body = Value)))]
pub(super) async fn reserve_one(State(app): State<App>, asked: ReserveOne) -> Result<HandoutAnswer, NmpError> {
    let format = asked.format;
    let reservation = app.store.reserve(asked.into_wish(&app)).await?;
    let handout = Handout::new(reservation.only(), &app.secret, &app.links);
    let handout = handout.map_err(|error| StoreError::from(Fault::Damaged(error.to_string())))?;
    Ok(HandoutAnswer { handout, format, replayed: reservation.replayed })
}

/// What a caller who may asked for.
///
/// It is read where the request stands and keeps nothing of it: hundreds of calls wait for their commit, and each would
/// keep the buffer that its request was read into.
pub(super) struct ReserveOne {
    by: Actor,
    selector: Selector,
    format: HandoutFormat,
    expires_in: Option<WholeSeconds>,
    key: Option<IdempotencyKey>,
}

impl FromRequestParts<App> for ReserveOne {
    type Rejection = NmpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, NmpError> {
        let caller = NmpCaller::from_request_parts(parts, app).await?;
        caller.needs(Right::CertCreate)?;
        Self::parse(Actor::User(caller.0.name), parts.uri.query(), &parts.headers, app.tag_rule)
    }
}

impl ReserveOne {
    fn parse(by: Actor, query: Option<&str>, headers: &HeaderMap, rule: Rule) -> Result<Self, NmpError> {
        let parameters = Parameters::parse(query);
        let selector = parameters.selector(rule)?;
        parameters.required("format")?;
        let format = parameters
            .read("format", HandoutFormat::parse)?
            .ok_or_else(|| NmpError::MissingParameter("format".into()))?;
        let expires_in = parameters.read("expiresIn", WholeSeconds::parse)?;
        Ok(Self { by, selector, format, expires_in, key: idempotency_key(headers)? })
    }

    fn into_wish(self, app: &App) -> Reserve {
        let now = app.clock.now();
        let keep = self.key.as_ref().map(|key| {
            let repeat = Repeat { record: key.digest(&self.by.to_string(), PATH), parameters: self.parameters() };
            Kept::new(ReservationId::new(now, random(&*app.entropy)), Some(repeat))
        });
        Reserve {
            until: self.expires_in.map(|span| now.plus(span)),
            selector: self.selector,
            count: 1,
            shortage: Shortage::Refuse,
            by: self.by,
            now,
            keep,
            seed: HandOutSeed::new(random(&*app.entropy)),
            with_content: self.format == HandoutFormat::Content,
        }
    }

    /// Everything that makes another call of it.
    fn parameters(&self) -> ParameterDigest {
        let expires_in = self.expires_in.map(|span| span.get().to_string()).unwrap_or_default();
        let fixed = [self.format.as_str(), self.selector.rule().as_str(), expires_in.as_str()];
        ParameterDigest::of(fixed.into_iter().chain(self.selector.tags().iter().map(Tag::as_str)))
    }
}

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, NmpError> {
    let invalid = |wrong: &str| NmpError::InvalidParameter("Idempotency-Key".into(), wrong.into());
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(first) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(invalid("it is given more than once"));
    }
    let key = IdempotencyKey::parse(first.to_str().unwrap_or_default());
    key.map(Some).map_err(|error| invalid(&error.to_string()))
}
