//! Hand-outs as a table, to be opened by a spreadsheet.

use std::{borrow::Cow, io};

use passpool_core::{KeptRecipient, Personal, Reference};

use crate::handout::Handout;

const COLUMNS: [&str; 5] = ["passport_id", "link", "name", "email", "reference"];

/// Writes a line for each hand-out, in CSV, behind a header if it is the table's beginning.
///
/// A spreadsheet runs a cell that begins like a formula. What people wrote is shown to it with an apostrophe before it,
/// which it does not show and by which it takes the cell for text.
pub(crate) fn write_table<'a>(
    sink: impl io::Write,
    with_header: bool,
    handouts: impl IntoIterator<Item = (&'a Handout, Option<&'a KeptRecipient>)>,
) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(sink);
    if with_header {
        table.write_record(COLUMNS)?;
    }
    for (handout, recipient) in handouts {
        let recipient = recipient.map(|kept| &kept.recipient);
        let name = recipient.and_then(|one| one.name()).map_or("", Personal::reveal);
        let email = recipient.and_then(|one| one.email()).map_or("", Personal::reveal);
        let reference = recipient.and_then(|one| one.reference()).map_or("", Reference::as_str);
        let id = handout.passport.to_string();
        let cells = [&*id, &*handout.link, &*defused(name), &*defused(email), &*defused(reference)];
        table.write_record(cells)?;
    }
    table.flush()
}

/// A cell that no spreadsheet runs.
fn defused(cell: &str) -> Cow<'_, str> {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '|' | '%' | '＝' | '＋' | '－' | '＠') => {
            Cow::Owned(format!("'{cell}"))
        }
        _ => Cow::Borrowed(cell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_begins_like_a_formula_is_defused() {
        let check = |cell: &str, expected: &str| assert_eq!(defused(cell), expected);
        check("", "");
        check("Ada", "Ada");
        check("A-1", "A-1");
        check("a=b", "a=b");
        check("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")");
        check("+1", "'+1");
        check("-1", "'-1");
        check("@SUM(A1)", "'@SUM(A1)");
        check("\t=1", "'\t=1");
        check("＝1", "'＝1");
    }
}
