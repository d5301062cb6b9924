//! Rounds: a case's rows are measured in turn, again and again.

use std::{ffi::OsStr, fs::File, io::Write as _, path::Path, time::Duration};

use anyhow::Context;

use super::{
    ask::{Ask, Pick},
    case::{Case, Extent, Load, Pace, Row, Work},
    load::{self, Plan, Tally},
    measured::{Measured, Round, find},
    script::Script,
    server,
    stand::Stand,
    stock::Tagging,
    stopwatch::Stopwatch,
    terms::Terms,
    textbook,
    usage::{self, Usage},
    visitors::CALLS_A_CLAIM,
};
use crate::cli::Surroundings;

/// Sets a case up, measures it, and looks whether its answers were true.
pub(super) async fn measure(case: &Case, terms: Terms<'_>, around: &Surroundings<'_>) -> anyhow::Result<Vec<Measured>> {
    let terms = case.once.map_or(terms, |time| Terms { rounds: 1, time, ..terms });
    let mut stands = Vec::with_capacity(case.stocks.len());
    for stock in &case.stocks {
        stands.push(Stand::set_up(*stock, terms, around).await?);
    }
    let shares = shares(case, &stands, terms.rounds);
    let mut measured: Vec<Measured> = case.rows.iter().map(|row| empty(case, row)).collect();
    for round in 0..terms.rounds {
        for (number, row) in case.rows.iter().enumerate() {
            let stand = &mut stands[row.stock];
            match &row.work {
                Work::Weigh { handed_out } if round == 0 => {
                    measured[number].bytes_each = Some(weigh(stand, *handed_out, around).await?);
                }
                Work::Weigh { .. } => {}
                work => {
                    let rate = work.rate(case.name, &measured);
                    let at = At { terms, share: shares[row.stock], rate };
                    let done = at.once(stand, work).await;
                    let done = done.with_context(|| format!("case {}, {}", case.name, row.name))?;
                    measured[number].rounds.push(done);
                }
            }
        }
    }
    for stand in stands {
        stand.tear_down(around).await.with_context(|| format!("case {}", case.name))?;
    }
    Ok(measured)
}

fn empty(case: &Case, row: &Row) -> Measured {
    let load = if let Work::Load(load) = &row.work { Some(load) } else { None };
    Measured {
        case: case.name,
        row: row.name.clone(),
        against: row.against.clone(),
        kinds: load.map_or(&[], |load| load.ask.kinds()),
        connections: load.map(|load| load.connections),
        rounds: Vec::new(),
        bytes_each: None,
    }
}

/// How many calls each row may make in a round, by stocks, so that none runs dry.
fn shares(case: &Case, stands: &[Stand], rounds: usize) -> Vec<u64> {
    let takers = |stock| case.rows.iter().filter(|row| row.stock == stock && row.takes()).count();
    stands
        .iter()
        .enumerate()
        .map(|(stock, stand)| {
            let passports = stand.available() / (takers(stock).max(1) * rounds) as u64;
            match stand.claims.len() as u64 {
                0 => passports,
                claims => passports.min(claims / (takers(stock).max(1) * rounds) as u64 * CALLS_A_CLAIM),
            }
        })
        .collect()
}

impl Work {
    /// The rate that it is to have, from what was measured in this round.
    fn rate(&self, case: &str, measured: &[Measured]) -> Option<f64> {
        let Self::Load(Load { pace: Pace::ShareOf { row, share }, .. }) = self else { return None };
        let other = find(measured, case, row).and_then(|row| row.rounds.last());
        Some(other.expect("a row that another's rate is a share of stands before it").rate() * share)
    }
}

/// One round of one row.
struct At<'a> {
    terms: Terms<'a>,
    share: u64,
    rate: Option<f64>,
}

impl At<'_> {
    async fn once(&self, stand: &mut Stand, work: &Work) -> anyhow::Result<Round> {
        match work {
            Work::Load(load) => self.load(stand, load).await,
            Work::Import { passports } => import(stand, *passports).await,
            Work::Export => export(stand).await,
            Work::Start => start(stand).await,
            Work::Textbook { connections, passports } => self.textbook(stand, *connections, *passports).await,
            Work::Weigh { .. } => unreachable!("it is weighed once, not in rounds"),
        }
    }

    async fn load(&self, stand: &mut Stand, load: &Load) -> anyhow::Result<Round> {
        let mut round = Round { asked: self.rate, ..Round::default() };
        let mut all = Tally::default();
        loop {
            let (time, calls) = match load.extent {
                Extent::Time => (self.terms.time, self.share_of(load.ask)),
                Extent::Slices(calls) | Extent::Calls(calls) | Extent::CallsOfFull(calls) => (Duration::MAX, calls),
            };
            if let Extent::Slices(_) | Extent::CallsOfFull(_) = load.extent {
                stand.refill(load.ask.tags()).await?;
            }
            let (before, own, stolen) = (stand.usage()?, Usage::own(), usage::stolen());
            let tally = self.carry(stand, load, time, calls).await?;
            let (after, own_after) = (stand.usage()?, Usage::own());
            round.cpu += after.cpu.saturating_sub(before.cpu);
            round.client_cpu += own_after.cpu.saturating_sub(own.cpu);
            round.stolen += usage::stolen_since(stolen);
            round.memory = after.memory;
            stand.note_taken(tally.taken);
            all.follow(&tally);
            if !matches!(load.extent, Extent::Slices(_)) || all.time >= self.terms.time {
                break;
            }
        }
        round.done = all.calls() * load.ask.passports();
        if let Extent::Time = load.extent {
            round.seconds = all.seconds;
        }
        (round.time, round.waits) = (all.time, all.waits);
        Ok(round)
    }

    /// What it takes is of a table of its own.
    async fn textbook(&self, stand: &Stand, connections: usize, passports: u64) -> anyhow::Result<Round> {
        textbook::fill(stand.schema()?, passports).await?;
        let stolen = usage::stolen();
        let tally = textbook::carry(stand.schema()?, connections, self.terms.time, passports).await?;
        let (done, stolen) = (tally.calls(), usage::stolen_since(stolen));
        Ok(Round { done, time: tally.time, stolen, waits: tally.waits, seconds: tally.seconds, ..Round::default() })
    }

    fn share_of(&self, ask: Ask) -> u64 {
        match ask.takes() {
            0 => u64::MAX,
            passports => self.share / passports,
        }
    }

    async fn carry(&self, stand: &Stand, load: &Load, time: Duration, calls: u64) -> anyhow::Result<Tally> {
        let scripts = load.ask.scripts(load.connections, stand);
        let servers = stand.addresses(load.servers)?;
        carry(Plan { servers, threads: self.terms.threads, rate: self.rate, time, calls }, scripts).await
    }
}

async fn carry(plan: Plan, scripts: Vec<Box<dyn Script>>) -> anyhow::Result<Tally> {
    Ok(tokio::task::spawn_blocking(move || load::carry(&plan, scripts)).await??)
}

impl Ask {
    /// The tags of what it may have taken.
    fn tags(self) -> &'static str {
        match self {
            Self::One(pick) | Self::NoneLeft(pick) => pick.tags(),
            _ => Pick::Tag.tags(),
        }
    }
}

/// Runs the program's own import into a database that is not there yet.
async fn import(stand: &Stand, passports: u64) -> anyhow::Result<Round> {
    let folder = tempfile::tempdir_in(stand.folder())?;
    let (rows, database) = (stand.folder().join("rows.csv"), "sqlite:import.db");
    if !rows.exists() {
        write_rows(&rows, passports)?;
    }
    let arguments = [OsStr::new("import"), rows.as_os_str(), OsStr::new("--database"), OsStr::new(database)];
    command(&arguments, folder.path(), passports).await
}

async fn export(stand: &Stand) -> anyhow::Result<Round> {
    let folder = tempfile::tempdir_in(stand.folder())?;
    let database = stand.url();
    let arguments = [OsStr::new("export"), OsStr::new("rows.csv"), OsStr::new("--database"), &database];
    command(&arguments, folder.path(), stand.stock.passports).await
}

async fn command(arguments: &[&OsStr], folder: &Path, passports: u64) -> anyhow::Result<Round> {
    let (watch, stolen) = (Stopwatch::start(), usage::stolen());
    let used = server::run(arguments, folder).await?;
    let (time, stolen) = (watch.elapsed(), usage::stolen_since(stolen));
    Ok(Round { done: passports, time, cpu: used.cpu, stolen, memory: used.memory, ..Round::default() })
}

/// Ids and three tags each.
fn write_rows(path: &Path, passports: u64) -> anyhow::Result<()> {
    let mut file = std::io::BufWriter::new(File::create(path)?);
    writeln!(file, "id,tags")?;
    for number in 1..=passports {
        writeln!(file, "{number},\"{}\"", Tagging::Three.tags(number, passports))?;
    }
    Ok(file.into_inner()?.sync_all()?)
}

/// Ends the server and starts it again, until it has handed something out.
async fn start(stand: &mut Stand) -> anyhow::Result<Round> {
    stand.stop().await?;
    let (watch, stolen) = (Stopwatch::start(), usage::stolen());
    stand.start().await?;
    let plan = Plan { servers: stand.addresses(1)?, threads: 1, rate: None, time: Duration::MAX, calls: 1 };
    let tally = carry(plan, Ask::One(Pick::Tag).scripts(1, stand)).await?;
    let (time, stolen) = (watch.elapsed(), usage::stolen_since(stolen));
    stand.note_taken(tally.taken);
    let used = stand.usage()?;
    let mut round = Round { time, cpu: used.cpu, stolen, memory: used.memory, ..Round::default() };
    round.waits.push(std::iter::once(time).collect());
    Ok(round)
}

/// Bytes a passport: of all, or with what those added that were handed out just now.
async fn weigh(stand: &mut Stand, handed_out: u64, around: &Surroundings<'_>) -> anyhow::Result<f64> {
    let passports = stand.stock.passports as f64;
    let before = stand.size(around).await? as f64;
    if handed_out == 0 {
        return Ok(before / passports);
    }
    stand.hand_out(handed_out, around).await?;
    let after = stand.size(around).await? as f64;
    Ok(before / passports + (after - before) / handed_out as f64)
}
