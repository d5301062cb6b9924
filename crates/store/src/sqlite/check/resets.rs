//! Whatever is remembered of a reset or of a preview can be read, is about passports that exist, and is what the journal
//! tells of.

use passpool_core::Actor;
use rusqlite::Connection;

use super::{
    super::{
        preview::{self, Seen},
        undo,
    },
    find_each,
};
use crate::{CheckReport, Fault};

const WRONG: [(&str, &str); 4] = [
    ("SELECT 'reset ' || hex(id) FROM reset WHERE length(id) != 16", "its name is none"),
    ("SELECT 'preview ' || hex(id) FROM preview WHERE length(id) != 16", "its name is none"),
    (
        "SELECT 'preview rp_' || lower(hex(preview)) || ', chunk ' || chunk FROM preview_chunk \
         WHERE preview NOT IN (SELECT id FROM preview)",
        "its preview does not exist",
    ),
    (
        "SELECT 'journal row ' || changed FROM reset_passport GROUP BY changed HAVING count(*) > 1",
        "two resets remember that they are what it tells of",
    ),
];

/// Of what a reset took from a passport: the condition, and what is wrong where it holds.
const WRONGLY_TAKEN: [(&str, &str); 8] = [
    ("passport NOT IN (SELECT seq FROM passport)", "the passport does not exist"),
    ("reset NOT IN (SELECT id FROM reset)", "the reset does not exist"),
    (
        "reset IN (SELECT id FROM reset WHERE undone IS NOT NULL)",
        "the reset was undone, and what it took is still remembered",
    ),
    ("state NOT IN (1, 2, 5)", "a passport in such a state is not reset"),
    ("secret IS NOT NULL AND secret NOT IN (SELECT id FROM secret)", "its secret does not exist"),
    ("reservation IS NOT NULL AND reservation NOT IN (SELECT id FROM reservation)", "its reservation does not exist"),
    (
        "(kiosk IS NULL) != (visitor IS NULL) OR kiosk IS NOT NULL AND kiosk NOT IN (SELECT id FROM kiosk)",
        "its kiosk or its visitor does not exist",
    ),
    (
        "NOT EXISTS (SELECT 1 FROM journal JOIN passport ON passport.id = journal.passport \
         WHERE journal.seq = reset_passport.changed AND kind = 'reset' AND passport.seq = reset_passport.passport)",
        "the journal does not tell of it",
    ),
];

pub(super) fn check(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    for (sql, wrong) in WRONG {
        find_each(db, report, sql, wrong)?;
    }
    for (condition, wrong) in WRONGLY_TAKEN {
        let place = "'reset rs_' || lower(hex(reset)) || ', passport number ' || passport";
        find_each(db, report, &format!("SELECT {place} FROM reset_passport WHERE {condition}"), wrong)?;
    }
    undo::check_readable(db, |wrong| report.find("resets", wrong))?;
    check_actors(db, report)?;
    check_previews(db, report)
}

fn check_actors(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT lower(hex(id)), actor FROM reset")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if row.get_ref(1)?.as_str()?.parse::<Actor>().is_err() {
            report.find(format!("reset rs_{}", row.get::<_, String>(0)?), "its actor is unknown");
        }
    }
    Ok(())
}

/// Each passport of a preview exists, and was seen with a row of its own history as the last one.
fn check_previews(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let sql = "SELECT 1 FROM passport JOIN journal ON journal.passport = passport.id \
               WHERE passport.seq = ?1 AND journal.seq = ?2 AND journal.seq <= passport.changed";
    let mut was = db.prepare(sql)?;
    preview::each_chunk(db, |place, seen| {
        let Some(seen) = seen else {
            report.find(place, "it is unreadable");
            return Ok(());
        };
        for Seen { seq, changed } in seen {
            if !was.exists((seq, changed))? {
                report.find(place.clone(), format!("passport number {seq} was never as it was seen"));
            }
        }
        Ok(())
    })
}
