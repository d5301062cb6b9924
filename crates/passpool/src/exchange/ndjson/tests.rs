//! What an NDJSON file may say, and how it is told what it may not.

use std::io::Cursor;

use super::*;
use crate::exchange::{self, FileFormat};

fn read(text: &str) -> Result<Vec<String>, String> {
    let rows = exchange::read(FileFormat::Ndjson, Cursor::new(text.to_owned()), Vec::new()).unwrap();
    rows.map(|row| row.map(|row| show(&row)).map_err(|bad| bad.to_string())).collect()
}

/// `line id passphrase tags content`, with a dash for what is not there.
fn show(row: &Row) -> String {
    let tags = row.tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(",");
    let id = row.id.map_or("-".into(), |id| id.to_string());
    let passphrase = row.passphrase.as_ref().map_or("-", Passphrase::reveal);
    format!("{} {id} {passphrase} {tags} {}", row.line, row.content.as_str())
}

#[test]
fn every_field_may_be_left_out() {
    let check = |input: &str, expected: &[&str]| assert_eq!(read(input).unwrap(), expected, "{input:?}");
    check(
        "{\"id\":1,\"passphrase\":\"abc\",\"tags\":[\"vip\",\" gold \"],\"content\":{ \"b\" : 1.50 }}",
        &["1 1 abc gold,vip {\"b\":1.50}"],
    );
    check("{}\n{\"id\":null,\"tags\":[]}\n", &["1 - -  {}", "2 - -  {}"]);
    check("{\"passphrase\":\"\\u0061b\",\"tags\":[\"\\u00e9\"]}", &["1 - ab é {}"]);
    check("\u{feff}{\"id\":1}\r\n\r\n  \n{\"id\":2}", &["1 1 -  {}", "4 2 -  {}"]);
    check("", &[]);
}

#[test]
fn a_bad_line_is_told_by_its_number_and_not_repeated() {
    let check = |input: &str, expected: &str| assert_eq!(read(input).unwrap_err(), expected, "{input:?}");
    let id = "a passport's id is a whole number from 1 to 9007199254740991";
    check("{}\n{\"id\":0}", &format!("line 2: {id}"));
    check("{\"id\":\"1\"}", &format!("line 1: {id}"));
    check("{\"id\":1.0}", &format!("line 1: {id}"));
    check("\"sesame\"", "line 1: it is not a JSON object");
    check("{\"id\":1", "line 1: it is not JSON, from column 7 on");
    check("{}{}", "line 1: it is not JSON, from column 3 on");
    check("{\"passphrase\":7714}", "line 1: the passphrase is not a text");
    check("{\"passphrase\":\"\"}", "line 1: the passphrase is empty");
    check("{\"tags\":\"a,b\"}", "line 1: the tags are not a list of texts");
    check("{\"tags\":[\"a,b\"]}", "line 1: the tag \"a,b\" holds a comma, which separates tags");
    check("{\"tags\":[\"\"]}", "line 1: a tag is empty");
    check("{\"content\":[]}", "line 1: the content is not a JSON object");
    check(&format!("{{\"x\":\"{}", "x".repeat(5 << 20)), "line 1: it has more than 4194304 bytes");
}

#[test]
fn a_field_that_is_not_known_or_stands_twice_is_named_and_its_value_is_not() {
    let check = |input: &str, expected: &str| assert_eq!(read(input).unwrap_err(), expected, "{input:?}");
    let known = "expected one of `id`, `passphrase`, `tags`, `content`";
    check("{\"id\":1,\"tag\":\"sesame\"}", &format!("line 1: unknown field `tag`, {known}"));
    check("{}\n{\"passphrases\":[\"sesame\"]}", &format!("line 2: unknown field `passphrases`, {known}"));
    check("{\"passphrase\":\"sesame\",\"passphrase\":\"open\"}", "line 1: duplicate field `passphrase`");
    check("{\"a at line 7\\u001b[2J\":1}", &format!("line 1: unknown field `a at line 7\\u{{1b}}[2J`, {known}"));
    check(&format!("{{\"{}\":1}}", "x".repeat(1 << 20)), &format!("line 1: unknown field `{}", "x".repeat(185)));
}
