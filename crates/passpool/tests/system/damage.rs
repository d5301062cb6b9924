//! Damage done by hand: `check` finds it, and names the place.

mod shops;
mod wrongs;

use self::wrongs::{OF_A_DAY, OF_LINKS, OF_OPERATORS, Wrong};
use crate::{shop::Shop, watch::rounds};

/// Tells each of these stories on a file and on a PostgreSQL.
macro_rules! on_each_store {
    ($($story:ident),* $(,)?) => {
        mod on_files {
            $(#[test] fn $story() { super::$story(crate::shop::Shop::on_a_file()) })*
        }
        mod on_postgres {
            $(#[test] fn $story() { super::$story(crate::shop::Shop::on_postgres()) })*
        }
    };
}

on_each_store!(
    any_one_deleted_journal_row_is_found,
    a_deleted_journal_row_is_found_in_a_long_journal,
    every_other_contradiction_is_found,
    what_happened_to_a_link_cannot_be_made_unhappened,
    whatever_is_wrong_with_what_operators_left_is_found_and_its_place_named,
    any_one_deleted_row_of_what_operators_did_is_found,
);

/// What `check` does not find of this, or whose place it does not name.
fn missed(shop: &Shop, statement: &str, place: &str) -> Option<String> {
    let damaged = shop.copy();
    damaged.damage(statement);
    let ended = damaged.run(&["check"]);
    let is_named = ended.stdout.lines().any(|line| line.starts_with(place));
    let is_found = ended.code == Some(1) && is_named;
    (!is_found).then(|| format!("{statement}: no {place:?} in\n{}{}", ended.stdout, ended.stderr))
}

fn assert_all_found<'a>(shop: &Shop, wrongs: impl Iterator<Item = (&'a str, &'a str)>) {
    let missed: Vec<String> = wrongs.filter_map(|(statement, place)| missed(shop, statement, place)).collect();
    assert!(missed.is_empty(), "{} were not found:\n{}", missed.len(), missed.join("\n"));
}

fn assert_each_found(shop: &Shop, wrongs: &[Wrong]) {
    let here = wrongs.iter().filter_map(|wrong| Some((wrong.statement(shop.is_on_postgres())?, wrong.place)));
    assert_all_found(shop, here);
}

fn assert_each_row_is_missed(shop: &Shop) {
    let rows = shop.sql("SELECT seq FROM journal ORDER BY seq");
    let statements: Vec<String> = rows.lines().map(|seq| format!("DELETE FROM journal WHERE seq = {seq}")).collect();
    assert_all_found(shop, statements.iter().map(|statement| (statement.as_str(), "")));
}

fn assert_kinds(shop: &Shop, wanted: &[&str]) {
    let kinds = shop.sql("SELECT DISTINCT kind FROM journal");
    for kind in wanted {
        assert!(kinds.lines().any(|line| line == *kind), "no {kind} in {kinds}");
    }
}

fn any_one_deleted_journal_row_is_found(shop: Shop) {
    let shop = shops::of_a_day(shop);
    assert_eq!(shop.sql("SELECT count(*) FROM journal"), (6 + 4 + 1 + 1 + 1).to_string());
    assert_each_row_is_missed(&shop);
}

fn a_deleted_journal_row_is_found_in_a_long_journal(shop: Shop) {
    shop.create(rounds(50_000, 5_000), "vip");
    shop.done(&["reserve", "--tags", "vip", "--count", "1000"]);
    for which in [
        "seq = (SELECT min(seq) FROM journal)",
        "seq = (SELECT max(seq) FROM journal)",
        "seq = (SELECT (min(seq) + max(seq)) / 2 FROM journal)",
        "seq = (SELECT seq FROM journal ORDER BY random() LIMIT 1)",
    ] {
        assert_eq!(missed(&shop, &format!("DELETE FROM journal WHERE {which}"), ""), None);
    }
}

fn every_other_contradiction_is_found(shop: Shop) {
    assert_each_found(&shops::of_a_day(shop), OF_A_DAY);
}

fn what_happened_to_a_link_cannot_be_made_unhappened(shop: Shop) {
    let shop = shops::lived_in(shop);
    assert_kinds(&shop, &["previewed", "scanned", "claimed", "transferred", "airdropped", "recovered", "withdrawn"]);
    assert_each_row_is_missed(&shop);
    assert_each_found(&shop, OF_LINKS);
}

fn whatever_is_wrong_with_what_operators_left_is_found_and_its_place_named(shop: Shop) {
    assert_each_found(&shops::run_by_operators(shop), OF_OPERATORS);
}

fn any_one_deleted_row_of_what_operators_did_is_found(shop: Shop) {
    let shop = shops::run_by_operators(shop);
    assert_kinds(&shop, &["extended", "reset", "restored", "retagged"]);
    assert_each_row_is_missed(&shop);
}
