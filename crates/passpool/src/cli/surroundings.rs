//! What every command is handed.

use std::{fmt::Display, future, panic, path::PathBuf, sync::Arc, time::Duration};

use passpool_core::{Secret, Timestamp};
use passpool_store::{DatabaseUrl, Intent, Store};
use tokio::{runtime::Handle, task, time};

use crate::{
    clock::{Clock, Entropy},
    database::{DatabaseError, Opened, Place},
    output::Output,
};

/// After how long whoever waits for a database is told so. Most open in a hundredth of it.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// The world around a command: its database, the time, chance, and somebody who reads.
pub(super) struct Surroundings<'a> {
    pub(super) place: Place,
    /// The file that was named to hold the secret.
    pub(super) secret_file: Option<PathBuf>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) output: &'a mut Output,
    /// The store that has to be closed when the command is done.
    opened: Option<Arc<dyn Store>>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(
        database: DatabaseUrl,
        secret_file: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        output: &'a mut Output,
    ) -> Self {
        let place = Place::new(database, secret_file.clone());
        Self { place, secret_file, clock, entropy, output, opened: None }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Opens the database for a command that neither makes links nor reads them.
    pub(super) async fn open(&mut self, intent: Intent) -> Result<Arc<dyn Store>, DatabaseError> {
        let (place, entropy, clock) = (self.place.clone(), self.entropy.clone(), self.clock.clone());
        let opened = self.wait_for(async move { place.open(intent, &*entropy, clock).await }).await?;
        Ok(self.keep(opened))
    }

    /// Opens the database and its secret.
    pub(super) async fn open_with_secret(&mut self, intent: Intent) -> Result<(Arc<dyn Store>, Secret), DatabaseError> {
        let (place, entropy, clock) = (self.place.clone(), self.entropy.clone(), self.clock.clone());
        let opening = async move { place.open_with_secret(intent, &*entropy, clock).await };
        let (opened, secret) = self.wait_for(opening).await?;
        Ok((self.keep(opened), secret))
    }

    /// Opens the database for a command that looks and writes down that it did: it makes none that is not there.
    pub(super) async fn open_existing(&mut self) -> Result<Arc<dyn Store>, DatabaseError> {
        let intent = self.intent_of_a_look().await?;
        self.open(intent).await
    }

    /// The same, with its secret.
    pub(super) async fn open_existing_with_secret(&mut self) -> Result<(Arc<dyn Store>, Secret), DatabaseError> {
        let intent = self.intent_of_a_look().await?;
        self.open_with_secret(intent).await
    }

    pub(super) async fn close(&mut self) {
        if let Some(store) = self.opened.take() {
            store.close().await;
        }
    }

    /// Leaves the store to whoever closes it in its own way.
    pub(super) fn hand_over(&mut self) {
        self.opened = None;
    }

    /// Whoever opens nothing to read is told that it is not there.
    async fn intent_of_a_look(&self) -> Result<Intent, DatabaseError> {
        let place = self.place.clone();
        Ok(if self.wait_for(async move { place.is_empty().await }).await? { Intent::Read } else { Intent::Write })
    }

    /// Waits for the database, however long that takes, and says so.
    pub(super) async fn wait_for<T: Send + 'static>(&self, opening: impl Future<Output = T> + Send + 'static) -> T {
        self.wait_until_begun(self.place.database(), future::pending(), opening).await
    }

    /// Waits for work on databases, however long it takes, and says so if nothing of it has begun for a while.
    ///
    /// A file has no answer to wait for, only a lock, which holds up a thread: it is not one of those that see the clock and
    /// the signals.
    pub(super) async fn wait_until_begun<T: Send + 'static>(
        &self,
        databases: impl Display,
        begun: impl Future<Output = ()>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let mut work = task::spawn_blocking(|| Handle::current().block_on(work));
        let done = tokio::select! {
            done = &mut work => done,
            () = begun => work.await,
            () = time::sleep(TELL_AFTER) => {
                self.output.message(format_args!(
                    "Waiting for {databases}: it is being brought up to date, another program is at work on it, or it does not \
                     answer."
                ));
                work.await
            }
        };
        done.unwrap_or_else(|error| panic::resume_unwind(error.into_panic()))
    }

    fn keep(&mut self, Opened { store, made }: Opened) -> Arc<dyn Store> {
        if let Some(secret) = made {
            self.output.message(format_args!(
                "The secret of this new database is in {}. Keep a copy elsewhere: losing it loses all links.",
                secret.display()
            ));
        }
        self.opened = Some(store.clone());
        store
    }
}
