//! Users, profiles and keys can be read, belong together, and leave somebody in charge.

use passpool_core::{ProfileName, Right, Rights};

use super::{
    super::{connection::Session, typed::typed, user},
    find_each, unless_damaged,
};
use crate::{CheckReport, Fault};

const WRONG: [(&str, &str); 5] = [
    (
        "SELECT 'user ' || account.name FROM account LEFT JOIN profile ON profile.id = profile WHERE profile.id IS NULL",
        "its profile does not exist",
    ),
    (
        "SELECT 'profile ' || profile.name FROM profile LEFT JOIN account ON account.profile = profile.id
            WHERE is_own AND account.id IS NULL",
        "it was made for one user, and nobody has it",
    ),
    (
        "SELECT 'key ' || head FROM api_key LEFT JOIN account ON account.id = account WHERE account.id IS NULL",
        "it belongs to nobody",
    ),
    ("SELECT 'key ' || head FROM api_key WHERE length(digest) <> 32", "its digest is none, so that it opens nothing"),
    ("SELECT 'key ' || head FROM api_key WHERE used_at % 60000000 <> 0", "its last use is not told to the minute"),
];

pub(super) async fn check(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    for (sql, wrong) in WRONG {
        find_each(db, report, sql, wrong).await?;
    }
    for row in db.query("SELECT name, rights FROM profile", typed![]).await? {
        let (name, rights): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        if ProfileName::parse(name).is_err() {
            report.find(format!("profile {name}"), "its name is none");
        }
        if let Err(error) = Rights::parse(rights) {
            report.find(format!("profile {name}"), error.to_string());
        }
    }
    let users = user::list(db).await.map(|users| {
        if !users.iter().any(|user| user.rights.contains(Right::Admin)) {
            report.find("users", "nobody has the right admin");
        }
    });
    unless_damaged(users, "users", report)
}
