//! Wallets: the addresses that passports belong to after a claim.

use std::fmt;

use sha3::{Digest, Keccak256};

/// The 20 bytes of an Ethereum address, written with the checksum of EIP-55 in the case of its letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct WalletAddress([u8; 20]);

impl WalletAddress {
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// `0x` and 40 hex digits. Letters of both cases are a checksum, which must be right; letters of one case are none.
    pub fn parse(text: &str) -> Result<Self, WalletAddressError> {
        let digits = text.strip_prefix("0x").ok_or(WalletAddressError::Prefix)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(WalletAddressError::Digit);
        }
        let bytes = digits.len();
        let address: [u8; 20] = read_hex(digits).ok_or(WalletAddressError::Length { digits: bytes })?;
        let is_plain =
            [u8::is_ascii_uppercase, u8::is_ascii_lowercase].iter().any(|case| !digits.bytes().any(|b| case(&b)));
        if is_plain || checksummed(&address) == digits { Ok(Self(address)) } else { Err(WalletAddressError::Checksum) }
    }

    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// The 40 digits in the case that EIP-55 gives them: upper where the hash of the lower ones has a digit of 8 or more.
fn checksummed(address: &[u8; 20]) -> String {
    let lower: String = address.iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = Keccak256::digest(&lower);
    let is_upper = |place: usize| hash[place / 2] >> (4 * (1 - place % 2)) & 0x8 != 0;
    let cased = |(place, digit): (usize, char)| if is_upper(place) { digit.to_ascii_uppercase() } else { digit };
    lower.chars().enumerate().map(cased).collect()
}

/// Bytes from exactly as many pairs of hex digits.
pub(crate) fn read_hex<const BYTES: usize>(digits: &str) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    if digits.len() != 2 * BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = (digit(0)? << 4 | digit(1)?) as u8;
    }
    Some(bytes)
}

impl TryFrom<&[u8]> for WalletAddress {
    type Error = WalletAddressError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| WalletAddressError::Length { digits: 2 * bytes.len() })
    }
}

impl fmt::Display for WalletAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", checksummed(&self.0))
    }
}

impl fmt::Debug for WalletAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no wallet's address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalletAddressError {
    #[error("a wallet's address begins with 0x")]
    Prefix,
    #[error("a wallet's address has digits 0-9 a-f alone behind 0x")]
    Digit,
    #[error("a wallet's address has 40 digits behind 0x; this one has {digits}")]
    Length { digits: usize },
    #[error("the checksum is wrong: a letter of the address is mistyped or has the wrong case")]
    Checksum,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_with_its_checksum() {
        // The examples of EIP-55 itself.
        for address in [
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0xde709f2102306220921060314715629080e2fb77",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            let read = WalletAddress::parse(address).unwrap();
            assert_eq!(read.to_string(), address);
            assert_eq!(WalletAddress::parse(&address.to_lowercase()), Ok(read));
            assert_eq!(WalletAddress::parse(&format!("0x{}", address[2..].to_uppercase())), Ok(read));
        }
    }

    #[test]
    fn what_is_no_address_is_told_why() {
        let check = |text: &str, expected: WalletAddressError| {
            assert_eq!(WalletAddress::parse(text), Err(expected), "{text:?}");
        };
        check("", WalletAddressError::Prefix);
        check("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", WalletAddressError::Prefix);
        check("0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", WalletAddressError::Prefix);
        check("0x", WalletAddressError::Length { digits: 0 });
        check("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", WalletAddressError::Length { digits: 39 });
        check("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed0", WalletAddressError::Length { digits: 41 });
        check("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg", WalletAddressError::Digit);
        check("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA\u{e9}", WalletAddressError::Digit);
        check("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", WalletAddressError::Checksum);
        check("0x6aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", WalletAddressError::Checksum);
    }
}
