//! Failures: what counts against an address that guesses.

/// Says of an answer how often the visitor had guessed wrong: a link that is dead, a signature that is not the owner's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed(pub(super) u32);
