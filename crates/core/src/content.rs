//! Content: the JSON object that a passport shows.

use std::{fmt, sync::Arc};

/// One JSON object of at most 1 MiB, kept compact and otherwise as it was written: the order of its fields and the
/// spelling of its numbers are its author's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Content(Arc<str>);

impl Content {
    /// 1 MiB, before and after white space is taken out.
    pub const MAX_BYTES: usize = 1 << 20;

    pub fn parse(json: &str) -> Result<Self, ContentError> {
        if json.len() > Self::MAX_BYTES {
            return Err(ContentError::TooLarge { bytes: json.len() });
        }
        serde_json::from_str::<serde::de::IgnoredAny>(json)
            .map_err(|error| ContentError::NotJson(error.to_string()))?;
        if !json.trim_ascii_start().starts_with('{') {
            return Err(ContentError::NotAnObject);
        }
        Ok(Self(without_blanks(json).into()))
    }

    /// Takes back what [`Content::as_str`] gave; only a store that kept such a text may call it.
    pub fn from_stored(json: String) -> Self {
        Self(json.into())
    }

    /// The content of a passport made without one: `{}`.
    pub fn empty() -> Self {
        Self("{}".into())
    }

    pub fn is_empty(&self) -> bool {
        &*self.0 == "{}"
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    #[error("the content has {bytes} bytes; at most {} are allowed", Content::MAX_BYTES)]
    TooLarge { bytes: usize },
    #[error("the content is not JSON: {0}")]
    NotJson(String),
    #[error("the content is not a JSON object")]
    NotAnObject,
}

/// Takes the white space between the tokens of valid JSON out, and leaves strings alone.
fn without_blanks(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = character == '"';
        }
        compact.push(character);
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_one_object_kept_compact_and_in_its_order() {
        let check = |input: &str, expected: &str| assert_eq!(Content::parse(input).unwrap().as_str(), expected);
        check("{}", "{}");
        check(" { } ", "{}");
        check("{ \"b\" : 1.50,\n\t\"a\" : [ 1 , 2 ] }", r#"{"b":1.50,"a":[1,2]}"#);
        check(r#"{ "a b": " \" , { \\" , "c":  "\\" }"#, r#"{"a b":" \" , { \\","c":"\\"}"#);
        check(r#"{"n":12345678901234567890123}"#, r#"{"n":12345678901234567890123}"#);
    }

    #[test]
    fn anything_else_is_refused() {
        let check = |input: &str, expected: ContentError| assert_eq!(Content::parse(input), Err(expected));
        check("[]", ContentError::NotAnObject);
        check("\"x\"", ContentError::NotAnObject);
        check(&"x".repeat((1 << 20) + 1), ContentError::TooLarge { bytes: (1 << 20) + 1 });
        for broken in ["", "{", "{}{}", "{a:1}", "{\"a\":1,}"] {
            assert!(matches!(Content::parse(broken), Err(ContentError::NotJson(_))), "{broken:?}");
        }
    }
}
