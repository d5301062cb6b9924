//! Wallets: the addresses that passports belong to after a claim.

use std::fmt;

/// The 20 bytes of an Ethereum address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct WalletAddress([u8; 20]);

impl WalletAddress {
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl TryFrom<&[u8]> for WalletAddress {
    type Error = WalletAddressError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| WalletAddressError)
    }
}

impl fmt::Display for WalletAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for WalletAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a wallet address has 20 bytes")]
pub struct WalletAddressError;
