//! Editing: a passport gets other tags, or another content.

use std::collections::BTreeSet;

use passpool_core::{Content, Event, Refusal, Tag, Tags};

use super::{
    content,
    export::Names,
    history,
    ledger::{Change, Ledger},
    passport::PassportRow,
};
use crate::{EditPassport, Fault, StoreError, Version};

pub(super) fn edit(ledger: &mut Ledger, wish: &EditPassport) -> Result<Version, StoreError> {
    let was = PassportRow::visible_by_id(&ledger.db, wish.passport)?;
    let mut was = was.ok_or(Refusal::UnknownPassport(wish.passport))?;
    let version = history::version(&ledger.db, &was)?;
    if wish.if_one_of.as_ref().is_some_and(|seen| !seen.contains(&version)) {
        return Err(Refusal::Changed.into());
    }
    was.state.clone().retag()?;
    if let Some(tags) = &wish.tags {
        was = retag(ledger, was, tags, wish)?;
    }
    if let Some(content) = &wish.content {
        was = rewrite(ledger, was, content, wish)?;
    }
    Ok(history::version(&ledger.db, &was)?)
}

/// Gives a passport these tags and no others. Answers its row as it is then.
fn retag(ledger: &mut Ledger, was: PassportRow, tags: &Tags, wish: &EditPassport) -> Result<PassportRow, Fault> {
    let before = Names::default().tags(&ledger.db, &was.tags)?;
    if before == *tags {
        return Ok(was);
    }
    let mut ids = tags.iter().map(|tag| ledger.tag_id_or_new(tag)).collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    let becomes = PassportRow { tags: ids, changed: ledger.next_journal_seq(), ..was.clone() };
    let detail = format!("\"added\":{},\"removed\":{}", list(tags, &before), list(&before, tags));
    ledger.change(&was, &becomes, Change { event: Event::Retagged, by: &wish.by, at: wish.now }, &detail)?;
    becomes.update_tags(&ledger.db)?;
    move_tags(ledger, &was, &becomes)?;
    Ok(becomes)
}

/// Keeps the sets in step with the tags.
fn move_tags(ledger: &mut Ledger, was: &PassportRow, becomes: &PassportRow) -> Result<(), Fault> {
    let (before, after): (BTreeSet<u32>, BTreeSet<u32>) =
        (was.tags.iter().copied().collect(), becomes.tags.iter().copied().collect());
    let (state, is_in_pool) = (becomes.state.name(), becomes.is_in_pool());
    for tag in before.difference(&after) {
        ledger.tagged.remove(&ledger.db, *tag, was.seq)?;
        ledger.tallies.remove(*tag, state);
        if is_in_pool {
            ledger.pool.remove(&ledger.db, *tag, was.seq)?;
        }
    }
    for tag in after.difference(&before) {
        ledger.tagged.insert(&ledger.db, *tag, was.seq)?;
        ledger.tallies.add(*tag, state);
        if is_in_pool {
            ledger.pool.insert(&ledger.db, *tag, was.seq)?;
        }
    }
    if is_in_pool {
        ledger.pools_grew();
    }
    Ok(())
}

fn rewrite(ledger: &mut Ledger, was: PassportRow, new: &Content, wish: &EditPassport) -> Result<PassportRow, Fault> {
    let id = content::store(&ledger.db, new)?;
    if id == was.content {
        return Ok(was);
    }
    let becomes = PassportRow { content: id, changed: ledger.next_journal_seq(), ..was.clone() };
    ledger.change(&was, &becomes, Change { event: Event::Edited, by: &wish.by, at: wish.now }, "")?;
    becomes.update_content(&ledger.db)?;
    Ok(becomes)
}

/// The tags of the first that the second has not, as JSON.
fn list(of: &Tags, without: &Tags) -> String {
    let tags: Vec<&str> = of.iter().filter(|tag| !without.contains(tag)).map(Tag::as_str).collect();
    serde_json::to_string(&tags).expect("strings are JSON")
}
