//! The dispenser's answers byte for byte, with a clock that stands still and randomness that is none.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU8, Ordering},
};

use axum::{Router, body::Body};
use passpool_core::{
    Actor, ApiKey, Code, Content, Granter, LinkBase, Network, NewPassport, PassportId, Rule, Secret, Tags, Timestamp,
    UserName, WholeSeconds,
};
use passpool_store::{Create, ImportTerms, Intent, LinkSettings, NewKey, NewUser, ProfileOf, sqlite};
use tower::ServiceExt;

use super::*;
use crate::{
    address::TrustedProxies,
    clock::{Clock, Entropy},
    shop::Shop,
};

/// Stands where the story puts it.
struct Frozen(AtomicI64);

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + self.0.load(Ordering::Relaxed) * 1_000_000)
    }
}

/// Gives 1, 1, 1 .., then 2, 2, 2 .. and so on.
struct Counted(AtomicU8);

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed) + 1);
    }
}

/// A shop with a caller who may reserve, a caller who may only read, and these passports.
struct Counter {
    router: Router,
    clock: Arc<Frozen>,
    _folder: tempfile::TempDir,
}

impl Counter {
    async fn with(passports: &[(u64, &str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::new([7; 32]);
        let store = sqlite::open(&folder.path().join("shop.db"), Intent::Serve, Some(secret.fingerprint())).unwrap();
        let clock = Arc::new(Frozen(AtomicI64::new(0)));
        for (name, right) in [("crm", Right::CertCreate), ("reader", Right::CertRead)] {
            let (key, rights) = (key_of(name), [right].into_iter().collect());
            let name = UserName::parse(name).unwrap();
            store
                .add_user(
                    NewUser { name, profile: ProfileOf::Own(rights), key: NewKey::of(&key, clock.now()) },
                    Granter::CommandLine,
                )
                .await
                .unwrap();
        }
        let passport = |(id, tags, content): &(u64, &str, &str)| NewPassport {
            id: PassportId::new(*id).unwrap(),
            code: Code::None,
            tags: Tags::parse_list(tags).unwrap(),
            content: Content::parse(content).unwrap(),
        };
        let terms = ImportTerms { by: Actor::CommandLine, now: clock.now(), imported: false, skip_known: false };
        store.create(Create { passports: passports.iter().map(passport).collect(), terms }).await.unwrap();
        let base = LinkBase::parse("https://brand.example").unwrap();
        let router = crate::http::router(App::new(Shop {
            store,
            secret,
            links: LinkSettings { base: base.clone(), network: Some(Network::parse("testnet").unwrap()) },
            public_url: base,
            tag_rule: Rule::default(),
            proxies: TrustedProxies::default(),
            held_per_address: Shop::HELD_PER_ADDRESS,
            limit_keys: false,
            settle_delay: None,
            keep_recipients: WholeSeconds::new(1).unwrap(),
            clock: clock.clone(),
            entropy: Arc::new(Counted(AtomicU8::new(0))),
        }));
        Self { router, clock, _folder: folder }
    }

    fn turn(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The whole answer to a call of the dispenser: the status, every header, and the body.
    async fn ask(&self, who: &str, call: &str) -> String {
        self.ask_with(who, call, None).await
    }

    async fn ask_with(&self, who: &str, call: &str, idempotency_key: Option<&str>) -> String {
        let mut request = axum::http::Request::get(format!("/dispenser/distribution/{call}"));
        if !who.is_empty() {
            request = request.header("x-api-key", key_of(who).reveal());
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let answer = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let mut told = format!("{}\n", answer.status());
        for (name, value) in answer.headers() {
            told.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
        }
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        told + "\n" + str::from_utf8(&body).unwrap()
    }
}

/// The key of a user. Nobody but these two is known.
fn key_of(name: &str) -> ApiKey {
    ApiKey::from_random(&[name.as_bytes()[0]; 32])
}

#[tokio::test]
async fn a_reservation_in_its_three_formats() {
    let counter = Counter::with(&[
        (512_340_987, "vip", "{}"),
        (512_340_988, "vip", "{}"),
        (9_007_199_254_740_991, "vip", r#"{"name":"Watch","price":1.50}"#),
    ])
    .await;
    insta::assert_snapshot!(counter.ask("crm", "reserveOne?tags=vip&format=link").await, @r#"
    200 OK
    content-type: text/plain; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010101
    content-length: 65

    https://brand.example/512340987,v42djm874wzhyk272u38hrlg8,testnet
    "#);
    insta::assert_snapshot!(counter.ask("crm", "reserveOne?tags=vip&format=linkObject").await, @r#"
    200 OK
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010102
    content-length: 251

    {"method":"requestOwnership","certificateId":512340988,"passphrase":"gz7gr03ix2jxcka0yad2cvd33","deeplink":{"certificateId":512340988,"passphrase":"gz7gr03ix2jxcka0yad2cvd33","link":"https://brand.example/512340988,gz7gr03ix2jxcka0yad2cvd33,testnet"}}
    "#);
    insta::assert_snapshot!(counter.ask("crm", "reserveOne?tags=vip&format=content").await, @r#"
    200 OK
    content-type: application/json; charset=utf-8
    link: <https://brand.example/9007199254740991,xbuhfn3x1zefgaekm8icdpj4f,testnet>; rel="claim"
    x-certificate-id: 9007199254740991
    cache-control: no-store
    x-request-id: 0101010101010103
    content-length: 29

    {"name":"Watch","price":1.50}
    "#);
    insta::assert_snapshot!(counter.ask("crm", "reserveOne?tags=vip&format=link").await, @r#"
    400 Bad Request
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010104
    content-length: 128

    {"name":"API Error","description":"No NFT found to distribute","code":"nmp.back.dispenser.oneToOne.noNFTsToSend","httpCode":400}
    "#);
}

#[tokio::test]
async fn a_reset_counts() {
    let counter = Counter::with(&[(1, "vip", "{}"), (2, "vip", "{}")]).await;
    counter.ask("crm", "reserveOne?tags=vip&format=link").await;
    insta::assert_snapshot!(counter.ask("crm", "resetAll?tags=vip").await, @r#"
    200 OK
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010102
    content-length: 11

    {"count":1}
    "#);
    insta::assert_snapshot!(counter.ask("crm", "resetAll?tags=vip&olderThan=0").await, @r#"
    400 Bad Request
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010103
    content-length: 186

    {"name":"API Error","description":"The parameter olderThan is invalid: must be a whole number of seconds from 1 to 315360000","code":"nmp.back.dispenser.invalidParameter","httpCode":400}
    "#);
}

#[tokio::test]
async fn a_repeat_is_the_first_answer_until_its_hold_ends() {
    let counter = Counter::with(&[(1, "vip", "{}"), (2, "vip", "{}")]).await;
    let call = "reserveOne?tags=vip&format=linkObject&expiresIn=60";
    insta::assert_snapshot!(counter.ask_with("crm", call, Some("order-7")).await, @r#"
    200 OK
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010101
    content-length: 227

    {"method":"requestOwnership","certificateId":1,"passphrase":"xub8ovect6jrfchpsiqn5eaey","deeplink":{"certificateId":1,"passphrase":"xub8ovect6jrfchpsiqn5eaey","link":"https://brand.example/1,xub8ovect6jrfchpsiqn5eaey,testnet"}}
    "#);
    counter.turn(59);
    insta::assert_snapshot!(counter.ask_with("crm", call, Some("order-7")).await, @r#"
    200 OK
    content-type: application/json; charset=utf-8
    idempotency-replayed: true
    cache-control: no-store
    x-request-id: 0101010101010102
    content-length: 227

    {"method":"requestOwnership","certificateId":1,"passphrase":"xub8ovect6jrfchpsiqn5eaey","deeplink":{"certificateId":1,"passphrase":"xub8ovect6jrfchpsiqn5eaey","link":"https://brand.example/1,xub8ovect6jrfchpsiqn5eaey,testnet"}}
    "#);
    insta::assert_snapshot!(counter.ask_with("crm", "reserveOne?tags=vip&format=link", Some("order-7")).await, @r#"
    422 Unprocessable Entity
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010103
    content-length: 156

    {"name":"API Error","description":"the Idempotency-Key was used before with other parameters","code":"nmp.back.dispenser.idempotency.reused","httpCode":422}
    "#);
    counter.turn(1);
    insta::assert_snapshot!(counter.ask_with("crm", call, Some("order-7")).await, @r#"
    409 Conflict
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010104
    content-length: 185

    {"name":"API Error","description":"the reservation made under this Idempotency-Key is over: a passport of it was given back","code":"nmp.back.dispenser.idempotency.over","httpCode":409}
    "#);
}

#[tokio::test]
async fn what_is_refused_is_named() {
    let counter = Counter::with(&[(1, "vip", "{}")]).await;
    insta::assert_snapshot!(counter.ask("", "reserveOne?tags=vip&format=link").await, @r#"
    403 Forbidden
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010101
    content-length: 21

    {"message":"no user"}
    "#);
    insta::assert_snapshot!(counter.ask("reader", "reserveOne?tags=vip&format=link").await, @r#"
    401 Unauthorized
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010102
    content-length: 26

    {"message":"Unauthorized"}
    "#);
    insta::assert_snapshot!(counter.ask("crm", "reserveOne?format=link").await, @r#"
    400 Bad Request
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010103
    content-length: 126

    {"name":"API Error","description":"The parameter tags is missing","code":"nmp.back.dispenser.missingParameter","httpCode":400}
    "#);
    insta::assert_snapshot!(counter.ask("crm", "reserveOne?tags=vip&format=xml").await, @r#"
    400 Bad Request
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010104
    content-length: 168

    {"name":"API Error","description":"The parameter format is invalid: it must be link, linkObject or content","code":"nmp.back.dispenser.invalidParameter","httpCode":400}
    "#);
    insta::assert_snapshot!(counter.ask("crm", "reserveOne?tags[]=a%07&format=link").await, @r#"
    400 Bad Request
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010105
    content-length: 175

    {"name":"API Error","description":"The parameter tags[] is invalid: the tag \"a\\u{7}\" holds a control character","code":"nmp.back.dispenser.invalidParameter","httpCode":400}
    "#);
    insta::assert_snapshot!(counter.ask("crm", "reserveOne?tags=vip&format=link&tagRule=xor").await, @r#"
    400 Bad Request
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010106
    content-length: 148

    {"name":"API Error","description":"The parameter tagRule is invalid: must be and or or","code":"nmp.back.dispenser.invalidParameter","httpCode":400}
    "#);
    insta::assert_snapshot!(counter.ask("crm", "reserveOne?tags=vip&format=link&expiresIn=0").await, @r#"
    400 Bad Request
    content-type: application/json; charset=utf-8
    cache-control: no-store
    x-request-id: 0101010101010107
    content-length: 186

    {"name":"API Error","description":"The parameter expiresIn is invalid: must be a whole number of seconds from 1 to 315360000","code":"nmp.back.dispenser.invalidParameter","httpCode":400}
    "#);
}
