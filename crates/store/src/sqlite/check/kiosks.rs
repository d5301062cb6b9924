//! Each passport of a kiosk has the visit that took it, and no visit has another passport.

use passpool_core::Timestamp;
use rusqlite::Connection;

use super::{super::kiosk, find_each, unless_damaged};
use crate::{CheckReport, Fault};

const WRONG: [(&str, &str); 4] = [
    (
        "SELECT 'passport ' || id FROM passport WHERE kiosk IS NOT NULL AND seq NOT IN (SELECT passport FROM visit)",
        "its visit is missing",
    ),
    (
        "SELECT 'passport ' || id FROM visit JOIN passport ON seq = passport WHERE passport.kiosk IS NOT visit.kiosk",
        "a visit has it, and its kiosk has not",
    ),
    (
        "SELECT 'passport ' || id FROM visit JOIN passport ON seq = passport \
         WHERE address IS NOT NULL AND state NOT IN (1, 2)",
        "its visit counts as held, and it is not",
    ),
    (
        "SELECT 'passport number ' || passport FROM visit WHERE passport NOT IN (SELECT seq FROM passport)",
        "a visit has it, and it does not exist",
    ),
];

pub(super) fn check(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    unless_damaged(kiosk::list(db, Timestamp::from_micros(0)).map(drop), "kiosks", report)?;
    WRONG.iter().try_for_each(|(sql, wrong)| find_each(db, report, sql, wrong))
}
