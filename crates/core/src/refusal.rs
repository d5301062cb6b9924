//! Refusals: what the shop will not do, told to the caller under a stable code.

use crate::{
    KioskName, PassportId, PreviewId, ProfileName, RecipientId, ReservationId, ResetId, Right, StateName, Timestamp,
    UserName,
};

/// News for the caller. Nothing was changed, and the same call may succeed at another time or with other words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not enough passports match: `available` of them do.
    #[error("{available} passports are available, fewer than were asked for")]
    PoolShort { available: u64 },
    /// The link was reset, has ended, was claimed or never was: whoever asks is not told which.
    #[error("this link opens nothing")]
    LinkDead,
    /// The brand asked for a transfer that cannot be.
    #[error(transparent)]
    Untransferable(Untransferable),
    /// This wallet has claimed as many passports of the kiosk as one may.
    #[error("this wallet has its passport of this kiosk")]
    WalletServed,
    #[error("there is no kiosk {0}")]
    UnknownKiosk(KioskName),
    #[error("the kiosk {0} exists already")]
    KioskExists(KioskName),
    /// No open kiosk gives what was asked for.
    #[error("no open kiosk gives this")]
    NoKiosk,
    #[error("the kiosk is not open yet")]
    KioskNotYetOpen { opens: Timestamp },
    #[error("the kiosk is closed")]
    KioskClosed,
    /// One address holds as many passports that nobody has claimed as it may.
    #[error("too many passports are held from this address")]
    TooManyHeld,
    #[error("a passport that is {from} cannot be {wanted}")]
    WrongState { from: StateName, wanted: &'static str },
    #[error("the code of this passport is printed already")]
    Printed,
    /// Another refusal, and the one of many passports that it is about.
    #[error("passport {passport}: {refusal}")]
    About { passport: PassportId, refusal: Box<Refusal> },
    #[error("passport {0} does not exist")]
    UnknownPassport(PassportId),
    #[error("the id {0} was used before")]
    IdUsed(PassportId),
    #[error("the id {0} stands twice in this import")]
    IdDoubled(PassportId),
    #[error("a reservation needs between 1 and {max} passports, not {count}")]
    Count { count: u64, max: u64 },
    #[error("the end of a hold lies in the past")]
    EndInThePast,
    #[error("the Idempotency-Key was used before with other parameters")]
    KeyReused,
    #[error("the reservation made under this Idempotency-Key is over: a passport of it was given back")]
    ReservationOver,
    #[error("a call with this Idempotency-Key is still running")]
    StillRunning,
    #[error("the user {0} exists already")]
    UserExists(UserName),
    #[error("there is no user {0}")]
    UnknownUser(UserName),
    #[error("{0} is the last user with the right admin, and has to stay")]
    LastAdmin(UserName),
    #[error("there is no reservation {0}")]
    UnknownReservation(ReservationId),
    /// A reservation names somebody for each of its passports, or nobody.
    #[error("{count} passports are asked for, for {recipients} recipients")]
    RecipientCount { count: u64, recipients: u64 },
    #[error("there is no recipient {0}")]
    UnknownRecipient(RecipientId),
    /// It never was, or its 15 minutes are over.
    #[error("there is no preview {0}, or its 15 minutes are over")]
    UnknownPreview(PreviewId),
    /// It never was, or its 24 hours are over.
    #[error("there is no reset {0} that could be undone")]
    UnknownReset(ResetId),
    #[error("the reset {0} was undone already")]
    ResetUndone(ResetId),
    /// Somebody was faster: the passport is no longer as the caller saw it.
    #[error("the passport was changed meanwhile")]
    Changed,
    #[error("there is no profile {0}")]
    UnknownProfile(ProfileName),
    #[error("the profile {0} exists already")]
    ProfileExists(ProfileName),
    #[error("the profile {0} is in use")]
    ProfileInUse(ProfileName),
    /// Whoever changes accounts does not have a right that the account has or is to have.
    #[error("the right {0} is needed")]
    RightMissing(Right),
    /// Whoever changes accounts would change what they may themselves.
    #[error("another user with this right has to do this")]
    OwnAccount,
    #[error("there is no such key")]
    UnknownKey,
    /// Two keys of one user begin alike, so that nobody could tell them apart. Draw another.
    #[error("a key that begins like this exists already")]
    KeyExists,
    #[error("another import is running")]
    ImportRunning,
    #[error("this import is over")]
    ImportOver,
}

impl Refusal {
    /// The same, told of one passport.
    #[must_use]
    pub fn about(self, passport: PassportId) -> Self {
        Self::About { passport, refusal: Box::new(self) }
    }

    /// The name of this refusal to programs. It does not change when its sentence does.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PoolShort { .. } => "pool-short",
            Self::LinkDead => "link-dead",
            Self::Untransferable(why) => why.code(),
            Self::WalletServed => "wallet-served",
            Self::UnknownKiosk(_) => "unknown-kiosk",
            Self::KioskExists(_) => "kiosk-exists",
            Self::NoKiosk => "no-kiosk",
            Self::KioskNotYetOpen { .. } => "kiosk-not-yet-open",
            Self::KioskClosed => "kiosk-closed",
            Self::TooManyHeld => "too-many-held",
            Self::WrongState { .. } => "wrong-state",
            Self::Printed => "printed",
            Self::About { refusal, .. } => refusal.code(),
            Self::UnknownPassport(_) => "unknown-passport",
            Self::IdUsed(_) => "id-used",
            Self::IdDoubled(_) => "id-doubled",
            Self::Count { .. } => "count-out-of-range",
            Self::EndInThePast => "end-in-the-past",
            Self::KeyReused => "idempotency-key-reused",
            Self::ReservationOver => "reservation-over",
            Self::StillRunning => "still-running",
            Self::UserExists(_) => "user-exists",
            Self::UnknownUser(_) => "unknown-user",
            Self::LastAdmin(_) => "last-admin",
            Self::UnknownReservation(_) => "unknown-reservation",
            Self::RecipientCount { .. } => "recipient-count",
            Self::UnknownRecipient(_) => "unknown-recipient",
            Self::UnknownPreview(_) => "unknown-preview",
            Self::UnknownReset(_) => "unknown-reset",
            Self::ResetUndone(_) => "reset-undone",
            Self::Changed => "changed",
            Self::UnknownProfile(_) => "unknown-profile",
            Self::ProfileExists(_) => "profile-exists",
            Self::ProfileInUse(_) => "profile-in-use",
            Self::RightMissing(_) => "right-missing",
            Self::OwnAccount => "own-account",
            Self::UnknownKey => "unknown-key",
            Self::KeyExists => "key-exists",
            Self::ImportRunning => "import-running",
            Self::ImportOver => "import-over",
        }
    }
}

/// Why the brand cannot transfer a passport, in the order in which the reasons are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untransferable {
    #[error("there is no such passport")]
    Unknown,
    #[error("this wallet owns the passport already")]
    AlreadyOwner,
    #[error("another wallet owns the passport")]
    OwnedByAnother,
    #[error("a transfer of the passport is pending already")]
    Pending,
    #[error("the passport has no link")]
    NoLink,
    #[error("the passphrase is not the one of the passport's link")]
    WrongPassphrase,
}

impl Untransferable {
    const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown-passport",
            Self::AlreadyOwner => "already-owner",
            Self::OwnedByAnother => "owned-by-another",
            Self::Pending => "transfer-pending",
            Self::NoLink => "no-link",
            Self::WrongPassphrase => "wrong-passphrase",
        }
    }
}
