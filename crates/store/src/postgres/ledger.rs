//! The ledger: what a transaction changes. It keeps the pool, the tally, the endings and the journal in step with the
//! passports.

use std::ops::Deref;

use passpool_core::{Actor, Event, State, Timestamp};

use super::{
    connection::{Connections, Session},
    passport::{Columns, Ending, PassportRow, is_in_pool},
    recipient, tally,
    typed::typed,
    visit,
};
use crate::{Fault, StoreError};

/// A look at one moment, however long it takes.
const LOOK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                    SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL jit = off";

/// A running transaction. If it is dropped before its end its connection is closed, and the server undoes it.
pub(super) struct Ledger {
    db: Session,
    is_over: bool,
}

/// A change of one passport, and what the journal will say of it.
#[derive(Clone, Debug)]
pub(super) struct Change<'a> {
    pub(super) was: &'a PassportRow,
    pub(super) becomes: State,
    pub(super) event: Event,
    pub(super) by: &'a Actor,
    pub(super) at: Timestamp,
    /// The inside of a JSON object.
    pub(super) detail: String,
}

impl Ledger {
    pub(super) async fn begin(connections: &Connections) -> Result<Self, Fault> {
        Self::begun(connections, connections.begin()).await
    }

    /// Sees one moment of the database, and changes nothing.
    pub(super) async fn look(connections: &Connections) -> Result<Self, Fault> {
        Self::begin_with(connections, LOOK).await
    }

    /// Begins as this statement says, and takes as long as it takes.
    pub(super) async fn begin_with(connections: &Connections, begin: &str) -> Result<Self, Fault> {
        let ledger = Self::begun(connections, begin).await?;
        ledger.be_patient();
        Ok(ledger)
    }

    async fn begun(connections: &Connections, begin: &str) -> Result<Self, Fault> {
        let ledger = Self { db: connections.session().await?, is_over: false };
        ledger.db.begin(begin).await?;
        Ok(ledger)
    }

    /// Commits what was done. An error takes everything back.
    pub(super) async fn end<T>(self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        match done {
            Ok(value) => {
                self.commit().await?;
                Ok(value)
            }
            Err(error) => {
                self.roll_back().await;
                Err(error)
            }
        }
    }

    pub(super) async fn commit(mut self) -> Result<(), Fault> {
        self.db.commit().await?;
        self.is_over = true;
        Ok(())
    }

    pub(super) async fn roll_back(mut self) {
        // If this fails the connection is closed when it is dropped, which comes to the same.
        self.is_over = self.db.run("ROLLBACK").await.is_ok();
    }

    /// Writes the states that passports have from now on, keeps everything in step, and tells the journal.
    ///
    /// The guard stands in the statement: each row has to be as it was read.
    pub(super) async fn change(&self, changes: &[Change<'_>]) -> Result<(), Fault> {
        if changes.is_empty() {
            return Ok(());
        }
        // One after the other on the server, and all on their way at once.
        tokio::try_join!(
            self.write_states(changes),
            self.leave_pool(changes),
            self.enter_pool(changes),
            self.end_otherwise(changes),
            visit::follow(&self.db, changes),
            recipient::follow(&self.db, changes),
        )?;
        Ok(())
    }

    async fn write_states(&self, changes: &[Change<'_>]) -> Result<(), Fault> {
        let columns: Vec<Columns> = changes.iter().map(|change| Columns::of(&change.becomes)).collect();
        let tallied = tally::moved("written", "changed", "was_state", "state");
        let sql = format!(
            "WITH becomes AS MATERIALIZED (
                SELECT *, nextval('journal_number') AS told
                FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::smallint[], $5::smallint[], $6::bigint[],
                    $7::bytea[], $8::boolean[], $9::bigint[], $10::bigint[], $11::bytea[], $12::bytea[], $13::bigint[],
                    $14::integer[], $15::bigint[], $16::text[], $17::text[], $18::text[])
                AS new (seq, was_state, was_changed, state, secret, number, sealed, printed, handed_at, until,
                    reservation, owner, settle_by, kiosk, at, kind, actor, detail)
            ), written AS (
                UPDATE passport SET state = new.state, changed = new.told,
                    changed_at = greatest(new.at, passport.changed_at), secret = new.secret, number = new.number,
                    sealed = new.sealed, printed = new.printed, handed_at = new.handed_at, until = new.until,
                    reservation = new.reservation, owner = new.owner, settle_by = new.settle_by, kiosk = new.kiosk
                FROM becomes AS new
                WHERE passport.seq = new.seq AND passport.state = new.was_state AND passport.changed = new.was_changed
                RETURNING passport.id, passport.tags, passport.state, passport.changed, passport.changed_at,
                    new.was_state, new.was_changed, new.kind, new.actor, new.detail
            ), tallied AS (
                {tallied}
            )
            INSERT INTO journal (seq, at, kind, passport, actor, detail)
            SELECT changed, changed_at, kind, id, actor,
                '{{\"after\":' || was_changed || CASE detail WHEN '' THEN '' ELSE ',' END || detail || '}}' FROM written"
        );
        let written = self
            .db
            .execute(
                &sql,
                typed![
                    changes.iter().map(|change| change.was.seq).collect::<Vec<_>>(),
                    changes.iter().map(|change| change.was.state.name() as i16).collect::<Vec<_>>(),
                    changes.iter().map(|change| change.was.changed).collect::<Vec<_>>(),
                    changes.iter().map(|change| change.becomes.name() as i16).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.secret).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.number).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.sealed.clone()).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.printed).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.handed_at).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.until).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.reservation.clone()).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.owner.clone()).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.settle_by).collect::<Vec<_>>(),
                    columns.iter().map(|columns| columns.kiosk).collect::<Vec<_>>(),
                    changes.iter().map(|change| change.at.as_micros()).collect::<Vec<_>>(),
                    changes.iter().map(|change| change.event.as_str()).collect::<Vec<_>>(),
                    changes.iter().map(|change| change.by.to_string()).collect::<Vec<_>>(),
                    changes.iter().map(|change| change.detail.clone()).collect::<Vec<_>>(),
                ],
            )
            .await;
        all_of(written?, changes.len(), "passports are not as they were read")
    }

    async fn leave_pool(&self, changes: &[Change<'_>]) -> Result<(), Fault> {
        let leaving = changes.iter().filter(|change| change.was.is_in_pool() && !is_in_pool(&change.becomes));
        let (tags, seqs) = postings(leaving);
        if seqs.is_empty() {
            return Ok(());
        }
        let count = seqs.len();
        let sql = "DELETE FROM pool USING unnest($1::integer[], $2::bigint[]) AS leaving (tag, seq) \
                   WHERE pool.tag = leaving.tag AND pool.seq = leaving.seq";
        all_of(self.db.execute(sql, typed![tags, seqs]).await?, count, "passports are missing from the pool")
    }

    async fn enter_pool(&self, changes: &[Change<'_>]) -> Result<(), Fault> {
        let entering = changes.iter().filter(|change| !change.was.is_in_pool() && is_in_pool(&change.becomes));
        let (tags, seqs) = postings(entering);
        if seqs.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO pool (tag, seq) SELECT * FROM unnest($1::integer[], $2::bigint[])";
        self.db.execute(sql, typed![tags, seqs]).await?;
        Ok(())
    }

    async fn end_otherwise(&self, changes: &[Change<'_>]) -> Result<(), Fault> {
        let moved = changes.iter().filter(|change| Ending::of(&change.was.state) != Ending::of(&change.becomes));
        let mut gone = Vec::new();
        let (mut seqs, mut ats, mut are_transfers) = (Vec::new(), Vec::new(), Vec::new());
        for change in moved {
            match Ending::of(&change.becomes) {
                None => gone.push(change.was.seq),
                Some(ending) => {
                    seqs.push(change.was.seq);
                    ats.push(ending.at.as_micros());
                    are_transfers.push(ending.is_transfer);
                }
            }
        }
        if !gone.is_empty() {
            self.db.execute("DELETE FROM ending WHERE seq = ANY($1)", typed![gone]).await?;
        }
        if !seqs.is_empty() {
            let sql = "INSERT INTO ending (seq, at, is_transfer) \
                       SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::boolean[]) \
                       ON CONFLICT (seq) DO UPDATE SET at = excluded.at, is_transfer = excluded.is_transfer";
            self.db.execute(sql, typed![seqs, ats, are_transfers]).await?;
        }
        Ok(())
    }
}

impl Deref for Ledger {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.db
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if !self.is_over {
            self.db.abandon();
        }
    }
}

/// Fails if fewer rows were touched than had to be.
pub(super) fn all_of(touched: u64, wanted: usize, otherwise: &str) -> Result<(), Fault> {
    if touched == wanted as u64 {
        Ok(())
    } else {
        Err(Fault::Damaged(format!("{} {otherwise}", wanted as u64 - touched)))
    }
}

fn postings<'a>(changes: impl Iterator<Item = &'a Change<'a>>) -> (Vec<i32>, Vec<i64>) {
    changes.flat_map(|change| change.was.tags.iter().map(|tag| (*tag, change.was.seq))).unzip()
}
