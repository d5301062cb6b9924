//! `/v1/reservations`: many passports for somebody in one call, and what becomes of them.

mod made;
mod shown;
mod wish;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use passpool_core::{Recipients, Reservation, ReservationId, Timestamp, WholeSeconds};
use passpool_store::{Extend, Fault, OfReservation, ReservationPage, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(crate) use self::shown::{
    Counts, MadeReservation, RecipientShown, ReservationShown, ReservationSummary, Reserved, Touched,
};
use self::wish::NewReservation;
pub(super) use self::wish::selector;
use super::{
    at::At,
    body::Json,
    caller::{CertCreate, CertRead, May},
    idempotency::{Once, mark_replayed},
    page,
    query::Query,
    reply, whole,
    words::parse_moment,
};
use crate::{
    app::App,
    handout::HandoutFormat,
    http::problem::{Flaw, Problem},
};

const PATH: &str = "/v1/reservations";
/// From how many links on an answer is written on a thread of its own, so that no other request waits for it.
const MANY: usize = 500;

/// Takes passports out of the pool, all of them in one transaction, and answers a link for each.
///
/// With recipients each gets one, in their order. The same `Idempotency-Key` gives the same answer again for 24 hours at
/// least: the same bytes, also after a recipient was erased, for whoever asks again names the recipients again. Only a
/// content is shown as it is by then.
#[utoipa::path(post, path = PATH, operation_id = "reserve", tag = "reservations", request_body = NewReservation,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses(
        (status = 201, description = "They are reserved", body = MadeReservation, headers(
            ("Location" = String, description = "The reservation"),
            ("Idempotency-Replayed" = Option<String>, description = "true, if this repeats an answer"))),
        (status = 409, description = "Too few passports are available, or the reservation is over", body = crate::http::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn reserve(
    State(app): State<App>,
    by: May<CertCreate>,
    once: Once,
    Json(body): Json<NewReservation>,
) -> Result<Response, Problem> {
    let format = body.format();
    let wish = body.into_wish(&app, by, once, PATH)?;
    // A repeat names the same people as the call that it repeats, so they are told from it: some of them may be erased.
    let recipients = wish.keep.as_ref().and_then(|kept| kept.recipients.as_ref()).map(|new| new.recipients.clone());
    let reservation = app.store.reserve(wish).await?;
    if reservation.handed_out.len() < MANY {
        return made(&app, &reservation, recipients.as_ref(), format);
    }
    let answer = tokio::task::spawn_blocking(move || made(&app, &reservation, recipients.as_ref(), format));
    answer.await.expect("writing links does not panic")
}

fn made(
    app: &App,
    reservation: &Reservation,
    recipients: Option<&Recipients>,
    format: HandoutFormat,
) -> Result<Response, Problem> {
    let body = made::body(app, reservation, recipients, format);
    let body = body.map_err(|error| StoreError::from(Fault::Damaged(error.to_string())))?;
    let id = reservation.id.expect("a reservation that is kept has a name");
    let answer = reply::made_at(&format!("{PATH}/{id}"), reply::written(StatusCode::CREATED, body));
    Ok(mark_replayed(answer, reservation.replayed))
}

/// Which reservations are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ReservationList {
    reservations: Vec<ReservationSummary>,
    /// The next page's cursor, if there is a next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Reservations, the newest first.
#[utoipa::path(get, path = PATH, operation_id = "listReservations", tag = "reservations", params(ListQuery),
    responses((status = 200, body = ReservationList, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn list(
    State(app): State<App>,
    by: May<CertRead>,
    Query(query): Query<ListQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let before = page::cursor("reservations", query.cursor.as_deref(), |text| ReservationId::parse(text).ok())?;
    let found = app.store.reservations(ReservationPage { before, limit }).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| page::opaque("reservations", &last.id));
    let sees_notes = by.may_create();
    let reservations = found.into_iter().map(|info| ReservationSummary::of(info, sees_notes)).collect();
    let answer = reply::json(StatusCode::OK, &ReservationList { reservations, next: next.clone() });
    Ok(page::with_next(answer, &uri, next.as_deref()))
}

/// One reservation, and where its passports are now.
#[utoipa::path(get, path = "/v1/reservations/{id}", operation_id = "getReservation", tag = "reservations",
    params(("id" = String, Path, pattern = "^rv_[0-9a-f]{32}$")),
    responses((status = 200, body = ReservationShown)))]
pub(super) async fn show(
    State(app): State<App>,
    by: May<CertRead>,
    At(id): At<ReservationId>,
) -> Result<Response, Problem> {
    let found = app.store.reservation(id, app.clock.now()).await?;
    let found = found.ok_or(Problem::Unknown("reservation"))?;
    Ok(reply::json(StatusCode::OK, &ReservationShown::of(found, by.may_create())))
}

/// Resets those of the reservation's passports that are still reserved or scanned. Their links are dead from then on.
#[utoipa::path(post, path = "/v1/reservations/{id}/cancel", operation_id = "cancelReservation", tag = "reservations",
    params(("id" = String, Path, pattern = "^rv_[0-9a-f]{32}$")),
    responses((status = 200, body = Touched)))]
pub(super) async fn cancel(
    State(app): State<App>,
    by: May<CertCreate>,
    At(id): At<ReservationId>,
) -> Result<Response, Problem> {
    let done = app.store.cancel_reservation(OfReservation { id, by: by.actor(), now: app.clock.now() }).await?;
    Ok(reply::json(StatusCode::OK, &Touched::from(done)))
}

/// Another end: exactly one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnd {
    /// So many seconds from now.
    #[schema(minimum = 1, maximum = 315_360_000)]
    #[serde(default, deserialize_with = "whole::some")]
    expires_in: Option<u32>,
    /// At this moment, which may be sooner than before and lies in the future.
    #[schema(format = DateTime)]
    until: Option<String>,
}

impl NewEnd {
    fn read(self, now: Timestamp) -> Result<Timestamp, Problem> {
        match self {
            Self { expires_in: Some(span), until: None } => {
                let span = WholeSeconds::new(span.into());
                Ok(now.plus(span.map_err(|wrong| Problem::field("/expires_in", wrong))?))
            }
            Self { expires_in: None, until: Some(until) } => {
                let until = parse_moment(&until).map_err(|wrong| Problem::field("/until", wrong))?;
                if until <= now {
                    return Err(Problem::field("/until", "the end lies in the past"));
                }
                Ok(until)
            }
            _ => Err(Problem::Invalid(vec![Flaw::body("", "expires_in or until has to be there, and not both")])),
        }
    }
}

/// Moves the end of those of the reservation's passports that are still reserved or scanned.
#[utoipa::path(post, path = "/v1/reservations/{id}/extend", operation_id = "extendReservation", tag = "reservations",
    params(("id" = String, Path, pattern = "^rv_[0-9a-f]{32}$")), request_body = NewEnd,
    responses((status = 200, body = Touched)))]
pub(super) async fn extend(
    State(app): State<App>,
    by: May<CertCreate>,
    At(id): At<ReservationId>,
    Json(body): Json<NewEnd>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let until = body.read(now)?;
    let done = app.store.extend_reservation(Extend { of: OfReservation { id, by: by.actor(), now }, until }).await?;
    Ok(reply::json(StatusCode::OK, &Touched::from(done)))
}
