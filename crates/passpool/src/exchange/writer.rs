//! Writing passports, so that what is written can be read again.

use std::io::{self, Write};

use passpool_core::{Content, Passphrase, PassportId, Tags};

use super::{COLUMNS, FileFormat};

const BUFFER_BYTES: usize = 64 << 10;

/// Writes passports to a file.
///
/// Cells stay as they are, those too that a spreadsheet would take for a formula (a tag that begins with `=`, `+`, `-`
/// or `@`): the file is there to be read again, and a tag with a quote put before it would be another tag.
pub(crate) enum PassportWriter<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Ndjson(io::BufWriter<W>),
}

impl<W: Write> PassportWriter<W> {
    pub(crate) fn new(format: FileFormat, sink: W) -> io::Result<Self> {
        match format {
            FileFormat::Ndjson => Ok(Self::Ndjson(io::BufWriter::with_capacity(BUFFER_BYTES, sink))),
            FileFormat::Csv => {
                let mut writer = csv::WriterBuilder::new().buffer_capacity(BUFFER_BYTES).from_writer(sink);
                writer.write_record(COLUMNS)?;
                Ok(Self::Csv(writer.into()))
            }
        }
    }

    pub(crate) fn write(
        &mut self,
        id: PassportId,
        passphrase: Option<&Passphrase>,
        tags: &Tags,
        content: &Content,
    ) -> io::Result<()> {
        match self {
            Self::Csv(writer) => {
                let tags = tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(",");
                let passphrase = passphrase.map_or("", Passphrase::reveal);
                Ok(writer.write_record([id.to_string().as_str(), passphrase, &tags, content.as_str()])?)
            }
            Self::Ndjson(writer) => {
                write!(writer, r#"{{"id":{id}"#)?;
                if let Some(passphrase) = passphrase {
                    // No character of a passphrase has another meaning in JSON.
                    write!(writer, r#","passphrase":"{}""#, passphrase.reveal())?;
                }
                writer.write_all(br#","tags":"#)?;
                serde_json::to_writer(&mut *writer, &tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>())?;
                writeln!(writer, r#","content":{}}}"#, content.as_str())
            }
        }
    }

    /// Hands everything on.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Csv(writer) => writer.flush(),
            Self::Ndjson(writer) => writer.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{self, Row};

    fn row(id: u64, passphrase: Option<&str>, tags: &str, content: &str) -> Row {
        Row {
            line: 0,
            id: Some(PassportId::new(id).unwrap()),
            passphrase: passphrase.map(|text| Passphrase::parse(text).unwrap()),
            tags: Tags::parse_list(tags).unwrap(),
            content: Content::parse(content).unwrap(),
        }
    }

    fn write(format: FileFormat, rows: &[Row]) -> String {
        let mut bytes = Vec::new();
        let mut writer = PassportWriter::new(format, &mut bytes).unwrap();
        for row in rows {
            writer.write(row.id.unwrap(), row.passphrase.as_ref(), &row.tags, &row.content).unwrap();
        }
        writer.flush().unwrap();
        drop(writer);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn passports_are_read_as_they_are_written() {
        let rows = [
            row(1, None, "", "{}"),
            row(2, Some("a$&'()*+;=:@"), "vip,=1+1,-x,@y,+z,\"q\", été", r#"{"b":1.50,"a":"x,\"y\"\n"}"#),
            row(PassportId::MAX, Some("x"), "a'b", r#"{"n":12345678901234567890123}"#),
        ];
        for format in [FileFormat::Csv, FileFormat::Ndjson] {
            let text = write(format, &rows);
            let read = exchange::read(format, io::Cursor::new(text), Vec::new()).unwrap();
            let read: Vec<Row> = read.map(|row| Row { line: 0, ..row.unwrap() }).collect();
            assert_eq!(read, rows, "{format:?}");
        }
    }

    #[test]
    fn the_columns_have_their_order() {
        let rows = [row(1, None, "b,a", "{}"), row(2, Some("x"), "c", r#"{"n":1}"#)];
        assert_eq!(
            write(FileFormat::Csv, &rows),
            "id,passphrase,tags,content\n1,,\"a,b\",{}\n2,x,c,\"{\"\"n\"\":1}\"\n"
        );
        assert_eq!(
            write(FileFormat::Ndjson, &rows),
            "{\"id\":1,\"tags\":[\"a\",\"b\"],\"content\":{}}\n\
             {\"id\":2,\"passphrase\":\"x\",\"tags\":[\"c\"],\"content\":{\"n\":1}}\n"
        );
    }
}
