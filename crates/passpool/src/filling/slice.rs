//! Slices: as many rows as are written at once.

use std::iter;

use passpool_core::{Code, NewPassport, PassportId, SecretId};
use passpool_store::Create;

use super::{
    Codes,
    window::{Ids, Window},
};
use crate::{
    clock::{Entropy, random},
    exchange::Row,
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

/// Cuts a window.
pub(super) fn slices(
    window: Window,
    skip_known: bool,
    codes: &Codes,
    entropy: &dyn Entropy,
) -> impl Iterator<Item = Slice> {
    let skip_known = skip_known && matches!(window.ids, Ids::Given);
    let mut rows = window.rows.into_iter();
    iter::from_fn(move || {
        let rows: Vec<Row> = rows.by_ref().take(Create::MAX).collect();
        (!rows.is_empty()).then(|| Slice::new(rows, skip_known, codes, entropy))
    })
}

impl Slice {
    fn new(rows: Vec<Row>, skip_known: bool, codes: &Codes, entropy: &dyn Entropy) -> Self {
        let neighbourhood = u16::from_be_bytes(random(entropy));
        let mut randoms = vec![0; rows.len() * size_of::<u32>()];
        entropy.fill(&mut randoms);
        let draw = |random: &[u8; 4]| PassportId::from_random(neighbourhood, u32::from_be_bytes(*random));
        let drawn = randoms.as_chunks().0.iter().map(draw);
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
            let neighbourhood = u16::from_be_bytes(random(entropy));
            entry.id = PassportId::from_random(neighbourhood, u32::from_be_bytes(random(entropy)));
            is_redrawn = true;
        }
        is_redrawn
    }

    /// The numbers of the lines that have this id.
    pub(super) fn lines_of(&self, id: PassportId) -> Vec<u64> {
        let mut lines: Vec<u64> =
            self.entries.iter().filter(|entry| entry.id == id).map(|entry| entry.row.line).collect();
        lines.sort_unstable();
        lines
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

#[cfg(test)]
mod tests {
    use passpool_core::{Content, Passphrase, Secret, Tags};

    use super::*;
    use crate::{
        clock::SystemEntropy,
        exchange::BadLine,
        filling::window::{WINDOW_ROWS, Windows},
    };

    fn row(line: u64, id: Option<u64>) -> Result<Row, BadLine> {
        let id = id.map(|id| PassportId::new(id).unwrap());
        let passphrase = Some(Passphrase::parse("sesame").unwrap());
        Ok(Row { line, id, passphrase, tags: Tags::default(), content: Content::empty() })
    }

    fn cut(rows: Vec<Result<Row, BadLine>>, skip_known: bool) -> Vec<Slice> {
        let codes = Codes::Imported(Secret::new([7; 32]));
        let windows = Windows::new(rows.into_iter()).map(Result::unwrap);
        windows.flat_map(|window| slices(window, skip_known, &codes, &SystemEntropy).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn more_rows_than_a_slice_are_cut_in_the_order_of_their_ids() {
        let check = |rows: u64, expected: &[usize]| {
            // The last line has the least id.
            let slices = cut((1..=rows).map(|line| row(line, Some(rows + 1 - line))).collect(), false);
            assert_eq!(slices.iter().map(|slice| slice.entries.len()).collect::<Vec<_>>(), expected);
            let ids = slices.iter().flat_map(|slice| slice.entries.iter().map(|entry| entry.id.get()));
            match slices.len() {
                0 | 1 => assert!(ids.eq((1..=rows).rev())),
                _ => assert!(ids.eq(1..=rows)),
            }
        };
        check(0, &[]);
        check(1, &[1]);
        check(4_096, &[4_096]);
        check(8_193, &[4_096, 4_096, 1]);
    }

    #[test]
    fn more_than_a_window_is_sorted_window_by_window() {
        let rows = WINDOW_ROWS as u64 + 1;
        let plain = |line| row(line, Some(rows + 1 - line)).map(|row| Row { passphrase: None, ..row });
        let slices = cut((1..=rows).map(plain).collect(), false);
        assert_eq!(slices.len(), 65);
        assert_eq!(slices[0].entries[0].id.get(), 2, "the least id stands in the last line, behind the window");
        assert_eq!(slices[64].entries[0].id.get(), 1);
    }

    #[test]
    fn only_given_ids_are_passed_over() {
        let rows = || vec![row(1, Some(5)), row(2, None), row(3, Some(6)), row(4, None)];
        let kinds = |skip_known| {
            let slices = cut(rows(), skip_known);
            slices.iter().map(|slice| (slice.entries.len(), slice.skip_known)).collect::<Vec<_>>()
        };
        assert_eq!(kinds(false), [(2, false), (2, false)]);
        assert_eq!(kinds(true), [(2, true), (2, false)]);
    }

    #[test]
    fn only_a_drawn_id_is_drawn_again() {
        let mut slices = cut(vec![row(1, None), row(2, Some(5))], false);
        let (mut drawn_slice, mut given_slice) = (slices.remove(1), slices.remove(0));
        let codes = Codes::Printed(Secret::new([7; 32]));
        let given = PassportId::new(5).unwrap();
        let drawn = drawn_slice.passports(&codes, &SystemEntropy)[0].id;
        assert_eq!((drawn_slice.lines_of(drawn), given_slice.lines_of(given)), (vec![1], vec![2]));
        assert!(!given_slice.redraw(given, &SystemEntropy));
        assert!(drawn_slice.redraw(drawn, &SystemEntropy));
        let again = drawn_slice.passports(&codes, &SystemEntropy);
        assert_ne!(again[0].id, drawn);
        assert!(matches!(again[0].code, Code::Printed(..)));
    }

    #[test]
    fn a_passphrase_is_sealed_for_its_passport() {
        let secret = Secret::new([7; 32]);
        let codes = Codes::Imported(secret.clone());
        let slices = cut(vec![row(1, None), row(2, Some(5))], false).into_iter();
        for passport in slices.flat_map(|mut slice| slice.passports(&codes, &SystemEntropy)) {
            let Code::Imported(sealed, SecretId::FIRST) = passport.code else { panic!("{:?}", passport.code) };
            let opened =
                secret.passphrase(passport.id, &passpool_core::LinkKey::Imported(sealed, SecretId::FIRST)).unwrap();
            assert_eq!(opened.reveal(), "sesame");
        }
    }
}
