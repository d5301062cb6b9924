//! One trait for what the shop does, and the databases behind it.
//!
//! A store operation is a verb of the shop, not of a table: one call, one transaction, one thing to retry. Its answer
//! leaves after the commit is durable. What a passport may become is decided in `passpool-core`; a store finds the
//! passports, guards each change in its statement, and writes the journal in the same transaction.

mod airdrop;
mod check;
mod claim;
mod copy;
mod count;
mod error;
mod import;
mod kiosk;
mod open;
mod opening;
mod passport;
pub mod postgres;
mod recipient;
mod reservation;
mod reset;
mod single;
pub mod sqlite;
mod store;
mod user;
mod whereabouts;

pub use airdrop::Airdrop;
pub use check::{CheckReport, Finding};
pub use claim::{Claim, Transfer};
pub use copy::{Copied, Copy, CopyError, Stage, Watch, copy, reopen};
pub use count::{PoolCounts, PoolPage, StateCounts, TagFilter};
pub use error::{Fault, OpenError, StoreError};
pub use import::{Create, ImportBatch, ImportId, ImportTerms};
pub use kiosk::{AddressDigest, Door, Given, KioskInfo, Visit};
pub use open::{DatabaseUrl, DatabaseUrlError, Found, Intent};
pub use opening::{Opened, Opening, Visitor};
pub use passport::{
    Cursor, EditPassport, EventFilter, EventPage, JournalRow, ListedPassport, Page, PassportFilter, PassportNow,
    PassportPage, Version,
};
pub use recipient::{RecipientInfo, RecipientPage};
pub use reservation::{
    Extend, LinksOf, OfReservation, ReservationInfo, ReservationNow, ReservationPage, ShowLinks, ShownLink, Touched,
};
pub use reset::{
    HeldState, KeptReset, Matching, Preview, Previewed, Reset, ResetDone, ResetOf, ResetScope, ResetUndone, Resettable,
    UndoReset,
};
pub use single::{OfPassport, Relink};
pub use store::{ExportFilter, Exported, LinkSettings, PreviewPage, Store};
pub use user::{KeyInfo, KeyUse, NewKey, NewUser, ProfileInfo, ProfileOf, RenewKey, UserInfo};
pub use whereabouts::CopyId;
