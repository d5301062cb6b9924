//! Imports over `/v1`: a file becomes passports, all of it or nothing, and a job tells how far it is.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    process::Process,
    shop::Shop,
    watch::within,
};

const IMPORT: &str = "/v1/passports/import";
const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";

/// Sends a file and watches its job to the end.
fn import(client: &Client, query: &str, kind: &str, body: &str) -> Value {
    let begun = client.post(&format!("{IMPORT}{query}"), kind, body);
    assert_eq!(begun.status, 202, "{}", begun.body);
    watch(client, &begun)
}

fn watch(client: &Client, begun: &Answer) -> Value {
    let place = begun.header("location").unwrap();
    assert_eq!(place, format!("/v1/imports/{}", begun.json()["id"].as_str().unwrap()));
    within(Duration::from_secs(60), "the end of the import", || {
        let job = client.get(place);
        assert_eq!(job.status, 200, "{}", job.body);
        let job = job.json();
        (job["state"] != "running").then_some(job)
    })
}

/// Rows with ids from 1 on, in either format.
fn rows(kind: &str, count: u32) -> String {
    let mut rows = String::new();
    if kind == CSV {
        rows += "id,tags\n";
    }
    for id in 1..=count {
        match kind {
            CSV => writeln!(rows, "{id},vip"),
            _ => writeln!(rows, "{{\"id\":{id},\"tags\":[\"vip\"]}}"),
        }
        .unwrap();
    }
    rows
}

#[test]
fn a_file_of_either_kind_is_imported_whole_and_its_job_says_so() {
    let shop = Shop::empty();
    let key = shop.key("crm", "certCreate,certRead");
    let server = shop.serve();
    let client = server.client(&key);
    let table = "id,passphrase,tags,content\n7,k3x9q0m2ab7z,\"vip,red\",\"{\"\"name\"\":\"\"Chrono\"\"}\"\n8,,vip,\n";
    let done = import(&client, "?tags=spring", CSV, table);
    assert_eq!((&done["state"], &done["read"], &done["imported"]), (&json!("done"), &json!(2), &json!(2)), "{done}");
    let lines = "{\"id\":9,\"tags\":[\"vip\"],\"content\":{\"n\":1.50}}\n\n{\"tags\":[\"vip\"]}\n";
    assert_eq!(import(&client, "", NDJSON, lines)["imported"], 2);
    let seven = client.get("/v1/passports/7").json();
    assert_eq!((&seven["tags"], &seven["content"]), (&json!(["red", "spring", "vip"]), &json!({"name": "Chrono"})));
    assert!(client.get("/v1/passports/9").body.contains("{\"n\":1.50}"), "a content is kept as it is written");
    let given = client.reserve("tags=spring,red&format=link").given();
    assert_eq!((given.id, &*given.passphrase), (7, "k3x9q0m2ab7z"));
    assert_eq!(shop.pool()["tags"]["vip"]["total"], 4);

    // More than one batch becomes visible together.
    let many = import(&client, "?skip_known=true", CSV, &rows(CSV, 20_000));
    assert_eq!((&many["read"], &many["imported"]), (&json!(20_000), &json!(20_000 - 3)), "{many}");
    let printed = import(&client, "?printed=true", CSV, "id,passphrase,tags\n30000,sesameopen,printed\n");
    assert_eq!(printed["imported"], 1);
    let none = client.post_json("/v1/reservations", &json!({"tags": ["printed"], "count": 1}));
    assert_eq!((none.status, &none.json()["available"]), (409, &json!(0)), "a printed code is nobody else's");
    shop.check();
}

#[test]
fn a_bad_line_is_named_and_nothing_is_half_done() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    let check = |kind: &str, body: &str, code: &str, lines: &[u64]| {
        let failed = import(&client, "", kind, body);
        let problem = &failed["problem"];
        assert_eq!((&failed["state"], failed.get("imported")), (&json!("failed"), None), "{failed}");
        assert_eq!(problem["type"], format!("/problems/{code}"), "{failed}");
        assert_eq!(problem["lines"], json!(lines), "{failed}");
        let last = format!("line {}", lines.last().unwrap());
        assert!(problem["detail"].as_str().unwrap().contains(&last), "{failed}");
        assert_eq!(shop.sql("SELECT count(*) FROM passport"), "1", "nothing is even hidden");
    };
    check(CSV, &(rows(CSV, 20_000) + "0,vip\n"), "bad-line", &[20_002]);
    check(CSV, &(rows(CSV, 20_000) + "20001,\"vip"), "bad-line", &[20_002]);
    check(CSV, &(rows(CSV, 20_000) + "7,vip\n"), "id-doubled", &[8, 20_002]);
    check(NDJSON, &(rows(NDJSON, 20_000) + "{\"id\":0}\n"), "bad-line", &[20_001]);
    check(NDJSON, &(rows(NDJSON, 20_000) + "{\"id\":7}\n"), "id-doubled", &[7, 20_001]);
    check(NDJSON, "{\"id\":1}\nnot json\n", "bad-line", &[2]);
    check(NDJSON, "{\"id\":1,\"colour\":\"red\"}\n", "bad-line", &[1]);
    check(NDJSON, &format!("{{\"content\":{}}}\n", nested(33)), "bad-line", &[1]);
    let known = shop.sql("SELECT id FROM passport");
    check(CSV, &format!("id\n5\n{known}\n"), "id-used", &[3]);

    // What is wrong with the whole of it is told at once, and there is no job.
    let refused = |query: &str, kind: &str, body: &str, status: u16, code: &str| {
        let answer = client.post(&format!("{IMPORT}{query}"), kind, body);
        assert_eq!((answer.status, &answer.json()["type"]), (status, &json!(format!("/problems/{code}"))), "{body}");
    };
    refused("", CSV, "id,colour\n1,red\n", 422, "bad-line");
    refused("", "application/json", "{}", 415, "wrong-media-type");
    refused("?colour=red", CSV, "id\n1\n", 422, "invalid-request");
    refused("?tags=a,%07", CSV, "id\n1\n", 422, "invalid-request");
    assert_eq!(client.get("/v1/imports/im_00000000000000000000000000000000").status, 404);
    assert_eq!(import(&client, "", CSV, &rows(CSV, 20_000))["imported"], 20_000, "the good lines are good");
    shop.check();
}

fn nested(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

#[test]
fn a_second_import_meanwhile_is_refused_and_leaves_the_first_alone() {
    let shop = Shop::with(1, "gold");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let client = server.client(&key);
    // The first one is in the middle until it is told that there is no more.
    let mut first = Process::spawn(&mut shop.command(&["import", "-", "--format", "csv"]));
    first.write(&format!("tags\n{}", "vip\n".repeat(20_000)));
    within(Duration::from_secs(60), "the first rows of the import", || {
        (shop.sql("SELECT count(*) FROM passport").parse::<u64>().unwrap() > 8000).then_some(())
    });
    let body = rows(CSV, 20_000);
    let second = import(&client, "", CSV, &body);
    assert_eq!((&second["state"], &second["problem"]["type"]), (&json!("failed"), &json!("/problems/import-running")));
    // What is small needs no place in the queue.
    assert_eq!(import(&client, "", CSV, "tags\ngold\n")["imported"], 1);
    assert_eq!(client.post_json("/v1/passports", &json!({"count": 1, "tags": ["gold"]})).status, 201);
    assert_eq!(shop.count("total"), 3);
    assert_eq!(first.end().code, Some(0));
    assert_eq!(shop.count("total"), 20_003);
    assert_eq!(import(&client, "", CSV, &body)["imported"], 20_000);
    shop.check();
}

#[test]
fn an_import_is_known_until_the_server_ends_and_what_it_made_stays() {
    let shop = Shop::empty();
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let done = import(&server.client(&key), "", CSV, "tags\nvip\n");
    let place = format!("/v1/imports/{}", done["id"].as_str().unwrap());
    assert_eq!(server.stop().code, Some(0));
    let server = shop.serve();
    let forgotten = server.client(&key).get(&place);
    assert_eq!((forgotten.status, &forgotten.json()["type"]), (404, &json!("/problems/unknown-import")));
    assert_eq!(shop.count("available"), 1);
}
