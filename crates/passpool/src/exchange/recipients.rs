//! Recipients as a file tells of them: CSV with the columns `name`, `email` and `reference`, in any order.

use std::io::Read;

use csv::StringRecord;
use passpool_core::{Personal, Recipient, Recipients, RecipientsError, Reference};

use super::BadLine;

/// The columns, of which one has to be there.
const COLUMNS: [&str; 3] = ["name", "email", "reference"];

/// Reads a whole file of recipients, in its order.
pub(crate) fn read_recipients(source: impl Read) -> Result<Recipients, BadLine> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let unread = |error: csv::Error| {
        BadLine::new(
            error.position().map_or(1, csv::Position::line),
            "it is no CSV of as many cells as the header, in UTF-8",
        )
    };
    let header = reader.headers().map_err(unread)?.clone();
    let columns = places(&header).map_err(|reason| BadLine::new(1, reason))?;
    let (mut recipients, mut lines) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(unread)?;
        let line = record.position().map_or(1, csv::Position::line);
        if recipients.len() == Recipients::MAX {
            return Err(BadLine::new(line, format!("at most {} recipients are allowed", Recipients::MAX)));
        }
        recipients.push(recipient(&record, columns).map_err(|reason| BadLine::new(line, reason))?);
        lines.push(line);
    }
    Recipients::new(recipients).map_err(|error| match error {
        RecipientsError::Doubled { position, .. } => BadLine::new(lines[position], error),
        RecipientsError::Count { .. } => BadLine::new(1, error),
    })
}

fn places(header: &StringRecord) -> Result<[Option<usize>; 3], String> {
    for name in header {
        if !COLUMNS.contains(&name) {
            return Err(format!("\"{}\" is no column; the columns are {}", name.escape_debug(), COLUMNS.join(", ")));
        }
        if header.iter().filter(|other| *other == name).count() > 1 {
            return Err(format!("the column {name} stands there twice"));
        }
    }
    Ok(COLUMNS.map(|column| header.iter().position(|name| name == column)))
}

fn recipient(record: &StringRecord, columns: [Option<usize>; 3]) -> Result<Recipient, String> {
    let [name, email, reference] =
        columns.map(|column| column.and_then(|column| record.get(column)).filter(|cell| !cell.is_empty()));
    let name = name.map(Personal::name).transpose().map_err(|wrong| wrong.to_string())?;
    let email = email.map(Personal::email).transpose().map_err(|wrong| wrong.to_string())?;
    let reference = reference.map(Reference::parse).transpose().map_err(|wrong| wrong.to_string())?;
    Recipient::new(name, email, reference).map_err(|wrong| wrong.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_read_in_their_order_from_columns_in_any_order() {
        let read =
            read_recipients("reference, name\r\nA-1,\"Ada, Countess\"\r\nA-2,\r\n\r\n,Bob\n".as_bytes()).unwrap();
        let told = read
            .as_slice()
            .iter()
            .map(|one| (one.reference().map(Reference::as_str), one.name().map(Personal::reveal)));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [(Some("A-1"), Some("Ada, Countess")), (Some("A-2"), None), (None, Some("Bob"))]
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        let check = |text: &str, line: u64, reason: &str| {
            let bad = read_recipients(text.as_bytes()).unwrap_err();
            assert!(bad.line == line && bad.reason.contains(reason), "{text:?}: {bad}");
        };
        check("", 1, "1 to 100000");
        check("name\n", 1, "1 to 100000");
        check("name,phone\nAda,1\n", 1, "phone");
        check("name,name\nAda,Ada\n", 1, "twice");
        check("name,email\nAda,ada@b.example\nBob,bob\n", 3, "@");
        check("name,email\nAda\n", 2, "cells");
        check("name,email\n,\n", 2, "a recipient has");
        check("reference\nA-1\nA-2\nA-1\n", 4, "A-1");
    }
}
