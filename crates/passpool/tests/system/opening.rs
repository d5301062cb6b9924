//! Opening a database: what is not ours, not of our time or not under our secret is refused by name.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::Command,
};

use crate::{
    process::{PATIENCE, Process},
    shop::Shop,
};

const RESERVE: &[&str] = &["reserve", "--tags", "vip"];
const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

#[test]
fn writing_commands_make_a_database_and_a_secret_for_its_owner_alone() {
    for arguments in [["create", "--count", "1"].as_slice(), &["user", "add", "crm", "--rights", "certCreate"]] {
        let shop = Shop::empty();
        let ended = shop.run(arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("shop.db.secret"), "it says where the secret is: {}", ended.stderr);
        assert!(shop.database().exists());
        let secret = fs::metadata(shop.secret()).unwrap();
        assert_eq!((secret.len(), secret.permissions().mode() & 0o777), (32, 0o600));
        assert!(!shop.run(arguments).stderr.contains("secret"), "it says so once");
    }
    let shop = Shop::empty();
    let server = shop.serve();
    assert_eq!(server.stranger().get("/readyz").status, 200);
    assert_eq!(shop.count("total"), 0);
}

#[test]
fn reading_commands_refuse_a_database_that_is_not_there() {
    let shop = Shop::empty();
    for arguments in [
        ["pool", "--json"].as_slice(),
        &["check"],
        &["export"],
        &["user", "list"],
        &["reset", "--tags", "vip", "--dry-run"],
    ] {
        shop.refused(1, arguments, &["shop.db"]);
    }
}

#[test]
fn a_lost_secret_is_named_and_no_other_is_made() {
    let shop = Shop::with(2, "vip");
    fs::rename(shop.secret(), shop.folder().join("kept.secret")).unwrap();
    for arguments in [RESERVE, SERVE] {
        shop.refused(1, arguments, &["shop.db.secret"]);
    }
    assert!(!shop.secret().exists());
    // Counting needs no secret.
    assert_eq!(shop.count("available"), 2);
    shop.check();
    shop.done(&["reserve", "--tags", "vip", "--secret-file", "kept.secret"]);
}

/// The file is given an older version's number, and its locks are held as by another who brings it up to date, and by a
/// command that still writes it as it was.
#[test]
fn whoever_waits_for_an_upgrade_is_told_so_and_goes_on_after_it() {
    for (lock, hold) in [("upgrade", File::lock as fn(&File) -> _), ("work", File::lock_shared)] {
        let shop = Shop::on_a_file();
        shop.create(2, "vip");
        let lock = File::create(shop.folder().join(format!("shop.db.{lock}.lock"))).unwrap();
        hold(&lock).unwrap();
        number_as_older(&shop);
        server_that_waits_ends(&mut shop.command(SERVE));
        let mut waiting = Process::spawn(&mut shop.command(RESERVE));
        waiting.told(is_told_to_wait);
        number_as_before(&shop);
        drop(lock);
        let ended = waiting.end_within(PATIENCE);
        assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 1), "{}", ended.stderr);
        assert_eq!(shop.count("available"), 1);
        shop.check();
    }
}

fn number_as_older(shop: &Shop) {
    let newest = "version = (SELECT max(version) FROM refinery_schema_history)";
    shop.sql(&format!(
        "CREATE TABLE aside AS SELECT * FROM refinery_schema_history WHERE {newest};
         DELETE FROM refinery_schema_history WHERE {newest};"
    ));
}

fn number_as_before(shop: &Shop) {
    shop.sql("INSERT INTO refinery_schema_history SELECT * FROM aside; DROP TABLE aside;");
}

#[test]
fn a_copy_of_an_older_file_waits_for_the_commands_that_write_it() {
    let shop = Shop::on_a_file();
    shop.create(2, "vip");
    let lock = File::create(shop.folder().join("shop.db.work.lock")).unwrap();
    lock.lock_shared().unwrap();
    number_as_older(&shop);
    let mut copy = shop.program();
    let mut copying = Process::spawn(copy.args(["copy", "--from", &shop.url(), "--to", "sqlite:moved.db"]));
    copying.told(is_told_to_wait);
    number_as_before(&shop);
    drop(lock);
    let ended = copying.end_within(PATIENCE);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let moved = Shop::at(format!("sqlite:{}", shop.folder().join("moved.db").display()));
    assert_eq!(moved.count("available"), 2);
}

/// As if somebody else had begun to bring it up to date.
#[test]
fn a_command_that_comes_during_an_upgrade_waits_for_its_end() {
    let shop = Shop::on_a_file();
    shop.create(2, "vip");
    let lock = File::create(shop.folder().join("shop.db.work.lock")).unwrap();
    lock.lock().unwrap();
    let mut waiting = Process::spawn(&mut shop.command(RESERVE));
    waiting.told(is_told_to_wait);
    assert_eq!(shop.count("available"), 2, "whoever only reads does not wait");
    drop(lock);
    assert_eq!(waiting.end_within(PATIENCE).code, Some(0));
}

#[test]
fn whoever_waits_for_a_database_that_says_nothing_is_told_so() {
    let shop = Shop::empty();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://passpool:hush@{}/passpool?sslmode=disable", silent.local_addr().unwrap());
    for arguments in [["pool"].as_slice(), RESERVE, &["reopen"]] {
        let waiting = Process::spawn(&mut shop.command_at(&url, arguments));
        waiting.told(is_told_to_wait);
        assert!(!waiting.log().contains("hush"), "{}", waiting.log());
    }
    server_that_waits_ends(&mut shop.command_at(&url, SERVE));
    let moving = Shop::with(1, "vip");
    let mut copy = moving.program();
    let waiting = Process::spawn(copy.args(["copy", "--from", &moving.url(), "--to", &url]));
    waiting.told(is_told_to_wait);
    assert!(!waiting.log().contains("hush"), "{}", waiting.log());
}

/// At once, and in good order.
fn server_that_waits_ends(command: &mut Command) {
    let mut server = Process::spawn(command);
    server.told(is_told_to_wait);
    server.signal("TERM");
    let ended = server.end_within(PATIENCE);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
}

fn is_told_to_wait(line: &str) -> Option<()> {
    line.contains("being brought up to date").then_some(())
}

#[test]
fn another_secret_is_refused_by_name() {
    let shop = Shop::with(2, "vip");
    shop.file("other.secret", [7; 32]);
    for arguments in [RESERVE, SERVE] {
        let arguments = [arguments, &["--secret-file", "other.secret"]].concat();
        shop.refused(1, &arguments, &["other.secret"]);
    }
    for length in [0, 31, 33] {
        shop.file("short.secret", vec![7; length]);
        shop.refused(1, &[RESERVE, &["--secret-file", "short.secret"]].concat(), &["short.secret"]);
    }
    shop.refused(1, &[RESERVE, &["--secret-file", "nowhere.secret"]].concat(), &["nowhere.secret"]);
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let shop = Shop::with(2, "vip");
    shop.sql(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             SELECT 999, 'from_the_future', applied_on, '1' FROM refinery_schema_history LIMIT 1",
    );
    for arguments in [RESERVE, SERVE, &["pool"], &["check"], &["create", "--count", "1"], &["user", "key", "admin"]] {
        shop.refused(1, arguments, &["shop.db", "newer"]);
    }
}

#[test]
fn a_foreign_file_is_refused_and_left_alone() {
    let text = Shop::empty();
    text.file("shop.db", "To be, or not to be, that is the question: ".repeat(200));
    let sqlite = Shop::empty();
    sqlite.file("shop.db", "");
    sqlite.sql("CREATE TABLE invoice (id INTEGER PRIMARY KEY); INSERT INTO invoice VALUES (7)");
    for shop in [text, sqlite] {
        let before = fs::read(shop.database()).unwrap();
        for arguments in [RESERVE, SERVE, &["pool"], &["check"], &["create", "--count", "1"]] {
            let ended = shop.run(arguments);
            assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
            assert!(ended.stderr.contains("shop.db"), "{arguments:?}: {ended:?}");
            assert!(fs::read(shop.database()).unwrap() == before, "{arguments:?} changed a foreign file");
        }
        assert!(!shop.secret().exists(), "a secret was made for a foreign file");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let shop = Shop::empty();
    let mut command = shop.program();
    command.args(["create", "--count", "1", "--database", "sqlite:no/such/folder/shop.db"]);
    let ended = Process::spawn(&mut command).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("no/such/folder"), "{ended:?}");
}
