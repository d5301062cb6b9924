//! `export`: passports as a file that can be imported again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use passpool_core::{HandOut, LinkKey, Passphrase, Rule, Secret, Selector, State, StateName, Timestamp, UnsealError};
use passpool_store::{ExportFilter, Exported, Intent, Store};

use super::{Passports, Surroundings, misused};
use crate::exchange::{FileFormat, PassportWriter};

/// Write passports to a file that can be imported again
#[derive(Debug, clap::Args)]
pub(super) struct ExportCommand {
    /// The file, or - for the standard output
    #[arg(default_value = "-")]
    file: PathBuf,
    /// How the file is written [default: what the end of its name tells, csv for the standard output]
    #[arg(long, value_name = "FORMAT")]
    format: Option<FileFormat>,
    /// Only passports with this tag; may be given more than once
    #[arg(long, value_name = "TAG", visible_alias = "tags")]
    tag: Vec<String>,
    /// Whether a passport needs all of the tags (and) or one of them (or)
    #[arg(long, value_name = "RULE", default_value = "and")]
    rule: Rule,
    /// Only passports in this state
    #[arg(long, value_name = "STATE", value_parser = StateName::parse)]
    state: Option<StateName>,
    /// Write the passphrases of passports that are out of the pool, into a new file that its owner alone can read
    #[arg(long)]
    with_passphrases: bool,
}

/// What is written, and what went wrong.
struct Export {
    writer: PassportWriter<Box<dyn Write + Send>>,
    /// There if passphrases are written.
    secret: Option<Secret>,
    now: Timestamp,
    written: u64,
    failure: Option<ExportError>,
}

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Write(#[from] io::Error),
    #[error(transparent)]
    Unseal(#[from] UnsealError),
}

impl ExportCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let is_stdout = self.file == Path::new("-");
        if self.with_passphrases && is_stdout {
            return Err(misused("--with-passphrases needs a FILE: passphrases are not written to a terminal").into());
        }
        let format = self.format.or_else(|| FileFormat::of(&self.file)).or(is_stdout.then_some(FileFormat::Csv));
        let format = format.ok_or_else(|| {
            misused(format!("{}: its name does not tell its format; give --format", self.file.display()))
        })?;
        let selector = match self.tag.as_slice() {
            [] => None,
            tags => Some(Selector::parse(tags.iter().map(String::as_str), self.rule).map_err(misused)?),
        };
        let filter = ExportFilter { selector, state: self.state, now: around.now() };
        let (store, secret) = self.open(around).await?;
        let name = if is_stdout { "the standard output".to_owned() } else { self.file.display().to_string() };
        let sink = self.sink().with_context(|| name.clone())?;
        let exported = export(&*store, filter, format, sink, secret).await;
        if exported.is_err() && self.with_passphrases {
            // Half a file of passphrases is of no use to anybody who may have them.
            _ = fs::remove_file(&self.file);
        }
        let written = exported.with_context(|| name)?;
        around.output.message(format_args!("Exported {}.", Passports(written)));
        Ok(ExitCode::SUCCESS)
    }

    async fn open(&self, around: &mut Surroundings<'_>) -> anyhow::Result<(Arc<dyn Store>, Option<Secret>)> {
        if self.with_passphrases {
            let (store, secret) = around.open_with_secret(Intent::Read).await?;
            return Ok((store, Some(secret)));
        }
        Ok((around.open(Intent::Read).await?, None))
    }

    fn sink(&self) -> io::Result<Box<dyn Write + Send>> {
        if self.with_passphrases {
            // Never a file that is there: others may be able to read it.
            return Ok(Box::new(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.file)?));
        }
        match self.file == Path::new("-") {
            true => Ok(Box::new(io::stdout())),
            false => Ok(Box::new(File::create(&self.file)?)),
        }
    }
}

async fn export(
    store: &dyn Store,
    filter: ExportFilter,
    format: FileFormat,
    sink: Box<dyn Write + Send>,
    secret: Option<Secret>,
) -> anyhow::Result<u64> {
    let writer = PassportWriter::new(format, sink)?;
    let export = Arc::new(Mutex::new(Export { writer, secret, now: filter.now, written: 0, failure: None }));
    let shared = export.clone();
    let each = move |passport| shared.lock().unwrap_or_else(PoisonError::into_inner).write(passport);
    store.export(filter, Box::new(each)).await?;
    let mut export = export.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = export.failure.take() {
        return Err(match failure {
            // As it is, so that a reader who left is recognised.
            ExportError::Write(error) => error.into(),
            ExportError::Unseal(error) => error.into(),
        });
    }
    export.writer.flush()?;
    Ok(export.written)
}

impl Export {
    /// Answers whether to go on.
    fn write(&mut self, passport: Exported) -> bool {
        self.failure = self.try_write(passport).err();
        self.failure.is_none()
    }

    fn try_write(&mut self, Exported { passport, state, tags, content }: Exported) -> Result<(), ExportError> {
        let passphrase: Option<Passphrase> = match (&self.secret, key_of(state.as_of(self.now))) {
            (Some(secret), Some(key)) => Some(secret.passphrase(passport, &key)?),
            _ => None,
        };
        self.writer.write(passport, passphrase.as_ref(), &tags, &content)?;
        self.written += 1;
        Ok(())
    }
}

/// What opens a passport that is out of the pool. One that is in the pool opens for nobody, an imported one included.
fn key_of(state: State) -> Option<LinkKey> {
    match state {
        State::Reserved(HandOut { key, .. })
        | State::Scanned(HandOut { key, .. })
        | State::Pending { hand_out: HandOut { key, .. }, .. }
        | State::Claimed { hand_out: HandOut { key, .. }, .. } => Some(key),
        State::Available(_) | State::Recovered | State::Withdrawn => None,
    }
}
