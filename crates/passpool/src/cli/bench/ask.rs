//! What a row's callers ask for.

use std::sync::Arc;

use super::{
    request::{self, reserve_one, reset_all},
    script::{Expected, InTurn, KEY_DIGITS, Script},
    stand::Stand,
    stock::{TAG, each_of},
    visitors::{self, Errands, Mixed},
};

/// The call of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// `/healthz`.
    Health,
    /// An authenticated answer from memory.
    Ceiling,
    /// `reserveOne`.
    One(Pick),
    /// The same, each call with an idempotency key of its own.
    OneWithKey,
    /// `reserveOne` where nothing is left.
    NoneLeft(Pick),
    /// A reservation of so many.
    Many(u32),
    /// `resetAll`, which gives so many back.
    Reset(u64),
    /// Brands, people, wallets and operators at once, and a kiosk's visitors too if that is said.
    Mixed { kiosk: bool },
}

/// By which tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// The one that all have.
    Tag,
    /// One of so many, in turn.
    EachOf(u64),
    /// Two of which few passports have both.
    Both,
}

const KEY: &[u8; KEY_DIGITS] = b"####################";

impl Ask {
    /// The kinds of calls that it makes, if there are several.
    pub(super) const fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Mixed { .. } => &visitors::KINDS,
            _ => &[],
        }
    }

    /// How many passports a call is about.
    pub(super) const fn passports(self) -> u64 {
        match self {
            Self::Many(count) => count as u64,
            Self::Reset(count) => count,
            _ => 1,
        }
    }

    /// How many passports a call takes out of the pool at most.
    pub(super) const fn takes(self) -> u64 {
        match self {
            Self::Health | Self::Ceiling | Self::NoneLeft(_) | Self::Reset(_) => 0,
            Self::One(_) | Self::OneWithKey | Self::Mixed { .. } => 1,
            Self::Many(count) => count as u64,
        }
    }

    /// A script for each connection.
    pub(super) fn scripts(self, connections: usize, stand: &Stand) -> Vec<Box<dyn Script>> {
        let key = stand.key();
        let in_turn = |requests, expected| InTurn::new(requests, expected, stand.turn.clone());
        let script = match self {
            Self::Mixed { kiosk } => return mixed(connections, stand, kiosk),
            Self::Health => in_turn(vec![request::get("/healthz", key)], Expected::Ok),
            Self::Ceiling => in_turn(vec![request::get("/bench/ceiling", key)], Expected::FixedLink),
            Self::One(pick) => in_turn(pick.requests(key), Expected::Link),
            Self::NoneLeft(pick) => in_turn(pick.requests(key), Expected::NoneLeft),
            Self::OneWithKey => {
                let request = request::get_once(&reserve_one(TAG), key, KEY);
                InTurn::with_key(request, KEY, Expected::Link, stand.turn.clone())
            }
            Self::Many(count) => {
                let body = format!(r#"{{"tags":["{TAG}"],"count":{count}}}"#);
                in_turn(vec![request::post("/v1/reservations", key, &body)], Expected::Links(count))
            }
            Self::Reset(count) => in_turn(vec![request::get(&reset_all(TAG), key)], Expected::GivenBack(count)),
        };
        (0..connections).map(|_| Box::new(script.clone()) as Box<dyn Script>).collect()
    }
}

impl Pick {
    fn requests(self, key: &str) -> Vec<Vec<u8>> {
        let get = |tags: &str| request::get(&reserve_one(tags), key);
        match self {
            Self::Tag => vec![get(TAG)],
            Self::EachOf(tags) => (0..tags).map(|number| get(&each_of(number))).collect(),
            Self::Both => vec![get("left,right")],
        }
    }

    /// The tags of everything that it may have picked.
    pub(super) const fn tags(self) -> &'static str {
        match self {
            Self::Tag => TAG,
            Self::Both => "left,right",
            Self::EachOf(_) => panic!("a reset of a thousand tags is not measured"),
        }
    }
}

fn mixed(connections: usize, stand: &Stand, with_kiosk: bool) -> Vec<Box<dyn Script>> {
    let key = stand.key();
    let errands = Errands {
        reserve: request::get(&reserve_one(TAG), key),
        counts: request::get(&format!("/v1/pools/{TAG}"), key),
        claims: Arc::clone(&stand.claims),
        next_claim: stand.next_claim.clone(),
        visitors: stand.turn.clone(),
        with_kiosk,
    };
    (0..connections).map(|number| Box::new(Mixed::new(errands.clone(), number)) as Box<dyn Script>).collect()
}
