//! The verbs of the shop.

use async_trait::async_trait;
use passpool_core::{
    ApiKeyDigest, Caller, Content, Granter, HandedOut, Kiosk, KioskName, LinkBase, Network, PassportId, PreviewId,
    ProfileName, RecipientId, Reference, Reservation, ReservationId, Reserve, Rights, Selector, State, StateName, Tag,
    Tags, Timestamp, UserName, WholeSeconds,
};

use crate::{
    Airdrop, CheckReport, Claim, Create, EditPassport, EventFilter, EventPage, Extend, Given, ImportBatch, ImportId,
    ImportTerms, JournalRow, KeptReset, KeyUse, KioskInfo, ListedPassport, NewKey, NewUser, OfPassport, OfReservation,
    Opened, Opening, Page, PassportFilter, PassportNow, PassportPage, PoolCounts, PoolPage, Preview, Previewed,
    ProfileInfo, RecipientInfo, RecipientPage, Relink, RenewKey, ReservationInfo, ReservationNow, ReservationPage,
    Reset, ResetDone, ResetUndone, Resettable, ShowLinks, ShownLink, StateCounts, StoreError, TagFilter, Touched,
    Transfer, UndoReset, UserInfo, Version, Visit,
};

/// A database of passports.
///
/// Every method that changes something answers after the change is durable, and changes nothing if it answers with an
/// error. What a refusal means is written at [`passpool_core::Refusal`].
#[async_trait]
pub trait Store: Send + Sync {
    /// Takes exactly `count` passports out of the pool, or none; with [`passpool_core::Shortage::Partial`] as many as
    /// there are, or none if there is none.
    ///
    /// The same idempotency key gives the first answer again; two callers at once never share a passport.
    ///
    /// With recipients each passport is for one of them, in their order; a partial answer leaves out the last ones.
    ///
    /// Refuses with `PoolShort`, `Count`, `RecipientCount`, `EndInThePast`, `KeyReused`, `ReservationOver` or
    /// `StillRunning`.
    async fn reserve(&self, wish: Reserve) -> Result<Reservation, StoreError>;

    /// Gives passports back to the pool and answers how many. Their links are dead.
    ///
    /// By tags it works in slices of a few thousand, so that nobody waits long; a fault in the middle leaves whole
    /// slices done. By name it is one transaction: refuses with `UnknownPassport`, or `WrongState` about
    /// the passport.
    async fn reset(&self, wish: Reset) -> Result<u64, StoreError>;

    /// Remembers for 15 minutes which passports a reset would give back at this moment, and answers how many they are
    /// and the `first` of them. Changes no passport.
    ///
    /// Refuses with `UnknownReservation`, or as [`Store::reset`] by name.
    async fn keep_preview(&self, wish: Preview, first: usize) -> Result<Previewed, StoreError>;

    /// What was previewed, in order of creation, one page at a time: as it is now, with what has changed since.
    ///
    /// Refuses with `UnknownPreview`.
    async fn preview(&self, id: PreviewId, page: PreviewPage, now: Timestamp) -> Result<Vec<Resettable>, StoreError>;

    /// Resets, and remembers for 24 hours what that took away, so that it can be undone.
    ///
    /// It works in slices as [`Store::reset`] does. Of a preview it resets those to which nothing happened since: a
    /// look at a link is nothing.
    ///
    /// Refuses with `UnknownPreview`, `UnknownReservation`, or as [`Store::reset`] by name.
    async fn keep_reset(&self, wish: KeptReset) -> Result<ResetDone, StoreError>;

    /// Gives each passport that nothing has happened to since the reset its state, link, reservation and hold again.
    /// A hold that has ended meanwhile stays ended.
    ///
    /// It works in slices; one that was cut off can be asked for again, which answers what is left to be done.
    ///
    /// Refuses with `UnknownReset`, or `ResetUndone`.
    async fn undo_reset(&self, wish: UndoReset) -> Result<ResetUndone, StoreError>;

    /// Forgets previews after their 15 minutes, and what resets took away after 24 hours: a few thousand passports at
    /// once. A verb that works in slices and still needs them would be cut off, so whoever asks leaves it some time. Answers how many; none when there is nothing left to forget.
    async fn forget_resets(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Reservations that are kept, the newest first.
    async fn reservations(&self, page: ReservationPage) -> Result<Vec<ReservationInfo>, StoreError>;

    /// One reservation, and where its passports are at this moment.
    async fn reservation(&self, id: ReservationId, now: Timestamp) -> Result<Option<ReservationNow>, StoreError>;

    /// Shows links. Each one that is shown is a row of the journal, written before the answer.
    ///
    /// Fewer than were asked for are the last ones. Refuses with `UnknownReservation` or `UnknownPassport`.
    async fn show_links(&self, wish: ShowLinks) -> Result<Vec<ShownLink>, StoreError>;

    /// Resets those of a reservation's passports that are still reserved or scanned, in slices of a few thousand.
    ///
    /// Refuses with `UnknownReservation`.
    async fn cancel_reservation(&self, wish: OfReservation) -> Result<Touched, StoreError>;

    /// Gives those of a reservation's passports that are still reserved or scanned another end, in slices of a few
    /// thousand.
    ///
    /// Refuses with `UnknownReservation` or `EndInThePast`.
    async fn extend_reservation(&self, wish: Extend) -> Result<Touched, StoreError>;

    /// Recipients in the order of their making.
    async fn recipients(&self, page: RecipientPage) -> Result<Vec<RecipientInfo>, StoreError>;

    /// Erases one recipient. The history stays. Refuses with `UnknownRecipient`.
    async fn erase_recipient(&self, id: RecipientId) -> Result<(), StoreError>;

    /// Erases every recipient with this reference, and answers how many.
    async fn erase_recipients_of(&self, reference: Reference) -> Result<u64, StoreError>;

    /// Erases recipients whose passport left the shop before this moment, as did all other passports of the same
    /// reference: a few thousand at once. Answers how many.
    async fn forget_recipients(&self, left_before: Timestamp) -> Result<u64, StoreError>;

    /// Shows a passport to whoever proves to know its link, or to own it. A person's first look at a link is a scan; a
    /// robot's is journalled once an hour and changes nothing.
    ///
    /// Refuses with `LinkDead` whatever is wrong, and takes the same time for it.
    async fn open(&self, wish: Opening) -> Result<Opened, StoreError>;

    /// Makes a wallet the owner of a passport. The owner that it has already may claim again.
    ///
    /// Refuses with `LinkDead` whatever is wrong with the link, in the same time; or with `WalletServed`.
    async fn claim(&self, wish: Claim) -> Result<(), StoreError>;

    /// Answers whether [`Store::transfer`] would refuse at this moment, and why.
    async fn verify_transfer(&self, wish: Transfer) -> Result<(), StoreError>;

    /// Sends a passport on its way to a wallet. Until it is settled nobody else can have it.
    ///
    /// Refuses with `Untransferable` or `WalletServed`.
    async fn transfer(&self, wish: Transfer) -> Result<(), StoreError>;

    /// Settles the transfers that are on their way for this long, a few thousand at once, and answers how many.
    async fn settle(&self, after: Option<WholeSeconds>, now: Timestamp) -> Result<u64, StoreError>;

    /// Takes a passport out of the pool for each recipient and sends it on its way, or none. Answers in their order.
    ///
    /// Refuses as [`Store::reserve`].
    async fn airdrop(&self, wish: Airdrop) -> Result<Reservation, StoreError>;

    /// Gives a passport that nobody owns a link, upon which the one it had is dead.
    ///
    /// Refuses with `UnknownPassport` or `WrongState`.
    async fn relink(&self, wish: Relink) -> Result<HandedOut, StoreError>;

    /// Takes a passport back from its owner. It stays out of the pool until it is reset by name.
    ///
    /// Refuses with `UnknownPassport` or `WrongState`.
    async fn recover(&self, wish: OfPassport) -> Result<(), StoreError>;

    /// Takes a passport out of use for good. Refuses with `UnknownPassport` or `WrongState`.
    async fn withdraw(&self, wish: OfPassport) -> Result<(), StoreError>;

    /// Opens a kiosk. Refuses with `KioskExists`.
    async fn add_kiosk(&self, kiosk: Kiosk, now: Timestamp) -> Result<(), StoreError>;

    /// Closes a kiosk at this moment. What visitors hold they may still claim. Refuses with `UnknownKiosk`.
    async fn close_kiosk(&self, name: KioskName, now: Timestamp) -> Result<(), StoreError>;

    /// The kiosk of this name, open or not.
    async fn kiosk(&self, name: KioskName) -> Result<Option<Kiosk>, StoreError>;

    /// Every kiosk in the order of their making, as of this moment.
    async fn kiosks(&self, now: Timestamp) -> Result<Vec<KioskInfo>, StoreError>;

    /// Gives a kiosk's visitor a passport: the one held already, as long as it is held.
    ///
    /// Refuses with `NoKiosk`, `KioskNotYetOpen`, `KioskClosed`, `PoolShort` or `TooManyHeld`.
    async fn visit_kiosk(&self, wish: Visit) -> Result<Given, StoreError>;

    /// Ends the holds whose time is over, and the transfers that were not settled in time, oldest end first and at most
    /// a few thousand at once, and answers how many.
    async fn end_holds(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Counts by state, of the whole pool and of some tags, at one moment. Holds that have ended count as available.
    async fn counts(&self, tags: TagFilter, now: Timestamp) -> Result<PoolCounts, StoreError>;

    /// Counts of every tag that a passport has, by name, one page at a time. Fewer than asked for are the last ones.
    async fn pools(&self, page: PoolPage) -> Result<Vec<(Tag, StateCounts)>, StoreError>;

    /// Passports that match, in order of creation, or of their last change if the filter asks since when.
    ///
    /// What is made meanwhile comes at the end, so no passport comes twice, and none that was there when the first page was
    /// read is passed over. An import that ends meanwhile may be: its place in the order is that of its beginning.
    async fn passports(&self, filter: PassportFilter, page: PassportPage) -> Result<Page<ListedPassport>, StoreError>;

    /// One passport and its whole history.
    async fn passport(&self, id: PassportId, now: Timestamp) -> Result<Option<PassportNow>, StoreError>;

    /// Gives a passport other tags or another content, and answers its version then. The counts and the pool move along.
    ///
    /// Refuses with `UnknownPassport`, `WrongState` for a withdrawn one, or `Changed`.
    async fn edit_passport(&self, wish: EditPassport) -> Result<Version, StoreError>;

    /// The journal, the oldest row first. A row of an import that still runs is not shown, and nothing behind it, so that
    /// whoever reads on misses nothing.
    async fn events(&self, filter: EventFilter, page: EventPage) -> Result<Page<JournalRow>, StoreError>;

    /// Makes a few passports. Answers how many; fewer than given only with `skip_known`.
    ///
    /// Refuses with `IdUsed` or `IdDoubled`.
    async fn create(&self, wish: Create) -> Result<u64, StoreError>;

    /// Begins an import. What it adds is seen by nobody before [`Store::publish_import`].
    ///
    /// There is one import at a time: refuses with `ImportRunning`. It ends with the process or the store that runs
    /// it; what it wrote is then swept away.
    async fn begin_import(&self, terms: ImportTerms) -> Result<ImportId, StoreError>;

    /// Adds passports to an import. Answers as [`Store::create`], of which a refusal leaves the batch undone and the
    /// import running.
    async fn add_to_import(&self, batch: ImportBatch) -> Result<u64, StoreError>;

    /// Makes everything that the import added visible, at once.
    async fn publish_import(&self, import: ImportId) -> Result<(), StoreError>;

    /// Ends an import and takes back all that it added.
    async fn drop_import(&self, import: ImportId) -> Result<(), StoreError>;

    /// Takes back what imports left whose process is gone. Does nothing while one runs.
    async fn sweep_imports(&self) -> Result<(), StoreError>;

    /// Forgets idempotency records made before `before`, a few thousand at once, and answers how many.
    async fn forget_repeats(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Shows every passport that matches, in order of creation, as of one moment of the database. Stops early when
    /// `each` answers false.
    async fn export(
        &self,
        filter: ExportFilter,
        each: Box<dyn FnMut(Exported) -> bool + Send>,
    ) -> Result<(), StoreError>;

    /// Who has this key, if anybody has and it is good at this moment.
    async fn caller(&self, key: ApiKeyDigest, now: Timestamp) -> Result<Option<Caller>, StoreError>;

    /// Writes down when keys were used, to the minute. Keys that are gone are passed over; an older use than the one
    /// that is known changes nothing.
    async fn keep_key_uses(&self, uses: Vec<KeyUse>) -> Result<(), StoreError>;

    /// Adds a user with a key. Refuses with `UserExists`, `ProfileExists` or `UnknownProfile`.
    ///
    /// This and each change of an account below is done by somebody: it also refuses with `RightMissing` if the account
    /// has at that moment, or is to have, a right that they do not have.
    async fn add_user(&self, user: NewUser, by: Granter) -> Result<(), StoreError>;

    /// Gives a user another profile. One of its own that nobody has then is gone. Refuses with `UnknownUser`,
    /// `UnknownProfile`, `LastAdmin`, or `OwnAccount` to whoever wants it for themselves.
    async fn change_profile(&self, user: UserName, profile: ProfileName, by: Granter) -> Result<(), StoreError>;

    /// Gives a user one more key. Refuses with `UnknownUser`, or `KeyExists`.
    async fn add_key(&self, user: UserName, key: NewKey, by: Granter) -> Result<(), StoreError>;

    /// Gives a user a key in the place of others, which are good for a while longer or not at all.
    ///
    /// Refuses with `UnknownUser`, `UnknownKey` or `KeyExists`.
    async fn renew_key(&self, wish: RenewKey, by: Granter) -> Result<(), StoreError>;

    /// Removes the key of a user that begins like this. Refuses with `UnknownUser` or `UnknownKey`.
    async fn remove_key(&self, user: UserName, head: String, by: Granter) -> Result<(), StoreError>;

    /// Forgets keys that were renewed and are dead at this moment, and answers how many.
    async fn forget_keys(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Removes a user and its keys. Refuses with `UnknownUser`, `LastAdmin`, or `OwnAccount` to the user itself.
    async fn remove_user(&self, user: UserName, by: Granter) -> Result<(), StoreError>;

    /// Every profile by name.
    async fn profiles(&self) -> Result<Vec<ProfileInfo>, StoreError>;

    /// Adds a profile. Refuses with `ProfileExists`.
    async fn add_profile(&self, profile: ProfileName, rights: Rights, by: Granter) -> Result<(), StoreError>;

    /// Gives a profile other rights. Refuses with `UnknownProfile`, `LastAdmin`, or `OwnAccount` to a user who has it.
    async fn change_rights(&self, profile: ProfileName, rights: Rights, by: Granter) -> Result<(), StoreError>;

    /// Removes a profile that nobody has. Refuses with `UnknownProfile` or `ProfileInUse`.
    async fn remove_profile(&self, profile: ProfileName, by: Granter) -> Result<(), StoreError>;

    /// Every user by name.
    async fn users(&self) -> Result<Vec<UserInfo>, StoreError>;

    /// Where links lead, as the last `serve` said.
    async fn link_settings(&self) -> Result<Option<LinkSettings>, StoreError>;

    async fn keep_link_settings(&self, settings: LinkSettings) -> Result<(), StoreError>;

    /// Reads everything at one moment of the database and proves its invariants.
    async fn check(&self) -> Result<CheckReport, StoreError>;

    /// Answers if the database does.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Waits until what was begun is done, and closes the database. Calls that come later get a fault.
    async fn close(&self);
}

/// Where links lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    pub base: LinkBase,
    pub network: Option<Network>,
}

/// A page of a preview: those that come after a passport, at most so many.
#[derive(Clone, Copy, Debug)]
pub struct PreviewPage {
    /// The last passport of the page before.
    pub after: Option<PassportId>,
    pub limit: usize,
}

/// Which passports are exported.
#[derive(Clone, Debug)]
pub struct ExportFilter {
    /// None means every tag.
    pub selector: Option<Selector>,
    /// None means every state.
    pub state: Option<StateName>,
    /// The moment at which holds are judged.
    pub now: Timestamp,
}

/// A passport as it is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    pub passport: PassportId,
    pub state: State,
    pub tags: Tags,
    pub content: Content,
}
