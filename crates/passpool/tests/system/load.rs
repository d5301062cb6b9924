//! Load on several servers at once: callers who go on whatever happens, and know in the end what they were told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::json;
use ureq::http::Method;

use crate::{
    client::{Answer, Client, Given, RESERVE},
    cluster::{Cluster, Gate, SOON, WAITS, sessions},
    shop::{Server, Shop, assert_each_once},
    watch::within,
};

/// How many were started.
static LOADS: AtomicU64 = AtomicU64::new(0);

/// What a caller does who is told to come again.
const BREATH: Duration = Duration::from_millis(20);

/// What callers were told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Every link whose answer was read to the end.
    pub(crate) given: Vec<Given>,
    /// Calls without a key of which nobody knows whether they were done.
    pub(crate) unknown: u64,
    /// Calls that were told that nothing was done.
    pub(crate) not_now: u64,
}

/// Runs until it is ended.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    /// For each server how many links it has given.
    given: Arc<Vec<AtomicU64>>,
    callers: Vec<JoinHandle<Told>>,
}

impl Load {
    /// Two kinds of callers reserve at each server: those who send an idempotency key and ask until they know, and those
    /// who do not. Whose server is gone goes on at the next one.
    pub(crate) fn start(servers: &[&Server], key: &str, callers_each: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let given = Arc::new(servers.iter().map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
        // A story may start several, and no call of one repeats a call of another.
        let load = LOADS.fetch_add(1, Ordering::Relaxed);
        let caller = |number: usize| {
            let clients = servers.iter().map(|server| server.client(key)).collect();
            let (is_over, given) = (is_over.clone(), given.clone());
            let mut caller = Caller { number, clients, at: number % servers.len(), given, told: Told::default() };
            thread::spawn(move || {
                let mut call = 0;
                while !is_over.load(Ordering::Relaxed) {
                    call += 1;
                    // Half of the callers of each server.
                    match number / caller.clients.len() % 2 {
                        0 => caller.reserve(),
                        _ => caller.reserve_once(&format!("order-{load}-{number}-{call}")),
                    }
                }
                caller.told
            })
        };
        let callers = (0..servers.len() * callers_each).map(caller).collect();
        Self { is_over, given, callers }
    }

    /// Waits until each of these servers has given so many more.
    pub(crate) fn goes_on(&self, servers: &[usize], more: u64) {
        let now = |server: &usize| self.given[*server].load(Ordering::Relaxed);
        let wanted: Vec<u64> = servers.iter().map(|server| now(server) + more).collect();
        within(SOON, "service", || {
            servers.iter().zip(&wanted).all(|(server, wanted)| now(server) >= *wanted).then_some(())
        });
    }

    pub(crate) fn end(self) -> Told {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for caller in self.callers {
            all.add(caller.join().unwrap());
        }
        all
    }
}

/// Three servers that PostgreSQL can tell apart, each with sessions of its own settings.
pub(crate) fn three(shop: &Shop, cluster: &Cluster, settings: [&str; 3]) -> Vec<Server> {
    let url = cluster.url("shop");
    let serve = |(name, settings)| shop.serve_at(&format!("{url}?application_name={name}&options={settings}"));
    ["first", "second", "third"].into_iter().zip(settings).map(serve).collect()
}

/// A call for many at once.
#[derive(Clone, Copy)]
pub(crate) struct Bulk {
    pub(crate) count: usize,
    /// Its idempotency key.
    pub(crate) repeat: &'static str,
}

impl Bulk {
    pub(crate) fn reserve(self, client: &Client) -> Answer {
        self.try_reserve(client).unwrap()
    }

    fn try_reserve(self, client: &Client) -> Result<Answer, ureq::Error> {
        let client = client.again().with("idempotency-key", self.repeat.as_bytes());
        let body = json!({"tags": ["vip"], "count": self.count}).to_string();
        client.try_post("/v1/reservations", "application/json", &body)
    }

    /// What was given to it, which has to be all of it.
    pub(crate) fn given(self, answer: &Answer) -> Vec<Given> {
        assert_eq!(answer.status, 201, "{}", answer.body);
        let answer = answer.json();
        let links = answer["links"].as_array().unwrap();
        assert_eq!(links.len(), self.count);
        links.iter().map(|link| Given::in_link(link["link"].as_str().unwrap())).collect()
    }
}

/// A bulk that has taken everything, and was halted before its commit.
pub(crate) struct Halted {
    gate: Gate,
    call: JoinHandle<Result<Answer, ureq::Error>>,
}

impl Halted {
    /// It comes to the reservations with all the passports in its hands.
    pub(crate) fn at(cluster: &Cluster, name: &str, server: &Server, key: &str, bulk: Bulk) -> Self {
        Self::behind("reservation", cluster, name, server, key, bulk)
    }

    /// Halted where it writes to this table.
    pub(crate) fn behind(table: &str, cluster: &Cluster, name: &str, server: &Server, key: &str, bulk: Bulk) -> Self {
        let gate = cluster.shut("shop", table);
        let client = server.client(key);
        let call = thread::spawn(move || bulk.try_reserve(&client));
        within(SOON, "a bulk that waits", || (sessions(cluster, name, WAITS) > 0).then_some(()));
        Self { gate, call }
    }

    /// Lets it go on, and gives what the caller was answered.
    pub(crate) fn let_go(self) -> Result<Answer, ureq::Error> {
        self.open().join().unwrap()
    }

    /// Lets it go on, and gives the call.
    pub(crate) fn open(self) -> JoinHandle<Result<Answer, ureq::Error>> {
        self.gate.open();
        self.call
    }
}

struct Caller {
    number: usize,
    clients: Vec<Client>,
    /// Which server it asks.
    at: usize,
    given: Arc<Vec<AtomicU64>>,
    told: Told,
}

/// What came of one call.
enum Call {
    Given(Given),
    NotDone,
    Unknown,
}

impl Caller {
    fn reserve(&mut self) {
        match self.ask(None) {
            Call::Given(given) => self.told.given.push(given),
            Call::NotDone => self.told.not_now += 1,
            Call::Unknown => self.told.unknown += 1,
        }
    }

    /// Asks until the answer is there, whatever becomes of the calls before.
    fn reserve_once(&mut self, key: &str) {
        let given = loop {
            match self.ask(Some(key)) {
                Call::Given(given) => break given,
                Call::NotDone => self.told.not_now += 1,
                Call::Unknown => {}
            }
        };
        self.told.given.push(given);
    }

    fn ask(&mut self, key: Option<&str>) -> Call {
        let client = match key {
            None => self.clients[self.at].again(),
            Some(key) => self.clients[self.at].again().with("idempotency-key", key.as_bytes()),
        };
        let answer = match client.ask(Method::GET, &format!("{RESERVE}?tags=vip&format=link")) {
            Ok(answer) => answer,
            // The server is gone, and perhaps was so after it had done its work.
            Err(_) => {
                self.at = (self.at + 1) % self.clients.len();
                return Call::Unknown;
            }
        };
        if answer.status == 200 {
            self.given[self.at].fetch_add(1, Ordering::Relaxed);
            return Call::Given(answer.given());
        }
        thread::sleep(BREATH);
        self.judge(&answer, key.is_some())
    }

    fn judge(&self, answer: &Answer, has_key: bool) -> Call {
        assert_eq!(answer.header("retry-after"), Some("1"), "caller {}: {answer:?}", self.number);
        match (answer.status, answer.json()["message"].as_str()) {
            (503, Some("The database cannot be reached" | "The database is locked by another program")) => {
                Call::NotDone
            }
            (503, Some(told)) if told.starts_with("The database did not say whether this was done") => Call::Unknown,
            // An earlier call with this key is still being worked on.
            (409, _) if has_key => Call::Unknown,
            _ => panic!("caller {}: {answer:?}", self.number),
        }
    }
}

impl Told {
    pub(crate) fn add(&mut self, other: Self) {
        self.given.extend(other.given);
        self.unknown += other.unknown;
        self.not_now += other.not_now;
    }

    /// Fails unless every acknowledged link stands, none was given twice, the sums are right and the database is whole.
    /// `others` were reserved by calls besides this load.
    pub(crate) fn prove(&self, shop: &Shop, total: u64, others: u64) {
        shop.check();
        assert_each_once(&self.given);
        let reserved = shop.given("reserved");
        for Given { id, passphrase } in &self.given {
            assert_eq!(reserved.get(id), Some(passphrase), "passport {id} was acknowledged");
        }
        let (least, most) = (self.given.len() as u64 + others, self.given.len() as u64 + others + self.unknown);
        let count = reserved.len() as u64;
        assert!((least..=most).contains(&count), "{count} are reserved, and should be {least} to {most}");
        let pool = shop.pool();
        for counts in [&pool["all"], &pool["tags"]["vip"]] {
            let of = |name: &str| counts[name].as_u64().unwrap();
            assert_eq!((of("available") + of("reserved"), of("total")), (total, total), "{counts}");
            assert_eq!(of("reserved"), count, "{counts}");
        }
    }
}
