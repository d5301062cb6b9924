//! Users, profiles and keys can be read, belong together, and leave somebody in charge.

use passpool_core::{ProfileName, Right, Rights};
use rusqlite::Connection;

use super::{super::user, find_each, unless_damaged};
use crate::{CheckReport, Fault};

const WRONG: [(&str, &str); 7] = [
    ("SELECT 'user ' || name FROM user WHERE profile NOT IN (SELECT id FROM profile)", "its profile does not exist"),
    (
        "SELECT 'profile ' || name FROM profile \
         WHERE is_own AND NOT EXISTS (SELECT 1 FROM user WHERE profile = profile.id)",
        "it was made for one user, and nobody has it",
    ),
    ("SELECT 'profile ' || name FROM profile WHERE is_own NOT IN (0, 1)", "whose it is is unreadable"),
    ("SELECT 'key ' || head FROM api_key WHERE user NOT IN (SELECT id FROM user)", "it belongs to nobody"),
    ("SELECT 'key ' || head FROM api_key WHERE length(digest) != 32", "its digest is none, so that it opens nothing"),
    (
        "SELECT 'key ' || head FROM api_key GROUP BY user, head HAVING count(*) > 1",
        "another key of the same user begins like this",
    ),
    ("SELECT 'key ' || head FROM api_key WHERE used_at % 60000000 != 0", "its last use is not told to the minute"),
];

pub(super) fn check(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    for (sql, wrong) in WRONG {
        find_each(db, report, sql, wrong)?;
    }
    check_profiles(db, report)?;
    let users = user::list(db).map(|users| {
        if !users.iter().any(|user| user.rights.contains(Right::Admin)) {
            report.find("users", "nobody has the right admin");
        }
    });
    unless_damaged(users, "users", report)
}

fn check_profiles(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT name, rights FROM profile")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, rights): (String, String) = (row.get(0)?, row.get(1)?);
        if ProfileName::parse(&name).is_err() {
            report.find(format!("profile {name}"), "its name is none");
        }
        if let Err(error) = Rights::parse(&rights) {
            report.find(format!("profile {name}"), error.to_string());
        }
    }
    Ok(())
}
