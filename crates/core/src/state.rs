//! The life of a passport: its states, and every step from one to the next.
//!
//! Each step takes the state and the moment and gives the next state or a [`Refusal`]. No store and no handler decides
//! anything on its own. Holds are judged here: from `until` on a passport counts as not held, whether or not anybody
//! came by to write that down.

use std::fmt;

use crate::{
    HandOutNumber, KioskId, LinkKey, Refusal, ReservationId, SealedPassphrase, SecretId, Timestamp, Untransferable,
    WalletAddress, WholeSeconds,
};

/// What a passport is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// In the pool. It has no link that could leak, unless its code came from elsewhere.
    Available(Code),
    /// Handed out: somebody has the link.
    Reserved(HandOut),
    /// Handed out, and a person opened the link or a wallet read the content.
    Scanned(HandOut),
    /// On its way to a wallet, and failed from `settle_by` on.
    Pending { hand_out: HandOut, to: WalletAddress, settle_by: Timestamp },
    /// A wallet owns it.
    Claimed { hand_out: HandOut, owner: WalletAddress },
    /// The brand took it back. Its old link and signatures are dead.
    Recovered,
    /// The end. Its id stays used.
    Withdrawn,
}

/// The code under which an available passport can be opened, if there is one: an imported passphrase, which its first
/// hand-out uses up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    None,
    /// Known to another issuer, and used for the first hand-out.
    Imported(SealedPassphrase, SecretId),
    /// Printed on something already: nobody else gets it, and whoever opens it takes it out of the pool.
    Printed(SealedPassphrase, SecretId),
}

/// What makes one link good: it lives as long as this does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOut {
    pub key: LinkKey,
    pub at: Timestamp,
    /// When the hold ends by itself, if it does. Opening the link does not lengthen it.
    pub until: Option<Timestamp>,
    pub reservation: Option<ReservationId>,
    /// The kiosk that gave it, if one did.
    pub kiosk: Option<KioskId>,
}

impl HandOut {
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

/// How a passport is handed out. The key follows from it and from the passport's own code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub number: HandOutNumber,
    pub secret: SecretId,
    pub at: Timestamp,
    pub until: Option<Timestamp>,
    pub reservation: Option<ReservationId>,
    pub kiosk: Option<KioskId>,
}

/// The same by name alone, as counts, filters and the journal use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateName {
    Available,
    Reserved,
    Scanned,
    Pending,
    Claimed,
    Recovered,
    Withdrawn,
}

impl StateName {
    pub const ALL: [Self; 7] = [
        Self::Available,
        Self::Reserved,
        Self::Scanned,
        Self::Pending,
        Self::Claimed,
        Self::Recovered,
        Self::Withdrawn,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Reserved => "reserved",
            Self::Scanned => "scanned",
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Recovered => "recovered",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub fn parse(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no state: available, reserved, scanned, pending, claimed, recovered or withdrawn")]
pub struct UnknownState(String);

impl State {
    /// How long the queue may take to settle a transfer, in seconds.
    pub const SETTLE_WITHIN: u64 = 15 * 60;

    pub const fn name(&self) -> StateName {
        match self {
            Self::Available(_) => StateName::Available,
            Self::Reserved(_) => StateName::Reserved,
            Self::Scanned(_) => StateName::Scanned,
            Self::Pending { .. } => StateName::Pending,
            Self::Claimed { .. } => StateName::Claimed,
            Self::Recovered => StateName::Recovered,
            Self::Withdrawn => StateName::Withdrawn,
        }
    }

    /// When a transfer that is begun at this moment has failed, unless it is settled before.
    pub fn settle_by(now: Timestamp) -> Timestamp {
        settle_by(now)
    }

    /// The state that counts at this moment: a hold that has ended holds nothing, and a transfer that was not settled
    /// in time has failed.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        match self {
            Self::Pending { hand_out, settle_by, .. } if now >= settle_by => Self::Scanned(hand_out).as_of(now),
            Self::Reserved(hand_out) | Self::Scanned(hand_out) if hand_out.has_ended(now) => {
                Self::Available(Code::None)
            }
            other => other,
        }
    }

    /// Available to reserved. A passport whose code is printed is passed over.
    pub fn reserve(self, terms: Terms) -> Result<Self, Refusal> {
        match self.as_of(terms.at) {
            Self::Available(Code::Printed(..)) => Err(Refusal::Printed),
            Self::Available(code) => Ok(Self::Reserved(terms.hand_out(code))),
            other => Err(other.refuse("reserved")),
        }
    }

    /// Available by its own code, or reserved, to scanned. Opening a scanned passport again changes nothing.
    pub fn open(self, now: Timestamp) -> Result<Self, Refusal> {
        self.opened_by_its_link(now).map(Self::Scanned)
    }

    /// To claimed, by whoever proved to know the link. The owner it already has may claim again.
    pub fn claim(self, owner: WalletAddress, now: Timestamp) -> Result<Self, Refusal> {
        match self {
            Self::Claimed { owner: known, .. } if known == owner => Ok(self),
            other => other.opened_by_its_link(now).map(|hand_out| Self::Claimed { hand_out, owner }),
        }
    }

    /// To pending, by whoever proved to know the link.
    pub fn transfer(self, to: WalletAddress, now: Timestamp) -> Result<Self, Refusal> {
        self.opened_by_its_link(now).map(|hand_out| Self::Pending { hand_out, to, settle_by: settle_by(now) })
    }

    /// The key of the link by which the brand may transfer the passport to this wallet, or why it may not: in the order
    /// in which the NMP's clients expect to be told (contract, section 1.5).
    pub fn transferable(self, to: WalletAddress, now: Timestamp) -> Result<LinkKey, Untransferable> {
        match self.as_of(now) {
            Self::Withdrawn => Err(Untransferable::Unknown),
            Self::Claimed { owner, .. } if owner == to => Err(Untransferable::AlreadyOwner),
            Self::Claimed { .. } => Err(Untransferable::OwnedByAnother),
            Self::Pending { .. } => Err(Untransferable::Pending),
            other => other.link_key(now).ok_or(Untransferable::NoLink),
        }
    }

    /// Available to pending, by the brand, without a link before it.
    pub fn airdrop(self, to: WalletAddress, terms: Terms) -> Result<Self, Refusal> {
        let settle_by = settle_by(terms.at);
        match self.reserve(terms)? {
            Self::Reserved(hand_out) => Ok(Self::Pending { hand_out, to, settle_by }),
            other => Err(other.refuse("airdropped")),
        }
    }

    /// Available, reserved or scanned to reserved, under a link of the brand's choice or a new one. A link that it had
    /// is dead from then on, and so are the hold and the code that came with it.
    pub fn relink(self, imported: Option<SealedPassphrase>, terms: Terms) -> Result<Self, Refusal> {
        match self.as_of(terms.at) {
            Self::Available(_) | Self::Reserved(_) | Self::Scanned(_) => {
                let code = imported.map_or(Code::None, |sealed| Code::Imported(sealed, terms.secret));
                Ok(Self::Reserved(terms.hand_out(code)))
            }
            other => Err(other.refuse("given a new link")),
        }
    }

    /// Pending to claimed, before its time is over.
    pub fn settle(self, now: Timestamp) -> Result<Self, Refusal> {
        match self.as_of(now) {
            Self::Pending { hand_out, to, .. } => Ok(Self::Claimed { hand_out, owner: to }),
            other => Err(other.refuse("settled")),
        }
    }

    /// Pending to scanned, or to available if its hold ended meanwhile.
    pub fn fail(self, now: Timestamp) -> Result<Self, Refusal> {
        match self {
            Self::Pending { hand_out, .. } => Ok(Self::Scanned(hand_out).as_of(now)),
            other => Err(other.refuse("failed")),
        }
    }

    /// Reserved or scanned to available; the link is dead from then on.
    pub fn reset(self, now: Timestamp) -> Result<Self, Refusal> {
        match self.as_of(now) {
            Self::Reserved(_) | Self::Scanned(_) => Ok(Self::Available(Code::None)),
            other => Err(other.refuse("reset")),
        }
    }

    /// A reset that names the passport, which also gives a recovered one back to the pool.
    pub fn reset_by_name(self, now: Timestamp) -> Result<Self, Refusal> {
        match self {
            Self::Recovered => Ok(Self::Available(Code::None)),
            other => other.reset(now),
        }
    }

    /// Reserved or scanned to available, since the hold's time is over.
    pub fn end_hold(self, now: Timestamp) -> Result<Self, Refusal> {
        match self {
            Self::Reserved(hand_out) | Self::Scanned(hand_out) if hand_out.has_ended(now) => {
                Ok(Self::Available(Code::None))
            }
            other => Err(other.refuse("ended")),
        }
    }

    /// Reserved or scanned to the same, with another end of its hold.
    pub fn extend(self, until: Timestamp, now: Timestamp) -> Result<Self, Refusal> {
        if until <= now {
            return Err(Refusal::EndInThePast);
        }
        match self.as_of(now) {
            Self::Reserved(hand_out) => Ok(Self::Reserved(HandOut { until: Some(until), ..hand_out })),
            Self::Scanned(hand_out) => Ok(Self::Scanned(HandOut { until: Some(until), ..hand_out })),
            other => Err(other.refuse("extended")),
        }
    }

    /// Available to what it was before a reset, as long as nothing else happened to it. A hold that has ended meanwhile
    /// stays ended.
    pub fn undo_reset(self, before: Self, now: Timestamp) -> Result<Self, Refusal> {
        match (self, before.as_of(now)) {
            (Self::Available(Code::None), before @ (Self::Reserved(_) | Self::Scanned(_) | Self::Recovered)) => {
                Ok(before)
            }
            (other, _) => Err(other.refuse("given its link again")),
        }
    }

    /// Claimed to recovered.
    pub fn recover(self) -> Result<Self, Refusal> {
        match self {
            Self::Claimed { .. } => Ok(Self::Recovered),
            other => Err(other.refuse("recovered")),
        }
    }

    /// To withdrawn, from every state in which nobody owns the passport or is about to.
    pub fn withdraw(self, now: Timestamp) -> Result<Self, Refusal> {
        match self.as_of(now) {
            Self::Available(_) | Self::Reserved(_) | Self::Scanned(_) | Self::Recovered => Ok(Self::Withdrawn),
            other => Err(other.refuse("withdrawn")),
        }
    }

    /// Tags may change in every state but the last.
    pub fn retag(self) -> Result<Self, Refusal> {
        match self {
            Self::Withdrawn => Err(self.refuse("retagged")),
            other => Ok(other),
        }
    }

    /// The key of the link that opens the passport at this moment, if there is one. It is another after each reset.
    pub fn link_key(&self, now: Timestamp) -> Option<LinkKey> {
        self.clone().opened_by_its_link(now).ok().map(|hand_out| hand_out.key)
    }

    /// What was handed out last, while somebody has it.
    pub const fn hand_out(&self) -> Option<&HandOut> {
        match self {
            Self::Reserved(hand_out)
            | Self::Scanned(hand_out)
            | Self::Pending { hand_out, .. }
            | Self::Claimed { hand_out, .. } => Some(hand_out),
            Self::Available(_) | Self::Recovered | Self::Withdrawn => None,
        }
    }

    /// The wallet that owns the passport, or is about to.
    pub const fn owner(&self) -> Option<WalletAddress> {
        match self {
            Self::Pending { to: wallet, .. } | Self::Claimed { owner: wallet, .. } => Some(*wallet),
            _ => None,
        }
    }

    /// When the transfer was begun, if one runs.
    pub fn transferred_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending { settle_by, .. } => Some(settle_by.minus(settle_within())),
            _ => None,
        }
    }

    /// The hand-out whose link is good at this moment. For an available passport with a code that is a new one, made by
    /// whoever uses the code.
    fn opened_by_its_link(self, now: Timestamp) -> Result<HandOut, Refusal> {
        match self.as_of(now) {
            Self::Available(Code::Imported(sealed, secret) | Code::Printed(sealed, secret)) => {
                let key = LinkKey::Imported(sealed, secret);
                Ok(HandOut { key, at: now, until: None, reservation: None, kiosk: None })
            }
            Self::Reserved(hand_out) | Self::Scanned(hand_out) => Ok(hand_out),
            _ => Err(Refusal::LinkDead),
        }
    }

    fn refuse(&self, wanted: &'static str) -> Refusal {
        Refusal::WrongState { from: self.name(), wanted }
    }
}

impl Terms {
    fn hand_out(self, code: Code) -> HandOut {
        let Self { number, secret, at, until, reservation, kiosk } = self;
        let key = match code {
            Code::None => LinkKey::Derived(number, secret),
            // It stays sealed under the secret that was in force when it was imported.
            Code::Imported(sealed, secret) | Code::Printed(sealed, secret) => LinkKey::Imported(sealed, secret),
        };
        HandOut { key, at, until, reservation, kiosk }
    }
}

fn settle_by(now: Timestamp) -> Timestamp {
    now.plus(settle_within())
}

fn settle_within() -> WholeSeconds {
    WholeSeconds::new(State::SETTLE_WITHIN).expect("15 minutes are a span")
}
