//! Tags: case-sensitive labels that pick passports.

use std::{fmt, sync::Arc};

/// A label: 1 to 128 bytes, no comma (lists of tags are written with commas), no control character, no blank around it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    pub const MAX_BYTES: usize = 128;

    /// Trims blanks, then judges what is left.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TagError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(TagError::TooLong { bytes: text.len() });
        }
        if text.contains(',') {
            return Err(TagError::Comma(text.to_owned()));
        }
        if text.chars().any(char::is_control) {
            return Err(TagError::ControlCharacter(text.escape_debug().to_string()));
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    #[error("a tag is empty")]
    Empty,
    #[error("a tag has {bytes} bytes; at most {} are allowed", Tag::MAX_BYTES)]
    TooLong { bytes: usize },
    #[error("the tag \"{0}\" holds a comma, which separates tags")]
    Comma(String),
    #[error("the tag \"{0}\" holds a control character")]
    ControlCharacter(String),
}

/// The tags of one passport: sorted, each once, at most 256.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// 256 keeps a passport's row small and a change of its counts short.
    pub const MAX: usize = 256;

    pub fn new(tags: impl IntoIterator<Item = Tag>) -> Result<Self, TagsError> {
        let mut tags: Vec<Tag> = tags.into_iter().collect();
        tags.sort_unstable();
        tags.dedup();
        if tags.len() > Self::MAX {
            return Err(TagsError::TooMany { count: tags.len() });
        }
        Ok(Self(tags))
    }

    /// Reads `a,b`: split at commas, blanks trimmed, empties and doubles dropped.
    pub fn parse_list(text: &str) -> Result<Self, TagsError> {
        let tags = text.split(',').filter(|part| !part.trim().is_empty()).map(Tag::parse);
        Self::new(tags.collect::<Result<Vec<_>, _>>()?)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Tag> {
        self.0.iter()
    }

    pub fn as_slice(&self) -> &[Tag] {
        &self.0
    }

    pub fn contains(&self, tag: &Tag) -> bool {
        self.0.binary_search(tag).is_ok()
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = &'a Tag;
    type IntoIter = std::slice::Iter<'a, Tag>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagsError {
    #[error(transparent)]
    Tag(#[from] TagError),
    #[error("{count} tags; a passport may have at most {}", Tags::MAX)]
    TooMany { count: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_short_printable_label_without_a_comma() {
        let check = |input: &str, expected: Result<&str, TagError>| {
            assert_eq!(
                Tag::parse(input).as_ref().map(Tag::as_str).map_err(|_| ()),
                expected.as_ref().map(|t| *t).map_err(|_| ()),
                "{input:?}"
            );
            if let Err(error) = expected {
                assert_eq!(Tag::parse(input), Err(error));
            }
        };
        check("vip", Ok("vip"));
        check(" VIP ", Ok("VIP"));
        check("été 2026", Ok("été 2026"));
        check(&"x".repeat(128), Ok(&"x".repeat(128)));
        check("", Err(TagError::Empty));
        check("  ", Err(TagError::Empty));
        check(&"x".repeat(129), Err(TagError::TooLong { bytes: 129 }));
        check(&"é".repeat(65), Err(TagError::TooLong { bytes: 130 }));
        check("a,b", Err(TagError::Comma("a,b".into())));
        check("a\u{7}b", Err(TagError::ControlCharacter("a\\u{7}b".into())));
        check("a\u{85}b", Err(TagError::ControlCharacter("a\\u{85}b".into())));
    }

    #[test]
    fn tags_are_sorted_each_once_and_at_most_256() {
        assert_eq!(Tags::parse_list("b, a,,b").unwrap().iter().map(Tag::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(Tags::parse_list("").unwrap(), Tags::default());
        let many = |count: usize| Tags::new((0..count).map(|n| Tag::parse(&n.to_string()).unwrap()));
        assert!(many(256).is_ok());
        assert_eq!(many(257), Err(TagsError::TooMany { count: 257 }));
    }
}
