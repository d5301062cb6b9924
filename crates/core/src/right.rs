//! Rights: what a user's profile lets the user do.

use std::fmt;

macro_rules! rights {
    ($($variant:ident = $name:literal,)*) => {
        /// A right of the NMP, under its name on the wire (its contract, section 9).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Right { $($variant,)* }

        impl Right {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

rights! {
    Admin = "admin",
    CertRead = "certRead",
    CertCreate = "certCreate",
    CertPrint = "certPrint",
    CertDelete = "certDelete",
    CertRecover = "certRecover",
    MessageSend = "messageSend",
    MessageSetupAuto = "messageSetupAuto",
    EventCreate = "eventCreate",
    AssetsUpload = "assetsUpload",
    IdentityUpdate = "identityUpdate",
    AccountManage = "accountManage",
    UsersManage = "usersManage",
    Reporting = "reporting",
    SmartContractSend = "smartContractSend",
    Transaction = "transaction",
    Stolen = "stolen",
}

impl Right {
    pub fn parse(name: &str) -> Result<Self, UnknownRight> {
        let known = Self::ALL.iter().find(|right| right.as_str() == name);
        known.copied().ok_or_else(|| UnknownRight(name.to_owned()))
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no right; the rights are {all}", all = list(Right::ALL.iter().copied()))]
pub struct UnknownRight(String);

/// A set of rights. `admin` allows everything.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights(u32);

impl Rights {
    pub fn allow(self, right: Right) -> bool {
        self.0 & (right.bit() | Right::Admin.bit()) != 0
    }

    pub fn contains(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.iter().copied().filter(move |right| self.contains(*right))
    }

    /// Reads names between commas or blanks, as `--rights` and the stores write them.
    pub fn parse(list: &str) -> Result<Self, UnknownRight> {
        list.split([',', ' ']).filter(|name| !name.is_empty()).map(Right::parse).collect()
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<T: IntoIterator<Item = Right>>(rights: T) -> Self {
        Self(rights.into_iter().fold(0, |bits, right| bits | right.bit()))
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&list(self.iter()))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

fn list(rights: impl Iterator<Item = Right>) -> String {
    rights.map(Right::as_str).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_rights_is_read_as_it_is_written() {
        let rights = Rights::parse("certRead,certCreate").unwrap();
        assert_eq!(rights.to_string(), "certRead,certCreate");
        assert!(rights.allow(Right::CertCreate) && !rights.allow(Right::CertDelete));
        assert_eq!(Rights::parse("certcreate"), Err(UnknownRight("certcreate".into())));
        assert_eq!(Rights::parse("").unwrap(), Rights::default());
        assert_eq!(Rights::parse(&list(Right::ALL.iter().copied())).unwrap().iter().count(), 17);
    }

    #[test]
    fn admin_may_do_everything_and_nobody_nothing() {
        for right in Right::ALL {
            assert!(Rights::from_iter([Right::Admin]).allow(*right));
            assert!(!Rights::default().allow(*right));
        }
        assert!(!Rights::parse("certCreate").unwrap().allow(Right::Admin));
    }
}
