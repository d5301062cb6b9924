//! Visitors of a kiosk: how one is known again, and what is asked of the store for them.

use axum::{
    http::{HeaderMap, header},
    response::Response,
};
use passpool_core::{HandOutSeed, KioskVisitor, Purpose};
use passpool_store::{AddressDigest, Door, Given, StoreError, Visit};

use super::holder::{cookie, ticket};
use crate::{address::VisitorAddress, app::App, clock::random};

const COOKIE: &str = "passpool_visitor";

/// A browser, known by the number in its cookie.
pub(super) struct Browser {
    pub(super) number: [u8; 16],
    /// The cookie that it has to be given, if it had none of ours.
    new: Option<axum::http::HeaderValue>,
}

impl Browser {
    pub(super) fn of(app: &App, headers: &HeaderMap) -> Self {
        let known = cookie::read(headers, COOKIE).and_then(|ticket| ticket::read_kiosk_visitor(&app.secret, ticket));
        if let Some(number) = known {
            return Self { number, new: None };
        }
        let number = random(&*app.entropy);
        let ticket = ticket::kiosk_visitor(&app.secret, number);
        Self { number, new: Some(cookie::set(COOKIE, &ticket, ticket::VISITOR_FOR, app.is_https())) }
    }

    /// The answer, with the cookie if the browser has none.
    pub(super) fn greet(self, mut answer: Response) -> Response {
        if let Some(cookie) = self.new {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
        answer
    }
}

/// Asks for a passport for this visitor.
pub(super) async fn visit(
    app: &App,
    door: Door,
    visitor: KioskVisitor,
    address: VisitorAddress,
    with_content: bool,
) -> Result<Given, StoreError> {
    let home = address.home().to_string();
    let wish = Visit {
        door,
        visitor,
        address: AddressDigest::new(*app.secret.sign(Purpose::Address, &[home.as_bytes()]).as_bytes()),
        held_at_most: app.held_per_address,
        seed: HandOutSeed::new(random(&*app.entropy)),
        with_content,
        now: app.clock.now(),
    };
    app.store.visit_kiosk(wish).await
}
