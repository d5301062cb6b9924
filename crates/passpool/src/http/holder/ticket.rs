//! Tickets: what a browser is handed and has to hand back, signed so that nobody else can write it.
//!
//! The server keeps nothing of them.

use passpool_core::{Link, Purpose, Secret, Signed, Timestamp, WalletAddress, WholeSeconds};

/// How long a page may stay open before its form is refused and shown anew.
const FORM_FOR: u64 = 24 * 3_600;
/// How long a browser is known as the one that claimed.
pub(in crate::http) const OWNERSHIP_FOR: u64 = 30 * 24 * 3_600;
/// How long a kiosk knows a browser again.
pub(in crate::http) const VISITOR_FOR: u64 = 400 * 24 * 3_600;

/// The hidden field of a form that claims a passport: good for this link alone.
pub(super) fn claim_form(secret: &Secret, link: &Link, now: Timestamp) -> String {
    let expiry = expiry(now, FORM_FOR);
    write(&[&expiry.to_string()], sign_link(secret, Purpose::ClaimForm, link, &[&expiry.to_be_bytes()]))
}

pub(super) fn is_claim_form(secret: &Secret, link: &Link, ticket: &str, now: Timestamp) -> bool {
    let Some(([expiry], signed)) = read(ticket) else { return false };
    let Some(expiry) = running(expiry, now) else { return false };
    signed == sign_link(secret, Purpose::ClaimForm, link, &[&expiry.to_be_bytes()])
}

/// The cookie of the browser that claimed a passport for this wallet.
pub(super) fn ownership(secret: &Secret, link: &Link, owner: WalletAddress, now: Timestamp) -> String {
    let expiry = expiry(now, OWNERSHIP_FOR);
    let fields: [&[u8]; 2] = [&expiry.to_be_bytes(), owner.as_bytes()];
    write(&[&expiry.to_string(), &owner.to_string()], sign_link(secret, Purpose::Ownership, link, &fields))
}

/// For which wallet the browser that has this cookie claimed.
pub(super) fn owner(secret: &Secret, link: &Link, ticket: &str, now: Timestamp) -> Option<WalletAddress> {
    let ([expiry, owner], signed) = read(ticket)?;
    let (expiry, owner) = (running(expiry, now)?, WalletAddress::parse(owner).ok()?);
    let fields: [&[u8]; 2] = [&expiry.to_be_bytes(), owner.as_bytes()];
    (signed == sign_link(secret, Purpose::Ownership, link, &fields)).then_some(owner)
}

/// The hidden field of a kiosk's form.
pub(super) fn kiosk_form(secret: &Secret, kiosk: &str, now: Timestamp) -> String {
    let expiry = expiry(now, FORM_FOR);
    write(&[&expiry.to_string()], secret.sign(Purpose::KioskForm, &[kiosk.as_bytes(), &expiry.to_be_bytes()]))
}

pub(super) fn is_kiosk_form(secret: &Secret, kiosk: &str, ticket: &str, now: Timestamp) -> bool {
    let Some(([expiry], signed)) = read(ticket) else { return false };
    let Some(expiry) = running(expiry, now) else { return false };
    signed == secret.sign(Purpose::KioskForm, &[kiosk.as_bytes(), &expiry.to_be_bytes()])
}

/// The cookie by which a kiosk knows a browser: a random number.
pub(crate) fn kiosk_visitor(secret: &Secret, number: [u8; 16]) -> String {
    write(&[&hex(&number)], secret.sign(Purpose::KioskVisitor, &[&number]))
}

pub(crate) fn read_kiosk_visitor(secret: &Secret, ticket: &str) -> Option<[u8; 16]> {
    let ([number], signed) = read(ticket)?;
    let number = unhex(number)?;
    (signed == secret.sign(Purpose::KioskVisitor, &[&number])).then_some(number)
}

fn sign_link(secret: &Secret, purpose: Purpose, link: &Link, fields: &[&[u8]]) -> Signed {
    let passport = link.passport.get().to_be_bytes();
    let mut all: Vec<&[u8]> = vec![&passport, link.passphrase.reveal().as_bytes()];
    all.extend(fields);
    secret.sign(purpose, &all)
}

fn expiry(now: Timestamp, seconds: u64) -> i64 {
    now.plus(WholeSeconds::new(seconds).expect("a ticket's life is a span")).as_micros() / 1_000_000
}

/// The moment in a ticket, if it has not come yet.
fn running(expiry: &str, now: Timestamp) -> Option<i64> {
    expiry.parse().ok().filter(|expiry| now.as_micros() / 1_000_000 < *expiry)
}

/// Fields and a signature between dots.
fn write(fields: &[&str], signed: Signed) -> String {
    format!("{}.{}", fields.join("."), hex(signed.as_bytes()))
}

fn read<const FIELDS: usize>(ticket: &str) -> Option<([&str; FIELDS], Signed)> {
    let (fields, signed) = ticket.rsplit_once('.')?;
    let fields: Vec<&str> = fields.split('.').collect();
    Some((fields.try_into().ok()?, Signed::from_bytes(unhex(signed)?)))
}

fn hex(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let is_whole = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_whole.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn link(text: &str) -> Link {
        Link::parse(&format!("https://h/{text}")).unwrap()
    }

    fn after(seconds: u64) -> Timestamp {
        NOON.plus(WholeSeconds::new(seconds).unwrap())
    }

    #[test]
    fn a_form_is_good_for_its_link_and_for_a_day() {
        let secret = Secret::new([7; 32]);
        let ticket = claim_form(&secret, &link("5,abc"), NOON);
        let check = |secret: &Secret, text: &str, ticket: &str, now: Timestamp, expected: bool| {
            assert_eq!(is_claim_form(secret, &link(text), ticket, now), expected, "{text} {ticket}");
        };
        check(&secret, "5,abc", &ticket, after(FORM_FOR - 1), true);
        check(&secret, "5,abc", &ticket, after(FORM_FOR), false);
        check(&secret, "5,abd", &ticket, NOON, false);
        check(&secret, "6,abc", &ticket, NOON, false);
        check(&Secret::new([8; 32]), "5,abc", &ticket, NOON, false);
        check(&secret, "5,abc", &ticket.replacen("18", "19", 1), NOON, false);
        for nonsense in ["", ".", "1.2", "a.b.c", &kiosk_form(&secret, "5", NOON), &format!("{ticket}0")] {
            check(&secret, "5,abc", nonsense, NOON, false);
        }
    }

    #[test]
    fn a_browser_is_known_as_the_owners_for_30_days() {
        let secret = Secret::new([7; 32]);
        let [alice, bob] = [1, 2].map(|byte| WalletAddress::from_bytes([byte; 20]));
        let ticket = ownership(&secret, &link("5,abc"), alice, NOON);
        assert_eq!(owner(&secret, &link("5,abc"), &ticket, after(OWNERSHIP_FOR - 1)), Some(alice));
        assert_eq!(owner(&secret, &link("5,abc"), &ticket, after(OWNERSHIP_FOR)), None);
        assert_eq!(owner(&secret, &link("6,abc"), &ticket, NOON), None);
        let forged = ticket.replace(&alice.to_string(), &bob.to_string());
        assert_ne!(forged, ticket);
        assert_eq!(owner(&secret, &link("5,abc"), &forged, NOON), None);
    }

    #[test]
    fn a_kiosk_knows_only_whom_it_numbered() {
        let secret = Secret::new([7; 32]);
        let ticket = kiosk_visitor(&secret, [9; 16]);
        assert_eq!(read_kiosk_visitor(&secret, &ticket), Some([9; 16]));
        assert_eq!(read_kiosk_visitor(&Secret::new([8; 32]), &ticket), None);
        assert_eq!(read_kiosk_visitor(&secret, &ticket.replacen('0', "1", 1)), None);
        let form = kiosk_form(&secret, "expo", NOON);
        assert!(is_kiosk_form(&secret, "expo", &form, after(FORM_FOR - 1)));
        assert!(!is_kiosk_form(&secret, "expo", &form, after(FORM_FOR)));
        assert!(!is_kiosk_form(&secret, "other", &form, NOON));
    }
}
