//! CSV with a header that names the columns, in any order.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator};
use passpool_core::{Content, Passphrase, PassportId, Tags, TagsError};

use super::{BadLine, COLUMNS, Row, bounded::Bounded, cells::Cells};

/// A read of the disk for about a thousand lines.
const BUFFER_BYTES: usize = 64 << 10;

pub(super) struct CsvRows<R> {
    reader: csv::Reader<Bounded<R>>,
    record: ByteRecord,
    columns: Columns,
    cells: Cells,
    is_over: bool,
}

/// Where each column stands, if it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Columns {
    id: Option<usize>,
    passphrase: Option<usize>,
    tags: Option<usize>,
    content: Option<usize>,
    count: usize,
}

impl<R: Read> CsvRows<R> {
    /// Reads the header.
    pub(super) fn new(source: R, cells: Cells) -> Result<Self, BadLine> {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            // The reader would take the end of a file that was cut off for a short line.
            .flexible(true)
            // It loses count of the lines if it is to look for the other ends of a line itself.
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(Bounded::new(source));
        let (record, columns) = (ByteRecord::new(), Columns::default());
        let mut rows = Self { reader, record, columns, cells, is_over: false };
        if !rows.read_record()? {
            return Err(BadLine::new(1, no_header()));
        }
        rows.columns = Columns::of(&rows.record).map_err(|reason| BadLine { line: rows.line(), reason })?;
        Ok(rows)
    }

    /// Reads the next record that is not blank, and answers false at the end.
    fn read_record(&mut self) -> Result<bool, BadLine> {
        loop {
            self.reader.get_mut().begin_line();
            let begins_at = self.reader.position().line();
            let is_there = self.reader.read_byte_record(&mut self.record);
            let is_there = is_there.map_err(|error| BadLine::new(begins_at, io::Error::from(error)))?;
            let last = self.record.iter().next_back().unwrap_or_default();
            if is_there && self.record.len() == 1 && last == Bounded::<R>::MARK.trim_ascii() {
                return Ok(false);
            }
            if !is_there || last.ends_with(Bounded::<R>::MARK) {
                return Err(BadLine::new(begins_at, "a cell begins with a quote that is never closed"));
            }
            if self.record.len() > 1 || !last.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn row(&mut self) -> Result<Row, BadLine> {
        let line = self.line();
        let bad = |reason: &dyn ToString| BadLine { line, reason: reason.to_string() };
        let (length, count) = (self.record.len(), self.columns.count);
        if length != count {
            return Err(bad(&format!("it has {length} cells, and the header {count}")));
        }
        let cell = |column: Option<usize>| {
            let cell = column.and_then(|column| self.record.get(column)).unwrap_or_default();
            str::from_utf8(cell).map_err(|_| bad(&"it is not UTF-8"))
        };
        let id = Some(cell(self.columns.id)?.trim()).filter(|cell| !cell.is_empty());
        // At the end of a line that ends as in Windows a cell has the first half of that.
        let passphrase = cell(self.columns.passphrase)?;
        let passphrase = Some(passphrase.strip_suffix('\r').unwrap_or(passphrase)).filter(|cell| !cell.is_empty());
        let (tags, content) = (cell(self.columns.tags)?, cell(self.columns.content)?);
        Ok(Row {
            line,
            id: id.map(PassportId::parse).transpose().map_err(|error| bad(&error))?,
            passphrase: passphrase.map(Passphrase::parse).transpose().map_err(|error| bad(&error))?,
            tags: self.cells.tags::<TagsError>(tags, Tags::parse_list).map_err(|error| bad(&error))?,
            content: match content.trim_ascii() {
                "" => Content::empty(),
                _ => self.cells.content(content).map_err(|error| bad(&error))?,
            },
        })
    }

    /// The line on which the record at hand begins: the reader stands behind its last one.
    fn line(&self) -> u64 {
        let breaks = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count();
        (self.reader.position().line() - 1).saturating_sub(breaks as u64)
    }
}

impl<R: Read> Iterator for CsvRows<R> {
    type Item = Result<Row, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let row = self.read_record().and_then(|is_there| is_there.then(|| self.row()).transpose()).transpose();
        self.is_over = !matches!(row, Some(Ok(_)));
        row
    }
}

impl Columns {
    fn of(header: &ByteRecord) -> Result<Self, String> {
        let names = header.iter().map(|name| str::from_utf8(name).map(str::trim));
        let names = names.collect::<Result<Vec<_>, _>>().map_err(|_| "it is not UTF-8")?;
        // Without a header the first line is a passport, and nothing of it may be repeated.
        if !names.iter().any(|name| COLUMNS.contains(name)) {
            return Err(no_header());
        }
        let mut columns = Self { count: names.len(), ..Self::default() };
        for (position, name) in names.into_iter().enumerate() {
            let column = match name {
                "id" => &mut columns.id,
                "passphrase" => &mut columns.passphrase,
                "tags" => &mut columns.tags,
                "content" => &mut columns.content,
                _ => {
                    let (name, known) = (name.escape_debug(), COLUMNS.join(","));
                    return Err(format!("there is no column \"{name}\"; the columns are {known}"));
                }
            };
            if column.replace(position).is_some() {
                return Err(format!("the column \"{name}\" stands twice"));
            }
        }
        Ok(columns)
    }
}

fn no_header() -> String {
    format!("a CSV file begins with the names of its columns: {}", COLUMNS.join(","))
}

#[cfg(test)]
mod tests;
