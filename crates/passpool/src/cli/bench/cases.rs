//! The cases, one function each.

use super::{
    ask::{Ask, Pick},
    case::{Case, Extent, Load, Pace, Row, Work},
    stock::{Backend, Stock, Tagging},
};

use std::time::Duration;

/// How large the cases are.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    pub(super) rounds: usize,
    pub(super) seconds: f64,
    /// How many connections call in most rows.
    connections: usize,
    /// The numbers of connections of the case that compares them, `connections` among them.
    ladder: &'static [usize],
    /// How many passports there are in a small pool, a usual one and a large one.
    small: u64,
    usual: u64,
    large: u64,
    /// How many there are where all rows hand out without giving back.
    plenty: u64,
    /// How many calls are made of a small pool before all is given back.
    slice: u64,
    /// Bulk reservations.
    bulk: [u32; 3],
    claims: u32,
    /// For how many seconds each row is measured that may become slower with time.
    long: f64,
    /// How many passports there are in a pool on a PostgreSQL, and connections to each of three servers.
    shared: u64,
    shared_connections: usize,
}

impl Scale {
    pub(super) const FULL: Self = Self {
        rounds: 5,
        seconds: 2.0,
        connections: 256,
        ladder: &[1, 16, 64, 256, 1_024],
        small: 10_000,
        usual: 1_000_000,
        large: 10_000_000,
        plenty: 6_000_000,
        slice: 8_000,
        bulk: [50, 10_000, 100_000],
        claims: 40_000,
        long: 60.0,
        shared: 3_000_000,
        shared_connections: 85,
    };
    /// What tells whether the shape is right, on a machine that does other things too, and without optimization.
    pub(super) const QUICK: Self = Self {
        rounds: 3,
        seconds: 0.25,
        connections: 32,
        ladder: &[1, 32, 128],
        small: 2_000,
        usual: 10_000,
        large: 40_000,
        plenty: 30_000,
        slice: 1_000,
        bulk: [50, 1_000, 4_000],
        claims: 1_000,
        long: 0.5,
        shared: 10_000,
        shared_connections: 16,
    };

    fn words(count: u64) -> String {
        match count {
            millions if millions.is_multiple_of(1_000_000) => format!("{} million", millions / 1_000_000),
            thousands if thousands.is_multiple_of(1_000) => format!("{} thousand", thousands / 1_000),
            count => count.to_string(),
        }
    }
}

/// A case that cannot be measured here.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeftOut {
    pub(super) case: &'static str,
    pub(super) why: &'static str,
}

impl LeftOut {
    /// Because no PostgreSQL was named.
    pub(super) const fn without_postgres(case: &Case) -> Self {
        Self { case: case.name, why: "it needs a PostgreSQL, which --postgres names" }
    }
}

/// Every case, in the order of the table.
pub(super) fn all(scale: &Scale) -> Vec<Case> {
    vec![
        ceiling(scale),
        reserve(scale),
        size(scale),
        drained(scale),
        tags(scale),
        overlap(scale),
        bulk(scale),
        transfer(scale),
        mixed(scale),
        start(scale),
        postgres(scale),
        postgres_size(scale),
        postgres_overlap(scale),
    ]
}

pub(super) fn names() -> Vec<&'static str> {
    all(&Scale::QUICK).iter().map(|case| case.name).collect()
}

fn ceiling(scale: &Scale) -> Case {
    let answer = "authenticated answer from memory";
    Case {
        name: "ceiling",
        about: "what HTTP alone costs here",
        once: None,
        stocks: vec![Stock::ceiling()],
        rows: vec![
            Row::flat_out("healthz", 0, Ask::Health, scale.connections),
            Row::flat_out(answer, 0, Ask::Ceiling, scale.connections).against("healthz"),
        ],
    }
}

/// The row of so many connections.
pub(super) fn connections(count: usize) -> String {
    match count {
        1 => "1 connection".into(),
        count => format!("{count} connections"),
    }
}

fn reserve(scale: &Scale) -> Case {
    let mut rows = Vec::new();
    for count in scale.ladder {
        let ceiling = format!("from memory, {}", connections(*count));
        rows.push(Row::flat_out(ceiling.clone(), 0, Ask::Ceiling, *count));
        rows.push(Row::flat_out(connections(*count), 1, Ask::One(Pick::Tag), *count).against(ceiling));
    }
    let top = connections(scale.connections);
    let half = Pace::ShareOf { row: top.clone(), share: 0.5 };
    rows.push(Row::flat_out(HALF, 1, Ask::One(Pick::Tag), scale.connections).pace(half.clone()).against(top.clone()));
    // What the machine, the client and HTTP have of those waits.
    rows.push(Row::flat_out("the same rate from memory", 0, Ask::Ceiling, scale.connections).pace(half));
    rows.push(Row::flat_out(KEYED, 1, Ask::OneWithKey, scale.connections).against(top));
    Case {
        name: "reserve",
        about: "durable reserveOne, one tag, each beside an authenticated answer of the same size from memory",
        once: None,
        stocks: vec![Stock::ceiling(), Stock::of(scale.plenty, Tagging::One)],
        rows,
    }
}

pub(super) const HALF: &str = "half of that rate";
pub(super) const KEYED: &str = "an Idempotency-Key on each call";

fn size(scale: &Scale) -> Case {
    let sizes = [scale.small, scale.usual, scale.large];
    let row = |(stock, size): (usize, &u64)| {
        let row = Row::flat_out(Scale::words(*size), stock, Ask::One(Pick::Tag), scale.connections);
        let row = row.extent(Extent::Slices(scale.slice));
        if stock == 0 { row } else { row.against(Scale::words(scale.small)) }
    };
    Case {
        name: "size",
        about: "reserveOne from pools of several sizes; all is given back before each few thousand calls, off the clock",
        once: None,
        stocks: sizes.iter().map(|size| Stock::of(*size, Tagging::One)).collect(),
        rows: sizes.iter().enumerate().map(row).collect(),
    }
}

fn drained(scale: &Scale) -> Case {
    let fresh = Stock::of(scale.plenty, Tagging::One);
    Case {
        name: "drained",
        about: "reserveOne from a pool of which nine of ten passports are gone",
        once: None,
        stocks: vec![fresh, Stock { drained: 9, ..fresh }],
        rows: vec![
            Row::flat_out("fresh", 0, Ask::One(Pick::Tag), scale.connections),
            Row::flat_out("90 % drained", 1, Ask::One(Pick::Tag), scale.connections).against("fresh"),
        ],
    }
}

fn tags(scale: &Scale) -> Case {
    /// How many tags there are instead of one.
    const TAGS: u64 = 1_000;
    let stock = |tagging| Stock::of(scale.plenty / 3, tagging);
    Case {
        name: "tags",
        about: "reserveOne by other tags than one that all passports have",
        once: None,
        stocks: vec![stock(Tagging::One), stock(Tagging::EachOf(TAGS)), stock(Tagging::Own)],
        rows: vec![
            Row::flat_out("one hot tag", 0, Ask::One(Pick::Tag), scale.connections),
            Row::flat_out("1,000 tags in turn", 1, Ask::One(Pick::EachOf(TAGS)), scale.connections)
                .against("one hot tag"),
            Row::flat_out("a tag of its own on each", 2, Ask::One(Pick::Tag), scale.connections).against("one hot tag"),
        ],
    }
}

fn overlap(scale: &Scale) -> Case {
    let stock = Stock::of(scale.large, Tagging::Halves { common: COMMON });
    Case {
        name: "overlap",
        about: "reserveOne by two tags of which 100 passports have both, of half of the pool each; one connection",
        once: None,
        stocks: vec![stock],
        rows: overlap_rows(),
    }
}

/// How many passports have both tags.
const COMMON: u64 = 100;

fn overlap_rows() -> Vec<Row> {
    let row = |name, ask| Row::flat_out(name, 0, ask, 1);
    vec![
        row("while it lasts", Ask::One(Pick::Both)).extent(Extent::Slices(COMMON)),
        row("used up", Ask::NoneLeft(Pick::Both)),
    ]
}

fn bulk(scale: &Scale) -> Case {
    let [few, many, most] = scale.bulk;
    let name = |count: u32| format!("reservations of {}", Scale::words(count.into()));
    let load =
        |ask, connections, extent| Work::Load(Load { ask, connections, servers: 1, pace: Pace::FlatOut, extent });
    let reserve = |count, connections, extent| Row::new(name(count), 0, load(Ask::Many(count), connections, extent));
    let back = Ask::Reset(most.into());
    Case {
        name: "bulk",
        about: "POST /v1/reservations and resetAll, of passports with three tags; rates count links",
        once: None,
        stocks: vec![Stock::of(scale.usual, Tagging::Three)],
        rows: vec![
            reserve(few, 16, Extent::CallsOfFull(u64::from(most / few))),
            reserve(many, 1, Extent::CallsOfFull(1)).against(name(few)),
            reserve(most, 1, Extent::CallsOfFull(1)).against(name(few)),
            Row::new(format!("reset of {}", Scale::words(most.into())), 0, load(back, 1, Extent::Calls(1)))
                .against(name(most)),
        ],
    }
}

fn transfer(scale: &Scale) -> Case {
    let [import, export] = ["import", "export"].map(|what| format!("{what} of {}", Scale::words(scale.usual)));
    Case {
        name: "transfer",
        about: "the commands import, of CSV with three tags a passport into a new database, and export",
        once: None,
        stocks: vec![Stock::of(scale.usual, Tagging::Three)],
        rows: vec![
            Row::new(import.clone(), 0, Work::Import { passports: scale.usual }),
            Row::new(export, 0, Work::Export).against(import),
        ],
    }
}

fn mixed(scale: &Scale) -> Case {
    let stock = Stock { claims: scale.claims, ..Stock::of(scale.plenty, Tagging::One) };
    Case {
        name: "mixed",
        about: "80 % reserve, 10 % scan, 5 % claim, 5 % pool counts; with kiosk holds in the place of every eighth \
                reservation",
        once: None,
        stocks: vec![stock, Stock { kiosk: true, ..stock }],
        rows: vec![
            Row::flat_out("reserve alone", 0, Ask::One(Pick::Tag), scale.connections),
            Row::flat_out("mixed", 0, Ask::Mixed { kiosk: false }, scale.connections).against("reserve alone"),
            Row::flat_out("mixed with a kiosk", 1, Ask::Mixed { kiosk: true }, scale.connections)
                .against("reserve alone"),
        ],
    }
}

fn start(scale: &Scale) -> Case {
    Case {
        name: "start",
        about: "a start of the server up to its first link, its memory then, and the database's size",
        once: None,
        stocks: vec![Stock::of(scale.large, Tagging::One)],
        rows: vec![
            Row::new(BEFORE, 0, Work::Weigh { handed_out: 0 }),
            Row::new(format!("start with {}", Scale::words(scale.large)), 0, Work::Start),
            Row::new(AFTER, 0, Work::Weigh { handed_out: scale.large / 10 }),
        ],
    }
}

pub(super) const BEFORE: &str = "size before the hand-out";
pub(super) const AFTER: &str = "size after the hand-out";

fn postgres(scale: &Scale) -> Case {
    /// How many connections the textbook statement has.
    const TEXTBOOK: usize = 64;
    let stock = Stock::of(scale.shared, Tagging::Three).on_postgres(3);
    let textbook = Work::Textbook { connections: TEXTBOOK, passports: scale.usual };
    let one = Row::flat_out(ONE_SERVER, 1, Ask::One(Pick::Tag), scale.shared_connections);
    let three = Row::flat_out(THREE_SERVERS, 0, Ask::One(Pick::Tag), scale.shared_connections * 3).servers(3);
    Case {
        name: "postgres",
        about: "durable reserveOne on PostgreSQL, three tags a passport, each row for a minute; the database's own \
                processor time is not counted",
        once: Some(Duration::from_secs_f64(scale.long)),
        stocks: vec![stock, Stock { backend: Backend::Postgres { servers: 1 }, ..stock }],
        rows: vec![Row::new(STATEMENT, 0, textbook), three.against(STATEMENT), one.against(STATEMENT)],
    }
}

pub(super) const STATEMENT: &str = "the textbook SKIP LOCKED statement, 64 connections";
pub(super) const THREE_SERVERS: &str = "three servers";
const ONE_SERVER: &str = "one server";

fn postgres_size(scale: &Scale) -> Case {
    let [one, three] = [Tagging::One, Tagging::Three].map(|tags| Stock::of(scale.usual, tags).on_postgres(1));
    let handed_out = scale.usual / 10;
    Case {
        name: "postgres-size",
        about: "the database's size in PostgreSQL, tables and indexes as they are, one tag a passport and three",
        once: None,
        stocks: vec![one, three],
        rows: vec![
            Row::new(BEFORE, 0, Work::Weigh { handed_out: 0 }),
            Row::new(AFTER, 0, Work::Weigh { handed_out }),
            Row::new(format!("three tags, {BEFORE}"), 1, Work::Weigh { handed_out: 0 }),
            Row::new(format!("three tags, {AFTER}"), 1, Work::Weigh { handed_out }),
        ],
    }
}

fn postgres_overlap(scale: &Scale) -> Case {
    let stock = Stock::of(scale.usual, Tagging::Halves { common: COMMON }).on_postgres(1);
    Case {
        name: "postgres-overlap",
        about: "on PostgreSQL: reserveOne by two tags of which 100 passports have both, of half of the pool each; one \
                connection",
        once: None,
        stocks: vec![stock],
        rows: overlap_rows(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_compared_with_one_before_it() {
        for case in all(&Scale::FULL).iter().chain(&all(&Scale::QUICK)) {
            for (number, row) in case.rows.iter().enumerate() {
                assert!(row.stock < case.stocks.len(), "{}: {}", case.name, row.name);
                let before = &case.rows[..number];
                assert!(before.iter().all(|other| other.name != row.name), "{}: {} twice", case.name, row.name);
                let mut named = row.against.iter().collect::<Vec<_>>();
                if let Work::Load(Load { pace: Pace::ShareOf { row, .. }, .. }) = &row.work {
                    named.push(row);
                }
                for name in named {
                    assert!(before.iter().any(|other| other.name == *name), "{}: {name}", case.name);
                }
            }
        }
    }
}
