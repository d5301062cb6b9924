//! API keys: shown once, kept as a digest, never printed again.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A key of 256 random bits: `pp_` and 52 characters of `a-z2-7` (RFC 4648 base 32, lower case, unpadded).
///
/// High entropy needs no slow hash, so a digest is compared at every call.
pub struct ApiKey(String);

impl ApiKey {
    pub const PREFIX: &str = "pp_";
    /// How much of a key may be shown again, so that two keys can be told apart.
    pub const HEAD: usize = 8;

    pub fn from_random(random: &[u8; 32]) -> Self {
        let mut key = String::with_capacity(55);
        key.push_str(Self::PREFIX);
        let (mut bits, mut count) = (0_u32, 0);
        for byte in random {
            bits = bits << 8 | u32::from(*byte);
            count += 8;
            while count >= 5 {
                count -= 5;
                key.push(char::from(ALPHABET[(bits >> count & 31) as usize]));
            }
        }
        key.push(char::from(ALPHABET[(bits << (5 - count) & 31) as usize]));
        Self(key)
    }

    /// The whole key: to be shown once, to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn head(&self) -> &str {
        &self.0[..Self::HEAD]
    }

    pub fn digest(&self) -> ApiKeyDigest {
        ApiKeyDigest(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

/// The SHA-256 of a key: all that is kept of it.
#[derive(Clone, Copy)]
pub struct ApiKeyDigest([u8; 32]);

impl ApiKeyDigest {
    /// The digest of what a caller sent. Whatever does not look like a key is refused before anything is looked up.
    pub fn of_sent(sent: &str) -> Result<Self, ApiKeyError> {
        let body = sent.strip_prefix(ApiKey::PREFIX).ok_or(ApiKeyError)?;
        // Ranges and not a search of the alphabet, which is half of what it costs to know a caller.
        let is_of_a_key = |byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
        if body.len() != 52 || !body.bytes().all(is_of_a_key) {
            return Err(ApiKeyError);
        }
        Ok(Self(Sha256::digest(sent.as_bytes()).into()))
    }

    pub const fn from_stored(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for ApiKeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ApiKeyDigest {}

impl fmt::Debug for ApiKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyDigest")
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no API key")]
pub struct ApiKeyError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_256_bits_in_base_32() {
        assert_eq!(ApiKey::from_random(&[0; 32]).reveal(), format!("pp_{}", "a".repeat(52)));
        assert_eq!(ApiKey::from_random(&[0xff; 32]).reveal(), format!("pp_{}q", "7".repeat(51)));
        let mut random = [0; 32];
        random[..5].copy_from_slice(b"hello");
        assert!(ApiKey::from_random(&random).reveal().starts_with("pp_nbswy3dp"));
    }

    #[test]
    fn only_what_looks_like_a_key_has_a_digest() {
        let key = ApiKey::from_random(&[7; 32]);
        assert_eq!(ApiKeyDigest::of_sent(key.reveal()), Ok(key.digest()));
        for bad in
            ["", "pp_", "pp_abc", &key.reveal().to_uppercase(), &key.reveal()[1..], &format!("{}a", key.reveal())]
        {
            assert_eq!(ApiKeyDigest::of_sent(bad), Err(ApiKeyError), "{bad:?}");
        }
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        let key = ApiKey::from_random(&[7; 32]);
        assert_eq!(format!("{key:?} {:?}", key.digest()), "ApiKey ApiKeyDigest");
    }
}
