//! Measures what operators ask of a large pool: `cargo run --release -p passpool-store --example operators_measure`.
//!
//! Everything goes through the real store, fsync included; `--passports N` sets the size of the pool, and `--postgres URL`
//! measures in an empty database of a PostgreSQL in place of a file.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement prints, and reads the clock")]

use std::{error::Error, time::Instant};

use passpool_core::{
    Actor, Code, Content, HandOutSeed, Kept, NewPassport, NewRecipients, PassportId, Personal, PreviewId, Recipient,
    RecipientId, Recipients, Reference, ReservationId, Reserve, ResetId, Rule, Secret, Selector, Shortage, StateName,
    Tag, Tags, Timestamp,
};
use passpool_store::{
    EventFilter, EventPage, ImportBatch, ImportTerms, Intent, KeptReset, LinksOf, Matching, PassportFilter,
    PassportPage, PoolPage, Preview, ReservationPage, ResetOf, ResetScope, ShowLinks, Store, TagFilter, UndoReset,
    postgres, sqlite,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const SLICE: u64 = 4_096;

#[tokio::main]
async fn main() -> Outcome<()> {
    let (mut passports, mut url) = (1_000_000, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--passports", Some(number)) => passports = number.parse()?,
            ("--postgres", Some(place)) => url = Some(postgres::PostgresUrl::parse(&place)?),
            _ => return Err("usage: operators_measure [--passports N] [--postgres URL]".into()),
        }
    }
    let folder = tempfile::tempdir()?;
    let secret = Secret::new([7; 32]).fingerprint();
    let (store, place) = match url {
        None => (
            sqlite::open(&folder.path().join("pool.db"), Intent::Write, Some(secret))?,
            "SQLite, WAL, synchronous=FULL",
        ),
        Some(url) => (postgres::open(&url, Intent::Write, Some(secret), None).await?, "PostgreSQL"),
    };
    println!("{passports} passports with three tags each; {place}, fsync on");
    stock(&*store, passports).await?;
    bulk(&*store).await?;
    lists(&*store).await?;
    resets(&*store).await?;
    store.close().await;
    Ok(())
}

async fn stock(store: &dyn Store, passports: u64) -> Outcome<()> {
    let terms = ImportTerms { by: Actor::CommandLine, now: moment(0), imported: false, skip_known: false };
    let import = store.begin_import(terms.clone()).await?;
    for first in (0..passports).step_by(SLICE as usize) {
        let slice = (first..passports.min(first + SLICE)).map(|n| {
            let tags = Tags::parse_list(&format!("vip,colour-{},shop-{}", n % 2, n % 300))?;
            Ok(NewPassport { id: PassportId::new(n + 1)?, code: Code::None, tags, content: Content::empty() })
        });
        let passports = slice.collect::<Outcome<Vec<_>>>()?;
        store.add_to_import(ImportBatch { import, passports, terms: terms.clone() }).await?;
    }
    Ok(store.publish_import(import).await?)
}

/// Reservations of many in one call, with and without recipients.
async fn bulk(store: &dyn Store) -> Outcome<()> {
    for round in 0..3 {
        for (count, with_recipients) in [(100_000, false), (10_000, true), (10_000, false), (50, true)] {
            let wish = wish("vip", count, with_recipients, round)?;
            let begun = Instant::now();
            let reservation = store.reserve(wish).await?;
            assert_eq!(reservation.handed_out.len(), count as usize, "all of them");
            let took = begun.elapsed();
            let whom = if with_recipients { " with recipients" } else { "" };
            println!("reserve {count}{whom}: {:.1} ms, {:.0} links/s", ms(took), f64::from(count) / took.as_secs_f64());
        }
    }
    let begun = Instant::now();
    store.reserve(wish("vip", 100_000, true, 9)?).await?;
    println!("reserve 100000 with recipients: {:.1} ms", ms(begun.elapsed()));
    Ok(())
}

async fn lists(store: &dyn Store) -> Outcome<()> {
    let now = moment(10);
    let reservations = store.reservations(ReservationPage { before: None, limit: 100 }).await?;
    let largest = reservations.iter().max_by_key(|info| info.count).ok_or("there are some")?.id;
    for round in ["first", "again"] {
        timed(round, "reservations", store.reservations(ReservationPage { before: None, limit: 100 })).await?;
        timed(round, "reservation of 100,000", store.reservation(largest, now)).await?;
        timed(round, "pools, 100 of 303", store.pools(PoolPage { after: None, limit: 100, now })).await?;
        timed(round, "one pool", store.counts(TagFilter::Named(vec![Tag::parse("vip")?]), now)).await?;
        let page = PassportPage { after: None, limit: 100, now };
        let filter = |tags: &str, state| {
            Outcome::Ok(PassportFilter { selector: Some(selector(tags)?), state, ..PassportFilter::default() })
        };
        timed(round, "passports", store.passports(PassportFilter::default(), page)).await?;
        timed(round, "passports by tag", store.passports(filter("shop-299", None)?, page)).await?;
        let available = Some(StateName::Available);
        timed(round, "passports by tags and state", store.passports(filter("colour-1,shop-7", available)?, page))
            .await?;
        timed(round, "passports nowhere", store.passports(filter("colour-0,shop-7", available)?, page)).await?;
        timed(round, "passports claimed", store.passports(filter("vip", Some(StateName::Claimed))?, page)).await?;
        let since = PassportFilter { changed_since: Some(moment(1)), ..filter("shop-7", None)? };
        timed(round, "passports since", store.passports(since, page)).await?;
        let of_one = PassportFilter { reference: Some(Reference::parse("R-9-77")?), ..PassportFilter::default() };
        timed(round, "passports of a reference", store.passports(of_one, page)).await?;
        timed(round, "one passport", store.passport(PassportId::new(5)?, now)).await?;
        let events = EventPage { after: None, limit: 100 };
        timed(round, "events", store.events(EventFilter::default(), events)).await?;
        let none = EventFilter { by: Some(Actor::Visitor), ..EventFilter::default() };
        timed(round, "events nowhere, a page", store.events(none, events)).await?;
    }
    let of = LinksOf::Reservation { id: largest, from: 0, limit: 5_000 };
    let links = ShowLinks { of, with_content: false, by: Actor::CommandLine, now };
    timed("once", "links, 5,000", store.show_links(links)).await?;
    Ok(())
}

async fn resets(store: &dyn Store) -> Outcome<()> {
    let (now, scope) = (moment(20), ResetScope::Matching(Matching { limit: Some(100_000), ..Matching::default() }));
    let preview = PreviewId::new(now, [1; 10]);
    timed("once", "preview of 100,000", store.keep_preview(Preview { id: preview, scope, now }, 100)).await?;
    let (id, by) = (ResetId::new(now, [1; 10]), Actor::CommandLine);
    let wish = KeptReset { id, of: ResetOf::Preview(preview), by: by.clone(), now };
    timed("once", "reset of 100,000", store.keep_reset(wish)).await?;
    timed("once", "undo of 100,000", store.undo_reset(UndoReset { id, by, now })).await?;
    for (nth, tags) in (2..).zip(["vip", "shop-7", "colour-1,shop-7"]) {
        let scope = ResetScope::Matching(Matching { selector: Some(selector(tags)?), ..Matching::default() });
        let preview = PreviewId::new(now, [nth; 10]);
        timed(tags, "preview of a tag", store.keep_preview(Preview { id: preview, scope, now }, 100)).await?;
    }
    Ok(())
}

async fn timed<T>(
    round: &str,
    what: &str,
    work: impl Future<Output = Result<T, passpool_store::StoreError>>,
) -> Outcome<T> {
    let begun = Instant::now();
    let done = work.await?;
    println!("{round}: {what}: {:.1} ms", ms(begun.elapsed()));
    Ok(done)
}

fn wish(tags: &str, count: u32, with_recipients: bool, round: u8) -> Outcome<Reserve> {
    let mut random = [round; 10];
    random[..4].copy_from_slice(&count.to_be_bytes());
    random[5] = u8::from(with_recipients);
    let mut seed = [0; 32];
    seed[..10].copy_from_slice(&random);
    let recipient = |n: u32| {
        let name = Personal::name(&format!("Guest Number {n}"))?;
        let email = Personal::email(&format!("guest.{n}@brand.example"))?;
        Outcome::Ok(Recipient::new(Some(name), Some(email), Some(Reference::parse(&format!("R-{round}-{n}"))?))?)
    };
    let recipients = if with_recipients {
        let recipients = Recipients::new((0..count).map(recipient).collect::<Outcome<_>>()?)?;
        Some(NewRecipients { first: RecipientId::new(moment(1), random), recipients })
    } else {
        None
    };
    Ok(Reserve {
        selector: selector(tags)?,
        count,
        shortage: Shortage::Refuse,
        by: Actor::CommandLine,
        now: moment(1),
        until: None,
        keep: Some(Kept { recipients, ..Kept::new(ReservationId::new(moment(1), random), None) }),
        seed: HandOutSeed::new(seed),
        with_content: false,
    })
}

fn selector(tags: &str) -> Outcome<Selector> {
    Ok(Selector::parse([tags], Rule::And)?)
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn ms(took: std::time::Duration) -> f64 {
    took.as_secs_f64() * 1e3
}
