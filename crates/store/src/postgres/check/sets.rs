//! The pool, and what else is an index of ours, is what follows from the passports, row for row.

use super::{super::connection::Session, find_each};
use crate::{CheckReport, Fault};

const WRONG: [(&str, &str); 7] = [
    (
        "SELECT 'passport number ' || posted.seq FROM
            (SELECT unnest(tags) AS tag, seq FROM passport WHERE state = 0 AND printed IS NULL) AS posted
            LEFT JOIN pool ON pool.tag = posted.tag AND pool.seq = posted.seq WHERE pool.seq IS NULL",
        "it is missing from the pool of a tag",
    ),
    (
        "SELECT 'passport number ' || pool.seq FROM pool LEFT JOIN passport ON passport.seq = pool.seq
            WHERE passport.seq IS NULL OR state <> 0 OR printed IS NOT NULL OR (pool.tag = ANY(tags)) IS NOT TRUE",
        "it does not belong into the pool of a tag",
    ),
    (
        "SELECT 'passport number ' || posted.seq FROM (SELECT unnest(tags) AS tag, seq FROM passport) AS posted
            LEFT JOIN tagged ON tagged.tag = posted.tag AND tagged.block = posted.seq >> 6
            WHERE (bits >> (posted.seq & 63)::integer & 1 = 1) IS NOT TRUE",
        "it is missing from those that have a tag",
    ),
    (
        "SELECT 'passport number ' || held.seq FROM (
                SELECT tag, (block << 6) + bit AS seq FROM tagged CROSS JOIN generate_series(0, 63) AS bit
                WHERE bits >> bit & 1 = 1
            ) AS held LEFT JOIN passport ON passport.seq = held.seq
            WHERE passport.seq IS NULL OR (held.tag = ANY(tags)) IS NOT TRUE",
        "it does not belong to those that have a tag",
    ),
    ("SELECT 'block ' || block || ' of tag number ' || tag FROM tagged WHERE bits = 0", "no passport is in it"),
    (
        "SELECT 'passport ' || id FROM passport LEFT JOIN ending ON ending.seq = passport.seq
                AND is_transfer = (state = 3) AND at = CASE state WHEN 3 THEN settle_by ELSE until END
            WHERE (state = 3 OR (state IN (1, 2) AND until IS NOT NULL)) AND ending.seq IS NULL",
        "its end is not among what ends",
    ),
    (
        "SELECT 'passport number ' || ending.seq FROM ending LEFT JOIN passport ON passport.seq = ending.seq
            WHERE (state = 3 OR (state IN (1, 2) AND until IS NOT NULL)) IS NOT TRUE",
        "it stands among what ends, and does not",
    ),
];

pub(super) async fn check(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    for (sql, wrong) in WRONG {
        find_each(db, report, sql, wrong).await?;
    }
    Ok(())
}
