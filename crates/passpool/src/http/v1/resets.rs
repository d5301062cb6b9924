//! `/v1/resets`: passports given back to the pool, with a look before and a way back.

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use passpool_core::{PassportId, PreviewId, ReservationId, ResetId, WholeSeconds};
use passpool_store::{
    HeldState, KeptReset, Matching, Preview, PreviewPage, ResetOf, ResetScope, Resettable, UndoReset,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    at::At,
    body::Json,
    caller::{CertCreate, May},
    page,
    query::Query,
    reply,
    reservations::{Touched, selector},
    whole,
    words::{RuleWord, StateWord, TagWord, rfc_3339},
};
use crate::{
    app::App,
    clock::random,
    http::problem::{Flaw, Problem},
};

/// How many passports a call may name one by one: they are reset in one transaction.
const IDS_AT_MOST: usize = 10_000;

/// What is to be reset: by conditions, all of which have to hold; by name; or what was previewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewReset {
    #[schema(value_type = Option<Vec<TagWord>>, min_items = 1, max_items = 32)]
    tags: Option<Vec<String>>,
    tag_rule: Option<RuleWord>,
    /// `reserved` or `scanned` alone.
    state: Option<HeldWord>,
    /// Only those that were handed out more than so many seconds ago.
    #[schema(minimum = 1, maximum = 315_360_000)]
    #[serde(default, deserialize_with = "whole::some")]
    older_than: Option<u32>,
    /// Only those that this reservation has.
    #[schema(pattern = "^rv_[0-9a-f]{32}$")]
    reservation: Option<String>,
    /// These, all of them or none. A recovered one can be reset by its name alone.
    #[schema(min_items = 1, max_items = 10_000)]
    #[serde(default, deserialize_with = "whole::list")]
    ids: Option<Vec<u64>>,
    /// At most so many, the oldest first.
    #[schema(minimum = 1)]
    #[serde(default, deserialize_with = "whole::some")]
    limit: Option<u64>,
    /// Changes nothing, and tells which would be reset.
    #[serde(default)]
    dry_run: bool,
    /// What a dry run told, as far as nothing happened to it since. It stands alone.
    #[schema(pattern = "^rp_[0-9a-f]{32}$")]
    preview: Option<String>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HeldState)]
pub(super) enum HeldWord {
    Reserved,
    Scanned,
}

/// What was reset, or what would be.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ResetAnswer {
    Done(ResetDone),
    Preview(PreviewShown),
}

#[derive(Serialize, ToSchema)]
pub(super) struct ResetDone {
    /// By which it can be undone for 24 hours.
    #[schema(pattern = "^rs_[0-9a-f]{32}$")]
    id: String,
    count: u64,
    /// How many were previewed and are left alone, because something happened to them since.
    changed_since: u64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct PreviewShown {
    /// By which these can be reset for 15 minutes.
    #[schema(pattern = "^rp_[0-9a-f]{32}$")]
    preview: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    passports: Vec<PreviewedPassport>,
    /// The next page's cursor, if there is a next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewedPassport {
    passport_id: u64,
    #[schema(value_type = StateWord)]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    handed_out_at: Option<String>,
}

/// Gives reserved and scanned passports back to the pool. Their links are dead from then on.
///
/// With `dry_run` it changes nothing, and answers a preview with its first page.
#[utoipa::path(post, path = "/v1/resets", operation_id = "reset", tag = "resets", request_body = NewReset,
    responses((status = 200, body = ResetAnswer, headers(("Link" = Option<String>, description = "The preview's next page")))))]
pub(super) async fn reset(
    State(app): State<App>,
    by: May<CertCreate>,
    Json(body): Json<NewReset>,
) -> Result<Response, Problem> {
    let (now, is_dry) = (app.clock.now(), body.dry_run);
    let of = body.read(&app)?;
    match of {
        ResetOf::Scope(scope) if is_dry => {
            let id = PreviewId::new(now, random(&*app.entropy));
            let limit = page::limit(None)?;
            let found = app.store.keep_preview(Preview { id, scope, now }, limit).await?;
            Ok(page_of(id, &found.first, limit, Some(found.count)))
        }
        of => {
            let id = ResetId::new(now, random(&*app.entropy));
            let done = app.store.keep_reset(KeptReset { id, of, by: by.actor(), now }).await?;
            let (count, changed_since) = (done.count, done.changed_since);
            let answer = ResetAnswer::Done(ResetDone { id: id.to_string(), count, changed_since });
            Ok(reply::json(StatusCode::OK, &answer))
        }
    }
}

/// Which page of a preview is shown.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewQuery {
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    cursor: Option<String>,
}

/// What was previewed, as it is now.
#[utoipa::path(get, path = "/v1/resets/previews/{id}", operation_id = "getResetPreview", tag = "resets",
    params(("id" = String, Path, pattern = "^rp_[0-9a-f]{32}$"), PreviewQuery),
    responses((status = 200, body = PreviewShown, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn preview(
    State(app): State<App>,
    _: May<CertCreate>,
    At(id): At<PreviewId>,
    Query(query): Query<PreviewQuery>,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after = page::cursor("preview", query.cursor.as_deref(), |text| PassportId::parse(text).ok())?;
    let found = app.store.preview(id, PreviewPage { after, limit }, app.clock.now()).await?;
    Ok(page_of(id, &found, limit, None))
}

fn page_of(id: PreviewId, found: &[Resettable], limit: usize, count: Option<u64>) -> Response {
    let next = found.last().filter(|_| found.len() == limit).map(|last| page::opaque("preview", &last.passport));
    let passports = found.iter().map(PreviewedPassport::of).collect();
    let uri = Uri::try_from(format!("/v1/resets/previews/{id}?limit={limit}")).expect("an id is a path");
    let shown = PreviewShown { preview: id.to_string(), count, passports, next: next.clone() };
    let shown = ResetAnswer::Preview(shown);
    page::with_next(reply::json(StatusCode::OK, &shown), &uri, next.as_deref())
}

/// Gives each passport that nothing has happened to since the reset its state, link, reservation and hold again.
#[utoipa::path(post, path = "/v1/resets/{id}/undo", operation_id = "undoReset", tag = "resets",
    params(("id" = String, Path, pattern = "^rs_[0-9a-f]{32}$")),
    responses((status = 200, body = Touched)))]
pub(super) async fn undo(
    State(app): State<App>,
    by: May<CertCreate>,
    At(id): At<ResetId>,
) -> Result<Response, Problem> {
    let done = app.store.undo_reset(UndoReset { id, by: by.actor(), now: app.clock.now() }).await?;
    Ok(reply::json(StatusCode::OK, &Touched { count: done.count, others: done.others }))
}

impl NewReset {
    fn read(self, app: &App) -> Result<ResetOf, Problem> {
        let matches =
            self.tags.is_some() || self.state.is_some() || self.older_than.is_some() || self.reservation.is_some();
        let stands_alone = |pointer: &str| Problem::field(pointer, "it stands alone, without other conditions");
        match (&self.preview, &self.ids) {
            (Some(_), Some(_)) => Err(stands_alone("/preview")),
            (Some(_), None) if matches || self.limit.is_some() || self.dry_run => Err(stands_alone("/preview")),
            (Some(id), None) => {
                PreviewId::parse(id).map(ResetOf::Preview).map_err(|wrong| Problem::field("/preview", wrong))
            }
            (None, Some(_)) if matches || self.limit.is_some() => Err(stands_alone("/ids")),
            (None, Some(ids)) => named(ids).map(ResetOf::Scope),
            (None, None) if !matches => {
                Err(Problem::field("", "one of tags, state, older_than, reservation, ids and preview has to be there"))
            }
            (None, None) => self.matching(app).map(ResetScope::Matching).map(ResetOf::Scope),
        }
    }

    fn matching(self, app: &App) -> Result<Matching, Problem> {
        let mut flaws = Vec::new();
        let selector =
            self.tags.as_deref().and_then(|tags| selector(tags, self.tag_rule.unwrap_or_default(), &mut flaws));
        let mut wrong = |pointer: &str, wrong: String| flaws.push(Flaw::body(pointer, wrong));
        let older_than = self.older_than.map(|span| WholeSeconds::new(span.into())).transpose();
        let older_than = older_than.map_err(|error| wrong("/older_than", error.to_string())).unwrap_or_default();
        let reservation = self.reservation.map(|id| ReservationId::parse(&id)).transpose();
        let reservation = reservation.map_err(|error| wrong("/reservation", error.to_string())).unwrap_or_default();
        if self.limit == Some(0) {
            wrong("/limit", "it must be 1 at least".into());
        }
        if !flaws.is_empty() {
            return Err(Problem::Invalid(flaws));
        }
        Ok(Matching {
            selector,
            state: self.state.map(|state| match state {
                HeldWord::Reserved => HeldState::Reserved,
                HeldWord::Scanned => HeldState::Scanned,
            }),
            handed_out_before: older_than.map(|span| app.clock.now().minus(span)),
            reservation,
            limit: self.limit,
        })
    }
}

fn named(ids: &[u64]) -> Result<ResetScope, Problem> {
    if ids.is_empty() || ids.len() > IDS_AT_MOST {
        return Err(Problem::field("/ids", format!("there are {} ids; 1 to {IDS_AT_MOST} are allowed", ids.len())));
    }
    let read = |(place, id): (usize, &u64)| {
        PassportId::new(*id).map_err(|wrong| Problem::field(format!("/ids/{place}"), wrong))
    };
    ids.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>().map(ResetScope::Named)
}

impl PreviewedPassport {
    pub(crate) fn of(found: &Resettable) -> Self {
        Self {
            passport_id: found.passport.get(),
            state: found.state.as_str(),
            handed_out_at: found.handed_out_at.map(rfc_3339),
        }
    }
}
