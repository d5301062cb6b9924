//! Databases that older versions made and filled: today's store brings them up to date, and nothing of them is lost.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use passpool_core::{
    Actor, ApiKey, Granter, HandOutNumber, HandOutSeed, IdempotencyKey, Kept, KioskName, KioskVisitor, LinkKey,
    ParameterDigest, Passphrase, PassportId, ProfileName, Proof, Refusal, Repeat, ReservationId, Reserve, ResetId,
    Rule, Secret, SecretId, Selector, Shortage, Shown, StateName, Tag, Timestamp, UserName,
};
use passpool_store::{
    AddressDigest, Door, Extend, Given, Intent, KeptReset, Matching, NewKey, NewUser, OfReservation, OpenError,
    Opening, ProfileOf, ReservationPage, ResetDone, ResetOf, ResetScope, ResetUndone, Store, StoreError, TagFilter,
    Touched, UndoReset, Visit, Visitor, sqlite,
};
use refinery::Target;
use rusqlite::{Connection, params};
use tempfile::TempDir;

mod migrations {
    refinery::embed_migrations!("src/sqlite/migrations");
}

const NOON: i64 = 1_700_000_000_000_000;
const ALICE: [u8; 20] = [0xaa; 20];
const BROWSER: KioskVisitor = KioskVisitor::Browser([9; 16]);

/// A passport as an older version wrote it.
struct Old {
    seq: u16,
    state: StateName,
    tags: &'static [u32],
    /// What the journal tells of it.
    history: &'static [&'static str],
    code: Code,
    until: Option<i64>,
    reservation: Option<ReservationId>,
    kiosk: Option<u32>,
    owner: Option<[u8; 20]>,
    settle_by: Option<i64>,
}

/// What its link is made of.
enum Code {
    None,
    Number(i64),
    Imported(&'static str),
    Printed(&'static str),
}

const VIP: u32 = 1;
const GOLD: u32 = 2;

impl Old {
    fn new(seq: u16, state: StateName, tags: &'static [u32], history: &'static [&'static str]) -> Self {
        let (reservation, kiosk, owner) = (None, None, None);
        Self { seq, state, tags, history, code: Code::None, until: None, reservation, kiosk, owner, settle_by: None }
    }

    fn id(&self) -> PassportId {
        PassportId::new(100 + u64::from(self.seq)).unwrap()
    }

    fn is_in_pool(&self) -> bool {
        self.state == StateName::Available && !matches!(self.code, Code::Printed(_))
    }
}

fn reservation() -> ReservationId {
    ReservationId::new(at(0), [4; 10])
}

/// One passport in each state, some held in every way that there was.
fn stock() -> Vec<Old> {
    use StateName::{Available, Claimed, Pending, Recovered, Reserved, Scanned, Withdrawn};
    let of = Some(reservation());
    let (owner, minutes) = (Some(ALICE), |minutes: i64| Some(NOON + minutes * 60_000_000));
    vec![
        Old::new(0, Available, &[VIP, GOLD], &["created"]),
        Old { code: Code::Number(11), reservation: of, ..Old::new(1, Reserved, &[VIP], &["created", "reserved"]) },
        Old {
            code: Code::Number(12),
            reservation: of,
            ..Old::new(2, Scanned, &[VIP], &["created", "reserved", "previewed", "scanned"])
        },
        Old {
            code: Code::Number(13),
            reservation: of,
            owner,
            ..Old::new(3, Claimed, &[VIP], &["created", "reserved", "claimed"])
        },
        Old {
            code: Code::Number(-14),
            owner,
            settle_by: minutes(15),
            ..Old::new(4, Pending, &[VIP], &["created", "airdropped"])
        },
        Old::new(5, Recovered, &[VIP], &["created", "reserved", "claimed", "recovered"]),
        Old::new(6, Withdrawn, &[VIP], &["created", "withdrawn"]),
        Old { code: Code::Number(15), until: minutes(1), ..Old::new(7, Reserved, &[GOLD], &["created", "reserved"]) },
        Old { code: Code::Imported("sesameopen8"), ..Old::new(8, Available, &[VIP], &["imported"]) },
        Old { code: Code::Printed("sesameopen9"), ..Old::new(9, Available, &[VIP], &["imported"]) },
        Old {
            code: Code::Number(16),
            ..Old::new(10, Reserved, &[GOLD], &["created", "reserved", "reset", "relinked"])
        },
    ]
}

/// What a visitor of a kiosk has.
fn visited() -> Old {
    Old {
        code: Code::Number(17),
        until: Some(NOON + 900_000_000),
        kiosk: Some(1),
        ..Old::new(11, StateName::Reserved, &[GOLD], &["created", "reserved"])
    }
}

struct File {
    folder: TempDir,
}

impl File {
    /// A database of this version with these passports in it.
    fn of_version(version: i32, stock: &[Old]) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        let mut db = Connection::open(file.path()).unwrap();
        // What marks a file as Passpool's.
        db.pragma_update(None, "application_id", 0x5050_4c31).unwrap();
        migrations::migrations::runner().set_target(Target::Version(version)).run(&mut db).unwrap();
        fill(&db, version, stock);
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    fn open(&self) -> Arc<dyn Store> {
        sqlite::open(&self.path(), Intent::Write, Some(secret().fingerprint())).unwrap()
    }
}

fn fill(db: &Connection, version: i32, stock: &[Old]) {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| assert_eq!(db.execute(sql, values).unwrap(), 1, "{sql}");
    run("INSERT INTO secret VALUES (1, ?)", &[secret().fingerprint().as_bytes()]);
    run("INSERT INTO setting VALUES ('link-base', 'https://test.arianee.net')", &[]);
    for (id, name, rights) in [(1, "admin", "admin"), (2, "crm", "certCreate,certRead")] {
        run("INSERT INTO profile (id, name, rights) VALUES (?, ?, ?)", &[&id, &name, &rights]);
        run("INSERT INTO user (id, name, profile) VALUES (?1, ?2, ?1)", &[&id, &name]);
    }
    let key = NewKey::of(&key(), at(0));
    run(
        "INSERT INTO api_key (digest, head, user, made_at) VALUES (?, ?, 2, ?)",
        &[key.digest.as_bytes(), &key.head, &NOON],
    );
    run("INSERT INTO tag VALUES (1, 'vip')", &[]);
    run("INSERT INTO tag VALUES (2, 'gold')", &[]);
    run("INSERT INTO content VALUES (1, zeroblob(32), '{\"n\":1}')", &[]);
    // The passports 1, 2 and 3: each one more than the one before.
    run(
        "INSERT INTO reservation (id, at, actor, passports) VALUES (?, ?, 'user:crm', x'020202')",
        &[reservation().as_bytes(), &NOON],
    );
    let Repeat { record, parameters } = repeat();
    run(
        "INSERT INTO repeat (at, record, parameters, reservation) VALUES (?, ?, ?, ?)",
        &[&NOON, record.as_bytes(), parameters.as_bytes(), reservation().as_bytes()],
    );
    if version >= 2 {
        run("INSERT INTO kiosk VALUES (1, 'expo', 'and', 'gold', 900, 1, NULL, NULL, ?)", &[&NOON]);
    }
    let mut last = 0;
    for passport in stock {
        let mut after = None;
        for kind in passport.history {
            let detail = after.map(|after: i64| format!("{{\"after\":{after}}}"));
            last += 1;
            run(
                "INSERT INTO journal VALUES (?, ?, ?, ?, 'user:crm', ?)",
                &[&last, &NOON, kind, &passport.id().get(), &detail],
            );
            after = Some(last);
        }
        insert(db, passport, last);
        if let Some(kiosk) = passport.kiosk {
            db.execute("UPDATE passport SET kiosk = ? WHERE seq = ?", params![kiosk, passport.seq]).unwrap();
            let address = [3_u8; 16];
            run("INSERT INTO visit VALUES (?, ?, ?, ?)", &[&passport.seq, &kiosk, &BROWSER.to_bytes(), &address]);
        }
    }
    fill_sets(db, stock);
}

fn insert(db: &Connection, passport: &Old, changed: i64) {
    let sealed = |text: &str| secret().seal(passport.id(), &Passphrase::parse(text).unwrap(), [1; 24]);
    let (number, sealed, printed) = match passport.code {
        Code::None => (None, None, None),
        Code::Number(number) => (Some(number), None, None),
        Code::Imported(text) => (None, Some(sealed(text)), None),
        Code::Printed(text) => (None, Some(sealed(text)), Some(true)),
    };
    let sql = "INSERT INTO passport (seq, id, state, changed, tags, content, secret, number, sealed, printed, handed_at, \
               until, reservation, owner, settle_by) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let mut before = 0;
    let distance = |tag: &u32| std::mem::replace(&mut before, *tag as u8).abs_diff(*tag as u8);
    let tags: Vec<u8> = passport.tags.iter().map(distance).collect();
    let values = params![
        passport.seq,
        passport.id().get(),
        passport.state as u8,
        changed,
        tags,
        (number.is_some() || sealed.is_some()).then_some(1),
        number,
        sealed.as_ref().map(|sealed| sealed.as_bytes()),
        printed,
        number.map(|_| NOON),
        passport.until,
        passport.reservation.as_ref().map(|id| id.as_bytes()),
        passport.owner,
        passport.settle_by,
    ];
    db.execute(sql, values).unwrap();
}

/// The pool and the other sets: few numbers of 16 bits.
fn fill_sets(db: &Connection, stock: &[Old]) {
    let mut sets: BTreeMap<(&str, u32), Vec<u8>> = BTreeMap::new();
    let mut insert = |table, key, seq: u16| sets.entry((table, key)).or_default().extend(seq.to_le_bytes());
    for passport in stock {
        insert("tagged", 0, passport.seq);
        for tag in passport.tags {
            insert("tagged", *tag, passport.seq);
            if passport.is_in_pool() {
                insert("pool", *tag, passport.seq);
            }
        }
        if passport.state != StateName::Available {
            insert("standing", passport.state as u32, passport.seq);
        }
    }
    for ((table, key), bits) in sets {
        db.execute(&format!("INSERT INTO {table} VALUES (?, 0, ?)"), params![key, bits]).unwrap();
    }
}

fn secret() -> Secret {
    Secret::new([7; 32])
}

fn key() -> ApiKey {
    ApiKey::from_random(&[8; 32])
}

fn repeat() -> Repeat {
    let record = IdempotencyKey::parse("order-1").unwrap().digest("crm", "/reserve");
    Repeat { record, parameters: ParameterDigest::of(["p"]) }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOON + seconds * 1_000_000)
}

fn id(seq: u64) -> PassportId {
    PassportId::new(100 + seq).unwrap()
}

fn wish(tags: &str, count: u32, seed: u8) -> Reserve {
    Reserve {
        selector: Selector::parse([tags], Rule::And).unwrap(),
        count,
        shortage: Shortage::Refuse,
        by: Actor::CommandLine,
        now: at(1),
        until: None,
        keep: None,
        seed: HandOutSeed::new([seed; 32]),
        with_content: false,
    }
}

fn by_number(number: i64) -> LinkKey {
    LinkKey::Derived(HandOutNumber::new(number.cast_unsigned()), SecretId::FIRST)
}

async fn opens(store: &dyn Store, seq: u64, passphrase: Passphrase) -> bool {
    let proof = Proof::new(Shown::Passphrase(passphrase), secret());
    let wish = Opening { passport: id(seq), proof, visitor: Visitor::Robot, now: at(1) };
    match store.open(wish).await {
        Ok(_) => true,
        Err(StoreError::Refusal(Refusal::LinkDead)) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn assert_clean(store: &dyn Store) {
    let report = store.check().await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

/// Which links live, how many there are of what, and who may call.
async fn assert_kept(store: &dyn Store, stock: &[Old]) {
    assert_clean(store).await;
    for passport in stock {
        let seq = u64::from(passport.seq);
        let (passphrase, is_live) = match passport.code {
            Code::None => continue,
            Code::Number(number) => {
                let lives = matches!(passport.state, StateName::Reserved | StateName::Scanned);
                (secret().passphrase(id(seq), &by_number(number)).unwrap(), lives)
            }
            Code::Imported(text) | Code::Printed(text) => (Passphrase::parse(text).unwrap(), true),
        };
        assert_eq!(opens(store, seq, passphrase).await, is_live, "passport {}", passport.id());
    }
    let tags = ["vip", "gold"].map(|tag| Tag::parse(tag).unwrap()).to_vec();
    let counts = store.counts(TagFilter::Named(tags), at(1)).await.unwrap();
    for (tag, (_, counts)) in [VIP, GOLD].iter().zip(&counts.tags) {
        for state in StateName::ALL {
            let expected =
                stock.iter().filter(|passport| passport.state == state && passport.tags.contains(tag)).count();
            assert_eq!(counts.of(state), expected as u64, "{state} of tag number {tag}");
        }
    }
    assert_eq!(counts.all.total(), stock.len() as u64);
    let caller = store.caller(key().digest(), at(1)).await.unwrap().expect("the key is good");
    assert_eq!(caller.name.as_str(), "crm");
    assert_eq!(store.profiles().await.unwrap().len(), 2);
    assert!(store.link_settings().await.unwrap().is_some());
}

/// The reservation is one like those that are made today: listed, repeated, extended, reset, undone.
async fn assert_reservation_goes_on(store: &dyn Store) {
    let listed = store.reservations(ReservationPage { before: None, limit: 10 }).await.unwrap();
    assert_eq!((listed.len(), listed[0].id, listed[0].count), (1, reservation(), 3));
    assert_eq!((&listed[0].selector, listed[0].until, listed[0].recipients), (&None, None, 0));
    let kept = Kept::new(ReservationId::new(at(1), [5; 10]), Some(repeat()));
    let again = store.reserve(Reserve { keep: Some(kept), ..wish("vip", 3, 1) }).await.unwrap();
    assert!(again.replayed);
    let keys: Vec<_> = again.handed_out.iter().map(|handed| handed.key.clone()).collect();
    assert_eq!(keys, [11, 12, 13].map(by_number));
    let of = OfReservation { id: reservation(), by: Actor::CommandLine, now: at(2) };
    let extended = store.extend_reservation(Extend { of: of.clone(), until: at(100) }).await.unwrap();
    assert_eq!(extended, Touched { count: 2, others: 1 });
    let matching = Matching { reservation: Some(reservation()), ..Matching::default() };
    let (reset, scope) = (ResetId::new(at(3), [6; 10]), ResetScope::Matching(matching));
    let reset_wish = KeptReset { id: reset, of: ResetOf::Scope(scope), by: Actor::CommandLine, now: at(3) };
    assert_eq!(store.keep_reset(reset_wish).await.unwrap(), ResetDone { count: 2, changed_since: 0 });
    let undo = UndoReset { id: reset, by: Actor::CommandLine, now: at(4) };
    assert_eq!(store.undo_reset(undo).await.unwrap(), ResetUndone { count: 2, others: 0 });
    assert_clean(store).await;
    assert_eq!(store.cancel_reservation(of).await.unwrap(), Touched { count: 2, others: 1 });
    assert_clean(store).await;
}

async fn assert_accounts_go_on(store: &dyn Store) {
    let user = UserName::parse("till").unwrap();
    let new = NewKey::of(&ApiKey::from_random(&[9; 32]), at(5));
    let profile = ProfileOf::Named(ProfileName::parse("crm").unwrap());
    store.add_user(NewUser { name: user.clone(), profile, key: new }, Granter::CommandLine).await.unwrap();
    store.remove_user(user, Granter::CommandLine).await.unwrap();
    // The profile was made for one user, and goes with the last who has it.
    store.remove_user(UserName::parse("crm").unwrap(), Granter::CommandLine).await.unwrap();
    assert_eq!(store.profiles().await.unwrap().len(), 1);
    assert_clean(store).await;
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_and_loses_nothing() {
    let stock = stock();
    let file = File::of_version(1, &stock);
    let store = file.open();
    assert_kept(&*store, &stock).await;
    assert_reservation_goes_on(&*store).await;
    assert_accounts_go_on(&*store).await;
    store.close().await;
}

#[tokio::test]
async fn a_database_of_the_second_version_keeps_its_kiosks_and_their_visitors() {
    let mut stock = stock();
    stock.push(visited());
    let file = File::of_version(2, &stock);
    let store = file.open();
    assert_kept(&*store, &stock).await;
    let wish = Visit {
        door: Door::Name(KioskName::parse("expo").unwrap()),
        visitor: BROWSER,
        address: AddressDigest::new([3; 16]),
        held_at_most: 500,
        seed: HandOutSeed::new([2; 32]),
        with_content: false,
        now: at(2),
    };
    let Given::Held { passport, until } = store.visit_kiosk(wish).await.unwrap() else { panic!("nothing was claimed") };
    assert_eq!((passport.passport, passport.key, until), (id(11), by_number(17), Some(at(900))));
    assert_reservation_goes_on(&*store).await;
    assert_accounts_go_on(&*store).await;
    store.close().await;
}

#[tokio::test]
async fn a_database_of_the_third_or_fourth_version_finds_its_keys_again() {
    let mut stock = stock();
    stock.push(visited());
    for version in [3, 4] {
        let file = File::of_version(version, &stock);
        let store = file.open();
        assert_kept(&*store, &stock).await;
        assert_reservation_goes_on(&*store).await;
        assert_accounts_go_on(&*store).await;
        store.close().await;
    }
}

#[tokio::test]
async fn of_a_passport_the_content_and_the_kiosk_are_looked_up_and_no_longer_the_secret() {
    let stock = stock();
    let file = File::of_version(7, &stock);
    let looked_up = || {
        let db = Connection::open(file.path()).unwrap();
        let sql = "SELECT group_concat(\"table\" ORDER BY \"table\") FROM pragma_foreign_key_list('passport')";
        db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    assert_eq!(looked_up(), "content,kiosk,secret");
    let store = file.open();
    assert_kept(&*store, &stock).await;
    assert_reservation_goes_on(&*store).await;
    store.close().await;
    assert_eq!(looked_up(), "content,kiosk");
}

#[tokio::test]
async fn whoever_only_reads_leaves_an_old_database_alone_and_is_told_so() {
    for version in [1, 2, 3, 4] {
        let file = File::of_version(version, &stock());
        let refused = sqlite::open(&file.path(), Intent::Read, None).map(drop).unwrap_err();
        let OpenError::Older { version: told, known, .. } = &refused else { panic!("{refused}") };
        assert_eq!((*told, *known > *told), (i64::from(version), true));
        file.open().close().await;
        let reader = sqlite::open(&file.path(), Intent::Read, None).unwrap();
        assert_clean(&*reader).await;
        reader.close().await;
    }
}

/// Commands and a server that start at once: whoever comes first brings it up to date, and nobody is sent away.
#[tokio::test]
async fn all_who_open_an_old_database_at_once_find_it_up_to_date() {
    for _ in 0..10 {
        let file = File::of_version(4, &stock());
        let all_at_once = std::sync::Barrier::new(4);
        let open = |intent| {
            all_at_once.wait();
            sqlite::open(&file.path(), intent, None)
        };
        let opened = std::thread::scope(|threads| {
            let who = [Intent::Write, Intent::Serve, Intent::Write, Intent::Write];
            who.map(|intent| threads.spawn(move || open(intent))).map(|opened| opened.join().unwrap())
        });
        for store in opened {
            let store = store.unwrap();
            assert_clean(&*store).await;
            store.close().await;
        }
    }
}

#[tokio::test]
async fn an_old_database_that_is_served_is_not_brought_up_to_date() {
    let file = File::of_version(4, &stock());
    let lock = format!("{}.serve.lock", file.path().display());
    let lock = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(lock).unwrap();
    lock.try_lock().unwrap();
    let refused = sqlite::open(&file.path(), Intent::Write, None).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::ServedByOlder(_)), "{refused}");
    let refused = sqlite::open(&file.path(), Intent::Read, None).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Older { version: 4, .. }), "it was left alone: {refused}");
    drop(lock);
    // Who brings it up to date does not keep a server away afterwards.
    let command = file.open();
    let server = sqlite::open(&file.path(), Intent::Serve, None).unwrap();
    assert_clean(&*server).await;
    server.close().await;
    command.close().await;
}

/// Else it would go on with a file that is no longer what it was made for.
#[tokio::test]
async fn while_a_command_is_at_work_nobody_may_bring_the_file_up_to_date() {
    let file = File::of_version(4, &stock());
    let lock = format!("{}.work.lock", file.path().display());
    let is_free = || {
        let lock = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(&lock).unwrap();
        lock.try_lock().is_ok()
    };
    // The first brings it up to date itself, and the second finds it so.
    for _ in 0..2 {
        let commands = [file.open(), file.open()];
        for command in commands {
            assert!(!is_free());
            command.close().await;
        }
        assert!(is_free());
    }
    // A server has a lock of its own, at which a command is refused in place of waiting until it ends.
    let server = sqlite::open(&file.path(), Intent::Serve, None).unwrap();
    assert!(is_free());
    server.close().await;
}
