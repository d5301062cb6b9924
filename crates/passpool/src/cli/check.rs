//! `check`: a proof that the database agrees with itself.

use std::process::ExitCode;

use passpool_store::{CheckReport, Finding, Intent};
use serde::Serialize;

use super::{Passports, Surroundings};

/// Prove that the database agrees with itself; the exit code is 1 if anything is wrong
#[derive(Debug, clap::Args)]
pub(super) struct CheckCommand {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct ReportJson<'a> {
    passports: u64,
    journal_rows: u64,
    findings: Vec<FindingJson<'a>>,
    more: u64,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    place: &'a str,
    wrong: &'a str,
}

impl CheckCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let store = around.open(Intent::Read).await?;
        let report = store.check().await?;
        if self.json {
            around.output.json(&ReportJson::from(&report))?;
        } else {
            for finding in &report.findings {
                around.output.line(finding)?;
            }
        }
        let CheckReport { passports, journal_rows, .. } = report;
        let verdict = match report.findings.len() as u64 + report.more {
            0 => "all holds".to_owned(),
            1 => "1 thing is wrong".to_owned(),
            wrong => format!("{wrong} things are wrong, of which {} are listed", report.findings.len()),
        };
        // What is wrong comes before the summary, also where both go to one terminal.
        around.output.flush()?;
        around.output.message(format_args!("{} and {journal_rows} journal rows: {verdict}", Passports(passports)));
        Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl<'a> From<&'a CheckReport> for ReportJson<'a> {
    fn from(report: &'a CheckReport) -> Self {
        let CheckReport { passports, journal_rows, findings, more } = report;
        let findings = findings.iter().map(|Finding { place, wrong }| FindingJson { place, wrong }).collect();
        Self { passports: *passports, journal_rows: *journal_rows, findings, more: *more }
    }
}
