//! Openings: somebody looks at a passport by its link.

use passpool_core::{Content, PassportId, Proof, State, Timestamp};

/// A wish to see a passport.
#[derive(Clone, Debug)]
pub struct Opening {
    pub passport: PassportId,
    pub proof: Proof,
    pub visitor: Visitor,
    pub now: Timestamp,
}

/// Who looks. Only a person's look is a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    Person,
    /// A link preview, a mail scanner, a browser that fetches ahead: it sees the passport and changes nothing.
    Robot,
}

/// A passport as whoever opened it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub passport: PassportId,
    /// After the opening.
    pub state: State,
    pub content: Content,
}
