//! Whatever is remembered of a reset or of a preview can be read, is about passports that exist, and is what the journal
//! tells of.

use passpool_core::Actor;

use super::{
    super::{connection::Session, typed::typed, undo},
    find_each, judge,
};
use crate::{CheckReport, Fault};

const WRONG: [(&str, &str); 3] = [
    ("SELECT 'reset ' || encode(id, 'hex') FROM reset WHERE length(id) <> 16", "its name is none"),
    ("SELECT 'preview ' || encode(id, 'hex') FROM preview WHERE length(id) <> 16", "its name is none"),
    (
        "SELECT 'journal row ' || changed FROM reset_passport GROUP BY changed HAVING count(*) > 1",
        "two resets remember that they are what it tells of",
    ),
];

/// What resets took, with the rows that each points to.
const TAKEN: &str = "reset_passport AS taken LEFT JOIN reset ON reset.id = taken.reset
    LEFT JOIN passport ON passport.seq = taken.passport
    LEFT JOIN secret ON secret.id = taken.secret
    LEFT JOIN reservation ON reservation.id = taken.reservation
    LEFT JOIN kiosk ON kiosk.id = taken.kiosk
    LEFT JOIN journal ON journal.seq = taken.changed AND journal.passport = passport.id AND journal.kind = 'reset'";

const WRONGLY_TAKEN: [(&str, &str); 8] = [
    ("passport.seq IS NULL", "the passport does not exist"),
    ("reset.id IS NULL", "the reset does not exist"),
    ("reset.undone IS NOT NULL", "the reset was undone, and what it took is still remembered"),
    ("taken.state NOT IN (1, 2, 5)", "a passport in such a state is not reset"),
    ("taken.secret IS NOT NULL AND secret.id IS NULL", "its secret does not exist"),
    ("taken.reservation IS NOT NULL AND reservation.id IS NULL", "its reservation does not exist"),
    (
        "(taken.kiosk IS NULL) <> (taken.visitor IS NULL) OR taken.kiosk IS NOT NULL AND kiosk.id IS NULL",
        "its kiosk or its visitor does not exist",
    ),
    ("journal.seq IS NULL", "the journal does not tell of it"),
];

/// What was previewed, with the row of the passport's history that was seen.
const SEEN: &str = "preview_passport AS seen LEFT JOIN preview ON preview.id = seen.preview
    LEFT JOIN passport ON passport.seq = seen.passport
    LEFT JOIN journal ON journal.seq = seen.changed AND journal.passport = passport.id AND journal.seq <= passport.changed";

const WRONGLY_SEEN: [(&str, &str); 2] =
    [("preview.id IS NULL", "its preview does not exist"), ("journal.seq IS NULL", "it was never as it was seen")];

pub(super) async fn check(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    for (sql, wrong) in WRONG {
        find_each(db, report, sql, wrong).await?;
    }
    let place = "'reset rs_' || encode(taken.reset, 'hex') || ', passport number ' || taken.passport";
    judge(db, report, (TAKEN, place), &WRONGLY_TAKEN).await?;
    let place = "'preview rp_' || encode(seen.preview, 'hex') || ', passport number ' || seen.passport";
    judge(db, report, (SEEN, place), &WRONGLY_SEEN).await?;
    undo::check_readable(db, |wrong| report.find("resets", wrong)).await?;
    for row in db.query("SELECT encode(id, 'hex'), actor FROM reset", typed![]).await? {
        if row.try_get::<_, &str>(1)?.parse::<Actor>().is_err() {
            report.find(format!("reset rs_{}", row.try_get::<_, &str>(0)?), "its actor is unknown");
        }
    }
    Ok(())
}
