//! Judging: the first rows of a file are looked at before a database is made for them.

use std::collections::HashMap;

use passpool_core::Refusal;

use super::{
    FillError,
    window::{WINDOW_BYTES, WINDOW_ROWS},
};
use crate::exchange::{BadLine, Row};

/// Reads as many rows as wait in memory anyway when ids are sorted, and gives all rows back if those are good.
///
/// A bad row behind them is found too late for this: what was made for it stays, and is empty.
pub(crate) fn judge_first<R>(mut rows: R) -> Result<impl Iterator<Item = Result<Row, BadLine>> + Send, FillError>
where
    R: Iterator<Item = Result<Row, BadLine>> + Send,
{
    let (mut first, mut bytes) = (Vec::new(), 0);
    let mut lines = HashMap::new();
    while first.len() < WINDOW_ROWS && bytes < WINDOW_BYTES {
        let Some(row) = rows.next().transpose()? else { break };
        if let Some(id) = row.id
            && let Some(line) = lines.insert(id, row.line)
        {
            return Err(FillError::Refused { lines: vec![line, row.line], refusal: Refusal::IdDoubled(id) });
        }
        bytes += row.content.as_str().len();
        first.push(row);
    }
    Ok(first.into_iter().map(Ok).chain(rows))
}

#[cfg(test)]
mod tests {
    use passpool_core::{Content, PassportId, Tags};

    use super::*;

    fn row(line: u64, id: Option<u64>) -> Result<Row, BadLine> {
        let id = id.map(|id| PassportId::new(id).unwrap());
        Ok(Row { line, id, passphrase: None, tags: Tags::default(), content: Content::empty() })
    }

    #[test]
    fn a_bad_row_among_the_first_is_told_and_good_ones_all_come_back() {
        let check = |rows: Vec<Result<Row, BadLine>>, expected: Result<usize, &str>| {
            let judged = judge_first(rows.into_iter()).map(Iterator::count).map_err(|error| error.to_string());
            assert_eq!(judged, expected.map_err(str::to_owned));
        };
        let bad = |line| Err(BadLine::new(line, "bad"));
        check(vec![], Ok(0));
        check(vec![row(1, Some(5)), row(2, None), row(3, None), row(4, Some(6))], Ok(4));
        check(vec![row(1, Some(5)), bad(2)], Err("line 2: bad"));
        let doubled = "line 3: the id 5 stands twice in this import, first in line 1";
        check(vec![row(1, Some(5)), row(2, Some(6)), row(3, Some(5)), bad(4)], Err(doubled));
        let many = (1..=WINDOW_ROWS as u64).map(|line| row(line, None));
        check(many.chain([bad(0)]).collect(), Ok(WINDOW_ROWS + 1));
    }
}
