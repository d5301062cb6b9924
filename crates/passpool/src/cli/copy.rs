//! `copy`: a shop moves into another database.

use std::{future, path::Path, process::ExitCode, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use passpool_store::{Copied, Copy, CopyError, CopyId, DatabaseUrl, OpenError, Stage, Watch, copy};
use tokio::sync::Notify;

use super::{Passports, Surroundings, misused};
use crate::{
    clock::random,
    database::{DatabaseError, Place},
    output::is_watched,
};

/// Move the shop into another database, with everything that it has, and close the one that it leaves
///
/// Nobody may serve the shop meanwhile. The new database is made if it is not there, and has to hold nothing. Both have the
/// same secret. The old one serves and changes nothing any more; `passpool reopen` opens it again.
#[derive(Debug, clap::Args)]
pub(super) struct CopyCommand {
    /// The database that the shop leaves: sqlite:PATH or postgres://USER@HOST/NAME
    #[arg(long, value_name = "URL")]
    from: String,
    /// The database into which it moves
    #[arg(long, value_name = "URL")]
    to: String,
    /// Print what was copied as JSON
    #[arg(long)]
    json: bool,
}

impl CopyCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        // Not arguments that clap reads, for its errors repeat what they refuse, and these may hold a password.
        let read =
            |flag: &str, url: &str| url.parse::<DatabaseUrl>().map_err(|error| misused(format!("--{flag}: {error}")));
        let (from, to) = (read("from", &self.from)?, read("to", &self.to)?);
        let given = around.secret_file.clone();
        let (source, target) = (Place::new(from.clone(), given.clone()), Place::new(to.clone(), given));
        let secret = {
            let (source, target) = (source.clone(), target.clone());
            let reading = async move { source.secret_for_copy(&target).await };
            around.wait_until_begun(&from, future::pending(), reading).await?
        };
        let wish = Copy {
            from: from.clone(),
            to: to.clone(),
            secret: secret.fingerprint(),
            id: CopyId::new(random(&*around.entropy)),
            now: around.now(),
        };
        let progress = Arc::new(Progress::new());
        let copying = {
            let progress = progress.clone();
            async move { copy(&wish, &*progress).await }
        };
        let both = format_args!("{from} or {to}");
        let copied = around.wait_until_begun(both, progress.begun.notified(), copying).await;
        progress.bar.finish_and_clear();
        let copied = copied.map_err(|error| match error {
            CopyError::Open(OpenError::OtherSecret { path, .. }) => {
                let secret = source.secret_path().to_owned();
                anyhow::Error::from(DatabaseError::OtherSecret { secret, database: path })
            }
            error => error.into(),
        });
        let summary = match copied? {
            Copied::Whole { passports, journal_rows } => {
                around.output.message(format_args!(
                    "Copied {} and {journal_rows} journal rows from {from} to {to}; both were compared, and all holds there.",
                    Passports(passports)
                ));
                serde_json::json!({ "passports": passports, "journal_rows": journal_rows })
            }
            Copied::Finished => {
                around.output.message(format_args!("An earlier copy from {from} to {to} is finished."));
                serde_json::json!({ "finished": true })
            }
        };
        around.output.message(format_args!(
            "{from} is closed: nothing is served or changed there, unless somebody calls `passpool reopen --database {from}`."
        ));
        tell_where_the_secret_is(source.secret_path(), target.secret_path(), around);
        if self.json {
            around.output.json(&summary)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A copy takes no secret along: that is for whoever keeps it.
fn tell_where_the_secret_is(is_in: &Path, wanted_in: &Path, around: &Surroundings<'_>) {
    if !wanted_in.exists() {
        around.output.message(format_args!(
            "Whoever serves there needs the same secret: name it with --secret-file {}, or copy that file to {}.",
            is_in.display(),
            wanted_in.display()
        ));
    }
}

/// What a person who watches sees.
struct Progress {
    bar: ProgressBar,
    begun: Notify,
}

impl Progress {
    fn new() -> Self {
        let bar = if is_watched() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        Self { bar, begun: Notify::new() }
    }
}

impl Watch for Progress {
    fn begin(&self, stage: Stage, rows: Option<u64>) {
        self.begun.notify_one();
        let (what, template) = match (stage, rows) {
            (Stage::Counting, _) => ("counting", SPINNER),
            (Stage::Copying, _) => ("copying", BAR),
            (Stage::Comparing, _) => ("comparing", BAR),
            (Stage::Indexing, _) => ("building what follows", SPINNER),
            (Stage::Checking, _) => ("checking", SPINNER),
        };
        self.bar.reset();
        self.bar.set_length(rows.unwrap_or(0));
        self.bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
        self.bar.set_message(what);
        self.bar.enable_steady_tick(TICK);
    }

    fn done(&self, rows: u64) {
        self.bar.inc(rows);
    }
}

/// How often a sign of life moves.
const TICK: Duration = Duration::from_millis(100);
const BAR: &str = "{msg} {wide_bar} {human_pos} of {human_len} rows, {eta} left";
const SPINNER: &str = "{spinner} {msg}, {elapsed}";
