//! Every number that points to a row of another table points to one, and what is hidden is nobody's.

use passpool_core::Tag;

use super::{
    super::{connection::Session, setting, typed::typed},
    find_each, judge, unless_damaged,
};
use crate::{CheckReport, Fault};

/// Passports, and the rows that each points to.
const PASSPORTS: &str = "passport LEFT JOIN content ON content.id = passport.content
    LEFT JOIN secret ON secret.id = passport.secret
    LEFT JOIN reservation ON reservation.id = passport.reservation
    LEFT JOIN kiosk ON kiosk.id = passport.kiosk";

const WRONG_OF_PASSPORTS: [(&str, &str); 4] = [
    ("passport.content IS NOT NULL AND content.id IS NULL", "its content does not exist"),
    ("passport.secret IS NOT NULL AND secret.id IS NULL", "its secret does not exist"),
    ("passport.reservation IS NOT NULL AND reservation.id IS NULL", "its reservation does not exist"),
    ("passport.kiosk IS NOT NULL AND kiosk.id IS NULL", "its kiosk does not exist"),
];

const WRONG: [(&str, &str); 3] = [
    (
        "SELECT 'passport ' || posted.id FROM (SELECT id, unnest(tags) AS number FROM passport) AS posted
            LEFT JOIN tag ON tag.id = number WHERE tag.id IS NULL",
        "a tag of it does not exist",
    ),
    // What an import hides nobody can have had.
    (
        "SELECT 'passport ' || id FROM hidden JOIN passport ON seq >= chunk << 12 AND seq < (chunk + 1) << 12
            WHERE state <> 0",
        "it stands among those of a running import, and is not available",
    ),
    (
        "SELECT 'chunk ' || chunk FROM hidden LEFT JOIN import ON import.id = import WHERE import.id IS NULL",
        "its import does not exist",
    ),
];

pub(super) async fn check(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    judge(db, report, (PASSPORTS, "'passport ' || passport.id"), &WRONG_OF_PASSPORTS).await?;
    for (sql, wrong) in WRONG {
        find_each(db, report, sql, wrong).await?;
    }
    unless_damaged(setting::link_settings(db).await.map(drop), "settings", report)?;
    for row in db.query("SELECT id, name FROM tag", typed![]).await? {
        if Tag::parse(row.try_get(1)?).is_err() {
            report.find(format!("tag number {}", row.try_get::<_, i32>(0)?), "its name is no tag");
        }
    }
    Ok(())
}
