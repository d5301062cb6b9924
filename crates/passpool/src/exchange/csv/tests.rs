//! What a CSV file may say, and how it is told what it may not.

use std::io::Cursor;

use passpool_core::Tag;

use super::*;
use crate::exchange::{self, FileFormat};

fn read(text: &str, added: &[&str]) -> Result<Vec<String>, String> {
    let added = added.iter().map(|tag| Tag::parse(tag).unwrap()).collect();
    let rows = exchange::read(FileFormat::Csv, Cursor::new(text.to_owned()), added).map_err(|bad| bad.to_string())?;
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
fn columns_may_stand_in_any_order_and_be_left_out() {
    let check = |input: &str, expected: &[&str]| assert_eq!(read(input, &[]).unwrap(), expected, "{input:?}");
    check("id,passphrase,tags,content\n1,abc,\"vip,gold\",\"{\"\"a\"\": 1}\"\n", &["2 1 abc gold,vip {\"a\":1}"]);
    check("content,tags,id\n{},vip,5", &["2 5 - vip {}"]);
    check("tags\nvip\n\"\"\nvip\n", &["2 - - vip {}", "4 - - vip {}"]);
    check("id,tags\n,\n", &["2 - -  {}"]);
    check("id,passphrase\r\n1,abc\r\n2,\"d\"\r\n3,\r\n", &["2 1 abc  {}", "3 2 d  {}", "4 3 -  {}"]);
    check(" id , tags \r\n 7 , a \r\n", &["2 7 - a {}"]);
    check("id,tags\n", &[]);
    check("id", &[]);
}

#[test]
fn blank_lines_and_a_byte_order_mark_are_passed_over() {
    let check = |input: &str, expected: &[&str]| assert_eq!(read(input, &[]).unwrap(), expected, "{input:?}");
    check("\u{feff}id,tags\n1,a\n", &["2 1 - a {}"]);
    check("id,tags\n\n1,a\n\n  \n2,b\n\n", &["3 1 - a {}", "6 2 - b {}"]);
    check("id,tags\r\n\r\n1,a\r\n2,b", &["3 1 - a {}", "4 2 - b {}"]);
    check("id,content\n1,\"{\n\n}\"\n2,{}", &["2 1 -  {}", "5 2 -  {}"]);
}

#[test]
fn tags_are_added_to_every_row() {
    assert_eq!(read("id,tags\n1,b\n2,\n3,a", &["a", "c"]).unwrap(), ["2 1 - a,b,c {}", "3 2 - a,c {}", "4 3 - a,c {}"]);
    assert_eq!(read("id\n1", &["a"]).unwrap(), ["2 1 - a {}"]);
}

#[test]
fn a_bad_line_is_told_by_its_number() {
    let check = |input: &str, expected: &str| assert_eq!(read(input, &[]).unwrap_err(), expected, "{input:?}");
    let names = "a CSV file begins with the names of its columns: id,passphrase,tags,content";
    check("", &format!("line 1: {names}"));
    check("5,sesame,vip\n", &format!("line 1: {names}"));
    check("id;tags\n", &format!("line 1: {names}"));
    check("id,tag\n", "line 1: there is no column \"tag\"; the columns are id,passphrase,tags,content");
    check("id,tags,id\n", "line 1: the column \"id\" stands twice");
    check("id,tags\n1,a\n2,a,b\n", "line 3: it has 3 cells, and the header 2");
    check("id,tags\n1,a\n\n2\n", "line 4: it has 1 cells, and the header 2");
    check("id,tags\n0,a\n", "line 2: a passport's id is a whole number from 1 to 9007199254740991");
    check("id,tags\n9007199254740992,a\n", "line 2: a passport's id is a whole number from 1 to 9007199254740991");
    check("id,tags\n1,a\u{7}b\n", "line 2: the tag \"a\\u{7}b\" holds a control character");
    check("id,content\n1,[]\n", "line 2: the content is not a JSON object");
    check("id,tags\n1,\"a\n2,b\n", "line 2: a cell begins with a quote that is never closed");
    check("id,tags\n1,\"a", "line 2: a cell begins with a quote that is never closed");
}

#[test]
fn a_bad_passphrase_is_not_repeated() {
    let check = |input: &str, expected: &str| assert_eq!(read(input, &[]).unwrap_err(), expected, "{input:?}");
    let characters = "holds a character other than A-Z a-z 0-9 - . _ ~ ! $ & ' ( ) * + ; = : @";
    check("id,passphrase\n1,open sesame\n", &format!("line 2: the passphrase {characters}"));
    check(&format!("passphrase\n{}\n", "x".repeat(33)), "line 2: the passphrase has 33 bytes; at most 32 are allowed");
}

#[test]
fn what_is_not_utf_8_is_refused() {
    let source = Cursor::new(b"id,tags\n1,\xff\n".to_vec());
    let mut rows = exchange::read(FileFormat::Csv, source, Vec::new()).unwrap();
    assert_eq!(rows.next(), Some(Err(BadLine::new(2, "it is not UTF-8"))));
    assert_eq!(rows.next(), None, "nothing is read behind a bad line");
}

#[test]
fn a_line_has_an_end() {
    let endless = format!("id,tags\n1,\"{}", "x".repeat(5 << 20));
    assert_eq!(read(&endless, &[]).unwrap_err(), "line 2: it has more than 4194304 bytes");
}
