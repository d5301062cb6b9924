//! Rows as they are copied, and as PostgreSQL keeps them.

use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    Fault,
    copy::{Cell, Cells, Column, Kind, Part},
};

/// In the order of the part's key.
pub(super) fn select(part: Part) -> String {
    let columns = part.columns().iter().map(|column| read_as(part, column)).collect::<Vec<_>>().join(", ");
    match part {
        Part::PreviewedChunks => {
            format!("SELECT {columns} FROM preview_passport GROUP BY preview, passport >> 12 ORDER BY preview, chunk")
        }
        // The order of bytes, as SQLite has it.
        Part::Settings => format!("SELECT {columns} FROM setting ORDER BY setting.name COLLATE \"C\""),
        _ => {
            let key = part.key().split(", ").map(|column| format!("{}.{column}", part.table()));
            format!("SELECT {columns} FROM {} ORDER BY {}", part.table(), key.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Writes rows that come as [`Columns`], with what this database alone keeps beside them.
pub(super) fn insert(part: Part) -> String {
    let names = names(part);
    let types = part.columns().iter().zip(1..).map(|((_, kind), place)| format!("${place}::{}", array_of(*kind)));
    let new = format!("unnest({}) AS new ({names})", types.collect::<Vec<_>>().join(", "));
    let values = part.columns().iter().map(written_as).collect::<Vec<_>>().join(", ");
    match part {
        Part::PreviewedChunks => format!(
            "INSERT INTO preview_passport (preview, passport, changed)
             SELECT new.preview, (new.chunk << 12) + seen.bit, seen.version
             FROM {new}, unnest(new.passports::bigint[], new.versions::bigint[]) AS seen (bit, version)"
        ),
        Part::Passports => format!(
            "INSERT INTO passport ({names}, changed_at)
             SELECT {values}, coalesce((SELECT journal.at FROM journal WHERE journal.seq = new.changed), 0) FROM {new}"
        ),
        Part::Visits => format!(
            "INSERT INTO visit ({names}, owner)
             SELECT {values}, (SELECT passport.owner FROM passport WHERE passport.seq = new.passport) FROM {new}"
        ),
        _ => format!("INSERT INTO {} ({names}) SELECT {values} FROM {new}", part.table()),
    }
}

pub(super) fn read(row: &Row, part: Part) -> Result<Cells, Fault> {
    let cell = |(index, (_, kind)): (usize, &Column)| {
        Ok(match kind {
            Kind::Number | Kind::Flag => row.try_get::<_, Option<i64>>(index)?.map(Cell::Number),
            Kind::Text => row.try_get::<_, Option<String>>(index)?.map(Cell::Text),
            Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(index)?.map(Cell::Bytes),
            Kind::Sorted | Kind::Listed => row.try_get::<_, Option<Vec<i64>>>(index)?.map(Cell::Numbers),
        }
        .unwrap_or(Cell::Null))
    };
    part.columns().iter().enumerate().map(cell).collect()
}

/// Many rows, column by column, as a statement takes them.
pub(super) struct Columns(Vec<(Box<dyn ToSql + Send + Sync>, Type)>);

impl Columns {
    pub(super) fn of(part: Part, rows: Vec<Cells>) -> Self {
        let mut columns: Vec<Vec<Cell>> = part.columns().iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
        }
        Self(columns.into_iter().zip(part.columns()).map(|(cells, (_, kind))| column(cells, *kind)).collect())
    }

    pub(super) fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.0.iter().map(|(values, kind)| (&**values as &(dyn ToSql + Sync), kind.clone())).collect()
    }
}

fn column(cells: Vec<Cell>, kind: Kind) -> (Box<dyn ToSql + Send + Sync>, Type) {
    fn of<T: ToSql + Send + Sync + 'static>(
        cells: Vec<Cell>,
        value: impl Fn(Cell) -> Option<T>,
    ) -> Box<dyn ToSql + Send + Sync> {
        Box::new(cells.into_iter().map(value).collect::<Vec<Option<T>>>())
    }
    match kind {
        Kind::Number | Kind::Flag => (of(cells, Cell::into_number), Type::INT8_ARRAY),
        Kind::Bytes => (of(cells, Cell::into_bytes), Type::BYTEA_ARRAY),
        Kind::Text => (of(cells, Cell::into_text), Type::TEXT_ARRAY),
        // Lists of lists cannot be sent as one parameter, but their text can.
        Kind::Sorted | Kind::Listed => {
            (of(cells, |cell| cell.into_numbers().map(|numbers| array(&numbers))), Type::TEXT_ARRAY)
        }
    }
}

/// A list as PostgreSQL writes it.
fn array(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

/// What a column is asked as.
fn read_as(part: Part, (name, kind): &Column) -> String {
    match (part, *name, kind) {
        // The journal's time goes back here and there, for several servers write it. A copy's does not, as SQLite has it.
        (Part::Journal, "at", _) => "max(at) OVER (ORDER BY seq) AS at".into(),
        (Part::PreviewedChunks, "chunk", _) => "passport >> 12 AS chunk".into(),
        (Part::PreviewedChunks, "passports", _) => "array_agg(passport & 4095 ORDER BY passport) AS passports".into(),
        (Part::PreviewedChunks, "versions", _) => "array_agg(changed ORDER BY passport) AS versions".into(),
        (_, name, Kind::Flag) => format!("{name}::integer::bigint AS {name}"),
        (_, name, Kind::Number) => format!("{name}::bigint AS {name}"),
        (_, name, Kind::Sorted | Kind::Listed) => format!("{name}::bigint[] AS {name}"),
        (_, name, Kind::Text | Kind::Bytes) => name.to_owned(),
    }
}

/// What a new row's column is written as. Numbers become as small as the table has them.
fn written_as((name, kind): &Column) -> String {
    match kind {
        Kind::Flag => format!("new.{name} <> 0"),
        Kind::Sorted => format!("new.{name}::integer[]"),
        Kind::Listed => format!("new.{name}::bigint[]"),
        Kind::Number | Kind::Text | Kind::Bytes => format!("new.{name}"),
    }
}

const fn array_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Number | Kind::Flag => "bigint[]",
        Kind::Bytes => "bytea[]",
        Kind::Text | Kind::Sorted | Kind::Listed => "text[]",
    }
}

fn names(part: Part) -> String {
    part.columns().iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::{DERIVED, schema, typed},
        *,
    };
    use crate::postgres::{PostgresUrl, connection::Connections};

    /// What stands in a table of its own, or follows from what is copied.
    const BUILT: [&str; 5] = ["whereabouts.", "server.", "refinery_", "passport.changed_at", "visit.owner"];

    #[tokio::test]
    async fn every_column_of_the_database_is_copied_or_built_anew() {
        let url = std::env::var("PASSPOOL_TEST_POSTGRES").expect("PASSPOOL_TEST_POSTGRES names a PostgreSQL");
        let aside = tempfile::Builder::new().prefix("columns_").rand_bytes(12).tempdir().unwrap();
        let name = aside.path().file_name().unwrap().to_str().unwrap().to_lowercase();
        let joint = if url.contains('?') { '&' } else { '?' };
        let url = PostgresUrl::parse(&format!("{url}{joint}options=-c%20search_path%3D{name}")).unwrap();
        let connections = Connections::new(&url).unwrap();
        let db = connections.session().await.unwrap();
        db.run(&format!("CREATE SCHEMA {name}")).await.unwrap();
        schema::migrate(&connections, None).await.unwrap();
        let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns \
                   JOIN information_schema.tables USING (table_schema, table_name) \
                   WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'";
        let there = db.query(sql, typed![]).await.unwrap();
        db.run(&format!("SET client_min_messages = warning; DROP SCHEMA {name} CASCADE")).await.unwrap();
        let is_built = |column: &String| {
            DERIVED.iter().any(|table| column.starts_with(&format!("{table}.")))
                || BUILT.iter().any(|built| column.starts_with(built))
        };
        let mut there: BTreeSet<String> = there.iter().map(|row| row.get(0)).filter(|name| !is_built(name)).collect();
        // They travel by chunks.
        for name in ["passport", "changed"] {
            assert!(there.remove(&format!("preview_passport.{name}")));
        }
        there.extend(["chunk", "passports", "versions"].map(|name| format!("preview_passport.{name}")));
        let columns = |part: Part| names(part).split(", ").map(|name| format!("{}.{name}", part.table())).collect();
        let copied: BTreeSet<String> = Part::ALL.into_iter().flat_map::<Vec<String>, _>(columns).collect();
        assert_eq!(copied, there);
    }
}
