//! Tags by their numbers, which never change: what was looked up once is remembered.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use passpool_core::{Rule, Selector, Tag};

use super::{connection::Session, typed::typed};
use crate::Fault;

/// How many are remembered: a serial number on each passport would fill the memory else.
const REMEMBERED: usize = 16_384;

#[derive(Clone, Debug, Default)]
pub(super) struct TagNumbers(Arc<RwLock<HashMap<Tag, i32>>>);

/// A selector by numbers. Tags that nobody has are left out of an `or`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) rule: Rule,
    /// At least one.
    pub(super) tags: Vec<i32>,
}

impl TagNumbers {
    /// None if no passport can match: a tag that nobody has is wanted by `and`, or all are by `or`.
    pub(super) async fn resolve(&self, db: &Session, selector: &Selector) -> Result<Option<Wanted>, Fault> {
        let known = self.find(db, selector.tags()).await?;
        let tags: Vec<i32> = selector.tags().iter().filter_map(|tag| known.get(tag).copied()).collect();
        let can_match = match selector.rule() {
            Rule::And => tags.len() == selector.tags().len(),
            Rule::Or => !tags.is_empty(),
        };
        Ok(can_match.then_some(Wanted { rule: selector.rule(), tags }))
    }

    /// The same if everything is remembered.
    pub(super) fn recall(&self, selector: &Selector) -> Option<Wanted> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let tags = selector.tags().iter().map(|tag| known.get(tag).copied()).collect::<Option<Vec<_>>>()?;
        Some(Wanted { rule: selector.rule(), tags })
    }

    /// The numbers of those that exist.
    pub(super) async fn find(&self, db: &Session, tags: &[Tag]) -> Result<HashMap<Tag, i32>, Fault> {
        let mut found = HashMap::with_capacity(tags.len());
        let mut missing = Vec::new();
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            for tag in tags {
                match known.get(tag) {
                    Some(number) => drop(found.insert(tag.clone(), *number)),
                    None => missing.push(tag.clone()),
                }
            }
        }
        if !missing.is_empty() {
            let names: Vec<&str> = missing.iter().map(Tag::as_str).collect();
            let rows = db.query("SELECT name, id FROM tag WHERE name = ANY($1)", typed![names]).await?;
            for row in rows {
                let tag = Tag::parse(row.try_get(0)?).map_err(|error| Fault::Damaged(error.to_string()))?;
                found.insert(tag, row.try_get(1)?);
            }
            self.remember(&missing, &found);
        }
        Ok(found)
    }

    /// The numbers of all of them. Those that nobody had yet are made at once, in a transaction of their own, so that
    /// two who make the same tags do not wait for each other's whole work.
    pub(super) async fn find_or_make(&self, db: &Session, tags: &[Tag]) -> Result<HashMap<Tag, i32>, Fault> {
        let found = self.find(db, tags).await?;
        let mut missing: Vec<&str> = tags.iter().filter(|tag| !found.contains_key(*tag)).map(Tag::as_str).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        db.execute("INSERT INTO tag (name) SELECT * FROM unnest($1) ON CONFLICT DO NOTHING", typed![missing]).await?;
        self.find(db, tags).await
    }

    fn remember(&self, tags: &[Tag], numbers: &HashMap<Tag, i32>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() + tags.len() > REMEMBERED {
            known.clear();
        }
        known.extend(tags.iter().filter_map(|tag| numbers.get(tag).map(|number| (tag.clone(), *number))));
    }
}
