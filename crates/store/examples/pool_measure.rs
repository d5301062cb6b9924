//! Measures how fast passports are picked, in the cases that break pools: `cargo run --release -p passpool-store
//! --example pool_measure`. What it printed once, and what was decided upon it, is in `docs/decisions`.
//!
//! Everything goes through the real store, fsync included; `--passports N` sets the size of the pool,
//! and with `--counted` somebody has asked for the counts before the calls.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement prints, and reads the clock")]

use std::{error::Error, path::Path, sync::Arc, time::Instant};

use passpool_core::{
    Actor, Code, Content, HandOutSeed, IdempotencyKey, Kept, NewPassport, ParameterDigest, PassportId, Refusal, Repeat,
    ReservationId, Reserve, Rule, Secret, Selector, Shortage, Tag, Tags, Timestamp,
};
use passpool_store::{ImportBatch, ImportTerms, Intent, Store, StoreError, TagFilter, sqlite};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many callers ask at once.
const CALLERS: u64 = 256;
/// How many calls are timed in a case.
const CALLS: u64 = 200_000;
const SLICE: u64 = 4_096;
/// How often the two large sets meet.
const OVERLAP: u64 = 100;

/// A pool, and what is asked of it.
struct Case {
    name: &'static str,
    tags: fn(u64, u64) -> String,
    ask: fn(u64) -> (String, Rule),
    /// Whether each call has an idempotency key of its own.
    has_keys: bool,
}

const ONE_TAG: Case =
    Case { name: "one tag", tags: |_, _| "vip".into(), ask: |_| ("vip".into(), Rule::And), has_keys: false };

const CASES: [Case; 7] = [
    ONE_TAG,
    Case { name: "one tag, an idempotency key each", has_keys: true, ..ONE_TAG },
    Case {
        name: "three tags; one, and, or in turn",
        tags: |n, _| format!("vip,colour-{},size-{}", n % 2, n % 3),
        ask: |call| match call % 3 {
            0 => ("vip".into(), Rule::And),
            1 => ("vip,colour-1,size-2".into(), Rule::And),
            _ => ("colour-0,size-1".into(), Rule::Or),
        },
        has_keys: false,
    },
    Case {
        name: "1,000 tags",
        tags: |n, _| format!("tag-{}", scattered(n) % 1_000),
        ask: |call| (format!("tag-{}", scattered(call) % 1_000), Rule::And),
        has_keys: false,
    },
    Case {
        name: "a serial number each",
        tags: |n, _| format!("vip,serial-{n}"),
        ask: |call| match call % 2 {
            0 => ("vip".into(), Rule::And),
            _ => (format!("serial-{}", scattered(call) % 1_000_000), Rule::And),
        },
        has_keys: false,
    },
    Case {
        name: "and of two halves that meet 100 times",
        tags: |n, all| match n {
            n if n % (all / OVERLAP) == 0 => "left,right".into(),
            n if n % 2 == 0 => "left".into(),
            _ => "right".into(),
        },
        ask: |_| ("left,right".into(), Rule::And),
        has_keys: false,
    },
    Case {
        name: "the same, in turn with one tag",
        tags: |n, all| match n {
            n if n % (all / OVERLAP) == 0 => "left,right".into(),
            n if n % 2 == 0 => "left".into(),
            _ => "right".into(),
        },
        ask: |call| match call % 2 {
            0 => ("left,right".into(), Rule::And),
            _ => ("left".into(), Rule::And),
        },
        has_keys: false,
    },
];

#[tokio::main]
async fn main() -> Outcome<()> {
    let usage = "usage: pool_measure [--passports N] [--case NAME] [--counted]";
    let (mut passports, mut wanted, mut is_counted) = (1_000_000, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        if flag == "--counted" {
            is_counted = true;
            continue;
        }
        let value = arguments.next().ok_or(usage)?;
        match flag.as_str() {
            "--passports" => passports = value.parse()?,
            "--case" => wanted = Some(value),
            _ => return Err(usage.into()),
        }
    }
    println!(
        "{}; {passports} passports, {CALLERS} callers, {CALLS} calls; SQLite, WAL, synchronous=FULL, fsync on",
        machine()
    );
    for case in CASES.iter().filter(|case| wanted.as_ref().is_none_or(|wanted| wanted == case.name)) {
        measure(case, passports, is_counted).await?;
    }
    Ok(())
}

async fn measure(case: &'static Case, passports: u64, is_counted: bool) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pool.db");
    let secret = Secret::new([7; 32]).fingerprint();
    let store = sqlite::open(&path, Intent::Write, Some(secret))?;
    let begun = Instant::now();
    stock(&*store, case, passports).await?;
    let stocked = begun.elapsed();
    store.close().await;
    let before = size(&path)?;

    let begun = Instant::now();
    let store = sqlite::open(&path, Intent::Write, Some(secret))?;
    reserve(&*store, case, 0, 1).await?;
    let first = begun.elapsed();
    if is_counted {
        count(&*store).await?;
    }
    let fresh = hand_out(&store, case, 1, CALLS).await?;
    drain(&*store, case, passports).await?;
    let drained = hand_out(&store, case, CALLS + 1, CALLS).await?;
    store.close().await;

    println!("\n{}", case.name);
    println!("  stocked: {:.0}/s, {} bytes a passport", per_second(passports, stocked), before / passports);
    println!("  open to first pick: {:.1} ms", first.as_secs_f64() * 1e3);
    println!("  fresh: {fresh}");
    println!("  nine of ten taken: {drained}");
    Ok(())
}

async fn stock(store: &dyn Store, case: &Case, passports: u64) -> Outcome<()> {
    let terms = ImportTerms { by: Actor::CommandLine, now: moment(0), imported: false, skip_known: false };
    let import = store.begin_import(terms.clone()).await?;
    for first in (0..passports).step_by(SLICE as usize) {
        let slice = (first..passports.min(first + SLICE)).map(|n| {
            let tags = Tags::parse_list(&(case.tags)(n, passports))?;
            let neighbourhood = scattered(first / SLICE) as u16;
            let id = PassportId::from_random(neighbourhood, (n as u32).wrapping_mul(0x9e37_79b9));
            Ok(NewPassport { id, code: Code::None, tags, content: Content::empty() })
        });
        let passports = slice.collect::<Outcome<Vec<_>>>()?;
        store.add_to_import(ImportBatch { import, passports, terms: terms.clone() }).await?;
    }
    Ok(store.publish_import(import).await?)
}

/// Asks for the counts of the tag that most cases have, as a page of the operators does each second.
async fn count(store: &dyn Store) -> Outcome<()> {
    const TIMES: u64 = 1_000;
    let begun = Instant::now();
    for _ in 0..TIMES {
        store.counts(TagFilter::Named(vec![Tag::parse("vip")?]), moment(1)).await?;
    }
    println!("  counts of a tag: {:.1} us each", begun.elapsed().as_secs_f64() * 1e6 / TIMES as f64);
    Ok(())
}

/// Takes from every tag that the case asks for until nine of ten passports are gone.
async fn drain(store: &dyn Store, case: &Case, passports: u64) -> Outcome<()> {
    let tags = match case.name {
        "1,000 tags" => (0..1_000).map(|tag| format!("tag-{tag}")).collect(),
        "one tag"
        | "one tag, an idempotency key each"
        | "three tags; one, and, or in turn"
        | "a serial number each" => vec!["vip".to_owned()],
        _ => vec!["left".to_owned(), "right".to_owned()],
    };
    let each = passports / tags.len() as u64 / 10 * 9;
    for (number, tag) in tags.iter().enumerate() {
        let selector = Selector::new([Tag::parse(tag)?], Rule::And)?;
        let mut left = each.saturating_sub(CALLS / tags.len() as u64);
        while left > 0 {
            let count = left.min(50_000) as u32;
            match store.reserve(wish(selector.clone(), count, u64::MAX - number as u64 - left)).await {
                Ok(_) => left -= u64::from(count),
                Err(StoreError::Refusal(Refusal::PoolShort { .. })) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// What a number of calls took.
struct Measured {
    per_second: f64,
    worst_ms: f64,
    handed_out: u64,
    refused: u64,
    used: Used,
}

/// What the process has used: microseconds of processor time, callers included, and bytes given to the disk.
#[derive(Clone, Copy, Default)]
struct Used {
    micros: u64,
    written: u64,
}

impl Used {
    /// As Linux tells it; elsewhere nothing.
    fn now() -> Self {
        const MICROS_A_TICK: u64 = 10_000;
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let behind_name = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
        let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok());
        Self { micros: ticks.sum::<u64>() * MICROS_A_TICK, written: written.unwrap_or(0) }
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { per_second, worst_ms, handed_out, refused, used: Used { micros, written } } = self;
        let calls = handed_out + refused;
        write!(
            f,
            "{per_second:.0} calls/s, {handed_out} handed out, {refused} \"none left\", longest wait {worst_ms:.1} ms, \
             {:.1} us of processor and {} bytes written a call",
            *micros as f64 / calls as f64,
            written / calls
        )
    }
}

async fn hand_out(store: &Arc<dyn Store>, case: &'static Case, first: u64, calls: u64) -> Outcome<Measured> {
    let (begun, before) = (Instant::now(), Used::now());
    let callers = (0..CALLERS).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            let (mut handed_out, mut refused, mut worst) = (0, 0, 0.0_f64);
            for call in (caller..calls).step_by(CALLERS as usize) {
                let begun = Instant::now();
                match reserve(&*store, case, first + call, 1).await? {
                    true => handed_out += 1,
                    false => refused += 1,
                }
                worst = worst.max(begun.elapsed().as_secs_f64() * 1e3);
            }
            Ok::<_, Box<dyn Error + Send + Sync>>((handed_out, refused, worst))
        })
    });
    let mut measured = Measured { per_second: 0.0, worst_ms: 0.0, handed_out: 0, refused: 0, used: Used::default() };
    for caller in callers.collect::<Vec<_>>() {
        let (handed_out, refused, worst) = caller.await??;
        measured.handed_out += handed_out;
        measured.refused += refused;
        measured.worst_ms = measured.worst_ms.max(worst);
    }
    let (took, after) = (begun.elapsed(), Used::now());
    let used = Used { micros: after.micros - before.micros, written: after.written - before.written };
    Ok(Measured { per_second: per_second(calls, took), used, ..measured })
}

/// False if there was none left.
async fn reserve(store: &dyn Store, case: &Case, call: u64, count: u32) -> Outcome<bool> {
    let (tags, rule) = (case.ask)(call);
    let wish = wish(Selector::parse([tags.as_str()], rule)?, count, call);
    match store.reserve(Reserve { keep: case.has_keys.then(|| kept(call)), ..wish }).await {
        Ok(_) => Ok(true),
        Err(StoreError::Refusal(Refusal::PoolShort { .. })) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn wish(selector: Selector, count: u32, call: u64) -> Reserve {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&call.to_be_bytes());
    let (shortage, seed) = (Shortage::Refuse, HandOutSeed::new(seed));
    Reserve {
        selector,
        count,
        shortage,
        by: Actor::CommandLine,
        now: moment(1),
        until: None,
        keep: None,
        seed,
        with_content: false,
    }
}

/// A reservation that can be repeated under a key of its own.
fn kept(call: u64) -> Kept {
    let key = IdempotencyKey::parse(&format!("order-{call}")).expect("it is visible ASCII");
    let repeat = Repeat { record: key.digest("cli", "/reserve"), parameters: ParameterDigest::of(["vip"]) };
    let mut random = [0; 10];
    random[..8].copy_from_slice(&call.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    random[8..].copy_from_slice(&call.to_be_bytes()[6..]);
    // About fifty in each millisecond, as under load.
    Kept::new(
        ReservationId::new(Timestamp::from_micros(moment(1).as_micros() + call as i64 * 20), random),
        Some(repeat),
    )
}

/// A number that looks random and is not: multiplied by an odd constant, its upper half.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn per_second(count: u64, took: std::time::Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn size(path: &Path) -> Outcome<u64> {
    Ok(std::fs::metadata(path)?.len())
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{}, {cores} cores", model.trim_start_matches([' ', '\t', ':']))
}
