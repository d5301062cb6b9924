//! What passports, links, secrets and rights are, and what may become of them.
//!
//! This crate does no I/O, knows no database and no HTTP, and reads neither a clock nor a source of randomness: time,
//! ids and random bytes come in as arguments. Every rule of the shop that can be judged without looking anything up
//! is written here, once; the stores and the server only carry it out.

mod access_token;
mod actor;
mod api_key;
mod claim_message;
mod content;
mod idempotency;
mod imprint;
mod journal;
mod kiosk;
mod link;
mod named_id;
mod passphrase;
mod passport;
mod proof;
mod recipient;
mod refusal;
mod reservation;
mod right;
mod secret;
mod selector;
mod signature;
mod state;
mod tag;
mod time;
mod user;
mod wallet;

pub use access_token::{AccessToken, AccessTokenError, Scope};
pub use actor::{Actor, UnknownActor};
pub use api_key::{ApiKey, ApiKeyDigest, ApiKeyError};
pub use claim_message::ClaimMessage;
pub use content::{Content, ContentError};
pub use idempotency::{IdempotencyKey, IdempotencyKeyError, ParameterDigest, Repeat, RepeatDigest};
pub use imprint::{CertificateSchema, Imprint, ImprintError};
pub use journal::Event;
pub use kiosk::{Hours, Kiosk, KioskId, KioskName, KioskNameError, KioskVisitor};
pub use link::{Link, LinkBase, LinkBaseError, LinkError, Network, NetworkError};
pub use named_id::{NamedIdError, PreviewId, RecipientId, ReservationId, ResetId};
pub use passphrase::{Passphrase, PassphraseError};
pub use passport::{NewPassport, PassportId, PassportIdError};
pub use proof::{Proof, Shown};
pub use recipient::{
    KeptRecipient, NewRecipients, Personal, Recipient, RecipientError, Recipients, RecipientsError, Reference,
};
pub use refusal::{Refusal, Untransferable};
pub use reservation::{HandedOut, Kept, Note, NoteError, Reservation, Reserve, Shortage};
pub use right::{Right, Rights, UnknownRight};
pub use secret::{
    Fingerprint, HandOutNumber, HandOutSeed, LinkKey, Purpose, SealedPassphrase, Secret, SecretError, SecretId, Signed,
    UnsealError,
};
pub use selector::{Rule, RuleError, Selector, SelectorError};
pub use signature::{Signature, SignatureError};
pub use state::{Code, HandOut, State, StateName, Terms, UnknownState};
pub use tag::{Tag, TagError, Tags, TagsError};
pub use time::{SpanError, Timestamp, WholeSeconds};
pub use user::{Caller, Granter, ProfileName, ProfileNameError, UserName, UserNameError};
pub use wallet::{WalletAddress, WalletAddressError};
