//! A file that a foreign program keeps locked: a clear message instead of a wait without end, and nothing is lost.

use std::{process::Command, sync::mpsc, thread, time::Duration};

use crate::{process::Process, shop::Shop, watch::Watch};

/// Plain SQLite in the middle of a transaction, until it is dropped.
struct Intruder(Process);

impl Intruder {
    fn with(shop: &Shop, statements: &str) -> Self {
        let mut sqlite = Process::spawn(Command::new("sqlite3").arg("-batch").arg("-bail").arg(shop.database()));
        sqlite.write(&format!(".timeout 10000\n{statements}\nSELECT 'locked';\n"));
        sqlite.said(|line| (line == "locked").then_some(()));
        Self(sqlite)
    }

    fn leave(mut self) {
        self.0.write("ROLLBACK;\n");
        assert_eq!(self.0.end().code, Some(0));
    }
}

#[test]
fn a_server_answers_503_while_the_file_is_locked_and_goes_on_when_it_is_free() {
    let shop = Shop::with(2, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    assert_eq!(client.reserve("tags=vip&format=link").status, 200);
    let intruder = Intruder::with(&shop, "BEGIN EXCLUSIVE;");
    let watch = Watch::start();
    let answer = client.reserve("tags=vip&format=link");
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.body.contains("locked"), "{}", answer.body);
    assert!(watch.elapsed() >= Duration::from_secs(5), "a short lock is waited for");
    assert_eq!(client.get("/healthz").body, "ok", "health is told from memory");
    intruder.leave();
    assert_eq!(shop.count("available"), 1, "nothing was changed");
    assert_eq!(client.reserve("tags=vip&format=link").status, 200);
    shop.check();
}

#[test]
fn a_short_lock_is_waited_for() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    assert_eq!(client.reserve("tags=nobody&format=link").status, 400);
    let intruder = Intruder::with(&shop, "BEGIN EXCLUSIVE;");
    let (answers, answer) = mpsc::channel();
    thread::spawn(move || answers.send(client.reserve("tags=vip&format=link")).unwrap());
    assert!(answer.recv_timeout(Duration::from_secs(1)).is_err(), "it answered while the file was locked");
    intruder.leave();
    assert_eq!(answer.recv().unwrap().status, 200);
}

#[test]
fn a_writing_command_names_the_locked_file_and_changes_nothing() {
    let shop = Shop::with(2, "vip");
    let rows = shop.file("rows.csv", "id,tags\n5,vip\n");
    let intruder = Intruder::with(&shop, "BEGIN EXCLUSIVE;");
    for arguments in [
        ["create", "--count", "1"].as_slice(),
        &["reserve", "--tags", "vip"],
        &["reset", "--tags", "vip"],
        &["import", &rows],
        &["user", "add", "crm", "--rights", "certCreate"],
    ] {
        shop.refused(1, arguments, &["shop.db", "locked"]);
    }
    // Who only reads is not in anybody's way.
    assert_eq!(shop.count("available"), 2);
    shop.check();
    intruder.leave();
    assert_eq!(shop.sql("SELECT count(*) FROM journal"), "2");
}

#[test]
fn a_file_locked_against_readers_is_named_too() {
    let shop = Shop::with(2, "vip");
    let intruder = Intruder::with(&shop, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
    for arguments in
        [["pool"].as_slice(), &["check"], &["create", "--count", "1"], &["serve", "--listen", "127.0.0.1:0"]]
    {
        let ended = shop.run(arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("shop.db") && ended.stderr.contains("locked"), "{arguments:?}: {ended:?}");
    }
    intruder.leave();
    assert_eq!(shop.count("available"), 2);
    shop.check();
}
