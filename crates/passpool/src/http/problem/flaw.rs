//! Flaws: what is wrong with a request, and where.

use std::{borrow::Cow, fmt::Write as _};

use serde::Serialize;
use utoipa::ToSchema;

/// How much of what a caller wrote is repeated.
const REPEATED_AT_MOST: usize = 200;

/// One thing that is wrong with a request. Exactly one of the three places is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::http) struct Flaw {
    pub detail: String,
    /// In the body: a JSON pointer, as a URI's fragment has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "#/recipients/3/email")]
    pub pointer: Option<String>,
    /// In the path or in the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parameter: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub header: Option<&'static str>,
}

impl Flaw {
    /// In the body. The pointer begins with a slash, or is empty for the whole body.
    pub(in crate::http) fn body(pointer: impl AsRef<str>, detail: impl ToString) -> Self {
        let pointer = Some(format!("#{}", in_fragment(pointer.as_ref())));
        Self { pointer, detail: shortened(&detail.to_string()), ..Self::default() }
    }

    pub(in crate::http) fn parameter(name: impl Into<Cow<'static, str>>, detail: impl ToString) -> Self {
        Self { parameter: Some(name.into()), detail: shortened(&detail.to_string()), ..Self::default() }
    }

    pub(in crate::http) fn header(name: &'static str, detail: impl ToString) -> Self {
        Self { header: Some(name), detail: shortened(&detail.to_string()), ..Self::default() }
    }

    /// The flaw in one line.
    pub(super) fn told(&self) -> String {
        let place = self.pointer.as_deref().or(self.parameter.as_deref()).or(self.header).unwrap_or_default();
        format!("{place}: {}", self.detail)
    }
}

/// A name as one token of a JSON pointer.
pub(in crate::http) fn token(name: &str) -> String {
    shortened(name).replace('~', "~0").replace('/', "~1")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(REPEATED_AT_MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn in_fragment(pointer: &str) -> String {
    let mut fragment = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte) {
            fragment.push(char::from(byte));
        } else {
            write!(fragment, "%{byte:02X}").expect("a text takes what is written");
        }
    }
    fragment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_written_as_rfc_6901_has_it_in_a_fragment() {
        let check = |names: &[&str], expected: &str| {
            let pointer: String = names.iter().map(|name| format!("/{}", token(name))).collect();
            assert_eq!(Flaw::body(pointer, "x").pointer.as_deref(), Some(expected));
        };
        check(&[], "#");
        check(&["count"], "#/count");
        check(&["recipients", "3", "email"], "#/recipients/3/email");
        check(&["a/b", "m~n"], "#/a~1b/m~0n");
        check(&["é \""], "#/%C3%A9%20%22");
    }

    #[test]
    fn long_texts_are_not_repeated_whole() {
        assert_eq!(Flaw::parameter("limit", "é".repeat(1_000)).detail.chars().count(), 201);
        assert!(token(&"x".repeat(1_000)).len() < 210);
    }
}
