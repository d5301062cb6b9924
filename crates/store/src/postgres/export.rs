//! Exporting: every passport that matches, in order of creation.

use std::collections::HashMap;

use passpool_core::{Content, Rule, Tag, Tags};

use super::{
    connection::Session,
    content,
    passport::PassportRow,
    tags::{TagNumbers, Wanted},
    typed::typed,
};
use crate::{ExportFilter, Exported, Fault};

/// How many are read at once.
const PAGE: i64 = 2_000;
/// How many tags and contents are remembered while an export runs.
const REMEMBERED: usize = 4_096;

/// Shows what this connection's transaction sees, until `each` answers false.
pub(super) async fn export(
    db: &Session,
    tags: &TagNumbers,
    filter: &ExportFilter,
    each: &mut (dyn FnMut(Exported) -> bool + Send),
) -> Result<(), Fault> {
    let wanted = match &filter.selector {
        None => None,
        Some(selector) => match tags.resolve(db, selector).await? {
            None => return Ok(()),
            wanted => wanted,
        },
    };
    let sql = page(wanted.as_ref());
    let numbers = wanted.map(|wanted| wanted.tags).unwrap_or_default();
    let mut names = Names::default();
    let mut last = -1;
    loop {
        let rows = db.query(&sql, typed![last, numbers, PAGE]).await?;
        let rows = rows.iter().map(PassportRow::read).collect::<Result<Vec<_>, _>>()?;
        names.look_up(db, &rows).await?;
        for row in &rows {
            let state = row.state.clone().as_of(filter.now);
            if filter.state.is_some_and(|wanted| wanted != state.name()) {
                continue;
            }
            let exported = Exported { passport: row.id, state, tags: names.tags(row)?, content: names.content(row)? };
            if !each(exported) {
                return Ok(());
            }
        }
        match rows.last() {
            Some(row) if rows.len() as i64 == PAGE => last = row.seq,
            _ => return Ok(()),
        }
    }
}

fn page(wanted: Option<&Wanted>) -> String {
    let has_tags = match wanted.map(|wanted| wanted.rule) {
        None => "",
        Some(Rule::And) => "AND tags @> $2",
        Some(Rule::Or) => "AND tags && $2",
    };
    format!(
        "SELECT * FROM passport WHERE seq > $1 AND $2::integer[] IS NOT NULL {has_tags} \
         AND NOT EXISTS (SELECT 1 FROM hidden WHERE chunk = seq >> 12) ORDER BY seq LIMIT $3"
    )
}

/// What was looked up before.
#[derive(Default)]
pub(super) struct Names {
    tags: HashMap<i32, Tag>,
    contents: HashMap<i64, Content>,
}

impl Names {
    /// Makes sure that what these rows name is known.
    async fn look_up(&mut self, db: &Session, rows: &[PassportRow]) -> Result<(), Fault> {
        self.look_up_tags(db, rows).await?;
        // A large content is seldom shared by many, and a thousand of them are a gigabyte.
        self.contents.retain(|_, content| content.as_str().len() <= REMEMBERED);
        if self.contents.len() > REMEMBERED {
            self.contents.clear();
        }
        let mut contents: Vec<i64> = rows.iter().filter_map(|row| row.content).collect();
        contents.retain(|id| !self.contents.contains_key(id));
        self.contents.extend(content::load(db, &contents).await?);
        Ok(())
    }

    pub(super) async fn look_up_tags(&mut self, db: &Session, rows: &[PassportRow]) -> Result<(), Fault> {
        if self.tags.len() > REMEMBERED {
            self.tags.clear();
        }
        let mut tags: Vec<i32> = rows.iter().flat_map(|row| row.tags.iter().copied()).collect();
        tags.retain(|tag| !self.tags.contains_key(tag));
        if !tags.is_empty() {
            for row in db.query("SELECT id, name FROM tag WHERE id = ANY($1)", typed![tags]).await? {
                let tag = Tag::parse(row.try_get(1)?).map_err(|error| Fault::Damaged(error.to_string()))?;
                self.tags.insert(row.try_get(0)?, tag);
            }
        }
        Ok(())
    }

    pub(super) fn tags(&self, row: &PassportRow) -> Result<Tags, Fault> {
        let named =
            |id| self.tags.get(id).cloned().ok_or_else(|| Fault::Damaged(format!("there is no tag number {id}")));
        let tags = row.tags.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        Tags::new(tags).map_err(|error| Fault::Damaged(error.to_string()))
    }

    fn content(&self, row: &PassportRow) -> Result<Content, Fault> {
        let Some(id) = row.content else { return Ok(Content::empty()) };
        self.contents.get(&id).cloned().ok_or_else(|| Fault::Damaged(format!("there is no content number {id}")))
    }
}
