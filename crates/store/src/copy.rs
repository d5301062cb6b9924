//! Copies: a whole shop goes over into another database, and the one that it leaves is closed.
//!
//! At no moment are both open, whatever ends whenever. There are four steps, each in one transaction:
//!
//! 1. The source lets nobody change anything, and stays open.
//! 2. Everything is written into the target, read back, compared and checked, and becomes visible in one commit as
//!    *arriving*: a closed database. A cut before it leaves an empty target and an open source.
//! 3. The source is *moved*: closed from this commit on.
//! 4. The target has *arrived*: open from this commit on.
//!
//! After a cut between 2 and 3 the next copy begins anew, for the source went on meanwhile. After a cut between 3 and 4
//! it does what is left to do. Nobody else gets into that, for whoever copies keeps both databases to itself until the
//! end.

mod part;

use std::path::PathBuf;

use async_trait::async_trait;
use passpool_core::{Fingerprint, Timestamp};
use tokio::sync::mpsc::{self, Sender};

pub(crate) use self::part::{Cell, Cells, Column, Imprint, Kind, Part, Rows};
use crate::{
    CheckReport, CopyId, DatabaseUrl, Fault, Finding, Found, OpenError, postgres, sqlite, whereabouts::Whereabouts,
};

/// How many loads of rows wait between the one side and the other.
const ON_THEIR_WAY: usize = 4;

/// A wish to move a shop.
#[derive(Clone, Debug)]
pub struct Copy {
    pub from: DatabaseUrl,
    pub to: DatabaseUrl,
    /// The secret that both belong to.
    pub secret: Fingerprint,
    /// A name that no other copy has.
    pub id: CopyId,
    pub now: Timestamp,
}

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// Everything. The target was read back, and is like the source.
    Whole { passports: u64, journal_rows: u64 },
    /// An earlier copy had copied everything, and this one opened the target.
    Finished,
}

/// How far a copy is, for whoever watches.
pub trait Watch: Send + Sync {
    /// A stage begins that has so many rows to do, if that is known.
    fn begin(&self, stage: Stage, rows: Option<u64>);
    fn done(&self, rows: u64);
}

/// What a copy does one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Both databases are open, and how much there is to do is not known yet.
    Counting,
    Copying,
    /// Builds what follows from the rows.
    Indexing,
    /// Reads the target back.
    Comparing,
    Checking,
}

/// Why nothing was copied. The source is as it was, and the target is empty, unless it is said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0} is not empty: a shop is only copied into a database that holds nothing yet")]
    NotEmpty(PathBuf),
    #[error("what was written to {target} is not what was read from {source_place}: {rows} ({part})", target = target.display(), source_place = source_place.display())]
    Differs { source_place: PathBuf, target: PathBuf, part: &'static str, rows: String },
    #[error("the copy does not agree with itself, and was taken back; does `passpool check` say so of {source_place}? {first} (and {more} more)", source_place = source_place.display())]
    Wrong { source_place: PathBuf, first: Finding, more: u64 },
}

/// Moves a shop. Answers when the target is open and the source closed.
///
/// An error in the last two steps leaves the target closed; then the same copy, once more, resolves it.
pub async fn copy(wish: &Copy, watch: &dyn Watch) -> Result<Copied, CopyError> {
    let mut source = side(&wish.from);
    let found = source.found().await?;
    refuse_other_secret(&*source, wish.secret, found)?;
    source.lock().await?;
    match source.whereabouts().await? {
        Whereabouts::Moved { copy, to } => return finish(wish, source, copy, to).await,
        Whereabouts::Arriving { from, .. } => return Err(OpenError::Unfinished { path: source.place(), from }.into()),
        Whereabouts::Here { .. } => {}
    }
    source.begin_giving().await?;
    let mut target = side(&wish.to);
    target.lock().await?;
    take_over(wish, &mut *target).await?;
    let copied = fill(&mut *source, &mut *target, watch).await?;
    let (from, to) = (source.address(), target.address());
    target.commit_arriving(wish.id, &from, wish.now).await.map_err(|fault| failed(&*target, fault))?;
    source.commit_moved(wish.id, &to, wish.now).await.map_err(|fault| failed(&*source, fault))?;
    open(&mut *source, &mut *target, wish.id).await?;
    Ok(copied)
}

/// Opens a database that was closed because its shop had moved, and tells where to. None if it is open already.
///
/// Whoever uses the database to which it had moved hands out every passport twice from then on.
pub async fn reopen(database: &DatabaseUrl) -> Result<Option<String>, OpenError> {
    let mut side = side(database);
    if side.found().await? == Found::Nothing {
        return Err(OpenError::Missing(side.place()));
    }
    side.lock().await?;
    match side.whereabouts().await? {
        Whereabouts::Here { .. } => Ok(None),
        Whereabouts::Arriving { from, .. } => Err(OpenError::Unfinished { path: side.place(), from }),
        Whereabouts::Moved { to, .. } => {
            side.commit_reopened().await.map_err(|fault| OpenError::Fault { path: side.place(), fault })?;
            Ok(Some(to))
        }
    }
}

/// One of the two databases of a copy. What has begun and not been committed is undone when it is dropped.
#[async_trait]
pub(crate) trait Side: Send {
    /// The database as errors name it.
    fn place(&self) -> PathBuf;

    /// The database as it is named to others, wherever they are: without a password.
    fn address(&self) -> String;

    /// Keeps servers, imports and other copies away until this is dropped, or refuses because one of them is there. A
    /// database that is not there is not made.
    async fn lock(&mut self) -> Result<(), OpenError>;

    async fn found(&mut self) -> Result<Found, OpenError>;

    /// As they are committed. [`Whereabouts::Here`] if nothing is there.
    async fn whereabouts(&mut self) -> Result<Whereabouts, OpenError>;

    /// Begins a transaction in which it can be read, while nobody else changes anything. Nothing of an import that was
    /// not published is left.
    async fn begin_giving(&mut self) -> Result<(), OpenError>;

    /// Begins a transaction in which it can be written, and in which it holds nothing. False if it holds something that
    /// is not to be thrown away.
    async fn begin_taking(&mut self) -> Result<bool, OpenError>;

    /// How many rows there are to read, as far as that is known.
    async fn size(&mut self) -> Result<u64, Fault>;

    /// Sends all rows of a part, in the order of its key.
    async fn read(&mut self, part: Part, rows: Sender<Vec<Cells>>) -> Result<(), Fault>;

    async fn write(&mut self, part: Part, rows: Vec<Cells>) -> Result<(), Fault>;

    /// Builds what follows from the rows that were written.
    async fn index(&mut self) -> Result<(), Fault>;

    async fn check(&mut self) -> Result<CheckReport, Fault>;

    /// Commits what was written.
    async fn commit_arriving(&mut self, copy: CopyId, from: &str, at: Timestamp) -> Result<(), Fault>;

    /// Ends the reading, and closes the database.
    async fn commit_moved(&mut self, copy: CopyId, to: &str, at: Timestamp) -> Result<(), Fault>;

    /// Opens the database, if it is this copy that is arriving here. Answers whether it is.
    async fn commit_arrived(&mut self, copy: CopyId) -> Result<bool, Fault>;

    /// Opens the database, although its shop has moved.
    async fn commit_reopened(&mut self) -> Result<(), Fault>;
}

fn side(database: &DatabaseUrl) -> Box<dyn Side> {
    match database {
        DatabaseUrl::Sqlite(path) => Box::new(sqlite::CopySide::new(path.clone())),
        DatabaseUrl::Postgres(url) => Box::new(postgres::CopySide::new((**url).clone())),
    }
}

/// Does what a copy that was cut has left to do. The source is closed.
async fn finish(wish: &Copy, mut source: Box<dyn Side>, copy: CopyId, to: String) -> Result<Copied, CopyError> {
    let moved = OpenError::Moved { path: source.place(), to };
    let mut target = side(&wish.to);
    target.lock().await?;
    match target.whereabouts().await? {
        Whereabouts::Arriving { copy: arriving, .. } if arriving == copy => {
            open(&mut *source, &mut *target, copy).await?;
            Ok(Copied::Finished)
        }
        Whereabouts::Here { by: Some(arrived) } if arrived == copy => Ok(Copied::Finished),
        _ => Err(moved.into()),
    }
}

/// The last step. Whoever does it knows that the source is closed.
async fn open(source: &mut dyn Side, target: &mut dyn Side, copy: CopyId) -> Result<(), CopyError> {
    // Asked once more: a lock that was lost may have let somebody in.
    let is_closed = matches!(source.whereabouts().await?, Whereabouts::Moved { copy: moved, .. } if moved == copy);
    let has_arrived = is_closed && target.commit_arrived(copy).await.map_err(|fault| failed(target, fault))?;
    match has_arrived {
        true => Ok(()),
        false => Err(OpenError::Unfinished { path: target.place(), from: source.address() }.into()),
    }
}

/// Begins to write, if the target may be written over.
async fn take_over(wish: &Copy, target: &mut dyn Side) -> Result<(), CopyError> {
    let found = target.found().await?;
    if found != Found::Nothing {
        refuse_other_secret(target, wish.secret, found)?;
        if let Whereabouts::Moved { to, .. } = target.whereabouts().await? {
            return Err(OpenError::Moved { path: target.place(), to }.into());
        }
    }
    match target.begin_taking().await? {
        true => Ok(()),
        false => Err(CopyError::NotEmpty(target.place())),
    }
}

/// Writes everything, and proves that it is there.
async fn fill(source: &mut dyn Side, target: &mut dyn Side, watch: &dyn Watch) -> Result<Copied, CopyError> {
    watch.begin(Stage::Counting, None);
    let rows = source.size().await.map_err(|fault| failed(source, fault))?;
    watch.begin(Stage::Copying, Some(rows));
    let mut imprints = Vec::with_capacity(Part::ALL.len());
    for part in Part::ALL {
        imprints.push(copy_part(source, target, part, watch).await?);
    }
    watch.begin(Stage::Indexing, None);
    target.index().await.map_err(|fault| failed(target, fault))?;
    watch.begin(Stage::Comparing, Some(imprints.iter().map(|imprint| imprint.rows).sum()));
    for (part, given) in Part::ALL.into_iter().zip(imprints) {
        let taken = imprint(target, part, watch).await?;
        if !given.is_like(&taken) {
            let rows = format!("{} rows there, {} here", given.rows, taken.rows);
            let (source_place, target) = (source.place(), target.place());
            return Err(CopyError::Differs { source_place, target, part: part.table(), rows });
        }
    }
    watch.begin(Stage::Checking, None);
    let CheckReport { passports, journal_rows, findings, more } =
        target.check().await.map_err(|fault| failed(target, fault))?;
    let others = findings.len().saturating_sub(1) as u64 + more;
    match findings.into_iter().next() {
        None => Ok(Copied::Whole { passports, journal_rows }),
        Some(first) => Err(CopyError::Wrong { source_place: source.place(), first, more: others }),
    }
}

/// Copies one part, and gives the imprint of what was sent.
async fn copy_part(
    source: &mut dyn Side,
    target: &mut dyn Side,
    part: Part,
    watch: &dyn Watch,
) -> Result<Imprint, CopyError> {
    let (sender, mut receiver) = mpsc::channel::<Vec<Cells>>(ON_THEIR_WAY);
    let writer = &mut *target;
    // The receiver ends with this, and whoever reads then learns that nobody listens.
    let writing = async move {
        let mut imprint = Imprint::default();
        while let Some(rows) = receiver.recv().await {
            imprint.add(&rows);
            let count = rows.len() as u64;
            writer.write(part, rows).await?;
            watch.done(count);
        }
        Ok::<_, Fault>(imprint)
    };
    let (read, written) = tokio::join!(source.read(part, sender), writing);
    let imprint = written.map_err(|fault| failed(target, fault))?;
    read.map_err(|fault| failed(source, fault))?;
    Ok(imprint)
}

async fn imprint(side: &mut dyn Side, part: Part, watch: &dyn Watch) -> Result<Imprint, CopyError> {
    let (sender, mut receiver) = mpsc::channel::<Vec<Cells>>(ON_THEIR_WAY);
    let adding = async {
        let mut imprint = Imprint::default();
        while let Some(rows) = receiver.recv().await {
            imprint.add(&rows);
            watch.done(rows.len() as u64);
        }
        imprint
    };
    let (read, imprint) = tokio::join!(side.read(part, sender), adding);
    read.map_err(|fault| failed(side, fault))?;
    Ok(imprint)
}

fn refuse_other_secret(side: &dyn Side, given: Fingerprint, found: Found) -> Result<(), OpenError> {
    match found {
        Found::Nothing => Err(OpenError::Missing(side.place())),
        Found::Database(ours) if ours != given => Err(OpenError::OtherSecret { path: side.place(), ours, given }),
        Found::Database(_) => Ok(()),
    }
}

fn failed(side: &dyn Side, fault: Fault) -> CopyError {
    OpenError::Fault { path: side.place(), fault }.into()
}
