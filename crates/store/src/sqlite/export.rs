//! Exporting: every passport that matches, in order of creation.

use std::collections::HashMap;

use passpool_core::{Content, Tag, Tags};
use rusqlite::{Connection, OptionalExtension};

use super::{
    bits::{CHUNK, bit_of, chunk_of, seq_of},
    passport::{PassportRow, columns},
    snapshot::Snapshot,
};
use crate::{ExportFilter, Exported, Fault};

/// Shows what this connection's transaction sees, until `each` answers false.
pub(super) fn export(
    db: &Connection,
    filter: &ExportFilter,
    each: &mut dyn FnMut(Exported) -> bool,
) -> Result<(), Fault> {
    let snapshot = Snapshot::new(db)?;
    let tags = filter.selector.as_ref().map(|selector| snapshot.resolve(selector)).transpose()?;
    let mut names = Names::default();
    let sql = concat!("SELECT ", columns!(), " FROM passport WHERE seq >= ? AND seq < ? ORDER BY seq");
    let mut statement = db.prepare(sql)?;
    for (chunk, mut wanted) in snapshot.chunks()? {
        if let Some(tags) = &tags {
            wanted.intersect(&snapshot.tagged(tags, chunk)?);
        }
        if wanted.is_empty() {
            continue;
        }
        let first = seq_of(chunk, 0);
        let mut rows = statement.query([first, first + CHUNK])?;
        while let Some(row) = rows.next()? {
            let row = PassportRow::read(row)?;
            debug_assert_eq!(chunk_of(row.seq), chunk);
            if !wanted.contains(bit_of(row.seq)) {
                continue;
            }
            let state = row.state.clone().as_of(filter.now);
            if filter.state.is_some_and(|wanted| wanted != state.name()) {
                continue;
            }
            let exported = Exported {
                passport: row.id,
                state,
                tags: names.tags(db, &row.tags)?,
                content: names.content(db, row.content)?,
            };
            if !each(exported) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// How many tags and contents are remembered while an export runs.
const REMEMBERED: usize = 4_096;

/// What was looked up before.
#[derive(Default)]
pub(super) struct Names {
    tags: HashMap<u32, Tag>,
    contents: HashMap<i64, Content>,
}

impl Names {
    pub(super) fn tags(&mut self, db: &Connection, ids: &[u32]) -> Result<Tags, Fault> {
        let tags = ids.iter().map(|id| self.tag(db, *id)).collect::<Result<Vec<_>, _>>()?;
        Tags::new(tags).map_err(|error| Fault::Damaged(error.to_string()))
    }

    fn tag(&mut self, db: &Connection, id: u32) -> Result<Tag, Fault> {
        if let Some(tag) = self.tags.get(&id) {
            return Ok(tag.clone());
        }
        let mut statement = db.prepare_cached("SELECT name FROM tag WHERE id = ?")?;
        let name: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
        let tag = name.and_then(|name| Tag::parse(&name).ok());
        let tag = tag.ok_or_else(|| Fault::Damaged(format!("there is no tag number {id}")))?;
        if self.tags.len() >= REMEMBERED {
            self.tags.clear();
        }
        self.tags.insert(id, tag.clone());
        Ok(tag)
    }

    fn content(&mut self, db: &Connection, id: Option<i64>) -> Result<Content, Fault> {
        let Some(id) = id else { return Ok(Content::empty()) };
        if let Some(content) = self.contents.get(&id) {
            return Ok(content.clone());
        }
        let content = super::content::of(db, Some(id))?;
        // A large content is seldom shared by many, and a thousand of them are a gigabyte.
        if content.as_str().len() <= REMEMBERED {
            if self.contents.len() >= REMEMBERED {
                self.contents.clear();
            }
            self.contents.insert(id, content.clone());
        }
        Ok(content)
    }
}
