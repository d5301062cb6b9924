//! `GET /api/certificate/one2Many/v3`: one link for everybody, and a passport for each (contract, section 1.3).
//!
//! It is public for what an open kiosk names, and for whoever may hand out. For all others there is nothing here.

use axum::{
    Extension,
    extract::{RawQuery, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use passpool_core::{
    AccessToken, Actor, Caller, HandOutSeed, HandedOut, Kept, Kiosk, KioskName, KioskVisitor, ParameterDigest, Refusal,
    Repeat, ReservationId, Reserve, Right, Selector, Shortage, Tag, WholeSeconds,
};
use passpool_store::{Door, Fault, Given, StoreError, Visitor};

use super::{error::NmpError, format::ManyFormat, no_store, parameters::Parameters, reserve_one::idempotency_key};
use crate::{
    address::VisitorAddress,
    app::App,
    clock::random,
    handout::Handout,
    http::{
        caller::caller,
        holder::visitor::visitor,
        kiosk_visitor::{Browser, visit},
    },
};

pub(super) const PATH: &str = "/api/certificate/one2Many/v3";

/// One address for everybody, and a passport for each visitor.
#[utoipa::path(get, path = PATH, operation_id = "one2Many", tag = "dispenser", security(()),
    params(
        ("label" = Option<String>, Query, description = "A tag that an open kiosk names"),
        ("campaignId" = Option<String>, Query, description = "The kiosk's name, instead of a tag"),
        ("format" = Option<String>, Query, description = "redirect, link, linkObject or content"),
        ("tagRule" = Option<String>, Query, description = "and: all of the tags. or: one of them"),
        ("arianeeAccessToken" = Option<String>, Query, description = "A token that the visitor's wallet signed")),
    responses(
        (status = 200, description = "The link, the link with its parts, or the content",
            content((String = "text/plain"), (Value = "application/json"))),
        (status = 204, description = "A prefetch or a picture takes nothing"),
        (status = 302, description = "To the link"),
        (status = "default", description = "An error in the NMP's shape", body = Value)))]
pub(super) async fn one_to_many(
    State(app): State<App>,
    Extension(address): Extension<VisitorAddress>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if visitor(&method, &headers) == Visitor::Robot {
        return no_store(StatusCode::NO_CONTENT);
    }
    let browser = Browser::of(&app, &headers);
    match give(&app, address, query.as_deref(), &headers, &browser).await {
        Ok(answer) => browser.greet(answer),
        Err(error) => error.into_response(),
    }
}

async fn give(
    app: &App,
    address: VisitorAddress,
    query: Option<&str>,
    headers: &HeaderMap,
    browser: &Browser,
) -> Result<Response, NmpError> {
    let asked = OneToMany::parse(query, app)?;
    let who = asked.wallet.unwrap_or(KioskVisitor::Browser(browser.number));
    let given = match asked.door() {
        Some(door) => visit(app, door, who, address, asked.format.with_content()).await,
        None => Err(Refusal::NoKiosk.into()),
    };
    match given {
        Ok(Given::Held { passport, .. } | Given::Owned(passport)) => asked.answer(app, &passport, false),
        Err(StoreError::Refusal(Refusal::NoKiosk)) => match caller(app, headers).await? {
            Some(caller) if caller.may(Right::CertCreate) => asked.reserve(app, caller, headers).await,
            _ => Err(NmpError::NoneToSend),
        },
        Err(StoreError::Refusal(refusal)) if !matches!(refusal, Refusal::TooManyHeld) => Err(NmpError::NoneToSend),
        Err(error) => Err(error.into()),
    }
}

/// What the caller asked for.
struct OneToMany {
    place: Place,
    format: ManyFormat,
    wallet: Option<KioskVisitor>,
}

enum Place {
    Campaign(String),
    Tags(Selector),
}

impl OneToMany {
    fn parse(query: Option<&str>, app: &App) -> Result<Self, NmpError> {
        let parameters = Parameters::parse(query);
        let place = match parameters.optional("campaignId")? {
            Some(campaign) => Place::Campaign(campaign.to_owned()),
            None => Place::Tags(parameters.labels(app.tag_rule)?),
        };
        parameters.required("format")?;
        let format = parameters.read("format", ManyFormat::parse)?;
        let format = format.ok_or_else(|| NmpError::MissingParameter("format".into()))?;
        let now = app.clock.now();
        let token = parameters.read("arianeeAccessToken", |token| AccessToken::verify(token, now))?;
        let wallet = token.map(|token| KioskVisitor::Wallet(token.wallet));
        Ok(Self { place, format, wallet })
    }

    /// The kiosk that may be meant. One tag names it; several are a wish for the pool itself.
    fn door(&self) -> Option<Door> {
        match &self.place {
            Place::Campaign(campaign) => KioskName::parse(campaign).ok().map(Door::Name),
            Place::Tags(selector) => match selector.tags() {
                [tag] => Some(Door::Tag(tag.clone())),
                _ => None,
            },
        }
    }

    /// For a caller who may hand out anything: as at a kiosk, with an end.
    async fn reserve(self, app: &App, caller: Caller, headers: &HeaderMap) -> Result<Response, NmpError> {
        let Place::Tags(selector) = &self.place else { return Err(NmpError::NoneToSend) };
        let now = app.clock.now();
        let by = Actor::User(caller.name);
        let hold = WholeSeconds::new(Kiosk::HOLD_SECONDS).expect("15 minutes are a span");
        let keep = idempotency_key(headers)?.map(|key| {
            let record = key.digest(&by.to_string(), PATH);
            let repeat = Repeat { record, parameters: parameters(self.format, selector) };
            Kept::new(ReservationId::new(now, random(&*app.entropy)), Some(repeat))
        });
        let wish = Reserve {
            selector: selector.clone(),
            count: 1,
            shortage: Shortage::Refuse,
            by,
            now,
            until: Some(now.plus(hold)),
            keep,
            seed: HandOutSeed::new(random(&*app.entropy)),
            with_content: self.format.with_content(),
        };
        match app.store.reserve(wish).await {
            Ok(reservation) => self.answer(app, reservation.only(), reservation.replayed),
            Err(StoreError::Refusal(Refusal::PoolShort { .. })) => Err(NmpError::NoneToSend),
            Err(error) => Err(error.into()),
        }
    }

    fn answer(&self, app: &App, handed: &HandedOut, replayed: bool) -> Result<Response, NmpError> {
        let handout = Handout::new(handed, &app.secret, &app.links);
        let handout = handout.map_err(|error| StoreError::from(Fault::Damaged(error.to_string())))?;
        Ok(self.format.answer(handout, replayed))
    }
}

/// Everything that makes another call of it.
fn parameters(format: ManyFormat, selector: &Selector) -> ParameterDigest {
    let fixed = [format.as_str(), selector.rule().as_str()];
    ParameterDigest::of(fixed.into_iter().chain(selector.tags().iter().map(Tag::as_str)))
}
