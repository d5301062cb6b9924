//! What somebody with a link meets: the passport's page, its data, and the way to claim it.
//!
//! `GET /{id},{passphrase}[,{network}]`, also behind `/request` and `/proof`. Opening a link is a scan. Every link that
//! opens nothing is answered alike, whatever is wrong with it.

pub(super) mod cookie;
mod face;
mod kiosk;
mod language;
mod origin;
mod page;
pub(super) mod ticket;
pub(super) mod visitor;
mod words;

use axum::{
    Extension, Form, Router,
    extract::{
        Path, State,
        rejection::{FormRejection, PathRejection},
    },
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use passpool_core::{Link, Proof, Refusal, Shown, State as PassportState, WalletAddress};
use passpool_store::{Claim, Fault, Opened, Opening, StoreError};
use serde::{Deserialize, Serialize};

use self::{
    face::Face,
    language::Preferred,
    page::{Asset, HoldEnd, NoticePage, PassportPage, View},
    words::Words,
};
use super::{cors, failed::Failed, problem::Problem, trouble::Trouble};
use crate::app::App;

pub(super) fn routes() -> Router<App> {
    let link = || get(open).post(claim).options(cors::preflight);
    Router::new()
        .route("/{link}", link())
        .route("/request/{link}", link())
        .route("/proof/{link}", link())
        .route("/robots.txt", get(robots))
        .route("/icon.svg", get(icon))
        .merge(kiosk::routes())
}

/// No link belongs in a search engine.
async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}

/// What a browser shows beside the page's title. Named in the page, so that it looks for no other.
async fn icon() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")];
    (headers, Asset::ICON.text)
}

async fn open(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let wants_data = wants_data(&headers);
    let Some(link) = link(path) else { return no_link(wants_data, &headers) };
    let opened = match look(&app, &link, &method, &headers).await {
        Err(StoreError::Refusal(_)) => return dead(wants_data, &headers),
        Err(error) => return failed(error, wants_data, &headers),
        Ok(opened) => opened,
    };
    if wants_data { data(&opened) } else { show(&app, &link, opened, &headers, None) }
}

/// The passport by its link; or, when that is used up, for the browser that claimed it.
async fn look(app: &App, link: &Link, method: &Method, headers: &HeaderMap) -> Result<Opened, StoreError> {
    let now = app.clock.now();
    let visitor = visitor::visitor(method, headers);
    let look = |shown| {
        let proof = Proof::new(shown, app.secret.clone());
        app.store.open(Opening { passport: link.passport, proof, visitor, now })
    };
    let opened = look(Shown::Passphrase(link.passphrase.clone())).await;
    let owner = || {
        cookie::read(headers, &cookie::owner_name(link))
            .and_then(|ticket| ticket::owner(&app.secret, link, ticket, now))
    };
    match opened {
        Err(StoreError::Refusal(_)) if let Some(owner) = owner() => look(Shown::Owner(owner)).await,
        opened => opened,
    }
}

/// What the claim form sends.
#[derive(Deserialize)]
struct ClaimForm {
    #[serde(default)]
    form: String,
    #[serde(default)]
    owner: String,
}

/// The claim of a visitor who pressed the button.
async fn claim(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    form: Result<Form<ClaimForm>, FormRejection>,
) -> Response {
    let Some(link) = link(path) else { return no_link(false, &headers) };
    let Some(Form(form)) = form.ok().filter(|_| origin::is_ours(&headers)) else { return forbidden(&headers) };
    let words = Words::of(&Preferred::of(&headers));
    let now = app.clock.now();
    if !ticket::is_claim_form(&app.secret, &link, &form.form, now) {
        return again(&app, &link, &headers, StatusCode::BAD_REQUEST, words.stale, form.owner).await;
    }
    let Ok(owner) = WalletAddress::parse(form.owner.trim()) else {
        return again(&app, &link, &headers, StatusCode::UNPROCESSABLE_ENTITY, words.bad_address, form.owner).await;
    };
    let proof = Proof::new(Shown::Passphrase(link.passphrase.clone()), app.secret.clone());
    match app.store.claim(Claim { passport: link.passport, proof, owner, now }).await {
        Ok(()) => claimed(&app, &link, owner),
        Err(StoreError::Refusal(Refusal::WalletServed)) => {
            again(&app, &link, &headers, StatusCode::CONFLICT, words.served, form.owner).await
        }
        Err(StoreError::Refusal(_)) => dead(false, &headers),
        Err(error) => failed(error, false, &headers),
    }
}

/// Back to the same address, which this browser is shown as its own from now on.
fn claimed(app: &App, link: &Link, owner: WalletAddress) -> Response {
    let ticket = ticket::ownership(&app.secret, link, owner, app.clock.now());
    let cookie = cookie::set(&cookie::owner_name(link), &ticket, ticket::OWNERSHIP_FOR, app.is_https());
    let mut answer = Redirect::to(&link.path()).into_response();
    answer.headers_mut().insert(header::SET_COOKIE, cookie);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

/// The passport's page once more, with a word about what was wrong.
async fn again(
    app: &App,
    link: &Link,
    headers: &HeaderMap,
    status: StatusCode,
    trouble: &'static str,
    typed: String,
) -> Response {
    match look(app, link, &Method::POST, headers).await {
        Ok(opened) => show(app, link, opened, headers, Some((status, trouble, typed))),
        Err(StoreError::Refusal(_)) => dead(false, headers),
        Err(error) => failed(error, false, headers),
    }
}

fn show(
    app: &App,
    link: &Link,
    opened: Opened,
    headers: &HeaderMap,
    trouble: Option<(StatusCode, &'static str, String)>,
) -> Response {
    let (preferred, now) = (Preferred::of(headers), app.clock.now());
    let words = Words::of(&preferred);
    let (status, trouble, typed) = match trouble {
        None => (StatusCode::OK, None, String::new()),
        Some((status, trouble, typed)) => (status, Some(trouble), typed),
    };
    let view = match opened.state {
        PassportState::Claimed { owner, .. } => View::Yours { owner },
        state => View::Claimable {
            form: ticket::claim_form(&app.secret, link, now),
            until: state.hand_out().and_then(|hand_out| hand_out.until).and_then(|until| HoldEnd::of(until, now)),
            trouble,
            typed,
        },
    };
    let face = Face::of(&opened.content, &preferred, words);
    page::answer(status, &PassportPage { words, passport: opened.passport, face, view })
}

/// A passport as data.
#[derive(Serialize)]
struct PassportData<'a> {
    passport_id: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    content: &'a serde_json::value::RawValue,
}

fn data(opened: &Opened) -> Response {
    let content = serde_json::from_str(opened.content.as_str()).expect("a content is JSON");
    let owner = match opened.state {
        PassportState::Claimed { owner, .. } => Some(owner.to_string()),
        _ => None,
    };
    let body = PassportData { passport_id: opened.passport.get(), state: opened.state.name().as_str(), owner, content };
    let body = serde_json::to_string(&body).expect("a passport is JSON");
    let headers = [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::VARY, "accept, cookie"),
    ];
    (headers, body).into_response()
}

/// What could have been a link, and counts as a guess.
fn dead(wants_data: bool, headers: &HeaderMap) -> Response {
    (Extension(Failed(1)), no_link(wants_data, headers)).into_response()
}

/// The same answer to what no link could be, such as the pictures that browsers ask every host for: nobody guesses like
/// that, and the visitors of one venue would use up what their address may do wrong.
fn no_link(wants_data: bool, headers: &HeaderMap) -> Response {
    if wants_data {
        return Problem::NoLink.into_response();
    }
    page::answer(StatusCode::NOT_FOUND, &NoticePage::dead(Words::of(&Preferred::of(headers))))
}

fn forbidden(headers: &HeaderMap) -> Response {
    let words = Words::of(&Preferred::of(headers));
    page::answer(
        StatusCode::FORBIDDEN,
        &NoticePage { words, title: words.passport, text: words.stale, moment: None, again: true },
    )
}

fn failed(error: StoreError, wants_data: bool, headers: &HeaderMap) -> Response {
    if wants_data {
        return Problem::from(error).into_response();
    }
    let passes = matches!(&error, StoreError::Fault(fault) if Fault::passes(fault));
    let status = if passes { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
    let words = Words::of(&Preferred::of(headers));
    let page = NoticePage { words, title: words.passport, text: words.busy, moment: None, again: true };
    let mut answer = page::answer(status, &page);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    Trouble::new("a page could not be shown", error).on(answer)
}

/// To somebody whose address has asked for too much.
pub(super) fn crowded(headers: &HeaderMap, seconds: u64) -> Response {
    let words = Words::of(&Preferred::of(headers));
    let page = NoticePage { words, title: words.passport, text: words.crowded, moment: None, again: true };
    let mut answer = page::answer(StatusCode::TOO_MANY_REQUESTS, &page);
    answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    answer
}

/// True if a person's browser asks.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    accepted(headers).contains("text/html")
}

/// True if JSON is asked for and no page.
fn wants_data(headers: &HeaderMap) -> bool {
    accepted(headers).contains("application/json") && !wants_page(headers)
}

fn accepted(headers: &HeaderMap) -> &str {
    headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default()
}

/// The link that the path spells. A comma may come escaped: some mail programs do that.
fn link(path: Result<Path<String>, PathRejection>) -> Option<Link> {
    let Path(segment) = path.ok()?;
    Link::parse_path(&format!("/{segment}")).ok()
}
