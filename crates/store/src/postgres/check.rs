//! Checking: everything is read at one moment, and compared with what follows from it.
//!
//! What a check proves is written in `docs/architecture.md`, invariant by invariant.

use std::{collections::HashSet, pin::pin};

use futures_util::TryStreamExt as _;
use passpool_core::{Actor, Event, Right, StateName, Tag, Timestamp};
use tokio_postgres::{Row, RowStream};

use super::{connection::Session, history, passport::PassportRow, tally, typed::typed};
use crate::{CheckReport, Fault};

/// What is known of a passport while the rest is read. Passports stand in order of their ids.
struct Known {
    id: i64,
    state: StateName,
    changed: i64,
    /// The journal's last row about it so far, when that was, and the state that its rows leave it in.
    last_row: Option<i64>,
    last_at: i64,
    told: Option<StateName>,
}

/// Wants a transaction that sees one moment.
pub(super) async fn check(db: &Session) -> Result<CheckReport, Fault> {
    let mut report = CheckReport::default();
    let mut known = read_passports(db, &mut report).await?;
    check_journal(db, &mut known, &mut report).await?;
    drop(known);
    for (place, wrong, sql) in WRONG {
        for row in db.query(sql, typed![]).await? {
            report.find(format!("{place} {}", row.try_get::<_, String>(0)?), *wrong);
        }
    }
    tally::check(db, &mut report).await?;
    check_names(db, &mut report).await?;
    check_users(db, &mut report).await?;
    Ok(report)
}

/// What must not be found: where it is, what is wrong, and the statement that names the places.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "passport number",
        "it is missing from the pool of a tag",
        "SELECT posted.seq::text FROM
            (SELECT unnest(tags) AS tag, seq FROM passport WHERE state = 0 AND printed IS NULL) AS posted
            LEFT JOIN pool ON pool.tag = posted.tag AND pool.seq = posted.seq WHERE pool.seq IS NULL",
    ),
    (
        "passport number",
        "it does not belong into the pool of a tag",
        "SELECT pool.seq::text FROM pool LEFT JOIN passport ON passport.seq = pool.seq
            WHERE passport.seq IS NULL OR state <> 0 OR printed IS NOT NULL OR pool.tag <> ALL(tags)",
    ),
    (
        "passport number",
        "it is missing from those that have a tag",
        "SELECT posted.seq::text FROM (SELECT unnest(tags) AS tag, seq FROM passport) AS posted
            LEFT JOIN tagged ON tagged.tag = posted.tag AND tagged.seq = posted.seq WHERE tagged.seq IS NULL",
    ),
    (
        "passport number",
        "it does not belong to those that have a tag",
        "SELECT tagged.seq::text FROM tagged LEFT JOIN passport ON passport.seq = tagged.seq
            WHERE passport.seq IS NULL OR tagged.tag <> ALL(tags)",
    ),
    (
        "passport",
        "its end is not among what ends",
        "SELECT id::text FROM passport LEFT JOIN ending ON ending.seq = passport.seq AND is_transfer = (state = 3)
                AND at = CASE state WHEN 3 THEN settle_by ELSE until END
            WHERE (state = 3 OR (state IN (1, 2) AND until IS NOT NULL)) AND ending.seq IS NULL",
    ),
    (
        "passport number",
        "it stands among what ends, and does not",
        "SELECT ending.seq::text FROM ending LEFT JOIN passport ON passport.seq = ending.seq
            WHERE (state = 3 OR (state IN (1, 2) AND until IS NOT NULL)) IS NOT TRUE",
    ),
    (
        "passport",
        "a tag of it does not exist",
        "SELECT DISTINCT posted.id::text FROM (SELECT id, unnest(tags) AS number FROM passport) AS posted
            LEFT JOIN tag ON tag.id = number WHERE tag.id IS NULL",
    ),
    (
        "passport",
        "its tags are not sorted, or doubled",
        "SELECT id::text FROM passport
            WHERE tags <> ARRAY(SELECT DISTINCT tag FROM unnest(tags) AS tag ORDER BY tag)",
    ),
    (
        "passport",
        "its content does not exist",
        "SELECT passport.id::text FROM passport LEFT JOIN content ON content.id = content
            WHERE content IS NOT NULL AND content.id IS NULL",
    ),
    (
        "passport",
        "its secret does not exist",
        "SELECT id::text FROM passport WHERE secret IS NOT NULL AND secret NOT IN (SELECT id FROM secret)",
    ),
    (
        "passport",
        "its reservation does not exist",
        "SELECT passport.id::text FROM passport LEFT JOIN reservation ON reservation.id = reservation
            WHERE reservation IS NOT NULL AND reservation.id IS NULL",
    ),
    (
        "passport",
        "its kiosk does not exist",
        "SELECT id::text FROM passport WHERE kiosk IS NOT NULL AND kiosk NOT IN (SELECT id FROM kiosk)",
    ),
    (
        "repeat",
        "its reservation does not exist",
        "SELECT encode(record, 'hex') FROM repeat LEFT JOIN reservation ON reservation.id = reservation
            WHERE reservation.id IS NULL",
    ),
    (
        "reservation",
        "a passport of it does not exist",
        "SELECT DISTINCT encode(kept.id, 'hex') FROM (SELECT id, unnest(passports) AS kept_seq FROM reservation) AS kept
            LEFT JOIN passport ON seq = kept_seq WHERE seq IS NULL",
    ),
    (
        "reservation",
        "it has another number of passports than it counts",
        "SELECT encode(id, 'hex') FROM reservation WHERE count <> cardinality(passports)",
    ),
    (
        "recipient",
        "nothing is known of it",
        "SELECT encode(id, 'hex') FROM recipient WHERE name IS NULL AND email IS NULL AND reference IS NULL",
    ),
    (
        "recipient",
        "its passport does not exist",
        "SELECT encode(recipient.id, 'hex') FROM recipient LEFT JOIN passport ON seq = recipient.passport
            WHERE seq IS NULL",
    ),
    (
        "recipient",
        "its reservation does not exist",
        "SELECT encode(recipient.id, 'hex') FROM recipient LEFT JOIN reservation ON reservation.id = reservation
            WHERE reservation.id IS NULL",
    ),
    (
        "recipient",
        "its passport has left, and no moment is kept",
        "SELECT encode(recipient.id, 'hex') FROM recipient JOIN passport ON seq = recipient.passport
            WHERE left_at IS NULL
                AND NOT (state IN (1, 2, 3) AND passport.reservation IS NOT DISTINCT FROM recipient.reservation)",
    ),
    (
        "recipient",
        "its passport is kept as one that has left, and has not",
        "SELECT encode(recipient.id, 'hex') FROM recipient JOIN passport ON seq = recipient.passport
            WHERE left_at IS NOT NULL
                AND state IN (1, 2, 3) AND passport.reservation IS NOT DISTINCT FROM recipient.reservation",
    ),
    (
        "passport",
        "its visit is missing",
        "SELECT id::text FROM passport LEFT JOIN visit ON visit.passport = seq
            WHERE passport.kiosk IS NOT NULL AND visit.passport IS NULL",
    ),
    (
        "passport number",
        "a visit has it, and its kiosk has not",
        "SELECT visit.passport::text FROM visit LEFT JOIN passport ON seq = visit.passport
            WHERE passport.kiosk IS DISTINCT FROM visit.kiosk",
    ),
    (
        "passport",
        "its visit counts as held, and it is not",
        "SELECT id::text FROM visit JOIN passport ON seq = visit.passport
            WHERE address IS NOT NULL AND state NOT IN (1, 2)",
    ),
    (
        "passport",
        "its visit has another owner",
        "SELECT id::text FROM visit JOIN passport ON seq = visit.passport
            WHERE visit.owner IS DISTINCT FROM passport.owner",
    ),
    (
        "tally of tag number",
        "its total is not the sum of its states",
        "SELECT tag::text FROM tally
            WHERE total <> available + reserved + scanned + pending + claimed + recovered + withdrawn",
    ),
    (
        "users",
        "a key belongs to nobody",
        "SELECT DISTINCT account::text FROM api_key WHERE account NOT IN (SELECT id FROM account)",
    ),
    ("users", "a user has no profile", "SELECT name FROM account WHERE profile NOT IN (SELECT id FROM profile)"),
];

async fn read_passports(db: &Session, report: &mut CheckReport) -> Result<Vec<Known>, Fault> {
    let sql = "SELECT * FROM passport WHERE seq >> 12 NOT IN (SELECT chunk FROM hidden)";
    let mut rows = pin!(stream(db, sql).await?);
    let mut known = Vec::new();
    while let Some(row) = rows.try_next().await? {
        match PassportRow::read(&row) {
            Ok(passport) => known.push(Known {
                id: passport.id.get().cast_signed(),
                state: passport.state.name(),
                changed: passport.changed,
                last_row: None,
                last_at: i64::MIN,
                told: None,
            }),
            Err(Fault::Damaged(wrong)) => {
                report.find(format!("passport number {}", row.try_get::<_, i64>("seq")?), wrong);
            }
            Err(fault) => return Err(fault),
        }
    }
    report.passports = known.len() as u64;
    known.sort_unstable_by_key(|passport| passport.id);
    Ok(known)
}

/// Each passport's rows are a chain that begins with its making, ends where the passport says, and leaves it in the
/// state that it is in. Its time never goes back.
async fn check_journal(db: &Session, known: &mut [Known], report: &mut CheckReport) -> Result<(), Fault> {
    let hidden = "SELECT id FROM hidden JOIN passport ON seq >= chunk << 12 AND seq < (chunk + 1) << 12";
    let hidden = db.query(hidden, typed![]).await?;
    let hidden = hidden.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<i64>, _>>()?;
    let mut rows = pin!(stream(db, "SELECT seq, at, kind, passport, actor, detail FROM journal ORDER BY seq").await?);
    while let Some(row) = rows.try_next().await? {
        if !hidden.contains(&row.try_get(3)?) {
            check_row(&row, known, report)?;
        }
    }
    for passport in known {
        let place = || format!("passport {}", passport.id);
        if passport.last_row != Some(passport.changed) {
            report.find(place(), format!("the journal's row {} about its last change is missing", passport.changed));
        } else if passport.told != Some(passport.state) {
            let told = passport.told.map_or("nothing", StateName::as_str);
            report.find(place(), format!("it is {}, and the journal tells that it is {told}", passport.state));
        }
    }
    Ok(())
}

fn check_row(row: &Row, known: &mut [Known], report: &mut CheckReport) -> Result<(), Fault> {
    let (seq, at, id): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?);
    report.journal_rows += 1;
    let place = || format!("journal row {seq}");
    if row.try_get::<_, &str>(4)?.parse::<Actor>().is_err() {
        report.find(place(), "its actor is unknown");
    }
    let Some(event) = Event::parse(row.try_get(2)?) else {
        report.find(place(), "its kind is unknown");
        return Ok(());
    };
    let Ok(found) = known.binary_search_by_key(&id, |passport| passport.id) else {
        report.find(place(), format!("there is no passport {id}"));
        return Ok(());
    };
    let passport = &mut known[found];
    if history::after(row.try_get(5)?) != passport.last_row {
        report.find(place(), format!("a row about passport {id} is missing before it"));
    }
    if at < passport.last_at {
        report.find(place(), format!("its time is before that of the row about passport {id} before it"));
    }
    passport.last_row = Some(seq);
    passport.last_at = at;
    passport.told = event.leaves().or(passport.told);
    Ok(())
}

async fn check_names(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    for row in db.query("SELECT id, name FROM tag", typed![]).await? {
        if Tag::parse(row.try_get(1)?).is_err() {
            report.find(format!("tag number {}", row.try_get::<_, i32>(0)?), "its name is no tag");
        }
    }
    match super::kiosk::list(db, Timestamp::from_micros(0)).await {
        Ok(_) => {}
        Err(Fault::Damaged(wrong)) => report.find("kiosks", wrong),
        Err(fault) => return Err(fault),
    }
    Ok(())
}

async fn check_users(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    match super::user::list(db).await {
        Ok(users) if users.iter().any(|user| user.rights.contains(Right::Admin)) => {}
        Ok(_) => report.find("users", "nobody has the right admin"),
        Err(Fault::Damaged(wrong)) => report.find("users", wrong),
        Err(fault) => return Err(fault),
    }
    Ok(())
}

/// Rows as they come: all of them at once may be more than the memory holds.
async fn stream(db: &Session, sql: &str) -> Result<RowStream, Fault> {
    let no_parameters: [(&str, tokio_postgres::types::Type); 0] = [];
    Ok(db.client().query_typed_raw(sql, no_parameters).await?)
}
