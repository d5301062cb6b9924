//! Copies: a shop moves into another database with everything that it has, and is never in two.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client, Given},
    process::{Ended, PATIENCE, Process},
    shop::{Server, Shop},
    watch::within,
};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// The command that moves one shop into the other's database.
pub(crate) fn copy(from: &Shop, to: &Shop) -> Command {
    let mut command = from.program();
    command.args(["copy", "--from", &from.url(), "--to", &to.url(), "--secret-file"]).arg(from.secret());
    command
}

/// Moves a shop, and gives the new one its secret.
pub(crate) fn moved(from: &Shop, to: &Shop) -> Ended {
    let ended = Process::spawn(copy(from, to).arg("--json")).end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    fs::copy(from.secret(), to.secret()).unwrap();
    ended
}

/// Fails unless the copy is refused, names these things, and changes neither shop.
pub(crate) fn refused(from: &Shop, to: &Shop, named: &[&str]) {
    let before = (from.contents(), to.contents());
    let ended = Process::spawn(&mut copy(from, to)).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    for name in named {
        assert!(ended.stderr.contains(name), "it names no {name}: {}", ended.stderr);
    }
    assert!((from.contents(), to.contents()) == before, "it was refused and changed something");
}

/// All that the commands show of a shop.
pub(crate) fn seen(shop: &Shop) -> Vec<(String, String)> {
    let mut seen: Vec<(String, String)> = [
        "pool --every-tag --json",
        "passport list --json",
        "events --json",
        "reservation list --json",
        "recipient list --json",
        "user list --json",
        "profile list --json",
        "kiosk list --json",
    ]
    .map(|line| (line.to_owned(), shop.done(&line.split(' ').collect::<Vec<_>>())))
    .into();
    let aside = tempfile::tempdir().unwrap();
    let file = aside.path().join("all.ndjson");
    shop.done(&["export", file.to_str().unwrap(), "--with-passphrases"]);
    let exported = fs::read_to_string(&file).unwrap();
    for line in exported.lines() {
        let id = serde_json::from_str::<Value>(line).unwrap()["id"].to_string();
        seen.push((format!("passport {id}"), shop.done(&["passport", "show", &id, "--json"])));
    }
    seen.push(("export".into(), exported));
    for line in shop.done(&["reservation", "list", "--json"]).lines() {
        let id = serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        let shown = shop.done(&["reservation", "show", &id, "--json"]);
        seen.push((id, shown));
    }
    seen
}

fn assert_alike(before: &[(String, String)], after: &[(String, String)]) {
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before, after);
    }
}

/// A shop with something of everything, and what people outside have of it.
struct Lived {
    shop: Shop,
    /// Users' keys.
    boss: String,
    crm: String,
    /// A reservation that can be repeated, and its answer.
    gala: Value,
    answer: String,
    /// A link that is open, and one that a reset took and that may be given back.
    open: Given,
    dead: Given,
    reset: String,
    preview: String,
    /// The cookie of a kiosk's visitor, and where their passport is.
    visitor: String,
    visited: String,
}

fn path(given: &Given) -> String {
    format!("/{},{}", given.id, given.passphrase)
}

fn status(client: &Client, given: &Given) -> u16 {
    client.again().with("accept", b"application/json").get(&path(given)).status
}

fn links(answer: &Answer) -> Vec<Given> {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let links = answer.json()["links"].as_array().unwrap().clone();
    links.iter().map(|link| Given::in_link(link["link"].as_str().unwrap())).collect()
}

fn press_at_kiosk(server: &Server, cookie: Option<&str>) -> (String, String) {
    let client = match cookie {
        Some(cookie) => server.stranger().with("cookie", cookie.as_bytes()),
        None => server.stranger(),
    };
    let page = client.get("/k/expo");
    let cookie = match cookie {
        Some(cookie) => cookie.to_owned(),
        None => page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned(),
    };
    let given = client.with("cookie", cookie.as_bytes()).press(&page, "/k/expo", &[]);
    assert_eq!(given.status, 303, "{}", given.body);
    (cookie, given.header("location").unwrap().to_owned())
}

fn lived(shop: Shop) -> Lived {
    shop.create(30, "vip");
    shop.import(&[
        r#"1,sesameopen1x,"vip,paris","{""name"":""Montre"",""price"":1200}""#,
        "2,sesameopen2x,code,",
        "3,sesameopen3x,code,",
        "4,,gone,",
        "5,,back,",
    ]);
    let printed = shop.file("printed.csv", "id,passphrase\n6,sesameopen6x\n7,sesameopen7x\n");
    shop.done(&["import", &printed, "--printed", "--tag", "box"]);
    shop.create(3, "expo");
    shop.done(&["kiosk", "add", "expo", "--tag", "expo", "--hold", "2h"]);
    shop.done(&["profile", "add", "desk", "--rights", "certRead,certCreate"]);
    shop.done(&["user", "add", "ada", "--profile", "desk"]);
    let (boss, crm) = (shop.key("boss", "admin"), shop.key("crm", "certCreate"));
    shop.done(&["user", "key", "ada", "--old-valid-for", "1h"]);
    let server = shop.serve_with(&["--settle-delay", "14m"]);
    let client = server.client(&boss);
    let gala = json!({
        "tags": ["vip"], "count": 6, "note": "the gala", "expires_in": 86_400,
        "recipients": (1..=6).map(|number| json!({"reference": format!("guest-{number}")})).collect::<Vec<_>>(),
    });
    let made = client.again().with("idempotency-key", b"gala").post_json("/v1/reservations", &gala);
    let guests = links(&made);
    let answer = made.body;
    // One is claimed, one opened, one looked at by a robot, two are taken back.
    let page = server.stranger().get(&path(&guests[0]));
    assert_eq!(server.stranger().press(&page, &path(&guests[0]), &[("owner", ALICE)]).status, 303);
    assert_eq!(server.stranger().get(&path(&guests[1])).status, 200);
    assert_eq!(server.stranger().head(&path(&guests[2])).status, 200);
    let others = links(&client.post_json("/v1/reservations", &json!({"tags": ["vip"], "count": 5})));
    let reset = client.post_json("/v1/resets", &json!({"ids": [others[3].id, others[4].id]})).json();
    let transfer = json!({"tokenId": 3, "passphrase": "sesameopen3x", "address": ALICE});
    client.reserve("tags=code&format=link").given();
    client.reserve("tags=code&format=link").given();
    assert_eq!(client.post_json("/deferred/transfer", &transfer).status, 200);
    let printed = "/6,sesameopen6x";
    assert_eq!(server.stranger().get(printed).status, 200);
    let (visitor, visited) = press_at_kiosk(&server, None);
    // Somebody's claimed passport came back.
    let back = client.reserve("tags=back&format=link").given();
    let page = server.stranger().get(&path(&back));
    assert_eq!(server.stranger().press(&page, &path(&back), &[("owner", ALICE)]).status, 303);
    shop.done(&["recover", "5"]);
    shop.done(&["withdraw", "4"]);
    shop.done(&["passport", "edit", "1", "--tag", "vip", "--tag", "rome"]);
    let preview = client.post_json("/v1/resets", &json!({"tags": ["vip"], "dry_run": true})).json();
    assert_eq!(server.stop().code, Some(0));
    shop.check();
    Lived {
        boss,
        crm,
        gala,
        answer,
        open: others[0].clone(),
        dead: others[3].clone(),
        reset: reset["id"].as_str().unwrap().to_owned(),
        preview: preview["preview"].as_str().unwrap().to_owned(),
        visitor,
        visited,
        shop,
    }
}

#[test]
fn a_shop_moves_to_postgresql_and_back_with_everything_that_it_has() {
    let lived = lived(Shop::on_a_file());
    let before = seen(&lived.shop);
    let postgres = Shop::on_postgres();
    let told = moved(&lived.shop, &postgres);
    let rows: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(rows["passports"], 40);
    postgres.check();
    assert_alike(&before, &seen(&postgres));

    // Whoever has something of the old shop has it of the new one.
    let server = postgres.serve_with(&["--settle-delay", "14m"]);
    let client = server.client(&lived.boss);
    assert_eq!(status(&server.stranger(), &lived.open), 200);
    assert_eq!(status(&server.stranger(), &lived.dead), 404);
    let again = client.again().with("idempotency-key", b"gala").post_json("/v1/reservations", &lived.gala);
    assert_eq!((again.status, &again.body), (201, &lived.answer));
    assert_eq!(press_at_kiosk(&server, Some(&lived.visitor)).1, lived.visited);
    let preview = client.post_json("/v1/resets", &json!({"preview": lived.preview})).json();
    assert!(preview["count"].as_u64().unwrap() > 0, "{preview}");
    let undo = |client: &Client, reset: &str| client.post_json(&format!("/v1/resets/{reset}/undo"), &json!({}));
    assert_eq!(undo(&client, &lived.reset).json(), json!({"count": 2, "others": 0}));
    assert_eq!(status(&server.stranger(), &lived.dead), 200);
    let caller = server.client(&lived.crm);
    let first = caller.reserve_once("order-1", "tags=vip&format=linkObject");
    assert_eq!(first.status, 200, "{}", first.body);
    postgres.create(5, "vip");
    assert_eq!(server.stop().code, Some(0));
    postgres.check();

    // And back, with what happened there.
    let before = seen(&postgres);
    let back = Shop::on_a_file();
    moved(&postgres, &back);
    back.check();
    assert_alike(&before, &seen(&back));
    let server = back.serve_with(&["--settle-delay", "14m"]);
    let again = server.client(&lived.crm).reserve_once("order-1", "tags=vip&format=linkObject");
    assert_eq!((again.status, &again.body), (200, &first.body));
    let undone = undo(&server.client(&lived.boss), preview["id"].as_str().unwrap()).json();
    assert_eq!(undone["others"], 1, "one of them was handed out again: {undone}");
    assert_eq!(undone["count"].as_u64().unwrap() + 1, preview["count"].as_u64().unwrap(), "{undone}");
    assert_eq!(press_at_kiosk(&server, Some(&lived.visitor)).1, lived.visited);
    back.create(2, "vip");
    assert_eq!(server.stop().code, Some(0));
    back.check();
}

/// Both files but what tells where the shop is, and how far the index of idempotency records was.
fn dump(shop: &Shop) -> Vec<String> {
    const APART: [&str; 5] = ["whereabouts", "refinery", "sqlite_sequence", "repeat_era", "repeat_place"];
    let dump = shop.sql(".dump");
    let is_apart = |line: &&str| APART.iter().any(|name| line.contains(name));
    let mut lines: Vec<String> = dump.lines().filter(|line| !is_apart(line)).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn there_and_back_again_the_file_is_the_same_to_the_byte() {
    let lived = lived(Shop::on_a_file());
    let (postgres, back) = (Shop::on_postgres(), Shop::on_a_file());
    moved(&lived.shop, &postgres);
    moved(&postgres, &back);
    let (before, after) = (dump(&lived.shop), dump(&back));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());
}

#[test]
fn a_shop_moves_between_databases_of_one_kind_too() {
    for new in [Shop::on_a_file, Shop::on_postgres] {
        let (from, to) = (new(), new());
        from.create(5_000, "vip");
        from.done(&["reserve", "--tags", "vip", "--count", "300"]);
        let before = (from.given("reserved"), from.done(&["events", "--json"]));
        moved(&from, &to);
        to.check();
        assert!((to.given("reserved"), to.done(&["events", "--json"])) == before);
    }
}

/// A write that finds nothing to do in an open shop.
pub(crate) fn try_to_reserve(shop: &Shop) -> Ended {
    shop.run(&["reserve", "--tags", "nobody-has-this"])
}

fn left_shop_is_closed_until_it_is_reopened(from: &Shop, to: &Shop) {
    from.create(3, "vip");
    let key = from.key("crm", "certCreate");
    moved(from, to);
    let place = to.url();
    let place = place.split_once("://").map_or(to.database().display().to_string(), |(_, rest)| rest.to_owned());
    for arguments in [
        ["serve", "--listen", "127.0.0.1:0"].as_slice(),
        &["reserve", "--tags", "vip"],
        &["create", "--count", "1"],
        &["user", "key", "admin"],
        &["reset", "--tags", "vip"],
        &["kiosk", "add", "k", "--tag", "vip"],
    ] {
        from.refused(1, arguments, &["has moved to", &place, "passpool reopen"]);
    }
    // Who only looks may look.
    assert_eq!(from.count("available"), 3);
    from.check();
    let reopened = from.run(&["reopen"]);
    assert_eq!(reopened.code, Some(0), "{}", reopened.stderr);
    assert!(reopened.stderr.contains("warning: nobody may use") && reopened.stderr.contains(&place), "{reopened:?}");
    let server = from.serve();
    server.client(&key).reserve("tags=vip&format=link").given();
    assert_eq!(server.stop().code, Some(0));
    assert!(from.run(&["reopen"]).stderr.contains("open already"));
    from.check();
}

#[test]
fn a_file_that_was_left_is_closed_until_it_is_reopened() {
    left_shop_is_closed_until_it_is_reopened(&Shop::on_a_file(), &Shop::on_postgres());
}

#[test]
fn a_postgresql_that_was_left_is_closed_until_it_is_reopened() {
    left_shop_is_closed_until_it_is_reopened(&Shop::on_postgres(), &Shop::on_a_file());
}

#[test]
fn a_copy_goes_into_a_database_that_holds_nothing_or_not_at_all() {
    for (from, to) in [(Shop::on_a_file(), Shop::on_postgres()), (Shop::on_postgres(), Shop::on_a_file())] {
        from.create(3, "vip");
        // One that holds passports.
        fs::copy(from.secret(), to.secret()).unwrap();
        to.create(1, "vip");
        refused(&from, &to, &["is not empty"]);
        // One that was just made, with its admin, is as good as none, but it has to have the same secret.
        let made = if to.url().starts_with("sqlite") { Shop::on_a_file() } else { Shop::on_postgres() };
        fs::copy(from.secret(), made.secret()).unwrap();
        made.done(&["user", "add", "ann", "--rights", "certRead"]);
        refused(&from, &made, &["is not empty"]);
        made.done(&["user", "remove", "ann"]);
        moved(&from, &made);
        made.check();
    }
}

#[test]
fn a_copy_needs_the_secret_that_the_shop_was_made_with() {
    for (from, to) in [(Shop::on_a_file(), Shop::on_postgres()), (Shop::on_postgres(), Shop::on_a_file())] {
        from.create(3, "vip");
        // A target that was made with another one.
        to.done(&["user", "add", "ann", "--rights", "certRead"]);
        to.done(&["user", "remove", "ann"]);
        refused(&from, &to, &["holds another secret than the one that"]);
        // A file that is another one, or none, or missing.
        let right = fs::read(from.secret()).unwrap();
        fs::write(from.secret(), [7; 32]).unwrap();
        refused(&from, &to, &["shop.db.secret holds another secret"]);
        fs::write(from.secret(), [7; 31]).unwrap();
        refused(&from, &to, &["shop.db.secret is no secret file"]);
        fs::remove_file(from.secret()).unwrap();
        refused(&from, &to, &["there is no secret file", "shop.db.secret"]);
        fs::write(from.secret(), right).unwrap();
        assert_eq!(from.count("available"), 3);
    }
}

#[test]
fn the_secret_that_the_new_place_will_look_for_is_named() {
    let from = Shop::on_a_file();
    from.create(1, "vip");
    let to = Shop::on_postgres();
    let copy = || Process::spawn(from.program().args(["copy", "--from", "sqlite:shop.db", "--to", &to.url()])).end();
    // Another shop's secret lies where that place looks first.
    let beside = from.folder().join("passpool.secret");
    fs::write(&beside, [7; 32]).unwrap();
    let ended = copy();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("passpool.secret holds another secret than the one that shop.db"), "{ended:?}");
    fs::remove_file(&beside).unwrap();
    let ended = copy();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("--secret-file shop.db.secret") && ended.stderr.contains("passpool.secret"));
    assert!(!beside.exists(), "a copy makes no secret");
}

#[test]
fn a_shop_that_is_in_use_is_not_moved() {
    for (from, to) in [(Shop::on_a_file(), Shop::on_postgres()), (Shop::on_postgres(), Shop::on_a_file())] {
        from.create(3, "vip");
        let key = from.key("crm", "certCreate");
        let server = from.serve();
        refused(&from, &to, &["another passpool serves"]);
        server.client(&key).reserve("tags=vip&format=link").given();
        assert_eq!(server.stop().code, Some(0));
        // An import that waits for its next lines has begun.
        let mut import = from.command(&["import", "-", "--format", "csv"]);
        let mut import = Process::spawn(&mut import);
        import.write(&format!("tags\n{}", "new\n".repeat(20_000)));
        let hidden = || from.sql("SELECT count(*) FROM hidden");
        within(PATIENCE, "the import", || (hidden() != "0").then_some(()));
        let ended = Process::spawn(&mut copy(&from, &to)).end();
        assert!(ended.code == Some(1) && ended.stderr.contains("is in use: an import"), "{ended:?}");
        // What it leaves behind is not taken along.
        import.kill();
        moved(&from, &to);
        assert_eq!(to.count("total"), 3);
        to.check();
    }
}

#[test]
fn a_server_that_was_frozen_while_its_shop_moved_gives_nothing_away() {
    let (from, to) = (Shop::on_postgres(), Shop::on_a_file());
    from.create(50, "vip");
    let key = from.key("crm", "certCreate");
    let server = from.serve();
    let client = server.client(&key);
    client.reserve("tags=vip&format=link").given();
    server.freeze();
    // It has not been seen for long.
    from.sql("UPDATE server SET seen_at = seen_at - interval '1 hour'");
    moved(&from, &to);
    server.thaw();
    for path in ["tags=vip&format=link", "tags=vip&format=linkObject"] {
        let answer = client.reserve(path);
        assert!(answer.status >= 500, "{answer:?}");
    }
    let reservation = client.post_json("/v1/reservations", &json!({"tags": ["vip"], "count": 5}));
    assert!(reservation.status >= 500, "{reservation:?}");
    assert!(client.reset("tags=vip").status >= 500);
    assert!(server.log().contains("has moved to"), "{}", server.log());
    assert_eq!((from.count("reserved"), to.count("reserved")), (1, 1));
    from.check();
}

#[test]
fn no_password_is_shown_of_either_database() {
    let shop = Shop::on_a_file();
    shop.create(1, "vip");
    for (from, to) in [
        ("sqlite:shop.db", "postgres://me:sesame@127.0.0.1:1/shop"),
        ("postgres://me:sesame@127.0.0.1:1/shop", "sqlite:shop.db"),
        ("sqlite:shop.db", "mysql://me:sesame@host/shop"),
        ("postgres://me:sesame@127.0.0.1:sesame/shop", "sqlite:shop.db"),
    ] {
        let ended = Process::spawn(shop.program().args(["copy", "--from", from, "--to", to])).end();
        assert!(matches!(ended.code, Some(1 | 2)), "{ended:?}");
        assert!(!ended.stderr.contains("sesame"), "{}", ended.stderr);
    }
    assert_eq!(try_to_reserve(&shop).code, Some(1));
    assert!(!try_to_reserve(&shop).stderr.contains("moved"));
}
