//! Each idempotency record names its reservation and is found: by the index of its era, or behind the newest one's end.

use rusqlite::Connection;

use super::find_each;
use crate::{CheckReport, Fault};

const WRONG: [(&str, &str); 9] = [
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
        "SELECT 'era ' || id || ' of the idempotency records' FROM repeat_era \
         WHERE (goal IS NULL) != (reached IS NULL) OR goal <= last OR length(reached) != 8 \
         OR (goal IS NOT NULL AND id != (SELECT max(id) FROM repeat_era))",
        "how far its index came cannot be",
    ),
    // CROSS JOIN keeps the order: else SQLite looks through the whole index for each record.
    (
        "SELECT 'idempotency record ' || seq FROM repeat JOIN (SELECT max(last) AS all_up_to FROM repeat_era) \
         LEFT JOIN repeat_era AS going ON going.goal IS NOT NULL \
         WHERE (seq <= all_up_to OR (seq <= going.goal AND substr(record, 1, 8) < going.reached)) \
         AND NOT EXISTS (SELECT 1 FROM repeat_era AS era CROSS JOIN repeat_place AS place ON place.era = era.id \
         WHERE repeat.seq BETWEEN era.first AND ifnull(era.goal, era.last) AND place.head = substr(record, 1, 8) \
         AND place.seq = repeat.seq)",
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
