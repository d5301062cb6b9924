//! The steps of random histories.

use passpool_core::Rule;
use proptest::{collection::vec, prelude::*};

/// One step of a history. Tags are bits of a number, and whatever was made before is meant by its place among its kind, so
/// that a failing history is short to read.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create { count: u8, tags: u8 },
    Import { slices: Vec<(u8, u8)>, is_published: bool },
    Reserve { tags: u8, rule: Rule, count: u8, is_partial: bool, hold: Option<u8>, is_kept: bool },
    Open { nth: u8 },
    Claim { nth: u8 },
    Recover { nth: u8 },
    Retag { nth: u8, tags: u8 },
    Reset { of: Which, is_kept: bool },
    Preview { of: Which },
    ResetPreview { nth: u8 },
    Undo { nth: u8 },
    Cancel { nth: u8 },
    Extend { nth: u8, seconds: u8 },
    Wait { seconds: u32 },
    EndHolds,
    Forget,
    Reopen,
}

/// Which passports a reset means.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    Tagged { tags: u8, rule: Rule },
    Reservation { nth: u8 },
    Named { nth: Vec<u8> },
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        2 => (1_u8..16, rule()).prop_map(|(tags, rule)| Which::Tagged { tags, rule }),
        1 => nth().prop_map(|nth| Which::Reservation { nth }),
        1 => vec(nth(), 1..4).prop_map(|nth| Which::Named { nth }),
    ]
}

/// Mostly one of the newest.
fn nth() -> impl Strategy<Value = u8> {
    prop_oneof![3 => 0_u8..3, 1 => any::<u8>()]
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![Just(Rule::And), Just(Rule::Or)]
}

/// Mostly seconds, so that holds end now and then; sometimes a preview is over, and seldom a reset.
fn wait() -> impl Strategy<Value = u32> {
    prop_oneof![20 => 1_u32..15, 3 => 300_u32..1_000, 1 => 40_000_u32..90_000]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1_u8..20, 0_u8..16).prop_map(|(count, tags)| Step::Create { count, tags }),
        1 => (vec((1_u8..60, 0_u8..16), 1..3), any::<bool>())
            .prop_map(|(slices, is_published)| Step::Import { slices, is_published }),
        8 => (1_u8..16, rule(), 1_u8..12, any::<bool>(), proptest::option::of(1_u8..40), any::<bool>()).prop_map(
            |(tags, rule, count, is_partial, hold, is_kept)| Step::Reserve { tags, rule, count, is_partial, hold, is_kept }
        ),
        3 => nth().prop_map(|nth| Step::Open { nth }),
        2 => nth().prop_map(|nth| Step::Claim { nth }),
        1 => nth().prop_map(|nth| Step::Recover { nth }),
        1 => (nth(), 0_u8..16).prop_map(|(nth, tags)| Step::Retag { nth, tags }),
        4 => (which(), any::<bool>()).prop_map(|(of, is_kept)| Step::Reset { of, is_kept }),
        2 => which().prop_map(|of| Step::Preview { of }),
        2 => nth().prop_map(|nth| Step::ResetPreview { nth }),
        4 => nth().prop_map(|nth| Step::Undo { nth }),
        1 => nth().prop_map(|nth| Step::Cancel { nth }),
        2 => (nth(), 0_u8..40).prop_map(|(nth, seconds)| Step::Extend { nth, seconds }),
        3 => wait().prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::EndHolds),
        1 => Just(Step::Forget),
        1 => Just(Step::Reopen),
    ]
}
