//! Secrets: what was handed out is found in no log and in no table.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;

use crate::{client::Given, peers::peer, shop::Shop};

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
    let dump = shop.contents().1.to_lowercase();
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

/// The patterns of every route that there is, as the sources spell them.
pub(crate) fn routes() -> BTreeSet<String> {
    fn read(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, found);
            } else if !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let after = |mark| text.split(mark).skip(1);
                let paths = after(".route(\"").chain(after(": &str = \"/").filter(|rest| !rest.starts_with('"')));
                let paths = paths.chain(after(" path = \"/"));
                let paths = paths.filter_map(|rest| rest.split('"').next());
                found.extend(paths.map(|path| format!("/{}", path.trim_start_matches('/'))));
            }
        }
    }
    let mut found = BTreeSet::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut found);
    assert!(found.len() >= 20 && found.contains("/dispenser/distribution/reserveOne"), "{found:?}");
    found
}

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// Of the wallet `ALICE`, good until 2100.
const TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJzZWNwMjU2azEifQ==.eyJpc3MiOiIweDcwOTk3OTcwQzUxODEyZGMzQTAxMEM3ZDAxYjUwZTBkMTdkYzc5QzgiLCJzdWIiOiJ3YWxsZXQiLCJleHAiOjQxMDI0NDQ4MDAsImlhdCI6MTcwMDAwMDAwMH0=.0x5315d91d42ff9191e5c99276bf5ad487501ead8cf57b58bd83cb57d71122ff1127a7a27310ddc82be494f134b6c43f660a18d2824afc5e60990d5f23fa36c1741b";

#[test]
fn whoever_opens_claims_and_visits_leaves_no_secret_either() {
    let shop = Shop::empty();
    let lines: Vec<String> = (1..9).map(|id| format!("{id},sesame-open-{id}x,code,")).collect();
    shop.import(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    shop.create(5, "expo");
    shop.done(&["kiosk", "add", "expo", "--tag", "expo"]);
    let key = shop.key("crm", "admin");
    let server = shop.serve_with(&["--log", "trace", "--trusted-proxy", "127.0.0.1"]);
    let client = || server.client(&key);
    let stranger = || server.stranger().with("x-forwarded-for", b"198.51.100.77");
    for _ in 0..8 {
        assert_eq!(client().reserve("tags=code&format=link").status, 200);
    }
    let mut secrets: Vec<String> = (1..9).map(|id| format!("sesame-open-{id}x")).collect();
    // The page, its data, its claim, and a claim of a page that is no longer good.
    let page = stranger().get("/1,sesame-open-1x");
    let claimed = stranger().press(&page, "/1,sesame-open-1x", &[("owner", ALICE)]);
    assert_eq!(claimed.status, 303);
    secrets.push(claimed.header("set-cookie").unwrap().split(['=', ';']).nth(1).unwrap().to_owned());
    assert_eq!(stranger().press(&page, "/1,sesame-open-1x", &[("owner", &ALICE.to_uppercase()[..40])]).status, 404);
    assert_eq!(stranger().with("accept", b"application/json").get("/2,sesame-open-2x").status, 200);
    assert_eq!(stranger().head("/proof/3,sesame-open-3x").status, 200);
    assert_eq!(stranger().get("/4,sesame-shut-4x?utm=sesame-in-a-query").status, 404);
    // By signature, by the brand, through the gateway.
    let given = Given { id: 4, passphrase: "sesame-open-4x".into() };
    let signature = peer("signClaim", &[&given.passphrase, "4", ALICE]).unwrap().as_str().unwrap().to_owned();
    let claim = json!({"passport_id": 4, "new_owner": ALICE, "signature": signature});
    assert_eq!(stranger().post_json("/v1/claims", &claim).status, 200);
    let transfer = json!({"tokenId": 5, "passphrase": "sesame-open-5x", "address": ALICE});
    assert_eq!(client().post_json("/deferred/verify", &transfer).status, 200);
    assert_eq!(client().post_json("/deferred/transfer", &transfer).status, 200);
    let wrong = json!({"tokenId": 6, "passphrase": "sesame,open", "address": ALICE});
    assert_eq!(client().post_json("/deferred/transfer", &wrong).status, 400);
    let url = format!("http://{}/rpc", server.host());
    assert!(peer("readWithPassphrase", &[&url, "6", "sesame-open-6x"]).is_ok());
    let bearer = json!({"certificateId": 4, "authentification": {"bearer": TOKEN}});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "certificate.read", "params": bearer});
    assert_eq!(stranger().post_json("/rpc", &call).json()["result"], json!({}));
    // A new link, one that the brand chose, an airdrop, and a kiosk by its page and by the NMP's path.
    let link = client().post_json("/api/createCertificateRequestOwnershipLink", &json!([7]));
    secrets.push(link.json()["passphrase"].as_str().unwrap().to_owned());
    let chosen = json!([8, "chosen-by-brand"]);
    assert_eq!(client().post_json("/api/createCertificateRequestOwnershipLink", &chosen).status, 200);
    let airdrop = "/api/certificate/one2Many/forceTransfer/v2?label=expo&format=linkObject";
    let dropped = client().get_with(airdrop, &json!([ALICE]));
    secrets.push(dropped.json()["passphrase"].as_str().unwrap().to_owned());
    let kiosk = stranger().get("/k/expo");
    let visitor = kiosk.header("set-cookie").unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    let taken =
        stranger().with("cookie", format!("passpool_visitor={visitor}").as_bytes()).press(&kiosk, "/k/expo", &[]);
    secrets.push(taken.header("location").unwrap().split(',').nth(1).unwrap().to_owned());
    let token = TOKEN.replace('=', "%3D");
    let many = stranger().get(&format!("/api/certificate/one2Many/v3?tag=expo&format=link&arianeeAccessToken={token}"));
    secrets.push(many.body.split(',').nth(1).unwrap().to_owned());
    assert_eq!(client().post_json("/api/recoverCertificate", &json!([4])).status, 200);
    assert_eq!(client().post_json("/v1/passports/1/recover", &json!({})).status, 200);
    assert_eq!(client().post_json("/v1/passports/8/withdraw", &json!({})).status, 200);
    assert_eq!(client().reset("tags=code&olderThan=1000000").status, 200);
    for path in ["/request/3,sesame-open-3x", "/proof/3,sesame-open-3x"] {
        assert_eq!(stranger().get(path).status, 200);
    }
    for path in ["/robots.txt", "/icon.svg", "/healthz", "/readyz", "/openapi.json", "/openapi-nmp.json"] {
        assert_eq!(stranger().get(path).status, 200, "{path}");
    }
    let ended = server.stop();
    assert_eq!(ended.code, Some(0));
    let log = ended.stderr;
    // What operators ask has a story of its own.
    // A bench's route is mounted by the bench alone.
    let is_of_a_bench = |route: &String| route.starts_with("/bench/");
    let routes = routes().into_iter().filter(|route| !route.starts_with("/v1/") || route == "/v1/claims");
    for route in routes.filter(|route| !is_of_a_bench(route)) {
        assert!(log.contains(&format!("route=\"{route}\"")), "nobody asked for {route}: {log}");
    }
    let dump = shop.contents().1.to_lowercase();
    let others = ["sesame-shut-4x", "sesame-in-a-query", "sesame,open", "chosen-by-brand", "198.51.100.77"];
    secrets.extend(others.map(str::to_owned));
    secrets.extend([key, visitor, signature, token, TOKEN.to_owned()]);
    let files = ["shop.db", "shop.db-wal"].map(|file| fs::read(shop.folder().join(file)).unwrap_or_default());
    assert_nowhere(&secrets, &log, &dump, &files);
}

/// Fails if the log, the database, dumped in small letters, or one of its files holds one of them.
fn assert_nowhere(secrets: &[String], log: &str, dump: &str, files: &[Vec<u8>]) {
    for secret in secrets {
        for file in files {
            let is_in = file.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_in, "the database's file holds {secret}");
        }
        assert!(secret.len() > 8, "{secret:?} is found by chance");
        assert!(!log.contains(secret.as_str()), "the log holds {secret}");
        let secret = secret.to_lowercase();
        assert!(!dump.contains(&secret) && !dump.contains(&hex(&secret)), "the database holds {secret}");
    }
}
