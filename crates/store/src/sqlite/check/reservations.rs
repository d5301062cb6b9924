//! Each reservation has the passports that say so, and each recipient one of them, as long as it may be claimed.

use std::collections::{HashMap, HashSet};

use passpool_core::{RecipientId, ReservationId};
use rusqlite::Connection;

use super::{
    super::{
        recipient,
        reservation::{self, Written},
    },
    find_each, unless_damaged,
};
use crate::{CheckReport, Fault};

/// A passport's seq, and for whom it is.
type Assigned = (u64, RecipientId);

const WRONG: &str = "SELECT 'reservation ' || hex(id) FROM reservation WHERE length(id) != 16";

/// Of a recipient: the condition, and what is wrong where it holds. Its own is a passport that waits to be claimed.
const WRONG_OF_RECIPIENTS: [(&str, &str); 4] = [
    ("seq IS NOT NULL AND left_at IS NULL AND NOT is_own", "its passport has left, and no moment is kept"),
    ("left_at IS NOT NULL AND is_own", "its passport is kept as one that has left, and has not"),
    ("seq IS NULL", "its passport does not exist"),
    ("reservation NOT IN (SELECT id FROM reservation)", "its reservation does not exist"),
];

pub(super) fn check(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    find_each(db, report, WRONG, "its name is none")?;
    recipient::check_readable(db, |wrong| report.find("recipients", wrong))?;
    for (condition, wrong) in WRONG_OF_RECIPIENTS {
        let sql = format!(
            "SELECT 'recipient rc_' || lower(hex(id)) FROM (SELECT recipient.id, recipient.reservation, seq, left_at, \
             state IN (1, 2, 3) AND passport.reservation IS recipient.reservation AS is_own \
             FROM recipient LEFT JOIN passport ON seq = recipient.passport) WHERE {condition}"
        );
        find_each(db, report, &sql, wrong)?;
    }
    check_passports(db, report)
}

fn check_passports(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let (said, mut assigned) = (said(db)?, assigned(db)?);
    let mut says = db.prepare("SELECT reservation FROM passport WHERE seq = ?")?;
    reservation::each(db, |name, written| {
        let place = format!("reservation {name}");
        let Written { info, seqs, count } = match written {
            Ok(written) => written,
            Err(fault) => return unless_damaged(Err(fault), &place, report),
        };
        if count.is_some_and(|count| count != seqs.len() as u64) {
            report.find(place.clone(), "it has another number of passports than it counts");
        }
        if seqs.iter().collect::<HashSet<_>>().len() < seqs.len() {
            report.find(place.clone(), "it names a passport twice");
        }
        let mut own = 0;
        for seq in &seqs {
            let mut rows = says.query([seq])?;
            match rows.next()?.map(|row| row.get::<_, Option<[u8; 16]>>(0)).transpose()? {
                None => report.find(place.clone(), format!("there is no passport number {seq}")),
                Some(says) => own += u64::from(says == Some(*info.id.as_bytes())),
            }
        }
        if own < said.get(&info.id).copied().unwrap_or(0) {
            report.find(place.clone(), "a passport says that it is its own, and it does not name that");
        }
        let assigned = assigned.remove(&info.id).unwrap_or_default();
        if assigned.len() as u64 > info.recipients {
            report.find(place, "it has more recipients than it was made for");
        }
        check_places(&seqs, assigned, report);
        Ok(())
    })
}

/// Each recipient stands at the place of its passport: they are numbered in the order of the passports.
fn check_places(seqs: &[u64], assigned: Vec<Assigned>, report: &mut CheckReport) {
    if assigned.is_empty() {
        return;
    }
    let places: HashMap<u64, u32> = seqs.iter().copied().zip(0..).collect();
    let mut placed = Vec::new();
    for (seq, id) in assigned {
        match places.get(&seq) {
            Some(place) => placed.push((*place, id)),
            None => report.find(format!("recipient {id}"), "its reservation does not name its passport"),
        }
    }
    placed.sort_unstable();
    for pair in placed.windows(2) {
        let [(place, id), (next_place, next)] = [pair[0], pair[1]];
        if place == next_place {
            report.find(format!("recipient {next}"), "its passport is another recipient's as well");
        } else if id.nth(next_place - place) != next {
            report.find(format!("recipient {next}"), "its passport is not the one at its place");
        }
    }
}

/// How many passports say that they are a reservation's own.
fn said(db: &Connection) -> Result<HashMap<ReservationId, u64>, Fault> {
    let sql = "SELECT reservation, count(*) FROM passport WHERE length(reservation) = 16 GROUP BY reservation";
    let mut statement = db.prepare(sql)?;
    let said = statement.query_map([], |row| Ok((ReservationId::from_stored(row.get(0)?), row.get(1)?)))?;
    Ok(said.collect::<Result<_, _>>()?)
}

/// The recipients of each reservation.
fn assigned(db: &Connection) -> Result<HashMap<ReservationId, Vec<Assigned>>, Fault> {
    let sql = "SELECT reservation, passport, id FROM recipient WHERE length(reservation) = 16 AND length(id) = 16";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut assigned: HashMap<_, Vec<Assigned>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let of_one = assigned.entry(ReservationId::from_stored(row.get(0)?)).or_default();
        of_one.push((row.get(1)?, RecipientId::from_stored(row.get(2)?)));
    }
    Ok(assigned)
}
