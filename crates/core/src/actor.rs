//! Actors: who changed a passport, as the journal tells it.

use std::{fmt, str::FromStr};

use crate::{UserName, UserNameError};

/// Who did it. A journal row holds this and never a key, an address or a person's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A user, by an API key.
    User(UserName),
    /// Somebody with the database at hand, by the command line.
    CommandLine,
    /// Passpool itself: a hold that ended.
    Clock,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::CommandLine => f.write_str("cli"),
            Self::Clock => f.write_str("clock"),
        }
    }
}

impl FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cli" => Ok(Self::CommandLine),
            "clock" => Ok(Self::Clock),
            _ => match text.strip_prefix("user:").map(UserName::parse) {
                Some(Ok(name)) => Ok(Self::User(name)),
                Some(Err(UserNameError { .. })) | None => Err(UnknownActor(text.to_owned())),
            },
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no actor")]
pub struct UnknownActor(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_read_as_it_is_written() {
        for actor in [Actor::User(UserName::parse("crm").unwrap()), Actor::CommandLine, Actor::Clock] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        assert_eq!("crm".parse::<Actor>(), Err(UnknownActor("crm".into())));
        assert_eq!("user:".parse::<Actor>(), Err(UnknownActor("user:".into())));
    }
}
