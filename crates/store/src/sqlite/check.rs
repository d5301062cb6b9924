//! Checking: everything is read once, at one moment, and compared with what follows from it.
//!
//! What a check proves is written in `docs/architecture.md`, invariant by invariant.

use std::collections::{BTreeSet, HashMap};

use passpool_core::{Actor, Event, Right, StateName, Tag, Timestamp};
use rusqlite::Connection;

use super::{
    bits::{Bits, bit_of, chunk_of, seq_of},
    history,
    passport::{PassportRow, columns},
    sets::{EVERY_PASSPORT, Table},
    snapshot::{Snapshot, decode},
    varint,
};
use crate::{CheckReport, Fault};

/// What is known of a passport while the rest is read. Passports stand in order of their ids.
struct Known {
    id: u64,
    state: StateName,
    changed: i64,
    /// The journal's last row about it so far, and the state that its rows leave it in.
    last_row: Option<i64>,
    told: Option<StateName>,
}

pub(super) fn check(db: &Connection) -> Result<CheckReport, Fault> {
    let mut report = CheckReport::default();
    check_file(db, &mut report)?;
    let snapshot = Snapshot::new(db)?;
    let mut sets = Expected::default();
    let mut known = read_passports(&snapshot, &mut sets, &mut report)?;
    check_journal(&snapshot, &mut known, &mut report)?;
    check_sets(&snapshot, sets, &mut report)?;
    check_references(&snapshot, &mut report)?;
    check_users(db, &mut report)?;
    Ok(report)
}

/// SQLite's own view of its pages and indexes.
fn check_file(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let mut statement = db.prepare("PRAGMA quick_check(20)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            report.find("file", line);
        }
    }
    Ok(())
}

/// The sets as they follow from the passports: table, key and chunk.
#[derive(Default)]
struct Expected(HashMap<(Table, u32, u32), Bits>);

impl Expected {
    fn insert(&mut self, table: Table, key: u32, seq: u64) {
        self.0.entry((table, key, chunk_of(seq))).or_insert_with(Bits::empty).insert(bit_of(seq));
    }

    fn add(&mut self, row: &PassportRow) {
        self.insert(Table::Tagged, EVERY_PASSPORT, row.seq);
        for tag in &row.tags {
            self.insert(Table::Tagged, *tag, row.seq);
            if row.is_in_pool() {
                self.insert(Table::Pool, *tag, row.seq);
            }
        }
        if row.state.name() != StateName::Available {
            self.insert(Table::Standing, row.state.name() as u32, row.seq);
        }
    }
}

fn read_passports(snapshot: &Snapshot<'_>, sets: &mut Expected, report: &mut CheckReport) -> Result<Vec<Known>, Fault> {
    let mut known = Vec::new();
    let mut statement = snapshot.db.prepare(concat!("SELECT ", columns!(), " FROM passport ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let passport = match PassportRow::read(row) {
            Ok(passport) => passport,
            Err(Fault::Damaged(wrong)) => {
                report.find(format!("passport number {}", row.get::<_, i64>(0)?), wrong);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        if snapshot.is_hidden(chunk_of(passport.seq)) {
            continue;
        }
        sets.add(&passport);
        if !passport.tags.is_sorted_by(|a, b| a < b) {
            report.find(format!("passport {}", passport.id), "its tags are not sorted, or doubled");
        }
        let (id, state, changed) = (passport.id.get(), passport.state.name(), passport.changed);
        known.push(Known { id, state, changed, last_row: None, told: None });
    }
    report.passports = known.len() as u64;
    known.sort_unstable_by_key(|passport| passport.id);
    Ok(known)
}

/// Each passport's rows are a chain that begins with its making, ends where the passport says, and leaves it in the
/// state that it is in.
fn check_journal(snapshot: &Snapshot<'_>, known: &mut [Known], report: &mut CheckReport) -> Result<(), Fault> {
    let hidden = hidden_ids(snapshot)?;
    let mut statement =
        snapshot.db.prepare("SELECT seq, at, kind, passport, actor, detail FROM journal ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut last_at = i64::MIN;
    while let Some(row) = rows.next()? {
        let (seq, at, id): (i64, i64, u64) = (row.get(0)?, row.get(1)?, row.get(3)?);
        if hidden.contains(&id) {
            continue;
        }
        report.journal_rows += 1;
        let place = || format!("journal row {seq}");
        if at < last_at {
            report.find(place(), "its time is before that of the row before it");
        }
        last_at = at;
        if row.get_ref(4)?.as_str()?.parse::<Actor>().is_err() {
            report.find(place(), "its actor is unknown");
        }
        let Some(event) = Event::parse(row.get_ref(2)?.as_str()?) else {
            report.find(place(), "its kind is unknown");
            continue;
        };
        let Ok(at) = known.binary_search_by_key(&id, |passport| passport.id) else {
            report.find(place(), format!("there is no passport {id}"));
            continue;
        };
        let passport = &mut known[at];
        if history::after(row.get_ref(5)?.as_str_or_null()?) != passport.last_row {
            report.find(place(), format!("a row about passport {id} is missing before it"));
        }
        passport.last_row = Some(seq);
        passport.told = event.leaves().or(passport.told);
    }
    for passport in known {
        let place = || format!("passport {}", passport.id);
        if passport.last_row != Some(passport.changed) {
            report.find(place(), format!("the journal's row {} about its last change is missing", passport.changed));
        } else if passport.told != Some(passport.state) {
            let told = passport.told.map_or("nothing", StateName::as_str);
            report.find(place(), format!("it is {}, and the journal tells that it is {told}", passport.state));
        }
    }
    Ok(())
}

/// The ids of passports that an import wrote and did not publish. Their rows are of no account.
fn hidden_ids(snapshot: &Snapshot<'_>) -> Result<BTreeSet<u64>, Fault> {
    let sql = "SELECT id FROM hidden JOIN passport ON seq BETWEEN chunk << 12 AND (chunk << 12) + 4095";
    let mut statement = snapshot.db.prepare(sql)?;
    let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

fn check_sets(snapshot: &Snapshot<'_>, mut expected: Expected, report: &mut CheckReport) -> Result<(), Fault> {
    for (table, sql) in [
        (Table::Pool, "SELECT tag, chunk, bits FROM pool"),
        (Table::Tagged, "SELECT tag, chunk, bits FROM tagged"),
        (Table::Standing, "SELECT state, chunk, bits FROM standing"),
    ] {
        let mut statement = snapshot.db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (key, chunk): (u32, u32) = (row.get(0)?, row.get(1)?);
            if snapshot.is_hidden(chunk) {
                continue;
            }
            let place = format!("{} {key}, chunk {chunk}", table.name());
            let bits = match decode(table, key, chunk, row.get_ref(2)?.as_blob()?) {
                Ok(bits) => bits,
                Err(fault) => {
                    report.find(place, fault.to_string());
                    continue;
                }
            };
            match expected.0.remove(&(table, key, chunk)) {
                Some(expected) if expected == bits => {}
                Some(expected) => report.find(place, difference(chunk, &expected, &bits)),
                None => report.find(place, "no passport belongs there"),
            }
        }
    }
    for (table, key, chunk) in expected.0.into_keys() {
        report.find(format!("{} {key}, chunk {chunk}", table.name()), "the row is missing");
    }
    Ok(())
}

fn difference(chunk: u32, expected: &Bits, found: &Bits) -> String {
    let of = |bits: &Bits, other: &Bits| bits.iter().find(|bit| !other.contains(*bit)).map(|bit| seq_of(chunk, bit));
    match (of(expected, found), of(found, expected)) {
        (Some(missing), _) => format!("passport number {missing} is missing from it"),
        (None, Some(extra)) => format!("passport number {extra} does not belong there"),
        (None, None) => "it is written in two ways".into(),
    }
}

/// Every number that points to a row of another table points to one.
fn check_references(snapshot: &Snapshot<'_>, report: &mut CheckReport) -> Result<(), Fault> {
    let db = snapshot.db;
    let dangling = [
        ("content", "SELECT id FROM passport WHERE content IS NOT NULL AND content NOT IN (SELECT id FROM content)"),
        ("secret", "SELECT id FROM passport WHERE secret IS NOT NULL AND secret NOT IN (SELECT id FROM secret)"),
        (
            "reservation",
            "SELECT id FROM passport WHERE reservation IS NOT NULL AND reservation NOT IN (SELECT id FROM reservation)",
        ),
        ("kiosk", "SELECT id FROM passport WHERE kiosk IS NOT NULL AND kiosk NOT IN (SELECT id FROM kiosk)"),
    ];
    for (what, sql) in dangling {
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            report.find(format!("passport {}", row.get::<_, i64>(0)?), format!("its {what} does not exist"));
        }
    }
    let orphans: i64 =
        db.query_row("SELECT count(*) FROM repeat WHERE reservation NOT IN (SELECT id FROM reservation)", [], |row| {
            row.get(0)
        })?;
    if orphans > 0 {
        report.find("repeat", format!("{orphans} rows name reservations that do not exist"));
    }
    check_tags(db, report)?;
    check_reservations(db, report)?;
    check_recipients(db, report)?;
    check_resets(db, report)?;
    check_kiosks(db, report)
}

fn check_tags(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let mut statement =
        db.prepare("SELECT DISTINCT tag FROM tagged WHERE tag != 0 AND tag NOT IN (SELECT id FROM tag)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        report.find(format!("tag number {}", row.get::<_, i64>(0)?), "passports have it, and it does not exist");
    }
    let mut statement = db.prepare("SELECT id, name FROM tag")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if Tag::parse(row.get_ref(1)?.as_str()?).is_err() {
            report.find(format!("tag number {}", row.get::<_, i64>(0)?), "its name is no tag");
        }
    }
    Ok(())
}

fn check_reservations(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    let mut exists = db.prepare("SELECT 1 FROM passport WHERE seq = ?")?;
    let mut statement = db.prepare("SELECT hex(id), passports, count FROM reservation")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let place = format!("reservation {}", row.get::<_, String>(0)?);
        let Some(seqs) = varint::read_any(row.get_ref(1)?.as_blob()?) else {
            report.find(place, "its passports are unreadable");
            continue;
        };
        if row.get::<_, Option<usize>>(2)?.is_some_and(|count| count != seqs.len()) {
            report.find(place.clone(), "it has another number of passports than it counts");
        }
        for seq in seqs {
            if !exists.exists([seq])? {
                report.find(place.clone(), format!("there is no passport number {seq}"));
            }
        }
    }
    Ok(())
}

/// Each recipient has a passport of the reservation, and is known to have it for as long as it may be claimed.
fn check_recipients(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    super::recipient::check_readable(db, |wrong| report.find("recipients", wrong))?;
    let own = "(state IN (1, 2, 3) AND passport.reservation IS recipient.reservation)";
    let wrong = [
        (format!("seq IS NOT NULL AND left_at IS NULL AND NOT {own}"), "its passport has left, and no moment is kept"),
        (format!("left_at IS NOT NULL AND {own}"), "its passport is kept as one that has left, and has not"),
        ("seq IS NULL".to_owned(), "its passport does not exist"),
        ("recipient.reservation NOT IN (SELECT id FROM reservation)".to_owned(), "its reservation does not exist"),
    ];
    for (condition, what) in wrong {
        let sql = format!(
            "SELECT hex(recipient.id) FROM recipient LEFT JOIN passport ON seq = recipient.passport WHERE {condition}"
        );
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            report.find(format!("recipient {}", row.get::<_, String>(0)?), what);
        }
    }
    Ok(())
}

/// Whatever is remembered of a reset or of a preview can be read, and is about passports that exist.
fn check_resets(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    super::undo::check_readable(db, |wrong| report.find("resets", wrong))?;
    super::preview::check_readable(db, |wrong| report.find("previews", wrong))?;
    let dangling = [
        ("resets", "SELECT count(*) FROM reset_passport WHERE passport NOT IN (SELECT seq FROM passport)"),
        ("resets", "SELECT count(*) FROM reset_passport WHERE reset NOT IN (SELECT id FROM reset)"),
        ("previews", "SELECT count(*) FROM preview_chunk WHERE preview NOT IN (SELECT id FROM preview)"),
    ];
    for (place, sql) in dangling {
        let count: u64 = db.query_row(sql, [], |row| row.get(0))?;
        if count > 0 {
            report.find(place, format!("{count} rows name what does not exist"));
        }
    }
    let mut statement = db.prepare("SELECT hex(id), actor FROM reset")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if row.get_ref(1)?.as_str()?.parse::<Actor>().is_err() {
            report.find(format!("reset {}", row.get::<_, String>(0)?), "its actor is unknown");
        }
    }
    Ok(())
}

/// Each passport of a kiosk has the visit that took it, and no visit has another passport.
fn check_kiosks(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    match super::kiosk::list(db, Timestamp::from_micros(0)) {
        Ok(_) => {}
        Err(Fault::Damaged(wrong)) => report.find("kiosks", wrong),
        Err(fault) => return Err(fault),
    }
    let wrong = [
        (
            "SELECT id FROM passport WHERE kiosk IS NOT NULL AND seq NOT IN (SELECT passport FROM visit)",
            "its visit is missing",
        ),
        (
            "SELECT id FROM visit JOIN passport ON seq = passport WHERE passport.kiosk IS NOT visit.kiosk",
            "a visit has it, and its kiosk has not",
        ),
        (
            "SELECT id FROM visit JOIN passport ON seq = passport WHERE address IS NOT NULL AND state NOT IN (1, 2)",
            "its visit counts as held, and it is not",
        ),
        (
            "SELECT passport FROM visit WHERE passport NOT IN (SELECT seq FROM passport)",
            "a visit has it, and it does not exist",
        ),
    ];
    for (sql, what) in wrong {
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            report.find(format!("passport {}", row.get::<_, i64>(0)?), what);
        }
    }
    Ok(())
}

fn check_users(db: &Connection, report: &mut CheckReport) -> Result<(), Fault> {
    match super::user::list(db) {
        Ok(users) if users.iter().any(|user| user.rights.contains(Right::Admin)) => {}
        Ok(_) => report.find("users", "nobody has the right admin"),
        Err(Fault::Damaged(wrong)) => report.find("users", wrong),
        Err(fault) => return Err(fault),
    }
    let keys: i64 =
        db.query_row("SELECT count(*) FROM api_key WHERE user NOT IN (SELECT id FROM user)", [], |row| row.get(0))?;
    let profiles: i64 =
        db.query_row("SELECT count(*) FROM user WHERE profile NOT IN (SELECT id FROM profile)", [], |row| row.get(0))?;
    if keys > 0 {
        report.find("keys", format!("{keys} belong to nobody"));
    }
    if profiles > 0 {
        report.find("users", format!("{profiles} have no profile"));
    }
    Ok(())
}
