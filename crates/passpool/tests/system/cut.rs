//! Cuts: the process is taken away in the middle of a verb that works in slices. What is done is whole, and who asks again
//! gets the rest.

use std::{collections::BTreeMap, thread};

use serde_json::{Value, json};

use crate::{
    client::Answer,
    process::PATIENCE,
    shop::Shop,
    watch::{rounds, within},
};

/// Of how many a slice is, at most.
const SLICE: u64 = 5_000;

/// A shop of which one verb is cut off again and again.
struct Cut {
    shop: Shop,
    key: String,
    passports: u64,
    /// How many rounds were cut between the first and the last slice.
    in_the_middle: usize,
}

impl Cut {
    fn new() -> Self {
        // Some slices' worth.
        let passports = rounds(30_000, 15_000);
        let shop = Shop::with(passports as u32, "vip");
        let key = shop.key("crm", "certCreate");
        Self { shop, key, passports, in_the_middle: 0 }
    }

    /// A call that is answered with JSON.
    fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = self.shop.serve().client(&self.key).post_json(path, body);
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.body);
        answer.json()
    }

    /// Reserves all that there is, for an hour. Gives the reservation's path.
    fn reserve_all(&self) -> String {
        let body = json!({"tags": ["vip"], "count": self.passports, "expires_in": 3_600});
        format!("/v1/reservations/{}", self.ask("/v1/reservations", &body)["id"].as_str().unwrap())
    }

    /// Kills the server in the middle of a call, each round a little later, and sees that the database is whole. Gives how
    /// many passports the call has changed.
    fn cut_off(&mut self, round: u64, path: &str, body: &Value) -> u64 {
        let last_row = || self.shop.sql("SELECT max(seq) FROM journal").parse::<u64>().unwrap();
        let begin = last_row();
        let server = self.shop.serve();
        let client = server.client(&self.key);
        let (called, sent) = (path.to_owned(), body.to_string());
        let call = thread::spawn(move || client.try_post(&called, "application/json", &sent));
        // The slice behind this one runs by then, or what comes behind it.
        let slices = 1 + round % (self.passports / SLICE - 1);
        within(PATIENCE, "the slices", || (last_row() - begin >= slices * SLICE).then_some(()));
        for _ in 0..round {
            last_row();
        }
        server.kill();
        let answered = call.join().unwrap();
        // Nothing was stopped or repaired before this look.
        self.shop.check();
        let done = last_row() - begin;
        assert!(answered.is_err() || done == self.passports, "{answered:?}");
        self.in_the_middle += usize::from(done < self.passports);
        done
    }

    /// Fails unless so many are reserved, each under the link that it had.
    fn assert_reserved(&self, count: u64, links: &BTreeMap<u64, String>) {
        let reserved = self.shop.given("reserved");
        assert_eq!(reserved.len() as u64, count);
        assert!(reserved.iter().all(|(id, passphrase)| links.get(id) == Some(passphrase)), "a link is another");
        assert_eq!(self.shop.count("available"), self.passports - count);
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert!(self.in_the_middle > 0, "no round was cut in the middle");
        }
    }
}

#[test]
fn a_reset_that_is_cut_off_has_done_whole_passports_and_is_finished_by_another() {
    let mut cut = Cut::new();
    for round in 0..rounds(10, 1) {
        cut.reserve_all();
        let links = cut.shop.given("reserved");
        let reset = json!({"tags": ["vip"]});
        let done = cut.cut_off(round, "/v1/resets", &reset);
        cut.assert_reserved(cut.passports - done, &links);
        let rest = cut.ask("/v1/resets", &reset);
        assert_eq!((&rest["count"], &rest["changed_since"]), (&json!(cut.passports - done), &json!(0)));
        cut.assert_reserved(0, &links);
        // What the cut reset took is remembered like the rest, and comes back.
        let kept = cut.shop.sql("SELECT 'rs_' || lower(hex(id)) FROM reset WHERE undone IS NULL");
        let undone = kept.lines().map(|id| cut.ask(&format!("/v1/resets/{id}/undo"), &json!({}))["count"].as_u64());
        assert_eq!(undone.map(Option::unwrap).sum::<u64>(), cut.passports);
        cut.assert_reserved(cut.passports, &links);
        assert_eq!(cut.ask("/v1/resets", &reset)["count"], cut.passports);
        cut.shop.check();
    }
}

#[test]
fn a_reset_of_a_preview_that_is_cut_off_is_finished_by_the_same_preview() {
    let mut cut = Cut::new();
    for round in 0..rounds(10, 1) {
        cut.reserve_all();
        let links = cut.shop.given("reserved");
        let preview = json!({"preview": cut.ask("/v1/resets", &json!({"tags": ["vip"], "dry_run": true}))["preview"]});
        let done = cut.cut_off(round, "/v1/resets", &preview);
        cut.assert_reserved(cut.passports - done, &links);
        let rest = cut.ask("/v1/resets", &preview);
        assert_eq!((&rest["count"], &rest["changed_since"]), (&json!(cut.passports - done), &json!(done)));
        cut.assert_reserved(0, &links);
        cut.shop.check();
    }
}

#[test]
fn a_cancel_that_is_cut_off_has_done_whole_passports_and_is_finished_by_another() {
    let mut cut = Cut::new();
    for round in 0..rounds(10, 1) {
        let cancel = format!("{}/cancel", cut.reserve_all());
        let links = cut.shop.given("reserved");
        let done = cut.cut_off(round, &cancel, &json!({}));
        cut.assert_reserved(cut.passports - done, &links);
        let rest = cut.ask(&cancel, &json!({}));
        assert_eq!((&rest["count"], &rest["others"]), (&json!(cut.passports - done), &json!(done)));
        cut.assert_reserved(0, &links);
        cut.shop.check();
    }
}

#[test]
fn an_undo_that_is_cut_off_has_done_whole_passports_and_is_finished_by_another() {
    let mut cut = Cut::new();
    cut.reserve_all();
    let links = cut.shop.given("reserved");
    for round in 0..rounds(10, 1) {
        let reset = cut.ask("/v1/resets", &json!({"tags": ["vip"]}));
        assert_eq!(reset["count"], cut.passports);
        let undo = format!("/v1/resets/{}/undo", reset["id"].as_str().unwrap());
        let done = cut.cut_off(round, &undo, &json!({}));
        cut.assert_reserved(done, &links);
        if done < cut.passports {
            let rest = cut.ask(&undo, &json!({}));
            assert_eq!((&rest["count"], &rest["others"]), (&json!(cut.passports - done), &json!(0)));
        }
        cut.assert_reserved(cut.passports, &links);
        let again: Answer = cut.shop.serve().client(&cut.key).post_json(&undo, &json!({}));
        assert_eq!((again.status, &again.json()["type"]), (409, &json!("/problems/reset-undone")), "{}", again.body);
        cut.shop.check();
    }
}

#[test]
fn an_extension_that_is_cut_off_has_done_whole_passports_and_is_finished_by_another() {
    let mut cut = Cut::new();
    let reservation = cut.reserve_all();
    let links = cut.shop.given("reserved");
    let extend = format!("{reservation}/extend");
    let ends = |cut: &Cut| -> Vec<(u64, u64)> {
        let rows = cut.shop.sql("SELECT until, count(*) FROM passport GROUP BY until ORDER BY until");
        let number = |text: &str| text.parse().unwrap();
        rows.lines()
            .map(|line| line.split_once('|').unwrap())
            .map(|(end, count)| (number(end), number(count)))
            .collect()
    };
    for round in 0..rounds(10, 1) {
        let before = ends(&cut);
        assert_eq!((before.len(), before[0].1), (1, cut.passports), "all have one end");
        let done = cut.cut_off(round, &extend, &json!({"expires_in": 7_200 + 60 * round}));
        let after: u64 = cut.shop.sql("SELECT until FROM reservation").parse().unwrap();
        let expected = [(before[0].0, cut.passports - done), (after, done)];
        assert_eq!(ends(&cut), expected.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>());
        cut.assert_reserved(cut.passports, &links);
        let again = cut.ask(&extend, &json!({"expires_in": 7_230 + 60 * round}));
        assert_eq!((&again["count"], &again["others"]), (&json!(cut.passports), &json!(0)));
        cut.shop.check();
    }
}
