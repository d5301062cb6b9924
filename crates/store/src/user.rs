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

/// A user about to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub name: UserName,
    pub profile: ProfileOf,
    pub key: NewKey,
}

/// The profile of a new user.
#[derive(Clone, Debug)]
pub enum ProfileOf {
    /// One of its own, called as the user is, that goes when the user goes.
    Own(Rights),
    /// One that exists, and that others may have too.
    Named(ProfileName),
}

/// A wish to give a user a key in the place of another.
#[derive(Clone, Debug)]
pub struct RenewKey {
    pub user: UserName,
    /// The first characters of the key to be replaced. None means all that the user has.
    pub old: Option<String>,
    pub key: NewKey,
    /// Until when the old ones are good. None means that they are dead at once.
    pub old_until: Option<Timestamp>,
}

/// What a list of profiles shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileInfo {
    pub name: ProfileName,
    pub rights: Rights,
    pub users: u64,
}

/// What a list of users shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserInfo {
    pub name: UserName,
    pub profile: ProfileName,
    pub rights: Rights,
    /// In the order of their making.
    pub keys: Vec<KeyInfo>,
}

/// What is shown of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The first characters: no two keys of a user have the same.
    pub head: String,
    pub made_at: Timestamp,
    /// From when on it is dead, if it was renewed.
    pub until: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub used_at: Option<Timestamp>,
}

/// When a key was used last.
#[derive(Clone, Copy, Debug)]
pub struct KeyUse {
    pub digest: ApiKeyDigest,
    pub at: Timestamp,
}
