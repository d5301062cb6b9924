//! The life of a passport, pair by pair: what every verb makes of every state, and what it refuses.

use std::collections::BTreeSet;

use passpool_core::{
    Code, HandOut, HandOutNumber, KioskId, LinkKey, Refusal, ReservationId, SealedPassphrase, SecretId, State,
    StateName, Terms, Timestamp, Untransferable, WalletAddress, WholeSeconds,
};
use proptest::prelude::*;

const QUARTER_OF_AN_HOUR: i64 = 15 * 60 * 1_000_000;
const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const ALICE: WalletAddress = WalletAddress::from_bytes([0xaa; 20]);
const BOB: WalletAddress = WalletAddress::from_bytes([0xbb; 20]);

fn after_noon(micros: i64) -> Timestamp {
    Timestamp::from_micros(NOON.as_micros() + micros)
}

fn sealed() -> SealedPassphrase {
    SealedPassphrase::from_stored(&[5; 52])
}

/// The secret of imported codes is another than that of new hand-outs, so that a mix-up shows.
const OLD_SECRET: SecretId = SecretId(1);
const NEW_SECRET: SecretId = SecretId(2);
const KIOSK: KioskId = KioskId(3);

fn terms(number: u64, at: Timestamp, until: Option<Timestamp>) -> Terms {
    let reservation = Some(ReservationId::new(NOON, [number as u8; 10]));
    Terms { number: HandOutNumber::new(number), secret: NEW_SECRET, at, until, reservation, kiosk: Some(KIOSK) }
}

fn hand_out(until: Option<Timestamp>) -> HandOut {
    let Terms { number, secret, reservation, .. } = terms(7, NOON, until);
    HandOut { key: LinkKey::Derived(number, secret), at: NOON, until, reservation, kiosk: Some(KIOSK) }
}

fn pending(hand_out: HandOut) -> State {
    State::Pending { hand_out, to: ALICE, settle_by: after_noon(QUARTER_OF_AN_HOUR) }
}

fn claimed(hand_out: HandOut) -> State {
    State::Claimed { hand_out, owner: ALICE }
}

/// Everything that can be done to a passport. Claims, transfers and airdrops go to the wallet they name, an extension
/// is by [`EXTENSION`], and the undo of a reset is about a passport that was this before it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Reserve,
    Open,
    Claim(WalletAddress),
    Transfer(WalletAddress),
    Airdrop(WalletAddress),
    Relink,
    Settle,
    Fail,
    Reset,
    ResetByName,
    UndoReset(Before),
    EndHold,
    Extend,
    Recover,
    Withdraw,
    Retag,
}

/// What a passport was before a reset. The last one is what no reset takes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Reserved,
    Scanned,
    Recovered,
    Claimed,
}

impl Before {
    fn state(self) -> State {
        match self {
            Self::Reserved => State::Reserved(hand_out(None)),
            Self::Scanned => State::Scanned(hand_out(None)),
            Self::Recovered => State::Recovered,
            Self::Claimed => claimed(hand_out(None)),
        }
    }
}

const EXTENSION: u64 = 20 * 60;

const VERBS: [(&str, Verb); 20] = [
    ("reserve", Verb::Reserve),
    ("open", Verb::Open),
    ("claim, Alice", Verb::Claim(ALICE)),
    ("claim, Bob", Verb::Claim(BOB)),
    ("transfer", Verb::Transfer(BOB)),
    ("airdrop", Verb::Airdrop(BOB)),
    ("new link", Verb::Relink),
    ("settle", Verb::Settle),
    ("fail", Verb::Fail),
    ("reset", Verb::Reset),
    ("reset by name", Verb::ResetByName),
    ("undo, reserved", Verb::UndoReset(Before::Reserved)),
    ("undo, scanned", Verb::UndoReset(Before::Scanned)),
    ("undo, recovered", Verb::UndoReset(Before::Recovered)),
    ("undo, claimed", Verb::UndoReset(Before::Claimed)),
    ("end of the hold", Verb::EndHold),
    ("extend", Verb::Extend),
    ("recover", Verb::Recover),
    ("withdraw", Verb::Withdraw),
    ("change tags", Verb::Retag),
];

impl Verb {
    fn apply(self, state: State, terms: Terms) -> Result<State, Refusal> {
        let now = terms.at;
        match self {
            Self::Reserve => state.reserve(terms),
            Self::Open => state.open(now),
            Self::Claim(owner) => state.claim(owner, now),
            Self::Transfer(to) => state.transfer(to, now),
            Self::Airdrop(to) => state.airdrop(to, terms),
            Self::Relink => state.relink(None, terms),
            Self::Settle => state.settle(now),
            Self::Fail => state.fail(now),
            Self::Reset => state.reset(now),
            Self::ResetByName => state.reset_by_name(now),
            Self::UndoReset(before) => state.undo_reset(before.state(), now),
            Self::EndHold => state.end_hold(now),
            Self::Extend => state.extend(now.plus(WholeSeconds::new(EXTENSION).unwrap()), now),
            Self::Recover => state.recover(),
            Self::Withdraw => state.withdraw(now),
            Self::Retag => state.retag(),
        }
    }
}

/// What became of it in a word: the next state, `no` for a state that forbids it, `dead` for a link that opens
/// nothing, `printed` for a code that is on something already.
fn outcome(result: &Result<State, Refusal>) -> &'static str {
    match result {
        Ok(state) => state.name().as_str(),
        Err(Refusal::LinkDead) => "dead",
        Err(Refusal::Printed) => "printed",
        Err(Refusal::WrongState { .. }) => "no",
        Err(other) => panic!("no transition answers {other:?}"),
    }
}

/// A row for each verb, a column for each state: what comes of it, as [`outcome`] words it.
const TABLE: &str = "
                 | plain     | imported  | printed   | reserved  | scanned   | pending | claimed   | recovered | withdrawn
reserve          | reserved  | reserved  | printed   | no        | no        | no      | no        | no        | no
open             | dead      | scanned   | scanned   | scanned   | scanned   | dead    | dead      | dead      | dead
claim, Alice     | dead      | claimed   | claimed   | claimed   | claimed   | dead    | claimed   | dead      | dead
claim, Bob       | dead      | claimed   | claimed   | claimed   | claimed   | dead    | dead      | dead      | dead
transfer         | dead      | pending   | pending   | pending   | pending   | dead    | dead      | dead      | dead
airdrop          | pending   | pending   | printed   | no        | no        | no      | no        | no        | no
new link         | reserved  | reserved  | reserved  | reserved  | reserved  | no      | no        | no        | no
settle           | no        | no        | no        | no        | no        | claimed | no        | no        | no
fail             | no        | no        | no        | no        | no        | scanned | no        | no        | no
reset            | no        | no        | no        | available | available | no      | no        | no        | no
reset by name    | no        | no        | no        | available | available | no      | no        | available | no
undo, reserved   | reserved  | no        | no        | no        | no        | no      | no        | no        | no
undo, scanned    | scanned   | no        | no        | no        | no        | no      | no        | no        | no
undo, recovered  | recovered | no        | no        | no        | no        | no      | no        | no        | no
undo, claimed    | no        | no        | no        | no        | no        | no      | no        | no        | no
end of the hold  | no        | no        | no        | no        | no        | no      | no        | no        | no
extend           | no        | no        | no        | reserved  | scanned   | no      | no        | no        | no
recover          | no        | no        | no        | no        | no        | no      | recovered | no        | no
withdraw         | withdrawn | withdrawn | withdrawn | withdrawn | withdrawn | no      | no        | withdrawn | no
change tags      | available | available | available | reserved  | scanned   | pending | claimed   | recovered | no
";

/// The states that the columns stand for. Nothing is held with an end here.
fn columns() -> [(&'static str, State); 9] {
    [
        ("plain", State::Available(Code::None)),
        ("imported", State::Available(Code::Imported(sealed(), OLD_SECRET))),
        ("printed", State::Available(Code::Printed(sealed(), OLD_SECRET))),
        ("reserved", State::Reserved(hand_out(None))),
        ("scanned", State::Scanned(hand_out(None))),
        ("pending", pending(hand_out(None))),
        ("claimed", claimed(hand_out(None))),
        ("recovered", State::Recovered),
        ("withdrawn", State::Withdrawn),
    ]
}

#[test]
fn every_verb_in_every_state_does_what_the_table_says() {
    let cells = |line: &'static str| line.split('|').map(str::trim);
    let mut lines = TABLE.trim_matches('\n').lines();
    let header: Vec<_> = cells(lines.next().unwrap()).skip(1).collect();
    assert_eq!(header, columns().map(|(name, _)| name));
    let rows: Vec<Vec<_>> = lines.map(|line| cells(line).collect()).collect();
    assert_eq!(rows.len(), VERBS.len());
    for ((name, verb), row) in VERBS.into_iter().zip(rows) {
        assert_eq!((name, columns().len() + 1), (row[0], row.len()));
        for ((column, state), expected) in columns().into_iter().zip(&row[1..]) {
            let name = state.name();
            let result = verb.apply(state, terms(8, NOON, None));
            assert_eq!(outcome(&result), *expected, "{verb:?} of {column}");
            if let Err(Refusal::WrongState { from, .. }) = result {
                assert_eq!(from, name, "{verb:?} of {column}");
            }
        }
    }
}

#[test]
fn a_refusal_says_what_was_wanted_and_what_is() {
    let check = |verb: Verb, state: State, expected: &str| {
        assert_eq!(verb.apply(state, terms(8, NOON, None)).unwrap_err().to_string(), expected);
    };
    check(Verb::Reserve, State::Withdrawn, "a passport that is withdrawn cannot be reserved");
    check(Verb::Reset, State::Recovered, "a passport that is recovered cannot be reset");
    check(Verb::ResetByName, claimed(hand_out(None)), "a passport that is claimed cannot be reset");
    check(Verb::Recover, State::Available(Code::None), "a passport that is available cannot be recovered");
    check(Verb::Withdraw, pending(hand_out(None)), "a passport that is pending cannot be withdrawn");
    check(Verb::Open, State::Withdrawn, "this link opens nothing");
}

#[test]
fn a_hold_is_over_from_its_end_on_and_not_a_moment_earlier() {
    let until = after_noon(60_000_000);
    let before = after_noon(59_999_999);
    let later = after_noon(60_000_001);
    let check = |verb: Verb, [just_before, at_the_end, just_after]: [&str; 3]| {
        for state in [State::Reserved(hand_out(Some(until))), State::Scanned(hand_out(Some(until)))] {
            for (now, expected) in [(before, just_before), (until, at_the_end), (later, just_after)] {
                let result = verb.apply(state.clone(), terms(8, now, None));
                let expected = if expected == "unchanged" { state.name().as_str() } else { expected };
                assert_eq!(outcome(&result), expected, "{verb:?} of {state:?} at {now:?}");
            }
        }
    };
    check(Verb::Reserve, ["no", "reserved", "reserved"]);
    check(Verb::Airdrop(BOB), ["no", "pending", "pending"]);
    check(Verb::Open, ["scanned", "dead", "dead"]);
    check(Verb::Claim(BOB), ["claimed", "dead", "dead"]);
    check(Verb::Transfer(BOB), ["pending", "dead", "dead"]);
    check(Verb::EndHold, ["no", "available", "available"]);
    // It is in the pool already, so there is nothing left to reset.
    check(Verb::Reset, ["available", "no", "no"]);
    check(Verb::ResetByName, ["available", "no", "no"]);
    // What has ended is not held again.
    check(Verb::Extend, ["unchanged", "no", "no"]);
    check(Verb::UndoReset(Before::Reserved), ["no", "no", "no"]);
    check(Verb::Withdraw, ["withdrawn", "withdrawn", "withdrawn"]);
    check(Verb::Recover, ["no", "no", "no"]);
    check(Verb::Retag, ["unchanged", "unchanged", "unchanged"]);
}

#[test]
fn an_extension_moves_the_end_and_nothing_else() {
    let check = |until: Option<i64>, new: i64, after: i64, expected: Result<(), Refusal>| {
        for held in [State::Reserved as fn(HandOut) -> State, State::Scanned] {
            let state = held(hand_out(until.map(after_noon)));
            let extended = state.clone().extend(after_noon(new), after_noon(after));
            let expected = expected.clone().map(|()| held(hand_out(Some(after_noon(new)))));
            assert_eq!(extended, expected, "{state:?} until {new} after {after} us");
        }
    };
    let over = |from| Err(Refusal::WrongState { from, wanted: "extended" });
    check(Some(60), 120, 59, Ok(()));
    check(Some(60), 30, 29, Ok(()));
    check(None, 30, 0, Ok(()));
    check(Some(60), 120, 60, over(StateName::Available));
    check(Some(60), 60, 60, Err(Refusal::EndInThePast));
    check(Some(60), 59, 60, Err(Refusal::EndInThePast));
    check(None, -1, 0, Err(Refusal::EndInThePast));
    // An end in the past is refused whatever the passport is.
    assert_eq!(State::Withdrawn.extend(NOON, NOON), Err(Refusal::EndInThePast));
}

#[test]
fn an_undo_gives_the_same_link_and_hold_back_unless_its_time_is_over() {
    let until = Some(after_noon(60));
    for before in [State::Reserved(hand_out(until)), State::Scanned(hand_out(until))] {
        let reset = before.clone().reset(after_noon(1)).unwrap();
        assert_eq!(reset, State::Available(Code::None));
        assert_eq!(reset.clone().undo_reset(before.clone(), after_noon(59)), Ok(before.clone()));
        for after in [60, 61] {
            let late = reset.clone().undo_reset(before.clone(), after_noon(after));
            assert_eq!(late.map_err(|refusal| refusal.code()), Err("wrong-state"), "{before:?} after {after} us");
        }
        // Somebody who got it meanwhile keeps it.
        let taken = reset.reserve(terms(9, after_noon(2), None)).unwrap();
        assert!(taken.undo_reset(before, after_noon(3)).is_err());
    }
    let reset = State::Recovered.reset_by_name(NOON).unwrap();
    assert_eq!(reset.undo_reset(State::Recovered, after_noon(i64::from(u32::MAX))), Ok(State::Recovered));
}

#[test]
fn a_passport_counts_as_not_held_before_anybody_wrote_that_down() {
    let check = |state: State, now: Timestamp, expected: State| {
        assert_eq!(state.clone().as_of(now), expected, "{state:?} as of {now:?}");
    };
    let held = hand_out(Some(after_noon(1)));
    check(State::Reserved(held.clone()), NOON, State::Reserved(held.clone()));
    check(State::Reserved(held.clone()), after_noon(1), State::Available(Code::None));
    check(State::Scanned(held.clone()), after_noon(1), State::Available(Code::None));
    // A claim is for good, whatever the hold before it said.
    check(claimed(held.clone()), after_noon(i64::from(u32::MAX)), claimed(held.clone()));
    check(State::Reserved(hand_out(None)), after_noon(i64::from(u32::MAX)), State::Reserved(hand_out(None)));
    // While the queue works on a transfer, the end of the hold waits.
    check(pending(held.clone()), after_noon(QUARTER_OF_AN_HOUR - 1), pending(held.clone()));
    check(pending(held), after_noon(QUARTER_OF_AN_HOUR), State::Available(Code::None));
    check(pending(hand_out(None)), after_noon(QUARTER_OF_AN_HOUR), State::Scanned(hand_out(None)));
    check(State::Recovered, after_noon(1), State::Recovered);
    check(State::Withdrawn, after_noon(1), State::Withdrawn);
}

#[test]
fn a_transfer_is_settled_within_15_minutes_or_has_failed() {
    let check = |hand_out: HandOut, verb: Verb, after: i64, expected: &str| {
        let result = verb.apply(pending(hand_out), terms(8, after_noon(after), None));
        assert_eq!(outcome(&result), expected, "{verb:?} after {after} us");
    };
    let endless = || hand_out(None);
    let held_for_a_minute = || hand_out(Some(after_noon(60_000_000)));
    check(endless(), Verb::Settle, QUARTER_OF_AN_HOUR - 1, "claimed");
    check(endless(), Verb::Settle, QUARTER_OF_AN_HOUR, "no");
    check(endless(), Verb::Settle, QUARTER_OF_AN_HOUR + 1, "no");
    check(endless(), Verb::Fail, 0, "scanned");
    check(endless(), Verb::Fail, QUARTER_OF_AN_HOUR, "scanned");
    // The hold went on meanwhile. It does not spoil a settlement, but nothing is left of it after a failure.
    check(held_for_a_minute(), Verb::Settle, 60_000_000, "claimed");
    check(held_for_a_minute(), Verb::Fail, 59_999_999, "scanned");
    check(held_for_a_minute(), Verb::Fail, 60_000_000, "available");
    check(held_for_a_minute(), Verb::Fail, QUARTER_OF_AN_HOUR, "available");
    // Until the time is over the passport is nobody else's; from then on it is what a failure made of it.
    check(endless(), Verb::Claim(BOB), QUARTER_OF_AN_HOUR - 1, "dead");
    check(endless(), Verb::Claim(BOB), QUARTER_OF_AN_HOUR, "claimed");
    check(endless(), Verb::Reset, QUARTER_OF_AN_HOUR - 1, "no");
    check(endless(), Verb::Reset, QUARTER_OF_AN_HOUR, "available");
    check(endless(), Verb::Withdraw, QUARTER_OF_AN_HOUR - 1, "no");
    check(endless(), Verb::Withdraw, QUARTER_OF_AN_HOUR, "withdrawn");
    check(held_for_a_minute(), Verb::Reserve, QUARTER_OF_AN_HOUR - 1, "no");
    check(held_for_a_minute(), Verb::Reserve, QUARTER_OF_AN_HOUR, "reserved");
}

#[test]
fn a_claim_may_be_repeated_by_its_owner_alone() {
    let reserved = State::Reserved(hand_out(Some(after_noon(10))));
    let first = reserved.claim(ALICE, NOON).unwrap();
    assert_eq!(first, State::Claimed { hand_out: hand_out(Some(after_noon(10))), owner: ALICE });
    // Also long after the hold would have ended.
    assert_eq!(first.clone().claim(ALICE, after_noon(1_000_000_000)), Ok(first.clone()));
    assert_eq!(first.clone().claim(BOB, NOON), Err(Refusal::LinkDead));
    assert_eq!(first.recover().unwrap().claim(ALICE, NOON), Err(Refusal::LinkDead));
}

#[test]
fn a_hand_out_remembers_its_terms_until_somebody_owns_the_passport() {
    let until = Some(after_noon(60_000_000));
    let wanted = hand_out(until);
    let reserved = State::Available(Code::None).reserve(terms(7, NOON, until)).unwrap();
    assert_eq!(reserved, State::Reserved(wanted.clone()));
    let scanned = reserved.open(after_noon(1)).unwrap();
    assert_eq!(scanned, State::Scanned(wanted.clone()), "opening does not lengthen a hold");
    assert_eq!(scanned.clone().open(after_noon(2)), Ok(scanned.clone()), "opening again changes nothing");
    let on_its_way = scanned.clone().transfer(BOB, after_noon(3)).unwrap();
    let settle_by = after_noon(3 + QUARTER_OF_AN_HOUR);
    assert_eq!(on_its_way, State::Pending { hand_out: wanted.clone(), to: BOB, settle_by });
    assert_eq!(on_its_way.clone().fail(after_noon(4)), Ok(scanned), "a failure gives back the same link");
    assert_eq!(on_its_way.settle(after_noon(4)), Ok(State::Claimed { hand_out: wanted, owner: BOB }));
}

#[test]
fn an_airdrop_needs_no_link_before_it() {
    let sent = State::Available(Code::None).airdrop(ALICE, terms(7, NOON, None)).unwrap();
    assert_eq!(sent, pending(hand_out(None)));
}

#[test]
fn a_new_link_kills_the_one_before_it() {
    let held = State::Scanned(hand_out(Some(after_noon(10))));
    let key = |state: &State| state.link_key(NOON);
    let again = held.clone().relink(None, terms(8, NOON, None)).unwrap();
    assert_eq!(key(&again), Some(LinkKey::Derived(HandOutNumber::new(8), NEW_SECRET)));
    assert_ne!(key(&again), key(&held));
    let chosen = held.relink(Some(sealed()), terms(8, NOON, None)).unwrap();
    assert_eq!(key(&chosen), Some(LinkKey::Imported(sealed(), NEW_SECRET)));
    // The code that came with an import counts as little as a link.
    let imported = State::Available(Code::Imported(SealedPassphrase::from_stored(&[6; 52]), OLD_SECRET));
    let chosen = imported.relink(Some(sealed()), terms(8, NOON, None)).unwrap();
    assert_eq!(key(&chosen), Some(LinkKey::Imported(sealed(), NEW_SECRET)));
}

#[test]
fn why_a_passport_cannot_be_transferred_is_told_in_the_contracts_order() {
    let check = |state: State, to: WalletAddress, expected: Result<LinkKey, Untransferable>| {
        assert_eq!(state.clone().transferable(to, NOON), expected, "{state:?}");
    };
    let key = hand_out(None).key;
    check(State::Withdrawn, BOB, Err(Untransferable::Unknown));
    check(claimed(hand_out(None)), ALICE, Err(Untransferable::AlreadyOwner));
    check(claimed(hand_out(None)), BOB, Err(Untransferable::OwnedByAnother));
    check(pending(hand_out(None)), ALICE, Err(Untransferable::Pending));
    check(State::Available(Code::None), BOB, Err(Untransferable::NoLink));
    check(State::Recovered, BOB, Err(Untransferable::NoLink));
    check(State::Reserved(hand_out(Some(NOON))), BOB, Err(Untransferable::NoLink));
    check(State::Reserved(hand_out(None)), BOB, Ok(key.clone()));
    check(State::Scanned(hand_out(None)), BOB, Ok(key));
    check(State::Available(Code::Printed(sealed(), OLD_SECRET)), BOB, Ok(LinkKey::Imported(sealed(), OLD_SECRET)));
}

#[test]
fn an_imported_code_is_used_up_by_the_first_hand_out() {
    let imported = State::Available(Code::Imported(sealed(), OLD_SECRET));
    let by_code = HandOut { key: LinkKey::Imported(sealed(), OLD_SECRET), ..hand_out(None) };
    let reserved = imported.clone().reserve(terms(7, NOON, None)).unwrap();
    assert_eq!(reserved, State::Reserved(by_code.clone()), "sealed under the secret of its import");
    let again = reserved.reset(NOON).unwrap().reserve(terms(9, NOON, None)).unwrap();
    assert_eq!(again.link_key(NOON), Some(LinkKey::Derived(HandOutNumber::new(9), NEW_SECRET)));
    // Somebody who knows the code from elsewhere is nobody's reservation.
    let found = HandOut { at: after_noon(1), reservation: None, kiosk: None, ..by_code };
    assert_eq!(imported.clone().open(after_noon(1)), Ok(State::Scanned(found.clone())));
    assert_eq!(imported.claim(ALICE, after_noon(1)), Ok(State::Claimed { hand_out: found, owner: ALICE }));
}

#[test]
fn a_printed_code_is_passed_over_and_leaves_the_pool_when_it_is_opened() {
    let printed = State::Available(Code::Printed(sealed(), OLD_SECRET));
    assert_eq!(printed.clone().reserve(terms(7, NOON, None)), Err(Refusal::Printed));
    let opened = printed.open(NOON).unwrap();
    let State::Scanned(hand_out) = &opened else { panic!("{opened:?} is not scanned") };
    assert_eq!(hand_out.key, LinkKey::Imported(sealed(), OLD_SECRET));
    // What was printed opens nothing after a reset, so from then on the passport is like any other.
    let reset = opened.reset(NOON).unwrap();
    assert_eq!(reset, State::Available(Code::None));
    assert!(reset.clone().open(NOON).is_err() && reset.reserve(terms(7, NOON, None)).is_ok());
}

/// Every step that a passport may take, by name.
fn is_a_step_of_the_table(from: StateName, verb: Verb, to: StateName) -> bool {
    use StateName::{Available, Claimed, Pending, Recovered, Reserved, Scanned, Withdrawn};
    match verb {
        Verb::Reserve => from == Available && to == Reserved,
        Verb::Open => matches!(from, Available | Reserved | Scanned) && to == Scanned,
        Verb::Claim(_) => matches!(from, Available | Reserved | Scanned | Claimed) && to == Claimed,
        Verb::Transfer(_) => matches!(from, Available | Reserved | Scanned) && to == Pending,
        Verb::Airdrop(_) => from == Available && to == Pending,
        Verb::Relink => matches!(from, Available | Reserved | Scanned) && to == Reserved,
        Verb::Settle => from == Pending && to == Claimed,
        Verb::Fail => from == Pending && matches!(to, Scanned | Available),
        Verb::Reset => matches!(from, Reserved | Scanned) && to == Available,
        Verb::ResetByName => matches!(from, Reserved | Scanned | Recovered) && to == Available,
        Verb::UndoReset(_) => from == Available && matches!(to, Reserved | Scanned | Recovered),
        Verb::EndHold => matches!(from, Reserved | Scanned) && to == Available,
        Verb::Extend => from == to && matches!(from, Reserved | Scanned),
        Verb::Recover => from == Claimed && to == Recovered,
        Verb::Withdraw => matches!(from, Available | Reserved | Scanned | Recovered) && to == Withdrawn,
        Verb::Retag => from == to && from != Withdrawn,
    }
}

fn number_of(state: &State) -> Option<u64> {
    match state {
        State::Reserved(hand_out)
        | State::Scanned(hand_out)
        | State::Pending { hand_out, .. }
        | State::Claimed { hand_out, .. } => match &hand_out.key {
            LinkKey::Derived(number, _) => Some(number.get()),
            LinkKey::Imported(..) => None,
        },
        State::Available(_) | State::Recovered | State::Withdrawn => None,
    }
}

/// A day in a shop: what is done, how many minutes later, and for how many minutes a reservation would hold.
fn history() -> impl Strategy<Value = Vec<(Verb, i64, Option<u64>)>> {
    let verb = prop::sample::select(VERBS.as_slice()).prop_map(|(_, verb)| verb);
    let step = (verb, 0..20_i64, prop::option::of(1..30_u64));
    prop::collection::vec(step, 1..60)
}

fn beginning() -> impl Strategy<Value = Code> {
    prop_oneof![Just(Code::None), Just(Code::Imported(sealed(), OLD_SECRET)), Just(Code::Printed(sealed(), OLD_SECRET)),]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_leaves_the_table(code in beginning(), history in history()) {
        let mut state = State::Available(code);
        let mut now = NOON;
        let mut dead = BTreeSet::new();
        // What the last reset took, as long as nothing has happened since.
        let mut taken: Option<State> = None;
        for (position, (verb, minutes, hold)) in history.into_iter().enumerate() {
            now = Timestamp::from_micros(now.as_micros() + minutes * 60_000_000);
            let until = hold.map(|minutes| now.plus(WholeSeconds::new(minutes * 60).unwrap()));
            let next = match (verb, &taken) {
                (Verb::UndoReset(_), None) => continue,
                (Verb::UndoReset(_), Some(before)) => state.clone().undo_reset(before.clone(), now),
                _ => verb.apply(state.clone(), terms(position as u64, now, until)),
            };
            let Ok(next) = next else { continue };
            let (written, holding) = (state.name(), state.clone().as_of(now).name());
            // The end of a hold and a failed transfer write down what already counts; all others step from what counts.
            let from = if matches!(verb, Verb::EndHold | Verb::Fail | Verb::Retag) { written } else { holding };
            prop_assert!(is_a_step_of_the_table(from, verb, next.name()), "{verb:?}: {state:?} became {next:?}");
            if let (State::Claimed { owner, .. }, State::Claimed { owner: later, .. }) = (&state, &next) {
                prop_assert_eq!(owner, later, "an owner loses a passport to a recovery alone");
            }
            // A link that was given up lives again by the undo of the reset that took it, and by nothing else.
            if let (Verb::UndoReset(_), Some(before)) = (verb, &taken) {
                prop_assert_eq!(&next, &before.clone().as_of(now), "it is given back as it was");
                prop_assert!(number_of(&next).is_none_or(|number| dead.remove(&number)), "{next:?} was not taken");
            }
            if number_of(&next) != number_of(&state) {
                dead.extend(number_of(&state));
            }
            prop_assert!(number_of(&next).is_none_or(|alive| !dead.contains(&alive)), "{next:?} was given up");
            taken = Some(state).filter(|_| matches!(verb, Verb::Reset | Verb::ResetByName));
            state = next;
        }
    }

    #[test]
    fn withdrawn_is_the_end(history in history()) {
        let mut now = NOON;
        for (position, (verb, minutes, _)) in history.into_iter().enumerate() {
            now = Timestamp::from_micros(now.as_micros() + minutes * 60_000_000);
            prop_assert!(verb.apply(State::Withdrawn, terms(position as u64, now, None)).is_err());
            prop_assert_eq!(State::Withdrawn.as_of(now), State::Withdrawn);
        }
    }
}
