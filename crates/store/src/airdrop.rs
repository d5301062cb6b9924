//! Airdrops: the brand puts passports into wallets that did not ask.

use passpool_core::{Reserve, WalletAddress};

/// A wish to give one passport to each of these wallets, or none to any.
#[derive(Clone, Debug)]
pub struct Airdrop {
    /// Which passports, and how the call is repeated. Its count is that of the recipients, and it has no end.
    pub wish: Reserve,
    pub recipients: Vec<WalletAddress>,
}
