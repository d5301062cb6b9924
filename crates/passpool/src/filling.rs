//! Filling the pool: rows become passports, all of them or none.

mod judge;
mod slice;
mod window;

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use passpool_core::{Refusal, Secret};
use passpool_store::{Create, Fault, ImportBatch, ImportId, ImportTerms, Store, StoreError};
use tokio::sync::mpsc;

use crate::{
    clock::Entropy,
    exchange::{BadLine, Row},
};
use slice::{Slice, slices};
use window::{Window, Windows};

pub(crate) use judge::judge_first;

/// How far the cutting may run ahead of the writing.
const SLICES_AHEAD: usize = 2;
/// How many windows wait, beside the one that is read and the one that is cut: their rows take memory.
const WINDOWS_AHEAD: usize = 0;

/// What a thread hands on, and None behind the last. The end is said, as a thread that panics also hands on no more: what it
/// did hand on must not pass for all.
type OrEnd<T> = Result<Option<T>, BadLine>;

/// What becomes of the passphrases that rows have.
#[derive(Clone)]
pub(crate) enum Codes {
    /// No row has one.
    None,
    /// They are used for the first hand-out.
    Imported(Secret),
    /// They are printed on something already.
    Printed(Secret),
}

/// How rows become passports.
#[derive(Clone)]
pub(crate) struct Filling {
    pub store: Arc<dyn Store>,
    pub codes: Codes,
    pub terms: ImportTerms,
    pub entropy: Arc<dyn Entropy>,
}

/// Why no passport was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FillError {
    #[error(transparent)]
    BadLine(#[from] BadLine),
    /// The store refused an id that these lines give.
    #[error("{}", blame(.lines, .refusal))]
    Refused { lines: Vec<u64>, refusal: Refusal },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Filling {
    /// Makes a passport of every row and answers how many there are. Rows without an id get one that tells nothing.
    ///
    /// A few are made in one transaction; more are written slice by slice, unseen, and become visible together.
    pub(crate) async fn fill<R>(self, rows: R) -> Result<u64, FillError>
    where
        R: Iterator<Item = Result<Row, BadLine>> + Send + 'static,
    {
        let mut slices = self.clone().cut(rows);
        let Some(first) = next(&mut slices).await? else { return Ok(0) };
        let Some(second) = next(&mut slices).await? else { return self.add(None, first).await };
        let import = self.store.begin_import(self.terms.clone()).await?;
        match self.add_all(import, [first, second], slices).await {
            Ok(made) => {
                self.store.publish_import(import).await?;
                Ok(made)
            }
            Err(error) => {
                // What cannot be taken back now is swept away later: nobody sees it either way.
                _ = self.store.drop_import(import).await;
                Err(error)
            }
        }
    }

    /// Makes slices of rows, while the store writes those before and the next window is read.
    fn cut<R>(self, rows: R) -> mpsc::Receiver<OrEnd<Slice>>
    where
        R: Iterator<Item = Result<Row, BadLine>> + Send + 'static,
    {
        let windows = read_ahead(Windows::new(rows));
        let (sender, receiver) = mpsc::channel(SLICES_AHEAD);
        thread::spawn(move || {
            let send = |slice| sender.blocking_send(slice).is_ok();
            for window in windows {
                let goes_on = match window {
                    Ok(Some(window)) => slices(window, self.terms.skip_known, &self.codes, &*self.entropy)
                        .all(|slice| send(Ok(Some(slice)))),
                    Ok(None) => send(Ok(None)),
                    Err(bad) => send(Err(bad)),
                };
                if !goes_on {
                    return;
                }
            }
        });
        receiver
    }

    async fn add_all(
        &self,
        import: ImportId,
        first: [Slice; 2],
        mut slices: mpsc::Receiver<OrEnd<Slice>>,
    ) -> Result<u64, FillError> {
        let mut made = 0;
        for slice in first {
            made += self.add(Some(import), slice).await?;
        }
        while let Some(slice) = next(&mut slices).await? {
            made += self.add(Some(import), slice).await?;
        }
        Ok(made)
    }

    /// Adds a slice, to an import or by itself. An id that was drawn and is taken is drawn again.
    async fn add(&self, import: Option<ImportId>, mut slice: Slice) -> Result<u64, FillError> {
        loop {
            let passports = slice.passports(&self.codes, &*self.entropy);
            let terms = ImportTerms { skip_known: slice.skip_known, ..self.terms.clone() };
            let answer = match import {
                None => self.store.create(Create { passports, terms }).await,
                Some(import) => self.store.add_to_import(ImportBatch { import, passports, terms }).await,
            };
            let refusal = match answer {
                Err(StoreError::Refusal(refusal)) => refusal,
                answer => return Ok(answer?),
            };
            let (Refusal::IdUsed(id) | Refusal::IdDoubled(id)) = refusal else {
                return Err(StoreError::Refusal(refusal).into());
            };
            if !slice.redraw(id, &*self.entropy) {
                return Err(FillError::Refused { lines: slice.lines_of(id), refusal });
            }
        }
    }
}

/// Reads in a thread of its own, so that nobody waits for a read that nobody needs any more.
fn read_ahead<R>(windows: Windows<R>) -> Receiver<OrEnd<Window>>
where
    R: Iterator<Item = Result<Row, BadLine>> + Send + 'static,
{
    let (filled, receiver) = sync_channel(WINDOWS_AHEAD);
    thread::spawn(move || {
        for window in windows.map(|window| window.map(Some)).chain([Ok(None)]) {
            let is_bad = window.is_err();
            if filled.send(window).is_err() || is_bad {
                return;
            }
        }
    });
    receiver
}

/// The next slice, and None at the end.
async fn next(slices: &mut mpsc::Receiver<OrEnd<Slice>>) -> Result<Option<Slice>, FillError> {
    let unread =
        || StoreError::from(Fault::Database("the lines were not read to their end: passpool has a bug".into()));
    Ok(slices.recv().await.ok_or_else(unread)??)
}

/// The last line is the one too many.
fn blame(lines: &[u64], refusal: &Refusal) -> String {
    match lines {
        [] => refusal.to_string(),
        [line] => format!("line {line}: {refusal}"),
        [first, .., last] => format!("line {last}: {refusal}, first in line {first}"),
    }
}

#[cfg(test)]
mod tests {
    use passpool_core::{Actor, Content, PassportId, Tags, Timestamp};
    use passpool_store::{Intent, TagFilter, sqlite};

    use super::*;
    use crate::clock::SystemEntropy;

    fn row(line: u64) -> Row {
        Row { line, id: None, passphrase: None, tags: Tags::default(), content: Content::empty() }
    }

    #[test]
    fn a_refusal_names_its_lines() {
        let check = |lines: &[u64], expected: &str| {
            let refusal = Refusal::IdDoubled(PassportId::new(7).unwrap());
            assert_eq!(FillError::Refused { lines: lines.to_vec(), refusal }.to_string(), expected);
        };
        check(&[3], "line 3: the id 7 stands twice in this import");
        check(&[3, 9], "line 9: the id 7 stands twice in this import, first in line 3");
    }
    #[tokio::test]
    async fn lines_whose_reading_ends_in_a_panic_make_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::new([7; 32]).fingerprint();
        let store = sqlite::open(&folder.path().join("shop.db"), Intent::Serve, Some(secret)).unwrap();
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let terms = ImportTerms { by: Actor::CommandLine, now, imported: true, skip_known: false };
        let filling = Filling { store: store.clone(), codes: Codes::None, terms, entropy: Arc::new(SystemEntropy) };
        for read in [0, 1, Create::MAX as u64, 3 * Create::MAX as u64 + 1] {
            let rows = (1..).map(move |line| if line <= read { Ok(row(line)) } else { panic!("as the story wants") });
            let end = filling.clone().fill(rows).await;
            assert!(matches!(end, Err(FillError::Store(StoreError::Fault(_)))), "{read}: {end:?}");
            assert_eq!(store.counts(TagFilter::Largest(0), now).await.unwrap().all.total(), 0, "{read}");
        }
        assert_eq!(filling.fill((1..=5_000).map(|line| Ok(row(line)))).await.unwrap(), 5_000);
        store.close().await;
    }
}
