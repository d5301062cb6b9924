//! The report: what was measured, for a program.

use serde::Serialize;

use super::{
    cases::LeftOut,
    machine::Machine,
    measured::Measured,
    promise::{Judged, ratio},
    waits::Waits,
};

#[derive(Serialize)]
pub(super) struct Report<'a> {
    machine: &'a Machine,
    rows: Vec<Row<'a>>,
    left_out: Vec<Left>,
    promises: &'a [Judged],
}

#[derive(Serialize)]
struct Row<'a> {
    case: &'static str,
    row: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<usize>,
    /// The rate of the middle round, and of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second: Option<f64>,
    rounds_per_second: Vec<f64>,
    /// In the first sixth of its time and in the last, if it took some seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_and_last_per_second: Option<(f64, f64)>,
    /// The rate that was asked for, if one was: waits are then from the moment on when a call was due.
    asked_per_second: Vec<f64>,
    /// Of all rounds together.
    waits: Waits,
    rounds_p99_ms: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<Kind>,
    server_cores: Option<f64>,
    server_cpu_micros_each: Option<f64>,
    client_cores: Option<f64>,
    /// What the machine's host gave to others.
    stolen_cores: Option<f64>,
    server_memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_a_passport: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

#[derive(Serialize)]
struct Kind {
    kind: &'static str,
    waits: Waits,
}

#[derive(Serialize)]
struct Left {
    case: &'static str,
    why: &'static str,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        machine: &'a Machine,
        measured: &'a [Measured],
        left_out: &[LeftOut],
        promises: &'a [Judged],
    ) -> Self {
        let rows = measured.iter().map(|row| Row::of(row, measured)).collect();
        let left_out = left_out.iter().map(|left| Left { case: left.case, why: left.why }).collect();
        Self { machine, rows, left_out, promises }
    }
}

impl<'a> Row<'a> {
    fn of(row: &'a Measured, all: &[Measured]) -> Self {
        let kinds = row.kinds.iter().enumerate().map(|(kind, name)| Kind { kind: name, waits: row.waits_of(kind) });
        let rates = row.rounds.iter().filter(|round| round.done > 0);
        let p99s = row.rounds.iter().filter_map(|round| round.percentile(99.0));
        let cores = row.cores();
        Self {
            case: row.case,
            row: &row.row,
            connections: row.connections,
            per_second: row.rate(),
            rounds_per_second: rates.map(super::measured::Round::rate).collect(),
            first_and_last_per_second: row.first_and_last(),
            asked_per_second: row.rounds.iter().filter_map(|round| round.asked).collect(),
            waits: row.waits(),
            rounds_p99_ms: p99s.map(|wait| wait.as_secs_f64() * 1e3).collect(),
            kinds: kinds.collect(),
            server_cores: cores.map(|cores| cores.server),
            server_cpu_micros_each: row.cpu_each().map(|cpu| cpu.as_secs_f64() * 1e6),
            client_cores: cores.map(|cores| cores.client),
            stolen_cores: cores.map(|cores| cores.stolen),
            server_memory_bytes: row.memory(),
            bytes_a_passport: row.bytes_each,
            against: row.against.as_deref(),
            ratio: ratio(row, all),
        }
    }
}
