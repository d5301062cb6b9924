//! The ledger: what a transaction sees and changes. It lives in the writer's thread.
//!
//! What it remembers from one transaction to the next (chunks, tag ids, the journal's last row, which chunks are
//! hidden) is dropped as soon as somebody else has written the file, and after every rollback. Of the idempotency records
//! it remembers where they are, and reads what others have added.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    path::Path,
};

use passpool_core::{Actor, Event, PassportId, StateName, Tag, Timestamp};
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::{
    ahead::Ahead,
    beside::Beside,
    connection,
    hand_out::{self, Waiting},
    passport::PassportRow,
    pick::Marks,
    pool::Pool,
    recipient,
    repeat::Repeats,
    sets::{Sets, Table},
    snapshot::Snapshot,
    tally::Tallies,
    visit, whereabouts,
};
use crate::{Fault, StoreError};

/// How many tags are remembered: a serial number on each passport would fill the memory else.
const REMEMBERED_TAGS: usize = 16_384;

pub(super) struct Ledger {
    /// Closed before the connection that writes, which has to be the last to tidy the log away.
    pub(super) beside: Beside,
    pub(super) db: Connection,
    pub(super) pool: Pool,
    pub(super) tagged: Sets,
    pub(super) standing: Sets,
    pub(super) repeats: Repeats,
    pub(super) tallies: Tallies,
    /// Right as long as nothing is added to a pool.
    pub(super) marks: Marks,
    pub(super) waiting: Waiting,
    pub(super) ahead: Ahead,
    /// The chunks of running imports.
    pub(super) hidden: BTreeSet<u32>,
    /// When the next hold ends, or the next transfer has failed.
    pub(super) next_end: Option<Timestamp>,
    tags: HashMap<Tag, u32>,
    journal_head: JournalHead,
    data_version: i64,
    /// How many rows the connection had changed when the running transaction began.
    changed_before: u64,
}

/// The journal's last row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct JournalHead {
    pub(super) seq: i64,
    pub(super) at: i64,
}

/// A change of one passport: what the journal will say of it.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) event: Event,
    pub(super) by: &'a Actor,
    pub(super) at: Timestamp,
}

impl Ledger {
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let db = connection::open_to_write(path)?;
        hand_out::teach_nth(&db)?;
        Ok(Self {
            db,
            beside: Beside::open(path)?,
            pool: Pool::new(),
            tagged: Sets::new(Table::Tagged),
            standing: Sets::new(Table::Standing),
            repeats: Repeats::new(),
            tallies: Tallies::new(),
            marks: Marks::default(),
            waiting: Waiting::default(),
            ahead: Ahead::new(),
            hidden: BTreeSet::new(),
            next_end: None,
            tags: HashMap::new(),
            journal_head: JournalHead::default(),
            data_version: -1,
            changed_before: 0,
        })
    }

    /// Runs the work in one transaction. What it changed is durable when this answers, or undone if it failed.
    pub(super) fn transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.changed_before = self.db.total_changes();
        self.begin()?;
        let done = work(self).and_then(|value| {
            self.flush()?;
            self.pool.follow_up(&self.db)?;
            self.repeats.follow_up(&self.db)?;
            self.db.execute_batch("COMMIT")?;
            Ok(value)
        });
        match &done {
            Ok(_) => self.trim(),
            Err(_) => self.roll_back(),
        }
        done
    }

    /// True if the running transaction has written nothing yet, so that [`Ledger::beside`] sees what it does.
    pub(super) fn has_written_nothing(&self) -> bool {
        self.db.total_changes() == self.changed_before
    }

    /// Runs the work so that a refusal takes back what it did, and nothing else of the transaction.
    pub(super) fn part<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.flush()?;
        let (journal_head, last_repeat) = (self.journal_head, self.repeats.last());
        self.db.execute_batch("SAVEPOINT part")?;
        let done = work(self);
        if let Err(StoreError::Refusal(_)) = &done {
            self.db.execute_batch("ROLLBACK TO part; RELEASE part")?;
            self.journal_head = journal_head;
            self.repeats.back_to(last_repeat);
            self.forget_passports();
            self.tallies.load(&self.db)?;
            self.tags.clear();
            return done;
        }
        self.db.execute_batch("RELEASE part")?;
        done
    }

    /// To be called before anybody but a hand-out reads or changes passports: their rows say everything from here on.
    pub(super) fn see_passports(&mut self) -> Result<(), Fault> {
        self.ahead.forget();
        self.write_hand_outs()
    }

    /// The database as the running transaction has made it, for work that reads many sets once.
    pub(super) fn snapshot(&mut self) -> Result<Snapshot<'_>, Fault> {
        self.flush()?;
        Snapshot::new(&self.db)
    }

    /// Writes the state that a passport has from now on, keeps the sets in step, and tells the journal.
    ///
    /// The guard stands in the statement: the row has to be as `was` read it.
    pub(super) fn change(
        &mut self,
        was: &PassportRow,
        becomes: &PassportRow,
        change: Change<'_>,
        detail: &str,
    ) -> Result<(), Fault> {
        self.write_change(was, becomes, change, detail)?;
        self.follow(was, becomes, change.at)
    }

    /// The first half of [`Ledger::change`]: the passport's row, and the journal's.
    pub(super) fn write_change(
        &mut self,
        was: &PassportRow,
        becomes: &PassportRow,
        change: Change<'_>,
        detail: &str,
    ) -> Result<(), Fault> {
        let changed = self.write_journal(was.id, Some(was.changed), change, detail)?;
        becomes.update(&self.db, was, changed)
    }

    /// The other half: everything that follows from a passport's row is kept in step with it.
    pub(super) fn follow(&mut self, was: &PassportRow, becomes: &PassportRow, at: Timestamp) -> Result<(), Fault> {
        self.move_between_sets(was, becomes)?;
        visit::follow(&self.db, was, becomes)?;
        recipient::follow(&self.db, was, becomes, at)?;
        if let Some(end) = becomes.ends() {
            self.next_end = Some(self.next_end.map_or(end, |next| next.min(end)));
        }
        Ok(())
    }

    /// Writes one row and answers its number. `detail` is the inside of a JSON object.
    pub(super) fn write_journal(
        &mut self,
        passport: PassportId,
        after: Option<i64>,
        change: Change<'_>,
        detail: &str,
    ) -> Result<i64, Fault> {
        debug_assert!(self.waiting.is_empty(), "hand-outs are written before anything else is");
        let detail = object(after, detail);
        let JournalHead { seq, at } = self.next_journal_place(change.at);
        self.db
            .prepare_cached("INSERT INTO journal (seq, at, kind, passport, actor, detail) VALUES (?, ?, ?, ?, ?, ?)")?
            .execute(params![seq, at, change.event.as_str(), passport.get(), change.by.to_string(), detail])?;
        Ok(seq)
    }

    /// Writes a row for each of so many new passports, which have to be there from `first` on, in their order.
    pub(super) fn write_journal_of_new(&mut self, first: u64, count: usize, change: Change<'_>) -> Result<(), Fault> {
        debug_assert!(self.waiting.is_empty(), "hand-outs are written before anything else is");
        let Some(behind) = count.checked_sub(1) else { return Ok(()) };
        let JournalHead { seq, at } = self.next_journal_place(change.at);
        self.journal_head.seq += behind as i64;
        let sql = "INSERT INTO journal (seq, at, kind, passport, actor) \
                   SELECT :journal + seq - :first, :at, :kind, id, :actor FROM passport \
                   WHERE seq BETWEEN :first AND :last ORDER BY seq";
        self.db.prepare_cached(sql)?.execute(named_params! {
            ":journal": seq,
            ":first": first,
            ":at": at,
            ":kind": change.event.as_str(),
            ":actor": change.by.to_string(),
            ":last": first + behind as u64,
        })?;
        Ok(())
    }

    /// Takes the place of the next row. Clocks are set back now and then; the journal's time is not.
    pub(super) fn next_journal_place(&mut self, at: Timestamp) -> JournalHead {
        self.journal_head =
            JournalHead { seq: self.journal_head.seq + 1, at: at.as_micros().max(self.journal_head.at) };
        self.journal_head
    }

    /// The number that the next row will have.
    pub(super) fn next_journal_seq(&self) -> i64 {
        self.journal_head.seq + 1
    }

    /// Writes the sets out and forgets them, for work that changes their tables itself.
    pub(super) fn drop_chunks(&mut self) -> Result<(), Fault> {
        self.flush()?;
        self.pool.write_all(&self.db)?;
        self.forget_sets();
        Ok(())
    }

    /// The id of a tag, if any passport ever had it.
    pub(super) fn tag_id(&mut self, tag: &Tag) -> Result<Option<u32>, Fault> {
        if let Some(id) = self.tags.get(tag) {
            return Ok(Some(*id));
        }
        let mut statement = self.db.prepare_cached("SELECT id FROM tag WHERE name = ?")?;
        let id = statement.query_row([tag.as_str()], |row| row.get(0)).optional()?;
        drop(statement);
        if let Some(id) = id {
            self.remember_tag(tag, id);
        }
        Ok(id)
    }

    /// The id of a tag, which is made if need be.
    pub(super) fn tag_id_or_new(&mut self, tag: &Tag) -> Result<u32, Fault> {
        if let Some(id) = self.tag_id(tag)? {
            return Ok(id);
        }
        self.db.prepare_cached("INSERT INTO tag (name) VALUES (?)")?.execute([tag.as_str()])?;
        let id = u32::try_from(self.db.last_insert_rowid())
            .map_err(|_| Fault::Database("there are too many tags".into()))?;
        self.remember_tag(tag, id);
        Ok(id)
    }

    /// To be called when a tag's name was deleted.
    pub(super) fn forget_tags(&mut self) {
        self.tags.clear();
    }

    /// To be called whenever something was added to a pool, or made visible.
    pub(super) fn pools_grew(&mut self) {
        self.marks.clear();
    }

    pub(super) fn load_next_end(&mut self) -> Result<(), Fault> {
        let hold =
            "SELECT min(until) FROM passport INDEXED BY passport_hold WHERE until IS NOT NULL AND state IN (1, 2)";
        let transfer = "SELECT min(settle_by) FROM passport INDEXED BY passport_settle WHERE settle_by IS NOT NULL";
        let end = |sql| self.db.prepare_cached(sql)?.query_row([], |row| row.get::<_, Option<i64>>(0));
        self.next_end = [end(hold)?, end(transfer)?].into_iter().flatten().min().map(Timestamp::from_micros);
        Ok(())
    }

    pub(super) fn load_hidden(&mut self) -> Result<(), Fault> {
        let mut statement = self.db.prepare_cached("SELECT chunk FROM hidden")?;
        self.hidden = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Fault> {
        // IMMEDIATE takes the right to write at once, so that nothing read here is out of date when it is written.
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let version: i64 = self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if version == self.data_version {
            return Ok(());
        }
        self.forget_passports();
        self.tags.clear();
        self.repeats.others_wrote();
        let loaded = self.load_after_others();
        match &loaded {
            Ok(()) => self.data_version = version,
            Err(_) => self.roll_back(),
        }
        loaded
    }

    /// Reads again what somebody else may have changed. Fails if that was where the shop is.
    fn load_after_others(&mut self) -> Result<(), Fault> {
        whereabouts::guard(&self.db)?;
        self.load_next_end()?;
        self.load_hidden()?;
        self.load_journal_head()?;
        self.tallies.load(&self.db)
    }

    fn load_journal_head(&mut self) -> Result<(), Fault> {
        let mut statement = self.db.prepare_cached("SELECT seq, at FROM journal ORDER BY seq DESC LIMIT 1")?;
        let head = statement.query_row([], |row| Ok(JournalHead { seq: row.get(0)?, at: row.get(1)? })).optional()?;
        drop(statement);
        self.journal_head = head.unwrap_or_default();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.write_hand_outs()?;
        self.pool.flush(&self.db)?;
        self.tagged.flush(&self.db)?;
        self.standing.flush(&self.db)?;
        self.tallies.flush(&self.db)
    }

    fn trim(&mut self) {
        self.pool.trim();
        self.tagged.trim();
        self.standing.trim();
    }

    fn roll_back(&mut self) {
        // A failed COMMIT may have rolled back already; then there is nothing left to do.
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
        self.forget_passports();
        self.tags.clear();
        self.repeats.forget_all();
        self.data_version = -1;
    }

    /// Forgets everything that was remembered or is to be written of them.
    fn forget_passports(&mut self) {
        self.waiting = Waiting::default();
        self.ahead.forget();
        self.forget_sets();
    }

    fn forget_sets(&mut self) {
        self.pool.forget();
        self.tagged.forget();
        self.standing.forget();
        self.marks.clear();
    }

    fn remember_tag(&mut self, tag: &Tag, id: u32) {
        if self.tags.len() >= REMEMBERED_TAGS {
            self.tags.clear();
        }
        self.tags.insert(tag.clone(), id);
    }

    fn move_between_sets(&mut self, was: &PassportRow, becomes: &PassportRow) -> Result<(), Fault> {
        let (from, to) = (was.state.name(), becomes.state.name());
        self.tallies.moved(&was.tags, from, to);
        if from != to {
            if from != StateName::Available {
                self.standing.remove(&self.db, from as u32, was.seq)?;
            }
            if to != StateName::Available {
                self.standing.insert(&self.db, to as u32, was.seq)?;
            }
        }
        match (was.is_in_pool(), becomes.is_in_pool()) {
            (true, false) => was.tags.iter().try_for_each(|tag| self.pool.remove(&self.db, *tag, was.seq)),
            (false, true) => {
                self.pools_grew();
                becomes.tags.iter().try_for_each(|tag| self.pool.insert(&self.db, *tag, was.seq))
            }
            (true, true) | (false, false) => Ok(()),
        }
    }
}

/// A journal row's JSON: the passport's row before this one, and what else there is to tell.
fn object(after: Option<i64>, detail: &str) -> Option<String> {
    let comma = match (after, detail) {
        (None, "") => return None,
        (None, _) | (Some(_), "") => "",
        (Some(_), _) => ",",
    };
    let mut object = String::with_capacity(detail.len() + 32);
    object.push('{');
    if let Some(after) = after {
        let _ = write!(object, "\"after\":{after}{comma}");
    }
    object.push_str(detail);
    object.push('}');
    Some(object)
}
