//! `/v1/events`: the journal, one row for each change of a passport.

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use passpool_core::{Actor, Event, PassportId};
use passpool_store::{EventFilter, EventPage, JournalRow};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{
    caller::{CertRead, May},
    page,
    query::Query,
    reply,
    words::{KindWord, parse_moment, rfc_3339},
};
use crate::{app::App, http::problem::Problem};

/// Which events are listed. Every condition that is given has to hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// What happened.
    #[param(value_type = Option<KindWord>, inline)]
    kind: Option<String>,
    #[param(minimum = 1, maximum = 9007199254740991u64)]
    passport_id: Option<u64>,
    /// Who did it: `user:NAME`, `cli`, `visitor`, `wallet:ADDRESS` or `clock`.
    #[param(pattern = "^(cli|clock|visitor|user:.+|wallet:0x.+)$")]
    actor: Option<String>,
    /// Those that are no older than this moment.
    #[param(format = DateTime)]
    since: Option<String>,
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct EventList {
    events: Vec<EventShown>,
    /// The next page's cursor, if there is a next page. A page may be short, or empty, although there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Where to go on when more has happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<String>,
}

/// A change of a passport, or somebody's look at it.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventShown {
    /// Its place in the journal. Places grow with time, and may have gaps.
    seq: i64,
    #[schema(format = DateTime)]
    at: String,
    #[schema(value_type = KindWord)]
    kind: &'static str,
    passport_id: u64,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    detail: Option<Box<RawValue>>,
}

impl EventShown {
    pub(crate) fn of(row: JournalRow) -> Self {
        Self {
            seq: row.seq,
            at: rfc_3339(row.at),
            kind: row.event.as_str(),
            passport_id: row.passport.get(),
            actor: row.by.to_string(),
            detail: row.detail.and_then(|detail| RawValue::from_string(detail).ok()),
        }
    }
}

/// The journal, the oldest first.
#[utoipa::path(get, path = "/v1/events", operation_id = "listEvents", tag = "events", params(EventsQuery),
    responses((status = 200, body = EventList, headers(("Link" = Option<String>, description = "The next page")))))]
pub(super) async fn list(
    State(app): State<App>,
    _: May<CertRead>,
    Query(query): Query<EventsQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after = page::cursor("events", query.cursor.as_deref(), |text| text.parse().ok())?;
    let event =
        query.kind.map(|kind| Event::parse(&kind).ok_or_else(|| Problem::parameter("kind", "there is no such kind")));
    let passport = query.passport_id.map(PassportId::new).transpose();
    let by = query.actor.map(|actor| actor.parse::<Actor>()).transpose();
    let since = query.since.map(|since| parse_moment(&since)).transpose();
    let filter = EventFilter {
        event: event.transpose()?,
        passport: passport.map_err(|wrong| Problem::parameter("passport_id", wrong))?,
        by: by.map_err(|wrong| Problem::parameter("actor", wrong))?,
        since: since.map_err(|wrong| Problem::parameter("since", wrong))?,
    };
    let found = app.store.events(filter, EventPage { after, limit }).await?;
    let next = found.next.map(|next| page::opaque("events", &next));
    let last = found.items.last().map(|row| page::opaque("events", &row.cursor()));
    let resume = next.clone().or(last).or(query.cursor);
    let events = found.items.into_iter().map(EventShown::of).collect();
    let answer = reply::json(StatusCode::OK, &EventList { events, next: next.clone(), resume });
    Ok(page::with_next(answer, &uri, next.as_deref()))
}
