//! The secret of a shop: what derives passphrases, and seals those that came from elsewhere.

use std::fmt;

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::{Passphrase, PassportId};

const DERIVED_LENGTH: usize = 25;
const NONCE_LENGTH: usize = 24;
/// Of a passphrase as long as those that are made here: the nonce, the text, and the cipher's tag.
const SEALED_LENGTH: usize = NONCE_LENGTH + DERIVED_LENGTH + 16;
const BASE_36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// 32 random bytes that no database holds. Whoever has the database alone opens no passport.
#[derive(Clone)]
pub struct Secret {
    id: SecretId,
    /// The keyed state of HMAC-SHA-256, cloned for each passphrase.
    derive: Hmac<Sha256>,
    seal: XChaCha20Poly1305,
    fingerprint: Fingerprint,
}

impl Secret {
    pub const LENGTH: usize = 32;

    /// The first secret of a shop, and as yet the only one.
    pub fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self::numbered(SecretId::FIRST, bytes)
    }

    fn numbered(id: SecretId, mut bytes: [u8; Self::LENGTH]) -> Self {
        let derive = Hmac::<Sha256>::new_from_slice(&bytes).expect("HMAC takes a key of any length");
        bytes.zeroize();
        let mut sealing_key = labelled(&derive, b"passpool seal 1");
        let seal = XChaCha20Poly1305::new(&sealing_key.into());
        sealing_key.zeroize();
        let [a, b, c, d, e, f, g, h, ..] = labelled(&derive, b"passpool fingerprint 1");
        Self { id, derive, seal, fingerprint: Fingerprint([a, b, c, d, e, f, g, h]) }
    }

    pub fn from_slice(bytes: &[u8]) -> Result<Self, SecretError> {
        let length = bytes.len();
        bytes.try_into().map(Self::new).map_err(|_| SecretError { length })
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub const fn id(&self) -> SecretId {
        self.id
    }

    /// The passphrase under which a passport was handed out. A link that was made under another secret is refused: what
    /// this one would derive opens nothing.
    pub fn passphrase(&self, id: PassportId, key: &LinkKey) -> Result<Passphrase, UnsealError> {
        if key.secret() != self.id {
            return Err(UnsealError::OtherSecret { id, under: key.secret().0, has: self.id.0 });
        }
        match key {
            LinkKey::Derived(number, _) => Ok(self.derive(id, *number)),
            LinkKey::Imported(sealed, _) => self.unseal(id, sealed),
        }
    }

    /// The same in the time that either kind of key takes: how long an answer took must not tell which links exist.
    pub(crate) fn passphrase_in_even_time(&self, id: PassportId, key: &LinkKey) -> Result<Passphrase, UnsealError> {
        let of_the_other_kind = match key {
            LinkKey::Derived(..) => LinkKey::Imported(SealedPassphrase([0; SEALED_LENGTH].into()), self.id),
            LinkKey::Imported(..) => LinkKey::Derived(HandOutNumber(0), self.id),
        };
        _ = std::hint::black_box(self.passphrase(id, &of_the_other_kind));
        self.passphrase(id, key)
    }

    /// 25 characters of `a-z0-9`, over 128 bits: base 36 of HMAC-SHA-256(secret, "passpool 1", id, number, try).
    ///
    /// `try` counts from zero and passes over the few that Arianee's clients would read in two ways. The digest's first
    /// 16 bytes give 13 digits and its last 16 bytes 12, each a big-endian number of which the least digits are taken:
    /// the bias is below 2^-58.
    pub fn derive(&self, id: PassportId, number: HandOutNumber) -> Passphrase {
        (0..=u8::MAX)
            .map(|attempt| self.derive_attempt(id, number, attempt))
            .find(|passphrase| !passphrase.is_ambiguous())
            .expect("one passphrase in 30 million is ambiguous: 256 in a row do not happen")
    }

    fn derive_attempt(&self, id: PassportId, number: HandOutNumber, attempt: u8) -> Passphrase {
        let mut mac = self.derive.clone();
        mac.update(b"passpool 1");
        mac.update(&id.get().to_be_bytes());
        mac.update(&number.0.to_be_bytes());
        mac.update(&[attempt]);
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let (head, tail) = digest.split_at(16);
        let mut text = [0; DERIVED_LENGTH];
        base_36_digits(head, &mut text[..13]);
        base_36_digits(tail, &mut text[13..]);
        Passphrase::from_allowed(&text)
    }

    /// Seals an imported passphrase for one passport: moved to another passport's row, it does not open.
    pub fn seal(&self, id: PassportId, passphrase: &Passphrase, nonce: [u8; NONCE_LENGTH]) -> SealedPassphrase {
        let payload = Payload { msg: passphrase.reveal().as_bytes(), aad: &id.get().to_be_bytes() };
        let sealed = self.seal.encrypt(&XNonce::from(nonce), payload).expect("32 bytes are not too many to seal");
        SealedPassphrase([nonce.as_slice(), &sealed].concat().into())
    }

    /// Signs what a browser shall hand back unchanged. The fields of a message are told apart by their lengths.
    pub fn sign(&self, purpose: Purpose, fields: &[&[u8]]) -> Signed {
        let mut mac = Hmac::<Sha256>::new_from_slice(&labelled(&self.derive, purpose.label()))
            .expect("HMAC takes a key of any length");
        for field in fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        let digest = mac.finalize().into_bytes();
        Signed(*digest.first_chunk().expect("a digest has 32 bytes"))
    }

    fn unseal(&self, id: PassportId, sealed: &SealedPassphrase) -> Result<Passphrase, UnsealError> {
        let (nonce, text) = sealed.0.split_first_chunk::<NONCE_LENGTH>().ok_or(UnsealError::Sealed { id })?;
        let payload = Payload { msg: text, aad: &id.get().to_be_bytes() };
        let text = self.seal.decrypt(&XNonce::from(*nonce), payload).map_err(|_| UnsealError::Sealed { id })?;
        let text = str::from_utf8(&text).map_err(|_| UnsealError::Sealed { id })?;
        Passphrase::parse(text).map_err(|_| UnsealError::Sealed { id })
    }
}

/// What is signed, so that a signature for one thing counts for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The form on a page that claims a passport.
    ClaimForm,
    /// That a browser claimed a passport.
    Ownership,
    /// The form on a kiosk's page.
    KioskForm,
    /// The number by which a kiosk knows a browser.
    KioskVisitor,
    /// A network address, as a database may hold it.
    Address,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::ClaimForm => b"passpool claim form 1",
            Self::Ownership => b"passpool ownership 1",
            Self::KioskForm => b"passpool kiosk form 1",
            Self::KioskVisitor => b"passpool kiosk visitor 1",
            Self::Address => b"passpool address 1",
        }
    }
}

/// 16 bytes that only the secret makes of a message: what a browser is handed, and hands back.
#[derive(Clone, Copy)]
pub struct Signed([u8; 16]);

impl Signed {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for Signed {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Signed {}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed")
    }
}

fn labelled(mac: &Hmac<Sha256>, label: &[u8]) -> [u8; 32] {
    mac.clone().chain_update(label).finalize().into_bytes().into()
}

/// Writes the least base 36 digits of 16 big-endian bytes, the greatest of them first.
fn base_36_digits(bytes: &[u8], digits: &mut [u8]) {
    const TWELVE_DIGITS: u128 = 36_u128.pow(12);
    let number = u128::from_be_bytes(bytes.try_into().expect("half a digest has 16 bytes"));
    // Twelve digits fit 64 bits, whose divisions by a constant are cheap.
    let mut low = (number % TWELVE_DIGITS) as u64;
    let (greatest, rest) = digits.split_at_mut(digits.len() - 12);
    for digit in rest.iter_mut().rev() {
        *digit = BASE_36[(low % 36) as usize];
        low /= 36;
    }
    if let [digit] = greatest {
        *digit = BASE_36[(number / TWELVE_DIGITS % 36) as usize];
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret has {} bytes, this one has {length}", Secret::LENGTH)]
pub struct SecretError {
    length: usize,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    #[error("the sealed passphrase of passport {id} does not open under this secret")]
    Sealed { id: PassportId },
    #[error("the link of passport {id} was made under secret {under}, and this is secret {has}")]
    OtherSecret { id: PassportId, under: u8, has: u8 },
}

/// Tells one secret from another and gives nothing of it away: 64 bits of an HMAC under it.
#[derive(Clone, Copy, Debug)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Fingerprint {}

impl TryFrom<&[u8]> for Fingerprint {
    type Error = SecretError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| SecretError { length: bytes.len() })
    }
}

/// Which of a database's secrets a hand-out was made under, so that a second one can come into force while old links
/// live. The first is number one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecretId(pub u8);

impl SecretId {
    pub const FIRST: Self = Self(1);
}

/// The random number of one hand-out. A reset forgets it, and the link with it; no two hand-outs share one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HandOutNumber(u64);

impl HandOutNumber {
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for HandOutNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandOutNumber")
    }
}

/// 32 random bytes from which one call draws the numbers of all its hand-outs.
#[derive(Clone)]
pub struct HandOutSeed([u8; 32]);

impl HandOutSeed {
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The number of a call's first hand-out.
    pub fn number(&self) -> HandOutNumber {
        self.numbers(0).next().expect("there is a number for each")
    }

    /// The numbers of a call's hand-outs from this position on: each is a quarter of SHA-256(seed, position / 4).
    pub fn numbers(&self, from: u32) -> impl Iterator<Item = HandOutNumber> {
        let quarters = |place: u32| {
            let digest: [u8; 32] = Sha256::new_with_prefix(self.0).chain_update(place.to_be_bytes()).finalize().into();
            let quarter = |at: usize| digest.as_chunks().0[at];
            [0, 1, 2, 3].map(|at| HandOutNumber(u64::from_be_bytes(quarter(at))))
        };
        (from / 4..).flat_map(quarters).skip(from as usize % 4)
    }
}

impl fmt::Debug for HandOutSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandOutSeed")
    }
}

/// An imported passphrase as it is kept: a nonce of 24 bytes, then the passphrase under XChaCha20-Poly1305.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPassphrase(Box<[u8]>);

impl SealedPassphrase {
    pub fn from_stored(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedPassphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedPassphrase")
    }
}

/// What, together with the secret that it names, gives the passphrase of a hand-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKey {
    Derived(HandOutNumber, SecretId),
    Imported(SealedPassphrase, SecretId),
}

impl LinkKey {
    pub const fn secret(&self) -> SecretId {
        match self {
            Self::Derived(_, secret) | Self::Imported(_, secret) => *secret,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id(id: u64) -> PassportId {
        PassportId::new(id).unwrap()
    }

    /// These three may never change: every link that was ever handed out depends on them.
    #[test]
    fn the_derivation_is_fixed() {
        let check = |secret: [u8; 32], passport: u64, number: u64, expected: &str| {
            let passphrase = Secret::new(secret).derive(id(passport), HandOutNumber::new(number));
            assert_eq!(passphrase.reveal(), expected);
        };
        check([0; 32], 1, 0, "r92s7372gm3rsiuiujtf2nfse");
        check([7; 32], 440_105_186, 1, "ytxzbospp7rfseop26ac0nnjo");
        check([255; 32], PassportId::MAX, u64::MAX, "zk043wexhnyqfj08ve7f3wzv3");
    }

    #[test]
    fn a_derived_passphrase_is_25_characters_and_never_ambiguous() {
        let secret = Secret::new([7; 32]);
        for number in 0..2_000 {
            let passphrase = secret.derive(id(1), HandOutNumber::new(number));
            let text = passphrase.reveal();
            assert_eq!(text.len(), 25);
            assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()));
            assert!(!passphrase.is_ambiguous());
        }
    }

    #[test]
    fn secret_id_and_number_each_change_the_passphrase() {
        let derive =
            |secret: u8, passport, number| Secret::new([secret; 32]).derive(id(passport), HandOutNumber::new(number));
        let first = derive(1, 1, 1);
        assert_eq!(first, derive(1, 1, 1));
        assert_ne!(first, derive(2, 1, 1));
        assert_ne!(first, derive(1, 2, 1));
        assert_ne!(first, derive(1, 1, 2));
    }

    /// A second secret can come into force while links of the first live; neither makes the other's.
    #[test]
    fn a_link_needs_the_secret_that_it_names() {
        let (old, new) = (Secret::new([7; 32]), Secret::numbered(SecretId(2), [8; 32]));
        let made_by = |secret: &Secret| LinkKey::Derived(HandOutNumber::new(1), secret.id);
        assert_eq!(old.passphrase(id(5), &made_by(&old)), Ok(old.derive(id(5), HandOutNumber::new(1))));
        assert_eq!(new.passphrase(id(5), &made_by(&new)), Ok(new.derive(id(5), HandOutNumber::new(1))));
        let refused = |id, under, has| Err(UnsealError::OtherSecret { id, under, has });
        assert_eq!(new.passphrase(id(5), &made_by(&old)), refused(id(5), 1, 2));
        assert_eq!(
            old.passphrase(id(5), &LinkKey::Imported(SealedPassphrase::from_stored(&[]), new.id)),
            refused(id(5), 2, 1)
        );
    }

    #[test]
    fn base_36_takes_the_least_digits_greatest_first() {
        let check = |number: u128, expected: &str| {
            let mut digits = [0; 13];
            base_36_digits(&number.to_be_bytes(), &mut digits);
            assert_eq!(str::from_utf8(&digits).unwrap(), expected);
        };
        check(0, "0000000000000");
        check(35, "000000000000z");
        check(36, "0000000000010");
        check(36_u128.pow(12), "1000000000000");
        check(36_u128.pow(13) - 1, "zzzzzzzzzzzzz");
        check(36_u128.pow(13), "0000000000000");
    }

    #[test]
    fn a_sealed_passphrase_opens_for_its_passport_and_secret_alone() {
        let secret = Secret::new([7; 32]);
        let passphrase = Passphrase::parse("v6lsj4vhg5dx").unwrap();
        let sealed = secret.seal(id(5), &passphrase, [9; 24]);
        assert_eq!(secret.passphrase(id(5), &LinkKey::Imported(sealed.clone(), SecretId::FIRST)), Ok(passphrase));
        assert_eq!(secret.unseal(id(6), &sealed), Err(UnsealError::Sealed { id: id(6) }));
        assert_eq!(Secret::new([8; 32]).unseal(id(5), &sealed), Err(UnsealError::Sealed { id: id(5) }));
        assert!(secret.unseal(id(5), &SealedPassphrase::from_stored(&[0; 10])).is_err());
        assert!(!sealed.as_bytes().windows(4).any(|window| window == b"v6ls"));
    }

    #[test]
    fn numbers_of_one_call_differ() {
        let seed = HandOutSeed::new([3; 32]);
        let numbers: Vec<u64> = seed.numbers(0).take(1_000).map(HandOutNumber::get).collect();
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), 1_000);
        for from in [0, 1, 4, 6, 997] {
            let again = seed.numbers(from as u32).take(3).map(HandOutNumber::get);
            assert_eq!(again.collect::<Vec<_>>(), numbers[from..from + 3]);
        }
        assert_eq!(seed.number().get(), numbers[0]);
        assert_ne!(seed.number(), HandOutSeed::new([4; 32]).number());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let secret = Secret::new([7; 32]);
        let sealed = secret.seal(id(5), &Passphrase::parse("x").unwrap(), [9; 24]);
        let printed = format!(
            "{secret:?} {:?} {sealed:?} {:?}",
            LinkKey::Derived(HandOutNumber::new(77), SecretId::FIRST),
            HandOutSeed::new([1; 32])
        );
        assert_eq!(printed, "Secret Derived(HandOutNumber, SecretId(1)) SealedPassphrase HandOutSeed");
    }

    #[test]
    fn a_secret_has_32_bytes_and_a_fingerprint_of_its_own() {
        assert_eq!(Secret::from_slice(&[1; 31]).unwrap_err(), SecretError { length: 31 });
        assert_eq!(Secret::new([1; 32]).fingerprint(), Secret::from_slice(&[1; 32]).unwrap().fingerprint());
        assert_ne!(Secret::new([1; 32]).fingerprint(), Secret::new([2; 32]).fingerprint());
    }
}
