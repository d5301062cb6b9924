//! Words of our wire that several paths share.

use std::borrow::Cow;

use passpool_core::{Event, Right, Rule, StateName, Timestamp};
use serde::Deserialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::handout::HandoutFormat;

/// How several tags are meant: all of them, or one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TagRule)]
pub(super) enum RuleWord {
    #[default]
    And,
    Or,
}

impl RuleWord {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
        }
    }
}

impl From<RuleWord> for Rule {
    fn from(word: RuleWord) -> Self {
        match word {
            RuleWord::And => Self::And,
            RuleWord::Or => Self::Or,
        }
    }
}

/// What of a hand-out is shown: the link, the link with its parts, or the passport's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Format {
    #[default]
    Link,
    LinkObject,
    Content,
}

impl From<Format> for HandoutFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Link => Self::Link,
            Format::LinkObject => Self::LinkObject,
            Format::Content => Self::Content,
        }
    }
}

/// Words of which there are these and no others, as the document tells them.
macro_rules! listed {
    ($($kind:ident as $name:literal: $all:expr,)*) => {
        $(
            pub(super) struct $kind;

            impl PartialSchema for $kind {
                fn schema() -> RefOr<Schema> {
                    let words = $all.iter().map(|word| word.as_str());
                    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build().into()
                }
            }

            impl ToSchema for $kind {
                fn name() -> Cow<'static, str> {
                    $name.into()
                }
            }
        )*
    };
}

listed! {
    StateWord as "State": StateName::ALL,
    KindWord as "Kind": Event::ALL,
    RightWord as "Right": Right::ALL,
}

/// A tag: 1 to 128 bytes without commas and control characters. Blanks around it are trimmed.
#[derive(ToSchema)]
#[schema(as = Tag, pattern = "^[^,\\u0000-\\u0008\\u000e-\\u001f\\u007f-\\u0084\\u0086-\\u009f]+$")]
pub(super) struct TagWord(#[expect(dead_code, reason = "the document alone has it")] String);

/// A moment as RFC 3339 has it, in UTC.
pub(super) fn rfc_3339(moment: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(moment.as_micros()).map_or_else(|_| String::new(), |moment| moment.to_string())
}

/// A moment with its offset from UTC, as RFC 3339 has it.
pub(super) fn parse_moment(text: &str) -> Result<Timestamp, &'static str> {
    let moment: jiff::Timestamp =
        text.parse().map_err(|_| "it must be a moment with its offset, such as 2026-06-01T09:00:00Z")?;
    Ok(Timestamp::from_micros(moment.as_microsecond()))
}
