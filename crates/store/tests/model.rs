//! Random histories, against a model that a child could keep: a list of passports and what became of each.
//!
//! The model does not say which passport a reservation gets, only which ones it may get and how many. After every step
//! the counts have to agree and each passport has to be what the model says, its link included; at the end the database
//! has to agree with itself, and every link that was ever handed out opens or is dead as the model says.

#[path = "support/backend.rs"]
mod backend;
#[path = "model/plain.rs"]
mod plain;
#[path = "model/step.rs"]
mod step;

use std::sync::{Arc, Mutex};

use passpool_core::{
    Actor, Code, Content, HandOutSeed, Kept, LinkKey, NewPassport, NewRecipients, PassportId, PreviewId, Proof,
    Recipient, RecipientId, Recipients, Reference, Refusal, ReservationId, Reserve, ResetId, Rule, Secret, Selector,
    Shortage, Shown, StateName, Tag, Tags, Timestamp, WalletAddress,
};
use passpool_store::{
    Claim, Create, EditPassport, ExportFilter, Exported, Extend, ImportBatch, ImportId, ImportTerms, KeptReset,
    Matching, OfPassport, OfReservation, Opening, Preview, Reset, ResetDone, ResetOf, ResetScope, ResetUndone, Store,
    StoreError, TagFilter, Touched, UndoReset, Visitor,
};
use proptest::{collection::vec, prelude::*, test_runner::Config};

use backend::Backend;
use plain::{Held, Plain, Refused, Reserved};
use step::{Step, Which, step};

const TAGS: [&str; 4] = ["a", "b", "c", "d"];
const OWNER: WalletAddress = WalletAddress::from_bytes([0xaa; 20]);

struct History {
    backend: Backend,
    store: Arc<dyn Store>,
    plain: Plain,
    /// Every link that was ever handed out: none comes twice.
    links: Vec<(u64, LinkKey)>,
    next_id: u64,
    next_seed: u64,
}

impl History {
    async fn new(backend: Backend) -> Self {
        let store = open(&backend).await;
        Self { backend, store, plain: Plain::default(), links: Vec::new(), next_id: 1, next_seed: 0 }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Create { count, tags } => {
                let passports = self.new_passports(*count, *tags);
                let ids = passports.iter().map(|new| new.id.get()).collect::<Vec<_>>();
                self.store.create(Create { passports, terms: self.terms() }).await.unwrap();
                self.plain.appear(ids, *tags);
            }
            Step::Import { slices, is_published } => self.import(slices, *is_published).await,
            Step::Reserve { tags, rule, count, is_partial, hold, is_kept } => {
                let until = hold.map(|seconds| self.plain.now + i64::from(seconds));
                let wish = self.wish(*tags, *rule, *count, *is_partial, until, *is_kept);
                self.reserve(wish, *tags, *rule).await;
            }
            Step::Open { nth } => self.open(*nth).await,
            Step::Claim { nth } => self.claim(*nth).await,
            Step::Recover { nth } => self.recover(*nth).await,
            Step::Retag { nth, tags } => self.retag(*nth, *tags).await,
            Step::Reset { of, is_kept } => self.reset(of, *is_kept).await,
            Step::Preview { of } => self.preview(of).await,
            Step::ResetPreview { nth } => self.reset_preview(*nth).await,
            Step::Undo { nth } => self.undo(*nth).await,
            Step::Cancel { nth } => self.cancel(*nth).await,
            Step::Extend { nth, seconds } => self.extend(*nth, *seconds).await,
            Step::Wait { seconds } => self.plain.now += i64::from(*seconds),
            Step::EndHolds => while self.store.end_holds(self.now()).await.unwrap() > 0 {},
            Step::Forget => while self.store.forget_resets(self.now()).await.unwrap() > 0 {},
            Step::Reopen => {
                self.store.close().await;
                self.store = open(&self.backend).await;
            }
        }
        self.counts_agree().await;
        self.passports_agree().await;
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
            imported.into_iter().for_each(|(ids, tags)| self.plain.appear(ids, tags));
        } else {
            self.store.drop_import(import).await.unwrap();
        }
    }

    fn wish(
        &mut self,
        tags: u8,
        rule: Rule,
        count: u8,
        is_partial: bool,
        until: Option<i64>,
        is_kept: bool,
    ) -> Reserve {
        let random = self.random();
        let mut seed = [0; 32];
        seed[..10].copy_from_slice(&random);
        let kept = |random| Kept {
            recipients: Some(NewRecipients {
                first: RecipientId::new(self.now(), random),
                recipients: Recipients::new((0..count).map(somebody).collect()).unwrap(),
            }),
            ..Kept::new(ReservationId::new(self.now(), random), None)
        };
        Reserve {
            selector: selector(tags, rule),
            count: count.into(),
            shortage: if is_partial { Shortage::Partial } else { Shortage::Refuse },
            by: Actor::CommandLine,
            now: self.now(),
            until: until.map(at),
            keep: is_kept.then(|| kept(random)),
            seed: HandOutSeed::new(seed),
            with_content: false,
        }
    }

    async fn reserve(&mut self, wish: Reserve, tags: u8, rule: Rule) {
        let now = self.plain.now;
        let free = self.plain.ids(|passport| passport.is_free(now) && passport.matches(tags, rule));
        let (count, is_partial) = (wish.count as usize, wish.shortage == Shortage::Partial);
        let until = wish.until.map(seconds);
        let kept = wish.keep.as_ref().map(|kept| kept.id);
        match self.store.reserve(wish).await {
            Ok(reservation) => {
                assert_eq!(reservation.handed_out.len(), if is_partial { free.len().min(count) } else { count });
                for handed in &reservation.handed_out {
                    let id = handed.passport.get();
                    assert!(free.contains(&id), "{id} was not to be had");
                    let held = Held { key: handed.key.clone(), until, reservation: kept, is_scanned: false };
                    self.plain.hand_out(id, held);
                    self.links.push((id, handed.key.clone()));
                }
                let passports = reservation.handed_out.iter().map(|handed| handed.passport.get()).collect();
                self.plain.reservations.extend(kept.map(|id| Reserved { id, passports, until }));
            }
            Err(StoreError::Refusal(Refusal::PoolShort { available })) => {
                assert_eq!(available, free.len() as u64);
                assert!(free.len() < count && (!is_partial || free.is_empty()), "{} were free", free.len());
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn open(&mut self, nth: u8) {
        let Some((id, key)) = pick(&self.links, nth).cloned() else { return };
        let opened = self.look(id, &key).await;
        assert_eq!(opened, self.plain.open(id, &key), "passport {id}");
    }

    /// Opens a link as a person does. False if it is dead.
    async fn look(&self, id: u64, key: &LinkKey) -> bool {
        let wish =
            Opening { passport: passport(id), proof: knowing(id, key), visitor: Visitor::Person, now: self.now() };
        match self.store.open(wish).await.map_err(code) {
            Ok(_) => true,
            Err("link-dead") => false,
            Err(other) => panic!("{other}"),
        }
    }

    async fn claim(&mut self, nth: u8) {
        let Some((id, key)) = pick(&self.links, nth).cloned() else { return };
        let wish = Claim { passport: passport(id), proof: knowing(id, &key), owner: OWNER, now: self.now() };
        let claimed = self.store.claim(wish).await.map_err(code);
        let expected = if self.plain.claim(id, &key) { Ok(()) } else { Err("link-dead") };
        assert_eq!(claimed, expected, "passport {id}");
    }

    async fn recover(&mut self, nth: u8) {
        let Some(id) = self.nth_passport(nth) else { return };
        let wish = OfPassport { passport: passport(id), by: Actor::CommandLine, now: self.now() };
        assert_eq!(self.store.recover(wish).await.map_err(code), self.plain.recover(id), "passport {id}");
    }

    async fn retag(&mut self, nth: u8, tags: u8) {
        let Some(id) = self.nth_passport(nth) else { return };
        let wish = EditPassport {
            passport: passport(id),
            if_one_of: None,
            tags: Some(Tags::new(named(tags)).unwrap()),
            content: None,
            by: Actor::CommandLine,
            now: self.now(),
        };
        self.store.edit_passport(wish).await.unwrap();
        self.plain.retag(id, tags);
    }

    async fn reset(&mut self, of: &Which, is_kept: bool) {
        let Some((scope, expected)) = self.meant(of) else { return };
        let (by, now) = (Actor::CommandLine, self.now());
        let keep = is_kept.then(|| ResetId::new(now, self.random()));
        let done = match keep {
            None => self.store.reset(Reset { scope, by, now }).await,
            Some(id) => {
                let wish = KeptReset { id, of: ResetOf::Scope(scope), by, now };
                self.store.keep_reset(wish).await.map(|done| done.count)
            }
        };
        assert_eq!(done.map_err(code), expected.clone().map(|ids| ids.len() as u64));
        if let Ok(ids) = expected {
            self.plain.reset(&ids, keep);
        }
    }

    async fn preview(&mut self, of: &Which) {
        let Some((scope, expected)) = self.meant(of) else { return };
        let id = PreviewId::new(self.now(), self.random());
        let count = self.store.keep_preview(Preview { id, scope, now: self.now() }, 0).await.map_err(code);
        assert_eq!(count.map(|previewed| previewed.count), expected.clone().map(|ids| ids.len() as u64));
        if let Ok(ids) = expected {
            self.plain.preview(&ids, id);
        }
    }

    async fn reset_preview(&mut self, nth: u8) {
        let Some(nth) = place(&self.plain.previews, nth) else { return };
        let id = ResetId::new(self.now(), self.random());
        let of = ResetOf::Preview(self.plain.previews[nth].id);
        let wish = KeptReset { id, of, by: Actor::CommandLine, now: self.now() };
        let done = self.store.keep_reset(wish).await.map_err(code);
        let expected = self.plain.previewed(nth);
        let counted = expected.clone().map(|(ids, changed_since)| ResetDone { count: ids.len() as u64, changed_since });
        assert_eq!(done, counted);
        if let Ok((ids, _)) = expected {
            self.plain.reset(&ids, Some(id));
        }
    }

    async fn undo(&mut self, nth: u8) {
        let Some(nth) = place(&self.plain.resets, nth) else { return };
        let wish = UndoReset { id: self.plain.resets[nth].id, by: Actor::CommandLine, now: self.now() };
        let undone = self.store.undo_reset(wish).await.map_err(code);
        assert_eq!(undone, self.plain.undo(nth).map(|(count, others)| ResetUndone { count, others }));
    }

    async fn cancel(&mut self, nth: u8) {
        let Some(nth) = place(&self.plain.reservations, nth) else { return };
        let held = self.plain.held_by(self.plain.reservations[nth].id);
        let touched = self.store.cancel_reservation(self.of_reservation(nth)).await.map_err(code);
        assert_eq!(touched, Ok(self.touched(nth, held.len() as u64)));
        self.plain.reset(&held, None);
    }

    async fn extend(&mut self, nth: u8, seconds: u8) {
        let Some(nth) = place(&self.plain.reservations, nth) else { return };
        let until = self.plain.now + i64::from(seconds);
        let wish = Extend { of: self.of_reservation(nth), until: at(until) };
        let touched = self.store.extend_reservation(wish).await.map_err(code);
        if seconds == 0 {
            assert_eq!(touched, Err("end-in-the-past"));
            return;
        }
        let count = self.plain.extend(nth, until);
        assert_eq!(touched, Ok(self.touched(nth, count)));
    }

    /// What is said to the store, and what it has to do. None if there is nothing yet that could be meant.
    fn meant(&self, of: &Which) -> Option<(ResetScope, Result<Vec<u64>, Refused>)> {
        match of {
            Which::Tagged { tags, rule } => {
                let matching = Matching { selector: Some(selector(*tags, *rule)), ..Matching::default() };
                Some((ResetScope::Matching(matching), Ok(self.plain.held_by_tags(*tags, *rule))))
            }
            Which::Reservation { nth } => {
                let id = self.plain.reservations[place(&self.plain.reservations, *nth)?].id;
                let matching = Matching { reservation: Some(id), ..Matching::default() };
                Some((ResetScope::Matching(matching), Ok(self.plain.held_by(id))))
            }
            Which::Named { nth } => {
                let mut ids = nth.iter().map(|nth| self.nth_passport(*nth)).collect::<Option<Vec<_>>>()?;
                ids.sort_unstable();
                ids.dedup();
                let scope = ResetScope::Named(ids.iter().map(|id| passport(*id)).collect());
                Some((scope, self.plain.resettable(&ids)))
            }
        }
    }

    async fn counts_agree(&self) {
        let tags = TAGS.iter().map(|tag| Tag::parse(tag).unwrap()).collect();
        let counts = self.store.counts(TagFilter::Named(tags), self.now()).await.unwrap();
        let agree = |bit: u8, counts: &passpool_store::StateCounts| {
            let tagged = self.plain.passports.values().filter(|passport| bit == 0 || passport.tags & bit != 0);
            for state in StateName::ALL {
                let expected = tagged.clone().filter(|passport| passport.state(self.plain.now) == state).count();
                assert_eq!(counts.of(state), expected as u64, "{state} of the tags {bit:b}");
            }
            assert_eq!(counts.total(), tagged.count() as u64);
        };
        agree(0, &counts.all);
        for (bit, (_, counts)) in counts.tags.iter().enumerate() {
            agree(1 << bit, counts);
        }
    }

    /// Every passport is in the state, and has the link, the end and the reservation, that the model says.
    async fn passports_agree(&self) {
        let found = Arc::new(Mutex::new(Vec::new()));
        let filter = ExportFilter { selector: None, state: None, now: self.now() };
        let seen = found.clone();
        let each = Box::new(move |exported: Exported| {
            seen.lock().unwrap().push(exported);
            true
        });
        self.store.export(filter, each).await.unwrap();
        let found = found.lock().unwrap();
        assert_eq!(found.len(), self.plain.passports.len());
        for Exported { passport, state, tags, .. } in &*found {
            let expected = &self.plain.passports[&passport.get()];
            assert_eq!(
                (state.name(), tags),
                (expected.state(self.plain.now), &Tags::new(named(expected.tags)).unwrap())
            );
            let held = expected.hand_out(self.plain.now);
            let held = held.map(|held| (&held.key, held.until.map(at), held.reservation));
            let told = state.hand_out().map(|hand_out| (&hand_out.key, hand_out.until, hand_out.reservation));
            assert_eq!(told, held, "passport {passport}");
        }
    }

    async fn reservations_agree(&self) {
        for Reserved { id, passports, until } in &self.plain.reservations {
            let told = self.store.reservation(*id, self.now()).await.unwrap().expect("it was kept");
            assert_eq!((told.info.count, told.info.until), (passports.len() as u64, until.map(at)));
            let is_own = |passport: &&u64| {
                let held = self.plain.passports[passport].hand_out(self.plain.now);
                held.is_some_and(|held| held.reservation == Some(*id))
            };
            let own = passports.iter().filter(is_own).count() as u64;
            assert_eq!((told.states.total(), told.gone), (own, passports.len() as u64 - own));
        }
    }

    async fn ends_well(mut self) {
        self.reservations_agree().await;
        for (at, (id, key)) in self.links.iter().enumerate() {
            assert!(!self.links[..at].contains(&(*id, key.clone())), "a link of passport {id} was handed out twice");
        }
        for (id, key) in std::mem::take(&mut self.links) {
            assert_eq!(self.look(id, &key).await, self.plain.open(id, &key), "a link of passport {id}");
        }
        let report = self.store.check().await.unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
        self.store.close().await;
        self.backend.remove().await;
    }

    fn new_passports(&mut self, count: u8, tags: u8) -> Vec<NewPassport> {
        let first = self.next_id;
        self.next_id += u64::from(count);
        let new = |id| NewPassport {
            id: passport(id),
            code: Code::None,
            tags: Tags::new(named(tags)).unwrap(),
            content: Content::empty(),
        };
        (first..self.next_id).map(new).collect()
    }

    fn nth_passport(&self, nth: u8) -> Option<u64> {
        self.plain.passports.keys().nth(usize::from(nth) % self.plain.passports.len().max(1)).copied()
    }

    fn of_reservation(&self, nth: usize) -> OfReservation {
        OfReservation { id: self.plain.reservations[nth].id, by: Actor::CommandLine, now: self.now() }
    }

    fn touched(&self, nth: usize, count: u64) -> Touched {
        Touched { count, others: self.plain.reservations[nth].passports.len() as u64 - count }
    }

    /// Bytes that no other call gets.
    fn random(&mut self) -> [u8; 10] {
        self.next_seed += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&(self.next_seed << 20).to_be_bytes());
        random
    }

    fn now(&self) -> Timestamp {
        at(self.plain.now)
    }

    fn terms(&self) -> ImportTerms {
        ImportTerms { by: Actor::CommandLine, now: self.now(), imported: true, skip_known: false }
    }
}

/// What stands at this place, counted from the newest on and round and round.
fn pick<T>(all: &[T], nth: u8) -> Option<&T> {
    place(all, nth).map(|nth| &all[nth])
}

fn place<T>(all: &[T], nth: u8) -> Option<usize> {
    (!all.is_empty()).then(|| all.len() - 1 - usize::from(nth) % all.len())
}

async fn open(backend: &Backend) -> Arc<dyn Store> {
    backend.open(secret().fingerprint()).await
}

fn secret() -> Secret {
    Secret::new([7; 32])
}

fn passport(id: u64) -> PassportId {
    PassportId::new(id).unwrap()
}

fn knowing(id: u64, key: &LinkKey) -> Proof {
    Proof::new(Shown::Passphrase(secret().passphrase(passport(id), key).unwrap()), secret())
}

fn somebody(number: u8) -> Recipient {
    Recipient::new(None, None, Some(Reference::parse(&format!("R-{number}")).unwrap())).unwrap()
}

fn code(error: StoreError) -> Refused {
    match error {
        StoreError::Refusal(refusal) => refusal.code(),
        StoreError::Fault(fault) => panic!("{fault}"),
    }
}

const BEGIN: i64 = 1_700_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((BEGIN + seconds) * 1_000_000)
}

fn seconds(at: Timestamp) -> i64 {
    at.as_micros() / 1_000_000 - BEGIN
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
    fn every_history_agrees_with_the_model_on_sqlite(steps in vec(step(), 1..100)) {
        tell(&steps, async || Backend::sqlite());
    }

    #[test]
    fn every_history_agrees_with_the_model_on_postgres(steps in vec(step(), 1..100)) {
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
