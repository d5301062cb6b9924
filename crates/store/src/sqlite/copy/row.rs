//! Rows as they are copied, and as SQLite keeps them.

use rusqlite::{Row, Statement, types::ValueRef};

use super::super::varint;
use crate::{
    Fault,
    copy::{Cell, Cells, Column, Kind, Part},
};

/// In the order of the part's key.
pub(super) fn select(part: Part) -> String {
    format!("SELECT {} FROM {} ORDER BY {}", names(part), table(part), part.key())
}

pub(super) fn count(part: Part) -> String {
    format!("SELECT count(*) FROM {}", table(part))
}

pub(super) fn insert(part: Part) -> String {
    let places = vec!["?"; part.columns().len()].join(", ");
    format!("INSERT INTO {} ({}) VALUES ({places})", table(part), names(part))
}

pub(super) fn table(part: Part) -> &'static str {
    match part {
        Part::Users => "user",
        Part::PreviewedChunks => "preview_chunk",
        _ => part.table(),
    }
}

pub(super) fn read(row: &Row<'_>, part: Part) -> Result<Cells, Fault> {
    let cell = |(index, (name, kind)): (usize, &Column)| {
        let damaged = || Fault::Damaged(format!("the column {name} of a {} cannot be read", table(part)));
        read_cell(row.get_ref(index)?, *kind).ok_or_else(damaged)
    };
    let mut cells = part.columns().iter().enumerate().map(cell).collect::<Result<Cells, Fault>>()?;
    if part == Part::Reservations
        && let [.., count @ Cell::Null, Cell::Numbers(passports)] = cells.as_mut_slice()
    {
        // One that was made before reservations were counted has its count in its list.
        *count = Cell::Number(passports.len() as i64);
    }
    Ok(cells)
}

pub(super) fn write(statement: &mut Statement<'_>, part: Part, cells: &Cells) -> Result<(), Fault> {
    for (index, (cell, (_, kind))) in (1..).zip(cells.iter().zip(part.columns())) {
        match (cell, kind) {
            (Cell::Null, _) => statement.raw_bind_parameter(index, None::<i64>)?,
            (Cell::Number(number), _) => statement.raw_bind_parameter(index, number)?,
            (Cell::Text(text), _) => statement.raw_bind_parameter(index, text)?,
            (Cell::Bytes(bytes), _) => statement.raw_bind_parameter(index, bytes)?,
            (Cell::Numbers(numbers), Kind::Sorted) => statement.raw_bind_parameter(index, sorted(numbers)?)?,
            (Cell::Numbers(numbers), _) => statement.raw_bind_parameter(index, listed(numbers))?,
        }
    }
    statement.raw_execute()?;
    Ok(())
}

/// None if it is not of its kind.
fn read_cell(value: ValueRef<'_>, kind: Kind) -> Option<Cell> {
    Some(match (value, kind) {
        (ValueRef::Null, _) => Cell::Null,
        (ValueRef::Integer(number), Kind::Number) => Cell::Number(number),
        (ValueRef::Integer(flag @ (0 | 1)), Kind::Flag) => Cell::Number(flag),
        (ValueRef::Text(text), Kind::Text) => Cell::Text(str::from_utf8(text).ok()?.to_owned()),
        (ValueRef::Blob(bytes), Kind::Bytes) => Cell::Bytes(bytes.to_owned()),
        (ValueRef::Blob(bytes), Kind::Sorted) => {
            Cell::Numbers(varint::read_sorted(bytes)?.into_iter().map(i64::from).collect())
        }
        (ValueRef::Blob(bytes), Kind::Listed) => {
            Cell::Numbers(varint::read_any(bytes)?.into_iter().map(u64::cast_signed).collect())
        }
        _ => return None,
    })
}

fn sorted(numbers: &[i64]) -> Result<Vec<u8>, Fault> {
    let wrong = || Fault::Damaged("numbers that have to be sorted are not".into());
    let numbers = numbers.iter().map(|number| u32::try_from(*number).map_err(|_| wrong()));
    let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
    if numbers.is_sorted() { Ok(varint::write_sorted(&numbers)) } else { Err(wrong()) }
}

fn listed(numbers: &[i64]) -> Vec<u8> {
    varint::write_any(numbers.iter().map(|number| number.cast_unsigned()))
}

/// Columns by their names here: a user is not an account.
fn names(part: Part) -> String {
    let name = |(name, _): &Column| match (part, *name) {
        (Part::Keys, "account") => "user",
        (_, name) => name,
    };
    part.columns().iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::{DERIVED, schema},
        *,
    };

    #[test]
    fn every_column_of_the_database_is_copied_or_built_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.db");
        schema::migrate(&path, None).unwrap();
        let db = rusqlite::Connection::open(&path).unwrap();
        let sql = "SELECT tables.name || '.' || columns.name FROM pragma_table_list AS tables, \
                   pragma_table_info(tables.name) AS columns WHERE tables.name NOT LIKE 'sqlite%' \
                   AND tables.name NOT IN ('refinery_schema_history', 'whereabouts')";
        let mut statement = db.prepare(sql).unwrap();
        let there = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let derived = |column: &String| DERIVED.iter().any(|table| column.starts_with(&format!("{table}.")));
        // The order in which idempotency records were made follows from their times.
        let there: BTreeSet<String> =
            there.map(Result::unwrap).filter(|column| !derived(column) && column != "repeat.seq").collect();
        let columns = |part: Part| names(part).split(", ").map(|name| format!("{}.{name}", table(part))).collect();
        let copied: BTreeSet<String> = Part::ALL.into_iter().flat_map::<Vec<String>, _>(columns).collect();
        assert_eq!(copied, there);
    }

    #[test]
    fn what_is_no_number_of_a_sorted_list_is_refused() {
        for bad in [vec![2, 1], vec![-1], vec![1 << 32]] {
            assert!(sorted(&bad).is_err(), "{bad:?}");
        }
        assert_eq!(sorted(&[1, 300]).unwrap(), varint::write_sorted(&[1, 300]));
    }
}
