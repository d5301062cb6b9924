//! Secrets: what was handed out is found in no log and in no table.

use std::fs;

use crate::shop::Shop;

/// A text as a dump shows it where it is bytes.
fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Marks that callers leave in what they send, and that belong to them.
const PRIVATE: [&str; 4] = ["order-4711-of-eve", "campaign-in-a-query", "page-that-referred", "agent-of-eve"];

#[test]
fn no_secret_is_written_down() {
    let shop = Shop::empty();
    shop.import(&["1,sesame-open-now,code,", "2,abracadabra1234,code,", "3,still-in-the-pool,stays,"]);
    shop.create(20, "vip");
    let mut keys = vec![shop.key("crm", "certCreate"), shop.key("reader", "certRead")];
    keys.push(shop.done(&["user", "key", "admin"]).trim_end().to_owned());
    let server = shop.serve_with(&["--log", "trace"]);
    let client = || {
        server
            .client(&keys[0])
            .with("referer", b"https://brand.example/page-that-referred")
            .with("user-agent", b"agent-of-eve")
    };
    let mut links = Vec::new();
    for tags in ["code", "code", "vip", "vip&expiresIn=1", "vip&format=linkObject&unknown=campaign-in-a-query"] {
        let format = if tags.contains("format") { "" } else { "&format=link" };
        let answer = client().reserve(&format!("tags={tags}{format}"));
        assert_eq!(answer.status, 200);
        let object = answer.body.starts_with('{').then(|| answer.json()["deeplink"]["link"].as_str().unwrap().into());
        links.push(object.unwrap_or(answer.body));
    }
    links.push(client().reserve_once(PRIVATE[0], "tags=vip&format=link").body);
    let content = client().reserve("tags=vip&format=content");
    links.push(content.header("link").unwrap().trim_matches(['<', '>']).split('>').next().unwrap().to_owned());
    for (client, status) in [(server.stranger(), 403), (server.client("pp_wrong"), 403), (server.client(&keys[1]), 401)]
    {
        assert_eq!(client.reserve("tags=vip&format=link").status, status);
    }
    assert_eq!(client().reserve("tags=vip&format=wrong").status, 400);
    assert_eq!(client().reset("tags=code").body, r#"{"count":2}"#);
    links.extend(shop.done(&["reserve", "--tags", "vip", "--count", "3"]).lines().map(str::to_owned));
    let ended = server.stop();
    assert_eq!(ended.code, Some(0));
    let log = ended.stderr;
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "nothing was logged that could tell: {log}");
    let dump = shop.sql(".dump").to_lowercase();
    let mut secrets: Vec<String> = links.iter().map(|link| link.split(',').nth(1).unwrap().to_owned()).collect();
    assert_eq!(secrets.len(), 10);
    secrets.push("still-in-the-pool".into());
    secrets.append(&mut keys);
    for secret in secrets.iter().map(String::as_str).chain(PRIVATE) {
        assert!(!log.contains(secret), "the log holds {secret}");
        assert!(!dump.contains(secret) && !dump.contains(&hex(secret)), "the database holds {secret}");
    }
    for file in ["shop.db", "shop.db-wal"] {
        let bytes = fs::read(shop.folder().join(file)).unwrap_or_default();
        for secret in &secrets {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{file} holds {secret}");
        }
    }
}

#[test]
fn a_stolen_database_without_its_secret_opens_nothing() {
    let shop = Shop::empty();
    shop.import(&["1,sesame-open-now,vip,"]);
    shop.done(&["reserve", "--tags", "vip"]);
    let stolen = shop.copy();
    fs::write(stolen.secret(), [7; 32]).unwrap();
    stolen.refused(1, &["export", "out.csv", "--with-passphrases"], &["shop.db.secret"]);
    stolen.refused(1, &["reserve", "--tags", "vip"], &["shop.db.secret"]);
}
