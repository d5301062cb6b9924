//! Passphrases: what opens a link.

use std::fmt;

use k256::ecdsa::SigningKey;
use subtle::ConstantTimeEq;

use crate::{WalletAddress, signature::address_of, wallet::read_hex};

/// The second half of a link: 1 to 32 characters of `A-Z a-z 0-9 - . _ ~ ! $ & ' ( ) * + ; = : @`, the characters that
/// stand in a URL's path unescaped, less the comma that ends a field.
///
/// To the protocol it is a private key, so nothing prints it but [`Passphrase::reveal`].
#[derive(Clone)]
pub struct Passphrase {
    bytes: [u8; Self::MAX_BYTES],
    length: u8,
}

impl Passphrase {
    /// A secp256k1 key has 32 bytes, and a passphrase is one, padded.
    pub const MAX_BYTES: usize = 32;

    pub fn parse(text: &str) -> Result<Self, PassphraseError> {
        match text.len() {
            0 => return Err(PassphraseError::Empty),
            1..=Self::MAX_BYTES => {}
            bytes => return Err(PassphraseError::TooLong { bytes }),
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=:@".contains(&byte);
        if !text.bytes().all(allowed) {
            return Err(PassphraseError::Character);
        }
        Ok(Self::from_allowed(text.as_bytes()))
    }

    /// For bytes that are known to be allowed.
    pub(crate) fn from_allowed(text: &[u8]) -> Self {
        let mut bytes = [0; Self::MAX_BYTES];
        bytes[..text.len()].copy_from_slice(text);
        Self { bytes, length: text.len() as u8 }
    }

    /// The characters themselves: for a link and its answer, and for nothing that is kept.
    pub fn reveal(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("a passphrase is ASCII")
    }

    /// The private key that the protocol makes of it: the characters, behind zeros (protocol, section 2).
    ///
    /// Ambiguous passphrases have other readings too ([`Passphrase::addresses`]).
    pub fn private_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        let text = self.reveal().as_bytes();
        key[32 - text.len()..].copy_from_slice(text);
        key
    }

    /// The addresses of all the keys that known clients make of it: one, but for a passphrase that is ambiguous.
    pub fn addresses(&self) -> impl Iterator<Item = WalletAddress> {
        let others = self.is_ambiguous().then(|| [self.as_hex_digits(), self.as_number()].into_iter().flatten());
        let keys = std::iter::once(self.private_key()).chain(others.into_iter().flatten());
        keys.filter_map(|key| SigningKey::from_slice(&key).ok()).map(|key| address_of(key.verifying_key()))
    }

    /// What the newer client makes of a number: its characters read as hex digits, filled up to ten.
    fn as_hex_digits(&self) -> Option<[u8; 32]> {
        let text = self.reveal();
        let is_whole = text.len() <= 10 || text.len().is_multiple_of(2);
        is_whole.then(|| read_hex(&format!("{text:0>64}"))).flatten()
    }

    /// What the older client makes of a number: its value.
    fn as_number(&self) -> Option<[u8; 32]> {
        let text = self.reveal();
        match text.strip_prefix("0x") {
            Some(digits) => read_hex(&format!("{digits:0>64}")),
            None => read_hex(&format!("{:064x}", text.parse::<u128>().ok()?)),
        }
    }

    /// True if JavaScript could read it as a number, upon which Arianee's two clients make two different keys of it.
    ///
    /// Wide on purpose: false only when a letter stands in it that no number has (numbers have `0-9`, `a-f`, the `x`,
    /// `o` and `b` of a base, `e` of an exponent, signs, a point and the word `Infinity`).
    pub fn is_ambiguous(&self) -> bool {
        let text = self.reveal();
        let telling = |byte: u8| {
            matches!(byte.to_ascii_lowercase(), b'g'..=b'z') && !matches!(byte.to_ascii_lowercase(), b'o' | b'x')
        };
        text.ends_with("Infinity") || !text.bytes().any(telling)
    }
}

impl PartialEq for Passphrase {
    /// In constant time: whoever guesses learns nothing from how long the answer takes.
    fn eq(&self, other: &Self) -> bool {
        (self.bytes.ct_eq(&other.bytes) & self.length.ct_eq(&other.length)).into()
    }
}

impl Eq for Passphrase {}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// Why a text is no passphrase. None of these repeats the text: it may be somebody's secret, misspelt.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    #[error("the passphrase is empty")]
    Empty,
    #[error("the passphrase has {bytes} bytes; at most {} are allowed", Passphrase::MAX_BYTES)]
    TooLong { bytes: usize },
    #[error("the passphrase holds a character other than A-Z a-z 0-9 - . _ ~ ! $ & ' ( ) * + ; = : @")]
    Character,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_what_a_path_may_hold_unescaped() {
        for good in ["x", "v6lsj4vhg5dx", "A-Z.a_z~0!9$&'()*+;=:@", &"p".repeat(32)] {
            assert_eq!(Passphrase::parse(good).unwrap().reveal(), good);
        }
        assert_eq!(Passphrase::parse(""), Err(PassphraseError::Empty));
        assert_eq!(Passphrase::parse(&"p".repeat(33)), Err(PassphraseError::TooLong { bytes: 33 }));
        for bad in ["a,b", "a/b", "a b", "a%2Cb", "é", "a?b", "a#b", "a\u{0}", "\"", "<"] {
            assert_eq!(Passphrase::parse(bad), Err(PassphraseError::Character), "{bad:?}");
        }
    }

    #[test]
    fn nothing_of_a_passphrase_is_printed() {
        assert_eq!(format!("{:?}", Passphrase::parse("v6lsj4vhg5dx").unwrap()), "Passphrase");
    }

    #[test]
    fn only_the_whole_passphrase_is_equal() {
        let passphrase = |text| Passphrase::parse(text).unwrap();
        assert_eq!(passphrase("abc"), passphrase("abc"));
        assert_ne!(passphrase("abc"), passphrase("abd"));
        assert_ne!(passphrase("abc"), passphrase("ab"));
    }
}
