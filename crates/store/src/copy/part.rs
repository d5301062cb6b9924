//! The parts of a shop as they are copied: rows of the truth, in a shape that is neither database's.
//!
//! What follows from these rows (the pool, who has a tag, sums, what ends when) is not copied: each side builds its own.
//! Numbers of passports, tags, contents, users and kiosks stay what they are, so that rows which point to each other go
//! on doing so.

use sha2::{Digest, Sha256};

/// One kind of row. They are copied in the order of [`Part::ALL`]: what is pointed to comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Secrets,
    Settings,
    Profiles,
    Users,
    Keys,
    Tags,
    Contents,
    Kiosks,
    Journal,
    Reservations,
    Passports,
    Visits,
    Recipients,
    Repeats,
    Previews,
    /// What a preview saw, by chunks of 4,096 passports.
    PreviewedChunks,
    Resets,
    ResetPassports,
}

/// A column's name, and what it holds. Each may be null.
pub(crate) type Column = (&'static str, Kind);

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    /// 0 or 1.
    Flag,
    Text,
    Bytes,
    /// Numbers below 2^32, each greater than the one before.
    Sorted,
    /// Numbers in an order of their own.
    Listed,
}

/// What one column of one row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    /// Of a [`Kind::Number`] or a [`Kind::Flag`].
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// Of a [`Kind::Sorted`] or a [`Kind::Listed`].
    Numbers(Vec<i64>),
}

/// One row: a cell for each column of its part.
pub(crate) type Cells = Vec<Cell>;

use Kind::{Bytes, Flag, Listed, Number, Sorted, Text};

impl Part {
    pub(crate) const ALL: [Self; 18] = [
        Self::Secrets,
        Self::Settings,
        Self::Profiles,
        Self::Users,
        Self::Keys,
        Self::Tags,
        Self::Contents,
        Self::Kiosks,
        Self::Journal,
        Self::Reservations,
        Self::Passports,
        Self::Visits,
        Self::Recipients,
        Self::Repeats,
        Self::Previews,
        Self::PreviewedChunks,
        Self::Resets,
        Self::ResetPassports,
    ];

    /// The table in which PostgreSQL has it; SQLite's is called the same, but for two.
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Secrets => "secret",
            Self::Settings => "setting",
            Self::Profiles => "profile",
            Self::Users => "account",
            Self::Keys => "api_key",
            Self::Tags => "tag",
            Self::Contents => "content",
            Self::Kiosks => "kiosk",
            Self::Journal => "journal",
            Self::Reservations => "reservation",
            Self::Passports => "passport",
            Self::Visits => "visit",
            Self::Recipients => "recipient",
            Self::Repeats => "repeat",
            Self::Previews => "preview",
            Self::PreviewedChunks => "preview_passport",
            Self::Resets => "reset",
            Self::ResetPassports => "reset_passport",
        }
    }

    /// The order in which both sides read it: no two rows are alike in this.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Secrets
            | Self::Profiles
            | Self::Users
            | Self::Tags
            | Self::Contents
            | Self::Kiosks
            | Self::Reservations
            | Self::Recipients
            | Self::Previews
            | Self::Resets => "id",
            Self::Settings => "name",
            Self::Keys => "digest",
            Self::Journal | Self::Passports => "seq",
            Self::Visits => "passport",
            Self::Repeats => "at, record",
            Self::PreviewedChunks => "preview, chunk",
            Self::ResetPassports => "reset, passport",
        }
    }

    pub(crate) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Secrets => &[("id", Number), ("fingerprint", Bytes)],
            Self::Settings => &[("name", Text), ("value", Text)],
            Self::Profiles => &[("id", Number), ("name", Text), ("rights", Text), ("is_own", Flag)],
            Self::Users => &[("id", Number), ("name", Text), ("profile", Number)],
            Self::Keys => &[
                ("digest", Bytes),
                ("head", Text),
                ("account", Number),
                ("made_at", Number),
                ("until", Number),
                ("used_at", Number),
            ],
            Self::Tags => &[("id", Number), ("name", Text)],
            Self::Contents => &[("id", Number), ("digest", Bytes), ("json", Text)],
            Self::Kiosks => &[
                ("id", Number),
                ("name", Text),
                ("rule", Text),
                ("tags", Text),
                ("hold", Number),
                ("per_visitor", Number),
                ("opens", Number),
                ("closes", Number),
                ("made_at", Number),
            ],
            Self::Journal => &[
                ("seq", Number),
                ("at", Number),
                ("kind", Text),
                ("passport", Number),
                ("actor", Text),
                ("detail", Text),
            ],
            Self::Reservations => &[
                ("id", Bytes),
                ("at", Number),
                ("actor", Text),
                ("rule", Text),
                ("tags", Text),
                ("until", Number),
                ("note", Text),
                ("recipients", Number),
                ("count", Number),
                ("passports", Listed),
            ],
            Self::Passports => &[
                ("seq", Number),
                ("id", Number),
                ("state", Number),
                ("changed", Number),
                ("tags", Sorted),
                ("content", Number),
                ("secret", Number),
                ("number", Number),
                ("sealed", Bytes),
                ("printed", Flag),
                ("handed_at", Number),
                ("until", Number),
                ("reservation", Bytes),
                ("owner", Bytes),
                ("settle_by", Number),
                ("kiosk", Number),
            ],
            Self::Visits => &[("passport", Number), ("kiosk", Number), ("visitor", Bytes), ("address", Bytes)],
            Self::Recipients => &[
                ("id", Bytes),
                ("reservation", Bytes),
                ("passport", Number),
                ("name", Text),
                ("email", Text),
                ("reference", Text),
                ("left_at", Number),
            ],
            Self::Repeats => &[("at", Number), ("record", Bytes), ("parameters", Bytes), ("reservation", Bytes)],
            Self::Previews => &[("id", Bytes), ("at", Number)],
            Self::PreviewedChunks => {
                &[("preview", Bytes), ("chunk", Number), ("passports", Sorted), ("versions", Listed)]
            }
            Self::Resets => &[("id", Bytes), ("at", Number), ("actor", Text), ("undone", Number)],
            Self::ResetPassports => &[
                ("reset", Bytes),
                ("passport", Number),
                ("changed", Number),
                ("state", Number),
                ("secret", Number),
                ("number", Number),
                ("sealed", Bytes),
                ("handed_at", Number),
                ("until", Number),
                ("reservation", Bytes),
                ("kiosk", Number),
                ("visitor", Bytes),
                ("address", Bytes),
            ],
        }
    }
}

impl Cell {
    pub(crate) fn into_number(self) -> Option<i64> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    pub(crate) fn into_text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(crate) fn into_numbers(self) -> Option<Vec<i64>> {
        if let Self::Numbers(numbers) = self { Some(numbers) } else { None }
    }

    /// About how much memory it takes.
    fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Number(_) => 0,
                Self::Text(text) => text.len(),
                Self::Bytes(bytes) => bytes.len(),
                Self::Numbers(numbers) => size_of_val(numbers.as_slice()),
            }
    }
}

/// How many rows travel together at most, and how much memory they take, as long as one row does not take more.
const ROWS: usize = 4_096;
const BYTES: usize = 2 << 20;

/// Rows that travel together.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    cells: Vec<Cells>,
    bytes: usize,
}

impl Rows {
    /// Adds a row, and gives them all once they are enough.
    pub(crate) fn add(&mut self, row: Cells) -> Option<Vec<Cells>> {
        self.bytes += row.iter().map(Cell::size).sum::<usize>();
        self.cells.push(row);
        (self.cells.len() >= ROWS || self.bytes >= BYTES).then(|| std::mem::take(self).cells)
    }

    pub(crate) fn rest(self) -> Vec<Cells> {
        self.cells
    }
}

/// What tells one copy of a part from another: how many rows there are, and a digest of every cell in its order.
#[derive(Clone, Default)]
pub(crate) struct Imprint {
    pub(crate) rows: u64,
    digest: Sha256,
}

impl Imprint {
    pub(crate) fn add(&mut self, rows: &[Cells]) {
        self.rows += rows.len() as u64;
        for cell in rows.iter().flatten() {
            match cell {
                Cell::Null => self.digest.update([0]),
                Cell::Number(number) => self.add_bytes(1, &number.to_le_bytes()),
                Cell::Text(text) => self.add_bytes(2, text.as_bytes()),
                Cell::Bytes(bytes) => self.add_bytes(3, bytes),
                Cell::Numbers(numbers) => {
                    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                    self.add_bytes(4, &bytes);
                }
            }
        }
    }

    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.rows == other.rows && self.digest.clone().finalize() == other.digest.clone().finalize()
    }

    fn add_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.digest.update([kind]);
        self.digest.update((bytes.len() as u64).to_le_bytes());
        self.digest.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_travel_in_loads_of_bounded_size() {
        let mut rows = Rows::default();
        let sent = (0..ROWS - 1).find_map(|number| rows.add(vec![Cell::Number(number as i64)]));
        assert_eq!(sent, None);
        assert_eq!(rows.add(vec![Cell::Null]).map(|rows| rows.len()), Some(ROWS));
        assert_eq!(rows.add(vec![Cell::Text("x".repeat(BYTES))]).map(|rows| rows.len()), Some(1));
        assert_eq!(rows.add(vec![Cell::Null]), None);
        assert_eq!(rows.rest().len(), 1);
    }

    #[test]
    fn an_imprint_tells_apart_what_is_not_alike() {
        let imprint = |rows: &[Cells]| {
            let mut imprint = Imprint::default();
            rows.iter().for_each(|row| imprint.add(std::slice::from_ref(row)));
            imprint
        };
        let (text, bytes) = (|text: &str| Cell::Text(text.into()), |text: &str| Cell::Bytes(text.into()));
        let first = imprint(&[vec![text("ab"), text("c")], vec![Cell::Null]]);
        assert!(first.is_like(&imprint(&[vec![text("ab"), text("c")], vec![Cell::Null]])));
        for other in [
            imprint(&[vec![text("a"), text("bc")], vec![Cell::Null]]),
            imprint(&[vec![bytes("ab"), text("c")], vec![Cell::Null]]),
            imprint(&[vec![text("ab"), text("c")], vec![Cell::Number(0)]]),
            imprint(&[vec![text("ab"), text("c")], vec![Cell::Numbers(vec![])]]),
            imprint(&[vec![text("ab"), text("c")]]),
            imprint(&[vec![Cell::Null], vec![text("ab"), text("c")]]),
        ] {
            assert!(!first.is_like(&other));
        }
    }
}
