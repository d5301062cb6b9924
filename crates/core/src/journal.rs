//! The journal's words: what happened to a passport, and in which state that left it.

use std::fmt;

use crate::StateName;

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal => $leaves:expr,)*) => {
        /// A change of one passport, as the journal's column `kind` names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Event { $($(#[$doc])* $variant,)* }

        impl Event {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The state that the event leaves behind; none if it changes no state.
            pub const fn leaves(self) -> Option<StateName> {
                match self { $(Self::$variant => $leaves,)* }
            }
        }
    };
}

events! {
    /// Made here.
    Created = "created" => Some(StateName::Available),
    /// Came from elsewhere.
    Imported = "imported" => Some(StateName::Available),
    Reserved = "reserved" => Some(StateName::Reserved),
    /// Shown to a robot, which changes nothing.
    Previewed = "previewed" => None,
    Scanned = "scanned" => Some(StateName::Scanned),
    Claimed = "claimed" => Some(StateName::Claimed),
    Transferred = "transferred" => Some(StateName::Pending),
    /// Given another link, on the brand's wish.
    Relinked = "relinked" => Some(StateName::Reserved),
    Airdropped = "airdropped" => Some(StateName::Pending),
    Settled = "settled" => Some(StateName::Claimed),
    Failed = "failed" => Some(StateName::Scanned),
    Reset = "reset" => Some(StateName::Available),
    /// The hold's time was over.
    Ended = "ended" => Some(StateName::Available),
    Recovered = "recovered" => Some(StateName::Recovered),
    Withdrawn = "withdrawn" => Some(StateName::Withdrawn),
    Retagged = "retagged" => None,
    /// Given another content.
    Edited = "edited" => None,
    /// Its link was shown to a user, which changes nothing.
    Shown = "shown" => None,
    /// Its hold was given another end.
    Extended = "extended" => None,
    /// A reset was taken back: it is reserved again, under the link that it had.
    RestoredReserved = "restored" => Some(StateName::Reserved),
    /// The same, for a passport that somebody had opened.
    RestoredScanned = "restored-scanned" => Some(StateName::Scanned),
    /// The same, for a passport that the brand had taken back from its owner.
    RestoredRecovered = "restored-recovered" => Some(StateName::Recovered),
}

impl Event {
    /// True if it is a change, and not just somebody's look: what a preview, an undo and an `If-Match` are about.
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::Previewed | Self::Shown)
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == text)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_is_written() {
        for event in Event::ALL {
            assert_eq!(Event::parse(event.as_str()), Some(*event));
        }
        assert_eq!(Event::parse("lost"), None);
    }
}
