//! Lists of passports, and one passport whole.
//!
//! A list finds its passports in one of three ways: by a tag, or all there are, in the order of creation; by the
//! recipients of a reference; or by the journal from a moment on. Whichever it is, a page looks at a bounded number of
//! passports.

use std::{fmt::Write as _, ops::Range};

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
    tagged::{self, BLOCK},
    tags::Wanted,
    typed::typed,
};
use crate::{Cursor, Fault, ListedPassport, Page, PassportFilter, PassportNow, PassportPage, StateCounts, TagFilter};

/// How many passports are looked at for one page: some milliseconds' worth, as they may be far from each other.
const LOOK_AT: i64 = 1_000;
/// How many rows of the journal are passed over for one page.
const PASS_OVER: i64 = 10_000;

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

/// Where a list looks.
struct Candidates {
    /// A statement for those that may be meant, each with its `place` in the list and its `seq`.
    sql: String,
    /// True if only those come that have the tags.
    have_tags: bool,
}

impl List<'_> {
    /// In the order of creation.
    async fn made(&self, db: &Session) -> Result<Page<ListedPassport>, Fault> {
        let Some(candidates) = self.candidates(db).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let range = self.page.after.map_or(0, |after| after.0 + 1)..i64::MAX;
        let (items, next) = self.find(db, &candidates, range).await?;
        Ok(Page { items, next: next.map(Cursor) })
    }

    /// In the order of the last change, from a place in the journal on.
    async fn changed(&self, connections: &Connections, first: i64) -> Result<Page<ListedPassport>, Fault> {
        // A passport's last change is as old as its row of the journal.
        let sql = "SELECT journal.seq AS place, (
                SELECT passport.seq FROM passport WHERE id = journal.passport AND changed = journal.seq
            ) AS seq FROM (
                SELECT seq, passport, at FROM journal WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $9
            ) AS journal WHERE at >= $10 LIMIT $4";
        let candidates = Candidates { sql: sql.to_owned(), have_tags: false };
        let from = self.page.after.map_or(first, |after| first.max(after.0 + 1));
        let mut reader = journal::Reader::new(connections);
        loop {
            let (db, behind) = reader.look().await?;
            let (items, next) = self.find(&db, &candidates, from..behind).await?;
            let looked = Looked::at(&db, from..next.map_or(behind, |next| next + 1), PASS_OVER).await?;
            let next = next.or(looked.more());
            let read = Stretch { page: Page { items, next: next.map(Cursor) }, looked };
            if let Some(page) = reader.accept(db, read).await? {
                return Ok(page);
            }
        }
    }

    /// None if there are none.
    async fn candidates(&self, db: &Session) -> Result<Option<Candidates>, Fault> {
        if self.filter.reference.is_some() {
            let sql = "SELECT DISTINCT passport AS place, passport AS seq FROM recipient \
                       WHERE reference = $8 AND passport >= $1 ORDER BY passport LIMIT $4";
            return Ok(Some(Candidates { sql: sql.to_owned(), have_tags: false }));
        }
        let Some(rarest) = self.rarest(db).await? else { return Ok(None) };
        let between = "seq >= low AND seq < high";
        let with_tag = |nth: usize| {
            // Each block has a passport, and only the first one may have none that is behind the last page.
            let blocks = format!(
                "SELECT block, bits FROM tagged WHERE tag = ($3::integer[])[{nth}] AND block >= low >> {BLOCK} \
                 AND block < high >> {BLOCK} ORDER BY block LIMIT $4 + 1"
            );
            format!("({} LIMIT $4)", tagged::seqs_of(&blocks, "low"))
        };
        let in_gap = match &self.wanted {
            None => format!("SELECT seq FROM passport WHERE {between} ORDER BY seq LIMIT $4"),
            Some(Wanted { rule: Rule::Or, tags }) => {
                let branches = (1..=tags.len()).map(with_tag).collect::<Vec<_>>().join(" UNION ALL ");
                format!("SELECT DISTINCT seq FROM ({branches}) AS branch ORDER BY seq LIMIT $4")
            }
            // The others are looked for in the passport's row.
            Some(Wanted { rule: Rule::And, .. }) => with_tag(rarest),
        };
        let sql =
            format!("{VISIBLE} SELECT seq AS place, seq FROM visible CROSS JOIN LATERAL ({in_gap}) AS in_gap LIMIT $4");
        let have_tags = self.wanted.as_ref().is_none_or(|wanted| wanted.rule == Rule::Or || wanted.tags.len() == 1);
        Ok(Some(Candidates { sql, have_tags }))
    }

    /// Which of the tags the fewest passports have, as far as it matters: who has all of the tags has that one. None if
    /// the counts say that nothing will be found, so that nobody looks for it page after page.
    async fn rarest(&self, db: &Session) -> Result<Option<usize>, Fault> {
        let rule = self.wanted.as_ref().map(|wanted| wanted.rule);
        let tags = self.filter.selector.as_ref().map(|selector| selector.tags().to_vec()).unwrap_or_default();
        if self.filter.state.is_none() && (rule != Some(Rule::And) || tags.len() == 1) {
            return Ok(Some(1));
        }
        let counts = count::counts(db, TagFilter::Named(tags), self.page.now).await?;
        let is_any = |counts: &StateCounts| match self.filter.state {
            Some(state) => counts.of(state) > 0,
            None => counts.total() > 0,
        };
        let mut by_tag = counts.tags.iter().map(|(_, counts)| counts);
        let may_be_found = match rule {
            None => is_any(&counts.all),
            Some(Rule::And) => by_tag.all(is_any),
            Some(Rule::Or) => by_tag.any(is_any),
        };
        let rarest = counts.tags.iter().zip(1..).min_by_key(|((_, counts), _)| counts.total());
        Ok(may_be_found.then(|| rarest.map_or(1, |(_, nth)| nth)))
    }

    /// Those of the candidates that are meant, and the last place that was looked at if there may be more behind it.
    async fn find(
        &self,
        db: &Session,
        candidates: &Candidates,
        range: Range<i64>,
    ) -> Result<(Vec<ListedPassport>, Option<i64>), Fault> {
        let Candidates { sql: candidate, .. } = candidates;
        // What is looked up row by row comes in the order of the candidates.
        let sql = format!(
            "SELECT passport.*, place FROM ({candidate}) AS candidate CROSS JOIN LATERAL (
                SELECT * FROM passport WHERE passport.seq = candidate.seq {} LIMIT 1
            ) AS passport LIMIT $5",
            self.conditions(candidates)
        );
        let ((), mut rows) = tokio::try_join!(db.run(KEEP_NESTED_LOOPS), self.ask(db, &sql, range.clone()))?;
        let next = match rows.get(self.page.limit) {
            Some(over) => Some(over.try_get::<_, i64>("place")? - 1),
            None => {
                let sql = format!("SELECT place FROM ({candidate}) AS candidate OFFSET $4 - 1 LIMIT 1");
                self.ask(db, &sql, range).await?.first().map(|row| row.try_get("place")).transpose()?
            }
        };
        rows.truncate(self.page.limit);
        let rows = rows.iter().map(PassportRow::read).collect::<Result<Vec<_>, _>>()?;
        let mut names = Names::default();
        names.look_up_tags(db, &rows).await?;
        let listed = rows.iter().map(|row| Ok(listed(row, self.page.now, names.tags(row)?)));
        Ok((listed.collect::<Result<_, Fault>>()?, next))
    }

    /// What a passport has to be.
    fn conditions(&self, candidates: &Candidates) -> String {
        let mut conditions = String::new();
        match &self.wanted {
            Some(wanted) if !candidates.have_tags => conditions.push_str(match wanted.rule {
                Rule::And => " AND tags @> $3",
                Rule::Or => " AND tags && $3",
            }),
            _ => {}
        }
        if self.filter.state.is_some() {
            let _ = write!(conditions, " AND {COUNTS_AS} = $6");
        }
        if self.filter.reference.is_some() {
            let _ = write!(
                conditions,
                " AND {COUNTS_AS} <> 0 AND EXISTS (SELECT 1 FROM recipient WHERE recipient.passport = passport.seq \
                 AND recipient.reservation = passport.reservation AND recipient.reference = $8)"
            );
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
        let parameters = typed![range.start, range.end, tags, LOOK_AT, limit, state, now, reference, PASS_OVER, since];
        db.query(sql, parameters).await
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
