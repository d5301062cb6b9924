//! Proofs: what somebody shows to be let in to a passport.

use std::fmt;

use crate::{HandOutNumber, LinkKey, Passphrase, PassportId, Secret, UnsealError, WalletAddress};

/// What was shown.
#[derive(Clone, Debug)]
pub enum Shown {
    /// The link itself.
    Passphrase(Passphrase),
    /// Who signed a message: the key that a passphrase is, or a wallet.
    Signer(WalletAddress),
    /// A wallet that has proven elsewhere to be itself. It opens what it owns, and no link.
    Owner(WalletAddress),
}

/// What was shown, and the secret that it takes to judge it.
#[derive(Clone)]
pub struct Proof {
    shown: Shown,
    secret: Secret,
}

impl Proof {
    pub const fn new(shown: Shown, secret: Secret) -> Self {
        Self { shown, secret }
    }

    /// True if this opens the link that has this key.
    pub fn opens(&self, passport: PassportId, key: &LinkKey) -> Result<bool, UnsealError> {
        let passphrase = self.secret.passphrase_in_even_time(passport, key)?;
        Ok(match &self.shown {
            Shown::Passphrase(shown) => *shown == passphrase,
            Shown::Signer(signer) => passphrase.addresses().any(|address| address == *signer),
            Shown::Owner(_) => false,
        })
    }

    /// Takes the time that [`Proof::opens`] takes, for a passport that has no link: how long an answer took must not
    /// tell which links exist.
    pub fn opens_nothing(&self, passport: PassportId) {
        _ = std::hint::black_box(self.opens(passport, &LinkKey::Derived(HandOutNumber::new(0), self.secret.id())));
    }

    /// True if it was shown by whoever owns what this wallet owns.
    pub fn is_of(&self, owner: WalletAddress) -> bool {
        match self.shown {
            Shown::Passphrase(_) => false,
            Shown::Signer(wallet) | Shown::Owner(wallet) => wallet == owner,
        }
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wallet(byte: u8) -> WalletAddress {
        WalletAddress::from_bytes([byte; 20])
    }

    #[test]
    fn a_passphrase_opens_its_link_alone() {
        let secret = Secret::new([7; 32]);
        let (passport, key) = (PassportId::new(5).unwrap(), LinkKey::Derived(HandOutNumber::new(1), secret.id()));
        let right = secret.passphrase(passport, &key).unwrap();
        let check = |shown: Shown, expected: bool| {
            assert_eq!(Proof::new(shown, secret.clone()).opens(passport, &key), Ok(expected));
        };
        let signer = right.addresses().next().unwrap();
        check(Shown::Passphrase(right), true);
        check(Shown::Passphrase(Passphrase::parse("sesame").unwrap()), false);
        check(Shown::Signer(signer), true);
        check(Shown::Signer(wallet(1)), false);
        check(Shown::Owner(signer), false);
    }

    #[test]
    fn an_owner_is_who_signed_or_is_known_to_be_it() {
        let check = |shown: Shown, expected: bool| {
            assert_eq!(Proof::new(shown, Secret::new([7; 32])).is_of(wallet(1)), expected);
        };
        check(Shown::Passphrase(Passphrase::parse("sesame").unwrap()), false);
        check(Shown::Signer(wallet(1)), true);
        check(Shown::Owner(wallet(1)), true);
        check(Shown::Owner(wallet(2)), false);
    }
}
