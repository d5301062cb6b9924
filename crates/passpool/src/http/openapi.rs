//! The OpenAPI documents: what the code says of each path, and what is true of all of them.

mod links;

use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value, json};
use utoipa::{ToSchema, openapi::OpenApi};

use super::{
    nmp,
    problem::{Flaw, Told},
    v1,
};
use crate::app::App;

/// Where the documents are.
pub(super) fn routes() -> Router<App> {
    let answer = |document: String| {
        let document: &'static str = document.leak();
        get(async move || -> Response {
            ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], document).into_response()
        })
    };
    Router::new().route("/openapi.json", answer(ours())).route("/openapi-nmp.json", answer(compatible()))
}

/// The document of `/v1`.
pub(crate) fn ours() -> String {
    let mut document =
        document(v1::openapi(), "Passpool", "Digital passports from a pool, each handed out exactly once.");
    for operation in operations(&mut document) {
        tell_problems(operation);
        links::tell(operation);
    }
    let mut schemas = Vec::new();
    Told::schemas(&mut schemas);
    schemas.push((Told::name().into_owned(), <Told as utoipa::PartialSchema>::schema()));
    schemas.push((Flaw::name().into_owned(), <Flaw as utoipa::PartialSchema>::schema()));
    for (name, schema) in schemas {
        document["components"]["schemas"][name] = serde_json::to_value(schema).expect("a schema is JSON");
    }
    document.to_string()
}

/// The document of the paths that are compatible with the NMP's dispenser.
pub(crate) fn compatible() -> String {
    document(nmp::openapi(), "Passpool, as an NMP dispenser", "The paths that clients of an NMP dispenser call.")
        .to_string()
}

fn document(openapi: OpenApi, title: &str, description: &str) -> Value {
    let mut document = serde_json::to_value(openapi).expect("a document is JSON");
    document["info"] = json!({
        "title": title,
        "description": description,
        "version": env!("CARGO_PKG_VERSION"),
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    document["components"]["securitySchemes"] =
        json!({ "key": { "type": "apiKey", "in": "header", "name": "x-api-key" } });
    document["security"] = json!([{ "key": [] }]);
    for operation in operations(&mut document) {
        for answer in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
            // Each has to be described, also where its schema tells everything.
            if answer.get("description").is_none_or(|description| description == "") {
                answer["description"] = json!("It was done, and this is what came of it");
            }
        }
    }
    document
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    let items = paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    items.filter_map(Value::as_object_mut)
}

/// Adds to the answers of an operation those that follow from what it takes.
fn tell_problems(operation: &mut Map<String, Value>) {
    // An empty list, or an empty requirement, says that strangers may call it.
    let is_public = operation.contains_key("security");
    let takes_body = operation.contains_key("requestBody");
    let names_thing = operation
        .get("parameters")
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|one| one["in"] == "path"));
    let mut problems = vec![("422", "Something in the request is not what it has to be"), ("default", "A problem")];
    if !is_public {
        problems.extend([("401", "A good key is needed"), ("403", "A right is missing")]);
    } else {
        problems.push(("429", "This address has asked for too much"));
    }
    if takes_body {
        problems.extend([
            ("400", "The body cannot be read"),
            ("413", "The body is too large"),
            ("415", "The body is of another type"),
        ]);
    }
    if names_thing {
        problems.push(("404", "There is no such thing"));
    }
    let problem = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    for (status, description) in problems {
        let answers = operation["responses"].as_object_mut().expect("every operation answers");
        answers.entry(status).or_insert_with(|| json!({ "description": description, "content": problem }));
    }
}

#[cfg(test)]
mod tests;
