//! Signatures: how a wallet, or whoever knows a passphrase, shows it without telling it.

use std::fmt;

use k256::ecdsa::{RecoveryId, Signature as Ecdsa, VerifyingKey};
use sha3::{Digest, Keccak256};

use crate::{WalletAddress, wallet::read_hex};

/// An ECDSA signature over secp256k1 from which its signer can be told: r, s and v in 65 bytes.
///
/// It is a bearer's proof as long as what it signs is accepted, so nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    rs: Ecdsa,
    recovery: RecoveryId,
}

impl Signature {
    /// `0x` and 130 hex digits. `v` is 27 or 28 as Ethereum has it, or 0 or 1 as some wallets' devices write it.
    ///
    /// A high `s` is refused, as the protocol's contracts refuse it: each signature has a twin with one, and one claim
    /// shall not have two proofs.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let bytes: [u8; 65] = text.strip_prefix("0x").and_then(read_hex).ok_or(SignatureError::Form)?;
        let rs = Ecdsa::from_slice(&bytes[..64]).map_err(|_| SignatureError::Form)?;
        if rs.normalize_s() != rs {
            return Err(SignatureError::HighS);
        }
        let recovery = match bytes[64] {
            v @ (0 | 1) => RecoveryId::new(v == 1, false),
            v @ (27 | 28) => RecoveryId::new(v == 28, false),
            _ => return Err(SignatureError::Form),
        };
        Ok(Self { rs, recovery })
    }

    /// Who signed this message by `personal_sign` (EIP-191). Whatever was signed, somebody did: what tells is the
    /// address.
    pub fn signer(&self, message: &[u8]) -> Result<WalletAddress, SignatureError> {
        let mut hash = Keccak256::new_with_prefix(format!("\x19Ethereum Signed Message:\n{}", message.len()));
        hash.update(message);
        let key = VerifyingKey::recover_from_prehash(&hash.finalize(), &self.rs, self.recovery);
        key.map(|key| address_of(&key)).map_err(|_| SignatureError::Form)
    }
}

/// The last 20 bytes of the hash of the public key's two coordinates.
pub(crate) fn address_of(key: &VerifyingKey) -> WalletAddress {
    let point = key.to_sec1_point(false);
    let hash = Keccak256::digest(&point.as_bytes()[1..]);
    WalletAddress::try_from(&hash[12..]).expect("32 bytes less 12 are 20")
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature")
    }
}

/// Why a text is no signature that counts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("a signature is 0x and 130 hex digits: r, s and v, with v 27 or 28")]
    Form,
    #[error("the signature's s is in the upper half of its range, which contracts refuse")]
    HighS,
}

#[cfg(test)]
mod tests {
    use k256::ecdsa::SigningKey;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("0x{digits}")
    }

    fn signed(message: &[u8]) -> ([u8; 65], WalletAddress) {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let mut hash = Keccak256::new_with_prefix(format!("\x19Ethereum Signed Message:\n{}", message.len()));
        hash.update(message);
        let (rs, recovery) = key.sign_prehash_recoverable(&hash.finalize());
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&rs.to_bytes());
        bytes[64] = 27 + recovery.to_byte();
        (bytes, address_of(key.verifying_key()))
    }

    #[test]
    fn the_signer_is_told_from_the_signature_alone() {
        let (mut bytes, signer) = signed(b"hello");
        assert_eq!(Signature::parse(&hex(&bytes)).unwrap().signer(b"hello"), Ok(signer));
        assert_ne!(Signature::parse(&hex(&bytes)).unwrap().signer(b"hallo"), Ok(signer));
        bytes[64] -= 27;
        assert_eq!(Signature::parse(&hex(&bytes)).unwrap().signer(b"hello"), Ok(signer));
    }

    #[test]
    fn the_twin_with_the_high_s_is_refused() {
        let (mut bytes, _) = signed(b"hello");
        let low = Ecdsa::from_slice(&bytes[..64]).unwrap();
        let high = Ecdsa::from_scalars(low.r().to_bytes(), (-*low.s()).to_bytes()).unwrap();
        bytes[..64].copy_from_slice(&high.to_bytes());
        bytes[64] ^= 27 ^ 28;
        assert_eq!(Signature::parse(&hex(&bytes)), Err(SignatureError::HighS));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let (bytes, _) = signed(b"hello");
        let good = hex(&bytes);
        let mut others = vec![String::new(), good[2..].to_owned(), good[..130].to_owned(), format!("{good}00")];
        others.push(good.replace("0x", "0y"));
        for (places, value) in [(64..65, 29), (64..65, 2), (64..65, 26), (0..32, 0), (32..64, 0), (0..32, 0xff)] {
            let mut spoilt = bytes;
            spoilt[places].fill(value);
            others.push(hex(&spoilt));
        }
        for text in others {
            assert_eq!(Signature::parse(&text), Err(SignatureError::Form), "{text}");
        }
    }

    #[test]
    fn nothing_of_a_signature_is_printed() {
        assert_eq!(format!("{:?}", Signature::parse(&hex(&signed(b"hello").0)).unwrap()), "Signature");
    }
}
