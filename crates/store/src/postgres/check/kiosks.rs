//! Each passport of a kiosk has the visit that took it, and no visit has another passport.

use passpool_core::Timestamp;

use super::{
    super::{connection::Session, kiosk},
    find_each, judge, unless_damaged,
};
use crate::{CheckReport, Fault};

const VISITS: &str = "visit LEFT JOIN passport ON passport.seq = visit.passport";

const WRONG_OF_VISITS: [(&str, &str); 4] = [
    ("passport.seq IS NULL", "a visit has it, and it does not exist"),
    (
        "passport.seq IS NOT NULL AND passport.kiosk IS DISTINCT FROM visit.kiosk",
        "a visit has it, and its kiosk has not",
    ),
    ("visit.address IS NOT NULL AND passport.state NOT IN (1, 2)", "its visit counts as held, and it is not"),
    ("passport.seq IS NOT NULL AND visit.owner IS DISTINCT FROM passport.owner", "its visit has another owner"),
];

pub(super) async fn check(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    let missing = "SELECT 'passport ' || id FROM passport LEFT JOIN visit ON visit.passport = seq
        WHERE passport.kiosk IS NOT NULL AND visit.passport IS NULL";
    find_each(db, report, missing, "its visit is missing").await?;
    let place = "coalesce('passport ' || passport.id, 'passport number ' || visit.passport)";
    judge(db, report, (VISITS, place), &WRONG_OF_VISITS).await?;
    unless_damaged(kiosk::list(db, Timestamp::from_micros(0)).await.map(drop), "kiosks", report)
}
