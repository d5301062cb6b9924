//! Picking: the first passports of the pool that a selector matches, roughly oldest first.
//!
//! A tag's pool holds only passports that can be had, so nothing dead is walked, and tags are joined chunk by chunk
//! with bit operations. A mark remembers for each selector before which chunk there is nothing; it is forgotten when a
//! pool grows, so that it can only ever be too low.

use std::{borrow::Cow, collections::HashMap};

use passpool_core::{Rule, Selector};

use super::{
    bits::{Bits, seq_of},
    ledger::Ledger,
};
use crate::Fault;

/// Where a selector finds nothing at all.
const NOWHERE: u32 = u32::MAX;
/// How many selectors of a rule are remembered.
const REMEMBERED: usize = 16_384;

/// Before which chunk each selector finds nothing.
#[derive(Default)]
pub(super) struct Marks {
    and: HashMap<Box<[u32]>, u32>,
    or: HashMap<Box<[u32]>, u32>,
}

impl Marks {
    fn get(&self, rule: Rule, tags: &[u32]) -> u32 {
        let marks = match rule {
            Rule::And => &self.and,
            Rule::Or => &self.or,
        };
        marks.get(tags).copied().unwrap_or(0)
    }

    fn set(&mut self, rule: Rule, tags: &[u32], chunk: u32) {
        let marks = match rule {
            Rule::And => &mut self.and,
            Rule::Or => &mut self.or,
        };
        if let Some(mark) = marks.get_mut(tags) {
            *mark = chunk;
            return;
        }
        if marks.len() >= REMEMBERED {
            marks.clear();
        }
        marks.insert(tags.into(), chunk);
    }

    pub(super) fn clear(&mut self) {
        self.and.clear();
        self.or.clear();
    }
}

impl Ledger {
    /// The seqs of up to `count` passports, least first, of which none is taken yet. Fewer means that there are no more.
    pub(super) fn pick(&mut self, selector: &Selector, count: u32) -> Result<Vec<u64>, Fault> {
        let Some(tags) = self.tag_ids(selector)? else { return Ok(Vec::new()) };
        let rule = selector.rule();
        let mut from = self.marks.get(rule, &tags);
        let mut first_found = None;
        let mut picked = Vec::with_capacity(count.min(1_024) as usize);
        while picked.len() < count as usize && from != NOWHERE {
            let Some(chunk) = self.next_candidate(rule, &tags, from)? else { break };
            let bits = self.matching(rule, &tags, chunk)?;
            let wanted = count as usize - picked.len();
            let before = picked.len();
            picked.extend(bits.iter().take(wanted).map(|bit| seq_of(chunk, bit)));
            if picked.len() > before {
                first_found = first_found.or(Some(chunk));
            }
            from = chunk + 1;
        }
        self.marks.set(rule, &tags, first_found.unwrap_or(NOWHERE));
        Ok(picked)
    }

    /// None if no passport can match: a tag that nobody has is wanted by `and`, or all are by `or`.
    fn tag_ids(&mut self, selector: &Selector) -> Result<Option<Vec<u32>>, Fault> {
        let mut ids = Vec::with_capacity(selector.tags().len());
        for tag in selector.tags() {
            match (self.tag_id(tag)?, selector.rule()) {
                (Some(id), _) => ids.push(id),
                (None, Rule::And) => return Ok(None),
                (None, Rule::Or) => {}
            }
        }
        Ok((!ids.is_empty()).then_some(ids))
    }

    /// The first chunk from this one on in which a match is possible.
    fn next_candidate(&mut self, rule: Rule, tags: &[u32], from: u32) -> Result<Option<u32>, Fault> {
        match rule {
            Rule::And => self.next_common(tags, from),
            Rule::Or => {
                let mut least = None;
                for tag in tags {
                    let next = self.next_visible(*tag, from)?;
                    least = [least, next].into_iter().flatten().min();
                }
                Ok(least)
            }
        }
    }

    /// The first chunk in which every tag has something: each tag in turn jumps to where the others are.
    fn next_common(&mut self, tags: &[u32], mut from: u32) -> Result<Option<u32>, Fault> {
        loop {
            let mut farthest = from;
            for tag in tags {
                match self.next_visible(*tag, farthest)? {
                    None => return Ok(None),
                    Some(chunk) => farthest = chunk,
                }
            }
            if tags.len() == 1 || farthest == from {
                return Ok(Some(farthest));
            }
            from = farthest;
        }
    }

    /// The tag's next chunk that belongs to no running import.
    fn next_visible(&mut self, tag: u32, mut from: u32) -> Result<Option<u32>, Fault> {
        while let Some(chunk) = self.pool.next(&self.db, tag, from)? {
            if !self.hidden.contains(&chunk) {
                return Ok(Some(chunk));
            }
            // An import fills many chunks in a row; they are passed over without reading them.
            from = chunk + 1;
            while self.hidden.contains(&from) {
                from += 1;
            }
        }
        Ok(None)
    }

    fn matching(&mut self, rule: Rule, tags: &[u32], chunk: u32) -> Result<Cow<'_, Bits>, Fault> {
        let (first, others) = tags.split_first().expect("a selector has a tag");
        if others.is_empty() {
            return Ok(Cow::Borrowed(self.pool.chunk(&self.db, *first, chunk)?));
        }
        let mut bits = self.pool.chunk(&self.db, *first, chunk)?.clone();
        for tag in others {
            let other = self.pool.chunk(&self.db, *tag, chunk)?;
            match rule {
                Rule::And => bits.intersect(other),
                Rule::Or => bits.unite(other),
            }
        }
        Ok(Cow::Owned(bits))
    }
}
