//! Commands: what they print, and where their flags come from.

use serde_json::{Value, json};

use crate::{client::Given, process::Process, shop::Shop};

const ZEROS: &str =
    r#"{"available":0,"reserved":0,"scanned":0,"pending":0,"claimed":0,"recovered":0,"withdrawn":0,"total":0}"#;

#[test]
fn the_pool_is_told_to_the_letter() {
    let shop = Shop::with(3, "vip");
    shop.create(1, "gold");
    shop.done(&["reserve", "--tags", "vip"]);
    let counts = |available: u64, reserved: u64| {
        ZEROS
            .replace(r#""available":0"#, &format!(r#""available":{available}"#))
            .replace(r#""reserved":0"#, &format!(r#""reserved":{reserved}"#))
            .replace(r#""total":0"#, &format!(r#""total":{}"#, available + reserved))
    };
    let expected = format!(r#"{{"all":{},"tags":{{"vip":{},"gold":{}}}}}"#, counts(3, 1), counts(2, 1), counts(1, 0));
    assert_eq!(shop.done(&["pool", "--json"]), expected + "\n");
    let named = format!(r#"{{"all":{},"tags":{{"gold":{},"nobody":{ZEROS}}}}}"#, counts(3, 1), counts(1, 0));
    assert_eq!(shop.done(&["pool", "--json", "--tag", "gold", "--tag", "nobody"]), named + "\n");
}

#[test]
fn the_1_000_largest_tags_are_listed_and_any_other_when_it_is_named() {
    let shop = Shop::empty();
    let rows: String = (0..1_005).map(|number| format!("\"small-{number},large\"\n")).collect();
    shop.done(&["import", &shop.file("rows.csv", format!("tags\n{rows}"))]);
    shop.create(2, "middle");
    let pool = shop.pool();
    let tags = pool["tags"].as_object().unwrap();
    assert_eq!(tags.len(), 1_000);
    assert_eq!((&tags["large"]["total"], &tags["middle"]["total"]), (&json!(1_005), &json!(2)));
    let one: Value = serde_json::from_str(&shop.done(&["pool", "--json", "--tag", "small-1004"])).unwrap();
    assert_eq!(one["tags"]["small-1004"]["available"], 1);
    let text = shop.done(&["pool", "--tag", "large"]);
    assert!(text.lines().any(|line| line.starts_with("large") && line.contains("1005")), "{text}");
}

#[test]
fn a_new_key_stands_alone_on_its_line() {
    let shop = Shop::empty();
    for arguments in [["user", "add", "crm", "--rights", "certCreate,certRead"].as_slice(), &["user", "key", "crm"]] {
        let printed = shop.done(arguments);
        let key = printed.strip_suffix('\n').unwrap();
        let rest = key.strip_prefix("pp_").unwrap();
        assert!(rest.len() == 52 && rest.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')), "{key}");
    }
    let listed = shop.done(&["user", "list"]);
    assert!(listed.contains("crm") && listed.contains("certCreate") && listed.contains("admin"), "{listed}");
    let users: Value = serde_json::from_str(&shop.done(&["user", "list", "--json"])).unwrap();
    let crm = users.as_array().unwrap().iter().find(|user| user["name"] == "crm").unwrap();
    assert_eq!(crm["rights"], json!(["certRead", "certCreate"]));
    assert_eq!(crm["key"]["head"].as_str().unwrap().len(), 8, "no more of a key is shown again");
}

#[test]
fn the_last_admin_stays() {
    let shop = Shop::empty();
    shop.key("boss", "admin");
    shop.done(&["user", "remove", "admin"]);
    shop.refused(1, &["user", "remove", "boss"], &["boss", "last"]);
    shop.key("other", "admin");
    shop.done(&["user", "remove", "boss"]);
}

#[test]
fn the_database_may_be_named_anywhere_behind_the_command() {
    let shop = Shop::empty();
    let run = |arguments: &[&str]| {
        let ended = Process::spawn(shop.program().args(arguments)).end();
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    };
    run(&["create", "--database", "sqlite:a.db", "--count", "1", "--tag", "vip"]);
    run(&["create", "--count", "1", "--database=sqlite:a.db", "--tag", "vip"]);
    run(&["user", "add", "crm", "--database", "sqlite:a.db", "--rights", "certRead"]);
    run(&["user", "--database", "sqlite:a.db", "key", "crm"]);
    let pool = |text: &str| serde_json::from_str::<Value>(text).unwrap()["all"]["total"].as_u64().unwrap();
    assert_eq!(pool(&run(&["pool", "--json", "--database", "sqlite:a.db"])), 2);
    // Without a name it is passpool.db in the folder.
    run(&["create", "--count", "3"]);
    assert!(shop.folder().join("passpool.db").exists());
    assert_eq!(pool(&run(&["pool", "--json"])), 3);
}

#[test]
fn flags_come_from_the_environment_and_a_file_too() {
    let shop = Shop::empty();
    let run = |environment: &[(&str, &str)], arguments: &[&str]| {
        let ended = Process::spawn(shop.program().envs(environment.iter().copied()).args(arguments)).end();
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    };
    shop.file("passpool.toml", "database = \"sqlite:file.db\"\ncount = 2\n");
    run(&[("PASSPOOL_DATABASE", "sqlite:env.db"), ("PASSPOOL_COUNT", "1")], &["create"]);
    run(&[], &["create", "--config", "passpool.toml"]);
    // A flag wins over the environment, and that over the file.
    let environment = [("PASSPOOL_CONFIG", "passpool.toml"), ("PASSPOOL_DATABASE", "sqlite:env.db")];
    run(&environment, &["create"]);
    run(&environment, &["create", "--database", "sqlite:flag.db"]);
    let total = |name: &str| {
        let database = format!("sqlite:{name}.db");
        let ended = Process::spawn(shop.program().args(["pool", "--json", "--database", &database])).end();
        serde_json::from_str::<Value>(&ended.stdout).unwrap()["all"]["total"].as_u64().unwrap()
    };
    assert_eq!([total("env"), total("file"), total("flag")], [3, 2, 2]);
}

#[test]
fn links_are_reserved_in_bulk_and_printed_in_every_format() {
    let shop = Shop::with(200, "vip");
    let reserve = |more: &[&str]| shop.done(&[&["reserve", "--tags", "vip"], more].concat());
    let links = reserve(&["--count", "50", "--link-base", "https://test.arianee.net"]);
    let mut given: Vec<Given> = links.lines().map(Given::in_link).collect();
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), 50);
    assert!(links.lines().all(|link| link.starts_with("https://test.arianee.net/")));
    let object: Value = serde_json::from_str(&reserve(&["--format", "linkObject"])).unwrap();
    assert_eq!(object["method"], "requestOwnership");
    assert!(object["certificateId"].is_u64());
    assert_eq!(reserve(&["--format", "content", "--count", "2"]), "{}\n{}\n");
    let reservation: Value = serde_json::from_str(&reserve(&["--count", "2", "--json"])).unwrap();
    assert_eq!(reservation["count"], 2);
    assert!(reservation["id"].as_str().unwrap().starts_with("rv_"));
    assert_eq!(reservation["links"].as_array().unwrap().len(), 2);
    shop.refused(1, &["reserve", "--tags", "vip", "--count", "146"], &["145"]);
    assert_eq!(reserve(&["--count", "146", "--partial"]).lines().count(), 145);
    assert_eq!(shop.count("reserved"), 200);
    assert_eq!(shop.sql("SELECT count(*) FROM journal WHERE kind = 'reserved'"), "200", "a row for each");
    shop.check();
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let shop = Shop::with(20_000, "vip");
    let line = format!("{} export --database sqlite:shop.db | head -n 2", env!("CARGO_BIN_EXE_passpool"));
    let mut pipe = std::process::Command::new("bash");
    let ended = Process::spawn(pipe.args(["-o", "pipefail", "-c", &line]).current_dir(shop.folder())).end();
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 2), "{}", ended.stderr);
}
