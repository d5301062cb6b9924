//! Slices: as many rows as are written at once.

use std::sync::Arc;

use passpool_core::{Code, NewPassport, PassportId, SecretId};
use passpool_store::Create;

use super::Codes;
use crate::{
    clock::{Entropy, random},
    exchange::{BadLine, Row},
};

const NONCE_BYTES: usize = 24;

/// Rows of which each has an id, given or drawn.
pub(super) struct Slice {
    entries: Vec<Entry>,
    /// True only if all ids are given: a row whose drawn id is taken is a new passport all the same.
    pub(super) skip_known: bool,
    /// Made in advance by the thread that reads.
    passports: Option<Vec<NewPassport>>,
}

struct Entry {
    id: PassportId,
    row: Row,
}

impl Slice {
    fn new(rows: Vec<Row>, skip_known: bool, codes: &Codes, entropy: &dyn Entropy) -> Self {
        let mut randoms = vec![0; rows.len() * size_of::<u64>()];
        entropy.fill(&mut randoms);
        let drawn = randoms.as_chunks().0.iter().map(|random| PassportId::from_random(u64::from_be_bytes(*random)));
        let entries = rows.into_iter().zip(drawn).map(|(row, drawn)| Entry { id: row.id.unwrap_or(drawn), row });
        let mut slice = Self { entries: entries.collect(), skip_known, passports: None };
        slice.passports = Some(slice.seal(codes, entropy));
        slice
    }

    /// The passports of the rows. Ask again after an id was redrawn: passphrases are sealed for one id.
    pub(super) fn passports(&mut self, codes: &Codes, entropy: &dyn Entropy) -> Vec<NewPassport> {
        self.passports.take().unwrap_or_else(|| self.seal(codes, entropy))
    }

    /// Draws another id for the rows that drew this one. Answers false if none did.
    pub(super) fn redraw(&mut self, id: PassportId, entropy: &dyn Entropy) -> bool {
        let mut is_redrawn = false;
        for entry in self.entries.iter_mut().filter(|entry| entry.id == id && entry.row.id.is_none()) {
            entry.id = PassportId::from_random(u64::from_be_bytes(random(entropy)));
            is_redrawn = true;
        }
        is_redrawn
    }

    /// The numbers of the lines that have this id.
    pub(super) fn lines_of(&self, id: PassportId) -> Vec<u64> {
        self.entries.iter().filter(|entry| entry.id == id).map(|entry| entry.row.line).collect()
    }

    fn seal(&self, codes: &Codes, entropy: &dyn Entropy) -> Vec<NewPassport> {
        let sealed = self.entries.iter().filter(|entry| entry.row.passphrase.is_some()).count();
        let mut randoms = vec![0; sealed * NONCE_BYTES];
        entropy.fill(&mut randoms);
        let mut nonces = randoms.as_chunks::<NONCE_BYTES>().0.iter().copied();
        let mut code = |Entry { id, row }: &Entry| match (&row.passphrase, codes) {
            (None, _) | (_, Codes::None) => Code::None,
            (Some(passphrase), Codes::Imported(secret) | Codes::Printed(secret)) => {
                let nonce = nonces.next().expect("there is a nonce for each passphrase");
                let passphrase = secret.seal(*id, passphrase, nonce);
                match codes {
                    Codes::Printed(_) => Code::Printed(passphrase, SecretId::FIRST),
                    Codes::Imported(_) | Codes::None => Code::Imported(passphrase, SecretId::FIRST),
                }
            }
        };
        let passport = |entry: &Entry| NewPassport {
            id: entry.id,
            code: code(entry),
            tags: entry.row.tags.clone(),
            content: entry.row.content.clone(),
        };
        self.entries.iter().map(passport).collect()
    }
}

/// Cuts rows into slices.
///
/// Where known ids are passed over, rows with and without an id go into slices of their own.
pub(super) struct Slicer<R> {
    rows: R,
    skip_known: bool,
    given: Vec<Row>,
    drawn: Vec<Row>,
    codes: Codes,
    entropy: Arc<dyn Entropy>,
}

impl<R: Iterator<Item = Result<Row, BadLine>>> Slicer<R> {
    pub(super) fn new(rows: R, skip_known: bool, codes: Codes, entropy: Arc<dyn Entropy>) -> Self {
        Self { rows, skip_known, given: Vec::new(), drawn: Vec::new(), codes, entropy }
    }

    fn slice(&self, rows: Vec<Row>, skip_known: bool) -> Slice {
        Slice::new(rows, skip_known, &self.codes, &*self.entropy)
    }
}

impl<R: Iterator<Item = Result<Row, BadLine>>> Iterator for Slicer<R> {
    type Item = Result<Slice, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        for row in self.rows.by_ref() {
            let row = match row {
                Ok(row) => row,
                Err(bad) => return Some(Err(bad)),
            };
            let skips = self.skip_known && row.id.is_some();
            let rows = if skips { &mut self.given } else { &mut self.drawn };
            rows.push(row);
            if rows.len() == Create::MAX {
                let rows = std::mem::take(rows);
                return Some(Ok(self.slice(rows, skips)));
            }
        }
        // The end: what is left over of each kind.
        let (rows, skips) = match (std::mem::take(&mut self.given), std::mem::take(&mut self.drawn)) {
            (given, drawn) if given.is_empty() => (drawn, false),
            (given, drawn) => {
                self.drawn = drawn;
                (given, true)
            }
        };
        (!rows.is_empty()).then(|| Ok(self.slice(rows, skips)))
    }
}

#[cfg(test)]
mod tests {
    use passpool_core::{Content, Passphrase, Secret, Tags};

    use super::*;
    use crate::clock::SystemEntropy;

    fn row(line: u64, id: Option<u64>) -> Result<Row, BadLine> {
        let id = id.map(|id| PassportId::new(id).unwrap());
        let passphrase = Some(Passphrase::parse("sesame").unwrap());
        Ok(Row { line, id, passphrase, tags: Tags::default(), content: Content::empty() })
    }

    fn cut(rows: Vec<Result<Row, BadLine>>, skip_known: bool) -> Vec<Slice> {
        let codes = Codes::Imported(Secret::new([7; 32]));
        let slicer = Slicer::new(rows.into_iter(), skip_known, codes, Arc::new(SystemEntropy));
        slicer.map(Result::unwrap).collect()
    }

    #[test]
    fn rows_are_cut_in_order() {
        let check = |rows: u64, expected: &[usize]| {
            let slices = cut((1..=rows).map(|line| row(line, Some(line))).collect(), false);
            assert_eq!(slices.iter().map(|slice| slice.entries.len()).collect::<Vec<_>>(), expected);
            let lines = slices.iter().flat_map(|slice| slice.entries.iter().map(|entry| entry.row.line));
            assert!(lines.eq(1..=rows));
        };
        check(0, &[]);
        check(1, &[1]);
        check(4_096, &[4_096]);
        check(8_193, &[4_096, 4_096, 1]);
    }

    #[test]
    fn only_given_ids_are_passed_over() {
        let rows = || vec![row(1, Some(5)), row(2, None), row(3, Some(6)), row(4, None)];
        let kinds = |skip_known| {
            let slices = cut(rows(), skip_known);
            slices.iter().map(|slice| (slice.entries.len(), slice.skip_known)).collect::<Vec<_>>()
        };
        assert_eq!(kinds(false), [(4, false)]);
        assert_eq!(kinds(true), [(2, true), (2, false)]);
    }

    #[test]
    fn only_a_drawn_id_is_drawn_again() {
        let mut slice = cut(vec![row(1, None), row(2, Some(5))], false).remove(0);
        let codes = Codes::Printed(Secret::new([7; 32]));
        let given = PassportId::new(5).unwrap();
        let drawn = slice.passports(&codes, &SystemEntropy)[0].id;
        assert_eq!((slice.lines_of(drawn), slice.lines_of(given)), (vec![1], vec![2]));
        assert!(!slice.redraw(given, &SystemEntropy));
        assert!(slice.redraw(drawn, &SystemEntropy));
        let again = slice.passports(&codes, &SystemEntropy);
        assert_ne!(again[0].id, drawn);
        assert_eq!(again[1].id, given);
        assert!(matches!(again[0].code, Code::Printed(..)));
    }

    #[test]
    fn a_passphrase_is_sealed_for_its_passport() {
        let secret = Secret::new([7; 32]);
        let codes = Codes::Imported(secret.clone());
        let passports = cut(vec![row(1, None), row(2, Some(5))], false).remove(0).passports(&codes, &SystemEntropy);
        for passport in passports {
            let Code::Imported(sealed, SecretId::FIRST) = passport.code else { panic!("{:?}", passport.code) };
            let opened = secret.passphrase(passport.id, &passpool_core::LinkKey::Imported(sealed)).unwrap();
            assert_eq!(opened.reveal(), "sesame");
        }
    }
}
