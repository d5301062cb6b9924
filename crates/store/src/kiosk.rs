//! Kiosks as a store keeps them, and who comes to them.

use std::fmt;

use passpool_core::{HandOutSeed, HandedOut, Kiosk, KioskName, KioskVisitor, Tag, Timestamp};

/// What a list of kiosks shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KioskInfo {
    pub kiosk: Kiosk,
    /// How many of its passports are held at this moment, and nobody owns them yet.
    pub held: u64,
    /// How many have an owner, or are on their way to one.
    pub claimed: u64,
}

/// Somebody comes to a kiosk for a passport.
#[derive(Clone, Debug)]
pub struct Visit {
    pub door: Door,
    pub visitor: KioskVisitor,
    pub address: AddressDigest,
    /// How many passports that nobody has claimed one address may hold, of all kiosks together.
    pub held_at_most: u32,
    pub seed: HandOutSeed,
    /// Whether the answer is to hold the passport's content.
    pub with_content: bool,
    pub now: Timestamp,
}

/// How a visitor names the kiosk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    Name(KioskName),
    /// Any open kiosk that names this tag.
    Tag(Tag),
}

/// What a visitor of a kiosk is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A passport to claim until then: a new one, or the one that this visitor holds already.
    Held { passport: HandedOut, until: Option<Timestamp> },
    /// The one that this visitor has claimed already: there is no other.
    Owned(HandedOut),
}

/// A keyed hash of a network address: whoever reads the database does not learn who came.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressDigest([u8; 16]);

impl AddressDigest {
    pub const fn new(digest: [u8; 16]) -> Self {
        Self(digest)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for AddressDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressDigest")
    }
}
