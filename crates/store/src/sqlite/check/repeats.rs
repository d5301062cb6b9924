//! Each idempotency record names its reservation and is found: by the index of its era, or behind the newest one's end.

use rusqlite::Connection;

use super::find_each;
use crate::{CheckReport, Fault};

const WRONG: [(&str, &str); 8] = [
    (
        "SELECT 'idempotency record ' || seq FROM repeat WHERE reservation NOT IN (SELECT id FROM reservation)",
        "its reservation does not exist",
    ),
    (
        "SELECT 'idempotency record ' || seq FROM repeat WHERE length(record) != 16 OR length(parameters) != 16",
        "its digests are none",
    ),
    (
        "SELECT 'idempotency record ' || max(seq) FROM repeat GROUP BY record HAVING count(*) > 1",
        "another one is of the same key",
    ),
    ("SELECT 'idempotency records' WHERE NOT EXISTS (SELECT 1 FROM repeat_era)", "they have no era"),
    (
        "SELECT 'era ' || id || ' of the idempotency records' FROM repeat_era AS era \
         WHERE EXISTS (SELECT 1 FROM repeat_era AS before WHERE before.id < era.id AND before.last >= era.first)",
        "it begins before the end of another",
    ),
    (
        "SELECT 'idempotency record ' || seq FROM repeat WHERE seq <= (SELECT max(last) FROM repeat_era) \
         AND NOT EXISTS (SELECT 1 FROM repeat_era AS era JOIN repeat_place AS place ON place.era = era.id \
         WHERE repeat.seq BETWEEN first AND last AND head = substr(record, 1, 8) AND place.seq = repeat.seq)",
        "its era's index does not have it",
    ),
    (
        "SELECT 'idempotency record ' || seq FROM repeat_place JOIN repeat USING (seq) WHERE head != substr(record, 1, 8)",
        "an index has it under another digest",
    ),
    (
        "SELECT DISTINCT 'era ' || era || ' of the idempotency records' FROM repeat_place \
         WHERE era NOT IN (SELECT id FROM repeat_era)",
        "it has an index, and does not exist",
    ),
];

pub(super) fn check(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    WRONG.into_iter().try_for_each(|(sql, wrong)| find_each(db, report, sql, wrong))
}
