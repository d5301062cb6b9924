//! A disk that is full: a clear answer, nothing lost, and the server goes on when there is room again.
//!
//! The room that runs out is the size that the system lets a file of the process grow to, which can be taken away and
//! given back from outside without the rights that it takes to make a small disk.

use std::process::Command;

use serde_json::json;

use crate::{
    process::Process,
    shop::{Server, Shop, assert_each_once},
};

/// A limit that would end the process with a signal tells it of an error instead, as a full disk does.
const WITH_LITTLE_ROOM: &str = r#"trap '' XFSZ; exec prlimit --fsize="$0":unlimited -- "$@""#;

/// The command with files that grow to so many bytes and no further.
fn with_room(bytes: u32, shop: &Shop, arguments: &[&str]) -> Command {
    let command = shop.command(arguments);
    let mut limited = Command::new("sh");
    limited.args(["-c", WITH_LITTLE_ROOM, &bytes.to_string()]).arg(command.get_program()).args(command.get_args());
    command.get_envs().for_each(|(name, _)| _ = limited.env_remove(name));
    limited.current_dir(shop.folder());
    limited
}

fn give_room(server: &Server) {
    let process = server.id().to_string();
    let given = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &process]).status().unwrap();
    assert!(given.success(), "the limit was not lifted");
}

#[test]
fn a_server_answers_503_while_the_disk_is_full_and_goes_on_when_there_is_room() {
    let shop = Shop::with(2_000, "vip");
    let key = shop.key("crm", "certCreate");
    let room = 1 << 20;
    let server = Server::start(&mut with_room(room, &shop, &["serve", "--listen", "127.0.0.1:0"]), &[]);
    let client = server.client(&key);
    let mut given = Vec::new();
    let full = loop {
        let answer = client.reserve("tags=vip&format=link");
        if answer.status != 200 {
            break answer;
        }
        given.push(answer.given());
    };
    assert!(!given.is_empty(), "there was no room for anything");
    let told = r#"{"message":"The disk is full or cannot be written"}"#;
    for answer in [full, client.reserve("tags=vip&format=linkObject"), client.reset("tags=vip")] {
        assert_eq!((answer.status, answer.body.as_str()), (503, told));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(client.get("/healthz").body, "ok");
    assert_eq!(client.get("/readyz").status, 200, "it can still be read");
    assert_eq!(shop.count("reserved"), given.len() as u64, "nothing was lost, and nothing more was given");
    shop.check();
    give_room(&server);
    given.extend((0..10).map(|_| client.reserve("tags=vip&format=link").given()));
    assert_each_once(&given);
    assert_eq!(server.stop().code, Some(0));
    let told = given.into_iter().map(|given| (given.id, given.passphrase)).collect();
    assert!(shop.given("reserved") == told, "what is reserved is not what was answered");
    shop.check();
}

#[test]
fn the_log_has_what_failed_under_the_id_of_its_answer() {
    let shop = Shop::with(2_000, "vip");
    let key = shop.key("crm", "admin");
    let server = Server::start(&mut with_room(1 << 20, &shop, &["serve", "--listen", "127.0.0.1:0"]), &[]);
    let client = server.client(&key);
    while client.reserve("tags=vip&format=link").status == 200 {}
    let failed = [
        ("GET", "/dispenser/distribution/reserveOne", client.reserve("tags=vip&format=link")),
        ("POST", "/v1/reservations", client.post_json("/v1/reservations", &json!({"tags": ["vip"], "count": 1}))),
    ];
    let log = server.stop().stderr;
    for (method, route, answer) in failed {
        assert_eq!(answer.status, 503, "{route}: {}", answer.body);
        let id = answer.header("x-request-id").unwrap();
        let line = format!("a request failed method={method} route=\"{route}\" id=\"{id}\" fault=\"the disk is full");
        assert!(log.contains(&line), "no {line} in {log}");
    }
}

#[test]
fn a_command_on_a_full_disk_names_the_file_and_changes_nothing() {
    let shop = Shop::with(2_000, "vip");
    let before = shop.contents();
    for arguments in [
        ["create", "--count", "20000", "--tag", "new"].as_slice(),
        &["reserve", "--tags", "vip", "--count", "2000"],
        &["user", "add", "crm", "--rights", "certCreate"],
    ] {
        let ended = Process::spawn(&mut with_room(1 << 10, &shop, arguments)).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("shop.db") && ended.stderr.contains("disk is full"), "{}", ended.stderr);
        assert!(shop.contents() == before, "{arguments:?} changed something");
    }
    shop.check();
}
