//! Resets: passports given back to the pool.

use passpool_core::{Actor, PassportId, Selector, StateName, Timestamp};

/// A wish to give passports back. Their links are dead from then on.
#[derive(Clone, Debug)]
pub struct Reset {
    pub scope: ResetScope,
    pub by: Actor,
    pub now: Timestamp,
}

/// Which passports are meant.
#[derive(Clone, Debug)]
pub enum ResetScope {
    /// Those that match, of the reserved and scanned ones. Everything else is left alone.
    Matching {
        /// None means every tag.
        selector: Option<Selector>,
        /// None means both.
        state: Option<HeldState>,
        /// Only those that were handed out before this moment.
        handed_out_before: Option<Timestamp>,
    },
    /// These, all of them or none: one that cannot be reset is a refusal. A recovered one can, by its name alone.
    Named(Vec<PassportId>),
}

/// The states that a reset by tags gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldState {
    Reserved,
    Scanned,
}

impl HeldState {
    pub const fn name(self) -> StateName {
        match self {
            Self::Reserved => StateName::Reserved,
            Self::Scanned => StateName::Scanned,
        }
    }
}

/// A passport that a reset would give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resettable {
    pub passport: PassportId,
    pub state: StateName,
    /// None for a recovered one: nobody holds it.
    pub handed_out_at: Option<Timestamp>,
}
