//! `/v1/recipients`: for whom passports are, until they are erased.

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use passpool_core::{RecipientId, Reference};
use passpool_store::{RecipientInfo, RecipientPage};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    at::At,
    caller::{CertCreate, May},
    page,
    query::Query,
    reply,
    reservations::RecipientShown,
    words::rfc_3339,
};
use crate::{app::App, http::problem::Problem};

/// Which recipients are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RecipientsQuery {
    /// Only those with this reference.
    #[param(min_length = 1, max_length = 200)]
    reference: Option<String>,
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RecipientList {
    recipients: Vec<ListedRecipient>,
    /// The next page's cursor, if there is a next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ListedRecipient {
    #[schema(pattern = "^rc_[0-9a-f]{32}$")]
    id: String,
    #[serde(flatten)]
    recipient: RecipientShown,
    #[schema(pattern = "^rv_[0-9a-f]{32}$")]
    reservation_id: String,
    passport_id: u64,
    /// When the passport left the shop: it was claimed, withdrawn or given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    left_at: Option<String>,
}

impl ListedRecipient {
    pub(crate) fn of(info: &RecipientInfo) -> Self {
        Self {
            id: info.recipient.id.to_string(),
            recipient: RecipientShown::of(&info.recipient.recipient),
            reservation_id: info.reservation.to_string(),
            passport_id: info.passport.get(),
            left_at: info.left_at.map(rfc_3339),
        }
    }
}

/// Recipients in the order of their making.
#[utoipa::path(get, path = "/v1/recipients", operation_id = "listRecipients", tag = "recipients", params(RecipientsQuery),
    responses((status = 200, body = RecipientList, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn list(
    State(app): State<App>,
    _: May<CertCreate>,
    Query(query): Query<RecipientsQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let reference = query.reference.map(|reference| Reference::parse(&reference)).transpose();
    let reference = reference.map_err(|wrong| Problem::parameter("reference", wrong))?;
    let after = page::cursor("recipients", query.cursor.as_deref(), |text| RecipientId::parse(text).ok())?;
    let found = app.store.recipients(RecipientPage { reference, after, limit }).await?;
    let last = found.last().filter(|_| found.len() == limit);
    let next = last.map(|last| page::opaque("recipients", &last.recipient.id));
    let answer = RecipientList { recipients: found.iter().map(ListedRecipient::of).collect(), next: next.clone() };
    Ok(page::with_next(reply::json(StatusCode::OK, &answer), &uri, next.as_deref()))
}

/// Erases a recipient. The passport and its history stay.
#[utoipa::path(delete, path = "/v1/recipients/{id}", operation_id = "eraseRecipient", tag = "recipients",
    params(("id" = String, Path, pattern = "^rc_[0-9a-f]{32}$")),
    responses((status = 204, description = "Nobody knows any more who it was")))]
pub(super) async fn erase(
    State(app): State<App>,
    _: May<CertCreate>,
    At(id): At<RecipientId>,
) -> Result<Response, Problem> {
    app.store.erase_recipient(id).await?;
    Ok(reply::nothing())
}
