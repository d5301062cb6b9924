//! A browser: Chromium without a window, driven through its WebDriver.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

use crate::{process::Process, watch::within};

/// A phone, in CSS pixels, each of them two by two of the screen's.
const PHONE: (u32, u32) = (390, 844);
const PATIENCE: Duration = Duration::from_secs(30);

/// One tab. Its process ends with it.
pub(crate) struct Browser {
    agent: Agent,
    session: String,
    _profile: TempDir,
    _driver: Process,
}

impl Browser {
    /// A phone's browser. This script runs in every page before the page's own.
    pub(crate) fn with(script: &str) -> Self {
        let driver = Process::spawn(Command::new("chromedriver").arg("--port=0"));
        let port = driver.said(|line| {
            let port = line.split_once("started successfully on port ")?.1;
            Some(port.trim_end_matches('.').to_owned())
        });
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let agent: Agent = config.build().into();
        let profile = tempfile::tempdir().unwrap();
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        let options = json!({"args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en-US",
            profile_argument,
        ]});
        let wanted = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}});
        let started = ask(&agent, &format!("http://127.0.0.1:{port}/session"), &wanted);
        let id = started["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {started}"));
        let session = format!("http://127.0.0.1:{port}/session/{id}");
        let browser = Self { agent, session, _profile: profile, _driver: driver };
        let (width, height) = PHONE;
        let phone = json!({"width": width, "height": height, "deviceScaleFactor": 2, "mobile": true});
        browser.command("Emulation.setDeviceMetricsOverride", phone);
        let watching = "window.violations = []; document.addEventListener('securitypolicyviolation', \
                        (event) => violations.push(event.violatedDirective + ' ' + event.blockedURI));";
        browser.command("Page.addScriptToEvaluateOnNewDocument", json!({"source": format!("{watching}\n{script}")}));
        browser
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// What the script returns in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Presses what the selector finds, as a finger does: it has to be there, and nothing in front of it.
    pub(crate) fn press(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    pub(crate) fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// Waits until the page shows this text.
    pub(crate) fn shows(&self, text: &str) {
        within(PATIENCE, text, || {
            let shown = self.run("return document.body ? document.body.innerText : ''");
            shown.as_str().is_some_and(|shown| shown.contains(text)).then_some(())
        });
    }

    /// Fails if the page broke its own policy, or is wider than the phone. Keeps a picture of it beside the build.
    pub(crate) fn looks_right(&self, name: &str) {
        assert_eq!(self.run("return window.violations"), json!([]), "{name}");
        let widths = self.run("return [document.documentElement.scrollWidth, window.innerWidth]");
        assert_eq!(widths, json!([PHONE.0, PHONE.0]), "{name}: it has to be scrolled to the side");
        let picture = self.ask("GET", "/screenshot", None);
        let png = BASE64_STANDARD.decode(picture.as_str().expect("a picture")).unwrap();
        let size = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((size(16), size(20)), (2 * PHONE.0, 2 * PHONE.1), "{name}");
        assert!(png.len() > 10_000, "{name}: a picture of {} bytes shows nothing", png.len());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    /// Fails if a person would have to look for this.
    pub(crate) fn shows_without_scrolling(&self, selector: &str) {
        let below = format!("return document.querySelector('{selector}').getBoundingClientRect().bottom - innerHeight");
        let below = self.run(&below).as_f64().expect("a length");
        assert!(below <= 0.0, "{selector} ends {below} pixels below the screen");
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector}));
        let reference = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        reference.unwrap_or_else(|| panic!("there is no {selector}: {found}")).to_owned()
    }

    /// A command of Chromium's own protocol.
    fn command(&self, name: &str, parameters: Value) {
        self.post("/goog/cdp/execute", &json!({"cmd": name, "params": parameters}));
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, Some(body))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}{path}", self.session);
        match (method, body) {
            ("POST", Some(body)) => ask(&self.agent, &url, body),
            _ => value(self.agent.get(&url).call().unwrap_or_else(|error| panic!("{path}: {error}"))),
        }
    }
}

impl Drop for Browser {
    /// Lets Chromium end before its profile goes.
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
    }
}

fn ask(agent: &Agent, url: &str, body: &Value) -> Value {
    let answer = agent.post(url).header("content-type", "application/json").send(body.to_string());
    value(answer.unwrap_or_else(|error| panic!("{url}: {error}")))
}

fn value(mut answer: ureq::http::Response<ureq::Body>) -> Value {
    let body: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    assert!(answer.status().is_success(), "{body}");
    body["value"].clone()
}
