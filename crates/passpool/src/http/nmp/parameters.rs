//! Query parameters as the NMP's clients write them.

use std::borrow::Cow;

use passpool_core::{Rule, Selector, SelectorError};

use super::error::NmpError;

/// The decoded query, in its order. Names that nobody asks for are passed over.
pub(super) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    pub(super) fn parse(query: Option<&'a str>) -> Self {
        let query = query.unwrap_or_default();
        if query.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
            return Self(form_urlencoded::parse(query.as_bytes()).collect());
        }
        // Mostly nothing is escaped, and then a name or a value is what stands there.
        let fields = query.split('&').filter(|field| !field.is_empty());
        let pairs = fields.map(|field| field.split_once('=').unwrap_or((field, "")));
        Self(pairs.map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a parameter that may be given once, if it is. An empty value is none.
    pub(super) fn optional(&self, name: &str) -> Result<Option<&str>, NmpError> {
        let mut values = self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| &**value);
        let value = values.next().filter(|value| !value.is_empty());
        match values.next() {
            None => Ok(value),
            Some(_) => Err(NmpError::InvalidParameter(name.into(), "it is given more than once".into())),
        }
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, NmpError> {
        self.optional(name)?.ok_or_else(|| NmpError::MissingParameter(name.into()))
    }

    /// An optional parameter that has to be read as something.
    pub(super) fn read<T, E: ToString>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, NmpError> {
        let read = self.optional(name)?.map(read).transpose();
        read.map_err(|wrong| NmpError::InvalidParameter(name.into(), wrong.to_string()))
    }

    /// Tags in every spelling that such clients have: `tags=a,b`, `tags=a&tags=b`, `tags[]=a`, `tags[0]=a`; and the
    /// rule that joins them.
    pub(super) fn selector(&self, default: Rule) -> Result<Selector, NmpError> {
        self.selector_of("tags", is_tags, default)
    }

    /// The same where the contract calls them `label` or `tag`.
    pub(super) fn labels(&self, default: Rule) -> Result<Selector, NmpError> {
        self.selector_of("label", |name| matches!(name, "label" | "tag") || is_tags(name), default)
    }

    fn selector_of(&self, usual: &str, is_tags: impl Fn(&str) -> bool, default: Rule) -> Result<Selector, NmpError> {
        let rule = self.read("tagRule", Rule::parse)?.unwrap_or(default);
        let given = || self.0.iter().filter(|(name, _)| is_tags(name));
        let spelling = given().next().map_or(usual, |(name, _)| name);
        Selector::parse(given().map(|(_, value)| &**value), rule).map_err(|error| match error {
            SelectorError::Empty => NmpError::MissingParameter(spelling.into()),
            wrong => NmpError::InvalidParameter(spelling.into(), wrong.to_string()),
        })
    }
}

fn is_tags(name: &str) -> bool {
    let index =
        name.strip_prefix("tags").and_then(|rest| rest.strip_prefix('[')).and_then(|rest| rest.strip_suffix(']'));
    name == "tags" || index.is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_tags_is_one_thing() {
        let check = |query: &str, expected: &[&str]| {
            let selector = Parameters::parse(Some(query)).selector(Rule::And).unwrap();
            assert_eq!(selector.tags().iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{query}");
        };
        check("tags=a", &["a"]);
        check("tags=a,b", &["a", "b"]);
        check("tags=a&tags=b", &["a", "b"]);
        check("tags[]=a&tags[]=b", &["a", "b"]);
        check("tags%5B%5D=a&tags%5b0%5d=b", &["a", "b"]);
        check("tags[0]=a&tags[1]=b&tags=c,a", &["a", "b", "c"]);
        check("tags=%20a%20,+b,,&tags=", &["a", "b"]);
        check("tags=%C3%A9t%C3%A9&tagsx=b&tags[x]=c", &["été"]);
    }

    #[test]
    fn a_query_without_escapes_is_read_as_one_with_them() {
        for query in
            ["", "&", "=", "a", "a=", "=a", "a=b", "a=b=c", "a==b", "&&a=b&&c=d&", "a;b=c", "tags[]=a,b&tags[0]=é"]
        {
            let expected: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            assert_eq!(Parameters::parse(Some(query)).0, expected, "{query}");
        }
    }

    #[test]
    fn a_refused_parameter_is_named_as_it_is_spelt() {
        let check = |query: &str, expected: &str| {
            let error = Parameters::parse(Some(query)).selector(Rule::And).unwrap_err();
            assert!(format!("{error:?}").contains(expected), "{query}: {error:?}");
        };
        check("", "MissingParameter(\"tags\")");
        check("tags=", "MissingParameter(\"tags\")");
        check("tags[]=,", "MissingParameter(\"tags[]\")");
        check("tags[0]=a%07", "InvalidParameter(\"tags[0]\"");
        check("tags=a&tagRule=xor", "InvalidParameter(\"tagRule\"");
        check("tags=a&tagRule=or&tagRule=or", "InvalidParameter(\"tagRule\"");
    }
}
