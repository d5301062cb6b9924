//! The command line as its users have it: the real binary, a real database, and what it answers.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

/// A directory in which commands run, and nothing of the environment around.
struct Directory(TempDir);

/// What a command answered.
struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passpool"));
        command.current_dir(self.0.path()).env_clear().args(line.split_ascii_whitespace());
        command
    }

    fn run(&self, line: &str) -> Answer {
        Answer::of(self.command(line).output().unwrap())
    }

    /// Runs a command that has to succeed, and gives what it wrote to stdout.
    fn data(&self, line: &str) -> String {
        let answer = self.run(line);
        assert_eq!(answer.code, 0, "{line}: {}", answer.stderr);
        answer.stdout
    }

    /// Runs a command that has to fail like this.
    fn fails(&self, line: &str, code: i32, message: &str) {
        let answer = self.run(line);
        assert_eq!((answer.code, answer.stdout.as_str()), (code, ""), "{line}: {}", answer.stderr);
        assert!(answer.stderr.contains(message), "{line}: {}", answer.stderr);
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.0.path().join(name).exists()
    }

    /// How many passports are available, and how many there are.
    fn counts(&self) -> (u64, u64) {
        let counts: serde_json::Value = serde_json::from_str(&self.data("pool --json")).unwrap();
        let number = |name: &str| counts["all"][name].as_u64().unwrap();
        (number("available"), number("total"))
    }
}

impl Answer {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A server that ends with its test.
struct Server {
    process: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Server {
    /// Starts, and waits until the address is told.
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("passpool listens on http://") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the server ended before it listened");
        }
        Self { process, stderr }
    }

    fn terminate(mut self) -> i32 {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        for line in self.stderr.by_ref().lines() {
            line.unwrap();
        }
        self.process.wait().unwrap().code().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[test]
fn a_database_is_made_by_those_that_write_and_missed_by_those_that_read() {
    let directory = Directory::new();
    for line in ["pool", "check", "export", "user list", "reset --dry-run --tags a"] {
        directory.fails(line, 1, "there is no database at passpool.db");
    }
    assert!(!directory.has("passpool.db") && !directory.has("passpool.db.secret"));
    let made = directory.run("create --count 3 --tag vip");
    assert_eq!((made.code, made.stdout.as_str()), (0, ""));
    assert!(made.stderr.contains("passpool.db.secret") && made.stderr.contains("Made 3 passports."));
    let secret = fs::metadata(directory.0.path().join("passpool.db.secret")).unwrap();
    assert_eq!((secret.len(), secret.permissions().mode() & 0o777), (32, 0o600));
    assert_eq!(directory.data("create --count 2 --json"), "{\"created\":2}\n");
    assert_eq!(directory.counts(), (5, 5));
    assert_eq!(directory.data("check"), "");
}

#[test]
fn a_lost_or_wrong_secret_stops_those_that_need_it() {
    let directory = Directory::new();
    directory.data("create --count 3 --tag vip");
    let path = directory.0.path().join("passpool.db.secret");
    let secret = fs::read(&path).unwrap();
    let needy = ["reserve --tags vip", "serve --listen 127.0.0.1:0", "export x.csv --with-passphrases"];
    let check = |message: &str| {
        needy.iter().for_each(|line| directory.fails(line, 1, message));
        assert!(!directory.has("x.csv"));
        for line in ["pool", "check", "user list", "reset --tags vip", "create --count 1"] {
            directory.data(line);
        }
    };
    fs::remove_file(&path).unwrap();
    check("there is no secret file passpool.db.secret");
    fs::write(&path, &secret[1..]).unwrap();
    check("passpool.db.secret is no secret file: it has 31 bytes");
    fs::write(&path, [7; 32]).unwrap();
    check("passpool.db.secret holds another secret than the one that passpool.db was made with");
    directory.write("elsewhere", "");
    fs::write(directory.0.path().join("elsewhere"), secret).unwrap();
    directory.data("reserve --tags vip --secret-file elsewhere --link-base https://brand.example");
}

#[test]
fn a_bad_line_imports_nothing_and_is_named() {
    let directory = Directory::new();
    directory.data("create --count 1 --tag a");
    let check = |lines: &[&str], message: &str| {
        directory.write("x.csv", &format!("id,passphrase,tags\n{}\n", lines.join("\n")));
        directory.fails("import x.csv", 1, message);
        assert_eq!(directory.counts(), (1, 1), "{message}");
    };
    let many: Vec<String> = (1..=10_000).map(|id| format!("{id},sesame{id},a")).collect();
    let with_last = |last: &'static str| many.iter().map(String::as_str).chain([last]).collect::<Vec<_>>();
    check(&["1,,a", "0,,a"], "x.csv: line 3: a passport's id");
    check(&["1,,a", "2,,a", "1,,a"], "x.csv: line 4: the id 1 stands twice in this import, first in line 2");
    check(&with_last("x,,a"), "x.csv: line 10002: a passport's id");
    check(&with_last("5,,a"), "x.csv: line 10002: the id 5 stands twice in this import, first in line 6");
    check(&with_last("20000,open sesame,a"), "x.csv: line 10002: the passphrase holds a character");
    directory.fails("import none.csv", 1, "none.csv");
    directory.fails("import none.txt", 2, "--format");
}

#[test]
fn a_bad_line_in_the_first_file_leaves_no_database_behind() {
    let directory = Directory::new();
    let check = |text: &str, message: &str| {
        directory.write("x.csv", text);
        directory.fails("import x.csv", 1, message);
        let names = fs::read_dir(directory.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["x.csv"], "{message}");
    };
    let many: String = (1..=10_000).map(|id| format!("{id},a\n")).collect();
    check("id,tag\n1,a\n", "there is no column \"tag\"");
    check("id,tags\n1,a\n0,a\n", "x.csv: line 3: a passport's id");
    check("id,tags\n1,a\n2,a\n1,a\n", "x.csv: line 4: the id 1 stands twice in this import, first in line 2");
    check(&format!("id,tags\n{many}5,a\n"), "x.csv: line 10002: the id 5 stands twice in this import, first in line 6");
    directory.write("x.csv", &format!("id,tags\n{many},a\n"));
    assert_eq!(directory.data("import x.csv --json"), "{\"imported\":10001}\n");
    assert_eq!(directory.data("check"), "");
}

#[test]
fn known_ids_are_passed_over_if_that_is_asked_for() {
    let directory = Directory::new();
    let rows = |ids: std::ops::Range<u32>| ids.map(|id| format!("{{\"id\":{id}}}\n")).collect::<String>();
    directory.write("x.ndjson", &rows(1..10_000));
    assert_eq!(directory.data("import x.ndjson --tag a --json"), "{\"imported\":9999}\n");
    directory.fails("import x.ndjson", 1, "line 1: the id 1 was used before");
    directory.write("x.ndjson", &rows(1..10_011));
    assert_eq!(directory.data("import x.ndjson --skip-known --json"), "{\"imported\":11}\n");
    assert_eq!(directory.data("import x.ndjson --skip-known --json"), "{\"imported\":0}\n");
    assert_eq!(directory.counts(), (10_010, 10_010));
    assert_eq!(directory.data("check"), "");
}

#[test]
fn an_export_can_be_imported_again_and_keeps_the_secrets_of_the_pool() {
    let directory = Directory::new();
    directory
        .write("x.csv", "id,passphrase,tags,content\n1,sesame1,\"=b,a\",\"{\"\"n\"\": 1.50}\"\n2,sesame2,c,\n3,,a,\n");
    directory.data("import x.csv");
    directory.data("reserve --tags c --link-base https://brand.example");
    let plain = "id,passphrase,tags,content\n1,,\"=b,a\",\"{\"\"n\"\":1.50}\"\n2,,c,{}\n3,,a,{}\n";
    assert_eq!(directory.data("export"), plain);
    directory.data("export plain.csv");
    assert_eq!(directory.read("plain.csv"), plain);
    directory.fails("export - --with-passphrases", 2, "needs a FILE");
    directory.data("export secret.ndjson --with-passphrases");
    let expected = concat!(
        "{\"id\":1,\"tags\":[\"=b\",\"a\"],\"content\":{\"n\":1.50}}\n",
        "{\"id\":2,\"passphrase\":\"sesame2\",\"tags\":[\"c\"],\"content\":{}}\n",
        "{\"id\":3,\"tags\":[\"a\"],\"content\":{}}\n",
    );
    assert_eq!(directory.read("secret.ndjson"), expected);
    let mode = fs::metadata(directory.0.path().join("secret.ndjson")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    directory.fails("export secret.ndjson --with-passphrases", 1, "secret.ndjson");
    assert_eq!(directory.read("secret.ndjson"), expected);
    directory.data("import plain.csv --database sqlite:copy.db");
    assert_eq!(directory.data("export --database sqlite:copy.db"), plain);
}

#[test]
fn a_reservation_is_repeated_refused_or_told_short() {
    let directory = Directory::new();
    directory.data("create --count 5 --tag vip");
    let reserve = "reserve --tags vip --link-base https://brand.example --network testnet --idempotency-key order-7";
    let links = directory.data(&format!("{reserve} --count 2"));
    assert_eq!(links.lines().count(), 2);
    assert!(links.lines().all(|link| link.starts_with("https://brand.example/") && link.ends_with(",testnet")));
    assert_eq!(directory.data(&format!("{reserve} --count 2")), links);
    directory.fails(&format!("{reserve} --count 3"), 1, "with other parameters");
    directory.fails("reserve --tags vip --count 4", 1, "4 passports asked for, 3 available");
    assert_eq!(directory.counts(), (3, 5));
    assert_eq!(directory.data("reserve --tags vip --count 9 --partial").lines().count(), 3);
    assert_eq!(directory.data("reset --tags vip --dry-run").lines().count(), 5);
    assert_eq!(directory.counts(), (0, 5));
    assert_eq!(directory.data("reset --tags vip --older-than 1h --json"), "{\"count\":0}\n");
    assert_eq!(directory.data("reset --tags vip --state reserved"), "5 passports back in the pool\n");
    directory.fails(&format!("{reserve} --count 2"), 1, "is over");
    directory.fails("reset", 2, "--tags");
    directory.fails("reset --id 1 --tags vip", 2, "--id");
    assert_eq!(directory.data("check"), "");
}

#[test]
fn a_key_is_printed_alone_and_once() {
    let directory = Directory::new();
    let key = directory.data("user add crm --rights certCreate,certRead");
    assert!(key.starts_with("pp_") && key.len() == 56 && key.ends_with('\n'), "{key}");
    assert_ne!(directory.data("user key crm"), key);
    let listed = directory.data("user list --json");
    assert!(listed.contains("\"rights\":[\"certRead\",\"certCreate\"]") && !listed.contains(key.trim()), "{listed}");
    directory.fails("user add crm --rights certRead", 1, "crm exists already");
    directory.fails("user add eve --rights certDestroy", 2, "certDestroy");
    directory.fails("user remove admin", 1, "admin is the last user");
    assert_eq!(directory.data("user remove crm"), "");
    directory.fails("user key crm", 1, "there is no user crm");
}

#[test]
fn a_password_is_never_shown() {
    let directory = Directory::new();
    let check_code = |code: i32, answer: Answer| {
        assert_eq!(answer.code, code, "{}", answer.stderr);
        assert!(!answer.stderr.contains("sesame") && !answer.stdout.contains("sesame"), "{}", answer.stderr);
    };
    // Nobody listens at this port, so that is what is told.
    check_code(1, directory.run("pool --database postgres://me:sesame@127.0.0.1:1/db"));
    let check = |answer: Answer| check_code(2, answer);
    check(directory.run("pool --database postgres://me:sesame@host/db?sslmode=sesame"));
    check(directory.run("pool --tag a,,b --database postgres://me:sesame@host/db --rule"));
    check(Answer::of(
        directory.command("pool").env("PASSPOOL_DATABASE", "mysql://me:sesame@host/db").output().unwrap(),
    ));
    directory.write("p.toml", "database = postgres://me:sesame@host/db");
    check(directory.run("pool --config p.toml"));
}

#[test]
fn whoever_stops_reading_is_no_failure() {
    let directory = Directory::new();
    directory.data("create --count 20000 --tag vip");
    let mut export = directory.command("export").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut header = String::new();
    BufReader::new(export.stdout.take().unwrap()).read_line(&mut header).unwrap();
    assert_eq!(header, "id,passphrase,tags,content\n");
    assert_eq!(export.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_is_refused_where_another_one_is() {
    let directory = Directory::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    directory.fails(&format!("serve --listen {address}"), 1, &address);
    assert!(!directory.has("passpool.db"), "an address in use leaves no database behind");
    let server = Server::start(directory.command("serve --listen 127.0.0.1:0 --public-url https://brand.example"));
    directory.fails("serve --listen 127.0.0.1:0", 1, "another passpool serves passpool.db already");
    directory.data("create --count 1 --tag vip");
    assert!(directory.data("reserve --tags vip").starts_with("https://brand.example/"));
    assert_eq!(server.terminate(), 0);
}

#[test]
fn an_import_reads_the_standard_input() {
    let directory = Directory::new();
    let mut import = directory.command("import - --format csv --printed").stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(b"passphrase,tags\nsesame,vip\n").unwrap();
    assert!(import.wait().unwrap().success());
    directory.fails("reserve --tags vip", 1, "1 passport asked for, 0 available");
}

#[test]
fn a_demo_prints_fifty_links_and_a_curl_line() {
    let directory = Directory::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let line = format!("demo --listen {}", taken.local_addr().unwrap());
    for _ in 0..2 {
        let mut server = Server::start(directory.command(&line));
        let lines = BufReader::new(server.process.stdout.take().unwrap()).lines().take(51);
        let lines: Vec<String> = lines.map(Result::unwrap).collect();
        let (curl, links) = lines.split_last().unwrap();
        assert!(links.iter().all(|link| link.starts_with("http://127.0.0.1:")));
        assert_eq!(links.iter().collect::<std::collections::HashSet<_>>().len(), 50);
        assert!(curl.starts_with("curl ") && curl.contains("format=link"), "{curl}");
        directory.fails(&line, 1, "another passpool serves passpool-demo.db already");
        assert_eq!(server.terminate(), 0);
    }
    directory.write("passpool-demo.db", "somebody's letters");
    directory.fails(&line, 1, "passpool-demo.db is no Passpool database");
    assert_eq!(directory.read("passpool-demo.db"), "somebody's letters");
}
