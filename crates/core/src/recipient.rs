//! Recipients: for whom passports are reserved. They can be forgotten without touching the history.

use std::{collections::HashSet, fmt, sync::Arc};

use crate::{RecipientId, Reserve};

/// How a brand knows somebody: an order number, a customer's number. 1 to 200 bytes without control characters.
///
/// It stands for a person and names none, so it may be shown where names may not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(Box<str>);

impl Reference {
    pub const MAX_BYTES: usize = 200;

    /// Trims blanks, then judges what is left.
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        short_line(text, Self::MAX_BYTES).map(Self).ok_or(RecipientError::Reference)
    }

    /// Takes back what [`Reference::as_str`] gave.
    pub fn from_stored(text: String) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What tells who somebody is: a name, or an e-mail address. It is never written to a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal(Box<str>);

impl Personal {
    /// As long as an e-mail address may be.
    pub const MAX_BYTES: usize = 254;

    /// A name: 1 to 254 bytes without control characters. Blanks around it are trimmed.
    pub fn name(text: &str) -> Result<Self, RecipientError> {
        short_line(text, Self::MAX_BYTES).map(Self).ok_or(RecipientError::Name)
    }

    /// An e-mail address: something on both sides of an `@` and no blank. Whether it exists only a letter tells.
    pub fn email(text: &str) -> Result<Self, RecipientError> {
        let is_address = |text: &str| {
            let (local, domain) = text.rsplit_once('@').unwrap_or_default();
            !local.is_empty() && !domain.is_empty() && !text.contains(char::is_whitespace)
        };
        short_line(text, Self::MAX_BYTES).filter(|text| is_address(text)).map(Self).ok_or(RecipientError::Email)
    }

    /// Takes back what [`Personal::reveal`] gave.
    pub fn from_stored(text: String) -> Self {
        Self(text.into())
    }

    /// The text: to be shown to those alone who may see it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal")
    }
}

/// Somebody: a name, an e-mail address and a reference, or any part of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    name: Option<Personal>,
    email: Option<Personal>,
    reference: Option<Reference>,
}

impl Recipient {
    pub fn new(
        name: Option<Personal>,
        email: Option<Personal>,
        reference: Option<Reference>,
    ) -> Result<Self, RecipientError> {
        if name.is_none() && email.is_none() && reference.is_none() {
            return Err(RecipientError::Empty);
        }
        Ok(Self { name, email, reference })
    }

    pub fn name(&self) -> Option<&Personal> {
        self.name.as_ref()
    }

    pub fn email(&self) -> Option<&Personal> {
        self.email.as_ref()
    }

    pub fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }
}

/// The recipients of one reservation in their order, of whom no two have one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients(Arc<[Recipient]>);

impl Recipients {
    pub const MAX: usize = Reserve::MAX_COUNT as usize;

    pub fn new(recipients: Vec<Recipient>) -> Result<Self, RecipientsError> {
        if recipients.is_empty() || recipients.len() > Self::MAX {
            return Err(RecipientsError::Count { count: recipients.len() });
        }
        let mut known = HashSet::with_capacity(recipients.len());
        for (position, recipient) in recipients.iter().enumerate() {
            if let Some(reference) = &recipient.reference
                && !known.insert(reference)
            {
                return Err(RecipientsError::Doubled { position, reference: reference.clone() });
            }
        }
        Ok(Self(recipients.into()))
    }

    pub fn as_slice(&self) -> &[Recipient] {
        &self.0
    }
}

/// The recipients of a reservation that is about to be made: passport by passport.
#[derive(Clone, Debug)]
pub struct NewRecipients {
    /// The name of the first. The others follow it.
    pub first: RecipientId,
    /// As many as the reservation has passports.
    pub recipients: Recipients,
}

/// A recipient that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRecipient {
    pub id: RecipientId,
    pub recipient: Recipient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    #[error("a recipient has a name, an e-mail address or a reference")]
    Empty,
    #[error("a name has 1 to {} bytes and no control character", Personal::MAX_BYTES)]
    Name,
    #[error("an e-mail address has an @ between two parts, no blank, and at most {} bytes", Personal::MAX_BYTES)]
    Email,
    #[error("a reference has 1 to {} bytes and no control character", Reference::MAX_BYTES)]
    Reference,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientsError {
    #[error("a reservation has 1 to {} recipients, not {count}", Recipients::MAX)]
    Count { count: usize },
    /// Counted from zero: the second of the two.
    #[error("two recipients have the reference \"{reference}\"")]
    Doubled { position: usize, reference: Reference },
}

fn short_line(text: &str, max: usize) -> Option<Box<str>> {
    let text = text.trim();
    let fits = (1..=max).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn referred(reference: &str) -> Recipient {
        Recipient::new(None, None, Some(Reference::parse(reference).unwrap())).unwrap()
    }

    #[test]
    fn a_recipient_has_any_part_but_not_none() {
        assert_eq!(Recipient::new(None, None, None), Err(RecipientError::Empty));
        let ada = Recipient::new(Some(Personal::name(" Ada ").unwrap()), None, None).unwrap();
        assert_eq!(ada.name().map(Personal::reveal), Some("Ada"));
        assert_eq!(Personal::name(""), Err(RecipientError::Name));
        assert_eq!(Personal::name("a\nb"), Err(RecipientError::Name));
        assert_eq!(Reference::parse(&"r".repeat(201)), Err(RecipientError::Reference));
        assert!(Personal::email("ada@brand.example").is_ok());
        for bad in ["ada", "@brand", "ada@", "a da@brand.example", ""] {
            assert_eq!(Personal::email(bad), Err(RecipientError::Email), "{bad:?}");
        }
    }

    #[test]
    fn nobody_is_named_in_a_log() {
        let name = Some(Personal::name("Ada").unwrap());
        let ada = Recipient::new(name, None, Some(Reference::parse("A-1").unwrap())).unwrap();
        assert!(!format!("{ada:?}").contains("Ada"), "{ada:?}");
    }

    #[test]
    fn no_two_recipients_have_one_reference() {
        assert!(Recipients::new(vec![referred("1"), referred("2")]).is_ok());
        let doubled = Recipients::new(vec![referred("1"), referred("2"), referred("1")]);
        assert_eq!(doubled, Err(RecipientsError::Doubled { position: 2, reference: Reference::parse("1").unwrap() }));
        assert_eq!(Recipients::new(Vec::new()), Err(RecipientsError::Count { count: 0 }));
        let unnamed = Recipient::new(Some(Personal::name("Ada").unwrap()), None, None).unwrap();
        assert!(Recipients::new(vec![unnamed.clone(), unnamed]).is_ok(), "two people may have one name");
    }
}
