//! `/k/{name}`: a kiosk's own page, behind the QR code of an event. A press of the button takes a passport.

use axum::{
    Extension, Form, Router,
    extract::{
        Path, State,
        rejection::{FormRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use passpool_core::{Hours, KioskName, KioskVisitor, Refusal};
use passpool_store::{Door, Given, StoreError};
use serde::Deserialize;

use super::{
    crowded, failed,
    language::Preferred,
    origin,
    page::{self, KioskPage, Moment, NoticePage},
    ticket,
    words::Words,
};
use crate::{
    address::VisitorAddress,
    app::App,
    handout::Handout,
    http::kiosk_visitor::{Browser, visit},
};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/k/{name}", get(look).post(take))
}

/// Shows the button, and changes nothing: whoever fetches this may be a robot.
async fn look(State(app): State<App>, path: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let words = Words::of(&Preferred::of(&headers));
    let Some(name) = name(path) else { return nowhere(words) };
    let kiosk = match app.store.kiosk(name.clone()).await {
        Ok(Some(kiosk)) => kiosk,
        Ok(None) => return nowhere(words),
        Err(error) => return failed(error, false, &headers),
    };
    let now = app.clock.now();
    let answer = match kiosk.hours(now) {
        Hours::NotYet { opens } => notice(StatusCode::OK, words, words.not_yet, words.not_yet_why, Moment::of(opens)),
        Hours::Over => notice(StatusCode::OK, words, words.closed, words.closed_why, None),
        Hours::Open => {
            let form = ticket::kiosk_form(&app.secret, name.as_str(), now);
            page::answer(StatusCode::OK, &KioskPage { words, form })
        }
    };
    // The browser has its number before the button is pressed, so that a second press is the same visitor's.
    Browser::of(&app, &headers).greet(answer)
}

#[derive(Deserialize)]
struct KioskForm {
    #[serde(default)]
    form: String,
}

/// Takes a passport for this browser, and leads to it.
async fn take(
    State(app): State<App>,
    Extension(address): Extension<VisitorAddress>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    form: Result<Form<KioskForm>, FormRejection>,
) -> Response {
    let words = Words::of(&Preferred::of(&headers));
    let Some(name) = name(path) else { return nowhere(words) };
    let form = form.ok().filter(|_| origin::is_ours(&headers));
    if !form.is_some_and(|Form(form)| ticket::is_kiosk_form(&app.secret, name.as_str(), &form.form, app.clock.now())) {
        return notice(StatusCode::FORBIDDEN, words, words.passport, words.stale, None);
    }
    let browser = Browser::of(&app, &headers);
    let visitor = KioskVisitor::Browser(browser.number);
    let answer = match visit(&app, Door::Name(name), visitor, address, false).await {
        Ok(Given::Held { passport, .. } | Given::Owned(passport)) => {
            match Handout::new(&passport, &app.secret, &app.links) {
                Ok(handout) => lead_to(&handout),
                Err(error) => return failed(passpool_store::Fault::Damaged(error.to_string()).into(), false, &headers),
            }
        }
        Err(StoreError::Refusal(refusal)) => refused(&refusal, words, &headers),
        Err(error) => return failed(error, false, &headers),
    };
    browser.greet(answer)
}

/// To the passport's page on this very host: the link's own may be another, which knows no cookie of ours.
fn lead_to(handout: &Handout) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")];
    (headers, Redirect::to(handout.path())).into_response()
}

fn refused(refusal: &Refusal, words: &'static Words, headers: &HeaderMap) -> Response {
    match refusal {
        Refusal::PoolShort { .. } => notice(StatusCode::CONFLICT, words, words.empty, words.empty_why, None),
        Refusal::KioskClosed => notice(StatusCode::CONFLICT, words, words.closed, words.closed_why, None),
        Refusal::KioskNotYetOpen { opens } => {
            notice(StatusCode::CONFLICT, words, words.not_yet, words.not_yet_why, Moment::of(*opens))
        }
        Refusal::TooManyHeld => crowded(headers, 60),
        _ => nowhere(words),
    }
}

fn nowhere(words: &'static Words) -> Response {
    page::answer(StatusCode::NOT_FOUND, &NoticePage::dead(words))
}

fn notice(
    status: StatusCode,
    words: &'static Words,
    title: &'static str,
    text: &'static str,
    moment: Option<Moment>,
) -> Response {
    // Where a press may do better the next time.
    let again = status == StatusCode::FORBIDDEN || title == words.empty;
    page::answer(status, &NoticePage { words, title, text, moment, again })
}

fn name(path: Result<Path<String>, PathRejection>) -> Option<KioskName> {
    let Path(name) = path.ok()?;
    KioskName::parse(&name).ok()
}
