//! Resets: passports given back to the pool.

use passpool_core::{
    Actor, PassportId, PreviewId, ReservationId, ResetId, Selector, State, StateName, Timestamp, WholeSeconds,
};

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
    Matching(Matching),
    /// These, all of them or none: one that cannot be reset is a refusal. A recovered one can, by its name alone.
    Named(Vec<PassportId>),
}

/// Conditions, all of which have to hold. Without any, everything that is reserved or scanned is meant.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    /// None means every tag.
    pub selector: Option<Selector>,
    /// None means both.
    pub state: Option<HeldState>,
    /// Only those that were handed out before this moment.
    pub handed_out_before: Option<Timestamp>,
    /// Only those that this reservation has.
    pub reservation: Option<ReservationId>,
    /// At most so many, in order of creation.
    pub limit: Option<u64>,
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

impl Resettable {
    /// A passport as it counts at this moment, when a hold of which the time is over has ended.
    pub(crate) fn of(passport: PassportId, stored: &State, now: Timestamp) -> Self {
        let state = stored.clone().as_of(now);
        let handed_out_at = match &state {
            State::Reserved(hand_out) | State::Scanned(hand_out) => Some(hand_out.at),
            _ => None,
        };
        Self { passport, state: state.name(), handed_out_at }
    }
}

/// A wish to look first: which passports a reset would give back, remembered as they are.
#[derive(Clone, Debug)]
pub struct Preview {
    pub id: PreviewId,
    pub scope: ResetScope,
    pub now: Timestamp,
}

/// What was found by looking first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previewed {
    /// How many there are.
    pub count: u64,
    /// The first of them, in order of creation.
    pub first: Vec<Resettable>,
}

impl Preview {
    /// How long a preview is good for, in seconds.
    pub const GOOD_FOR: u64 = 15 * 60;

    pub(crate) fn good_for() -> WholeSeconds {
        WholeSeconds::new(Self::GOOD_FOR).expect("15 minutes are a span")
    }
}

/// A wish to give passports back in such a way that it can be undone for 24 hours.
#[derive(Clone, Debug)]
pub struct KeptReset {
    pub id: ResetId,
    pub of: ResetOf,
    pub by: Actor,
    pub now: Timestamp,
}

impl KeptReset {
    /// How long a reset can be undone, in seconds.
    pub const UNDO_WITHIN: u64 = 24 * 3_600;

    pub(crate) fn undo_within() -> WholeSeconds {
        WholeSeconds::new(Self::UNDO_WITHIN).expect("24 hours are a span")
    }
}

/// What is reset.
#[derive(Clone, Debug)]
pub enum ResetOf {
    Scope(ResetScope),
    /// What was previewed, as far as nothing happened to it since.
    Preview(PreviewId),
}

/// What a reset did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetDone {
    /// How many were given back.
    pub count: u64,
    /// How many were previewed and are left alone, because something happened to them since. Zero without a preview.
    pub changed_since: u64,
}

/// A wish to take a reset back.
#[derive(Clone, Debug)]
pub struct UndoReset {
    pub id: ResetId,
    pub by: Actor,
    pub now: Timestamp,
}

/// What an undo did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetUndone {
    /// How many have their state, link, reservation and hold again.
    pub count: u64,
    /// How many stay as they are: something happened to them since, or their hold has ended.
    pub others: u64,
}
