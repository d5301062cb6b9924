//! Actors: who changed a passport, as the journal tells it.

use std::{fmt, str::FromStr};

use crate::{UserName, UserNameError, WalletAddress};

/// Who did it. A journal row holds this and never a key, an address or a person's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A user, by an API key.
    User(UserName),
    /// Somebody with the database at hand, by the command line.
    CommandLine,
    /// Somebody with a link, or at a kiosk.
    Visitor,
    /// A wallet that claimed for itself.
    Wallet(WalletAddress),
    /// Passpool itself: a hold that ended, a transfer that was settled.
    Clock,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::CommandLine => f.write_str("cli"),
            Self::Visitor => f.write_str("visitor"),
            Self::Wallet(address) => write!(f, "wallet:{address}"),
            Self::Clock => f.write_str("clock"),
        }
    }
}

impl FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownActor(text.to_owned());
        match text.split_once(':') {
            None if text == "cli" => Ok(Self::CommandLine),
            None if text == "clock" => Ok(Self::Clock),
            None if text == "visitor" => Ok(Self::Visitor),
            Some(("user", name)) => UserName::parse(name).map(Self::User).map_err(|UserNameError { .. }| unknown()),
            Some(("wallet", address)) => WalletAddress::parse(address).map(Self::Wallet).map_err(|_| unknown()),
            _ => Err(unknown()),
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
        let (crm, wallet) = (UserName::parse("crm").unwrap(), WalletAddress::from_bytes([0xab; 20]));
        for actor in [Actor::User(crm), Actor::CommandLine, Actor::Visitor, Actor::Wallet(wallet), Actor::Clock] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        assert_eq!("crm".parse::<Actor>(), Err(UnknownActor("crm".into())));
        assert_eq!("wallet:0xab".parse::<Actor>(), Err(UnknownActor("wallet:0xab".into())));
        assert_eq!("user:".parse::<Actor>(), Err(UnknownActor("user:".into())));
    }
}
