//! A database as an older version made and filled it.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use passpool_core::{
    ApiKey, IdempotencyKey, KioskVisitor, ParameterDigest, Passphrase, PassportId, Repeat, ReservationId, Secret,
    StateName, Timestamp,
};
use passpool_store::{Intent, NewKey, Store, sqlite};
use refinery::Target;
use rusqlite::{Connection, params};
use tempfile::TempDir;

mod migrations {
    refinery::embed_migrations!("src/sqlite/migrations");
}

const NOON: i64 = 1_700_000_000_000_000;
const ALICE: [u8; 20] = [0xaa; 20];
pub(crate) const BROWSER: KioskVisitor = KioskVisitor::Browser([9; 16]);

pub(crate) struct File {
    folder: TempDir,
}

impl File {
    /// A database of this version with these passports in it.
    pub(crate) fn of_version(version: i32, stock: &[Old]) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        let mut db = Connection::open(file.path()).unwrap();
        // What marks a file as Passpool's.
        db.pragma_update(None, "application_id", 0x5050_4c31).unwrap();
        migrations::migrations::runner().set_target(Target::Version(version)).run(&mut db).unwrap();
        fill(&db, version, stock);
        file
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    pub(crate) fn open(&self) -> Arc<dyn Store> {
        sqlite::open(&self.path(), Intent::Write, Some(secret().fingerprint())).unwrap()
    }
}

/// A passport as an older version wrote it.
pub(crate) struct Old {
    pub(crate) seq: u16,
    pub(crate) state: StateName,
    pub(crate) tags: &'static [u32],
    /// What the journal tells of it.
    history: &'static [&'static str],
    pub(crate) code: Code,
    until: Option<i64>,
    reservation: Option<ReservationId>,
    kiosk: Option<u32>,
    owner: Option<[u8; 20]>,
    settle_by: Option<i64>,
}

/// What its link is made of.
pub(crate) enum Code {
    None,
    Number(i64),
    Imported(&'static str),
    Printed(&'static str),
}

pub(crate) const VIP: u32 = 1;
pub(crate) const GOLD: u32 = 2;

impl Old {
    fn new(seq: u16, state: StateName, tags: &'static [u32], history: &'static [&'static str]) -> Self {
        let (reservation, kiosk, owner) = (None, None, None);
        Self { seq, state, tags, history, code: Code::None, until: None, reservation, kiosk, owner, settle_by: None }
    }

    pub(crate) fn id(&self) -> PassportId {
        PassportId::new(100 + u64::from(self.seq)).unwrap()
    }

    fn is_in_pool(&self) -> bool {
        self.state == StateName::Available && !matches!(self.code, Code::Printed(_))
    }
}

/// One passport in each state, some held in every way that there was.
pub(crate) fn stock() -> Vec<Old> {
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
pub(crate) fn visited() -> Old {
    Old {
        code: Code::Number(17),
        until: Some(NOON + 900_000_000),
        kiosk: Some(1),
        ..Old::new(11, StateName::Reserved, &[GOLD], &["created", "reserved"])
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

pub(crate) fn reservation() -> ReservationId {
    ReservationId::new(at(0), [4; 10])
}

pub(crate) fn secret() -> Secret {
    Secret::new([7; 32])
}

pub(crate) fn key() -> ApiKey {
    ApiKey::from_random(&[8; 32])
}

pub(crate) fn repeat() -> Repeat {
    let record = IdempotencyKey::parse("order-1").unwrap().digest("crm", "/reserve");
    Repeat { record, parameters: ParameterDigest::of(["p"]) }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOON + seconds * 1_000_000)
}
