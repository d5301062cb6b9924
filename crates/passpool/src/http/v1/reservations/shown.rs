//! Reservations as they are shown.

use passpool_core::{Note, Recipient, Reference, Rule, StateName, Tag};
use passpool_store::{ReservationInfo, ReservationNow, StateCounts};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    handout::{Handout, HandoutEntry, HandoutFormat},
    http::v1::words::rfc_3339,
};

/// A reservation that was made just now, or before with the same `Idempotency-Key`.
#[derive(Serialize, ToSchema)]
#[schema(as = Reservation)]
pub(crate) struct MadeReservation<'a> {
    #[schema(pattern = "^rv_[0-9a-f]{32}$")]
    pub id: String,
    /// How many there are: with `partial` perhaps fewer than were asked for.
    pub count: usize,
    /// With the format `link` as described; with `linkObject` and `content` those objects.
    #[schema(value_type = Vec<LinkShown>)]
    pub links: Vec<Reserved<'a>>,
}

/// One of the links of a reservation: in the format `link` an id, a link and perhaps a recipient.
#[derive(Serialize, ToSchema)]
#[schema(as = ReservedLink)]
pub(in crate::http::v1) struct LinkShown {
    #[schema(required = false)]
    passport_id: u64,
    #[schema(required = false)]
    link: String,
    recipient: Option<RecipientShown>,
}

/// A hand-out in the format that was asked for.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Reserved<'a> {
    Link {
        passport_id: u64,
        link: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        recipient: Option<RecipientShown>,
    },
    Other(HandoutEntry<'a>),
}

impl<'a> Reserved<'a> {
    pub(crate) fn of(handout: &'a Handout, format: HandoutFormat, recipient: Option<&Recipient>) -> Self {
        match format {
            HandoutFormat::Link => Self::Link {
                passport_id: handout.passport.get(),
                link: &handout.link,
                recipient: recipient.map(RecipientShown::of),
            },
            format => Self::Other(handout.entry(format)),
        }
    }
}

/// Somebody, as far as it is known who.
#[derive(Serialize, ToSchema)]
#[schema(as = Recipient)]
pub(crate) struct RecipientShown {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

impl RecipientShown {
    pub(crate) fn of(recipient: &Recipient) -> Self {
        Self {
            name: recipient.name().map(|name| name.reveal().to_owned()),
            email: recipient.email().map(|email| email.reveal().to_owned()),
            reference: recipient.reference().map(|reference| reference.as_str().to_owned()),
        }
    }

    /// The same for whoever may not see names.
    pub(in crate::http::v1) fn reference_of(recipient: &Recipient) -> Self {
        let reference = recipient.reference().map(Reference::as_str);
        Self { name: None, email: None, reference: reference.map(str::to_owned) }
    }
}

/// A reservation as it was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReservationSummary {
    #[schema(pattern = "^rv_[0-9a-f]{32}$")]
    id: String,
    #[schema(format = DateTime)]
    made_at: String,
    made_by: String,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    tag_rule: Option<&'static str>,
    /// When the hold ends, as it was extended last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Shown to those alone who may reserve.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// How many recipients are kept for it.
    recipients: u64,
}

impl ReservationSummary {
    pub(crate) fn of(info: ReservationInfo, sees_note: bool) -> Self {
        let selector = info.selector.as_ref();
        Self {
            id: info.id.to_string(),
            made_at: rfc_3339(info.at),
            made_by: info.by.to_string(),
            count: info.count,
            tags: selector.map(|selector| selector.tags().iter().map(Tag::to_string).collect()),
            tag_rule: selector.map(|selector| Rule::as_str(selector.rule())),
            until: info.until.map(rfc_3339),
            note: info.note.as_ref().filter(|_| sees_note).map(|note| Note::reveal(note).to_owned()),
            recipients: info.recipients,
        }
    }
}

/// A reservation, and where its passports are now.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReservationShown {
    #[serde(flatten)]
    summary: ReservationSummary,
    /// Its passports by state, as long as they are its own.
    states: Counts,
    /// How many are no longer its own: given back, taken back or withdrawn.
    gone: u64,
}

impl ReservationShown {
    pub(crate) fn of(found: ReservationNow, sees_note: bool) -> Self {
        Self {
            states: Counts::of(&found.states),
            gone: found.gone,
            summary: ReservationSummary::of(found.info, sees_note),
        }
    }
}

/// How many passports are in each state.
#[derive(Serialize, ToSchema)]
pub(crate) struct Counts {
    available: u64,
    reserved: u64,
    scanned: u64,
    pending: u64,
    claimed: u64,
    recovered: u64,
    withdrawn: u64,
    total: u64,
}

impl Counts {
    pub(crate) fn of(counts: &StateCounts) -> Self {
        Self {
            available: counts.of(StateName::Available),
            reserved: counts.of(StateName::Reserved),
            scanned: counts.of(StateName::Scanned),
            pending: counts.of(StateName::Pending),
            claimed: counts.of(StateName::Claimed),
            recovered: counts.of(StateName::Recovered),
            withdrawn: counts.of(StateName::Withdrawn),
            total: counts.total(),
        }
    }
}

/// What became of a wish about many passports.
#[derive(Serialize, ToSchema)]
pub(crate) struct Touched {
    /// How many it was done to.
    pub count: u64,
    /// How many it was not done to, because their state does not allow it any more.
    pub others: u64,
}

impl From<passpool_store::Touched> for Touched {
    fn from(done: passpool_store::Touched) -> Self {
        Self { count: done.count, others: done.others }
    }
}
