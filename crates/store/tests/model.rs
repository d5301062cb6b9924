//! Random histories, against a model that a child could keep: a list of passports and what became of each.
//!
//! The model does not say which passport a reservation gets, only which ones it may get and how many. After every step
//! the counts have to agree, and at the end the database with itself.

#[path = "support/backend.rs"]
mod backend;

use std::{collections::BTreeMap, sync::Arc};

use backend::Backend;

use passpool_core::{
    Actor, Code, Content, HandOutSeed, LinkKey, NewPassport, PassportId, Refusal, Reserve, Rule, Secret, Selector,
    Shortage, StateName, Tag, Tags, Timestamp,
};
use passpool_store::{
    Create, ImportBatch, ImportId, ImportTerms, Matching, Reset, ResetScope, Store, StoreError, TagFilter,
};
use proptest::{collection::vec, prelude::*, test_runner::Config};

const TAGS: [&str; 4] = ["a", "b", "c", "d"];

/// One step of a history. Tags are bits of a number, so that a failing history is short to read.
#[derive(Clone, Debug)]
enum Step {
    Create { count: u8, tags: u8 },
    Import { slices: Vec<(u8, u8)>, is_published: bool },
    Reserve { tags: u8, rule: Rule, count: u8, is_partial: bool, hold: Option<u8> },
    Reset { tags: u8, rule: Rule },
    ResetNamed { nth: Vec<u8> },
    Wait { seconds: u8 },
    EndHolds,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let tags = 1_u8..16;
    let rule = prop_oneof![Just(Rule::And), Just(Rule::Or)];
    prop_oneof![
        3 => (1_u8..40, 0_u8..16).prop_map(|(count, tags)| Step::Create { count, tags }),
        1 => (vec((1_u8..60, 0_u8..16), 1..3), any::<bool>())
            .prop_map(|(slices, is_published)| Step::Import { slices, is_published }),
        8 => (tags.clone(), rule.clone(), 1_u8..12, any::<bool>(), proptest::option::of(1_u8..20))
            .prop_map(|(tags, rule, count, is_partial, hold)| Step::Reserve { tags, rule, count, is_partial, hold }),
        2 => (tags, rule).prop_map(|(tags, rule)| Step::Reset { tags, rule }),
        1 => vec(any::<u8>(), 1..4).prop_map(|nth| Step::ResetNamed { nth }),
        3 => (1_u8..15).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::EndHolds),
        1 => Just(Step::Reopen),
    ]
}

/// What the model knows of a passport.
#[derive(Clone, Debug)]
struct Modelled {
    tags: u8,
    held: Option<Held>,
}

#[derive(Clone, Debug)]
struct Held {
    until: Option<i64>,
}

impl Modelled {
    fn is_held(&self, now: i64) -> bool {
        self.held.as_ref().is_some_and(|held| held.until.is_none_or(|until| now < until))
    }

    fn matches(&self, tags: u8, rule: Rule) -> bool {
        match rule {
            Rule::And => self.tags & tags == tags,
            Rule::Or => self.tags & tags != 0,
        }
    }
}

struct History {
    backend: Backend,
    store: Arc<dyn Store>,
    passports: BTreeMap<u64, Modelled>,
    /// Every link that was ever handed out: none comes twice.
    links: Vec<(u64, LinkKey)>,
    now: i64,
    next_id: u64,
    next_seed: u64,
}

impl History {
    async fn new(backend: Backend) -> Self {
        let store = open(&backend).await;
        Self { backend, store, passports: BTreeMap::new(), links: Vec::new(), now: 0, next_id: 1, next_seed: 0 }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Create { count, tags } => {
                let passports = self.new_passports(*count, *tags);
                let ids = passports.iter().map(|new| new.id.get()).collect::<Vec<_>>();
                self.store.create(Create { passports, terms: self.terms() }).await.unwrap();
                self.appear(ids, *tags);
            }
            Step::Import { slices, is_published } => self.import(slices, *is_published).await,
            Step::Reserve { tags, rule, count, is_partial, hold } => {
                self.reserve(*tags, *rule, *count, *is_partial, *hold).await;
            }
            Step::Reset { tags, rule } => {
                let scope =
                    ResetScope::Matching(Matching { selector: Some(selector(*tags, *rule)), ..Matching::default() });
                let now = self.now;
                let expected: Vec<u64> = self.ids(|passport| passport.is_held(now) && passport.matches(*tags, *rule));
                assert_eq!(self.reset(scope).await, Ok(expected.len() as u64));
                self.give_back(&expected);
            }
            Step::ResetNamed { nth } => self.reset_named(nth).await,
            Step::Wait { seconds } => self.now += i64::from(*seconds),
            Step::EndHolds => while self.store.end_holds(at(self.now)).await.unwrap() > 0 {},
            Step::Reopen => {
                self.store.close().await;
                self.store = open(&self.backend).await;
            }
        }
        self.counts_agree().await;
    }

    async fn import(&mut self, slices: &[(u8, u8)], is_published: bool) {
        let import: ImportId = self.store.begin_import(self.terms()).await.unwrap();
        let mut imported = Vec::new();
        for (count, tags) in slices {
            let passports = self.new_passports(*count, *tags);
            imported.push((passports.iter().map(|new| new.id.get()).collect::<Vec<_>>(), *tags));
            let batch = ImportBatch { import, passports, terms: self.terms() };
            assert_eq!(self.store.add_to_import(batch).await.unwrap(), u64::from(*count));
            self.counts_agree().await;
        }
        if is_published {
            self.store.publish_import(import).await.unwrap();
            imported.into_iter().for_each(|(ids, tags)| self.appear(ids, tags));
        } else {
            self.store.drop_import(import).await.unwrap();
        }
    }

    async fn reserve(&mut self, tags: u8, rule: Rule, count: u8, is_partial: bool, hold: Option<u8>) {
        let until = hold.map(|seconds| self.now + i64::from(seconds));
        let now = self.now;
        let free = self.ids(|passport| !passport.is_held(now) && passport.matches(tags, rule));
        self.next_seed += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.next_seed.to_be_bytes());
        let wish = Reserve {
            selector: selector(tags, rule),
            count: count.into(),
            shortage: if is_partial { Shortage::Partial } else { Shortage::Refuse },
            by: Actor::CommandLine,
            now: at(now),
            until: until.map(at),
            keep: None,
            seed: HandOutSeed::new(seed),
            with_content: false,
        };
        let expected = if is_partial { free.len().min(count.into()) } else { count.into() };
        match self.store.reserve(wish).await {
            Ok(reservation) => {
                assert_eq!(reservation.handed_out.len(), expected);
                for handed in reservation.handed_out {
                    let id = handed.passport.get();
                    assert!(free.contains(&id), "{id} was not to be had");
                    self.passports.get_mut(&id).unwrap().held = Some(Held { until });
                    self.links.push((id, handed.key));
                }
            }
            Err(StoreError::Refusal(Refusal::PoolShort { available })) => {
                assert_eq!(available, free.len() as u64);
                assert!(
                    free.len() < usize::from(count) && (!is_partial || free.is_empty()),
                    "{} were free",
                    free.len()
                );
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn reset_named(&mut self, nth: &[u8]) {
        if self.passports.is_empty() {
            return;
        }
        let all: Vec<u64> = self.passports.keys().copied().collect();
        let mut named: Vec<u64> = nth.iter().map(|n| all[usize::from(*n) % all.len()]).collect();
        named.sort_unstable();
        named.dedup();
        let scope = ResetScope::Named(named.iter().map(|n| PassportId::new(*n).unwrap()).collect());
        let outcome = self.reset(scope).await;
        if named.iter().all(|id| self.passports[id].is_held(self.now)) {
            assert_eq!(outcome, Ok(named.len() as u64));
            self.give_back(&named);
        } else {
            assert_eq!(outcome.map_err(|refusal| refusal.code()), Err("wrong-state"));
        }
    }

    async fn reset(&self, scope: ResetScope) -> Result<u64, Refusal> {
        let wish = Reset { scope, by: Actor::CommandLine, now: at(self.now) };
        self.store.reset(wish).await.map_err(|error| match error {
            StoreError::Refusal(refusal) => refusal,
            StoreError::Fault(fault) => panic!("{fault}"),
        })
    }

    async fn counts_agree(&self) {
        let tags = TAGS.iter().map(|tag| Tag::parse(tag).unwrap()).collect();
        let counts = self.store.counts(TagFilter::Named(tags), at(self.now)).await.unwrap();
        let expected = |bit: u8| {
            let tagged = self.passports.values().filter(|passport| bit == 0 || passport.tags & bit != 0);
            let held = tagged.clone().filter(|passport| passport.is_held(self.now)).count();
            ((tagged.count() - held) as u64, held as u64)
        };
        let found = |counts: &passpool_store::StateCounts| {
            assert_eq!(counts.total(), counts.of(StateName::Available) + counts.of(StateName::Reserved));
            (counts.of(StateName::Available), counts.of(StateName::Reserved))
        };
        assert_eq!(found(&counts.all), expected(0));
        for (bit, (tag, counts)) in counts.tags.iter().enumerate() {
            assert_eq!(found(counts), expected(1 << bit), "{tag}");
        }
    }

    async fn ends_well(self) {
        let report = self.store.check().await.unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
        for (at, (id, key)) in self.links.iter().enumerate() {
            assert!(!self.links[..at].contains(&(*id, key.clone())), "a link of passport {id} was handed out twice");
        }
        self.store.close().await;
        self.backend.remove().await;
    }

    fn new_passports(&mut self, count: u8, tags: u8) -> Vec<NewPassport> {
        let first = self.next_id;
        self.next_id += u64::from(count);
        let passport = |id| NewPassport {
            id: PassportId::new(id).unwrap(),
            code: Code::None,
            tags: Tags::new(named(tags)).unwrap(),
            content: Content::empty(),
        };
        (first..self.next_id).map(passport).collect()
    }

    fn appear(&mut self, ids: Vec<u64>, tags: u8) {
        self.passports.extend(ids.into_iter().map(|id| (id, Modelled { tags, held: None })));
    }

    fn give_back(&mut self, ids: &[u64]) {
        ids.iter().for_each(|id| self.passports.get_mut(id).unwrap().held = None);
    }

    fn ids(&self, wanted: impl Fn(&Modelled) -> bool) -> Vec<u64> {
        self.passports.iter().filter(|(_, passport)| wanted(passport)).map(|(id, _)| *id).collect()
    }

    fn terms(&self) -> ImportTerms {
        ImportTerms { by: Actor::CommandLine, now: at(self.now), imported: true, skip_known: false }
    }
}

async fn open(backend: &Backend) -> Arc<dyn Store> {
    backend.open(Secret::new([7; 32]).fingerprint()).await
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_700_000_000 + seconds) * 1_000_000)
}

fn named(tags: u8) -> Vec<Tag> {
    let names = TAGS.iter().enumerate().filter(|(bit, _)| tags & (1 << bit) != 0);
    names.map(|(_, tag)| Tag::parse(tag).unwrap()).collect()
}

fn selector(tags: u8, rule: Rule) -> Selector {
    Selector::new(named(tags), rule).unwrap()
}

fn config() -> Config {
    let cases = if std::env::var_os("PASSPOOL_TEST_LONG").is_some() { 640 } else { 64 };
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_history_agrees_with_the_model_on_sqlite(steps in vec(step(), 1..60)) {
        tell(&steps, async || Backend::sqlite());
    }

    #[test]
    fn every_history_agrees_with_the_model_on_postgres(steps in vec(step(), 1..60)) {
        tell(&steps, Backend::postgres);
    }
}

fn tell(steps: &[Step], backend: impl AsyncFnOnce() -> Backend) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut history = History::new(backend().await).await;
        for step in steps {
            history.take(step).await;
        }
        history.ends_well().await;
    });
}
