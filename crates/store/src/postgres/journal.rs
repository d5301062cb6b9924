//! The journal as a stream: rows that are read from a place on, so that nothing appears behind whoever reads on.
//!
//! A row's number is taken before its transaction commits. So a row may appear behind one that was read already, and a
//! number whose transaction failed never appears. Whoever meets a gap waits for those who were at work when it was met:
//! what is missing after them is missing for good. Nothing about this is written down, so that a database which was
//! restored elsewhere reads like the first one.

use std::{ops::Range, time::Duration};

use passpool_core::Timestamp;

use super::{
    connection::{Connections, Session},
    ledger::Ledger,
    typed::typed,
};
use crate::{Cursor, Fault, Page};

/// How often a reader looks whether those who have a number have committed.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How many times. After that its page ends before the gap.
const LOOKS: usize = 20;

/// For how many numbers there is one mark.
const MARK_EACH: i64 = 8_192;
/// How many marks are made at once.
const MARKS_AT_ONCE: i64 = 64;

/// What was read, and which numbers were looked at for it.
pub(super) struct Stretch<T> {
    pub(super) page: Page<T>,
    pub(super) looked: Looked,
}

/// Numbers that were looked at.
pub(super) struct Looked {
    range: Range<i64>,
    count: i64,
    /// The last one that was there.
    last: Option<i64>,
    limit: i64,
}

impl Looked {
    /// The rows of a range, or as many of them as the limit says.
    pub(super) async fn at(db: &Session, range: Range<i64>, limit: i64) -> Result<Self, Fault> {
        let sql = "SELECT count(*), max(seq) FROM (
                SELECT seq FROM journal WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3
            ) AS looked";
        let row = db.query_one(sql, typed![range.start, range.end, limit]).await?;
        Ok(Self { range, count: row.try_get(0)?, last: row.try_get(1)?, limit })
    }

    /// The last row of them, if there may be more behind it.
    pub(super) fn more(&self) -> Option<i64> {
        self.last.filter(|_| self.count == self.limit)
    }

    /// The first number that was not there, and behind which there was one.
    async fn first_gap(&self, db: &Session) -> Result<Option<i64>, Fault> {
        let Some(last) = self.last else { return Ok(None) };
        if self.count == last - self.range.start + 1 {
            return Ok(None);
        }
        let sql = "SELECT before + 1 FROM (
                SELECT seq, lag(seq, 1, $1 - 1) OVER (ORDER BY seq) AS before
                FROM journal WHERE seq >= $1 AND seq <= $2
            ) AS step WHERE seq > before + 1 ORDER BY seq LIMIT 1";
        let gap = db.query_opt(sql, typed![self.range.start, last]).await?;
        gap.map(|row| Ok(row.try_get(0)?)).transpose()
    }
}

/// Somebody who reads a page of the journal: once, or a second time if there was a gap in it.
///
/// What an import has written and not published is not read, and nothing behind the first of it.
pub(super) struct Reader<'a> {
    connections: &'a Connections,
    /// Set when a gap was met.
    end: Option<End>,
}

/// Where a second reading ends.
#[derive(Clone, Copy)]
struct End {
    behind: i64,
    /// False if it ends before a gap in which something may appear yet.
    is_final: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(connections: &'a Connections) -> Self {
        Self { connections, end: None }
    }

    /// A moment of the database, and the number before which the page has to end.
    pub(super) async fn look(&self) -> Result<(Ledger, i64), Fault> {
        let db = Ledger::look(self.connections).await?;
        let hidden = first_hidden(&db).await?;
        Ok((db, self.end.map_or(hidden, |end| hidden.min(end.behind))))
    }

    /// The page that was read, if nothing can appear in it any more. None means to look again.
    pub(super) async fn accept<T>(&mut self, db: Ledger, read: Stretch<T>) -> Result<Option<Page<T>>, Fault> {
        let Stretch { mut page, looked } = read;
        if let Some(End { behind, is_final }) = self.end {
            db.commit().await?;
            if !is_final && page.next.is_none() {
                page.next = Some(Cursor(behind - 1));
            }
            return Ok(Some(page));
        }
        let gap = looked.first_gap(&db).await?;
        db.commit().await?;
        let (Some(gap), Some(last)) = (gap, looked.last) else { return Ok(Some(page)) };
        let is_final = wait_for_writers(self.connections).await?;
        self.end = Some(End { behind: if is_final { last + 1 } else { gap }, is_final });
        Ok(None)
    }
}

/// The place before which every row is older than this moment. The journal's time goes back here and there, for those
/// who write say when they began; so rows behind this place may be older too.
pub(super) async fn first_since(db: &Session, since: Timestamp) -> Result<i64, Fault> {
    let sql = "SELECT coalesce(max(seq), 0) + 1 FROM journal_mark WHERE at < $1";
    Ok(db.query_one(sql, typed![since.as_micros()]).await?.try_get(0)?)
}

/// Marks how young the rows up to a number are, as soon as nothing can appear before it any more.
#[derive(Debug, Default)]
pub(super) struct Marker(Option<Settling>);

/// Numbers that were given out, and who had not committed then.
#[derive(Debug)]
struct Settling {
    upto: i64,
    writers: Vec<String>,
}

impl Marker {
    /// To be called now and then. Several servers may do so: they write the same marks.
    pub(super) async fn mark(&mut self, db: &Session) -> Result<(), Fault> {
        if let Some(Settling { upto, writers }) = &self.0 {
            if any_at_work(db, writers).await? {
                return Ok(());
            }
            mark_up_to(db, *upto).await?;
        }
        // In this order: who takes a number is at work before.
        let upto: i64 = db.query_one("SELECT last_value FROM journal_number", typed![]).await?.try_get(0)?;
        self.0 = Some(Settling { upto, writers: writers(db).await? });
        Ok(())
    }
}

async fn mark_up_to(db: &Session, upto: i64) -> Result<(), Fault> {
    let last = "SELECT seq, at FROM journal_mark ORDER BY seq DESC LIMIT 1";
    let (mut seq, mut at) = match db.query_opt(last, typed![]).await? {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (0, i64::MIN),
    };
    for _ in 0..MARKS_AT_ONCE {
        let next = seq + MARK_EACH;
        if next > upto {
            return Ok(());
        }
        let sql = "SELECT greatest($3, max(at)) FROM journal WHERE seq > $1 AND seq <= $2";
        at = db.query_one(sql, typed![seq, next, at]).await?.try_get(0)?;
        let sql = "INSERT INTO journal_mark (seq, at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        db.execute(sql, typed![next, at]).await?;
        seq = next;
    }
    Ok(())
}

/// Where the journal ends for those who read: before the first row of a running import.
async fn first_hidden(db: &Session) -> Result<i64, Fault> {
    let sql = "SELECT coalesce(min(number), $1) FROM hidden JOIN tally_move USING (chunk)";
    Ok(db.query_one(sql, typed![i64::MAX]).await?.try_get(0)?)
}

/// Waits until all who are at work now have ended. False if that takes too long.
async fn wait_for_writers(connections: &Connections) -> Result<bool, Fault> {
    let db = connections.session().await?;
    let writers = writers(&db).await?;
    for _ in 0..LOOKS {
        if !any_at_work(&db, &writers).await? {
            return Ok(true);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(false)
}

/// The transactions that may have taken numbers of the journal and have not ended. Whoever takes one has the right to
/// write into the journal before, and until its end: its rows can be seen before it gives that back.
async fn writers(db: &Session) -> Result<Vec<String>, Fault> {
    let rows = db.query(&format!("SELECT virtualtransaction {AT_WORK}"), typed![]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn any_at_work(db: &Session, writers: &[String]) -> Result<bool, Fault> {
    if writers.is_empty() {
        return Ok(false);
    }
    let sql = format!("SELECT EXISTS (SELECT 1 {AT_WORK} AND virtualtransaction = ANY($1))");
    Ok(db.query_one(&sql, typed![writers.to_vec()]).await?.try_get(0)?)
}

const AT_WORK: &str = "FROM pg_locks WHERE locktype = 'relation' AND relation = 'journal'::regclass \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND mode = 'RowExclusiveLock' AND granted";
