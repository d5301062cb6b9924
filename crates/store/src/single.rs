//! What the brand does to one passport that it names.

use passpool_core::{Actor, HandOutSeed, PassportId, SealedPassphrase, Timestamp};

/// A wish about one passport.
#[derive(Clone, Debug)]
pub struct OfPassport {
    pub passport: PassportId,
    pub by: Actor,
    pub now: Timestamp,
}

/// A wish to give a passport a link, or another one.
#[derive(Clone, Debug)]
pub struct Relink {
    pub passport: PassportId,
    /// The passphrase that the brand chose; without one it is derived.
    pub passphrase: Option<SealedPassphrase>,
    pub seed: HandOutSeed,
    pub by: Actor,
    pub now: Timestamp,
}
