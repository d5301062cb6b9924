//! Promises: what the numbers have to be, and what they are.
//!
//! A promise about a ratio holds on any machine. One about seconds or bytes a second is of the machine that is named
//! in `docs/performance.md`.

use serde::Serialize;

use super::{
    cases::{AFTER, BEFORE, HALF, KEYED, THREE_SERVERS},
    measured::{Measured, find},
};

/// By how much a ratio may be missed before the shape is another one. It is looked for in the processor time that calls
/// take, since that is nearly the same whatever else the machine does, and however slow its disk is.
const FAR_OFF: f64 = 1.0 / 3.0;

/// What is promised of a row.
#[derive(Clone, Copy, Debug)]
struct Promise {
    case: &'static str,
    row: &'static str,
    figure: Figure,
    bound: Bound,
}

#[derive(Clone, Copy, Debug)]
enum Figure {
    /// To the row that it is compared with.
    Ratio,
    /// That ratio as a part of another row's.
    RatioOfRatio(&'static str),
    PerSecond,
    /// Its last sixth to its first.
    Steadiness,
    /// Its rate to what the row that it is compared with still did in its last sixth.
    RatioToLast,
    P50Millis,
    P99Millis,
    LongestMillis,
    MemoryMegabytes,
    BytesEach,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

const fn promise(case: &'static str, row: &'static str, figure: Figure, bound: Bound) -> Promise {
    Promise { case, row, figure, bound }
}

const PROMISES: [Promise; 26] = [
    promise("reserve", "256 connections", Figure::Ratio, AtLeast(0.65)),
    promise("reserve", "32 connections", Figure::Ratio, AtLeast(0.65)),
    promise("reserve", HALF, Figure::P99Millis, AtMost(5.0)),
    promise("reserve", "1024 connections", Figure::RatioOfRatio("256 connections"), AtLeast(0.9)),
    promise("reserve", "128 connections", Figure::RatioOfRatio("32 connections"), AtLeast(0.9)),
    promise("reserve", KEYED, Figure::Ratio, AtLeast(0.5)),
    promise("size", "10 million", Figure::Ratio, AtLeast(0.9)),
    promise("size", "40 thousand", Figure::Ratio, AtLeast(0.9)),
    promise("drained", "90 % drained", Figure::Ratio, AtLeast(0.9)),
    promise("tags", "1,000 tags in turn", Figure::Ratio, AtLeast(0.5)),
    promise("tags", "a tag of its own on each", Figure::Ratio, AtLeast(0.75)),
    promise("overlap", "while it lasts", Figure::LongestMillis, AtMost(20.0)),
    promise("overlap", "used up", Figure::LongestMillis, AtMost(20.0)),
    promise("bulk", "reservations of 100 thousand", Figure::PerSecond, AtLeast(250_000.0)),
    promise("transfer", "import of 1 million", Figure::PerSecond, AtLeast(150_000.0)),
    promise("start", "start with 10 million", Figure::P50Millis, AtMost(500.0)),
    promise("start", "start with 10 million", Figure::MemoryMegabytes, AtMost(100.0)),
    promise("start", BEFORE, Figure::BytesEach, AtMost(130.0)),
    promise("start", AFTER, Figure::BytesEach, AtMost(250.0)),
    promise("postgres", THREE_SERVERS, Figure::Ratio, AtLeast(40.0)),
    promise("postgres", THREE_SERVERS, Figure::RatioToLast, AtLeast(50.0)),
    promise("postgres", THREE_SERVERS, Figure::Steadiness, AtLeast(0.9)),
    promise("postgres-size", BEFORE, Figure::BytesEach, AtMost(450.0)),
    promise("postgres-size", AFTER, Figure::BytesEach, AtMost(900.0)),
    promise("postgres-overlap", "while it lasts", Figure::LongestMillis, AtMost(500.0)),
    promise("postgres-overlap", "used up", Figure::LongestMillis, AtMost(500.0)),
];

/// A promise and what was found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judged {
    pub(super) what: String,
    /// Such as `at least 0.65`.
    pub(super) wanted: String,
    pub(super) found: f64,
    pub(super) kept: bool,
    /// If it is a ratio: what it would be if only the server's processor time counted.
    pub(super) by_processor_time: Option<f64>,
    /// False if that is not even near.
    pub(super) in_shape: bool,
}

/// Judges every promise about a row that was measured.
pub(super) fn judge(rows: &[Measured]) -> Vec<Judged> {
    PROMISES.iter().filter_map(|promise| promise.judge(rows)).collect()
}

impl Promise {
    fn judge(&self, rows: &[Measured]) -> Option<Judged> {
        let row = find(rows, self.case, self.row)?;
        let found = self.figure.of(row, rows)?;
        let by_processor_time = self.figure.by_processor_time(row, rows);
        let (wanted, kept) = match self.bound {
            AtLeast(bound) => (format!("at least {bound}"), found >= bound),
            AtMost(bound) => (format!("at most {bound}"), found <= bound),
        };
        let in_shape = match (by_processor_time, self.bound) {
            (Some(ratio), AtLeast(bound)) => ratio >= bound * FAR_OFF,
            _ => true,
        };
        let what = format!("{}: {}, {}", self.case, self.row, self.figure.name());
        Some(Judged { what, wanted, found, kept, by_processor_time, in_shape })
    }
}

impl Figure {
    fn of(self, row: &Measured, rows: &[Measured]) -> Option<f64> {
        let millis = |wait: std::time::Duration| wait.as_secs_f64() * 1e3;
        match self {
            Self::Ratio => ratio(row, rows),
            Self::RatioOfRatio(other) => {
                let other = ratio(find(rows, row.case, other)?, rows)?;
                Some(ratio(row, rows)? / other)
            }
            Self::PerSecond => row.rate(),
            Self::Steadiness => row.first_and_last().map(|(first, last)| last / first),
            Self::RatioToLast => {
                let (_, last) = find(rows, row.case, row.against.as_deref()?)?.first_and_last()?;
                Some(row.rate()? / last)
            }
            Self::P50Millis => row.percentile(50.0).map(millis),
            Self::P99Millis => row.percentile(99.0).map(millis),
            Self::LongestMillis => row.waits().longest().map(millis),
            Self::MemoryMegabytes => row.memory().map(|bytes| bytes as f64 / 1e6),
            Self::BytesEach => row.bytes_each,
        }
    }

    fn by_processor_time(self, row: &Measured, rows: &[Measured]) -> Option<f64> {
        let ratio = |row: &Measured| {
            // A statement has no server of ours whose time could be looked at.
            let other = find(rows, row.case, row.against.as_deref()?)?.cpu_each().filter(|cpu| !cpu.is_zero())?;
            Some(other.as_secs_f64() / row.cpu_each()?.as_secs_f64())
        };
        match self {
            Self::Ratio => ratio(row),
            Self::RatioOfRatio(other) => Some(ratio(row)? / ratio(find(rows, row.case, other)?)?),
            _ => None,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Ratio => "ratio".into(),
            Self::RatioOfRatio(other) => format!("ratio as a part of that of {other}"),
            Self::PerSecond => "a second".into(),
            Self::Steadiness => "last sixth to first".into(),
            Self::RatioToLast => "ratio to the last sixth of the other".into(),
            Self::P50Millis => "p50 in ms in the middle round".into(),
            Self::P99Millis => "p99 in ms in the middle round".into(),
            Self::LongestMillis => "longest wait in ms".into(),
            Self::MemoryMegabytes => "memory in MB".into(),
            Self::BytesEach => "bytes a passport".into(),
        }
    }
}

/// To the row that it is compared with.
pub(super) fn ratio(row: &Measured, rows: &[Measured]) -> Option<f64> {
    row.ratio(find(rows, row.case, row.against.as_deref()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::cases;

    #[test]
    fn every_promise_is_about_a_row_of_a_case() {
        let cases: Vec<_> = [cases::Scale::FULL, cases::Scale::QUICK].iter().flat_map(cases::all).collect();
        for promise in PROMISES {
            let has = |row: &str| {
                let of_case = cases.iter().filter(|case| case.name == promise.case);
                of_case.flat_map(|case| &case.rows).any(|found| found.name == row)
            };
            assert!(has(promise.row), "{}: {}", promise.case, promise.row);
            if let Figure::RatioOfRatio(other) = promise.figure {
                assert!(has(other), "{}: {other}", promise.case);
            }
        }
    }
}
