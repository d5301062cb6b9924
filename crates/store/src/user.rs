//! Users as a store keeps them.

use passpool_core::{ApiKey, ApiKeyDigest, ProfileName, Rights, Timestamp, UserName};

/// A key as it is kept: its digest, and the first characters to tell it from others.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub digest: ApiKeyDigest,
    pub head: String,
    pub made_at: Timestamp,
}

impl NewKey {
    pub fn of(key: &ApiKey, made_at: Timestamp) -> Self {
        Self { digest: key.digest(), head: key.head().to_owned(), made_at }
    }
}

/// A user about to be added, with a profile of its own.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub name: UserName,
    pub rights: Rights,
    pub key: NewKey,
}

/// What a list of users shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserInfo {
    pub name: UserName,
    pub profile: ProfileName,
    pub rights: Rights,
    /// The first characters of the user's key, and when it was made; none if there is no key.
    pub key: Option<(String, Timestamp)>,
}
