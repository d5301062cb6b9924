//! Operators at the command line: what was reserved, who has it, what happened to it, and how it is taken back.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use crate::{
    client::{Client, Given},
    process::Process,
    shop::{LINK_BASE, Shop},
};

const GUESTS: &str = "name,email,reference\nAda,ada@brand.example,o-1\n=Eve,,o-2\nGrace,,o-3\n";
/// Ids that nobody has.
const NO_RESERVATION: &str = "rv_018bcfe5680077078707070707070707";
const NO_RECIPIENT: &str = "rc_018bcfe5680077078707070707070707";

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a command prints, an object a line.
fn lines(shop: &Shop, arguments: &[&str]) -> Vec<Value> {
    shop.done(&[arguments, &["--json"]].concat()).lines().map(json_of).collect()
}

/// Reserves for the three guests. Gives the reservation and its links.
fn reserve_for_guests(shop: &Shop) -> (String, Vec<Given>) {
    let guests = shop.file("guests.csv", GUESTS);
    let made = ["reserve", "--tags", "vip", "--recipients", &guests, "--note", "the launch", "--json"];
    let made = json_of(&shop.done(&[made.as_slice(), &["--link-base", LINK_BASE]].concat()));
    let links = made["links"].as_array().unwrap().iter();
    let links = links.map(|link| Given::in_link(link["link"].as_str().unwrap())).collect();
    assert_eq!(made["links"][0]["recipient"]["reference"], "o-1");
    (made["id"].as_str().unwrap().to_owned(), links)
}

fn open(client: &Client, given: &Given) -> u16 {
    client.get(&format!("/{},{}", given.id, given.passphrase)).status
}

#[test]
fn the_command_line_prints_what_the_api_answers() {
    let shop = Shop::with(5, "vip");
    shop.create(1, "gold");
    let key = shop.key("boss", "admin");
    let (reservation, links) = reserve_for_guests(&shop);
    let server = shop.serve();
    let client = server.client(&key);
    assert_eq!(open(&server.stranger(), &links[0]), 200);
    let id = links[0].id.to_string();
    let same = |arguments: &[&str], path: &str, field: &str| {
        let answered = client.get(path).json();
        assert_eq!(json!(lines(&shop, arguments)), answered[field], "{arguments:?}");
        assert!(answered[field][0].is_object(), "{path} has nothing to compare");
    };
    same(&["reservation", "list"], "/v1/reservations", "reservations");
    same(&["passport", "list"], "/v1/passports", "passports");
    same(&["passport", "list", "--tags", "vip", "--state", "scanned"], "/v1/passports?state=scanned", "passports");
    same(&["recipient", "list"], "/v1/recipients", "recipients");
    same(&["pool", "--every-tag"], "/v1/pools", "pools");
    same(&["events"], "/v1/events", "events");
    same(&["reservation", "links", &reservation], &format!("/v1/reservations/{reservation}/links"), "links");
    same(&["passport", "links", &id], &format!("/v1/passports/{id}/links"), "links");
    let shown = |arguments: &[&str]| json_of(&shop.done(&[arguments, &["--json"]].concat()));
    let answered = client.get(&format!("/v1/reservations/{reservation}")).json();
    assert_eq!(shown(&["reservation", "show", &reservation]), answered);
    let answered = client.get(&format!("/v1/passports/{id}"));
    let mut passport = shown(&["passport", "show", &id]);
    let version = passport.as_object_mut().unwrap().remove("version").unwrap();
    assert_eq!(answered.header("etag"), Some(&*format!("\"{}\"", version.as_str().unwrap())));
    assert_eq!(passport, answered.json());
    let answered = client.post_json("/v1/resets", &json!({"tags": ["vip"], "dry_run": true})).json();
    let preview = shown(&["reset", "--tags", "vip", "--dry-run"]);
    assert_eq!((&preview["count"], &preview["passports"]), (&answered["count"], &answered["passports"]));
    shop.check();
}

#[test]
fn links_are_shown_again_as_far_as_they_open_and_each_look_is_written_down() {
    let shop = Shop::with(3, "vip");
    let (reservation, links) = reserve_for_guests(&shop);
    let show = |more: &[&str]| {
        let line = ["reservation", "links", &reservation, "--link-base", "https://brand.example"];
        shop.done(&[line.as_slice(), more].concat())
    };
    let again = |printed: &str| printed.lines().map(Given::in_link).collect::<Vec<_>>();
    assert_eq!(again(&show(&[])), links);
    assert_eq!(shop.sql("SELECT count(*), min(actor) FROM journal WHERE kind = 'shown'"), "3|cli");
    let table = show(&["--format", "csv"]);
    assert!(table.starts_with("passport_id,link,name,email,reference\n"), "{table}");
    assert!(table.contains(",Ada,ada@brand.example,o-1\n") && table.contains(",'=Eve,,o-2\n"), "{table}");
    let objects: Vec<Value> = show(&["--format", "linkObject"]).lines().map(json_of).collect();
    assert_eq!(objects[2]["certificateId"], links[2].id);
    shop.done(&["passport", "edit", &links[1].id.to_string(), "--content", &shop.file("c.json", r#"{"n":1.50}"#)]);
    assert_eq!(show(&["--format", "content"]), "{}\n{\"n\":1.50}\n{}\n");
    shop.done(&["reset", "--id", &links[0].id.to_string()]);
    let ended = shop.run(&["reservation", "links", &reservation, "--link-base", LINK_BASE]);
    assert_eq!(again(&ended.stdout), links[1..]);
    assert!(ended.stderr.contains("Left out, for no link of theirs opens any more: 1 passport."), "{}", ended.stderr);
    let told = lines(&shop, &["reservation", "links", &reservation, "--link-base", LINK_BASE]);
    assert_eq!((&told[0]["state"], told[0].get("link"), told.len()), (&json!("available"), None, 3));
    let of_one = ["passport", "links", &links[1].id.to_string(), "--link-base", LINK_BASE];
    assert_eq!(again(&shop.done(&of_one)), links[1..2]);
    shop.refused(1, &["passport", "links", "77"], &["passport 77 does not exist"]);
    shop.refused(1, &["reservation", "links", NO_RESERVATION], &[NO_RESERVATION]);
    shop.refused(2, &["reservation", "links", &reservation, "--format", "xml"], &["--format", "linkObject"]);
    shop.refused(2, &["reservation", "links", &reservation, "--format", "csv", "--json"], &["--json"]);
    shop.check();
}

#[test]
fn a_table_of_many_links_is_one_table() {
    let shop = Shop::with(5_001, "vip");
    let made = shop.run(&["reserve", "--tags", "vip", "--count", "5001", "--link-base", LINK_BASE]);
    let told = made.stderr.trim_end().rsplit(' ').next().unwrap().trim_end_matches('.').to_owned();
    let table = shop.done(&["reservation", "links", &told, "--format", "csv", "--link-base", LINK_BASE]);
    assert_eq!((table.lines().count(), table.matches("passport_id").count()), (5_002, 1));
    let links = shop.done(&["reservation", "links", &told, "--link-base", LINK_BASE]);
    assert_eq!(links, made.stdout);
}

#[test]
fn a_reservation_is_listed_shown_extended_and_cancelled() {
    let shop = Shop::with(6, "vip");
    let (first, links) = reserve_for_guests(&shop);
    shop.done(&["reserve", "--tags", "vip", "--count", "2", "--expires-in", "14d"]);
    let listed = lines(&shop, &["reservation", "list"]);
    assert_eq!(listed.iter().map(|one| one["count"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 3], "newest first");
    assert_eq!((&listed[1]["id"], &listed[1]["note"]), (&json!(first), &json!("the launch")));
    assert_eq!(lines(&shop, &["reservation", "list", "--limit", "1"]), listed[..1]);
    let text = shop.done(&["reservation", "list"]);
    assert!(text.lines().count() == 2 && text.contains(&first) && text.contains("vip"), "{text}");
    let shown = shop.done(&["reservation", "show", &first]);
    for part in [&*first, "the launch", "reserved    3", "gone        0"] {
        assert!(shown.contains(part), "{shown}");
    }
    let server = shop.serve();
    shop.done(&["reset", "--id", &links[2].id.to_string()]);
    let extend = ["reservation", "extend", &first, "--until", "2999-01-01T00:00:00+01:00"];
    assert_eq!(shop.done(&extend), "2 passports held until 2998-12-31T23:00:00Z\n");
    assert_eq!(lines(&shop, &extend), [json!({"count": 2, "others": 1})]);
    assert_eq!(lines(&shop, &["reservation", "show", &first])[0]["until"], "2998-12-31T23:00:00Z");
    assert_eq!(
        shop.done(&["reservation", "extend", &first, "--expires-in", "1h"]).split(" held").next(),
        Some("2 passports")
    );
    assert_eq!(open(&server.stranger(), &links[0]), 200);
    assert_eq!(lines(&shop, &["reservation", "cancel", &first]), [json!({"count": 2, "others": 1})]);
    assert_eq!(open(&server.stranger(), &links[0]), 404);
    assert_eq!(shop.done(&["reservation", "cancel", &first]), "0 passports back in the pool\n");
    assert_eq!(lines(&shop, &["reservation", "show", &first])[0]["gone"], 3);
    assert_eq!(shop.count("available"), 4);
    drop(server);
    for verb in ["show", "links", "cancel"] {
        shop.refused(1, &["reservation", verb, NO_RESERVATION], &["there is no reservation", NO_RESERVATION]);
        shop.refused(2, &["reservation", verb, "rs_1"], &["rs_1"]);
    }
    shop.refused(1, &["reservation", "extend", NO_RESERVATION, "--expires-in", "1h"], &[NO_RESERVATION]);
    shop.refused(2, &["reservation", "extend", &first], &["--expires-in", "--until"]);
    shop.refused(2, &["reservation", "extend", &first, "--until", "2001-01-01T00:00:00Z"], &["--until"]);
    shop.refused(2, &["reservation", "list", "--limit", "0"], &["--limit"]);
    shop.check();
}

#[test]
fn a_preview_is_reset_as_far_as_nothing_happened_to_it_and_the_reset_is_undone() {
    let shop = Shop::with(5, "vip");
    let (_, links) = reserve_for_guests(&shop);
    let server = shop.serve();
    let text = shop.run(&["reset", "--tags", "vip", "--dry-run"]);
    assert_eq!(text.stdout.lines().count(), 3);
    let told = |text: &str, prefix: &str| {
        let from = text.find(prefix).unwrap_or_else(|| panic!("no {prefix} in {text}"));
        text[from..from + 35].to_owned()
    };
    let preview = told(&text.stderr, "rp_");
    assert_eq!(shop.done(&["reset", "--preview", &preview, "--dry-run"]), text.stdout, "the same again");
    assert_eq!(open(&server.stranger(), &links[1]), 200);
    let again = lines(&shop, &["reset", "--preview", &preview, "--dry-run"]);
    assert_eq!((&again[0]["preview"], &again[0]["passports"][1]["state"]), (&json!(preview), &json!("scanned")));
    let reset = shop.run(&["reset", "--preview", &preview]);
    assert_eq!(reset.stdout, "2 passports back in the pool\n");
    assert!(reset.stderr.contains("changed since: 1 passport."), "{}", reset.stderr);
    assert_eq!(links.iter().map(|link| open(&server.stranger(), link)).collect::<Vec<_>>(), [404, 200, 404]);
    let undo = ["reset", "--undo", &told(&reset.stderr, "rs_")];
    assert_eq!(lines(&shop, &undo), [json!({"count": 2, "others": 0})]);
    assert!(links.iter().all(|link| open(&server.stranger(), link) == 200), "each link lives again");
    let reset = lines(&shop, &["reset", "--tags", "vip", "--state", "scanned"]);
    assert_eq!((&reset[0]["count"], reset[0].get("changed_since")), (&json!(3), None));
    assert_eq!(shop.done(&["reset", "--undo", reset[0]["id"].as_str().unwrap()]), "3 passports as before the reset\n");
    drop(server);
    shop.refused(1, &undo, &["undone already"]);
    shop.refused(1, &["reset", "--undo", "rs_018bcfe5680077078707070707070707"], &["there is no reset"]);
    let unknown = ["reset", "--preview", "rp_018bcfe5680077078707070707070707", "--dry-run"];
    shop.refused(1, &unknown[..3], &["there is no preview"]);
    shop.refused(1, &unknown, &["there is no preview"]);
    shop.refused(2, &["reset", "--preview", &preview, "--tags", "vip"], &["--preview"]);
    shop.refused(2, &["reset", "--preview", "rs_1"], &["rs_1"]);
    shop.refused(1, &["reset", "--id", "77", "--dry-run"], &["77"]);
    shop.check();
}

#[test]
fn passports_are_listed_by_what_they_are_and_all_of_them_if_nobody_says_less() {
    let shop = Shop::with(2_100, "vip");
    shop.import(&["7,,gold,", r#"8,,"gold,vip",{}"#]);
    let (reservation, links) = reserve_for_guests(&shop);
    let ids = |more: &[&str]| {
        let listed = lines(&shop, &[&["passport", "list"], more].concat());
        listed.iter().map(|one| one["passport_id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let all = ids(&[]);
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (2_102, 2_102));
    assert_eq!(ids(&["--limit", "1500"]), all[..1_500]);
    assert_eq!(shop.done(&["passport", "list", "--limit", "3"]).lines().count(), 3);
    assert_eq!(ids(&["--tags", "gold"]), [7, 8]);
    assert_eq!(ids(&["--tag", "gold,vip"]), [8]);
    assert_eq!(ids(&["--tags", "gold", "--tags", "vip", "--rule", "or"]).len(), 2_102);
    assert_eq!(ids(&["--state", "reserved"]), links.iter().map(|link| link.id).collect::<Vec<_>>());
    assert_eq!(ids(&["--reference", "o-2"]), [links[1].id]);
    assert_eq!(ids(&["--reference", "o-9"]), [0; 0]);
    let made_at = lines(&shop, &["reservation", "show", &reservation])[0]["made_at"].clone();
    assert_eq!(ids(&["--since", made_at.as_str().unwrap()]), links.iter().map(|link| link.id).collect::<Vec<_>>());
    assert_eq!(ids(&["--since", "2999-01-01T00:00:00Z"]), [0; 0]);
    shop.refused(2, &["passport", "list", "--state", "gone"], &["--state"]);
    shop.refused(2, &["passport", "list", "--since", "yesterday"], &["--since"]);
    shop.refused(2, &["passport", "list", "--tags", ","], &["--tags"]);
    shop.refused(1, &["passport", "show", "77"], &["passport 77 does not exist"]);
    shop.refused(2, &["passport", "show", "0"], &["0"]);
    let shown = shop.done(&["passport", "show", &links[0].id.to_string()]);
    for part in ["state          reserved", "name           Ada", "tags           vip", "created", &reservation] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    assert!(!shown.contains(&links[0].passphrase), "a link shows to whoever asks for links alone");
}

#[test]
fn a_passport_is_edited_as_it_was_seen_or_not_at_all() {
    let shop = Shop::with(1, "vip");
    let id = lines(&shop, &["passport", "list"])[0]["passport_id"].to_string();
    let seen = lines(&shop, &["passport", "show", &id])[0]["version"].as_str().unwrap().to_owned();
    let content = shop.file("content.json", r#"{"name":"Watch"}"#);
    let edit = ["passport", "edit", &id, "--tag", "gold", "--tag", "a", "--content", &content, "--if-version", &seen];
    let edited = lines(&shop, &edit);
    assert_eq!(edited[0]["passport_id"].to_string(), id);
    let passport = &lines(&shop, &["passport", "show", &id])[0];
    assert_eq!((&passport["tags"], &passport["content"]), (&json!(["a", "gold"]), &json!({"name": "Watch"})));
    assert_eq!(passport["version"], edited[0]["version"]);
    let kinds = passport["history"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap());
    assert_eq!(kinds.collect::<Vec<_>>(), ["created", "retagged", "edited"]);
    let tags = shop.pool()["tags"].clone();
    assert_eq!((&tags["gold"]["available"], tags.get("vip")), (&json!(1), None));
    assert!(shop.done(&["passport", "edit", &id, "--no-tags"]).contains(&id));
    assert_eq!(shop.pool()["tags"], json!({}));
    shop.refused(1, &edit, &["changed meanwhile"]);
    shop.refused(1, &["passport", "edit", "77", "--tag", "a"], &["passport 77 does not exist"]);
    shop.refused(1, &["passport", "edit", &id, "--content", "none.json"], &["none.json"]);
    let wrong = shop.file("list.json", "[]");
    shop.refused(1, &["passport", "edit", &id, "--content", &wrong], &["list.json"]);
    shop.refused(2, &["passport", "edit", &id], &["--tag", "--no-tags", "--content"]);
    shop.refused(2, &["passport", "edit", &id, "--tag", "a,b"], &["--tag"]);
    shop.refused(2, &["passport", "edit", &id, "--tag", "a", "--no-tags"], &["--no-tags"]);
    shop.refused(2, &["passport", "edit", &id, "--tag", "a", "--if-version", "x"], &["--if-version"]);
    shop.done(&["withdraw", &id]);
    shop.refused(1, &["passport", "edit", &id, "--tag", "a"], &["withdrawn"]);
    shop.check();
}

#[test]
fn the_journal_is_read_on_from_where_a_reader_stopped() {
    let shop = Shop::with(1_500, "vip");
    let (_, links) = reserve_for_guests(&shop);
    let seqs = |more: &[&str]| {
        let rows = lines(&shop, &[&["events"], more].concat());
        rows.iter().map(|row| row["seq"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let all = seqs(&[]);
    assert_eq!(all.len(), 1_503);
    let head = seqs(&["--limit", "1200"]);
    assert_eq!(head, all[..1_200]);
    assert_eq!(seqs(&["--after", &head[1_199].to_string()]), all[1_200..]);
    assert_eq!(seqs(&["--after", &all[1_502].to_string()]), [0; 0], "there is nothing more yet");
    let reserved = lines(&shop, &["events", "--kind", "reserved"]);
    assert_eq!(
        reserved.iter().map(|row| row["passport_id"].as_u64().unwrap()).collect::<Vec<_>>(),
        links.iter().map(|link| link.id).collect::<Vec<_>>()
    );
    let of_one = lines(&shop, &["events", "--passport", &links[0].id.to_string(), "--actor", "cli"]);
    assert_eq!(of_one.iter().map(|row| row["kind"].as_str().unwrap()).collect::<Vec<_>>(), ["created", "reserved"]);
    assert_eq!(seqs(&["--since", reserved[0]["at"].as_str().unwrap()]).len(), 3);
    assert_eq!(seqs(&["--actor", "user:crm"]), [0; 0]);
    assert!(shop.done(&["events", "--kind", "reserved", "--limit", "1"]).contains("reserved"));
    shop.refused(2, &["events", "--kind", "lost"], &["--kind", "reserved"]);
    shop.refused(2, &["events", "--actor", "crm"], &["--actor"]);
    shop.refused(2, &["events", "--after", "x"], &["--after"]);
    shop.refused(2, &["events", "--passport", "x"], &["--passport"]);
}

#[test]
fn a_recipient_is_listed_and_forgotten() {
    let shop = Shop::with(3, "vip");
    let (reservation, links) = reserve_for_guests(&shop);
    let listed = lines(&shop, &["recipient", "list"]);
    let names: Vec<_> = listed.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Ada", "=Eve", "Grace"]);
    assert_eq!((&listed[0]["passport_id"], &listed[0]["reservation_id"]), (&json!(links[0].id), &json!(reservation)));
    assert_eq!(lines(&shop, &["recipient", "list", "--reference", "o-3"]), listed[2..]);
    assert_eq!(lines(&shop, &["recipient", "list", "--limit", "2"]), listed[..2]);
    let text = shop.done(&["recipient", "list", "--limit", "1"]);
    assert!(text.contains("o-1, Ada, ada@brand.example"), "{text}");
    let history = shop.sql("SELECT count(*) FROM journal");
    let ada = listed[0]["id"].as_str().unwrap();
    assert_eq!(shop.done(&["recipient", "erase", ada]), "");
    assert_eq!(lines(&shop, &["recipient", "list"]), listed[1..]);
    assert!(!shop.contents().1.contains("ada@brand.example"), "she is forgotten");
    assert_eq!(shop.sql("SELECT count(*) FROM journal"), history);
    shop.refused(1, &["recipient", "erase", ada], &[ada]);
    shop.refused(1, &["recipient", "erase", NO_RECIPIENT], &[NO_RECIPIENT]);
    shop.refused(2, &["recipient", "erase", "o-2"], &["o-2"]);
    shop.refused(2, &["recipient", "list", "--reference", ""], &["--reference"]);
    shop.check();
}

#[test]
fn every_tag_is_listed_by_name_however_many_there_are() {
    let shop = Shop::empty();
    let rows: String = (0..2_005).map(|number| format!("serial-{number:04}\n")).collect();
    shop.done(&["import", &shop.file("rows.csv", format!("tags\n{rows}"))]);
    let pools = lines(&shop, &["pool", "--every-tag"]);
    let tags: Vec<_> = pools.iter().map(|pool| pool["tag"].as_str().unwrap().to_owned()).collect();
    assert_eq!(tags, (0..2_005).map(|number| format!("serial-{number:04}")).collect::<Vec<_>>());
    assert_eq!((&pools[0]["available"], &pools[0]["total"]), (&json!(1), &json!(1)));
    let text = shop.done(&["pool", "--every-tag"]);
    assert_eq!(text.lines().count(), 2_006, "a line has the names of the columns");
    assert!(text.lines().next().unwrap().starts_with("available   reserved"), "{text}");
    shop.refused(2, &["pool", "--every-tag", "--tag", "a"], &["--every-tag"]);
}

#[test]
fn looking_makes_no_database() {
    let shop = Shop::empty();
    for line in [
        ["reservation", "list", "", ""],
        ["reservation", "show", NO_RESERVATION, ""],
        ["reservation", "links", NO_RESERVATION, ""],
        ["passport", "list", "", ""],
        ["passport", "show", "7", ""],
        ["passport", "links", "7", ""],
        ["events", "", "", ""],
        ["recipient", "list", "", ""],
        ["profile", "list", "", ""],
        ["pool", "--every-tag", "", ""],
        ["reset", "--tags", "vip", "--dry-run"],
    ] {
        let line: Vec<&str> = line.into_iter().filter(|word| !word.is_empty()).collect();
        shop.refused(1, &line, &["there is no database at", &shop.url().replacen("sqlite:", "", 1)]);
        assert!(!shop.database().exists() && !shop.secret().exists(), "{line:?}");
    }
}

#[test]
fn who_watches_sees_that_a_reservation_is_being_made_and_data_stays_data() {
    let shop = Shop::with(20_000, "vip");
    let program = env!("CARGO_BIN_EXE_passpool");
    let place = format!("--database '{}' --secret-file '{}'", shop.url(), shop.secret().display());
    let line = format!("{program} reserve --tags vip --count 20000 {place} > links.txt");
    // `script` gives the command a terminal.
    let mut terminal = Command::new("script");
    let ended = Process::spawn(terminal.args(["-q", "-e", "-c", &line, "/dev/null"]).current_dir(shop.folder())).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("Reserving 20000 passports"), "{}", ended.stdout);
    let links = std::fs::read_to_string(shop.folder().join("links.txt")).unwrap();
    assert_eq!(links.lines().map(Given::in_link).collect::<BTreeSet<_>>().len(), 20_000);
    // Nobody watches a pipe.
    let piped = shop.run(&["reset", "--tags", "vip"]);
    assert!(!piped.stderr.contains("Giving passports back"), "{}", piped.stderr);
}
