//! The statement that nearly everybody waits for, as a function of the database.
//!
//! What is in it is read and planned once a connection, and not once a call. (Measured with three servers of 85
//! callers: 20,600 passports a second without it, 26,200 with it.) A prepared statement would do the same, but not behind
//! a pooler in transaction mode.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::{KEEP_NESTED_LOOPS, picked_by_tag, statement};
use crate::{
    Fault,
    postgres::{connection::Session, typed::typed},
};

/// The types of the statement's parameters, in their order.
const PARAMETERS: &str = "integer[], bigint, bigint, bigint, bigint, bigint[], bigint[], bigint[], integer[], text[], \
     text, smallint, smallint, bytea, text, bytea, bigint, integer, boolean";
/// What the statement answers, in its order.
const ROWS: &str = "found bigint, \"position\" bigint, seq bigint, id bigint, state smallint, changed bigint, \
     tags integer[], content bigint, secret smallint, number bigint, sealed bytea, printed boolean, handed_at bigint, \
     until bigint, reservation bytea, owner bytea, settle_by bigint, kiosk integer, json text";

/// A function that never changes: another statement has another name, so that old servers go on beside new ones.
struct Routine {
    name: String,
    definition: String,
}

static ROUTINE: LazyLock<Routine> = LazyLock::new(|| {
    let statement = statement(&picked_by_tag());
    let settings = KEEP_NESTED_LOOPS.replace("SET LOCAL", "SET").replace(';', " ");
    // The first calls would be planned for their own values, and the plan be kept whose guess at its cost is the lowest.
    let body = format!(
        "({PARAMETERS}) RETURNS TABLE ({ROWS}) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan {settings}
        AS $body$
        #variable_conflict use_column
        BEGIN
            RETURN QUERY {statement};
        END
        $body$"
    );
    let digest = Sha256::digest(&body);
    let name = digest[..8].iter().fold("reserve_by_tag_".to_owned(), |name, byte| format!("{name}{byte:02x}"));
    Routine { definition: format!("CREATE OR REPLACE FUNCTION {name} {body}"), name }
});

/// The statement that calls it.
pub(super) fn call() -> String {
    let parameters = (1..=PARAMETERS.split(',').count()).map(|number| format!("${number}"));
    format!("SELECT * FROM {}({})", ROUTINE.name, parameters.collect::<Vec<_>>().join(", "))
}

/// True if the database has it.
pub(in crate::postgres) async fn is_there(db: &Session) -> Result<bool, Fault> {
    let sql = "SELECT to_regproc($1) IS NOT NULL";
    Ok(db.query_one(sql, typed![ROUTINE.name.as_str()]).await?.try_get(0)?)
}

/// Gives it to a database whose tables are there.
pub(in crate::postgres) async fn install(db: &Session) -> Result<(), Fault> {
    db.run(&ROUTINE.definition).await
}
