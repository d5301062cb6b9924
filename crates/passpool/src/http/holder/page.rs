//! The pages that a holder sees, and the headers that go with them.
//!
//! Style and script stand in the page itself, so that it is one answer and comes with the passport or not at all. The
//! policy names their hashes, and nothing else runs or draws.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use passpool_core::{PassportId, Timestamp, WalletAddress};
use sha2::{Digest, Sha256};

use super::{face::Face, words::Words};

/// A file that stands inside the pages.
pub(super) struct Asset {
    pub(super) text: &'static str,
}

impl Asset {
    pub(super) const STYLE: Self = Self { text: include_str!("../../../templates/page.css") };
    pub(super) const SCRIPT: Self = Self { text: include_str!("../../../templates/claim.js") };
    pub(super) const ICON: Self = Self { text: include_str!("../../../templates/icon.svg") };

    /// As a policy names it (CSP level 3, section 2.3.1).
    fn source(&self) -> String {
        format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(self.text)))
    }
}

/// A passport whose link is good, or whose owner looks.
#[derive(Template)]
#[template(path = "passport.html")]
pub(super) struct PassportPage {
    pub(super) words: &'static Words,
    pub(super) passport: PassportId,
    pub(super) face: Face,
    pub(super) view: View,
}

/// What the visitor may do.
pub(super) enum View {
    Claimable {
        /// The ticket of the form.
        form: String,
        until: Option<HoldEnd>,
        /// What was wrong with the last attempt, and what was typed then.
        trouble: Option<&'static str>,
        typed: String,
    },
    Yours {
        owner: WalletAddress,
    },
}

/// A page with a title and a sentence.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct NoticePage {
    pub(super) words: &'static Words,
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    pub(super) moment: Option<Moment>,
    /// Whether there is a way to the same page once more.
    pub(super) again: bool,
}

impl NoticePage {
    /// The one page of every link that opens nothing.
    pub(super) fn dead(words: &'static Words) -> Self {
        Self { words, title: words.dead, text: words.dead_why, moment: None, again: false }
    }
}

/// A kiosk that is open.
#[derive(Template)]
#[template(path = "kiosk.html")]
pub(super) struct KioskPage {
    pub(super) words: &'static Words,
    pub(super) form: String,
}

/// A moment in UTC, as RFC 3339 writes it.
pub(super) struct Moment(jiff::Timestamp);

impl Moment {
    pub(super) fn of(timestamp: Timestamp) -> Option<Self> {
        jiff::Timestamp::from_second(timestamp.as_micros() / 1_000_000).ok().map(Self)
    }

    fn day_and_hour(&self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M UTC").to_string()
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// When a hold ends. The page's script tells it in the visitor's own time; without it, it is UTC.
pub(super) struct HoldEnd {
    moment: Moment,
    /// The hour alone says which day is meant.
    is_near: bool,
}

impl HoldEnd {
    pub(super) fn of(until: Timestamp, now: Timestamp) -> Option<Self> {
        const NEAR_MICROS: i64 = 12 * 3_600 * 1_000_000;
        let is_near = until.as_micros() - now.as_micros() < NEAR_MICROS;
        Moment::of(until).map(|moment| Self { moment, is_near })
    }

    fn words(&self) -> String {
        if self.is_near { self.moment.0.strftime("%H:%M UTC").to_string() } else { self.moment.day_and_hour() }
    }
}

/// A page as an answer, under its policy.
pub(super) fn answer(status: StatusCode, page: &impl Template) -> Response {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let (style, script) = (Asset::STYLE.source(), Asset::SCRIPT.source());
        let policy = format!(
            "default-src 'none'; img-src 'self' https:; style-src {style}; script-src {script}; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'"
        );
        HeaderValue::try_from(policy).expect("a policy is ASCII")
    });
    const HEADERS: [(HeaderName, &str); 7] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::VARY, "accept, accept-language, cookie"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()"),
    ];
    let html = page.render().expect("our templates can be filled");
    (status, HEADERS, [(header::CONTENT_SECURITY_POLICY, POLICY.clone())], html).into_response()
}

#[cfg(test)]
mod tests {
    use passpool_core::WholeSeconds;

    use super::*;

    #[test]
    fn a_hold_that_ends_on_another_day_names_it() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let check = |seconds: u64, expected: &str| {
            let end = HoldEnd::of(now.plus(WholeSeconds::new(seconds).unwrap()), now).unwrap();
            assert_eq!(end.words(), expected, "{seconds}");
        };
        check(900, "08:15 UTC");
        check(12 * 3_600 - 1, "19:59 UTC");
        check(12 * 3_600, "2027-01-15 20:00 UTC");
        check(14 * 86_400, "2027-01-29 08:00 UTC");
    }
}
