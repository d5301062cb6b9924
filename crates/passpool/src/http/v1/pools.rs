//! `/v1/pools`: how many passports are in which state, tag by tag.

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use passpool_core::Tag;
use passpool_store::{PoolPage, StateCounts, TagFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    at::At,
    caller::{CertRead, May},
    page,
    query::Query,
    reply,
    reservations::Counts,
};
use crate::{app::App, http::problem::Problem};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PoolsQuery {
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct PoolList {
    pools: Vec<Pool>,
    /// The next page's cursor, if there is a next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The passports that have a tag, by state.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pool {
    tag: String,
    #[serde(flatten)]
    counts: Counts,
}

impl Pool {
    pub(crate) fn of((tag, counts): &(Tag, StateCounts)) -> Self {
        Self { tag: tag.to_string(), counts: Counts::of(counts) }
    }
}

/// Every tag that a passport has, by name.
#[utoipa::path(get, path = "/v1/pools", operation_id = "listPools", tag = "pools", params(PoolsQuery),
    responses((status = 200, body = PoolList, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn list(
    State(app): State<App>,
    _: May<CertRead>,
    Query(query): Query<PoolsQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after = page::cursor("pools", query.cursor.as_deref(), |text| Tag::parse(text).ok())?;
    let found = app.store.pools(PoolPage { after, limit, now: app.clock.now() }).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|(tag, _)| page::opaque("pools", tag));
    let answer = PoolList { pools: found.iter().map(Pool::of).collect(), next: next.clone() };
    Ok(page::with_next(reply::json(StatusCode::OK, &answer), &uri, next.as_deref()))
}

/// One tag. One that no passport has is counted with zeros.
#[utoipa::path(get, path = "/v1/pools/{tag}", operation_id = "getPool", tag = "pools",
    params(("tag" = String, Path, min_length = 1, max_length = 128)),
    responses((status = 200, body = Pool)))]
pub(super) async fn show(State(app): State<App>, _: May<CertRead>, At(tag): At<Tag>) -> Result<Response, Problem> {
    let counts = app.store.counts(TagFilter::Named(vec![tag.clone()]), app.clock.now()).await?;
    let found = counts.tags.first().expect("a tag that is named is counted");
    Ok(reply::json(StatusCode::OK, &Pool::of(found)))
}
