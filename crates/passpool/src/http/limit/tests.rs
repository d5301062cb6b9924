//! Who is sent away, by a clock that is turned by hand.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    routing::get,
};
use passpool_core::{ApiKey, Granter, LinkBase, Refusal, Right, Rule, Secret, Timestamp, UserName};
use passpool_store::{Intent, LinkSettings, NewKey, NewUser, ProfileOf, sqlite};
use tower::ServiceExt;

use super::*;
use crate::{
    address::TrustedProxies,
    clock::{Clock, SystemEntropy},
    shop::Shop,
};

/// Microseconds since the test began, which is long after 1970.
const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

struct Turned(AtomicI64);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        at(self.0.load(Ordering::Relaxed))
    }
}

/// An app with a clock that is turned by hand, a user, and a path where every link is dead.
struct Door {
    router: Router,
    clock: Arc<Turned>,
    key: ApiKey,
    _folder: tempfile::TempDir,
}

impl Door {
    async fn open() -> Self {
        Self::open_with(false).await
    }

    async fn open_with(limit_keys: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::new([7; 32]);
        let path = folder.path().join("shop.db");
        let store = sqlite::open(&path, Intent::Serve, Some(secret.fingerprint())).unwrap();
        let (clock, key) = (Arc::new(Turned(AtomicI64::new(0))), ApiKey::from_random(&[7; 32]));
        let rights = [Right::CertRead].into_iter().collect();
        let name = UserName::parse("crm").unwrap();
        store
            .add_user(
                NewUser { name, profile: ProfileOf::Own(rights), key: NewKey::of(&key, clock.now()) },
                Granter::CommandLine,
            )
            .await
            .unwrap();
        let links = LinkSettings { base: LinkBase::parse("http://127.0.0.1:8080").unwrap(), network: None };
        let app = App::new(Shop {
            public_url: LinkBase::parse("https://passpool.example").unwrap(),
            store,
            secret,
            links,
            tag_rule: Rule::default(),
            held_per_address: Shop::HELD_PER_ADDRESS,
            limit_keys,
            settle_delay: None,
            keep_recipients: passpool_core::WholeSeconds::new(1).unwrap(),
            proxies: TrustedProxies::default(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
        });
        let router = Router::new()
            .route("/dead", get(async || Problem::from(Refusal::LinkDead)))
            .fallback(async || "good")
            .layer(from_fn_with_state(app.clone(), by_address))
            .merge(
                Router::new().route("/keyed", get(async || "good")).layer(from_fn_with_state(app, known_by_address)),
            );
        Self { router, clock, key, _folder: folder }
    }

    fn turn(&self, micros: i64) {
        self.clock.0.fetch_add(micros, Ordering::Relaxed);
    }

    async fn ask(&self, ip: &str, path: &str, key: Option<&str>) -> Response {
        let mut request = axum::http::Request::get(path);
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ip.parse().unwrap(), 4711)));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn status(&self, ip: &str, path: &str) -> u16 {
        self.ask(ip, path, None).await.status().as_u16()
    }
}

#[tokio::test]
async fn whoever_opens_30_dead_links_is_sent_away_before_any_work_is_done() {
    let door = Door::open().await;
    for _ in 0..30 {
        assert_eq!(door.status("192.0.2.1", "/dead").await, 404);
    }
    assert_eq!(door.status("192.0.2.1", "/dead").await, 429);
    assert_eq!(door.status("192.0.2.1", "/good").await, 429);
    assert_eq!(door.status("192.0.2.2", "/dead").await, 404);
    assert_eq!(door.ask("192.0.2.1", "/good", Some("pp_wrong")).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(door.ask("192.0.2.1", "/dead", Some(door.key.reveal())).await.status(), StatusCode::NOT_FOUND);
    door.turn(1_000_000);
    assert_eq!(door.status("192.0.2.1", "/good").await, 200);
    assert_eq!(door.status("192.0.2.1", "/dead").await, 404);
    assert_eq!(door.status("192.0.2.1", "/dead").await, 429);
}

#[tokio::test]
async fn the_601st_request_is_told_when_to_come_again_in_the_shape_of_its_path() {
    let door = Door::open().await;
    for _ in 0..600 {
        assert_eq!(door.status("192.0.2.1", "/good").await, 200);
    }
    let show = async |path: &str| {
        let answer = door.ask("192.0.2.1", path, None).await;
        let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
        let head =
            format!("{} {} {}", answer.status().as_u16(), header(header::RETRY_AFTER), header(header::CONTENT_TYPE));
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        format!("{head}\n{}", str::from_utf8(&body).unwrap())
    };
    insta::assert_snapshot!(show("/v1/claims").await, @r#"
    429 1 application/problem+json
    {"type":"/problems/too-many-requests","title":"Too many requests from this address","status":429}
    "#);
    insta::assert_snapshot!(show("/api/certificate/one2Many/v3").await, @r#"
    429 1 application/json; charset=utf-8
    {"name":"API Error","description":"Too many requests from this address","code":"nmp.back.dispenser.tooManyRequests","httpCode":429}
    "#);
    door.turn(50_000);
    assert_eq!(door.status("192.0.2.1", "/good").await, 200);
    assert_eq!(door.status("192.0.2.1", "/good").await, 429);
    for _ in 0..700 {
        assert_eq!(door.ask("192.0.2.1", "/good", Some(door.key.reveal())).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_setting_limits_good_keys_too() {
    for (limit_keys, expected) in [(false, StatusCode::OK), (true, StatusCode::TOO_MANY_REQUESTS)] {
        let door = Door::open_with(limit_keys).await;
        let key = door.key.reveal();
        for path in ["/good", "/keyed"].repeat(300) {
            assert_eq!(door.ask("192.0.2.1", path, Some(key)).await.status(), StatusCode::OK);
        }
        for path in ["/good", "/keyed"] {
            assert_eq!(door.ask("192.0.2.1", path, Some(key)).await.status(), expected, "{path}");
            assert_eq!(door.ask("192.0.2.2", path, Some(key)).await.status(), StatusCode::OK);
        }
        assert_eq!(door.status("192.0.2.1", "/keyed").await, 200, "who has no key is refused by the path itself");
    }
}

#[tokio::test]
async fn strangers_are_told_the_limits_and_whoever_has_none_is_not() {
    let door = Door::open().await;
    let told = async |path: &str, key: Option<&str>| {
        let answer = door.ask("192.0.2.1", path, key).await;
        let field = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        [field("ratelimit-policy"), field("ratelimit")].map(Option::unwrap_or_default)
    };
    let policy = r#""requests";q=600;w=30, "failures";q=30;w=30"#;
    assert_eq!(told("/good", None).await, [policy, r#""requests";r=599;t=1, "failures";r=30;t=0"#]);
    assert_eq!(told("/dead", None).await, [policy, r#""requests";r=598;t=1, "failures";r=29;t=1"#]);
    assert_eq!(told("/good", Some(door.key.reveal())).await, ["", ""]);
    for _ in 0..29 {
        assert_eq!(door.status("192.0.2.1", "/dead").await, 404);
    }
    assert_eq!(told("/good", None).await, [policy, r#""requests";r=569;t=2, "failures";r=0;t=30"#]);
}
