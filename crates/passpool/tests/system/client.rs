//! Clients: callers of the server, each with a key and connections of its own.

use std::time::Duration;

use passpool_core::Link;
use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response},
};

pub(crate) const RESERVE: &str = "/dispenser/distribution/reserveOne";
pub(crate) const RESET: &str = "/dispenser/distribution/resetAll";

/// The answer of an empty pool, to the letter.
pub(crate) const NONE_LEFT: &str = r#"{"name":"API Error","description":"No NFT found to distribute","code":"nmp.back.dispenser.oneToOne.noNFTsToSend","httpCode":400}"#;

/// More bytes than a hundred thousand links.
const LARGEST: u64 = 64 << 20;

/// A server that refuses a call before it has read the body ends the connection, and whoever sends the next one on it may
/// learn that too late.
const CLOSE: HeaderValue = HeaderValue::from_static("close");

pub(crate) struct Client {
    agent: Agent,
    address: String,
    headers: HeaderMap,
}

/// A whole answer: its body was read to the end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A passport that somebody was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Given {
    pub(crate) id: u64,
    pub(crate) passphrase: String,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { agent: config.new_agent(), address: address.to_owned(), headers: HeaderMap::new() }
    }

    /// The same client, who sends one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &[u8]) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        self
    }

    /// The same client, on the same connections.
    pub(crate) fn again(&self) -> Self {
        Self { agent: self.agent.clone(), address: self.address.clone(), headers: self.headers.clone() }
    }

    /// An answer, or the reason why none came in one piece.
    pub(crate) fn ask(&self, method: Method, path: &str) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address)).body(())?;
        *request.headers_mut() = self.headers.clone();
        Answer::read(self.agent.run(request)?)
    }

    /// Sends a body of this type, on a connection of its own if the client has no other wish.
    pub(crate) fn post(&self, path: &str, kind: &str, body: &str) -> Answer {
        self.try_post(path, kind, body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The same, or the reason why no answer came in one piece.
    pub(crate) fn try_post(&self, path: &str, kind: &str, body: &str) -> Result<Answer, ureq::Error> {
        let mut request = Request::post(format!("{}{path}", self.address)).body(body.to_owned())?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert("content-type", HeaderValue::from_str(kind).unwrap());
        request.headers_mut().entry("connection").or_insert(CLOSE);
        Answer::read(self.agent.run(request)?)
    }

    /// Sends some JSON, or what is said to be JSON, by any method, on a connection of its own.
    pub(crate) fn send(&self, method: Method, path: &str, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        request = request.header("content-type", "application/json");
        let mut request = request.body(body.to_owned()).unwrap();
        request.headers_mut().extend(self.headers.clone());
        request.headers_mut().entry("connection").or_insert(CLOSE);
        let request = self.agent.configure_request(request).allow_non_standard_methods(true).build();
        self.agent.run(request).and_then(Answer::read).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, "application/json", &body.to_string())
    }

    /// Asks by GET with a body, as the NMP's airdrop is asked.
    pub(crate) fn get_with(&self, path: &str, body: &Value) -> Answer {
        let mut request = Request::get(format!("{}{path}", self.address)).body(body.to_string()).unwrap();
        *request.headers_mut() = self.headers.clone();
        let request = self.agent.configure_request(request).allow_non_standard_methods(true).build();
        self.agent.run(request).and_then(Answer::read).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Sends the form of a page that was got from this path, as a browser does that shows it.
    pub(crate) fn press(&self, page: &Answer, path: &str, fields: &[(&str, &str)]) -> Answer {
        let ticket = page.body.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let ticket = ticket.unwrap_or_else(|| panic!("there is no form: {}", page.body));
        let fields = fields.iter().map(|(name, value)| format!("&{name}={value}"));
        let body = format!("form={ticket}{}", fields.collect::<String>());
        self.post(path, "application/x-www-form-urlencoded", &body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn head(&self, path: &str) -> Answer {
        self.ask(Method::HEAD, path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn reserve(&self, query: &str) -> Answer {
        self.get(&format!("{RESERVE}?{query}"))
    }

    pub(crate) fn reset(&self, query: &str) -> Answer {
        self.get(&format!("{RESET}?{query}"))
    }

    /// Reserves under an idempotency key.
    pub(crate) fn reserve_once(&self, key: &str, query: &str) -> Answer {
        self.again().with("idempotency-key", key.as_bytes()).reserve(query)
    }
}

impl Answer {
    fn read(mut answer: Response<Body>) -> Result<Self, ureq::Error> {
        let body = answer.body_mut().with_config().limit(LARGEST).read_to_string()?;
        Ok(Self { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header in ASCII"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The link that was asked for with `format=link`.
    pub(crate) fn given(&self) -> Given {
        assert_eq!(self.status, 200, "{}", self.body);
        Given::in_link(&self.body)
    }

    /// Fails unless this is the NMP's shape A with this status and code. Gives its description.
    pub(crate) fn refusal(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
        let description = self.json()["description"].as_str().expect("a description").to_owned();
        let text = serde_json::to_string(&description).unwrap();
        let expected = format!(r#"{{"name":"API Error","description":{text},"code":"{code}","httpCode":{status}}}"#);
        assert_eq!(self.body, expected);
        description
    }
}

impl Given {
    pub(crate) fn in_link(link: &str) -> Self {
        let read = Link::parse(link).unwrap_or_else(|error| panic!("{error}: {link}"));
        Self { id: read.passport.get(), passphrase: read.passphrase.reveal().to_owned() }
    }
}
