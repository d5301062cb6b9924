//! Filling the pool: rows become passports, all of them or none.

mod judge;
mod slice;

use std::sync::Arc;

use passpool_core::{Refusal, Secret};
use passpool_store::{Create, ImportBatch, ImportId, ImportTerms, Store, StoreError};
use tokio::sync::mpsc;

use crate::{
    clock::Entropy,
    exchange::{BadLine, Row},
};
use slice::{Slice, Slicer};

pub(crate) use judge::judge_first;

/// How far the reading may run ahead of the writing.
const SLICES_AHEAD: usize = 2;

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
        let Some(first) = slices.recv().await.transpose()? else { return Ok(0) };
        let Some(second) = slices.recv().await.transpose()? else { return self.add(None, first).await };
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

    /// Reads rows and makes slices of them, while the store writes those before.
    fn cut<R>(self, rows: R) -> mpsc::Receiver<Result<Slice, BadLine>>
    where
        R: Iterator<Item = Result<Row, BadLine>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(SLICES_AHEAD);
        // A thread of its own: nobody waits for a read that nobody needs any more.
        std::thread::spawn(move || {
            for slice in Slicer::new(rows, self.terms.skip_known, self.codes, self.entropy) {
                let is_bad = slice.is_err();
                if sender.blocking_send(slice).is_err() || is_bad {
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
        mut slices: mpsc::Receiver<Result<Slice, BadLine>>,
    ) -> Result<u64, FillError> {
        let mut made = 0;
        for slice in first {
            made += self.add(Some(import), slice).await?;
        }
        while let Some(slice) = slices.recv().await {
            made += self.add(Some(import), slice?).await?;
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
    use super::*;
    use passpool_core::PassportId;

    #[test]
    fn a_refusal_names_its_lines() {
        let check = |lines: &[u64], expected: &str| {
            let refusal = Refusal::IdDoubled(PassportId::new(7).unwrap());
            assert_eq!(FillError::Refused { lines: lines.to_vec(), refusal }.to_string(), expected);
        };
        check(&[3], "line 3: the id 7 stands twice in this import");
        check(&[3, 9], "line 9: the id 7 stands twice in this import, first in line 3");
    }
}
