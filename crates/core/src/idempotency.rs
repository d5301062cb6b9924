//! Idempotency: one key, one reservation, however often the call is repeated.

use std::fmt;

use sha2::{Digest, Sha256};

/// What a caller sends as `Idempotency-Key`: 1 to 255 visible ASCII characters.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    pub const MAX_BYTES: usize = 255;

    pub fn parse(text: &str) -> Result<Self, IdempotencyKeyError> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > Self::MAX_BYTES || !visible {
            return Err(IdempotencyKeyError);
        }
        Ok(Self(text.into()))
    }

    /// The record's name: a key belongs to one owner (a user, or the command line) and one path.
    pub fn digest(&self, owner: &str, path: &str) -> RepeatDigest {
        RepeatDigest(first_half(digest_of([owner, path, &self.0])))
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey")
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 visible ASCII characters")]
pub struct IdempotencyKeyError;

/// What a store keeps of a key: 128 bits of a SHA-256 over owner, path and key. Callers put order numbers and e-mail
/// addresses into their keys; none of that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RepeatDigest([u8; 16]);

impl RepeatDigest {
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// 128 bits of a SHA-256 over the parameters of a call, to tell a repeat from another call under the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParameterDigest([u8; 16]);

impl ParameterDigest {
    pub fn of<'a>(parameters: impl IntoIterator<Item = &'a str>) -> Self {
        Self(first_half(digest_of(parameters)))
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Makes a call repeatable: under which record, and with which parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    pub record: RepeatDigest,
    pub parameters: ParameterDigest,
}

/// Each part goes in behind its length, so that no two lists of parts are alike.
fn digest_of<'a>(parts: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

fn first_half(digest: [u8; 32]) -> [u8; 16] {
    let [half @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest;
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii() {
        for good in ["x", "order-4711", "~!#{}", &"k".repeat(255)] {
            assert!(IdempotencyKey::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a b", "é", "a\n", &"k".repeat(256)] {
            assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_record_belongs_to_one_owner_and_one_path() {
        let digest = |owner, path, key| IdempotencyKey::parse(key).unwrap().digest(owner, path);
        let first = digest("user:crm", "/reserveOne", "k");
        assert_eq!(first, digest("user:crm", "/reserveOne", "k"));
        assert_ne!(first, digest("user:eve", "/reserveOne", "k"));
        assert_ne!(first, digest("user:crm", "/v1/reservations", "k"));
        assert_ne!(first, digest("user:crm", "/reserveOne", "K"));
        assert_ne!(digest("a", "bc", "k"), digest("ab", "c", "k"), "no part runs into the next");
    }
}
