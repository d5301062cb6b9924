//! `/v1/passports/import` and `/v1/imports/{id}`: passports that come from elsewhere, and a job to watch.

use std::io::Cursor;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use passpool_core::{Tag, Tags};
use passpool_store::{ImportTerms, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    at::At,
    body::{is_deep, media_type, whole},
    caller::{CertCreate, May},
    query::Query,
    reply,
};
use crate::{
    app::App,
    exchange::{self, BadLine, FileFormat, Row, Rows},
    filling::{Codes, FillError, Filling},
    http::problem::{Problem, Told},
    imports::{ImportJob, ImportJobId},
};

const BODIES: &str = "text/csv or application/x-ndjson";

/// How an import is meant.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Tags that each passport gets besides its own, with commas between them.
    #[serde(default)]
    tags: String,
    /// Passes over ids that are known already.
    #[serde(default)]
    skip_known: bool,
    /// The passphrases are printed on something: nobody else gets these passports, and whoever opens one has it.
    #[serde(default)]
    printed: bool,
}

/// Takes passports in from a file: all of them, or none if a line is bad.
///
/// The columns are `id`, `passphrase`, `tags` and `content`, each of them optional. CSV begins with their names, and its
/// tags are one cell with commas between them; NDJSON has an object a line. The answer names a job to watch.
#[utoipa::path(post, path = "/v1/passports/import", operation_id = "importPassports", tag = "passports",
    params(ImportQuery),
    request_body(content((Value = "text/csv"), (Value = "application/x-ndjson"))),
    responses((status = 202, description = "It runs", body = ImportState, headers(("Location" = String)))))]
pub(super) async fn import(
    State(app): State<App>,
    by: May<CertCreate>,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let tags = Tags::parse_list(&query.tags).map_err(|wrong| Problem::parameter("tags", wrong))?;
    let format = match media_type(request.headers()).as_deref() {
        Some("text/csv") => FileFormat::Csv,
        Some("application/x-ndjson" | "application/jsonl") => FileFormat::Ndjson,
        _ => return Err(Problem::WrongMediaType(BODIES)),
    };
    let body = whole(request, &app).await?;
    let terms = ImportTerms { by: by.actor(), now: app.clock.now(), imported: true, skip_known: query.skip_known };
    let secret = app.secret.clone();
    let codes = if query.printed { Codes::Printed(secret) } else { Codes::Imported(secret) };
    let filling = Filling { store: app.store.clone(), codes, terms, entropy: app.entropy.clone() };
    let watched = app.imports.begin(&*app.entropy);
    let job = watched.clone();
    let rows = rows(format, body, tags.iter().cloned().collect(), query.printed, job.clone());
    let rows = rows.map_err(|bad| Problem::BadLine { line: bad.line, detail: bad.to_string() })?;
    tokio::spawn(async move {
        let end = filling.fill(rows).await;
        if let Err(FillError::Store(StoreError::Fault(fault))) = &end {
            tracing::error!(%fault, "an import failed");
        }
        job.finish(end);
    });
    let location = format!("/v1/imports/{}", watched.id);
    Ok(reply::made_at(&location, reply::json(StatusCode::ACCEPTED, &ImportState::of(&watched))))
}

fn rows(
    format: FileFormat,
    body: axum::body::Bytes,
    added: Vec<Tag>,
    printed: bool,
    job: ImportJob,
) -> Result<Rows, BadLine> {
    let rows = exchange::read(format, Cursor::new(body), added)?;
    Ok(Box::new(rows.map(move |row| {
        job.count_line();
        row.and_then(|row| judge(row, printed))
    })))
}

fn judge(row: Row, printed: bool) -> Result<Row, BadLine> {
    if printed && row.passphrase.is_none() {
        return Err(BadLine::new(row.line, "it has no passphrase, and printed says that each is printed"));
    }
    if is_deep(row.content.as_str().as_bytes()) {
        return Err(BadLine::new(row.line, "the content is nested too deep"));
    }
    Ok(row)
}

/// How far an import is. Imports are remembered until the server ends; one that ran then has imported nothing.
#[utoipa::path(get, path = "/v1/imports/{id}", operation_id = "getImport", tag = "passports",
    params(("id" = String, Path, pattern = "^im_[0-9a-f]{32}$")),
    responses((status = 200, body = ImportState)))]
pub(super) async fn show(
    State(app): State<App>,
    _: May<CertCreate>,
    At(id): At<ImportJobId>,
) -> Result<Response, Problem> {
    let job = app.imports.find(id).ok_or(Problem::Unknown("import"))?;
    Ok(reply::json(StatusCode::OK, &ImportState::of(&job)))
}

/// An import.
#[derive(Serialize, ToSchema)]
pub(super) struct ImportState {
    #[schema(pattern = "^im_[0-9a-f]{32}$")]
    id: String,
    /// `running`, `done` or `failed`.
    #[schema(value_type = String)]
    state: &'static str,
    /// How many lines were read.
    read: u64,
    /// How many passports there are now that were not there before; fewer than lines only with `skip_known`.
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<u64>,
    /// Why nothing was imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Told>,
}

impl ImportState {
    fn of(job: &ImportJob) -> Self {
        let (state, imported, problem) = match job.end() {
            None => ("running", None, None),
            Some(Ok(imported)) => ("done", Some(imported), None),
            Some(Err(error)) => ("failed", None, Some(told(&error))),
        };
        Self { id: job.id.to_string(), state, read: job.read(), imported, problem }
    }
}

fn told(error: &FillError) -> Told {
    match error {
        FillError::BadLine(bad) => Problem::BadLine { line: bad.line, detail: bad.to_string() }.told(),
        FillError::Refused { lines, refusal } => {
            Problem::from(refusal.clone()).told().about_lines(lines, error.to_string())
        }
        FillError::Store(StoreError::Refusal(refusal)) => Problem::from(refusal.clone()).told(),
        FillError::Store(StoreError::Fault(fault)) => Problem::Store(fault.clone().into()).told(),
    }
}
