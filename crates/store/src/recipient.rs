//! Recipients as they are kept, until they are erased.

use passpool_core::{KeptRecipient, PassportId, RecipientId, Reference, ReservationId, Timestamp};

/// What a list of recipients shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientInfo {
    pub recipient: KeptRecipient,
    pub reservation: ReservationId,
    pub passport: PassportId,
    /// When the passport left the shop: it was claimed, withdrawn or given back. None while it may still be claimed.
    pub left_at: Option<Timestamp>,
}

/// A page of recipients in the order of their making.
#[derive(Clone, Debug)]
pub struct RecipientPage {
    /// Only those with this reference.
    pub reference: Option<Reference>,
    /// The last recipient of the page before.
    pub after: Option<RecipientId>,
    pub limit: usize,
}
