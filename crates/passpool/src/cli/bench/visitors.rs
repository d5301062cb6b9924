//! Mixed load: brands reserve, people open their links, wallets claim, somebody looks at the counts, and a kiosk gives.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    connection::Answer,
    request,
    script::{Effect, Script, Unexpected},
    server::LINK_BASE,
};

/// The kinds of calls, by the numbers that effects name.
pub(super) const KINDS: [&str; 5] = ["reserve", "scan", "claim", "pool counts", "kiosk hold"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reserve,
    Scan,
    Claim,
    Counts,
    Hold,
}

use Kind::{Claim, Counts, Hold, Reserve, Scan};

/// Twenty calls: 80 % reserve, 10 % scan, 5 % claim, 5 % count.
const WITHOUT_KIOSK: [Kind; 20] = [
    Reserve, Reserve, Reserve, Reserve, Scan, Reserve, Reserve, Reserve, Reserve, Claim, //
    Reserve, Reserve, Reserve, Reserve, Scan, Reserve, Reserve, Reserve, Reserve, Counts,
];
/// The same, with a kiosk's visitors in the place of every eighth reservation.
const WITH_KIOSK: [Kind; 20] = [
    Reserve, Reserve, Hold, Reserve, Scan, Reserve, Reserve, Reserve, Reserve, Claim, //
    Reserve, Reserve, Hold, Reserve, Scan, Reserve, Reserve, Reserve, Reserve, Counts,
];
/// How many calls there are to a claim.
pub(super) const CALLS_A_CLAIM: u64 = 20;

/// What is the same for all connections.
#[derive(Clone, Debug)]
pub(super) struct Errands {
    pub(super) reserve: Vec<u8>,
    pub(super) counts: Vec<u8>,
    /// Claims that were signed beforehand: signing would cost the client more than all else.
    pub(super) claims: Arc<[String]>,
    pub(super) next_claim: Arc<AtomicU64>,
    /// How many visitors there were: each has an address of their own.
    pub(super) visitors: Arc<AtomicU64>,
    pub(super) with_kiosk: bool,
}

/// One connection's part of it.
#[derive(Debug)]
pub(super) struct Mixed {
    errands: Errands,
    step: usize,
    /// What was asked last.
    kind: Kind,
    request: Vec<u8>,
    /// The paths of links that were reserved here and that nobody has opened.
    unopened: VecDeque<String>,
}

impl Mixed {
    /// `number` is the connection's: each begins somewhere else.
    pub(super) fn new(errands: Errands, number: usize) -> Self {
        Self { errands, step: number, kind: Reserve, request: Vec::new(), unopened: VecDeque::new() }
    }

    fn visitor(&self) -> u64 {
        self.errands.visitors.fetch_add(1, Ordering::Relaxed)
    }

    /// None if nothing of this kind can be asked as yet.
    fn prepare(&mut self, kind: Kind) -> Option<Vec<u8>> {
        match kind {
            Reserve => Some(self.errands.reserve.clone()),
            Scan => self.unopened.pop_front().map(|path| request::visit(&path, self.visitor())),
            Claim => {
                let number = self.errands.next_claim.fetch_add(1, Ordering::Relaxed);
                let body = self.errands.claims.get(usize::try_from(number).ok()?)?;
                Some(request::visit_with("/v1/claims", self.visitor(), body))
            }
            Counts => Some(self.errands.counts.clone()),
            Hold => Some(request::visit("/api/certificate/one2Many/v3?label=vip&format=link", self.visitor())),
        }
    }
}

impl Script for Mixed {
    fn next(&mut self) -> &[u8] {
        let steps = if self.errands.with_kiosk { WITH_KIOSK } else { WITHOUT_KIOSK };
        let kind = steps[self.step % steps.len()];
        self.step += 1;
        (self.kind, self.request) = match self.prepare(kind) {
            Some(request) => (kind, request),
            None => (Reserve, self.errands.reserve.clone()),
        };
        &self.request
    }

    fn judge(&mut self, answer: Answer<'_>) -> Result<Effect, Unexpected> {
        let unexpected = || Unexpected::new(answer);
        if answer.status != 200 {
            return Err(unexpected());
        }
        let text = str::from_utf8(answer.body).map_err(|_| unexpected())?;
        let (is_right, taken) = match self.kind {
            Reserve => {
                let path = path_of(text).ok_or_else(unexpected)?;
                self.unopened.push_back(path.to_owned());
                (true, 1)
            }
            Scan => (text.starts_with("<!doctype html>"), 0),
            Claim => (text.ends_with(r#""state":"claimed"}"#), 0),
            Counts => (text.starts_with(r#"{"tag":"#), 0),
            Hold => (text.starts_with(LINK_BASE), 1),
        };
        if is_right { Ok(Effect { kind: self.kind as usize, taken }) } else { Err(unexpected()) }
    }
}

/// The path of the link in a link object.
fn path_of(link_object: &str) -> Option<&str> {
    let (_, link) = link_object.split_once("\"link\":\"")?;
    let (link, _) = link.split_once('"')?;
    link.strip_prefix(LINK_BASE)
}
