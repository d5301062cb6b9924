//! The verbs of the shop.

use async_trait::async_trait;
use passpool_core::{
    ApiKeyDigest, Caller, Content, HandedOut, Kiosk, KioskName, LinkBase, Network, PassportId, Reservation, Reserve,
    Selector, State, StateName, Tags, Timestamp, UserName, WholeSeconds,
};

use crate::{
    Airdrop, CheckReport, Claim, Create, Given, ImportBatch, ImportId, ImportTerms, KioskInfo, NewKey, NewUser,
    OfPassport, Opened, Opening, PoolCounts, Relink, Reset, Resettable, StoreError, TagFilter, Transfer, UserInfo,
    Visit,
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
    /// Refuses with `PoolShort`, `Count`, `EndInThePast`, `KeyReused`, `ReservationOver` or `StillRunning`.
    async fn reserve(&self, wish: Reserve) -> Result<Reservation, StoreError>;

    /// Gives passports back to the pool and answers how many. Their links are dead.
    ///
    /// By tags it works in slices of a few thousand, so that nobody waits long; a fault in the middle leaves whole
    /// slices done. By name it is one transaction: refuses with `UnknownPassport`, or `WrongState` about
    /// the passport.
    async fn reset(&self, wish: Reset) -> Result<u64, StoreError>;

    /// The passports that the same reset would give back at this moment, in order of creation, one page at a time.
    async fn preview_reset(&self, wish: Reset, page: PreviewPage) -> Result<Vec<Resettable>, StoreError>;

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

    /// Who has this key, if anybody has.
    async fn caller(&self, key: ApiKeyDigest) -> Result<Option<Caller>, StoreError>;

    /// Adds a user with a key. Refuses with `UserExists`.
    async fn add_user(&self, user: NewUser) -> Result<(), StoreError>;

    /// Gives a user a key in the place of the old one, which is dead from then on. Refuses with `UnknownUser`.
    async fn renew_key(&self, user: UserName, key: NewKey) -> Result<(), StoreError>;

    /// Removes a user and its keys. Refuses with `UnknownUser` or `LastAdmin`.
    async fn remove_user(&self, user: UserName) -> Result<(), StoreError>;

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
