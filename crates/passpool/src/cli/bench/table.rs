//! The table: what was measured, for a person.

use std::time::Duration;

use super::{
    cases::LeftOut,
    measured::{Cores, Measured},
    promise::{Judged, ratio},
    waits::Waits,
};

const HEADS: [&str; 12] =
    ["", "a second", "p50 ms", "p99 ms", "p99.9 ms", "longest", "cores", "us each", "client", "stolen", "MB", "ratio"];

/// The lines of a case: its name and what it is about, then a line a row, in columns.
pub(super) fn case(about: &str, rows: &[Measured], all: &[Measured]) -> Vec<String> {
    let mut cells: Vec<Vec<String>> = vec![HEADS.map(str::to_owned).to_vec()];
    for row in rows {
        cells.push(cells_of(row, all));
        if let Some((first, last)) = row.first_and_last() {
            cells.push(vec!["  first sixth of its time".into(), grouped(first)]);
            cells.push(vec!["  last sixth of its time".into(), grouped(last)]);
        }
        for (kind, name) in row.kinds.iter().enumerate() {
            let waits = row.waits_of(kind);
            if waits.count() > 0 {
                cells.push([vec![format!("  of it {name}"), String::new()], waited(&waits)].concat());
            }
        }
    }
    let heading = format!("\n{}: {about}", rows.first().map_or("", |row| row.case));
    std::iter::once(heading).chain(in_columns(&cells)).collect()
}

/// What was promised, and whether it holds here.
pub(super) fn promises(judged: &[Judged]) -> Vec<String> {
    if judged.is_empty() {
        return Vec::new();
    }
    let mut cells = vec![["wanted", "", "found", ""].map(str::to_owned).to_vec()];
    cells.extend(judged.iter().map(|judged| {
        let found = match judged.found {
            small if small < 10.0 => format!("{small:.2}"),
            large => grouped(large),
        };
        let verdict = if judged.kept { "" } else { "missed" };
        vec![judged.what.clone(), judged.wanted.clone(), found, verdict.to_owned()]
    }));
    std::iter::once(String::new()).chain(in_columns(&cells)).collect()
}

pub(super) fn left_out(left_out: &[LeftOut]) -> Vec<String> {
    left_out.iter().map(|left| format!("\n{}: left out: {}", left.case, left.why)).collect()
}

fn cells_of(row: &Measured, all: &[Measured]) -> Vec<String> {
    let none = String::new;
    if let Some(bytes) = row.bytes_each {
        return vec![row.row.clone(), format!("{bytes:.1} bytes a passport")];
    }
    let rate = row.rate().map_or_else(none, grouped);
    let cores = row.cores();
    let share = |of: fn(Cores) -> f64| cores.map_or_else(none, |cores| format!("{:.2}", of(cores)));
    let [server, client, stolen] =
        [share(|cores| cores.server), share(|cores| cores.client), share(|cores| cores.stolen)];
    let each = row.cpu_each().map_or_else(none, |cpu| format!("{:.1}", cpu.as_secs_f64() * 1e6));
    let memory = row.memory().map_or_else(none, |bytes| format!("{:.0}", bytes as f64 / 1e6));
    let compared = match (ratio(row, all), &row.against) {
        (Some(ratio), Some(against)) => format!("{ratio:.2} of {against}"),
        _ => none(),
    };
    [vec![row.row.clone(), rate], waited(&row.waits()), vec![server, each, client, stolen, memory, compared]].concat()
}

fn waited(waits: &Waits) -> Vec<String> {
    let millis = |wait: Option<Duration>| match wait.map(|wait| wait.as_secs_f64() * 1e3) {
        None => String::new(),
        Some(short) if short < 100.0 => format!("{short:.2}"),
        Some(long) => format!("{long:.0}"),
    };
    let [middle, high, higher] = [50.0, 99.0, 99.9].map(|percent| millis(waits.percentile(percent)));
    vec![middle, high, higher, millis(waits.longest())]
}

/// `12,345`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Names on the left, numbers on the right of their columns; the last column is as wide as it likes, and so is a line
/// that has two cells alone.
fn in_columns(cells: &[Vec<String>]) -> impl Iterator<Item = String> {
    let columns = cells.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let full = cells.iter().filter(|line| line.len() > 2 || column == 0);
        full.filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    cells.iter().map(move |line| {
        let last = columns - 1;
        let padded = line.iter().enumerate().map(|(column, cell)| match column {
            0 => format!("{cell:<width$}", width = widths[0]),
            column if column == last => cell.clone(),
            column => format!("{cell:>width$}", width = widths[column]),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::measured::Round;

    #[test]
    fn thousands_are_told_apart() {
        for (number, expected) in [(0.0, "0"), (999.4, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_row_stands_beside_the_one_it_is_compared_with() {
        let measured = |row: &str, done, against: Option<&str>| Measured {
            case: "reserve",
            row: row.into(),
            against: against.map(str::to_owned),
            kinds: &[],
            connections: Some(1),
            rounds: vec![Round {
                done,
                time: Duration::from_secs(2),
                cpu: Duration::from_millis(2_500),
                client_cpu: Duration::from_millis(500),
                stolen: Duration::from_millis(100),
                memory: 40_000_000,
                waits: vec![[1, 2, 3].map(Duration::from_millis).into_iter().collect()],
                asked: None,
                seconds: Vec::new(),
            }],
            bytes_each: None,
        };
        let weighed = Measured { bytes_each: Some(88.84), rounds: Vec::new(), ..measured("size", 0, None) };
        let rows = [measured("memory", 200_000, None), measured("link", 100_000, Some("memory")), weighed];
        insta::assert_snapshot!(case("one tag", &rows, &rows).join("\n").trim(), @"
        reserve: one tag
                a second  p50 ms  p99 ms  p99.9 ms  longest  cores  us each  client  stolen  MB  ratio
        memory   100,000    2.00    3.00      3.00     3.00   1.25     12.5    0.25    0.05  40
        link      50,000    2.00    3.00      3.00     3.00   1.25     25.0    0.25    0.05  40  0.50 of memory
        size    88.8 bytes a passport
        ");
    }
}
