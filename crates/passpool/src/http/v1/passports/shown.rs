//! Passports as they are shown.

use passpool_core::{HandOut, KeptRecipient, State, Tags};
use passpool_store::{ListedPassport, PassportNow};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::http::v1::{
    events::EventShown,
    reservations::RecipientShown,
    words::{StateWord, rfc_3339},
};

#[derive(Serialize, ToSchema)]
pub(in crate::http::v1) struct PassportList {
    pub passports: Vec<PassportSummary>,
    /// The next page's cursor, if there is a next page. A page may be short, or empty, although there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A passport in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct PassportSummary {
    passport_id: u64,
    #[schema(value_type = StateWord)]
    state: &'static str,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    handed_out_at: Option<String>,
    /// When its hold ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_id: Option<String>,
    /// The wallet that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

impl PassportSummary {
    pub(crate) fn of(found: &ListedPassport) -> Self {
        Self {
            passport_id: found.passport.get(),
            state: found.state.as_str(),
            tags: written(&found.tags),
            handed_out_at: found.handed_out_at.map(rfc_3339),
            until: found.until.map(rfc_3339),
            reservation_id: found.reservation.map(|id| id.to_string()),
            owner: found.owner.map(|owner| owner.to_string()),
        }
    }
}

/// A passport, and everything that is known of it but its link.
#[derive(Serialize, ToSchema)]
#[schema(as = Passport)]
pub(crate) struct PassportShown {
    #[serde(flatten)]
    summary: PassportSummary,
    #[schema(value_type = Object)]
    content: Box<RawValue>,
    /// For whom it is. Names show to those alone who may reserve.
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<RecipientShown>,
    /// The kiosk that gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    kiosk: Option<String>,
    /// The oldest first.
    history: Vec<EventShown>,
}

impl PassportShown {
    pub(crate) fn of(found: PassportNow, sees_names: bool) -> Self {
        let hand_out = found.state.hand_out();
        let recipient = |kept: &KeptRecipient| match sees_names {
            true => RecipientShown::of(&kept.recipient),
            false => RecipientShown::reference_of(&kept.recipient),
        };
        let summary = PassportSummary {
            passport_id: found.passport.get(),
            state: found.state.name().as_str(),
            tags: written(&found.tags),
            handed_out_at: hand_out.map(|hand_out| rfc_3339(hand_out.at)),
            until: hand_out.and_then(|hand_out| hand_out.until).map(rfc_3339),
            reservation_id: hand_out.and_then(|hand_out: &HandOut| hand_out.reservation).map(|id| id.to_string()),
            owner: match &found.state {
                State::Claimed { owner, .. } => Some(owner.to_string()),
                _ => None,
            },
        };
        Self {
            summary,
            content: RawValue::from_string(found.content.as_str().to_owned()).expect("content is JSON"),
            recipient: found.recipient.as_ref().map(recipient),
            kiosk: found.kiosk.map(|kiosk| kiosk.to_string()),
            history: found.history.into_iter().map(EventShown::of).collect(),
        }
    }
}

fn written(tags: &Tags) -> Vec<String> {
    tags.iter().map(ToString::to_string).collect()
}
