//! NDJSON: an object a line.

use std::{
    borrow::Cow,
    io::{self, BufRead, BufReader, Read},
};

use passpool_core::{Content, Passphrase, PassportId, Tag, Tags, TagsError};
use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};

use super::{BadLine, MAX_LINE_BYTES, Row, cells::Cells};

const BUFFER_BYTES: usize = 64 << 10;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// How much of a field's name is told: somebody's terminal has to hold it.
const TOLD_AT_MOST: usize = 200;

pub(super) struct NdjsonRows<R> {
    source: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    cells: Cells,
    is_over: bool,
}

/// The fields as they stand there. Content keeps the spelling of its author, and what is wrong with a field is told in
/// our own words: a JSON reader's would repeat it, were it a passphrase or not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    passphrase: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tags: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

impl<R: Read> NdjsonRows<R> {
    pub(super) fn new(source: R, cells: Cells) -> Self {
        let source = BufReader::with_capacity(BUFFER_BYTES, source);
        Self { source, line: Vec::new(), number: 0, cells, is_over: false }
    }

    /// Reads the next line, and answers false at the end.
    fn read_line(&mut self) -> Result<bool, BadLine> {
        self.line.clear();
        self.number += 1;
        let limit = MAX_LINE_BYTES + 1;
        let read = self.source.by_ref().take(limit as u64).read_until(b'\n', &mut self.line);
        match read.map_err(|error: io::Error| BadLine::new(self.number, error))? {
            0 => Ok(false),
            read if read == limit => Err(BadLine::new(self.number, format!("it has more than {MAX_LINE_BYTES} bytes"))),
            _ => Ok(true),
        }
    }

    fn row(&mut self) -> Result<Option<Row>, BadLine> {
        let bad = |reason: String| BadLine { line: self.number, reason };
        let line = match self.number {
            1 => self.line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.line),
            _ => &self.line,
        };
        let text = str::from_utf8(line.trim_ascii()).map_err(|_| bad("it is not UTF-8".into()))?;
        if text.is_empty() {
            return Ok(None);
        }
        if !text.starts_with('{') {
            return Err(bad("it is not a JSON object".into()));
        }
        let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| bad(reason(&error)))?;
        let passport = parse(&fields, &mut self.cells).map_err(bad)?;
        Ok(Some(Row { line: self.number, ..passport }))
    }
}

impl<R: Read> Iterator for NdjsonRows<R> {
    type Item = Result<Row, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let row = match self.read_line() {
                Ok(true) => self.row().transpose(),
                Ok(false) => {
                    self.is_over = true;
                    return None;
                }
                Err(bad) => Some(Err(bad)),
            };
            if let Some(row) = row {
                self.is_over = row.is_err();
                return Some(row);
            }
        }
        None
    }
}

fn parse(fields: &Fields<'_>, cells: &mut Cells) -> Result<Row, String> {
    let id = fields.id.map(|id| PassportId::parse(id.get())).transpose().map_err(|error| error.to_string())?;
    let passphrase = fields.passphrase.map(parse_passphrase).transpose()?;
    let tags = cells.tags(fields.tags.map_or("[]", RawValue::get), parse_tags).map_err(|TagsReason(reason)| reason)?;
    let content = match fields.content {
        None => Content::empty(),
        Some(content) => cells.content(content.get()).map_err(|error| error.to_string())?,
    };
    Ok(Row { line: 0, id, passphrase, tags, content })
}

fn parse_passphrase(field: &RawValue) -> Result<Passphrase, String> {
    let text: Cow<'_, str> =
        serde_json::from_str(field.get()).map_err(|_| "the passphrase is not a text".to_owned())?;
    Passphrase::parse(&text).map_err(|error| error.to_string())
}

struct TagsReason(String);

impl<E: ToString> From<E> for TagsReason {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn parse_tags(json: &str) -> Result<Tags, TagsReason> {
    let tags: Vec<Cow<'_, str>> =
        serde_json::from_str(json).map_err(|_| TagsReason("the tags are not a list of texts".into()))?;
    let tags = tags.iter().map(|tag| Tag::parse(tag)).collect::<Result<Vec<_>, _>>();
    Ok(Tags::new(tags.map_err(TagsError::from)?)?)
}

fn reason(error: &serde_json::Error) -> String {
    let column = error.column();
    match error.classify() {
        Category::Io | Category::Syntax | Category::Eof => format!("it is not JSON, from column {column} on"),
        // Every value is taken as it stands, so this is about the name of a field and nothing else.
        Category::Data => {
            let told = error.to_string();
            let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told);
            told.escape_debug().take(TOLD_AT_MOST).collect()
        }
    }
}

#[cfg(test)]
mod tests;
