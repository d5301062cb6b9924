//! Cells: what stands in one column of one row.

use passpool_core::{Content, ContentError, Tag, Tags, TagsError};

use super::memo::Memo;

/// Reads tags and contents, of which many rows have the same.
pub(super) struct Cells {
    tags: Memo<Tags>,
    contents: Memo<Content>,
    /// The tags that every row has besides its own.
    added: Vec<Tag>,
}

impl Cells {
    pub(super) fn new(added: Vec<Tag>) -> Self {
        Self { tags: Memo::new(), contents: Memo::new(), added }
    }

    /// The tags that stand in a text, and the added ones.
    pub(super) fn tags<E: From<TagsError>>(
        &mut self,
        text: &str,
        parse: impl FnOnce(&str) -> Result<Tags, E>,
    ) -> Result<Tags, E> {
        let added = &self.added;
        self.tags.get(text, |text| {
            let own = parse(text)?;
            if added.is_empty() {
                return Ok(own);
            }
            Ok(Tags::new(own.iter().chain(added).cloned())?)
        })
    }

    pub(super) fn content(&mut self, text: &str) -> Result<Content, ContentError> {
        self.contents.get(text, Content::parse)
    }
}
