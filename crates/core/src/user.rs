//! Users: who calls, and what they may.

use std::{fmt, sync::Arc};

use crate::{Right, Rights};

/// The name of a user: 1 to 64 characters of `A-Z a-z 0-9 . _ - @ +`, so that an e-mail address is one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Arc<str>);

impl UserName {
    pub const MAX_BYTES: usize = 64;

    /// The user that a new database has, with every right and no key.
    pub fn admin() -> Self {
        Self("admin".into())
    }

    pub fn parse(text: &str) -> Result<Self, UserNameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@+".contains(&byte);
        if text.is_empty() || text.len() > Self::MAX_BYTES || !text.bytes().all(allowed) {
            return Err(UserNameError(text.escape_debug().to_string()));
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no user name: 1 to 64 characters of A-Z a-z 0-9 . _ - @ +")]
pub struct UserNameError(String);

/// The name of a profile, which has rights; a user has a profile. It is written as a user's name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileName(Arc<str>);

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ProfileName {
    pub fn parse(text: &str) -> Result<Self, ProfileNameError> {
        UserName::parse(text).map(|name| Self(name.0)).map_err(|UserNameError(text)| ProfileNameError(text))
    }

    /// The profile with every right.
    pub fn admin() -> Self {
        Self("admin".into())
    }

    /// Takes back what [`ProfileName::as_str`] gave.
    pub fn from_stored(name: String) -> Self {
        Self(name.into())
    }

    /// The profile that belongs to one user alone, as `--rights` makes it.
    pub fn of(user: &UserName) -> Self {
        Self(user.as_str().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no profile's name: 1 to 64 characters of A-Z a-z 0-9 . _ - @ +")]
pub struct ProfileNameError(String);

/// Somebody with a good key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub name: UserName,
    pub rights: Rights,
}

impl Caller {
    pub fn may(&self, right: Right) -> bool {
        self.rights.allow(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_short_and_plain() {
        for good in ["crm", "a.b-c_d", "eve+test@brand.example", &"x".repeat(64)] {
            assert_eq!(UserName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " crm", "a b", "a,b", "a/b", "été", "a\n", &"x".repeat(65)] {
            assert!(UserName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
