//! Making a database, and bringing an older one up to date.

use std::time::Duration;

use passpool_core::{Fingerprint, SecretId};

use super::{
    connection::{Connections, Session},
    pick::routine,
    typed::typed,
    user,
};
use crate::{Fault, Found};

/// Old servers go on beside new ones. So a migration only adds, and gives what it adds to a table a default, for old
/// servers do not write it; what is no longer needed goes with a later version. Whoever comes after a migration that waits
/// for a table waits behind it: so each but the first begins with a limit, and gives up before they do.
mod migrations {
    refinery::embed_migrations!("src/postgres/migrations");
}

/// The oldest PostgreSQL that knows every setting that statements are run with.
const OLDEST: i32 = 140_000;

/// How soon whoever found another server at work looks whether it is done.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What a database is to us.
pub(super) enum Standing {
    /// Not ours, and not empty.
    Foreign,
    Newer {
        version: i64,
    },
    Found(Found),
}

pub(super) async fn probe(db: &Session) -> Result<Standing, Fault> {
    // Asked for first: tables that another server makes between the two questions are then known to be its.
    let sql = "SELECT to_regclass('passport') IS NOT NULL OR to_regclass('journal') IS NOT NULL";
    let has_tables: bool = db.query_one(sql, typed![]).await?.try_get(0)?;
    let version = applied_version(db).await?;
    if version > known_version() {
        return Ok(Standing::Newer { version });
    }
    if version == 0 {
        // Half made is as good as nothing: what makes it a database comes in one step.
        return Ok(if has_tables { Standing::Foreign } else { Standing::Found(Found::Nothing) });
    }
    Ok(Standing::Found(fingerprint(db).await?.map_or(Found::Nothing, Found::Database)))
}

/// Refuses a server that would lose what it has acknowledged, or that is too old.
pub(super) async fn judge_server(db: &Session) -> Result<(), Fault> {
    let sql = "SELECT current_setting('server_version_num')::integer, current_setting('fsync'), \
               current_setting('synchronous_commit'), current_setting('server_encoding')";
    let row = db.query_one(sql, typed![]).await?;
    if row.try_get::<_, i32>(0)? < OLDEST {
        return Err(Fault::Database("it is older than PostgreSQL 14".into()));
    }
    for (column, setting) in [(1, "fsync"), (2, "synchronous_commit")] {
        if row.try_get::<_, &str>(column)? == "off" {
            let lost = format!("{setting} is off there: a crash would lose passports that were handed out");
            return Err(Fault::Database(lost));
        }
    }
    match row.try_get::<_, &str>(3)? {
        "UTF8" => Ok(()),
        other => Err(Fault::Database(format!("its encoding is {other}, and has to be UTF8"))),
    }
}

/// Brings the schema up to date, one server at a time. What makes a database one, its secret and its admin, comes last
/// and in one step, so that a cut leaves either a database or something that the next attempt goes on with.
pub(super) async fn migrate(connections: &Connections, secret: Option<Fingerprint>) -> Result<(), Fault> {
    while !is_done(&connections.session().await?, secret).await? {
        // Held by a transaction of its own: the migrations' are refinery's.
        let turn = connections.session().await?;
        turn.begin("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0").await?;
        let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended('passpool migration ' || current_schema(), 0))";
        if turn.query_one(sql, typed![]).await?.try_get(0)? {
            let done = migrate_alone(connections, secret).await;
            turn.run("COMMIT").await?;
            return done;
        }
        turn.run("ROLLBACK").await?;
        drop(turn);
        // Whoever waits holds no connection: behind a pooler they are few, and the one whose turn it is needs two.
        tokio::time::sleep(ASK_AGAIN).await;
    }
    Ok(())
}

async fn is_done(db: &Session, secret: Option<Fingerprint>) -> Result<bool, Fault> {
    let is_whole = applied_version(db).await? >= known_version() && routine::is_there(db).await?;
    Ok(is_whole && (secret.is_none() || fingerprint(db).await?.is_some()))
}

/// Waits until nobody makes a database or brings one up to date, and keeps others from it until the transaction ends.
pub(super) async fn lock_migrations(db: &Session) -> Result<(), Fault> {
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended('passpool migration ' || current_schema(), 0))";
    db.query(sql, typed![]).await.map(drop)
}

async fn migrate_alone(connections: &Connections, secret: Option<Fingerprint>) -> Result<(), Fault> {
    let mut db = connections.session().await?;
    if applied_version(&db).await? < known_version() {
        let runner = migrations::migrations::runner().set_grouped(true);
        runner.run_async(db.client_mut()).await.map_err(|error| not_migrated(&error))?;
    }
    routine::install(&db).await?;
    let Some(secret) = secret else { return Ok(()) };
    if fingerprint(&db).await?.is_some() {
        return Ok(());
    }
    db.begin("BEGIN").await?;
    let sql = "INSERT INTO secret (id, fingerprint) VALUES ($1, $2)";
    let made = async {
        db.execute(sql, typed![i16::from(SecretId::FIRST.0), secret.as_bytes().to_vec()]).await?;
        user::add_admin(&db).await?;
        db.commit().await
    };
    made.await.inspect_err(|_| db.abandon())
}

/// Why the schema is as it was. What the database said of it stands at the end of the causes.
fn not_migrated(error: &refinery::Error) -> Fault {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Fault::Database(format!("its schema could not be brought up to date: {cause}"))
}

/// A question that a working database answers.
pub(super) async fn ask(db: &Session) -> Result<(), Fault> {
    db.query_one("SELECT id FROM secret ORDER BY id LIMIT 1", typed![]).await.map(drop)
}

pub(super) async fn fingerprint(db: &Session) -> Result<Option<Fingerprint>, Fault> {
    let sql = "SELECT fingerprint FROM secret WHERE id = $1";
    let row = db.query_opt(sql, typed![i16::from(SecretId::FIRST.0)]).await?;
    let read = |row: tokio_postgres::Row| {
        Fingerprint::try_from(row.try_get::<_, &[u8]>(0)?).map_err(|error| Fault::Damaged(error.to_string()))
    };
    row.map(read).transpose()
}

/// The number of the last migration that was run here; 0 before the first.
pub(super) async fn applied_version(db: &Session) -> Result<i64, Fault> {
    let there = "SELECT to_regclass('refinery_schema_history') IS NOT NULL";
    if !db.query_one(there, typed![]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let row = db.query_one("SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history", typed![]).await?;
    Ok(row.try_get(0)?)
}

pub(super) fn known_version() -> i64 {
    let runner = migrations::migrations::runner();
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT_BRIEFLY: &str = "SET LOCAL lock_timeout = '3s';";

    #[test]
    fn a_migration_of_a_database_that_is_in_use_does_not_keep_everybody_waiting() {
        let runner = migrations::migrations::runner();
        let later = runner.get_migrations().iter().filter(|migration| migration.version() > 1);
        for migration in later {
            let sql = migration.sql().expect("it has statements");
            assert!(sql.starts_with(WAIT_BRIEFLY), "{migration} does not begin with {WAIT_BRIEFLY}");
        }
    }
}
