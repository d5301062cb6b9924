//! Links: what a person sees, what a robot sees, and what nobody sees.

use std::thread;

use serde_json::json;

use crate::{
    client::{Answer, Client, Given},
    shop::{Server, Shop},
    watch::rounds,
};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const BOB: &str = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";

fn path(given: &Given) -> String {
    format!("/{},{}", given.id, given.passphrase)
}

fn reserve(server: &Server, key: &str) -> Given {
    server.client(key).reserve("tags=vip&format=link").given()
}

/// What of two answers a stranger could tell apart: everything but the request's own number and the time.
fn shape(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (answer.status, headers, answer.body.clone())
}

#[test]
fn a_person_sees_the_passport_and_that_is_a_scan() {
    let shop = Shop::empty();
    let content = r#"{""name"":""Chrono <41>"",""subBrand"":""Maison"",""description"":""A watch."",""i18n"":[{""language"":""fr"",""name"":""Chrono FR""}],""language"":""en"",""image"":""https://cdn.example/a.jpg""}"#;
    shop.import(&[&format!(r#"7,sesameopen,vip,"{content}""#)]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    reserve(&server, &key);
    let page = server.stranger().get("/7,sesameopen");
    assert_eq!(page.status, 200);
    for shown in ["Chrono &#60;41&#62;", "Maison", "A watch.", "Make it mine", r#"src="https://cdn.example/a.jpg""#] {
        assert!(page.body.contains(shown), "{shown} is not on the page: {}", page.body);
    }
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let policy = page.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!page.body.contains("http://") && !policy.contains("unsafe"), "{policy}");
    let icon = server.stranger().get("/icon.svg");
    assert!(page.body.contains("href=\"/icon.svg\"") && icon.body.starts_with("<svg"), "{}", icon.body);
    assert_eq!((icon.status, icon.header("content-type")), (200, Some("image/svg+xml")));
    assert_eq!(shop.count("scanned"), 1);
    let french = server.stranger().with("accept-language", b"fr-CH").get("/7,sesameopen");
    assert!(french.body.contains("Chrono FR") && french.body.contains("<html lang=\"fr\">"), "{}", french.body);
    for other in ["/request/7,sesameopen", "/proof/7,sesameopen", "/7,sesameopen,testnet", "/7%2Csesameopen?utm=1"] {
        assert_eq!(server.stranger().get(other).status, 200, "{other}");
    }
    let kinds = shop.sql("SELECT kind, actor FROM journal ORDER BY seq");
    assert_eq!(kinds, "imported|cli\nreserved|user:crm\nscanned|visitor");
}

#[test]
fn the_same_link_gives_the_same_as_data() {
    let shop = Shop::empty();
    shop.import(&[r#"7,sesameopen,vip,"{""n"":1.50}""#]);
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    reserve(&server, &key);
    let wallet = || server.stranger().with("accept", b"application/json").with("origin", b"https://wallet.example");
    let data = wallet().get("/7,sesameopen");
    assert_eq!(data.body, r#"{"passport_id":7,"state":"scanned","content":{"n":1.50}}"#);
    assert_eq!(data.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(data.header("access-control-allow-origin"), Some("*"));
    assert_eq!(data.header("access-control-allow-credentials"), None);
    let dead = wallet().get("/7,sesameclosed");
    assert_eq!((dead.status, dead.header("content-type")), (404, Some("application/problem+json")));
    assert_eq!(dead.json()["type"], "/problems/link-dead");
    assert_eq!(dead.header("access-control-allow-origin"), Some("*"));
    assert_eq!(server.stranger().get("/7,sesameopen").header("access-control-allow-origin"), None, "a page is ours");
}

#[test]
fn robots_change_nothing_and_a_persons_visit_does() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let link = path(&reserve(&server, &key));
    let agents: [&[u8]; 10] = [
        b"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        b"Twitterbot/1.0",
        b"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        b"WhatsApp/2.23.20.0 A",
        b"TelegramBot (like TwitterBot)",
        b"LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
        b"Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        b"Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        b"Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    ];
    for agent in agents {
        assert_eq!(server.stranger().with("user-agent", agent).get(&link).status, 200);
    }
    let head = server.stranger().head(&link);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(server.stranger().with("sec-purpose", b"prefetch").get(&link).status, 200);
    assert_eq!(shop.count("reserved"), 1);
    assert_eq!(shop.sql("SELECT count(*) FROM journal WHERE kind = 'previewed'"), "1", "once an hour");
    assert_eq!(server.stranger().head("/1,nothing").status, 404);
    assert_eq!(server.stranger().get(&link).status, 200);
    assert_eq!(shop.count("scanned"), 1);
    shop.check();
}

#[test]
fn every_dead_link_is_one_and_the_same_page() {
    let shop = Shop::with(4, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let [reset, claimed] = [reserve(&server, &key), reserve(&server, &key)];
    shop.done(&["reset", "--id", &reset.id.to_string()]);
    let page = server.stranger().get(&path(&claimed));
    assert_eq!(server.stranger().press(&page, &path(&claimed), &[("owner", BOB)]).status, 303);
    let good = reserve(&server, &key);
    let links = [
        path(&reset),
        path(&claimed),
        format!("/{},wrong", good.id),
        "/1,unknown".to_owned(),
        "/nonsense".to_owned(),
        format!("/{},{}", good.id, "x".repeat(5_000)),
        "/7,%C3%A9".to_owned(),
        "/7,%FF".to_owned(),
        format!("/{},", good.id),
        "/0,abc".to_owned(),
    ];
    // A good key has no limit of wrong guesses; the page does not care who looks.
    let stranger = || server.client(&key);
    let expected = shape(&stranger().get("/2,nothing"));
    assert_eq!(expected.0, 404);
    for link in links {
        assert_eq!(shape(&stranger().get(&link)), expected, "{link}");
    }
    assert_eq!(shop.count("reserved"), 1, "nothing was changed");
}

#[test]
fn who_claims_first_owns_it_and_sees_so() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let link = path(&reserve(&server, &key));
    let page = server.stranger().get(&link);
    let claimed = server.stranger().press(&page, &link, &[("owner", ALICE)]);
    assert_eq!((claimed.status, claimed.header("location")), (303, Some(link.as_str())));
    let cookie = claimed.header("set-cookie").unwrap();
    assert!(cookie.contains("Max-Age=2592000; HttpOnly; SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let yours = server.stranger().with("cookie", cookie.as_bytes()).get(&link);
    assert!(yours.status == 200 && yours.body.contains("This passport is yours"), "{}", yours.body);
    assert!(yours.body.contains(ALICE) && !yours.body.contains("<form"), "{}", yours.body);
    assert_eq!(server.stranger().get(&link).status, 404, "another browser is no owner");
    // The same wallet may press again, and another may not.
    assert_eq!(server.stranger().press(&page, &link, &[("owner", ALICE)]).status, 303);
    assert_eq!(server.stranger().press(&page, &link, &[("owner", BOB)]).status, 404);
    assert_eq!(
        shop.sql("SELECT kind, actor FROM journal ORDER BY seq DESC LIMIT 1"),
        format!("claimed|wallet:{ALICE}")
    );
    shop.check();
}

#[test]
fn a_refused_claim_says_why_and_changes_nothing() {
    let shop = Shop::with(2, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let [link, other] = [path(&reserve(&server, &key)), path(&reserve(&server, &key))];
    let page = server.stranger().get(&link);
    let check = |client: Client, page: &Answer, owner: &str, status: u16, words: &str| {
        let answer = client.press(page, &link, &[("owner", owner)]);
        assert!(answer.status == status && answer.body.contains(words), "{owner}: {} {}", answer.status, answer.body);
    };
    let mistyped = ALICE.replace("C5", "c5");
    check(server.stranger(), &page, &mistyped, 422, "This address is mistyped");
    check(server.stranger(), &page, &mistyped, 422, &format!("value=\"{mistyped}\""));
    check(server.stranger(), &page, "", 422, "This address is mistyped");
    check(server.stranger(), &page, "%22%3E%3Cscript%3E", 422, "value=\"&#34;&#62;&#60;script&#62;\"");
    check(server.stranger(), &server.stranger().get(&other), ALICE, 400, "This page stood open");
    check(server.stranger().with("sec-fetch-site", b"cross-site"), &page, ALICE, 403, "");
    check(server.stranger().with("origin", b"https://evil.example"), &page, ALICE, 403, "");
    let bare = server.stranger().post(&link, "application/json", r#"{"owner":"x"}"#);
    assert_eq!(bare.status, 403);
    assert_eq!(shop.count("claimed"), 0);
    check(server.stranger().with("sec-fetch-site", b"same-origin").with("origin", b"null"), &page, ALICE, 303, "");
}

#[test]
fn a_page_left_open_from_before_a_reset_claims_nothing() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve();
    let before = path(&reserve(&server, &key));
    let page = server.stranger().get(&before);
    server.client(&key).reset("tags=vip");
    let after = path(&reserve(&server, &key));
    assert_eq!(server.stranger().press(&page, &before, &[("owner", ALICE)]).status, 404);
    assert_eq!(server.stranger().get(&before).status, 404);
    assert_eq!(server.stranger().get(&after).status, 200);
    assert_eq!(shop.count("claimed"), 0);
}

#[test]
fn a_claim_and_a_reset_at_once_have_one_winner() {
    let shop = Shop::with(1, "vip");
    let key = shop.key("crm", "admin");
    let server = shop.serve();
    let (mut claims, mut resets) = (0, 0);
    for _ in 0..rounds(200, 20) {
        let given = reserve(&server, &key);
        let link = path(&given);
        let page = server.client(&key).get(&link);
        let [visitor, brand] = [server.client(&key), server.client(&key)];
        let (claimed, reset) = thread::scope(|scope| {
            let claiming = scope.spawn(|| visitor.press(&page, &link, &[("owner", ALICE)]).status);
            let resetting = scope.spawn(|| brand.reset("tags=vip").json()["count"].as_u64().unwrap());
            (claiming.join().unwrap(), resetting.join().unwrap())
        });
        let told = shop.sql("SELECT kind FROM journal ORDER BY seq DESC LIMIT 1");
        match (claimed, reset) {
            (303, 0) => {
                assert_eq!(told, "claimed");
                claims += 1;
                let id = given.id.to_string();
                shop.done(&["recover", &id]);
                shop.done(&["reset", "--id", &id]);
            }
            (404, 1) => {
                assert_eq!(told, "reset");
                resets += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(claims + resets, rounds(200, 20));
    shop.check();
}

#[test]
fn a_search_engine_is_told_to_stay_away() {
    let shop = Shop::with(1, "vip");
    let server = shop.serve();
    assert_eq!(server.stranger().get("/robots.txt").body, "User-agent: *\nDisallow: /\n");
    let refused = server.stranger().post_json("/healthz", &json!({}));
    assert_eq!(refused.status, 405);
}
