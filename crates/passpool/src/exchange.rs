//! Files in which passports come and go: CSV with a header, or NDJSON, an object a line.
//!
//! Both have the columns `id`, `passphrase`, `tags` and `content`, of which none has to be there. They are read and
//! written one passport at a time, whatever their size. What is wrong with a line is told by its number, and never with
//! a part of it that might be a passphrase.

mod bounded;
mod cells;
mod csv;
mod memo;
mod ndjson;
mod recipients;
mod row;
mod writer;

use std::{io::Read, path::Path};

use passpool_core::Tag;

pub(crate) use recipients::read_recipients;
pub(crate) use row::{BadLine, Row};
pub(crate) use writer::PassportWriter;

use cells::Cells;

/// The columns, in the order in which they are written.
const COLUMNS: [&str; 4] = ["id", "passphrase", "tags", "content"];

/// How long a line may be: 1 MiB of content, with every quote of it doubled, 256 tags, and room.
const MAX_LINE_BYTES: usize = 4 << 20;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FileFormat {
    Csv,
    Ndjson,
}

impl FileFormat {
    /// What the end of a file's name tells.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// The rows of a file, up to the first bad line.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Row, BadLine>> + Send>;

/// Begins to read a file. The tags are added to those of every row.
pub(crate) fn read(format: FileFormat, source: impl Read + Send + 'static, added: Vec<Tag>) -> Result<Rows, BadLine> {
    let cells = Cells::new(added);
    match format {
        FileFormat::Csv => Ok(Box::new(csv::CsvRows::new(source, cells)?)),
        FileFormat::Ndjson => Ok(Box::new(ndjson::NdjsonRows::new(source, cells))),
    }
}
