//! Each reservation has the passports that say so, and each recipient one of them, as long as it may be claimed.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use passpool_core::RecipientId;
use tokio_postgres::Row;

use super::{
    super::{connection::Session, reservation},
    find_each, judge,
};
use crate::{CheckReport, Fault};

/// The place of a reservation, which may have no name that could be shown as one.
const RESERVATION: &str = "'reservation ' || CASE length(id) WHEN 16 THEN 'rv_' ELSE '' END || encode(id, 'hex')";

const WRONG_OF_RESERVATIONS: [(&str, &str); 4] = [
    ("length(id) <> 16", "its name is none"),
    ("count <> cardinality(passports)", "it has another number of passports than it counts"),
    (
        "(array_ndims(passports) = 1 AND array_lower(passports, 1) = 1) IS FALSE",
        "its passports are not numbered from one on",
    ),
    (
        "cardinality(passports) > (SELECT count(DISTINCT seq) FROM unnest(passports) AS seq)",
        "it names a passport twice, or none",
    ),
];

const WRONG: [(&str, &str); 3] = [
    (
        "SELECT DISTINCT 'reservation rv_' || encode(kept.id, 'hex')
            FROM (SELECT id, unnest(passports) AS seq FROM reservation) AS kept
            LEFT JOIN passport ON passport.seq = kept.seq WHERE passport.seq IS NULL",
        "a passport of it does not exist",
    ),
    (
        "SELECT DISTINCT 'reservation rv_' || encode(passport.reservation, 'hex') FROM passport
            LEFT JOIN (SELECT id, unnest(passports) AS seq FROM reservation) AS kept
                ON kept.id = passport.reservation AND kept.seq = passport.seq
            WHERE passport.reservation IS NOT NULL AND kept.seq IS NULL",
        "a passport says that it is its own, and it does not name that",
    ),
    (
        "SELECT 'reservation rv_' || encode(id, 'hex') FROM reservation
            JOIN (SELECT reservation, count(*) AS count FROM recipient GROUP BY reservation) AS assigned
                ON assigned.reservation = id WHERE assigned.count > recipients",
        "it has more recipients than it was made for",
    ),
];

/// Recipients with what each is for. Its own is a passport that waits to be claimed.
const RECIPIENTS: &str = "(
        SELECT recipient.*, seq, kept.id AS kept,
            state IN (1, 2, 3) AND passport.reservation IS NOT DISTINCT FROM recipient.reservation AS is_own
        FROM recipient LEFT JOIN passport ON seq = recipient.passport
        LEFT JOIN reservation AS kept ON kept.id = recipient.reservation
    ) AS recipient";

const WRONG_OF_RECIPIENTS: [(&str, &str); 6] = [
    ("length(id) <> 16", "its name is none"),
    ("num_nonnulls(name, email, reference) = 0", "nothing is known of it"),
    ("seq IS NULL", "its passport does not exist"),
    ("kept IS NULL", "its reservation does not exist"),
    ("left_at IS NULL AND NOT is_own", "its passport has left, and no moment is kept"),
    ("left_at IS NOT NULL AND is_own", "its passport is kept as one that has left, and has not"),
];

const WRONG_OF_REPEATS: [(&str, &str); 2] = [
    ("length(record) <> 16 OR length(parameters) <> 16", "its digests are none"),
    ("kept.id IS NULL", "its reservation does not exist"),
];

pub(super) async fn check(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    judge(db, report, ("reservation", RESERVATION), &WRONG_OF_RESERVATIONS).await?;
    for (sql, wrong) in WRONG {
        find_each(db, report, sql, wrong).await?;
    }
    reservation::check_readable(db, |place, wrong| report.find(place, wrong)).await?;
    judge(db, report, (RECIPIENTS, "'recipient rc_' || encode(id, 'hex')"), &WRONG_OF_RECIPIENTS).await?;
    check_places(db, report).await?;
    let repeats = "repeat LEFT JOIN reservation AS kept ON kept.id = repeat.reservation";
    judge(db, report, (repeats, "'idempotency record ' || encode(record, 'hex')"), &WRONG_OF_REPEATS).await
}

/// Each recipient stands at the place of its passport: they are numbered in the order of the passports.
async fn check_places(db: &Session, report: &mut CheckReport) -> Result<(), Fault> {
    let sql = "SELECT recipient.id, recipient.reservation, named.place
        FROM recipient JOIN reservation AS kept ON kept.id = recipient.reservation
        LEFT JOIN (
            SELECT id, each.seq, each.place FROM reservation
            CROSS JOIN LATERAL unnest(passports) WITH ORDINALITY AS each (seq, place) WHERE recipients > 0
        ) AS named ON named.id = recipient.reservation AND named.seq = recipient.passport
        WHERE length(recipient.id) = 16 ORDER BY recipient.reservation, named.place, recipient.id";
    let mut rows = pin!(db.stream(sql).await?);
    let mut last: Option<Placed> = None;
    while let Some(row) = rows.try_next().await? {
        let next = Placed::read(&row)?;
        if let Some(wrong) = next.wrong(last.as_ref()) {
            report.find(format!("recipient {}", next.id), wrong);
        }
        last = Some(next);
    }
    Ok(())
}

/// A recipient, and where its reservation names its passport.
struct Placed {
    id: RecipientId,
    reservation: Vec<u8>,
    place: Option<i64>,
}

impl Placed {
    fn read(row: &Row) -> Result<Self, Fault> {
        let id = <[u8; 16]>::try_from(row.try_get::<_, &[u8]>(0)?).expect("the statement asks for 16 bytes");
        Ok(Self { id: RecipientId::from_stored(id), reservation: row.try_get(1)?, place: row.try_get(2)? })
    }

    /// What is wrong with this one behind the one before it.
    fn wrong(&self, last: Option<&Self>) -> Option<&'static str> {
        let Some(place) = self.place else { return Some("its reservation does not name its passport") };
        let last = last.filter(|last| last.reservation == self.reservation)?;
        let places = place - last.place?;
        if places == 0 {
            return Some("its passport is another recipient's as well");
        }
        let is_there = u32::try_from(places).is_ok_and(|places| last.id.nth(places) == self.id);
        (!is_there).then_some("its passport is not the one at its place")
    }
}
