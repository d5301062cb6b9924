//! `import`: passports that come from elsewhere.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use passpool_core::{Actor, Refusal, Tag};
use passpool_store::{ImportTerms, Intent};

use super::{Passports, Surroundings, misused};
use crate::{
    exchange::{self, BadLine, FileFormat, Row, Rows},
    filling::{Codes, FillError, Filling, judge_first},
    output::is_watched,
};

/// Take passports in from a file: all of them, or none if a line is bad
///
/// The columns are id, passphrase, tags and content, each of them optional and in any order. A CSV file begins with
/// their names; tags are one cell, with commas between them. NDJSON has an object a line:
/// {"id":1,"passphrase":"..","tags":["vip"],"content":{}}.
#[derive(Debug, clap::Args)]
pub(super) struct ImportCommand {
    /// The file, or - for the standard input
    file: PathBuf,
    /// How the file is written [default: what the end of its name tells]
    #[arg(long, value_name = "FORMAT")]
    format: Option<FileFormat>,
    /// Pass over ids that are known already
    #[arg(long)]
    skip_known: bool,
    /// The passphrases are printed on something: nobody else gets these passports, and whoever opens one has it
    #[arg(long)]
    printed: bool,
    /// A tag that each passport gets besides its own; may be given more than once
    #[arg(long, value_name = "TAG", visible_alias = "tags", value_parser = Tag::parse)]
    tag: Vec<Tag>,
    /// Print the number imported as JSON
    #[arg(long)]
    json: bool,
}

impl ImportCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let format = self.format.or_else(|| FileFormat::of(&self.file)).ok_or_else(|| {
            misused(format!("{}: its name does not tell its format; give --format", self.file.display()))
        })?;
        let name = if self.is_stdin() { "the standard input".to_owned() } else { self.file.display().to_string() };
        let progress = if is_watched() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let source = self.open(&progress).with_context(|| name.clone())?;
        let nothing = || format!("nothing was imported from {name}");
        let mut rows = self.rows(format, source).with_context(nothing)?;
        if around.place.is_empty().await? {
            // A file that cannot be imported leaves no database behind.
            rows = Box::new(judge_first(rows).with_context(nothing)?);
        }
        let (store, secret) = around.open_with_secret(Intent::Write).await?;
        let codes = if self.printed { Codes::Printed(secret) } else { Codes::Imported(secret) };
        let terms =
            ImportTerms { by: Actor::CommandLine, now: around.now(), imported: true, skip_known: self.skip_known };
        let made = Filling { store, codes, terms, entropy: around.entropy.clone() }.fill(rows).await;
        progress.finish_and_clear();
        let made = made.map_err(|error| self.with_first_line(error, format)).with_context(nothing)?;
        around.output.message(format_args!("Imported {}.", Passports(made)));
        if self.json {
            around.output.json(&serde_json::json!({ "imported": made }))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn is_stdin(&self) -> bool {
        self.file == Path::new("-")
    }

    fn rows(&self, format: FileFormat, source: impl Read + Send + 'static) -> Result<Rows, BadLine> {
        let rows = exchange::read(format, source, self.tag.clone())?;
        Ok(if self.printed { Box::new(rows.map(|row| row.and_then(with_code))) } else { rows })
    }

    /// Names the first of two lines with one id too. Rows are not remembered once they are written, so the file is read
    /// again as far as that line.
    fn with_first_line(&self, error: FillError, format: FileFormat) -> FillError {
        let FillError::Refused { mut lines, refusal: Refusal::IdDoubled(id) } = error else { return error };
        if let ([_], false) = (lines.as_slice(), self.is_stdin())
            && let Ok(source) = File::open(&self.file)
            && let Ok(mut rows) = self.rows(format, source)
            && let Some(Ok(first)) = rows.find(|row| row.as_ref().map_or(true, |row| row.id == Some(id)))
            && first.line != lines[0]
        {
            lines.insert(0, first.line);
        }
        FillError::Refused { lines, refusal: Refusal::IdDoubled(id) }
    }

    fn open(&self, progress: &ProgressBar) -> io::Result<Box<dyn Read + Send>> {
        if self.is_stdin() {
            return Ok(Box::new(progress.wrap_read(io::stdin())));
        }
        let source = File::open(&self.file)?;
        let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left");
        progress.set_length(source.metadata()?.len());
        progress.set_style(style.expect("the template is well formed"));
        Ok(Box::new(progress.wrap_read(source)))
    }
}

fn with_code(row: Row) -> Result<Row, BadLine> {
    match row.passphrase {
        Some(_) => Ok(row),
        None => Err(BadLine::new(row.line, "it has no passphrase, and --printed says that each is printed")),
    }
}
