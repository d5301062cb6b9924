//! Lists of passports, and one passport whole.
//!
//! A list finds its passports in one of three ways: by the sets of tags and states, chunk by chunk; by the recipients of
//! a reference; or by the journal from a moment on. Whichever it is, a page looks at a bounded number of passports.

use passpool_core::{KioskName, PassportId, State, StateName, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    bits::{Bits, chunk_of, seq_of},
    content,
    count::Standing,
    export::Names,
    history,
    passport::PassportRow,
    recipient,
    sets::EVERY_PASSPORT,
    snapshot::{ResolvedTags, Snapshot},
};
use crate::{Cursor, Fault, ListedPassport, Page, PassportFilter, PassportNow, PassportPage};

/// How many passports are looked at for one page: some milliseconds' worth.
const LOOK_AT: usize = 2_000;

/// One passport with everything that is known of it.
pub(super) fn one(db: &Connection, id: PassportId, now: Timestamp) -> Result<Option<PassportNow>, Fault> {
    let Some(row) = PassportRow::visible_by_id(db, id)? else { return Ok(None) };
    let state = row.state.clone().as_of(now);
    let hand_out = state.hand_out();
    let recipient = match hand_out.and_then(|hand_out| hand_out.reservation) {
        Some(reservation) => recipient::of(db, reservation, row.seq)?,
        None => None,
    };
    let kiosk = match hand_out.and_then(|hand_out| hand_out.kiosk) {
        Some(kiosk) => kiosk_name(db, kiosk.0)?,
        None => None,
    };
    Ok(Some(PassportNow {
        passport: row.id,
        tags: Names::default().tags(db, &row.tags)?,
        content: content::of(db, row.content)?,
        version: history::version(db, &row)?,
        recipient,
        kiosk,
        history: history::of(db, &row)?,
        state,
    }))
}

/// A page of those that match.
pub(super) fn page(
    db: &Connection,
    filter: &PassportFilter,
    page: PassportPage,
) -> Result<Page<ListedPassport>, Fault> {
    let snapshot = Snapshot::new(db)?;
    let tags = filter.selector.as_ref().map(|selector| snapshot.resolve(selector)).transpose()?;
    let mut list = List { snapshot, filter, tags, page, names: Names::default(), items: Vec::new() };
    let after = page.after.map(|after| after.0);
    let next = match (&filter.changed_since, &filter.reference) {
        (Some(since), _) => {
            let first = history::first_since(db, *since)?;
            list.walk_journal(after.map_or(first, |after| first.max(after + 1)))?
        }
        (None, Some(_)) => list.walk_recipients(after.map_or(0, |after| after + 1))?,
        (None, None) => list.walk_sets(after.map_or(0, |after| after.cast_unsigned() + 1))?,
    };
    Ok(Page { items: list.items, next: next.map(Cursor) })
}

/// A page in the making.
struct List<'a> {
    snapshot: Snapshot<'a>,
    filter: &'a PassportFilter,
    tags: Option<ResolvedTags>,
    page: PassportPage,
    names: Names,
    items: Vec<ListedPassport>,
}

impl List<'_> {
    /// In order of creation. Answers after which seq the next page begins.
    fn walk_sets(&mut self, from: u64) -> Result<Option<i64>, Fault> {
        let db = self.snapshot.db;
        let standing = Standing::load(db, self.page.now)?;
        let mut looked_at = 0;
        let mut next = self.next_chunk(chunk_of(from))?;
        while let Some(chunk) = next {
            let candidates = self.candidates(&standing, chunk)?;
            for seq in candidates.iter().map(|bit| seq_of(chunk, bit)).filter(|seq| *seq >= from) {
                if self.is_full(looked_at) {
                    return Ok(Some(seq.cast_signed() - 1));
                }
                looked_at += 1;
                self.add_if_meant(&PassportRow::by_seq(db, seq)?)?;
            }
            next = self.next_chunk(chunk + 1)?;
        }
        Ok(None)
    }

    /// In order of creation, those that somebody with the reference has.
    fn walk_recipients(&mut self, from: i64) -> Result<Option<i64>, Fault> {
        let db = self.snapshot.db;
        let Some(reference) = &self.filter.reference else { return Ok(None) };
        for (looked_at, seq) in recipient::seqs_of(db, reference, from, LOOK_AT + 1)?.into_iter().enumerate() {
            if self.is_full(looked_at) {
                return Ok(Some(seq.cast_signed() - 1));
            }
            self.add_if_meant(&PassportRow::by_seq(db, seq)?)?;
        }
        Ok(None)
    }

    /// In order of the last change. Answers after which row of the journal the next page begins.
    fn walk_journal(&mut self, from: i64) -> Result<Option<i64>, Fault> {
        let db = self.snapshot.db;
        let behind = history::first_hidden(db)?;
        let sql = "SELECT seq, passport FROM journal WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query(params![from, behind, LOOK_AT + 1])?;
        let mut looked_at = 0;
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            if self.is_full(looked_at) {
                return Ok(Some(seq - 1));
            }
            looked_at += 1;
            let id = PassportId::new(row.get(1)?).map_err(|error| Fault::Damaged(error.to_string()))?;
            if let Some(row) = PassportRow::visible_by_id(db, id)?
                && row.changed == seq
            {
                self.add_if_meant(&row)?;
            }
        }
        Ok(None)
    }

    fn is_full(&self, looked_at: usize) -> bool {
        self.items.len() >= self.page.limit || looked_at >= LOOK_AT
    }

    /// The next chunk in which there is any passport.
    fn next_chunk(&self, from: u32) -> Result<Option<u32>, Fault> {
        let mut statement = self
            .snapshot
            .db
            .prepare_cached("SELECT chunk FROM tagged WHERE tag = ? AND chunk >= ? ORDER BY chunk LIMIT 1")?;
        let mut from = from;
        loop {
            let next = statement.query_row(params![EVERY_PASSPORT, from], |row| row.get(0)).optional()?;
            match next {
                Some(chunk) if self.snapshot.is_hidden(chunk) => from = chunk + 1,
                next => return Ok(next),
            }
        }
    }

    /// Those of a chunk that have the tags and count as in the state.
    fn candidates(&self, standing: &Standing, chunk: u32) -> Result<Bits, Fault> {
        let mut bits = match &self.tags {
            Some(tags) => self.snapshot.tagged(tags, chunk)?,
            None => self.snapshot.tagged_with(EVERY_PASSPORT, chunk)?,
        };
        if let Some(state) = self.filter.state {
            standing.keep_those_in(state, chunk, &mut bits);
        }
        Ok(bits)
    }

    fn add_if_meant(&mut self, row: &PassportRow) -> Result<(), Fault> {
        let state = row.state.clone().as_of(self.page.now);
        let reservation = state.hand_out().and_then(|hand_out| hand_out.reservation);
        if self.filter.state.is_some_and(|wanted| wanted != state.name())
            || self.tags.as_ref().is_some_and(|tags| !tags.match_ids(&row.tags))
        {
            return Ok(());
        }
        if let Some(reference) = &self.filter.reference
            && !recipient::is_of(self.snapshot.db, reservation, row.seq, reference)?
        {
            return Ok(());
        }
        let tags = self.names.tags(self.snapshot.db, &row.tags)?;
        self.items.push(listed(row.id, &state, tags));
        Ok(())
    }
}

fn listed(passport: PassportId, state: &State, tags: passpool_core::Tags) -> ListedPassport {
    let hand_out = state.hand_out();
    ListedPassport {
        passport,
        state: state.name(),
        tags,
        handed_out_at: hand_out.map(|hand_out| hand_out.at),
        until: hand_out.and_then(|hand_out| hand_out.until).filter(|_| {
            // Who owns the passport keeps it: the end of the hold is history.
            state.name() != StateName::Claimed
        }),
        reservation: hand_out.and_then(|hand_out| hand_out.reservation),
        owner: state.owner(),
    }
}

fn kiosk_name(db: &Connection, kiosk: u32) -> Result<Option<KioskName>, Fault> {
    let mut statement = db.prepare_cached("SELECT name FROM kiosk WHERE id = ?")?;
    let name: Option<String> = statement.query_row([kiosk], |row| row.get(0)).optional()?;
    name.map(|name| KioskName::parse(&name).map_err(|error| Fault::Damaged(error.to_string()))).transpose()
}
