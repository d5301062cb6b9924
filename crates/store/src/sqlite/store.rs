//! The verbs as the embedded store carries them out: each call goes to the writer's thread or to a reader.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use passpool_core::{
    ApiKeyDigest, Caller, Granter, HandedOut, Kiosk, KioskName, PassportId, PreviewId, ProfileName, RecipientId,
    Reference, Refusal, Reservation, ReservationId, Reserve, Rights, Tag, Timestamp, UserName, WholeSeconds,
};

use super::{
    LET_OTHERS_WRITE, SqliteStore, check, claim, count, edit, export, history, hold, import, key, kiosk, list, opening,
    opening::Look,
    preview, profile, recipient, reservation, reserve,
    reset::{self, Place},
    schema, setting, single, tally, transfer, undo, user,
};
use crate::{
    Airdrop, CheckReport, Claim, Create, EditPassport, EventFilter, EventPage, ExportFilter, Exported, Extend, Given,
    ImportBatch, ImportId, ImportTerms, JournalRow, KeptReset, KeyUse, KioskInfo, LinkSettings, ListedPassport, NewKey,
    NewUser, OfPassport, OfReservation, Opened, Opening, Page, PassportFilter, PassportNow, PassportPage, PoolCounts,
    PoolPage, Preview, PreviewPage, Previewed, ProfileInfo, RecipientInfo, RecipientPage, Relink, RenewKey,
    ReservationInfo, ReservationNow, ReservationPage, Reset, ResetDone, ResetOf, ResetUndone, Resettable, ShowLinks,
    ShownLink, StateCounts, Store, StoreError, TagFilter, Touched, Transfer, UndoReset, UserInfo, Version, Visit,
};

#[async_trait]
impl Store for SqliteStore {
    // An `async fn` would keep room for the wish, which the writer has by then, as long as its caller waits.
    fn reserve<'store, 'answer>(&'store self, wish: Reserve) -> BoxFuture<'answer, Result<Reservation, StoreError>>
    where
        'store: 'answer,
    {
        Box::pin(self.writer().run(move |ledger| reserve::reserve(ledger, &wish)))
    }

    async fn reset(&self, wish: Reset) -> Result<u64, StoreError> {
        let wish = Arc::new(wish);
        let mut place = Place::default();
        loop {
            let wish = wish.clone();
            let slice = self.write(move |ledger| {
                let terms = reset::Terms { by: &wish.by, now: wish.now, keep: None };
                reset::slice(ledger, &wish.scope, terms, place)
            });
            match slice.await? {
                reset::Slice { next: Some(next), .. } => place = next,
                reset::Slice { done, next: None } => return Ok(done.count),
            }
        }
    }

    async fn keep_preview(&self, wish: Preview, first: usize) -> Result<Previewed, StoreError> {
        let asked = wish.clone();
        let (seen, first) = self.readers.ask(move |db| preview::look(db, &asked, first)).await?;
        let count = seen.len() as u64;
        self.write(move |ledger| Ok(preview::write(&ledger.db, &wish, &seen)?)).await?;
        Ok(Previewed { count, first })
    }

    async fn preview(&self, id: PreviewId, page: PreviewPage, now: Timestamp) -> Result<Vec<Resettable>, StoreError> {
        self.readers.ask(move |db| preview::page(db, id, page, now)).await
    }

    async fn keep_reset(&self, wish: KeptReset) -> Result<ResetDone, StoreError> {
        let wish = Arc::new(wish);
        let mut place = Place::default();
        loop {
            let wish = wish.clone();
            let slice = self.write(move |ledger| {
                let terms = reset::Terms { by: &wish.by, now: wish.now, keep: Some(wish.id) };
                match &wish.of {
                    ResetOf::Scope(scope) => reset::slice(ledger, scope, terms, place),
                    ResetOf::Preview(id) => reset::preview_slice(ledger, *id, terms, place),
                }
            });
            match slice.await? {
                reset::Slice { next: Some(next), .. } => place = next,
                reset::Slice { done, next: None } => return Ok(done),
            }
        }
    }

    async fn undo_reset(&self, wish: UndoReset) -> Result<ResetUndone, StoreError> {
        let mut undone = ResetUndone::default();
        loop {
            let wish = wish.clone();
            let slice = self.write(move |ledger| undo::undo_slice(ledger, &wish)).await?;
            undone.count += slice.undone.count;
            undone.others += slice.undone.others;
            if !slice.has_more {
                return Ok(undone);
            }
        }
    }

    async fn forget_resets(&self, now: Timestamp) -> Result<u64, StoreError> {
        // Asked for twice a second by whoever serves, and mostly for nothing.
        let any = self.readers.ask(move |db| Ok(preview::any_over(db, now)? || undo::any_over(db, now)?)).await?;
        if !any {
            return Ok(0);
        }
        self.write(move |ledger| Ok(preview::forget_one(&ledger.db, now)? + undo::forget(&ledger.db, now)?)).await
    }

    async fn reservations(&self, page: ReservationPage) -> Result<Vec<ReservationInfo>, StoreError> {
        self.readers.ask(move |db| Ok(reservation::list(db, page)?)).await
    }

    async fn reservation(&self, id: ReservationId, now: Timestamp) -> Result<Option<ReservationNow>, StoreError> {
        self.readers.ask(move |db| Ok(reservation::now(db, id, now)?)).await
    }

    async fn show_links(&self, wish: ShowLinks) -> Result<Vec<ShownLink>, StoreError> {
        self.write(move |ledger| reservation::show_links(ledger, &wish)).await
    }

    async fn cancel_reservation(&self, wish: OfReservation) -> Result<Touched, StoreError> {
        let mut touched = Touched::default();
        let mut next = Some(0);
        while let Some(from) = next {
            let wish = wish.clone();
            let slice = self.write(move |ledger| reservation::cancel_slice(ledger, &wish, from)).await?;
            touched.add(slice.touched);
            next = slice.next;
        }
        Ok(touched)
    }

    async fn extend_reservation(&self, wish: Extend) -> Result<Touched, StoreError> {
        let mut touched = Touched::default();
        let mut next = Some(0);
        while let Some(from) = next {
            let wish = wish.clone();
            let slice = self.write(move |ledger| reservation::extend_slice(ledger, &wish, from)).await?;
            touched.add(slice.touched);
            next = slice.next;
        }
        Ok(touched)
    }

    async fn recipients(&self, page: RecipientPage) -> Result<Vec<RecipientInfo>, StoreError> {
        self.readers.ask(move |db| Ok(recipient::list(db, &page)?)).await
    }

    async fn erase_recipient(&self, id: RecipientId) -> Result<(), StoreError> {
        self.write(move |ledger| recipient::erase(&ledger.db, id)).await
    }

    async fn erase_recipients_of(&self, reference: Reference) -> Result<u64, StoreError> {
        self.write(move |ledger| Ok(recipient::erase_of(&ledger.db, &reference)?)).await
    }

    async fn forget_recipients(&self, left_before: Timestamp) -> Result<u64, StoreError> {
        let any = self.readers.ask(move |db| Ok(recipient::any_to_forget(db, left_before)?)).await?;
        if any { self.write(move |ledger| Ok(recipient::forget(&ledger.db, left_before)?)).await } else { Ok(0) }
    }

    async fn open(&self, wish: Opening) -> Result<Opened, StoreError> {
        // A proof is judged away from the writer: it takes a hundred microseconds, and strangers may ask for it.
        let asked = wish.clone();
        match self.readers.ask(move |db| opening::look(db, &asked)).await? {
            Look::Seen(opened) => Ok(opened),
            Look::First { key, opened } => {
                let state = self.write(move |ledger| opening::record(ledger, &wish, &key)).await?;
                Ok(Opened { state, ..opened })
            }
        }
    }

    async fn claim(&self, wish: Claim) -> Result<(), StoreError> {
        let asked = wish.clone();
        let key = self.readers.ask(move |db| claim::judge(db, &asked)).await?;
        self.write(move |ledger| claim::claim(ledger, &wish, &key)).await
    }

    async fn verify_transfer(&self, wish: Transfer) -> Result<(), StoreError> {
        self.readers.ask(move |db| transfer::judge(db, &wish).map(drop)).await
    }

    async fn transfer(&self, wish: Transfer) -> Result<(), StoreError> {
        let asked = wish.clone();
        let key = self.readers.ask(move |db| transfer::judge(db, &asked)).await?;
        self.write(move |ledger| transfer::transfer(ledger, &wish, &key)).await
    }

    async fn settle(&self, after: Option<WholeSeconds>, now: Timestamp) -> Result<u64, StoreError> {
        // Asked for twice a second by whoever serves, and mostly for nothing.
        let any = self.readers.ask(|db| Ok(transfer::any(db)?)).await?;
        if any { self.write(move |ledger| Ok(transfer::settle(ledger, after, now)?)).await } else { Ok(0) }
    }

    async fn airdrop(&self, wish: Airdrop) -> Result<Reservation, StoreError> {
        assert_eq!(wish.wish.count as usize, wish.recipients.len(), "an airdrop is of one passport for each recipient");
        self.write(move |ledger| reserve::airdrop(ledger, &wish)).await
    }

    async fn relink(&self, wish: Relink) -> Result<HandedOut, StoreError> {
        self.write(move |ledger| single::relink(ledger, &wish)).await
    }

    async fn recover(&self, wish: OfPassport) -> Result<(), StoreError> {
        self.write(move |ledger| single::recover(ledger, &wish)).await
    }

    async fn withdraw(&self, wish: OfPassport) -> Result<(), StoreError> {
        self.write(move |ledger| single::withdraw(ledger, &wish)).await
    }

    async fn add_kiosk(&self, kiosk: Kiosk, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |ledger| kiosk::add(&ledger.db, &kiosk, now)).await
    }

    async fn close_kiosk(&self, name: KioskName, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |ledger| kiosk::close(&ledger.db, &name, now)).await
    }

    async fn kiosk(&self, name: KioskName) -> Result<Option<Kiosk>, StoreError> {
        self.readers.ask(move |db| Ok(kiosk::by_name(db, &name)?.map(|(_, kiosk)| kiosk))).await
    }

    async fn kiosks(&self, now: Timestamp) -> Result<Vec<KioskInfo>, StoreError> {
        self.readers.ask(move |db| Ok(kiosk::list(db, now)?)).await
    }

    async fn visit_kiosk(&self, wish: Visit) -> Result<Given, StoreError> {
        // Strangers who ask for what no kiosk gives do not keep the writer busy.
        let (door, now) = (wish.door.clone(), wish.now);
        self.readers.ask(move |db| kiosk::enter(db, &door, now).map(drop)).await?;
        self.write(move |ledger| kiosk::visit(ledger, &wish)).await
    }

    async fn end_holds(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write(move |ledger| Ok(hold::end_due(ledger, now)?)).await
    }

    async fn counts(&self, tags: TagFilter, now: Timestamp) -> Result<PoolCounts, StoreError> {
        let counted = self.readers.ask(move |db| Ok(count::counts(db, tags, now)?)).await?;
        if !counted.to_keep.is_empty() && self.writer.is_some() {
            // The answer is there; that the next one comes sooner is no part of it.
            if let Err(error) = self.write(move |ledger| tally::keep(ledger, &counted.to_keep)).await {
                tracing::warn!(%error, "the counts of a large tag could not be kept");
            }
        }
        Ok(counted.counts)
    }

    async fn pools(&self, page: PoolPage) -> Result<Vec<(Tag, StateCounts)>, StoreError> {
        self.readers.ask(move |db| Ok(count::page(db, &page)?)).await
    }

    async fn passports(&self, filter: PassportFilter, page: PassportPage) -> Result<Page<ListedPassport>, StoreError> {
        self.readers.ask(move |db| Ok(list::page(db, &filter, page)?)).await
    }

    async fn passport(&self, id: PassportId, now: Timestamp) -> Result<Option<PassportNow>, StoreError> {
        self.readers.ask(move |db| Ok(list::one(db, id, now)?)).await
    }

    async fn edit_passport(&self, wish: EditPassport) -> Result<Version, StoreError> {
        self.write(move |ledger| edit::edit(ledger, &wish)).await
    }

    async fn events(&self, filter: EventFilter, page: EventPage) -> Result<Page<JournalRow>, StoreError> {
        self.readers.ask(move |db| Ok(history::events(db, &filter, page)?)).await
    }

    async fn create(&self, wish: Create) -> Result<u64, StoreError> {
        self.write(move |ledger| import::create(ledger, &wish)).await
    }

    async fn begin_import(&self, terms: ImportTerms) -> Result<ImportId, StoreError> {
        if !self.take_import_lock()? {
            return Err(Refusal::ImportRunning.into());
        }
        let begun = async {
            self.sweep().await?;
            self.write(move |ledger| import::begin(ledger, &terms)).await
        };
        begun.await.inspect_err(|_| self.release_import_lock())
    }

    async fn add_to_import(&self, batch: ImportBatch) -> Result<u64, StoreError> {
        let added = self.write(move |ledger| import::add(ledger, &batch)).await;
        // SQLite gives its lock to whoever asks first, and who has just let it go would always be that one.
        tokio::time::sleep(LET_OTHERS_WRITE).await;
        added
    }

    async fn publish_import(&self, import: ImportId) -> Result<(), StoreError> {
        self.write(move |ledger| import::publish(ledger, import)).await?;
        self.release_import_lock();
        Ok(())
    }

    async fn drop_import(&self, _: ImportId) -> Result<(), StoreError> {
        // There is one import at a time, and it is this one: all that is hidden is its work.
        self.sweep().await?;
        self.release_import_lock();
        Ok(())
    }

    async fn sweep_imports(&self) -> Result<(), StoreError> {
        let any = self.readers.ask(|db| Ok(import::any(db)?)).await?;
        if any && self.take_import_lock()? {
            self.sweep().await.inspect_err(|_| self.release_import_lock())?;
            self.release_import_lock();
        }
        Ok(())
    }

    async fn forget_repeats(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(move |ledger| Ok(ledger.repeats.forget(&ledger.db, before)?)).await
    }

    async fn export(
        &self,
        filter: ExportFilter,
        mut each: Box<dyn FnMut(Exported) -> bool + Send>,
    ) -> Result<(), StoreError> {
        self.readers.ask(move |db| Ok(export::export(db, &filter, &mut *each)?)).await
    }

    async fn caller(&self, key: ApiKeyDigest, now: Timestamp) -> Result<Option<Caller>, StoreError> {
        self.readers.ask(move |db| Ok(user::caller(db, &key, now)?)).await
    }

    async fn keep_key_uses(&self, uses: Vec<KeyUse>) -> Result<(), StoreError> {
        self.write(move |ledger| Ok(key::keep_uses(&ledger.db, &uses)?)).await
    }

    async fn add_user(&self, user: NewUser, by: Granter) -> Result<(), StoreError> {
        self.write(move |ledger| ledger.part(|ledger| user::add(&ledger.db, &user, &by))).await
    }

    async fn change_profile(&self, user: UserName, profile: ProfileName, by: Granter) -> Result<(), StoreError> {
        self.write(move |ledger| ledger.part(|ledger| user::change_profile(&ledger.db, &user, &profile, &by))).await
    }

    async fn add_key(&self, user: UserName, key: NewKey, by: Granter) -> Result<(), StoreError> {
        self.write(move |ledger| key::add(&ledger.db, &user, &key, &by)).await
    }

    async fn renew_key(&self, wish: RenewKey, by: Granter) -> Result<(), StoreError> {
        self.write(move |ledger| ledger.part(|ledger| key::renew(&ledger.db, &wish, &by))).await
    }

    async fn remove_key(&self, user: UserName, head: String, by: Granter) -> Result<(), StoreError> {
        self.write(move |ledger| key::remove(&ledger.db, &user, &head, &by)).await
    }

    async fn forget_keys(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write(move |ledger| Ok(key::forget(&ledger.db, now)?)).await
    }

    async fn remove_user(&self, user: UserName, by: Granter) -> Result<(), StoreError> {
        self.write(move |ledger| user::remove(&ledger.db, &user, &by)).await
    }

    async fn profiles(&self) -> Result<Vec<ProfileInfo>, StoreError> {
        self.readers.ask(|db| Ok(profile::list(db)?)).await
    }

    async fn add_profile(&self, profile: ProfileName, rights: Rights, by: Granter) -> Result<(), StoreError> {
        self.write(move |ledger| profile::add(&ledger.db, &profile, rights, &by)).await
    }

    async fn change_rights(&self, profile: ProfileName, rights: Rights, by: Granter) -> Result<(), StoreError> {
        self.write(move |ledger| ledger.part(|ledger| profile::change_rights(&ledger.db, &profile, rights, &by))).await
    }

    async fn remove_profile(&self, profile: ProfileName, by: Granter) -> Result<(), StoreError> {
        self.write(move |ledger| profile::remove(&ledger.db, &profile, &by)).await
    }

    async fn users(&self) -> Result<Vec<UserInfo>, StoreError> {
        self.readers.ask(|db| Ok(user::list(db)?)).await
    }

    async fn link_settings(&self) -> Result<Option<LinkSettings>, StoreError> {
        self.readers.ask(|db| Ok(setting::link_settings(db)?)).await
    }

    async fn keep_link_settings(&self, settings: LinkSettings) -> Result<(), StoreError> {
        self.write(move |ledger| Ok(setting::keep_link_settings(&ledger.db, &settings)?)).await
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        self.readers.ask(|db| Ok(check::check(db)?)).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.readers.ask(|db| Ok(schema::ask(db)?)).await
    }

    async fn close(&self) {
        // A reader may not tidy the log away, so the writer's connection has to be the last.
        self.readers.close();
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}
