//! Copies that are cut off: wherever that is, the shop is in one database, or in none until the copy is finished.

use std::{process::Command, thread};

use crate::{
    copying::{copy, moved, try_to_reserve},
    process::{Ended, PATIENCE, Process},
    shop::Shop,
    watch::{Watch, rounds, within},
};

/// Where a shop is that was on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The source is open, and the target empty.
    Source,
    /// The source is open, and everything is in the target, which is closed.
    SourceBeforeIt,
    /// Both are closed.
    Neither,
    Target,
}

/// Fails if both are open.
fn find(from: &Shop, to: &Shop) -> Found {
    let source = try_to_reserve(from).stderr;
    // A target that is empty is not written, for that would make a database of it.
    let target = to.run(&["pool"]);
    match (source.contains("has moved to"), target.code) {
        (false, Some(1)) if target.stderr.contains("there is no database") => Found::Source,
        (false, Some(1)) if target.stderr.contains("is an unfinished copy of") => Found::SourceBeforeIt,
        (true, Some(1)) if target.stderr.contains("is an unfinished copy of") => Found::Neither,
        (true, Some(0)) => Found::Target,
        (is_closed, _) => panic!("the source is closed: {is_closed}, and the target says {target:?}"),
    }
}

/// The same copy, once more, ends well wherever it was cut; then the shop is in the target alone.
fn finish(from: &Shop, to: &Shop, cut_at: Found, passports: u64) {
    let to_be_told = if cut_at == Found::Neither { "An earlier copy" } else { "Copied" };
    if cut_at != Found::Target {
        assert!(moved(from, to).stderr.contains(to_be_told), "{cut_at:?}");
    }
    assert_eq!(find(from, to), Found::Target);
    to.check();
    assert_eq!((from.count("total"), to.count("total")), (passports, passports));
    // Whoever is told again that it is done did nothing.
    assert!(moved(from, to).stderr.contains("An earlier copy"));
    assert_eq!(to.done(&["reserve", "--tags", "vip"]).lines().count(), 1);
}

fn filled(shop: Shop, passports: u32) -> Shop {
    shop.create(passports, "vip");
    shop.done(&["reserve", "--tags", "vip", "--count", "100"]);
    shop
}

/// A file moves into a PostgreSQL, or the other way.
fn new_target(from: &Shop) -> Shop {
    if from.url().starts_with("sqlite:") { Shop::on_postgres() } else { Shop::on_a_file() }
}

/// Kills copies at moments that are spread over the whole of what an undisturbed one takes.
fn killed_at_any_moment(from: &Shop, passports: u32) {
    let watch = Watch::start();
    moved(from, &new_target(from));
    let whole = watch.elapsed();
    from.done(&["reopen"]);
    let rounds = rounds(40, 8);
    let mut cuts = Vec::new();
    for round in 1..=rounds {
        let to = new_target(from);
        std::fs::copy(from.secret(), to.secret()).unwrap();
        let process = Process::spawn(&mut copy(from, &to));
        // Not to wait for anything: this chooses the moment.
        thread::sleep(whole * round / rounds);
        process.kill();
        let cut_at = find(from, &to);
        cuts.push(cut_at);
        finish(from, &to, cut_at, passports.into());
        from.done(&["reopen"]);
        from.check();
    }
    assert!(cuts.contains(&Found::Source), "none was cut off in time: {cuts:?}");
}

#[test]
fn a_copy_into_postgresql_that_is_killed_leaves_the_shop_in_one_place() {
    let passports = rounds(30_000, 6_000);
    killed_at_any_moment(&filled(Shop::on_a_file(), passports), passports);
}

#[test]
fn a_copy_into_a_file_that_is_killed_leaves_the_shop_in_one_place() {
    let passports = rounds(30_000, 6_000);
    killed_at_any_moment(&filled(Shop::on_postgres(), passports), passports);
}

/// A session of the shop's database that holds a lock until it is ended.
fn holding(shop: &Shop, statements: &str) -> Process {
    let mut client = if shop.url().starts_with("sqlite:") {
        let mut sqlite = Command::new("sqlite3");
        sqlite.args(["-bail", "-cmd", ".timeout 100000"]).arg(shop.database());
        sqlite
    } else {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
            .arg(shop.url());
        psql
    };
    let mut session = Process::spawn(&mut client);
    session.write(&format!("{statements}\nSELECT 'held';\n"));
    session
}

fn has(session: &Process) {
    session.said(|line| (line == "held").then_some(()));
}

/// A copy that has written everything and cannot write down in the source that this is closed, before the gate is gone.
fn written(from: &Shop, to: &Shop) -> (Process, Process) {
    std::fs::copy(from.secret(), to.secret()).unwrap();
    let gate = holding(from, "BEGIN; LOCK TABLE whereabouts IN SHARE MODE;");
    has(&gate);
    let process = Process::spawn(&mut copy(from, to));
    let is_whole = || to.run(&["pool"]).stderr.contains("is an unfinished copy of").then_some(());
    within(PATIENCE, "the target", is_whole);
    (process, gate)
}

/// A copy that has closed the source and cannot write down in the target that this is open, before the gate is gone.
fn closed(from: &Shop, to: &Shop) -> (Process, Process) {
    let (process, first_gate) = written(from, to);
    let gate = holding(to, "BEGIN IMMEDIATE;");
    has(&gate);
    first_gate.kill();
    within(PATIENCE, "the source", || try_to_reserve(from).stderr.contains("has moved to").then_some(()));
    (process, gate)
}

#[test]
fn a_copy_into_a_file_that_is_killed_before_the_source_is_closed_begins_anew() {
    killed_before_the_source_is_closed(&Shop::on_a_file());
}

#[test]
fn a_copy_into_postgresql_that_is_killed_before_the_source_is_closed_begins_anew() {
    killed_before_the_source_is_closed(&Shop::on_postgres());
}

fn killed_before_the_source_is_closed(to: &Shop) {
    let from = filled(Shop::on_postgres(), 500);
    let (process, gate) = written(&from, to);
    process.kill();
    gate.kill();
    assert_eq!(find(&from, to), Found::SourceBeforeIt);
    to.refused(1, &["serve", "--listen", "127.0.0.1:0"], &["is an unfinished copy of"]);
    to.refused(1, &["create", "--count", "1"], &["is an unfinished copy of"]);
    to.refused(1, &["reopen"], &["is an unfinished copy of"]);
    // The source goes on meanwhile, and what happens there is not lost.
    from.create(7, "vip");
    finish(&from, to, Found::SourceBeforeIt, 507);
}

#[test]
fn a_copy_that_is_killed_before_the_target_is_opened_is_finished_by_the_next_one() {
    let (from, to) = (filled(Shop::on_postgres(), 500), Shop::on_a_file());
    let (process, gate) = closed(&from, &to);
    process.kill();
    gate.kill();
    assert_eq!(find(&from, &to), Found::Neither);
    to.refused(1, &["reserve", "--tags", "vip"], &["is an unfinished copy of"]);
    to.refused(1, &["reopen"], &["is an unfinished copy of"]);
    finish(&from, &to, Found::Neither, 500);
}

#[test]
fn a_copy_whose_source_was_reopened_is_never_opened() {
    let (from, to) = (filled(Shop::on_postgres(), 500), Shop::on_a_file());
    let (process, gate) = closed(&from, &to);
    // As long as the copy runs nobody opens the source again behind its back.
    let reopened = from.run(&["reopen"]);
    assert!(reopened.code == Some(1) && reopened.stderr.contains("is in use"), "{reopened:?}");
    process.kill();
    gate.kill();
    from.done(&["reopen"]);
    assert_eq!(find(&from, &to), Found::SourceBeforeIt);
    from.create(1, "vip");
    finish(&from, &to, Found::SourceBeforeIt, 501);
}

#[test]
fn a_target_without_room_stays_empty_and_the_source_open() {
    let (from, to) = (filled(Shop::on_postgres(), 5_000), Shop::on_a_file());
    let mut limited = Command::new("sh");
    let script = r#"trap '' XFSZ; exec prlimit --fsize=400000:unlimited -- "$@""#;
    let command = copy(&from, &to);
    limited.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    command.get_envs().for_each(|(name, _)| _ = limited.env_remove(name));
    let ended = Process::spawn(limited.current_dir(from.folder())).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("shop.db: the disk is full or cannot be written"), "{}", ended.stderr);
    assert_eq!(find(&from, &to), Found::Source);
    finish(&from, &to, Found::Source, 5_000);
}

/// Ends the sessions of a copy into or out of a PostgreSQL, as its own end would.
fn cut_off(postgres: &Shop, from: &Shop, to: &Shop) -> Ended {
    let name = tempfile::Builder::new().prefix("cut_").rand_bytes(12).tempdir().unwrap();
    let name = name.path().file_name().unwrap().to_str().unwrap().to_owned();
    let named = |shop: &Shop| match shop.url() {
        url if url.starts_with("sqlite:") => url,
        url => format!("{url}&application_name={name}"),
    };
    let mut command = from.program();
    command.args(["copy", "--from", &named(from), "--to", &named(to), "--secret-file"]).arg(from.secret());
    let mut process = Process::spawn(&mut command);
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{name}' \
         AND EXISTS (SELECT 1 FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid \
             AND mode IN ('ExclusiveLock', 'RowExclusiveLock') AND relation = to_regclass('passport'))"
    );
    within(PATIENCE, "the copy", || (postgres.sql(&sql) != "0").then_some(()));
    process.end_within(PATIENCE)
}

#[test]
fn a_postgresql_that_goes_away_in_the_middle_leaves_the_shop_where_it_was() {
    for (from, to) in [(Shop::on_a_file(), Shop::on_postgres()), (Shop::on_postgres(), Shop::on_a_file())] {
        let from = filled(from, 20_000);
        let postgres = if from.url().starts_with("postgres") { &from } else { &to };
        let ended = cut_off(postgres, &from, &to);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("the database cannot be reached"), "{}", ended.stderr);
        assert_eq!(find(&from, &to), Found::Source);
        std::fs::copy(from.secret(), to.secret()).unwrap();
        finish(&from, &to, Found::Source, 20_000);
    }
}

#[test]
fn a_damaged_shop_is_not_moved() {
    for (from, to) in [(Shop::on_a_file(), Shop::on_postgres()), (Shop::on_postgres(), Shop::on_a_file())] {
        let from = filled(from, 200);
        from.sql("DELETE FROM journal WHERE seq = 7");
        let before = from.contents();
        let ended = Process::spawn(&mut copy(&from, &to)).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        for name in ["the copy does not agree with itself", "passpool check", "passport "] {
            assert!(ended.stderr.contains(name), "it names no {name}: {}", ended.stderr);
        }
        assert!(from.contents() == before, "the source was changed");
        assert_eq!(find(&from, &to), Found::Source);
    }
}
