//! Access tokens: how a wallet proves to be itself for a while.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{PassportId, Signature, Timestamp, WalletAddress};

/// An Arianee access token that was good at the moment of its verification (protocol, section 6).
///
/// It looks like a JWT and is none: its signature is a wallet's `personal_sign` over the text before the last dot,
/// together with whatever a wallet showed to its user in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Who signed it.
    pub wallet: WalletAddress,
    pub scope: Scope,
}

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything that the wallet owns.
    Wallet,
    /// One passport, if the wallet owns it.
    Passport(PassportId),
}

impl AccessToken {
    /// Real ones have some 400 bytes. They come from strangers, before anything is known of them.
    pub const MAX_BYTES: usize = 4_096;

    /// Times count in seconds; an end of 13 digits counts in milliseconds. A token that ends within 10 seconds is over.
    pub fn verify(text: &str, now: Timestamp) -> Result<Self, AccessTokenError> {
        if text.len() > Self::MAX_BYTES {
            return Err(AccessTokenError::Form);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(AccessTokenError::Form)?;
        let (head, payload) = signed.rsplit_once('.').ok_or(AccessTokenError::Form)?;
        // In front of the header there may be words for the user. It begins with `{"`.
        let header = head.rfind("eyJ").map(|start| &head[start..]).ok_or(AccessTokenError::Form)?;
        let header: Header = decode(header)?;
        if header.typ != "JWT" || !matches!(header.alg.as_str(), "secp256k1" | "ETH") {
            return Err(AccessTokenError::Form);
        }
        let payload: Payload = decode(payload)?;
        let wallet = payload.issuer()?;
        let signature = Signature::parse(signature).map_err(|_| AccessTokenError::Signature)?;
        if signature.signer(signed.as_bytes()) != Ok(wallet) {
            return Err(AccessTokenError::Signature);
        }
        payload.check_times(now)?;
        Ok(Self { wallet, scope: payload.scope()? })
    }
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    iss: String,
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    sub_id: Option<Value>,
}

/// How much of a token's life has to be left.
const LEFT_AT_LEAST: i64 = 10 * 1_000_000;
/// The least number of 13 digits.
const MILLISECONDS_FROM: i64 = 1_000_000_000_000;

impl Payload {
    /// Checksummed or not: the signature tells the same.
    fn issuer(&self) -> Result<WalletAddress, AccessTokenError> {
        WalletAddress::parse(&self.iss.to_ascii_lowercase()).map_err(|_| AccessTokenError::Issuer)
    }

    fn check_times(&self, now: Timestamp) -> Result<(), AccessTokenError> {
        let unit = if self.exp >= MILLISECONDS_FROM { 1_000 } else { 1_000_000 };
        if self.exp.saturating_mul(unit) <= now.as_micros().saturating_add(LEFT_AT_LEAST) {
            return Err(AccessTokenError::Over);
        }
        match self.nbf {
            Some(begin) if begin.saturating_mul(1_000_000) > now.as_micros() => Err(AccessTokenError::NotYet),
            _ => Ok(()),
        }
    }

    fn scope(&self) -> Result<Scope, AccessTokenError> {
        match (self.sub.as_str(), &self.sub_id) {
            ("wallet", _) => Ok(Scope::Wallet),
            ("certificate", Some(id)) => {
                PassportId::from_json(id).map(Scope::Passport).map_err(|_| AccessTokenError::Scope)
            }
            _ => Err(AccessTokenError::Scope),
        }
    }
}

/// Base64 of either alphabet, padded or not: newer wallets leave the padding out.
fn decode<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, AccessTokenError> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let standard = text.replace('-', "+").replace('_', "/");
    let json = BASE64.decode(standard).map_err(|_| AccessTokenError::Form)?;
    serde_json::from_slice(&json).map_err(|_| AccessTokenError::Form)
}

/// Why a token opens nothing. None of these repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessTokenError {
    #[error("it is no access token")]
    Form,
    #[error("its issuer is no wallet")]
    Issuer,
    #[error("its issuer did not sign it")]
    Signature,
    #[error("its time is over")]
    Over,
    #[error("its time has not come")]
    NotYet,
    #[error("its scope is neither a wallet nor a passport")]
    Scope,
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
    use k256::ecdsa::SigningKey;
    use sha3::{Digest, Keccak256};

    use super::*;
    use crate::signature::address_of;

    const NOW: i64 = 1_800_000_000;
    const HEADER: &str = r#"{"typ":"JWT","alg":"secp256k1"}"#;

    fn key() -> SigningKey {
        SigningKey::from_slice(&[7; 32]).unwrap()
    }

    fn sign(text: &str) -> String {
        let mut hash = Keccak256::new_with_prefix(format!("\x19Ethereum Signed Message:\n{}", text.len()));
        hash.update(text);
        let (rs, recovery) = key().sign_prehash_recoverable(&hash.finalize());
        let bytes = rs.to_bytes().into_iter().chain([27 + recovery.to_byte()]);
        let digits: String = bytes.map(|byte| format!("{byte:02x}")).collect();
        format!("{text}.0x{digits}")
    }

    fn token(header: &str, payload: &str) -> String {
        sign(&format!("{}.{}", BASE64_STANDARD.encode(header), BASE64_STANDARD.encode(payload)))
    }

    fn wallet() -> WalletAddress {
        address_of(key().verifying_key())
    }

    fn check(text: &str, expected: Result<Scope, AccessTokenError>) {
        let now = Timestamp::from_micros(NOW * 1_000_000);
        let expected = expected.map(|scope| AccessToken { wallet: wallet(), scope });
        assert_eq!(AccessToken::verify(text, now), expected, "{text}");
    }

    fn payload(rest: &str) -> String {
        format!(r#"{{"iss":"{}",{rest}}}"#, wallet())
    }

    #[test]
    fn a_token_opens_a_wallet_or_a_passport() {
        let of_wallet = payload(r#""sub":"wallet","exp":1800000600,"iat":1"#);
        check(&token(HEADER, &of_wallet), Ok(Scope::Wallet));
        check(&token(r#"{"typ":"JWT","alg":"ETH"}"#, &of_wallet), Ok(Scope::Wallet));
        check(&token(HEADER, &of_wallet.to_lowercase()), Ok(Scope::Wallet));
        let unpadded =
            format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(HEADER), BASE64_URL_SAFE_NO_PAD.encode(&of_wallet));
        check(&sign(&unpadded), Ok(Scope::Wallet));
        check(&sign(&format!("Sign in to Exemple. {unpadded}")), Ok(Scope::Wallet));
        let passport = Ok(Scope::Passport(PassportId::new(5).unwrap()));
        check(&token(HEADER, &payload(r#""sub":"certificate","exp":1800000600,"subId":5"#)), passport);
        check(&token(HEADER, &payload(r#""sub":"certificate","exp":1800000600,"subId":"5""#)), passport);
    }

    #[test]
    fn a_token_has_its_time() {
        let at = |times: &str| token(HEADER, &payload(&format!(r#""sub":"wallet",{times}"#)));
        check(&at(r#""exp":1800000011"#), Ok(Scope::Wallet));
        check(&at(r#""exp":1800000010"#), Err(AccessTokenError::Over));
        check(&at(r#""exp":1800000011000"#), Ok(Scope::Wallet));
        check(&at(r#""exp":1800000010000"#), Err(AccessTokenError::Over));
        check(&at(r#""exp":9223372036854775807"#), Ok(Scope::Wallet));
        check(&at(r#""exp":-1"#), Err(AccessTokenError::Over));
        check(&at(r#""exp":1800000600,"nbf":1800000000"#), Ok(Scope::Wallet));
        check(&at(r#""exp":1800000600,"nbf":1800000001"#), Err(AccessTokenError::NotYet));
    }

    #[test]
    fn whatever_else_is_no_token() {
        let good = payload(r#""sub":"wallet","exp":1800000600"#);
        for text in ["", ".", "..", "a.b.c", "eyJ.eyJ.0x", &"x".repeat(5_000)] {
            check(text, Err(AccessTokenError::Form));
        }
        check(&token(r#"{"typ":"JWT","alg":"none"}"#, &good), Err(AccessTokenError::Form));
        check(&token(HEADER, r#"{"sub":"wallet"}"#), Err(AccessTokenError::Form));
        let other = good.replace(&wallet().to_string(), "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
        check(&token(HEADER, &other), Err(AccessTokenError::Signature));
        let token_of_good = token(HEADER, &good);
        check(&token_of_good.replacen("eyJ", "x eyJ", 1), Err(AccessTokenError::Signature));
        check(&format!("{token_of_good}0"), Err(AccessTokenError::Signature));
        check(&token(HEADER, &good.replace("0x", "1x")), Err(AccessTokenError::Issuer));
        check(&token(HEADER, &good.replace("wallet", "world")), Err(AccessTokenError::Scope));
        let unscoped = payload(r#""sub":"certificate","exp":1800000600"#);
        check(&token(HEADER, &unscoped), Err(AccessTokenError::Scope));
    }
}
