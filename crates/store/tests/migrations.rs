//! Databases that older versions made and filled: today's store brings them up to date, and nothing of them is lost.

#[path = "migrations/old.rs"]
mod old;

use passpool_core::{
    Actor, ApiKey, Granter, HandOutNumber, HandOutSeed, Kept, KioskName, LinkKey, Passphrase, PassportId, ProfileName,
    Proof, Refusal, ReservationId, Reserve, ResetId, Rule, SecretId, Selector, Shortage, Shown, StateName, Tag,
    UserName,
};
use passpool_store::{
    AddressDigest, Door, Extend, Given, Intent, KeptReset, Matching, NewKey, NewUser, OfReservation, OpenError,
    Opening, ProfileOf, ReservationPage, ResetDone, ResetOf, ResetScope, ResetUndone, Store, StoreError, TagFilter,
    Touched, UndoReset, Visit, Visitor, sqlite,
};
use rusqlite::Connection;

use old::{BROWSER, Code, File, GOLD, Old, VIP, at, key, repeat, reservation, secret, stock, visited};

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
