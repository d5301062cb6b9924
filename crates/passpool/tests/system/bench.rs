//! The bench: it measures in databases of its own, tells what a number needs beside it, and leaves nothing behind.
//!
//! No time is asserted here, only the shape: a quick run fails by itself if a ratio is far from what it should be.

use std::fs;

use serde_json::Value;

use crate::{
    process::{PATIENCE, Process},
    schema,
    shop::Shop,
    watch::within,
};

fn is_empty(shop: &Shop) -> bool {
    fs::read_dir(shop.folder()).unwrap().next().is_none()
}

#[test]
fn a_quick_run_finds_the_shape_that_was_promised() {
    let shop = Shop::empty();
    let report = shop.done(&["bench", "--quick", "--json", "--svg", "curves.svg", "--postgres", &schema::postgres()]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let machine = &report["machine"];
    assert!(machine["store"].as_str().unwrap().ends_with("WAL, synchronous=FULL"), "{machine}");
    assert_eq!(machine["shared_cores"], true);
    for told in ["processor", "system", "file_system"] {
        assert!(!machine[told].as_str().unwrap().is_empty(), "{told}: {machine}");
    }
    let rows = report["rows"].as_array().unwrap();
    for case in [
        "ceiling",
        "reserve",
        "size",
        "drained",
        "tags",
        "overlap",
        "bulk",
        "transfer",
        "mixed",
        "start",
        "postgres",
        "postgres-size",
        "postgres-overlap",
    ] {
        assert!(rows.iter().any(|row| row["case"] == case), "{case} was not measured");
    }
    let promises = report["promises"].as_array().unwrap();
    let by_time = |promise: &&Value| promise["by_processor_time"].is_number();
    let ratios: Vec<_> = promises.iter().filter(by_time).collect();
    assert_eq!(ratios.len(), 7, "{promises:?}");
    assert!(ratios.iter().all(|ratio| ratio["in_shape"] == true), "{ratios:?}");
    let curves = fs::read_to_string(shop.folder().join("curves.svg")).unwrap();
    assert!(curves.starts_with("<svg") && curves.contains("<polyline"), "{curves}");
    fs::remove_file(shop.folder().join("curves.svg")).unwrap();
    assert!(is_empty(&shop), "the bench left something behind");
}

#[test]
fn what_was_made_in_a_postgresql_is_gone_afterwards_also_if_somebody_stops_it() {
    let shop = Shop::on_postgres();
    let case =
        ["bench", "--quick", "--case", "postgres-overlap", "--postgres", &schema::postgres(), "--seconds", "600"];
    let mut bench = Process::spawn(&mut shop.command(&case));
    let named = format!("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'passpool_bench_{}_%'", bench.id());
    let schemas = || shop.sql(&named);
    within(PATIENCE, "the measurement's schema", || (schemas() != "0").then_some(()));
    bench.signal("TERM");
    assert_eq!(bench.end_within(PATIENCE).code, Some(1));
    assert_eq!(schemas(), "0");
    shop.refused(
        1,
        &["bench", "--quick", "--case", "postgres", "--postgres", "postgres://127.0.0.1:1/none"],
        &["--postgres"],
    );
}

#[test]
fn a_case_can_be_chosen_and_says_why_it_is_left_out() {
    let shop = Shop::empty();
    let chosen = shop.done(&["bench", "--quick", "--case", "ceiling", "--case", "postgres", "--rounds", "1"]);
    assert!(chosen.contains("healthz") && !chosen.contains("reserveOne"), "{chosen}");
    assert!(chosen.contains("postgres: left out"), "{chosen}");
    shop.refused(2, &["bench", "--case", "everything"], &["everything"]);
    shop.refused(1, &["bench", "--quick", "--dir", "nowhere"], &["nowhere"]);
}

#[test]
fn whoever_stops_it_finds_nothing_left_behind() {
    let shop = Shop::empty();
    let mut bench = Process::spawn(&mut shop.command(&["bench", "--quick", "--case", "reserve", "--seconds", "600"]));
    bench.said(|line| line.starts_with("Rounds:").then_some(()));
    bench.signal("TERM");
    let ended = bench.end_within(PATIENCE);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), "error: interrupted\n"));
    assert!(is_empty(&shop), "the bench left something behind");
}
