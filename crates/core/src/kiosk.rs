//! Kiosks: one address at which everybody gets a passport of their own.

use std::fmt;

use crate::{Selector, Timestamp, WalletAddress, WholeSeconds};

/// The number of a kiosk in its database: what a hand-out remembers of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KioskId(pub u32);

/// What a kiosk is called: 1 to 64 characters of `a-z A-Z 0-9 - _ .`, the last part of the address that is printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KioskName(Box<str>);

impl KioskName {
    /// It stands in a QR code, which grows with it.
    pub const MAX_BYTES: usize = 64;

    pub fn parse(text: &str) -> Result<Self, KioskNameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_path = text.bytes().all(|byte| byte == b'.');
        if (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed) && !is_path {
            Ok(Self(text.into()))
        } else {
            Err(KioskNameError)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KioskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a kiosk's name has 1 to {} characters of a-z A-Z 0-9 - _ . and more than dots", KioskName::MAX_BYTES)]
pub struct KioskNameError;

/// What a kiosk gives, to whom, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kiosk {
    pub name: KioskName,
    pub selector: Selector,
    /// How long a visitor may take to claim. Then the passport goes back to the pool.
    pub hold: WholeSeconds,
    /// How many passports one visitor may claim, and one wallet. At least one.
    pub per_visitor: u32,
    pub opens: Option<Timestamp>,
    pub closes: Option<Timestamp>,
}

impl Kiosk {
    /// 15 minutes, as the NMP has it.
    pub const HOLD_SECONDS: u64 = 15 * 60;

    pub const fn hours(&self, now: Timestamp) -> Hours {
        match (self.opens, self.closes) {
            (Some(opens), _) if now.as_micros() < opens.as_micros() => Hours::NotYet { opens },
            (_, Some(closes)) if now.as_micros() >= closes.as_micros() => Hours::Over,
            _ => Hours::Open,
        }
    }
}

/// Whether a kiosk is open at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hours {
    NotYet { opens: Timestamp },
    Open,
    Over,
}

/// Who stands at a kiosk: as much as is known without asking for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KioskVisitor {
    /// By the random number in a signed cookie.
    Browser([u8; 16]),
    /// By an access token that the wallet signed.
    Wallet(WalletAddress),
}

impl KioskVisitor {
    /// What a store keeps: one byte that tells which, and the number or the address.
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Browser(number) => [&[0][..], &number].concat(),
            Self::Wallet(wallet) => [&[1][..], wallet.as_bytes()].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rule, Tag};

    #[test]
    fn a_kiosks_name_stands_in_an_address() {
        for good in ["a", "summer-2026", "Stand_4.b", &"k".repeat(64)] {
            assert_eq!(KioskName::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", ".", "..", "a b", "a/b", "é", "a,b", "a%20", &"k".repeat(65)] {
            assert_eq!(KioskName::parse(bad), Err(KioskNameError), "{bad:?}");
        }
    }

    #[test]
    fn a_kiosk_is_open_from_its_first_moment_to_before_its_last() {
        let moment = Timestamp::from_micros;
        let check = |opens: Option<i64>, closes: Option<i64>, now: i64, expected: Hours| {
            let kiosk = Kiosk {
                name: KioskName::parse("k").unwrap(),
                selector: Selector::new([Tag::parse("vip").unwrap()], Rule::And).unwrap(),
                hold: WholeSeconds::new(Kiosk::HOLD_SECONDS).unwrap(),
                per_visitor: 1,
                opens: opens.map(moment),
                closes: closes.map(moment),
            };
            assert_eq!(kiosk.hours(moment(now)), expected);
        };
        check(None, None, 5, Hours::Open);
        check(Some(5), None, 4, Hours::NotYet { opens: moment(5) });
        check(Some(5), None, 5, Hours::Open);
        check(None, Some(5), 4, Hours::Open);
        check(None, Some(5), 5, Hours::Over);
        check(Some(5), Some(9), 9, Hours::Over);
    }
}
