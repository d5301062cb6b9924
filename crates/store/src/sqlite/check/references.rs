//! Every number that points to a row of another table points to one, and a passport has what its state has and no more.

use passpool_core::Tag;
use rusqlite::Connection;

use super::{super::setting, find_each, unless_damaged};
use crate::{CheckReport, Fault};

const WRONG: [(&str, &str); 9] = [
    (
        "SELECT 'passport ' || id FROM passport \
         WHERE content IS NOT NULL AND content NOT IN (SELECT id FROM content)",
        "its content does not exist",
    ),
    (
        "SELECT 'passport ' || id FROM passport WHERE secret IS NOT NULL AND secret NOT IN (SELECT id FROM secret)",
        "its secret does not exist",
    ),
    (
        "SELECT 'passport ' || id FROM passport \
         WHERE reservation IS NOT NULL AND reservation NOT IN (SELECT id FROM reservation)",
        "its reservation does not exist",
    ),
    (
        "SELECT 'passport ' || id FROM passport WHERE kiosk IS NOT NULL AND kiosk NOT IN (SELECT id FROM kiosk)",
        "its kiosk does not exist",
    ),
    // A reset forgets what made a link good: nothing of it may be left behind.
    (
        "SELECT 'passport ' || id FROM passport WHERE state IN (0, 5, 6) AND coalesce(number, handed_at, until, \
         reservation, owner, settle_by, kiosk) IS NOT NULL",
        "nobody has it, and it remembers a hand-out",
    ),
    (
        "SELECT 'passport ' || id FROM passport WHERE state IN (5, 6) AND coalesce(secret, sealed) IS NOT NULL \
         OR state != 0 AND printed IS NOT NULL",
        "it has a code, and its state has none",
    ),
    (
        "SELECT 'passport ' || id FROM passport WHERE state IN (1, 2) AND coalesce(owner, settle_by) IS NOT NULL \
         OR state = 4 AND settle_by IS NOT NULL",
        "it remembers a transfer, and there is none",
    ),
    // What an import hides nobody can have had.
    (
        "SELECT 'passport ' || id FROM hidden JOIN passport ON seq BETWEEN chunk << 12 AND (chunk << 12) + 4095 \
         WHERE state != 0",
        "it stands among those of a running import, and is not available",
    ),
    ("SELECT 'chunk ' || chunk FROM hidden WHERE import NOT IN (SELECT id FROM import)", "its import does not exist"),
];

pub(super) fn check(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    for (sql, wrong) in WRONG {
        find_each(db, report, sql, wrong)?;
    }
    unless_damaged(setting::link_settings(db).map(drop), "settings", report)?;
    check_tags(db, report)
}

fn check_tags(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let mut statement =
        db.prepare("SELECT DISTINCT tag FROM tagged WHERE tag != 0 AND tag NOT IN (SELECT id FROM tag)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        report.find(format!("tag number {}", row.get::<_, i64>(0)?), "passports have it, and it does not exist");
    }
    let mut statement = db.prepare("SELECT id, name FROM tag")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if Tag::parse(row.get_ref(1)?.as_str()?).is_err() {
            report.find(format!("tag number {}", row.get::<_, i64>(0)?), "its name is no tag");
        }
    }
    Ok(())
}
