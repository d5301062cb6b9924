//! `POST /v1/passports`: passports without a history.

use std::collections::HashSet;

use axum::{extract::State, http::StatusCode, response::Response};
use passpool_core::{Content, PassportId, Refusal, Tag, Tags};
use passpool_store::ImportTerms;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    body::Json,
    caller::{CertCreate, May},
    reply, whole,
    words::TagWord,
};
use crate::{
    app::App,
    clock::random,
    exchange::Row,
    filling::{Codes, FillError, Filling},
    http::problem::{Flaw, Problem},
};

/// How many one call makes: their ids are all in the answer. More are an import.
const COUNT_AT_MOST: u32 = 100_000;

/// What is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassports {
    #[schema(minimum = 1, maximum = 100_000)]
    #[serde(deserialize_with = "whole::one")]
    count: u32,
    /// The tags of each.
    #[serde(default)]
    #[schema(value_type = Vec<TagWord>, max_items = 256)]
    tags: Vec<String>,
    /// The content of each: `{}` if it is left out.
    #[schema(value_type = Option<Map<String, Value>>)]
    content: Option<Box<RawValue>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct MadePassports {
    count: usize,
    passport_ids: Vec<u64>,
}

/// Makes passports, with ids that do not tell how many there are.
#[utoipa::path(post, path = "/v1/passports", operation_id = "createPassports", tag = "passports", request_body = NewPassports,
    responses((status = 201, description = "They are available", body = MadePassports)))]
pub(super) async fn create(
    State(app): State<App>,
    by: May<CertCreate>,
    Json(body): Json<NewPassports>,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(&body)?;
    let terms = ImportTerms { by: by.actor(), now: app.clock.now(), imported: false, skip_known: false };
    let filling = Filling { store: app.store.clone(), codes: Codes::None, terms, entropy: app.entropy.clone() };
    loop {
        let ids = draw(&app, wanted.count);
        match filling.clone().fill(wanted.clone().rows(ids.clone())).await {
            Ok(_) => {
                let passport_ids: Vec<u64> = ids.into_iter().map(PassportId::get).collect();
                let made = MadePassports { count: passport_ids.len(), passport_ids };
                return Ok(reply::json(StatusCode::CREATED, &made));
            }
            // Among so many ids hardly ever one is taken; then others are drawn.
            Err(FillError::Refused { refusal: Refusal::IdUsed(_), .. }) => {}
            Err(FillError::Refused { refusal, .. }) => return Err(refusal.into()),
            Err(FillError::BadLine(bad)) => panic!("these rows were made here: {bad}"),
            Err(FillError::Store(error)) => return Err(error.into()),
        }
    }
}

#[derive(Clone)]
struct Wanted {
    count: u32,
    tags: Tags,
    content: Content,
}

impl Wanted {
    fn read(body: &NewPassports) -> Result<Self, Problem> {
        if !(1..=COUNT_AT_MOST).contains(&body.count) {
            return Err(Problem::field("/count", format!("it must be from 1 to {COUNT_AT_MOST}, not {}", body.count)));
        }
        let content = match &body.content {
            None => Content::empty(),
            Some(content) => Content::parse(content.get()).map_err(|wrong| Problem::field("/content", wrong))?,
        };
        Ok(Self { count: body.count, tags: tags("/tags", &body.tags)?, content })
    }

    fn rows(
        self,
        ids: Vec<PassportId>,
    ) -> impl Iterator<Item = Result<Row, crate::exchange::BadLine>> + Send + 'static {
        let row = move |(line, id): (u64, PassportId)| {
            Ok(Row { line, id: Some(id), passphrase: None, tags: self.tags.clone(), content: self.content.clone() })
        };
        (1..).zip(ids).map(row)
    }
}

/// The tags of one passport, from a field of a body.
pub(super) fn tags(pointer: &str, given: &[String]) -> Result<Tags, Problem> {
    let mut flaws = Vec::new();
    let mut read = Vec::with_capacity(given.len());
    for (place, tag) in given.iter().enumerate() {
        match Tag::parse(tag) {
            Ok(tag) => read.push(tag),
            Err(wrong) => flaws.push(Flaw::body(format!("{pointer}/{place}"), wrong)),
        }
    }
    if !flaws.is_empty() {
        return Err(Problem::Invalid(flaws));
    }
    Tags::new(read).map_err(|wrong| Problem::field(pointer, wrong))
}

/// Draws ids, each once.
fn draw(app: &App, count: u32) -> Vec<PassportId> {
    let neighbourhood = u16::from_be_bytes(random(&*app.entropy));
    let mut drawn = HashSet::with_capacity(count as usize);
    let mut ids = Vec::with_capacity(count as usize);
    while ids.len() < count as usize {
        let id = PassportId::from_random(neighbourhood, u32::from_be_bytes(random(&*app.entropy)));
        if drawn.insert(id) {
            ids.push(id);
        }
    }
    ids
}
