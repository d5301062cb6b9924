//! Claim messages: what whoever knows a passphrase signs to give the passport to a wallet.

use sha3::{Digest, Keccak256};

use crate::{PassportId, Signature, SignatureError, WalletAddress};

/// Says "this passport shall belong to this wallet": the Keccak-256 hash of the id and the address, each in 32 bytes as
/// contracts encode them (protocol, section 3). It holds for no other wallet, whoever sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimMessage([u8; 32]);

impl ClaimMessage {
    pub fn new(passport: PassportId, new_owner: WalletAddress) -> Self {
        let mut encoded = [0; 64];
        encoded[24..32].copy_from_slice(&passport.get().to_be_bytes());
        encoded[44..].copy_from_slice(new_owner.as_bytes());
        Self(Keccak256::digest(encoded).into())
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whose key signed it: a passphrase's, if the claim is good.
    pub fn signer(&self, signature: &Signature) -> Result<WalletAddress, SignatureError> {
        signature.signer(&self.0)
    }
}
