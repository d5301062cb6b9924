//! A wallet: signs that a passport shall be its own, as whoever knows the passphrase may.

use k256::ecdsa::SigningKey;
use passpool_core::{ClaimMessage, Passphrase, PassportId, WalletAddress};
use sha3::{Digest, Keccak256};

/// The body of a call of `/v1/claims` that makes this wallet the owner.
pub(super) fn claim(passport: PassportId, passphrase: &Passphrase, wallet: WalletAddress) -> String {
    let message = ClaimMessage::new(passport, wallet);
    let signature = personal_sign(&passphrase.private_key(), message.as_bytes());
    format!(r#"{{"passport_id":{passport},"new_owner":"{wallet}","signature":"{signature}"}}"#)
}

/// EIP-191: r, s and v in hex.
fn personal_sign(key: &[u8; 32], message: &[u8]) -> String {
    let key = SigningKey::from_slice(key).expect("a passphrase that was made here is a key");
    let mut hash = Keccak256::new_with_prefix(format!("\x19Ethereum Signed Message:\n{}", message.len()));
    hash.update(message);
    let (rs, recovery) = key.sign_prehash_recoverable(&hash.finalize());
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("0x{}{:02x}", digits(&rs.to_bytes()), 27 + recovery.to_byte())
}

#[cfg(test)]
mod tests {
    use passpool_core::Signature;

    use super::*;

    #[test]
    fn a_claim_is_signed_by_the_passphrases_key() {
        let (passport, wallet) = (PassportId::new(7).unwrap(), WalletAddress::from_bytes([9; 20]));
        let passphrase = Passphrase::parse("ytxzbospp7rfseop26ac0nnjo").unwrap();
        let body: serde_json::Value = serde_json::from_str(&claim(passport, &passphrase, wallet)).unwrap();
        assert_eq!((body["passport_id"].as_u64(), body["new_owner"].as_str()), (Some(7), Some(&*wallet.to_string())));
        let signature = Signature::parse(body["signature"].as_str().unwrap()).unwrap();
        let signer = ClaimMessage::new(passport, wallet).signer(&signature).unwrap();
        assert_eq!(passphrase.addresses().collect::<Vec<_>>(), [signer]);
    }
}
