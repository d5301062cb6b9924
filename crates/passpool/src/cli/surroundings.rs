//! What every command is handed.

use std::{path::PathBuf, sync::Arc};

use passpool_core::{Secret, Timestamp};
use passpool_store::{DatabaseUrl, Intent, Store};

use crate::{
    clock::{Clock, Entropy},
    database::{DatabaseError, Opened, Place},
    output::Output,
};

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
        let opened = self.place.open(intent, &*self.entropy, self.clock.clone()).await?;
        Ok(self.keep(opened))
    }

    /// Opens the database and its secret.
    pub(super) async fn open_with_secret(&mut self, intent: Intent) -> Result<(Arc<dyn Store>, Secret), DatabaseError> {
        let (opened, secret) = self.place.open_with_secret(intent, &*self.entropy, self.clock.clone()).await?;
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
        Ok(if self.place.is_empty().await? { Intent::Read } else { Intent::Write })
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
