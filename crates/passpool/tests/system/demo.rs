//! The demo: the main job on a fresh machine, in one command.

use std::{collections::HashSet, net::TcpListener, process::Command};

use crate::{
    client::{Given, NONE_LEFT},
    process::Process,
    shop::Shop,
};

struct Demo {
    process: Process,
    links: Vec<String>,
    curl: String,
}

impl Demo {
    fn start(shop: &Shop, arguments: &[&str]) -> Self {
        let process = Process::spawn(shop.program().arg("demo").args(arguments));
        let mut links = Vec::new();
        loop {
            let line = process.said(|line| Some(line.to_owned()));
            if line.starts_with("curl ") {
                return Self { process, links, curl: line };
            }
            links.push(line);
        }
    }

    /// Runs the line as it stands there, and gives the body and the status.
    fn run_curl(&self) -> (String, String) {
        let line = format!("{} --write-out '\\n%{{http_code}}'", self.curl);
        let ended = Process::spawn(Command::new("sh").args(["-c", &line])).end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{line}");
        let (body, status) = ended.stdout.rsplit_once('\n').unwrap();
        (body.to_owned(), status.to_owned())
    }

    /// The host and port that the curl line asks.
    fn host(&self) -> &str {
        self.curl.split_once("http://").unwrap().1.split('/').next().unwrap()
    }
}

#[test]
fn fifty_links_are_secured_and_a_curl_line_gives_the_other_hundred() {
    let shop = Shop::empty();
    let demo = Demo::start(&shop, &[]);
    let mut given: HashSet<Given> = demo.links.iter().map(|link| Given::in_link(link)).collect();
    assert_eq!((demo.links.len(), given.len()), (50, 50));
    for number in 1..=100 {
        let (link, status) = demo.run_curl();
        assert_eq!(status, "200", "call {number}: {link}");
        assert!(given.insert(Given::in_link(&link)), "call {number} gave a link that somebody has");
    }
    let ids: HashSet<u64> = given.iter().map(|given| given.id).collect();
    assert_eq!(ids.len(), 150);
    assert_eq!(demo.run_curl(), (NONE_LEFT.to_owned(), "400".to_owned()));
    demo.process.signal("TERM");
    let ended = demo.process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 51, "the links and the line, and nothing else");
}

#[test]
fn a_taken_port_gives_a_free_one_and_the_demo_says_so() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let shop = Shop::empty();
    let demo = Demo::start(&shop, &["--listen", &taken]);
    assert_ne!(demo.host(), taken);
    demo.process.told(|line| (line.contains(&taken) && line.contains(demo.host())).then_some(()));
    assert_eq!(demo.run_curl().1, "200");
}

#[test]
fn each_demo_begins_afresh_but_not_under_one_that_runs() {
    let shop = Shop::empty();
    let first = Demo::start(&shop, &["--listen", "127.0.0.1:0"]);
    let second = Process::spawn(shop.program().args(["demo", "--listen", "127.0.0.1:0"])).end();
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("passpool-demo.db"), "{}", second.stderr);
    assert_eq!(first.run_curl().1, "200", "the first goes on");
    first.process.signal("TERM");
    assert_eq!(first.process.end().code, Some(0));
    let third = Demo::start(&shop, &["--listen", "127.0.0.1:0"]);
    assert_eq!(third.links.len(), 50);
    let old: HashSet<&String> = first.links.iter().collect();
    assert!(third.links.iter().all(|link| !old.contains(link)));
}
