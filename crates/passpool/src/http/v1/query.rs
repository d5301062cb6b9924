//! Queries: every parameter is known, and given once.

use std::collections::HashSet;

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;

use crate::{
    app::App,
    http::problem::{Flaw, Problem},
};

/// The parameters of a query, which names the one that is wrong.
pub(super) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut names = HashSet::new();
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if let Some(name) = names.replace(name) {
            return Err(Problem::Invalid(vec![Flaw::parameter(name.into_owned(), "it is given more than once")]));
        }
    }
    let given = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(given).map_err(|error| {
        let name = error.path().to_string();
        Problem::Invalid(vec![Flaw::parameter(name, error.into_inner())])
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        limit: Option<u32>,
        tags: Option<String>,
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let check = |query: &str, name: &str| match parse::<Wanted>(query) {
            Err(Problem::Invalid(flaws)) => assert_eq!(flaws[0].parameter.as_deref(), Some(name), "{query}: {flaws:?}"),
            other => panic!("{query}: {other:?}"),
        };
        check("limit=x", "limit");
        check("limit=-1", "limit");
        check("limit=", "limit");
        check("tags=a&colour=red", "colour");
        check("tags=a&tags=b", "tags");
        let wanted = parse::<Wanted>("limit=7&tags=a%2Cb+c").unwrap();
        assert_eq!((wanted.limit, wanted.tags.as_deref()), (Some(7), Some("a,b c")));
    }
}
