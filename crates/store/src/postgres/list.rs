//! Lists of passports, and one passport whole.
//!
//! A list finds its passports in one of three ways: by a tag, or all there are, in the order of creation; by the
//! recipients of a reference; or by the journal from a moment on. Whichever it is, a page looks at a bounded number of
//! passports.

use std::ops::Range;

use passpool_core::{KioskName, PassportId, Reference, Rule, StateName, Tags, Timestamp};
use tokio_postgres::Row;

use super::{
    connection::{Connections, Session},
    content, count,
    export::Names,
    history,
    journal::{self, Looked, Stretch},
    ledger::Ledger,
    passport::{PassportRow, Reading},
    pick::KEEP_NESTED_LOOPS,
    recipient,
    shelf::Shelf,
    tags::Wanted,
    typed::typed,
};
use crate::{
    Cursor, Fault, ListedPassport, Page, PassportFilter, PassportNow, PassportPage, PoolCounts, StateCounts, TagFilter,
};

/// How many passports are looked at for one page: some milliseconds' worth.
const LOOK_AT: i64 = 4_000;

/// One passport with everything that is known of it.
pub(super) async fn one(db: &Session, id: PassportId, now: Timestamp) -> Result<Option<PassportNow>, Fault> {
    let Some(row) = PassportRow::visible_by_id(db, id, Reading::Only).await? else { return Ok(None) };
    let state = row.state.clone().as_of(now);
    let hand_out = state.hand_out();
    let mut names = Names::default();
    let recipient = async {
        match hand_out.and_then(|hand_out| hand_out.reservation) {
            Some(reservation) => Ok(recipient::of(db, reservation, &[row.seq]).await?.remove(&row.seq)),
            None => Ok(None),
        }
    };
    let kiosk = async {
        match hand_out.and_then(|hand_out| hand_out.kiosk) {
            Some(kiosk) => kiosk_name(db, kiosk.0.cast_signed()).await,
            None => Ok(None),
        }
    };
    let rows = std::slice::from_ref(&row);
    // One after the other on the server, and all on their way at once.
    let ((), content, recipient, kiosk, history) = tokio::try_join!(
        names.look_up_tags(db, rows),
        content::of(db, row.content),
        recipient,
        kiosk,
        history::of(db, &row)
    )?;
    Ok(Some(PassportNow {
        passport: row.id,
        tags: names.tags(&row)?,
        content,
        version: history::version_of(&history)
            .ok_or_else(|| Fault::Damaged(format!("passport {id} has no history")))?,
        recipient,
        kiosk,
        history,
        state,
    }))
}

/// A page of those that match.
pub(super) async fn page(
    shelf: &Shelf,
    filter: &PassportFilter,
    page: PassportPage,
) -> Result<Page<ListedPassport>, Fault> {
    let db = shelf.connections.session().await?;
    let wanted = match &filter.selector {
        None => None,
        Some(selector) => match shelf.tags.resolve(&db, selector).await? {
            None => return Ok(Page { items: Vec::new(), next: None }),
            wanted => wanted,
        },
    };
    let first = match filter.changed_since {
        Some(since) => Some(journal::first_since(&db, since).await?),
        None => None,
    };
    drop(db);
    let list = List { filter, wanted, page };
    match first {
        Some(first) => list.changed(&shelf.connections, first).await,
        None => {
            let db = Ledger::look(&shelf.connections).await?;
            let found = list.made(&db).await?;
            db.commit().await?;
            Ok(found)
        }
    }
}

/// The places between the chunks that imports hide, from a first one on.
const VISIBLE: &str = "WITH visible AS MATERIALIZED (
        SELECT low, high FROM (
            SELECT greatest($1, (lag(chunk, 1, -1::bigint) OVER (ORDER BY chunk) + 1) << 12) AS low, chunk << 12 AS high
            FROM (SELECT chunk FROM hidden UNION ALL SELECT 1::bigint << 50) AS edge
        ) AS gap WHERE low < high ORDER BY low
    )";

/// The state that counts at a moment.
const COUNTS_AS: &str = "CASE
        WHEN state = 3 AND settle_by <= $7 THEN CASE WHEN until <= $7 THEN 0 ELSE 2 END
        WHEN state IN (1, 2) AND until <= $7 THEN 0
        ELSE state END";

/// What is listed, and how.
struct List<'a> {
    filter: &'a PassportFilter,
    wanted: Option<Wanted>,
    page: PassportPage,
}

impl List<'_> {
    /// In the order of creation.
    async fn made(&self, db: &Session) -> Result<Page<ListedPassport>, Fault> {
        let Some(candidates) = self.candidates(db).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        db.run(KEEP_NESTED_LOOPS).await?;
        let range = self.page.after.map_or(0, |after| after.0 + 1)..i64::MAX;
        let (items, over) = self.find(db, &candidates, range.clone()).await?;
        let next = match over {
            Some(over) => Some(over - 1),
            None => self.end_of_look(db, &candidates, range).await?,
        };
        Ok(Page { items, next: next.map(Cursor) })
    }

    /// In the order of the last change, from a place in the journal on.
    async fn changed(&self, connections: &Connections, first: i64) -> Result<Page<ListedPassport>, Fault> {
        let candidates = "SELECT journal.seq AS place, (
                SELECT passport.seq FROM passport WHERE id = journal.passport AND changed = journal.seq
            ) AS seq FROM journal WHERE journal.seq >= $1 AND journal.seq < $2 ORDER BY journal.seq LIMIT $4";
        let from = self.page.after.map_or(first, |after| first.max(after.0 + 1));
        let mut reader = journal::Reader::new(connections);
        loop {
            let (db, behind) = reader.look().await?;
            db.run(KEEP_NESTED_LOOPS).await?;
            let (items, over) = self.find(&db, candidates, from..behind).await?;
            let looked = Looked::at(&db, from..over.unwrap_or(behind), LOOK_AT).await?;
            let next = over.map(|over| over - 1).or(looked.more());
            let read = Stretch { page: Page { items, next: next.map(Cursor) }, looked };
            if let Some(page) = reader.accept(db, read).await? {
                return Ok(page);
            }
        }
    }

    /// The statement that finds those that may be meant, each with its place in the list and its seq. None if there are
    /// none.
    async fn candidates(&self, db: &Session) -> Result<Option<String>, Fault> {
        if self.filter.reference.is_some() {
            let sql = "SELECT DISTINCT passport AS place, passport AS seq FROM recipient \
                       WHERE reference = $8 AND passport >= $1 ORDER BY passport LIMIT $4";
            return Ok(Some(sql.to_owned()));
        }
        let between = "seq >= low AND seq < high";
        let tagged = |nth: usize| {
            format!("(SELECT seq FROM tagged WHERE tag = ($3::integer[])[{nth}] AND {between} ORDER BY seq LIMIT $4)")
        };
        let counts = self.counts(db).await?;
        if !self.is_any_counted(&counts) {
            return Ok(None);
        }
        let in_gap = match &self.wanted {
            None => format!("SELECT seq FROM passport WHERE {between} ORDER BY seq LIMIT $4"),
            Some(Wanted { rule: Rule::Or, tags }) => {
                let branches = (1..=tags.len()).map(tagged).collect::<Vec<_>>().join(" UNION ALL ");
                format!("SELECT DISTINCT seq FROM ({branches}) AS branch ORDER BY seq LIMIT $4")
            }
            Some(Wanted { rule: Rule::And, .. }) => {
                // Who has all of the tags has the rarest of them.
                let rarest = counts.tags.iter().zip(1..).min_by_key(|((_, counts), _)| counts.total());
                tagged(rarest.map_or(1, |(_, nth)| nth))
            }
        };
        Ok(Some(format!(
            "{VISIBLE} SELECT seq AS place, seq FROM visible CROSS JOIN LATERAL ({in_gap}) AS in_gap LIMIT $4"
        )))
    }

    async fn counts(&self, db: &Session) -> Result<PoolCounts, Fault> {
        let tags = self.filter.selector.as_ref().map(|selector| selector.tags().to_vec()).unwrap_or_default();
        count::counts(db, TagFilter::Named(tags), self.page.now).await
    }

    /// False if the counts say that nothing will be found, so that nobody looks for it page after page.
    fn is_any_counted(&self, counts: &PoolCounts) -> bool {
        let is_counted = |counts: &StateCounts| match self.filter.state {
            Some(state) => counts.of(state) > 0,
            None => counts.total() > 0,
        };
        let mut tags = counts.tags.iter().map(|(_, counts)| counts);
        match self.wanted.as_ref().map(|wanted| wanted.rule) {
            None => is_counted(&counts.all),
            Some(Rule::And) => tags.all(is_counted),
            Some(Rule::Or) => tags.any(is_counted),
        }
    }

    /// Those of the candidates that are meant, and the place of the first that the page has no room for.
    async fn find(
        &self,
        db: &Session,
        candidates: &str,
        range: Range<i64>,
    ) -> Result<(Vec<ListedPassport>, Option<i64>), Fault> {
        // What is looked up row by row comes in the order of the candidates.
        let sql = format!(
            "SELECT passport.*, place FROM ({candidates}) AS candidate CROSS JOIN LATERAL (
                SELECT * FROM passport WHERE passport.seq = candidate.seq {} LIMIT 1
            ) AS passport LIMIT $5",
            self.conditions()
        );
        let mut rows = self.ask(db, &sql, range).await?;
        let over = rows.get(self.page.limit).map(|over| over.try_get("place")).transpose()?;
        rows.truncate(self.page.limit);
        let rows = rows.iter().map(PassportRow::read).collect::<Result<Vec<_>, _>>()?;
        let mut names = Names::default();
        names.look_up_tags(db, &rows).await?;
        let listed = rows.iter().map(|row| Ok(listed(row, self.page.now, names.tags(row)?)));
        Ok((listed.collect::<Result<_, Fault>>()?, over))
    }

    /// The last place that a page looks at, if there may be more behind it.
    async fn end_of_look(&self, db: &Session, candidates: &str, range: Range<i64>) -> Result<Option<i64>, Fault> {
        let sql = format!("SELECT place FROM ({candidates}) AS candidate OFFSET $4 - 1 LIMIT 1");
        self.ask(db, &sql, range).await?.first().map(|row| Ok(row.try_get(0)?)).transpose()
    }

    fn conditions(&self) -> String {
        let mut conditions = String::new();
        match self.wanted.as_ref().map(|wanted| wanted.rule) {
            None => {}
            Some(Rule::And) => conditions.push_str(" AND tags @> $3"),
            Some(Rule::Or) => conditions.push_str(" AND tags && $3"),
        }
        if self.filter.state.is_some() {
            conditions.push_str(&format!(" AND {COUNTS_AS} = $6"));
        }
        if self.filter.reference.is_some() {
            conditions.push_str(&format!(
                " AND {COUNTS_AS} <> 0 AND EXISTS (SELECT 1 FROM recipient WHERE recipient.passport = passport.seq \
                 AND recipient.reservation = passport.reservation AND recipient.reference = $8)"
            ));
        }
        if self.filter.changed_since.is_some() {
            conditions.push_str(" AND changed_at >= $9");
        }
        conditions
    }

    /// Asks with the parameters that all statements here have.
    async fn ask(&self, db: &Session, sql: &str, range: Range<i64>) -> Result<Vec<Row>, Fault> {
        let tags = self.wanted.as_ref().map(|wanted| wanted.tags.clone()).unwrap_or_default();
        let limit = self.page.limit as i64 + 1;
        let state = self.filter.state.map(|state| state as i16);
        let reference = self.filter.reference.as_ref().map(Reference::as_str);
        let since = self.filter.changed_since.map(Timestamp::as_micros);
        let now = self.page.now.as_micros();
        db.query(sql, typed![range.start, range.end, tags, LOOK_AT, limit, state, now, reference, since]).await
    }
}

fn listed(row: &PassportRow, now: Timestamp, tags: Tags) -> ListedPassport {
    let state = row.state.clone().as_of(now);
    let hand_out = state.hand_out();
    ListedPassport {
        passport: row.id,
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

async fn kiosk_name(db: &Session, kiosk: i32) -> Result<Option<KioskName>, Fault> {
    let row = db.query_opt("SELECT name FROM kiosk WHERE id = $1", typed![kiosk]).await?;
    let Some(row) = row else { return Ok(None) };
    KioskName::parse(row.try_get(0)?).map(Some).map_err(|error| Fault::Damaged(error.to_string()))
}
