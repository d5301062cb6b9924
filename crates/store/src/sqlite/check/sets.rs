//! The pool and the other sets are what follows from the passports, bit for bit.

use std::collections::HashMap;

use passpool_core::StateName;

use super::{
    super::{
        bits::{Bits, bit_of, chunk_of, seq_of},
        passport::PassportRow,
        pool::for_each_taken,
        sets::{EVERY_PASSPORT, Table},
        snapshot::{Snapshot, decode},
    },
    unless_damaged,
};
use crate::{CheckReport, Fault};

/// The sets as they follow from the passports: table, key and chunk.
#[derive(Default)]
pub(super) struct Expected(HashMap<(Table, u32, u32), Bits>);

impl Expected {
    fn insert(&mut self, table: Table, key: u32, seq: u64) {
        self.0.entry((table, key, chunk_of(seq))).or_insert_with(Bits::empty).insert(bit_of(seq));
    }

    pub(super) fn add(&mut self, row: &PassportRow) {
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

pub(super) fn check(snapshot: &Snapshot<'_>, mut expected: Expected, report: &mut CheckReport) -> Result<(), Fault> {
    let mut taken = taken(snapshot, report)?;
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
            let mut bits = match decode(table, key, chunk, row.get_ref(2)?.as_blob()?) {
                Ok(bits) => bits,
                Err(fault) => {
                    report.find(place, fault.to_string());
                    continue;
                }
            };
            if table == Table::Pool
                && let Some(taken) = taken.remove(&(key, chunk))
            {
                bits.subtract(&taken);
                if bits.is_empty() && !expected.0.contains_key(&(table, key, chunk)) {
                    continue;
                }
            }
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

/// What the pool's chunks still hold and what is not in the pool any more, by tag and chunk.
fn taken(snapshot: &Snapshot<'_>, report: &mut CheckReport) -> Result<HashMap<(u32, u32), Bits>, Fault> {
    let mut taken = HashMap::new();
    let read = for_each_taken(snapshot.db, |_, (tag, seq)| {
        taken.entry((tag, chunk_of(seq))).or_insert_with(Bits::empty).insert(bit_of(seq));
        Ok(())
    });
    unless_damaged(read, "pool", report)?;
    Ok(taken)
}

fn difference(chunk: u32, expected: &Bits, found: &Bits) -> String {
    let of = |bits: &Bits, other: &Bits| bits.iter().find(|bit| !other.contains(*bit)).map(|bit| seq_of(chunk, bit));
    match (of(expected, found), of(found, expected)) {
        (Some(missing), _) => format!("passport number {missing} is missing from it"),
        (None, Some(extra)) => format!("passport number {extra} does not belong there"),
        (None, None) => "it is written in two ways".into(),
    }
}
