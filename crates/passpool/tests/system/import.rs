//! Imports and exports: all or nothing, and what goes out can come in again.

use std::{fmt::Write, fs, os::unix::fs::PermissionsExt, time::Duration};

use crate::{process::Process, shop::Shop, watch::within};

/// A header and so many rows. Ids begin at 1.
fn rows(count: u32) -> String {
    let mut rows = String::from("id,tags\n");
    for id in 1..=count {
        writeln!(rows, "{id},vip").unwrap();
    }
    rows
}

/// An import in the middle: some of it is written, and more could come. It ends with the story.
fn import_in_the_middle(shop: &Shop) -> Process {
    let mut import = Process::spawn(&mut shop.command(&["import", "-", "--format", "csv"]));
    // Ids are drawn, so rows are written as soon as there are enough of them.
    import.write(&format!("tags\n{}", "vip\n".repeat(20_000)));
    within(Duration::from_secs(60), "the first rows of the import", || {
        (shop.sql("SELECT count(*) FROM passport").parse::<u64>().unwrap() > 8000).then_some(())
    });
    import
}

#[test]
fn a_bad_line_at_the_end_of_20_000_leaves_nothing() {
    let shop = Shop::with(1, "vip");
    for (last, named) in [("0,vip\n", "line 20002"), ("7,vip\n", "line 20002"), ("20001,\"vip", "line 20002")] {
        let file = shop.file("rows.csv", rows(20_000) + last);
        shop.refused(1, &["import", &file], &[named]);
        assert_eq!(shop.sql("SELECT count(*) FROM passport"), "1", "nothing is even hidden");
        shop.check();
    }
    let file = shop.file("rows.csv", rows(20_000));
    shop.done(&["import", &file]);
    assert_eq!(shop.count("available"), 20_001);
    shop.check();
}

#[test]
fn nothing_of_an_import_is_seen_before_its_end() {
    let shop = Shop::with(1, "gold");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let mut import = import_in_the_middle(&shop);
    assert_eq!(shop.count("total"), 1);
    assert_eq!(server.client(&key).reserve("tags=vip&format=link").status, 400);
    assert_eq!(shop.done(&["export", "--tag", "vip"]).lines().count(), 1, "the header alone");
    shop.check();
    // What is small needs no place in the queue; another import does.
    shop.create(1, "gold");
    let second = shop.run(&["import", &shop.file("other.csv", rows(20_000))]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("another import is running"), "{second:?}");
    import.write("vip\n");
    assert_eq!(import.end().code, Some(0));
    assert_eq!(shop.count("total"), 20_003);
    assert_eq!(server.client(&key).reserve("tags=vip&format=link").status, 200);
    shop.check();
}

/// Rows with ids of their own wait to be sorted until there are 64 MiB of content, and what is written at once waits for
/// more: this is a little more than that twice.
fn large_rows() -> String {
    let content = format!("{{\"\"text\"\":\"\"{}\"\"}}", "x".repeat(1 << 19));
    (1..=260).fold(String::from("id,tags,content\n"), |rows, id| rows + &format!("{id},vip,\"{content}\"\n"))
}

#[test]
fn an_import_that_was_killed_leaves_nothing_in_the_way() {
    let shop = Shop::with(1, "vip");
    let rows = large_rows();
    let mut import = Process::spawn(&mut shop.command(&["import", "-", "--format", "csv"]));
    import.write(&rows);
    within(Duration::from_secs(60), "the first rows of the import", || {
        (shop.sql("SELECT count(*) FROM passport").parse::<u64>().unwrap() > 1).then_some(())
    });
    import.kill();
    shop.check();
    assert_eq!(shop.count("total"), 1);
    // The ids that were half written are not used.
    shop.done(&["import", &shop.file("rows.csv", rows)]);
    assert_eq!(shop.count("available"), 261);
    shop.check();
}

#[test]
fn a_server_sweeps_what_a_killed_import_left() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    import_in_the_middle(&shop).kill();
    let server = shop.serve();
    let client = server.client(&key);
    assert_eq!(client.reserve("tags=vip&format=link").status, 200);
    assert_eq!(client.reserve("tags=vip&format=link").status, 400);
    within(Duration::from_secs(60), "the sweep", || (shop.sql("SELECT count(*) FROM passport") == "1").then_some(()));
    shop.check();
}

#[test]
fn known_ids_are_passed_over_if_that_is_asked_for() {
    let shop = Shop::empty();
    shop.import(&["1,,old,", "2,,old,"]);
    let file = shop.file("rows.csv", "id,tags\n2,new\n3,new\n");
    shop.refused(1, &["import", &file], &["line 2", "2"]);
    assert_eq!(shop.done(&["import", &file, "--skip-known", "--json"]), "{\"imported\":1}\n");
    assert_eq!(shop.pool()["tags"]["old"]["total"], 2);
    assert_eq!(shop.pool()["tags"]["new"]["total"], 1);
    let doubled = shop.file("rows.csv", "id,tags\n2,new\n9,new\n9,new\n");
    shop.refused(1, &["import", &doubled, "--skip-known"], &["line", "9"]);
    shop.check();
}

#[test]
fn a_printed_code_is_nobody_elses() {
    let shop = Shop::empty();
    let printed = shop.file("printed.csv", "id,passphrase,tags\n1,k3x9q0m2ab7z,vip\n");
    shop.done(&["import", &printed, "--printed"]);
    shop.refused(1, &["reserve", "--tags", "vip"], &["0 available"]);
    assert_eq!(shop.count("available"), 1);
    let without = shop.file("without.csv", "id,passphrase,tags\n2,k3x9q0m2ab7z,vip\n3,,vip\n");
    shop.refused(1, &["import", &without, "--printed"], &["line 3", "passphrase"]);
    shop.check();
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_is_exported_can_be_imported_again() {
    let shop = Shop::empty();
    shop.import(&[
        "9007199254740991,,\"vip,été 2026,=1+1\",\"{\"\"b\"\":1.50,\"\"a\"\":\"\"x,\\\"\"y\\\"\"\\n\"\"}\"",
        "5,,,",
        "6,,\"\"\"quoted\"\"\",",
    ]);
    shop.create(3, "vip");
    for format in ["csv", "ndjson"] {
        let file = format!("all.{format}");
        shop.done(&["export", &file]);
        let text = fs::read_to_string(shop.folder().join(&file)).unwrap();
        assert_eq!(shop.done(&["export", "--format", format]), text, "to the standard output");
        let other = Shop::empty();
        other.file(&file, &text);
        other.done(&["import", &file]);
        // The order in which passports were made is not the order of a file.
        assert_eq!(sorted(&other.done(&["export", "--format", format])), sorted(&text));
        assert_eq!(other.pool(), shop.pool());
    }
    assert_eq!(shop.done(&["export", "--tag", "vip"]).lines().count(), 1 + 4);
    assert_eq!(shop.done(&["export", "--state", "reserved"]).lines().count(), 1);
}

#[test]
fn passphrases_go_out_only_when_asked_for_into_a_file_for_its_owner_alone() {
    let shop = Shop::empty();
    shop.import(&["1,sesame,vip,", "2,abracadabra,gold,"]);
    let given = shop.done(&["reserve", "--tags", "vip"]);
    assert!(given.contains("sesame"));
    assert_eq!(shop.done(&["export"]), "id,passphrase,tags,content\n1,,vip,{}\n2,,gold,{}\n");
    shop.done(&["export", "out.csv", "--with-passphrases"]);
    let file = shop.folder().join("out.csv");
    let expected = "id,passphrase,tags,content\n1,sesame,vip,{}\n2,,gold,{}\n";
    assert_eq!(fs::read_to_string(&file).unwrap(), expected, "one in the pool has no passphrase that could leak");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Others may be able to read a file that is there.
    shop.refused(1, &["export", "out.csv", "--with-passphrases"], &["out.csv"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
}

#[test]
fn ids_that_were_drawn_tell_nothing_of_how_many_there_are() {
    let shop = Shop::with(1_000, "vip");
    let text = shop.done(&["export"]);
    let ids: Vec<u64> = text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(ids.len(), 1_000);
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    assert_ne!(ids, sorted, "they do not grow");
    // Nor do they stand so near each other that a gap would tell how many there are.
    assert!(sorted[999] - sorted[0] > 1_000_000_000, "{} to {}", sorted[0], sorted[999]);
    let more = Shop::with(1, "vip").done(&["export"]);
    assert_ne!(more.lines().nth(1).unwrap().split(',').next(), Some("1"), "a small shop has no small ids");
}
