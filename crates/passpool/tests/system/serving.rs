//! Serving: an address, health, and an end in good order.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Barrier,
    task::JoinSet,
};
use ureq::http::Method;

use crate::{
    client::{Answer, Given, RESERVE},
    process::{PATIENCE, Process},
    shop::{LINK_BASE, Server, Shop, assert_each_once},
    watch::{Watch, within},
};

#[test]
fn health_needs_no_key() {
    let shop = Shop::with(1, "vip");
    let server = shop.serve();
    for path in ["/healthz", "/readyz"] {
        let Answer { status, body, .. } = server.stranger().get(path);
        assert_eq!((status, body.as_str()), (200, "ok"), "{path}");
    }
}

/// Less than the 75 s after which others, if they are idle, lose their connections.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Sends the beginning of something, and reads one answer if it was a whole request.
fn connect(server: &Server, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.host()).unwrap();
    stream.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    if sent.ends_with("\r\n\r\n") {
        let mut head = [0; 15];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
    }
    stream
}

#[test]
fn a_server_ends_within_10_s_with_idle_connections_and_its_port_is_free_at_once() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let host = server.host().to_owned();
    let idle = [
        connect(&server, ""),
        connect(&server, "GET /hea"),
        connect(&server, "GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n"),
        connect(&server, "GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n"),
    ];
    let watch = Watch::start();
    let ended = server.stop_within(Duration::from_secs(10));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(watch.elapsed() < Duration::from_secs(10));
    let again = Server::start(&mut shop.command(&["serve", "--listen", &host]), &[]);
    assert_eq!(again.host(), host);
    assert_eq!(again.client(&key).reserve("tags=vip&format=link").status, 200);
    drop(idle);
}

#[test]
fn a_server_that_is_ended_before_it_told_its_address_ends_in_good_order() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--link-base", LINK_BASE, "--public-url", LINK_BASE];
    let (server, listen) = Process::spawn_unheard(&mut shop.command(&serve));
    // The line with the address is the first that it tells; this it writes down before.
    within(PATIENCE, "the link base", || shop.sql("SELECT * FROM setting").contains(LINK_BASE).then_some(()));
    server.signal("TERM");
    drop(listen);
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.trim_start().starts_with("passpool listens on "), "{}", ended.stderr);
    assert_eq!(shop.serve().client(&key).reserve("tags=vip&format=link").status, 200);
}

#[test]
fn with_a_log_in_json_every_line_is_an_object_and_the_address_is_told_whatever_is_filtered() {
    let told = |shop: &Shop, filter: &str, code: i32| {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--log", filter];
        let server = Process::spawn(&mut shop.command(&arguments));
        if code == 0 {
            server.told(|line| line.contains("passpool listens on http://127.0.0.1:").then_some(()));
            server.signal("TERM");
        }
        let ended = server.end();
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        let lines = ended.stderr.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        lines.map(|line| format!("{} {}", line["level"], line["message"]).replace('"', "")).collect::<Vec<_>>()
    };
    let shop = Shop::empty();
    for filter in ["info", "error", "off", "passpool=off"] {
        let lines = told(&shop, filter, 0);
        let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
        assert!(has("INFO passpool listens on http://"), "{filter}: {lines:?}");
        assert!(has("WARN 127.0.0.1 is a host of your own"), "{filter}: {lines:?}");
        assert!(has("INFO Nobody has a key yet"), "{filter}: {lines:?}");
        assert_eq!(has("INFO ending"), filter == "info", "{lines:?}");
    }
    fs::remove_file(shop.secret()).unwrap();
    let lines = told(&shop, "info", 1);
    assert!(lines.len() == 1 && lines[0].starts_with("ERROR there is no secret file"), "{lines:?}");
}

#[test]
fn what_was_acknowledged_before_the_end_stands_and_nothing_else_is_done() {
    let shop = Shop::with(20_000, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let client = server.client(&key);
            thread::spawn(move || {
                let mut given = Vec::new();
                let path = format!("{RESERVE}?tags=vip&format=link");
                while let Ok(answer) = client.ask(Method::GET, &path) {
                    given.push(answer.given());
                }
                given
            })
        })
        .collect();
    let first = server.client(&key).reserve("tags=vip&format=link").given();
    assert_eq!(server.stop_within(Duration::from_secs(10)).code, Some(0));
    let mut given: Vec<Given> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    given.push(first);
    assert_each_once(&given);
    let told = given.into_iter().map(|given| (given.id, given.passphrase)).collect();
    assert!(shop.given("reserved") == told, "what is reserved is not what was answered");
    shop.check();
}

#[test]
fn a_clean_end_leaves_everything_in_the_database_file() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    assert_eq!(server.client(&key).reserve("tags=vip&format=link").status, 200);
    assert_eq!(server.stranger().get("/readyz").status, 200);
    assert_eq!(server.stop().code, Some(0));
    for beside in ["shop.db-wal", "shop.db-shm"] {
        assert!(!shop.folder().join(beside).exists(), "{beside} is left: a copy of the database alone would miss it");
    }
    assert_eq!(shop.count("reserved"), 1);
}

/// Most systems let a program open 1,024 files unless it asks for more.
#[test]
fn a_server_takes_more_connections_than_it_was_started_with_files() {
    let shop = Shop::with(1, "vip");
    let serve = shop.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut limited = Command::new("prlimit");
    serve.get_envs().for_each(|(name, _)| _ = limited.env_remove(name));
    limited.arg("--nofile=100:1000").arg(serve.get_program()).args(serve.get_args()).current_dir(shop.folder());
    let server = Server::start(&mut limited, &[]);
    let callers: Vec<_> = (0..200).map(|_| connect(&server, "GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n")).collect();
    drop(callers);
    assert_eq!(server.stop().code, Some(0));
}

/// A thread of the server's has room for 256 who sent something. More than that are to wait for their turn, not for those who
/// have had it.
#[test]
fn hundreds_of_busy_callers_are_served_in_their_order() {
    const CALLERS: usize = 800;
    const ALL_HAVE: usize = 50;
    let shop = Shop::with(1, "vip");
    let server = shop.serve();
    let all_are_in = Arc::new(Barrier::new(CALLERS));
    let still_waiting = Arc::new(AtomicUsize::new(CALLERS));
    let caller = |stream: TcpStream| {
        let (all_are_in, still_waiting) = (all_are_in.clone(), still_waiting.clone());
        async move {
            stream.set_nonblocking(true).unwrap();
            let mut stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let mut call = async || {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
                assert!(stream.read(&mut [0; 1_024]).await.unwrap() > 0);
            };
            call().await;
            all_are_in.wait().await;
            let mut served = 0;
            while still_waiting.load(Ordering::Relaxed) > 0 {
                call().await;
                served += 1;
                if served == ALL_HAVE {
                    still_waiting.fetch_sub(1, Ordering::Relaxed);
                }
            }
            served
        }
    };
    let streams = [(); CALLERS].map(|()| connect(&server, ""));
    // One thread for all, so that none of them is late for want of a core.
    let thread = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let served = thread.block_on(async { streams.into_iter().map(caller).collect::<JoinSet<_>>().join_all().await });
    let most = served.into_iter().max().unwrap();
    assert!(most < ALL_HAVE + ALL_HAVE / 4, "when the last had {ALL_HAVE} answers, another had {most}");
}

#[test]
fn a_port_in_use_is_named() {
    let shop = Shop::with(1, "vip");
    let other = Shop::with(1, "vip");
    let server = other.serve();
    shop.refused(1, &["serve", "--listen", server.host()], &[server.host(), "in use"]);
}

#[test]
fn a_second_server_on_the_same_file_is_refused() {
    let shop = Shop::with(2, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    shop.refused(1, &["serve", "--listen", "127.0.0.1:0"], &["shop.db"]);
    assert_eq!(server.client(&key).reserve("tags=vip&format=link").status, 200, "the first goes on");
    server.kill();
    // The lock is the operating system's, so nothing of it outlives a crash.
    assert_eq!(shop.serve().client(&key).reserve("tags=vip&format=link").status, 200);
}

#[test]
fn a_server_says_so_while_nobody_has_a_key() {
    let shop = Shop::with(1, "vip");
    let server = shop.serve();
    assert!(server.log().contains("passpool user key admin"), "{}", server.log());
    drop(server);
    let key = shop.done(&["user", "key", "admin"]);
    let server = shop.serve();
    assert!(!server.log().contains("passpool user key admin"), "{}", server.log());
    assert_eq!(server.client(key.trim_end()).reserve("tags=vip&format=link").status, 200);
}
