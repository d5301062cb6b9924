//! Bad input on the command line: a message that names the thing, the right exit code, and nothing changed.

use crate::shop::Shop;

fn shop() -> Shop {
    let shop = Shop::with(2, "vip");
    shop.import(&["77,,used,"]);
    shop
}

#[test]
fn a_wrong_call_is_exit_code_2_and_names_what_is_wrong() {
    let shop = shop();
    let check = |arguments: &[&str], named: &str| shop.refused(2, arguments, &[named]);
    let many = (0..33).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let long = "x".repeat(129);
    check(&[], "Usage");
    check(&["hand-out"], "hand-out");
    check(&["reserve"], "--tags");
    check(&["reserve", "--tags", ""], "--tags");
    check(&["reserve", "--tags", " , "], "--tags");
    check(&["reserve", "--tags", &many], "--tags");
    check(&["reserve", "--tags", &long], "--tags");
    check(&["reserve", "--tags", "a\u{7}b"], "--tags");
    check(&["reserve", "--tags", "vip", "--format", "xml"], "--format");
    check(&["reserve", "--tags", "vip", "--rule", "xor"], "--rule");
    check(&["reserve", "--tags", "vip", "--count", "0"], "--count");
    check(&["reserve", "--tags", "vip", "--count", "100001"], "--count");
    check(&["reserve", "--tags", "vip", "--count", "-1"], "-1");
    check(&["reserve", "--tags", "vip", "--expires-in", "0"], "--expires-in");
    check(&["reserve", "--tags", "vip", "--expires-in", "soon"], "--expires-in");
    check(&["reserve", "--tags", "vip", "--expires-in", "3651d"], "--expires-in");
    check(&["reserve", "--tags", "vip", "--idempotency-key", ""], "--idempotency-key");
    check(&["reserve", "--tags", "vip", "--idempotency-key", "a b"], "--idempotency-key");
    check(&["reserve", "--tags", "vip", "--link-base", "brand.example"], "--link-base");
    check(&["create"], "--count");
    check(&["create", "--count", "0"], "--count");
    check(&["create", "--count", "many"], "--count");
    check(&["create", "--count", "1", "--tag", ""], "--tag");
    check(&["create", "--count", "1", "--tag", &long], "129 bytes");
    check(&["create", "--count", "1", "--tag", "a,b"], "comma");
    check(&["create", "--count", "1", "--tag", "a\u{7}b"], "control character");
    check(&["reset"], "--tags");
    check(&["reset", "--tags", ","], "--tags");
    check(&["reset", "--tags", "vip", "--state", "claimed"], "--state");
    check(&["reset", "--tags", "vip", "--older-than", "0"], "--older-than");
    check(&["reset", "--id", "0"], "--id");
    check(&["reset", "--id", "9007199254740992"], "--id");
    check(&["export", "--state", "lost"], "--state");
    check(&["export", "--with-passphrases"], "--with-passphrases");
    check(&["pool", "--tag", &long], "--tag");
    check(&["user", "add", "crm"], "--rights");
    check(&["user", "add", "crm", "--rights", ""], "--rights");
    check(&["user", "add", "crm", "--rights", "certcreate"], "certcreate");
    check(&["user", "add", "a b", "--rights", "certRead"], "a b");
    check(&["serve", "--listen", "127.0.0.1:0", "--link-base", "https://brand.example/p"], "--link-base");
    check(&["serve", "--listen", "127.0.0.1:0", "--network", "a b"], "--network");
    check(&["serve", "--listen", "127.0.0.1:0", "--tag-rule", "xor"], "--tag-rule");
}

#[test]
fn an_address_that_is_none_is_named() {
    shop().refused(1, &["serve", "--listen", "nowhere"], &["nowhere"]);
}

#[test]
fn another_kind_of_database_is_a_wrong_call_and_no_password_is_shown() {
    let shop = Shop::empty();
    for url in ["mysql://me:sesame@h/db", "shop.db", "sqlite:", ""] {
        let mut command = shop.program();
        command.args(["create", "--count", "1", "--database", url]);
        let ended = crate::process::Process::spawn(&mut command).end();
        assert_eq!(ended.code, Some(2), "{url}: {ended:?}");
        assert!(ended.stderr.contains("--database") && !ended.stderr.contains("sesame"), "{url}: {ended:?}");
    }
    assert!(shop.contents().0.is_empty());
}

#[test]
fn a_refusal_is_exit_code_1_and_names_what_is_refused() {
    let shop = shop();
    let check = |arguments: &[&str], named: &str| shop.refused(1, arguments, &[named]);
    check(&["reserve", "--tags", "vip", "--count", "3"], "2 available");
    check(&["reserve", "--tags", "nobody"], "0 available");
    check(&["reset", "--id", "5"], "5");
    check(&["reset", "--id", "77"], "available");
    check(&["user", "add", "admin", "--rights", "certRead"], "admin");
    check(&["user", "key", "nobody"], "nobody");
    check(&["user", "remove", "nobody"], "nobody");
    check(&["user", "remove", "admin"], "admin");
    check(&["create", "--count", "1", "--content", "no.json"], "no.json");
    check(&["import", "no.csv"], "no.csv");
}

#[test]
fn content_that_is_none_is_refused_and_its_file_named() {
    let shop = shop();
    let check = |text: &str, named: &str| {
        let file = shop.file("content.json", text);
        shop.refused(1, &["create", "--count", "1", "--content", &file], &["content.json", named]);
    };
    check("", "JSON");
    check("[1]", "object");
    check("{\"a\":1", "JSON");
    check("{\"a\":1}{\"b\":2}", "JSON");
    check(&format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)), "1048576");
    let largest = format!("{{\"a\":\"{}\"}}", "x".repeat((1 << 20) - 8));
    let file = shop.file("content.json", &largest);
    shop.done(&["create", "--count", "1", "--tag", "large", "--content", &file]);
    assert_eq!(shop.done(&["reserve", "--tags", "large", "--format", "content"]).trim_end(), largest);
}

/// Rows that nothing is wrong with, around and between those that are told by their line.
fn among_good_rows(bad: &str) -> String {
    format!("id,passphrase,tags,content\n1,,vip,\n2,k3x9q0m2ab7z,\"vip,gold\",{{}}\n{bad}\n4,,vip,\n")
}

#[test]
fn a_bad_csv_line_is_told_by_its_number_and_nothing_is_imported() {
    let shop = shop();
    let check = |bad: &str, named: &str| {
        let file = shop.file("rows.csv", among_good_rows(bad));
        shop.refused(1, &["import", &file], &["rows.csv", "line 4", named]);
    };
    check("0,,vip,", "id");
    check("9007199254740992,,vip,", "id");
    check("-5,,vip,", "id");
    check("5.0,,vip,", "id");
    check("x,,vip,", "id");
    check("77,,vip,", "77");
    check("3,,vip", "3 cells");
    check("3,,vip,,", "5 cells");
    check("3,a b,vip,", "passphrase");
    check("3,é,vip,", "passphrase");
    check(&format!("3,{},vip,", "p".repeat(33)), "33");
    check(&format!("3,,{},", "x".repeat(129)), "129");
    check("3,,a\u{7}b,", "control");
    check(&format!("3,,\"{}\",", (0..257).map(|n| n.to_string()).collect::<Vec<_>>().join(",")), "257");
    check("3,,vip,[]", "object");
    check("3,,vip,{", "JSON");
    check(&format!("3,,vip,\"{{\"\"a\"\":\"\"{}\"\"}}\"", "x".repeat(1 << 20)), "1048576");
    check("3,,\"vip,", "quote");
}

#[test]
fn a_bad_ndjson_line_is_told_by_its_number_and_nothing_is_imported() {
    let shop = shop();
    let check = |bad: &str, named: &str| {
        let rows = format!("{{\"id\":1}}\n{{\"id\":2,\"tags\":[\"vip\"],\"content\":{{}}}}\n{bad}\n{{\"id\":4}}\n");
        let file = shop.file("rows.ndjson", rows);
        shop.refused(1, &["import", &file], &["rows.ndjson", "line 3", named]);
    };
    check(r#"{"id":0}"#, "id");
    check(r#"{"id":9007199254740992}"#, "id");
    check(r#"{"id":1.5}"#, "id");
    check(r#"{"id":"5"}"#, "id");
    check(r#"{"id":77}"#, "77");
    check(r#"{"id":3,"tags":["a,b"]}"#, "comma");
    check(r#"{"id":3,"tags":["a\u0007b"]}"#, "control");
    check(r#"{"id":3,"tags":"vip"}"#, "tags");
    check(&format!(r#"{{"id":3,"tags":["{}"]}}"#, "x".repeat(129)), "129");
    check(r#"{"id":3,"passphrase":"a,b"}"#, "passphrase");
    check(r#"{"id":3,"passphrase":12}"#, "passphrase");
    check(r#"{"id":3,"content":[]}"#, "object");
    check(r#"{"id":3,"contents":{}}"#, "unknown field `contents`");
    check(r#"{"id":3"#, "JSON");
    check(r#"[3]"#, "object");
    check("3,,vip,", "object");
}

#[test]
fn an_id_that_stands_twice_in_a_file_is_told_with_both_lines() {
    let shop = shop();
    let csv = shop.file("rows.csv", among_good_rows("1,,vip,"));
    shop.refused(1, &["import", &csv], &["rows.csv", "line 4", "id 1", "first in line 2"]);
    let ndjson = shop.file("rows.ndjson", "{\"id\":5}\n{\"id\":6}\n{\"id\":5}\n");
    shop.refused(1, &["import", &ndjson], &["rows.ndjson", "line 3", "id 5", "first in line 1"]);
}

#[test]
fn a_file_without_a_header_or_with_a_strange_one_is_refused() {
    let shop = shop();
    let check = |text: &str, named: &str| {
        let file = shop.file("rows.csv", text);
        shop.refused(1, &["import", &file], &["rows.csv", "line 1", named]);
    };
    check("3,sesame,vip,\n", "id,passphrase,tags,content");
    check("id,tag\n3,vip\n", "tag");
    check("id,id\n3,4\n", "id");
    let ended = shop.run(&["import", &shop.file("rows.csv", "3,sesame,vip,\n")]);
    assert!(!ended.stderr.contains("sesame"), "a passphrase in the first line was shown: {}", ended.stderr);
    shop.refused(2, &["import", &shop.file("rows.txt", "id\n3\n")], &["rows.txt", "--format"]);
}

#[test]
fn no_message_repeats_a_passphrase() {
    let shop = shop();
    for row in ["3,open sesame,vip,", "0,sesame,vip,", "77,sesame,vip,", "3,sesame,vip", "3,sesame,vip,{"] {
        let ended = shop.run(&["import", &shop.file("rows.csv", among_good_rows(row))]);
        assert_eq!(ended.code, Some(1), "{row}");
        assert!(!ended.stderr.contains("sesame"), "{row}: {}", ended.stderr);
    }
}
