//! Users: who calls, and what they may.

use std::{fmt, sync::Arc};

use crate::{Refusal, Right, Rights};

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

/// Who changes accounts.
#[derive(Clone, Debug)]
pub enum Granter {
    /// Somebody with the database at hand, who may do anything.
    CommandLine,
    Caller(Caller),
}

impl Granter {
    /// Whether they may change an account that has these rights, or is to have them: else the right to manage accounts
    /// would be every right.
    ///
    /// Refuses with `RightMissing`.
    pub fn may_touch(&self, rights: Rights) -> Result<(), Refusal> {
        let Self::Caller(caller) = self else { return Ok(()) };
        rights.iter().find(|right| !caller.may(*right)).map_or(Ok(()), |right| Err(Refusal::RightMissing(right)))
    }

    /// The user who does it, if it is one.
    pub fn user(&self) -> Option<&UserName> {
        match self {
            Self::CommandLine => None,
            Self::Caller(caller) => Some(&caller.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_touches_no_right_that_they_do_not_have() {
        let check = |own: &str, touched: &str, expected: Result<(), Refusal>| {
            let caller = Caller { name: UserName::admin(), rights: Rights::parse(own).unwrap() };
            let touched = Rights::parse(touched).unwrap();
            assert_eq!(Granter::Caller(caller).may_touch(touched), expected, "{own}: {touched}");
            assert_eq!(Granter::CommandLine.may_touch(touched), Ok(()));
        };
        check("accountManage,certRead", "certRead", Ok(()));
        check("accountManage,certRead", "", Ok(()));
        check("accountManage,certRead", "certRead,certCreate", Err(Refusal::RightMissing(Right::CertCreate)));
        check("accountManage", "admin", Err(Refusal::RightMissing(Right::Admin)));
        check("admin", "certRead,certCreate,admin", Ok(()));
    }

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
