//! Links: one passport's or one reservation's at a time, and never in lists. Each that is shown is a row of the journal.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use passpool_core::{Actor, KeptRecipient, PassportId, ReservationId};
use passpool_store::{Fault, LinksOf, ShowLinks, ShownLink, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    at::At,
    caller::{CertCreate, May},
    page,
    query::Query,
    reply,
    reservations::RecipientShown,
    words::StateWord,
};
use crate::{app::App, handout::Handout, handout_table::write_table, http::problem::Problem};

/// How the links of a reservation are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LinksQuery {
    /// `json`, a page at a time; or `csv`, all of them. Without it the header `Accept` tells.
    #[param(inline)]
    format: Option<LinksFormat>,
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LinksFormat {
    Json,
    Csv,
}

#[derive(Serialize, ToSchema)]
pub(super) struct LinkList {
    links: Vec<Link>,
    /// The next page's cursor, if there is a next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A passport and its link.
#[derive(Serialize, ToSchema)]
pub(crate) struct Link {
    passport_id: u64,
    /// At this moment. If the passport was given back this is somebody else's.
    #[schema(value_type = StateWord)]
    state: &'static str,
    /// There as long as the link opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<RecipientShown>,
}

impl Link {
    /// A passport, and the hand-out behind its link as long as that opens.
    pub(crate) fn of(shown: &ShownLink, handout: Option<Handout>) -> Self {
        Self {
            passport_id: shown.passport.get(),
            state: shown.state.as_str(),
            link: handout.map(|handout| handout.link),
            recipient: shown.recipient.as_ref().map(|kept| RecipientShown::of(&kept.recipient)),
        }
    }
}

/// The links of a reservation, in the order in which they were handed out.
///
/// In CSV the links that open nothing any more are left out, and cells that a spreadsheet would run are defused.
#[utoipa::path(get, path = "/v1/reservations/{id}/links", operation_id = "getReservationLinks", tag = "reservations",
    params(("id" = String, Path, pattern = "^rv_[0-9a-f]{32}$"), LinksQuery),
    responses((status = 200, description = "The links", content((LinkList = "application/json"), (String = "text/csv")),
        headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn of_reservation(
    State(app): State<App>,
    by: May<CertCreate>,
    At(id): At<ReservationId>,
    Query(query): Query<LinksQuery>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let from = page::cursor("links", query.cursor.as_deref(), |text| text.parse().ok())?.unwrap_or(0);
    if wants_table(query.format, &headers) {
        return table(&app, id, by.actor()).await;
    }
    let (found, by_place) = (shown(&app, LinksOf::Reservation { id, from, limit }, by.actor()).await?, from);
    let next = (found.len() == limit).then(|| page::opaque("links", &(by_place as usize + limit)));
    let answer = reply::json(StatusCode::OK, &LinkList { links: links(&app, &found)?, next: next.clone() });
    Ok(page::with_next(answer, &uri, next.as_deref()))
}

/// The link of a passport that is reserved or scanned.
#[utoipa::path(get, path = "/v1/passports/{id}/links", operation_id = "getPassportLinks", tag = "passports",
    params(("id" = u64, Path, minimum = 1, maximum = 9007199254740991u64)),
    responses((status = 200, body = LinkList)))]
pub(super) async fn of_passport(
    State(app): State<App>,
    by: May<CertCreate>,
    At(id): At<PassportId>,
) -> Result<Response, Problem> {
    let found = shown(&app, LinksOf::Passport(id), by.actor()).await?;
    Ok(reply::json(StatusCode::OK, &LinkList { links: links(&app, &found)?, next: None }))
}

fn wants_table(format: Option<LinksFormat>, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    format.map_or_else(|| accepts.trim_start().starts_with("text/csv"), |format| format == LinksFormat::Csv)
}

async fn shown(app: &App, of: LinksOf, by: Actor) -> Result<Vec<ShownLink>, StoreError> {
    app.store.show_links(ShowLinks { of, with_content: false, by, now: app.clock.now() }).await
}

/// All of them: in as many calls as it takes, so that nobody waits while a large one is written down.
async fn table(app: &App, id: ReservationId, by: Actor) -> Result<Response, Problem> {
    let (mut bytes, mut from, limit) = (Vec::new(), 0, LinksOf::MAX);
    loop {
        let found = shown(app, LinksOf::Reservation { id, from, limit }, by.clone()).await?;
        let (app, is_first, count) = (app.clone(), from == 0, found.len());
        bytes = tokio::task::spawn_blocking(move || add_to_table(&app, found, is_first, bytes))
            .await
            .expect("writing a table does not panic")?;
        if count < limit {
            break;
        }
        from += u32::try_from(count).expect("a page is small");
    }
    let name = format!("attachment; filename=\"{id}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::OK, headers, bytes).into_response())
}

fn add_to_table(app: &App, found: Vec<ShownLink>, is_first: bool, mut bytes: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let mut rows: Vec<(Handout, Option<KeptRecipient>)> = Vec::with_capacity(found.len());
    for shown in found {
        if let Some(handout) = handout(app, &shown)? {
            rows.push((handout, shown.recipient));
        }
    }
    let written =
        write_table(&mut bytes, is_first, rows.iter().map(|(handout, recipient)| (handout, recipient.as_ref())));
    written.expect("memory takes what is written");
    Ok(bytes)
}

fn links(app: &App, found: &[ShownLink]) -> Result<Vec<Link>, Problem> {
    found.iter().map(|shown| Ok(Link::of(shown, handout(app, shown)?))).collect()
}

/// The hand-out behind a link, if it still opens.
fn handout(app: &App, shown: &ShownLink) -> Result<Option<Handout>, Problem> {
    let handout = Handout::of_shown(shown, &app.secret, &app.links);
    Ok(handout.map_err(|error| StoreError::from(Fault::Damaged(error.to_string())))?)
}
