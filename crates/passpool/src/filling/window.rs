//! Windows: as many rows as are put in order at once.

use passpool_store::Create;

use crate::exchange::{BadLine, Row};

/// How many rows with given ids are put in the order of their ids before they are cut.
///
/// Ids in any order would touch the whole index by id with each slice. Sorted, a slice touches a part of it, and the
/// index is written once a window instead of once a slice (measured: an eighth of the bytes at a million passports).
pub(super) const WINDOW_ROWS: usize = 64 * Create::MAX;
/// How much content may wait in a window.
pub(super) const WINDOW_BYTES: usize = 64 << 20;

/// Rows that are cut into slices in this order.
pub(super) struct Window {
    pub(super) rows: Vec<Row>,
    pub(super) ids: Ids,
}

/// Where the ids of a window's rows come from.
pub(super) enum Ids {
    Given,
    Drawn,
}

/// Collects rows in windows: those whose ids are given, and those whose ids are drawn, in windows of their own.
pub(super) struct Windows<R> {
    rows: R,
    given: Vec<Row>,
    given_bytes: usize,
    drawn: Vec<Row>,
}

impl<R: Iterator<Item = Result<Row, BadLine>>> Windows<R> {
    pub(super) fn new(rows: R) -> Self {
        Self { rows, given: Vec::new(), given_bytes: 0, drawn: Vec::new() }
    }

    /// Keeps a row for its window, and answers that if it is full with it.
    fn add(&mut self, row: Row) -> Option<Window> {
        if row.id.is_none() {
            self.drawn.push(row);
            return (self.drawn.len() == Create::MAX).then(|| self.take_drawn());
        }
        self.given_bytes += row.content.as_str().len();
        self.given.push(row);
        (self.given.len() == WINDOW_ROWS || self.given_bytes >= WINDOW_BYTES).then(|| self.take_given())
    }

    /// What fits one slice keeps the order of its file.
    fn take_given(&mut self) -> Window {
        self.given_bytes = 0;
        let mut rows = std::mem::take(&mut self.given);
        if rows.len() > Create::MAX {
            rows.sort_by_key(|row| row.id);
        }
        Window { rows, ids: Ids::Given }
    }

    fn take_drawn(&mut self) -> Window {
        Window { rows: std::mem::take(&mut self.drawn), ids: Ids::Drawn }
    }
}

impl<R: Iterator<Item = Result<Row, BadLine>>> Iterator for Windows<R> {
    type Item = Result<Window, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(row) = self.rows.next() {
            match row.map(|row| self.add(row)) {
                Ok(None) => {}
                Ok(Some(full)) => return Some(Ok(full)),
                Err(bad) => return Some(Err(bad)),
            }
        }
        // The end: what is left over of each kind.
        if !self.given.is_empty() {
            return Some(Ok(self.take_given()));
        }
        (!self.drawn.is_empty()).then(|| Ok(self.take_drawn()))
    }
}
