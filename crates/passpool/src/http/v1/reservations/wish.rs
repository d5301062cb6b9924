//! What a reservation is asked for with.

use passpool_core::{
    HandOutSeed, Kept, NewRecipients, Note, ParameterDigest, Personal, Recipient, RecipientError, RecipientId,
    Recipients, RecipientsError, Reference, Repeat, ReservationId, Reserve, Selector, SelectorError, Shortage, Tag,
    WholeSeconds,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    clock::random,
    handout::HandoutFormat,
    http::{
        problem::{Flaw, Problem},
        v1::{
            caller::{CertCreate, May},
            idempotency::Once,
            whole,
            words::{Format, RuleWord, TagWord},
        },
    },
};

/// Passports for somebody: all of them, or none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::v1) struct NewReservation {
    #[schema(value_type = Vec<TagWord>, min_items = 1, max_items = 32)]
    tags: Vec<String>,
    tag_rule: Option<RuleWord>,
    #[schema(minimum = 1, maximum = 100_000)]
    #[serde(deserialize_with = "whole::one")]
    count: u32,
    shortage: Option<ShortageWord>,
    /// For whom the passports are, in their order: as many as `count`.
    #[schema(min_items = 1, max_items = 100_000)]
    recipients: Option<Vec<NewRecipient>>,
    /// After how many seconds the passports come back by themselves; never, if it is left out.
    #[schema(minimum = 1, maximum = 315_360_000)]
    #[serde(default, deserialize_with = "whole::some")]
    expires_in: Option<u32>,
    #[schema(min_length = 1, max_length = 2000, pattern = "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]+$")]
    note: Option<String>,
    format: Option<Format>,
}

/// What becomes of a call that asks for more than there is: `refuse` takes none, `partial` what there is.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http::v1) enum ShortageWord {
    #[default]
    Refuse,
    Partial,
}

/// Somebody: a name, an e-mail address and a reference, or any part of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::v1) struct NewRecipient {
    #[schema(min_length = 1, max_length = 254)]
    name: Option<String>,
    #[schema(min_length = 3, max_length = 254, pattern = ".@.")]
    email: Option<String>,
    /// How the brand knows this person: an order's number, a customer's. No two recipients of a reservation have one.
    #[schema(min_length = 1, max_length = 200)]
    reference: Option<String>,
}

impl NewReservation {
    pub(in crate::http::v1) fn format(&self) -> HandoutFormat {
        self.format.unwrap_or_default().into()
    }

    /// The same as a wish to the store. Everything that is wrong with it is told at once.
    pub(in crate::http::v1) fn into_wish(
        self,
        app: &App,
        by: May<CertCreate>,
        once: Once,
        path: &str,
    ) -> Result<Reserve, Problem> {
        let mut flaws = Vec::new();
        let parameters = self.parameters();
        let with_content = self.format() == HandoutFormat::Content;
        let selector = selector(&self.tags, self.tag_rule.unwrap_or_default(), &mut flaws);
        if !(1..=Reserve::MAX_COUNT).contains(&self.count) {
            let wrong = format!("it must be from 1 to {}, not {}", Reserve::MAX_COUNT, self.count);
            flaws.push(Flaw::body("/count", wrong));
        }
        let expires_in = read(self.expires_in, "/expires_in", |span| WholeSeconds::new(span.into()), &mut flaws);
        let note = read(self.note, "/note", |note| Note::parse(&note), &mut flaws);
        let recipients = self.recipients.and_then(|given| recipients(given, self.count, &mut flaws));
        let Some(selector) = selector.filter(|_| flaws.is_empty()) else { return Err(Problem::Invalid(flaws)) };
        let (by, now) = (by.actor(), app.clock.now());
        let repeat = once.0.map(|key| Repeat { record: key.digest(&by.to_string(), path), parameters });
        let recipients = recipients
            .map(|recipients| NewRecipients { first: RecipientId::new(now, random(&*app.entropy)), recipients });
        let id = ReservationId::new(now, random(&*app.entropy));
        Ok(Reserve {
            selector,
            count: self.count,
            shortage: match self.shortage.unwrap_or_default() {
                ShortageWord::Refuse => Shortage::Refuse,
                ShortageWord::Partial => Shortage::Partial,
            },
            by,
            now,
            until: expires_in.map(|span| now.plus(span)),
            keep: Some(Kept { id, repeat, note, recipients }),
            seed: HandOutSeed::new(random(&*app.entropy)),
            with_content,
        })
    }

    /// Everything that makes another call of it. The order of the tags does not.
    fn parameters(&self) -> ParameterDigest {
        let mut tags: Vec<&str> = self.tags.iter().map(|tag| tag.trim()).collect();
        tags.sort_unstable();
        tags.dedup();
        let numbers = [tags.len().to_string(), self.count.to_string(), written(self.expires_in)];
        let recipients = self.recipients.as_deref();
        let how_many = written(recipients.map(<[_]>::len));
        let shortage = match self.shortage.unwrap_or_default() {
            ShortageWord::Refuse => "refuse",
            ShortageWord::Partial => "partial",
        };
        let words = [self.tag_rule.unwrap_or_default().as_str(), shortage, self.format().as_str(), &how_many];
        let of_recipient =
            |one: &NewRecipient| [mark(one.name.as_ref()), mark(one.email.as_ref()), mark(one.reference.as_ref())];
        let recipients: Vec<String> = recipients.unwrap_or_default().iter().flat_map(of_recipient).collect();
        let note = mark(self.note.as_ref());
        let parts = numbers.iter().map(String::as_str).chain(words).chain([note.as_str()]).chain(tags);
        ParameterDigest::of(parts.chain(recipients.iter().map(String::as_str)))
    }
}

/// A text that may be missing, so that a missing one is not an empty one.
fn mark(text: Option<&String>) -> String {
    text.map_or_else(String::new, |text| format!("={text}"))
}

fn written(number: Option<impl ToString>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// Reads a field that may be missing.
fn read<T, U, E: ToString>(
    given: Option<T>,
    pointer: &str,
    read: impl FnOnce(T) -> Result<U, E>,
    flaws: &mut Vec<Flaw>,
) -> Option<U> {
    given.and_then(|given| read(given).map_err(|wrong| flaws.push(Flaw::body(pointer, wrong))).ok())
}

/// The selector that the fields `tags` and `tag_rule` of a body make.
pub(in crate::http::v1) fn selector(tags: &[String], rule: RuleWord, flaws: &mut Vec<Flaw>) -> Option<Selector> {
    let before = flaws.len();
    let mut read = Vec::with_capacity(tags.len());
    for (place, tag) in tags.iter().enumerate() {
        match Tag::parse(tag) {
            Ok(tag) => read.push(tag),
            Err(wrong) => flaws.push(Flaw::body(format!("/tags/{place}"), wrong)),
        }
    }
    if flaws.len() > before {
        return None;
    }
    let selector = Selector::new(read, rule.into());
    selector.map_err(|wrong: SelectorError| flaws.push(Flaw::body("/tags", wrong))).ok()
}

fn recipients(given: Vec<NewRecipient>, count: u32, flaws: &mut Vec<Flaw>) -> Option<Recipients> {
    let before = flaws.len();
    if given.len() != count as usize {
        let wrong = format!("there are {} recipients for {count} passports; each gets one", given.len());
        flaws.push(Flaw::body("/recipients", wrong));
    }
    let mut read = Vec::with_capacity(given.len());
    for (place, one) in given.into_iter().enumerate() {
        match recipient(one) {
            Ok(recipient) => read.push(recipient),
            Err((field, wrong)) => flaws.push(Flaw::body(format!("/recipients/{place}{field}"), wrong)),
        }
        if flaws.len() > before + FLAWS_AT_MOST {
            return None;
        }
    }
    if flaws.len() > before {
        return None;
    }
    let wrong = |wrong: RecipientsError| {
        let pointer = match &wrong {
            RecipientsError::Doubled { position, .. } => format!("/recipients/{position}/reference"),
            RecipientsError::Count { .. } => "/recipients".to_owned(),
        };
        flaws.push(Flaw::body(pointer, wrong));
    };
    Recipients::new(read).map_err(wrong).ok()
}

/// How many recipients that are wrong are told of at once.
const FLAWS_AT_MOST: usize = 20;

fn recipient(given: NewRecipient) -> Result<Recipient, (&'static str, RecipientError)> {
    let at = |field: &'static str| move |wrong| (field, wrong);
    let name = given.name.map(|text| Personal::name(&text)).transpose().map_err(at("/name"))?;
    let email = given.email.map(|text| Personal::email(&text)).transpose().map_err(at("/email"))?;
    let reference = given.reference.map(|text| Reference::parse(&text)).transpose().map_err(at("/reference"))?;
    Recipient::new(name, email, reference).map_err(at(""))
}
