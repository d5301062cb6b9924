//! Selectors: which passports a caller means.

use std::fmt;

use crate::{Tag, TagError, Tags};

/// How several tags are meant. Several tags mean all of them unless somebody says otherwise: a wrong guess then finds
/// an empty pool instead of giving away another pool's passport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rule {
    #[default]
    And,
    Or,
}

impl Rule {
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        match text {
            "and" => Ok(Self::And),
            "or" => Ok(Self::Or),
            _ => Err(RuleError),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be and or or")]
pub struct RuleError;

/// One to 32 tags, sorted and each once, and the rule that joins them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    tags: Vec<Tag>,
    rule: Rule,
}

impl Selector {
    /// 32 bounds the work of one pick; nobody names more by hand.
    pub const MAX_TAGS: usize = 32;

    pub fn new(tags: impl IntoIterator<Item = Tag>, rule: Rule) -> Result<Self, SelectorError> {
        let mut tags: Vec<Tag> = tags.into_iter().collect();
        tags.sort_unstable();
        tags.dedup();
        match tags.len() {
            0 => Err(SelectorError::Empty),
            1..=Self::MAX_TAGS => Ok(Self { tags, rule }),
            count => Err(SelectorError::TooMany { count }),
        }
    }

    /// Reads the values of a tag parameter: each is split at commas, blanks trimmed, empties and doubles dropped.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>, rule: Rule) -> Result<Self, SelectorError> {
        let parts = values.into_iter().flat_map(|value| value.split(',')).filter(|part| !part.trim().is_empty());
        Self::new(parts.map(Tag::parse).collect::<Result<Vec<_>, _>>()?, rule)
    }

    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    pub fn rule(&self) -> Rule {
        self.rule
    }

    pub fn matches(&self, tags: &Tags) -> bool {
        match self.rule {
            Rule::And => self.tags.iter().all(|tag| tags.contains(tag)),
            Rule::Or => self.tags.iter().any(|tag| tags.contains(tag)),
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    #[error("no tag is given")]
    Empty,
    #[error("{count} tags are given; at most {} are allowed", Selector::MAX_TAGS)]
    TooMany { count: usize },
    #[error(transparent)]
    Tag(#[from] TagError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_list_is_one_selector() {
        let check = |values: &[&str], expected: &[&str]| {
            let selector = Selector::parse(values.iter().copied(), Rule::And).unwrap();
            assert_eq!(selector.tags().iter().map(Tag::as_str).collect::<Vec<_>>(), expected, "{values:?}");
        };
        check(&["vip"], &["vip"]);
        check(&["vip,gold"], &["gold", "vip"]);
        check(&["vip", "gold"], &["gold", "vip"]);
        check(&[" vip , ,gold,vip", ""], &["gold", "vip"]);
    }

    #[test]
    fn a_selector_has_one_to_32_tags() {
        let numbered = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(Selector::parse([""], Rule::And), Err(SelectorError::Empty));
        assert_eq!(Selector::parse([" , "], Rule::And), Err(SelectorError::Empty));
        assert!(Selector::parse([numbered(32).as_str()], Rule::And).is_ok());
        assert_eq!(Selector::parse([numbered(33).as_str()], Rule::And), Err(SelectorError::TooMany { count: 33 }));
        assert_eq!(
            Selector::parse(["a\tb"], Rule::And),
            Err(SelectorError::Tag(TagError::ControlCharacter("a\\tb".into())))
        );
    }

    #[test]
    fn and_wants_all_and_or_wants_one() {
        let tags = Tags::parse_list("vip,gold").unwrap();
        let check = |list: &str, rule: Rule, expected: bool| {
            assert_eq!(Selector::parse([list], rule).unwrap().matches(&tags), expected, "{list} {rule}");
        };
        check("vip", Rule::And, true);
        check("vip,gold", Rule::And, true);
        check("vip,silver", Rule::And, false);
        check("VIP", Rule::And, false);
        check("vip,silver", Rule::Or, true);
        check("silver,bronze", Rule::Or, false);
    }
}
