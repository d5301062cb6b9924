//! Claims and transfers: a passport becomes a wallet's.

use passpool_core::{Actor, PassportId, Proof, Timestamp, WalletAddress};

/// A wish to own a passport, by whoever knows its link.
#[derive(Clone, Debug)]
pub struct Claim {
    pub passport: PassportId,
    pub proof: Proof,
    pub owner: WalletAddress,
    pub now: Timestamp,
}

/// A wish of the brand to give a passport to a wallet, by a link that it knows.
#[derive(Clone, Debug)]
pub struct Transfer {
    pub passport: PassportId,
    pub proof: Proof,
    pub to: WalletAddress,
    pub by: Actor,
    pub now: Timestamp,
}
