//! Links: which call an answer leads on to, and with what of it.
//!
//! They are told in one place, for most are pairs of an answer that names something and a path that takes such a name.

use serde_json::{Map, Value, json};

/// An answer: of this operation, with this status.
type Answer = (&'static str, &'static str);

/// An answer that names a thing, and where in it the name stands.
type Source = (Answer, &'static str);

/// A way from an answer to an operation.
pub(super) struct Link {
    from: Answer,
    /// What it is called among those of its answer.
    name: String,
    to: &'static str,
    parameters: Value,
    body: Option<Value>,
}

const RESERVED: Answer = ("reserve", "201");
const MADE: Answer = ("createPassports", "201");
const RESET: Answer = ("reset", "200");

const RESERVATIONS: [Source; 2] =
    [(RESERVED, "$response.body#/id"), (("listReservations", "200"), "$response.body#/reservations/0/id")];
const OF_RESERVATION: [&str; 4] = ["getReservation", "getReservationLinks", "extendReservation", "cancelReservation"];

const PASSPORTS: [Source; 2] =
    [(MADE, "$response.body#/passport_ids/0"), (("listPassports", "200"), "$response.body#/passports/0/passport_id")];
const OF_PASSPORT: [&str; 4] = ["getPassport", "getPassportLinks", "recoverPassport", "withdrawPassport"];

const USERS: [Source; 1] = [(("addUser", "201"), "$response.body#/name")];
const OF_USER: [&str; 6] = ["getUser", "changeUser", "removeUser", "listKeys", "addKey", "renewKey"];

const PROFILES: [Source; 1] = [(("addProfile", "201"), "$response.body#/name")];
const OF_PROFILE: [&str; 3] = ["getProfile", "changeProfile", "removeProfile"];

/// Adds to the answers of an operation the links that begin there.
pub(super) fn tell(operation: &mut Map<String, Value>) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    for link in all().into_iter().filter(|link| link.from.0 == id) {
        let (status, name) = (link.from.1, link.name.clone());
        operation["responses"][status]["links"][name] = link.written();
    }
}

/// Every link of the document.
pub(super) fn all() -> Vec<Link> {
    let mut links = Vec::new();
    links.extend(pairs("id", &RESERVATIONS, &OF_RESERVATION));
    links.extend(pairs("id", &PASSPORTS, &OF_PASSPORT));
    links.extend(pairs("name", &USERS, &OF_USER));
    links.extend(pairs("name", &PROFILES, &OF_PROFILE));
    links.extend(of_pools());
    links.extend(of_passports());
    links.extend(of_resets());
    links.extend(of_accounts());
    links
}

fn pairs(parameter: &str, sources: &[Source], targets: &[&'static str]) -> Vec<Link> {
    let each = sources.iter().flat_map(|source| targets.iter().map(move |target| (source, target)));
    each.map(|((from, name), to)| Link::new(*from, to, json!({ parameter: name }))).collect()
}

fn of_pools() -> Vec<Link> {
    let (pools, tag) = (("listPools", "200"), "$response.body#/pools/0/tag");
    vec![
        Link::new(pools, "getPool", json!({"tag": tag})),
        Link::new(("getPool", "200"), "reserve", json!({})).with(json!({"tags": ["$response.body#/tag"], "count": 1})),
        Link::new(pools, "listPassports", json!({"tags": tag})),
        Link::new(pools, "importPassports", json!({"tags": tag})).with(json!("tags\n{$response.body#/pools/0/tag}\n")),
        Link::new(pools, "reserve", json!({})).with(json!({"tags": [tag], "count": 1})),
        Link::new(MADE, "reserve", json!({})).with(json!({"tags": "$request.body#/tags", "count": 1})),
    ]
}

fn of_passports() -> Vec<Link> {
    let seen = json!({"id": "$request.path.id", "If-Match": "$response.header.ETag"});
    let erased = json!({"id": "$response.body#/recipients/0/id"});
    vec![
        Link::new(("getPassport", "200"), "changePassport", seen.clone()),
        Link::new(("changePassport", "200"), "changePassport", seen),
        Link::new(MADE, "listEvents", json!({"passport_id": "$response.body#/passport_ids/0"})),
        Link::new(("importPassports", "202"), "getImport", json!({"id": "$response.body#/id"})),
        Link::new(("listRecipients", "200"), "eraseRecipient", erased),
    ]
}

fn of_resets() -> Vec<Link> {
    let by = |from, body| Link::new(from, "reset", json!({})).with(body);
    let previewed =
        RESERVATIONS.map(|(from, id)| by(from, json!({"reservation": id, "dry_run": true})).called("previewReset"));
    let mut links = Vec::from(previewed);
    links.extend(RESERVATIONS.map(|(from, id)| by(from, json!({"reservation": id}))));
    links.extend([
        by(RESET, json!({"preview": "$response.body#/preview"})).called("resetPreviewed"),
        by(("getResetPreview", "200"), json!({"preview": "$request.path.id"})).called("resetPreviewed"),
        Link::new(RESET, "getResetPreview", json!({"id": "$response.body#/preview"})),
        Link::new(RESET, "undoReset", json!({"id": "$response.body#/id"})),
    ]);
    links
}

fn of_accounts() -> Vec<Link> {
    let remove = |from, name: &str| Link::new(from, "removeKey", json!({"name": name, "head": "$response.body#/head"}));
    vec![
        remove(("addUser", "201"), "$response.body#/name"),
        remove(("addKey", "201"), "$request.path.name"),
        remove(("renewKey", "201"), "$request.path.name"),
        Link::new(("addKey", "201"), "renewKey", json!({"name": "$request.path.name"}))
            .with(json!({"old": "$response.body#/head"})),
        Link::new(("addProfile", "201"), "addUser", json!({})).with(json!({"profile": "$response.body#/name"})),
    ]
}

impl Link {
    fn new(from: Answer, to: &'static str, parameters: Value) -> Self {
        Self { from, name: to.to_owned(), to, parameters, body: None }
    }

    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn called(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    fn written(self) -> Value {
        let mut written = json!({ "operationId": self.to });
        if self.parameters != json!({}) {
            written["parameters"] = self.parameters;
        }
        if let Some(body) = self.body {
            written["requestBody"] = body;
        }
        written
    }
}
