//! Users and their keys as they are shown.

use passpool_core::Right;
use passpool_store::{KeyInfo, UserInfo};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::v1::words::{RightWord, rfc_3339};

#[derive(Serialize, ToSchema)]
pub(in crate::http::v1) struct UserList {
    pub users: Vec<UserShown>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserShown {
    name: String,
    profile: String,
    #[schema(value_type = Vec<RightWord>)]
    rights: Vec<&'static str>,
    keys: Vec<KeyShown>,
}

impl UserShown {
    pub(crate) fn of(user: &UserInfo) -> Self {
        Self {
            name: user.name.to_string(),
            profile: user.profile.as_str().to_owned(),
            rights: user.rights.iter().map(Right::as_str).collect(),
            keys: user.keys.iter().map(KeyShown::of).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(in crate::http::v1) struct KeyList {
    pub keys: Vec<KeyShown>,
}

/// What is shown of a key.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyShown {
    /// The first characters, to tell keys apart.
    head: String,
    #[schema(format = DateTime)]
    made_at: String,
    /// From when on it is dead, if it was renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    until: Option<String>,
    /// When it was used last, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    used_at: Option<String>,
}

impl KeyShown {
    pub(crate) fn of(key: &KeyInfo) -> Self {
        Self {
            head: key.head.clone(),
            made_at: rfc_3339(key.made_at),
            until: key.until.map(rfc_3339),
            used_at: key.used_at.map(rfc_3339),
        }
    }
}

/// A user that was made just now.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeUser {
    pub name: String,
    /// The whole key. It is not shown again.
    pub key: String,
    pub head: String,
}

/// A key that was made just now.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeKey {
    /// The whole key. It is not shown again.
    pub key: String,
    pub head: String,
    /// Until when those that it replaces are good, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub old_until: Option<String>,
}
