//! `/v1/passports`: what is known of passports, but for their links.

mod shown;

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderValue, StatusCode, Uri, header, request::Parts},
    response::Response,
};
use passpool_core::{Content, PassportId, Reference, Rule, Selector, StateName};
use passpool_store::{EditPassport, PassportFilter, PassportPage, Version};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use self::shown::PassportList;
pub(crate) use self::shown::{PassportShown, PassportSummary};
use super::{
    at::At,
    body::Json,
    caller::{CertCreate, CertRead, May},
    create::tags,
    page,
    query::Query,
    reply,
    words::{RuleWord, StateWord, TagWord, parse_moment},
};
use crate::{app::App, http::problem::Problem};

/// Which passports are listed. Every condition that is given has to hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PassportsQuery {
    /// Tags with commas between them.
    tags: Option<String>,
    #[param(inline)]
    tag_rule: Option<RuleWord>,
    #[param(value_type = Option<StateWord>, inline)]
    state: Option<String>,
    /// Those that somebody with this reference has, or had last and owns.
    #[param(min_length = 1, max_length = 200)]
    reference: Option<String>,
    /// Those whose last change is no older than this moment, in the order of their last change.
    #[param(format = DateTime)]
    since: Option<String>,
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    cursor: Option<String>,
}

impl PassportsQuery {
    fn filter(&self) -> Result<PassportFilter, Problem> {
        let rule = self.tag_rule.map(Rule::from).unwrap_or_default();
        let selector = self.tags.as_deref().map(|tags| Selector::parse([tags], rule)).transpose();
        let state = self.state.as_deref().map(StateName::parse).transpose();
        let reference = self.reference.as_deref().map(Reference::parse).transpose();
        let changed_since = self.since.as_deref().map(parse_moment).transpose();
        Ok(PassportFilter {
            selector: selector.map_err(|wrong| Problem::parameter("tags", wrong))?,
            state: state.map_err(|wrong| Problem::parameter("state", wrong))?,
            reference: reference.map_err(|wrong| Problem::parameter("reference", wrong))?,
            changed_since: changed_since.map_err(|wrong| Problem::parameter("since", wrong))?,
        })
    }

    /// A cursor is good for the list that it came from: the one in order of creation, or the one in order of change.
    fn list(&self) -> &'static str {
        if self.since.is_some() { "changed" } else { "passports" }
    }
}

/// Passports in order of creation, or of their last change if `since` is given. What is made meanwhile comes at the end.
#[utoipa::path(get, path = "/v1/passports", operation_id = "listPassports", tag = "passports", params(PassportsQuery),
    responses((status = 200, body = PassportList, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn list(
    State(app): State<App>,
    _: May<CertRead>,
    Query(query): Query<PassportsQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    let (filter, limit) = (query.filter()?, page::limit(query.limit)?);
    let after = page::cursor(query.list(), query.cursor.as_deref(), |text| text.parse().ok())?;
    let found = app.store.passports(filter, PassportPage { after, limit, now: app.clock.now() }).await?;
    let next = found.next.map(|next| page::opaque(query.list(), &next));
    let passports = found.items.iter().map(PassportSummary::of).collect();
    let answer = reply::json(StatusCode::OK, &PassportList { passports, next: next.clone() });
    Ok(page::with_next(answer, &uri, next.as_deref()))
}

/// One passport with its whole history, the oldest first.
#[utoipa::path(get, path = "/v1/passports/{id}", operation_id = "getPassport", tag = "passports",
    params(("id" = u64, Path, minimum = 1, maximum = 9007199254740991u64)),
    responses((status = 200, body = PassportShown,
        headers(("ETag" = String, description = "What a change has to name in If-Match")))))]
pub(super) async fn show(
    State(app): State<App>,
    by: May<CertRead>,
    At(id): At<PassportId>,
) -> Result<Response, Problem> {
    let found = app.store.passport(id, app.clock.now()).await?.ok_or(Problem::Unknown("passport"))?;
    let version = found.version;
    Ok(with_tag(version, reply::json(StatusCode::OK, &PassportShown::of(found, by.may_create()))))
}

/// What a passport is to have from now on. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PassportChange {
    /// All of its tags.
    #[schema(value_type = Option<Vec<TagWord>>, max_items = 256)]
    tags: Option<Vec<String>>,
    #[schema(value_type = Option<Object>)]
    content: Option<Box<RawValue>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Changed {
    passport_id: u64,
}

/// Gives a passport other tags or another content. The counts and the pool move along.
///
/// `If-Match` names the `ETag` that the passport was last seen with, or `*` for whichever it has.
#[utoipa::path(patch, path = "/v1/passports/{id}", operation_id = "changePassport", tag = "passports",
    params(("id" = u64, Path, minimum = 1, maximum = 9007199254740991u64), ("If-Match" = String, Header)),
    request_body = PassportChange,
    responses(
        (status = 200, body = Changed, headers(("ETag" = String))),
        (status = 412, description = "Somebody has changed it since", body = crate::http::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn change(
    State(app): State<App>,
    by: May<CertCreate>,
    At(passport): At<PassportId>,
    seen: IfMatch,
    Json(body): Json<PassportChange>,
) -> Result<Response, Problem> {
    if body.tags.is_none() && body.content.is_none() {
        return Err(Problem::field("", "tags or content has to be there"));
    }
    let tags = body.tags.as_deref().map(|given| tags("/tags", given)).transpose()?;
    let content = body.content.map(|content| Content::parse(content.get())).transpose();
    let content = content.map_err(|wrong| Problem::field("/content", wrong))?;
    let if_one_of = match seen {
        IfMatch::Whichever => None,
        IfMatch::OneOf(versions) => Some(versions),
    };
    let wish = EditPassport { passport, if_one_of, tags, content, by: by.actor(), now: app.clock.now() };
    let version = app.store.edit_passport(wish).await?;
    Ok(with_tag(version, reply::json(StatusCode::OK, &Changed { passport_id: passport.get() })))
}

fn with_tag(version: Version, mut answer: Response) -> Response {
    let tag = HeaderValue::try_from(format!("\"{version}\"")).expect("a number is a header");
    answer.headers_mut().insert(header::ETAG, tag);
    answer
}

/// Which versions a caller has seen. It has to be said (RFC 9110, section 13.1.1).
pub(super) enum IfMatch {
    Whichever,
    /// What is no tag of ours is the tag of no passport, and left out.
    OneOf(Vec<Version>),
}

impl FromRequestParts<App> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let sent = parts.headers.get_all(header::IF_MATCH);
        let lines: Vec<&str> = sent.iter().map(|line| line.to_str().unwrap_or_default().trim()).collect();
        match *lines {
            [] => Err(Problem::header("If-Match", "it is missing: name the ETag that was seen, or *")),
            ["*"] => Ok(Self::Whichever),
            // A comma may stand in a tag, but in none of ours.
            _ => Ok(Self::OneOf(lines.iter().flat_map(|line| line.split(',')).filter_map(version).collect())),
        }
    }
}

fn version(tag: &str) -> Option<Version> {
    tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}
