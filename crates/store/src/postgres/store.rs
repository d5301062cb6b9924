//! The verbs as PostgreSQL carries them out. What callers take for the present is corrected here, once, to the
//! database's clock. A moment that they name, as the end of a hold or the beginning of a list, is meant as it is.

use async_trait::async_trait;
use passpool_core::{
    ApiKeyDigest, Caller, Granter, HandedOut, Kiosk, KioskName, PassportId, PreviewId, ProfileName, RecipientId,
    Reference, Refusal, Reservation, ReservationId, Reserve, Rights, Tag, Timestamp, UserName, WholeSeconds,
};

use super::{
    PostgresStore, check, claim, count, edit, export, history, hold,
    import::{self, LookedUp},
    key, kiosk, list,
    opening::{self, Look},
    preview, profile,
    queue::Queue,
    recipient, repeat, reservation, reserve,
    reset::{self, Place},
    schema, setting, single, transfer, undo, user,
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
impl Store for PostgresStore {
    async fn reserve(&self, wish: Reserve) -> Result<Reservation, StoreError> {
        let wish = self.correct_wish(wish);
        if !Queue::takes(&wish) {
            return reserve::reserve(&self.shelf, &wish, &[]).await;
        }
        reserve::judge(&wish)?;
        self.queue.reserve(wish).await
    }

    async fn reset(&self, wish: Reset) -> Result<u64, StoreError> {
        let wish = self.correct_reset(wish);
        let terms = reset::Terms { by: &wish.by, now: wish.now, keep: None };
        // A transfer that was not settled in time holds nothing, and nor does a hold that has ended.
        self.shelf.end_all_due(wish.now).await?;
        let mut place = Place::START;
        loop {
            let ledger = self.ledger().await?;
            let slice = reset::slice(&ledger, &self.shelf.tags, &wish.scope, terms, place).await;
            match self.grown(ledger.end(slice).await)? {
                reset::Slice { next: Some(next), .. } => place = next,
                reset::Slice { done, next: None } => return Ok(done.count),
            }
        }
    }

    async fn keep_preview(&self, wish: Preview, first: usize) -> Result<Previewed, StoreError> {
        let wish = self.correct_preview(wish);
        let ledger = self.ledger().await?;
        let kept = preview::keep(&ledger, &self.shelf.tags, &wish, first).await;
        ledger.end(kept).await
    }

    async fn preview(&self, id: PreviewId, page: PreviewPage, now: Timestamp) -> Result<Vec<Resettable>, StoreError> {
        let db = self.snapshot().await?;
        let found = preview::page(&db, id, page, self.offset.correct(now)).await;
        db.end(found).await
    }

    async fn keep_reset(&self, wish: KeptReset) -> Result<ResetDone, StoreError> {
        let wish = self.correct_kept_reset(wish);
        let terms = reset::Terms { by: &wish.by, now: wish.now, keep: Some(wish.id) };
        // A transfer that was not settled in time holds nothing, and nor does a hold that has ended.
        self.shelf.end_all_due(wish.now).await?;
        let mut place = Place::START;
        loop {
            let ledger = self.ledger().await?;
            let slice = match &wish.of {
                ResetOf::Scope(scope) => reset::slice(&ledger, &self.shelf.tags, scope, terms, place).await,
                ResetOf::Preview(id) => reset::preview_slice(&ledger, *id, terms, place).await,
            };
            match self.grown(ledger.end(slice).await)? {
                reset::Slice { next: Some(next), .. } => place = next,
                reset::Slice { done, next: None } => return Ok(done),
            }
        }
    }

    async fn undo_reset(&self, mut wish: UndoReset) -> Result<ResetUndone, StoreError> {
        wish.now = self.offset.correct(wish.now);
        let mut undone = ResetUndone::default();
        loop {
            let ledger = self.ledger().await?;
            let slice = undo::undo_slice(&ledger, &wish).await;
            let slice = ledger.end(slice).await?;
            undone.count += slice.undone.count;
            undone.others += slice.undone.others;
            if !slice.has_more {
                return Ok(undone);
            }
        }
    }

    async fn forget_resets(&self, now: Timestamp) -> Result<u64, StoreError> {
        let now = self.offset.correct(now);
        let db = self.session().await?;
        // Asked for twice a second by every server, and mostly for nothing.
        if !preview::any_over(&db, now).await? && !undo::any_over(&db, now).await? {
            return Ok(0);
        }
        drop(db);
        let ledger = self.ledger().await?;
        let forgotten = async { Ok(preview::forget(&ledger, now).await? + undo::forget(&ledger, now).await?) }.await;
        ledger.end(forgotten).await
    }

    async fn reservations(&self, page: ReservationPage) -> Result<Vec<ReservationInfo>, StoreError> {
        Ok(reservation::list(&self.session().await?, page).await?)
    }

    async fn reservation(&self, id: ReservationId, now: Timestamp) -> Result<Option<ReservationNow>, StoreError> {
        let db = self.snapshot().await?;
        let found = reservation::now(&db, id, self.offset.correct(now)).await.map_err(StoreError::from);
        db.end(found).await
    }

    async fn show_links(&self, mut wish: ShowLinks) -> Result<Vec<ShownLink>, StoreError> {
        wish.now = self.offset.correct(wish.now);
        let ledger = self.ledger().await?;
        let shown = reservation::show_links(&ledger, &wish).await;
        ledger.end(shown).await
    }

    async fn cancel_reservation(&self, mut wish: OfReservation) -> Result<Touched, StoreError> {
        wish.now = self.offset.correct(wish.now);
        let mut touched = Touched::default();
        let mut next = Some(0);
        while let Some(from) = next {
            let ledger = self.ledger().await?;
            let slice = reservation::cancel_slice(&ledger, &wish, from).await;
            let slice = self.grown(ledger.end(slice).await)?;
            touched.add(slice.touched);
            next = slice.next;
        }
        Ok(touched)
    }

    async fn extend_reservation(&self, mut wish: Extend) -> Result<Touched, StoreError> {
        wish.of.now = self.offset.correct(wish.of.now);
        let mut touched = Touched::default();
        let mut next = Some(0);
        while let Some(from) = next {
            let ledger = self.ledger().await?;
            let slice = reservation::extend_slice(&ledger, &wish, from).await;
            let slice = ledger.end(slice).await?;
            touched.add(slice.touched);
            next = slice.next;
        }
        Ok(touched)
    }

    async fn recipients(&self, page: RecipientPage) -> Result<Vec<RecipientInfo>, StoreError> {
        Ok(recipient::list(&self.session().await?, &page).await?)
    }

    async fn erase_recipient(&self, id: RecipientId) -> Result<(), StoreError> {
        recipient::erase(&self.session().await?, id).await
    }

    async fn erase_recipients_of(&self, reference: Reference) -> Result<u64, StoreError> {
        Ok(recipient::erase_of(&self.session().await?, &reference).await?)
    }

    async fn forget_recipients(&self, left_before: Timestamp) -> Result<u64, StoreError> {
        Ok(recipient::forget(&self.session().await?, self.offset.correct(left_before)).await?)
    }

    async fn open(&self, mut wish: Opening) -> Result<Opened, StoreError> {
        wish.now = self.offset.correct(wish.now);
        let db = self.session().await?;
        let look = opening::look(&db, &wish).await?;
        drop(db);
        match look {
            Look::Seen(opened) => Ok(opened),
            Look::First { key, opened } => {
                let ledger = self.ledger().await?;
                let state = opening::record(&ledger, &wish, &key).await;
                Ok(Opened { state: ledger.end(state).await?, ..opened })
            }
        }
    }

    async fn claim(&self, mut wish: Claim) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let db = self.session().await?;
        let key = claim::judge(&db, &wish).await?;
        drop(db);
        let ledger = self.ledger().await?;
        let claimed = claim::claim(&ledger, &wish, &key).await;
        ledger.end(claimed).await
    }

    async fn verify_transfer(&self, mut wish: Transfer) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let db = self.snapshot().await?;
        let judged = transfer::judge(&db, &wish).await.map(drop);
        db.end(judged).await
    }

    async fn transfer(&self, mut wish: Transfer) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let db = self.session().await?;
        let key = transfer::judge(&db, &wish).await?;
        drop(db);
        let ledger = self.ledger().await?;
        let transferred = transfer::transfer(&ledger, &wish, &key).await;
        ledger.end(transferred).await
    }

    async fn settle(&self, after: Option<WholeSeconds>, now: Timestamp) -> Result<u64, StoreError> {
        let now = self.offset.correct(now);
        // Asked for twice a second by every server, and mostly for nothing.
        if !transfer::any(&self.session().await?).await? {
            return Ok(0);
        }
        let ledger = self.ledger().await?;
        let settled = transfer::settle(&ledger, after, now).await.map_err(StoreError::from);
        ledger.end(settled).await
    }

    async fn airdrop(&self, wish: Airdrop) -> Result<Reservation, StoreError> {
        assert_eq!(wish.wish.count as usize, wish.recipients.len(), "an airdrop is of one passport for each recipient");
        reserve::reserve(&self.shelf, &self.correct_wish(wish.wish), &wish.recipients).await
    }

    async fn relink(&self, mut wish: Relink) -> Result<HandedOut, StoreError> {
        wish.now = self.offset.correct(wish.now);
        let ledger = self.ledger().await?;
        let relinked = single::relink(&ledger, &wish).await;
        ledger.end(relinked).await
    }

    async fn recover(&self, mut wish: OfPassport) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let ledger = self.ledger().await?;
        let recovered = single::recover(&ledger, &wish).await;
        ledger.end(recovered).await
    }

    async fn withdraw(&self, mut wish: OfPassport) -> Result<(), StoreError> {
        wish.now = self.offset.correct(wish.now);
        let ledger = self.ledger().await?;
        let withdrawn = single::withdraw(&ledger, &wish).await;
        ledger.end(withdrawn).await
    }

    async fn add_kiosk(&self, kiosk: Kiosk, now: Timestamp) -> Result<(), StoreError> {
        kiosk::add(&self.session().await?, &kiosk, self.offset.correct(now)).await
    }

    async fn close_kiosk(&self, name: KioskName, now: Timestamp) -> Result<(), StoreError> {
        kiosk::close(&self.session().await?, &name, self.offset.correct(now)).await
    }

    async fn kiosk(&self, name: KioskName) -> Result<Option<Kiosk>, StoreError> {
        Ok(kiosk::by_name(&self.session().await?, &name).await?.map(|(_, kiosk)| kiosk))
    }

    async fn kiosks(&self, now: Timestamp) -> Result<Vec<KioskInfo>, StoreError> {
        Ok(kiosk::list(&self.session().await?, self.offset.correct(now)).await?)
    }

    async fn visit_kiosk(&self, mut wish: Visit) -> Result<Given, StoreError> {
        wish.now = self.offset.correct(wish.now);
        // Strangers who ask for what no kiosk gives begin no transaction.
        kiosk::enter(&self.session().await?, &wish.door, wish.now).await?;
        kiosk::visit(&self.shelf, &wish).await
    }

    async fn end_holds(&self, now: Timestamp) -> Result<u64, StoreError> {
        let now = self.offset.correct(now);
        if !hold::any_due(&self.session().await?, now).await? {
            return Ok(0);
        }
        Ok(self.shelf.end_due(now).await?)
    }

    async fn counts(&self, tags: TagFilter, now: Timestamp) -> Result<PoolCounts, StoreError> {
        let db = self.snapshot().await?;
        let counts = count::counts(&db, tags, self.offset.correct(now)).await.map_err(StoreError::from);
        db.end(counts).await
    }

    async fn pools(&self, mut page: PoolPage) -> Result<Vec<(Tag, StateCounts)>, StoreError> {
        page.now = self.offset.correct(page.now);
        let db = self.snapshot().await?;
        let pools = count::page(&db, &page).await.map_err(StoreError::from);
        db.end(pools).await
    }

    async fn passports(
        &self,
        filter: PassportFilter,
        mut page: PassportPage,
    ) -> Result<Page<ListedPassport>, StoreError> {
        page.now = self.offset.correct(page.now);
        Ok(list::page(&self.shelf, &filter, page).await?)
    }

    async fn passport(&self, id: PassportId, now: Timestamp) -> Result<Option<PassportNow>, StoreError> {
        let db = self.snapshot().await?;
        let found = list::one(&db, id, self.offset.correct(now)).await.map_err(StoreError::from);
        db.end(found).await
    }

    async fn edit_passport(&self, mut wish: EditPassport) -> Result<Version, StoreError> {
        wish.now = self.offset.correct(wish.now);
        let becomes = edit::LookedUp::of(&self.session().await?, &self.shelf.tags, &wish).await?;
        let ledger = self.ledger().await?;
        let edited = edit::edit(&ledger, &wish, &becomes).await;
        self.grown(ledger.end(edited).await)
    }

    async fn events(&self, filter: EventFilter, page: EventPage) -> Result<Page<JournalRow>, StoreError> {
        Ok(history::events(&self.shelf.connections, &filter, page).await?)
    }

    async fn create(&self, mut wish: Create) -> Result<u64, StoreError> {
        wish.terms = self.correct_terms(wish.terms);
        let looked_up = LookedUp::of(&self.session().await?, &self.shelf.tags, &wish.passports).await?;
        let ledger = self.ledger().await?;
        let created = import::create(&ledger, &wish, &looked_up).await;
        self.grown(ledger.end(created).await)
    }

    async fn begin_import(&self, terms: ImportTerms) -> Result<ImportId, StoreError> {
        if !self.take_import_lock().await? {
            return Err(Refusal::ImportRunning.into());
        }
        let begun = self.begin_swept(self.correct_terms(terms)).await;
        if begun.is_err() {
            self.release_import_lock().await;
        }
        begun
    }

    async fn add_to_import(&self, mut batch: ImportBatch) -> Result<u64, StoreError> {
        batch.terms = self.correct_terms(batch.terms);
        let looked_up = LookedUp::of(&self.session().await?, &self.shelf.tags, &batch.passports).await?;
        let ledger = self.ledger().await?;
        let added = import::add(&ledger, &batch, &looked_up).await;
        ledger.end(added).await
    }

    async fn publish_import(&self, import: ImportId) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let published = import::publish(&ledger, import).await;
        self.grown(ledger.end(published).await)?;
        self.release_import_lock().await;
        if let Err(fault) = import::analyze(&self.session().await?).await {
            tracing::warn!(%fault, "the database was not told of the import; its own ANALYZE will come by");
        }
        Ok(())
    }

    async fn drop_import(&self, _: ImportId) -> Result<(), StoreError> {
        // There is one import at a time, and it is this one: all that is hidden is its work.
        self.sweep().await?;
        self.release_import_lock().await;
        Ok(())
    }

    async fn sweep_imports(&self) -> Result<(), StoreError> {
        if !import::any(&self.session().await?).await? || !self.take_import_lock().await? {
            return Ok(());
        }
        let swept = self.sweep().await;
        self.release_import_lock().await;
        swept
    }

    async fn forget_repeats(&self, before: Timestamp) -> Result<u64, StoreError> {
        Ok(repeat::forget(&self.session().await?, self.offset.correct(before)).await?)
    }

    async fn export(
        &self,
        mut filter: ExportFilter,
        mut each: Box<dyn FnMut(Exported) -> bool + Send>,
    ) -> Result<(), StoreError> {
        filter.now = self.offset.correct(filter.now);
        let db = self.snapshot().await?;
        let exported = export::export(&db, &self.shelf.tags, &filter, &mut *each).await.map_err(StoreError::from);
        db.end(exported).await
    }

    async fn caller(&self, key: ApiKeyDigest, now: Timestamp) -> Result<Option<Caller>, StoreError> {
        Ok(user::caller(&self.session().await?, &key, self.offset.correct(now)).await?)
    }

    async fn keep_key_uses(&self, mut uses: Vec<KeyUse>) -> Result<(), StoreError> {
        for used in &mut uses {
            used.at = self.offset.correct(used.at);
        }
        Ok(key::keep_uses(&self.session().await?, &uses).await?)
    }

    async fn add_user(&self, user: NewUser, by: Granter) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let added = user::add(&ledger, &user, &by).await;
        ledger.end(added).await
    }

    async fn change_profile(&self, user: UserName, profile: ProfileName, by: Granter) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let changed = user::change_profile(&ledger, &user, &profile, &by).await;
        ledger.end(changed).await
    }

    async fn add_key(&self, user: UserName, key: NewKey, by: Granter) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let added = key::add(&ledger, &user, &key, &by).await;
        ledger.end(added).await
    }

    async fn renew_key(&self, wish: RenewKey, by: Granter) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let renewed = key::renew(&ledger, &wish, &by).await;
        ledger.end(renewed).await
    }

    async fn remove_key(&self, user: UserName, head: String, by: Granter) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let removed = key::remove(&ledger, &user, &head, &by).await;
        ledger.end(removed).await
    }

    async fn forget_keys(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(key::forget(&self.session().await?, self.offset.correct(now)).await?)
    }

    async fn remove_user(&self, user: UserName, by: Granter) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let removed = user::remove(&ledger, &user, &by).await;
        ledger.end(removed).await
    }

    async fn profiles(&self) -> Result<Vec<ProfileInfo>, StoreError> {
        Ok(profile::list(&self.session().await?).await?)
    }

    async fn add_profile(&self, profile: ProfileName, rights: Rights, by: Granter) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let added = profile::add(&ledger, &profile, rights, &by).await;
        ledger.end(added).await
    }

    async fn change_rights(&self, profile: ProfileName, rights: Rights, by: Granter) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let changed = profile::change_rights(&ledger, &profile, rights, &by).await;
        ledger.end(changed).await
    }

    async fn remove_profile(&self, profile: ProfileName, by: Granter) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let removed = profile::remove(&ledger, &profile, &by).await;
        ledger.end(removed).await
    }

    async fn users(&self) -> Result<Vec<UserInfo>, StoreError> {
        Ok(user::list(&self.session().await?).await?)
    }

    async fn link_settings(&self) -> Result<Option<LinkSettings>, StoreError> {
        Ok(setting::link_settings(&self.session().await?).await?)
    }

    async fn keep_link_settings(&self, settings: LinkSettings) -> Result<(), StoreError> {
        let ledger = self.ledger().await?;
        let kept = setting::keep_link_settings(&ledger, &settings).await.map_err(StoreError::from);
        ledger.end(kept).await
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        let db = self.snapshot().await?;
        let report = check::check(&db).await.map_err(StoreError::from);
        db.end(report).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(schema::ask(&self.session().await?).await?)
    }

    async fn close(&self) {
        self.stop_housekeeping();
        self.release_import_lock().await;
        self.leave().await;
        self.shelf.connections.close();
    }
}
