//! Output: data goes to stdout, what a person reads to stderr.

use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// Under which name messages stand in a log.
pub(crate) const MESSAGES: &str = "passpool::message";

/// How often a sign of life moves.
const TICK: Duration = Duration::from_millis(100);

/// Where a command writes.
pub struct Output {
    data: BufWriter<Stdout>,
    /// True if messages are lines of the log.
    logs: bool,
}

impl Output {
    pub fn standard() -> Self {
        Self { data: BufWriter::new(io::stdout()), logs: false }
    }

    /// From here on every message is a line of the log: a program reads them, and should meet no other kind of line.
    pub(crate) fn log_messages(&mut self) {
        self.logs = true;
    }

    /// Writes one line of data.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.data, "{text}")
    }

    /// Writes data that has lines of its own.
    pub fn text(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.data.write_all(bytes)
    }

    /// Writes one line of compact JSON.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.data, value)?;
        self.data.write_all(b"\n")
    }

    /// Sends off what was written so far: for whoever waits for it while the command goes on.
    pub fn flush(&mut self) -> io::Result<()> {
        self.data.flush()
    }

    /// Tells a person something. That nobody can be told is no reason to stop.
    pub fn message(&self, text: impl Display) {
        if self.logs {
            tracing::info!(target: MESSAGES, "{text}");
        } else {
            _ = writeln!(io::stderr(), "{text}");
        }
    }

    pub fn warning(&self, text: impl Display) {
        if self.logs {
            tracing::warn!(target: MESSAGES, "{text}");
        } else {
            self.message(format_args!("warning: {text}"));
        }
    }

    fn error(&self, text: impl Display) {
        if self.logs {
            tracing::error!(target: MESSAGES, "{text}");
        } else {
            self.message(format_args!("error: {text}"));
        }
    }

    /// Ends the program's output, says what went wrong if something did, and gives the exit code: 0 for success, 1 for
    /// a refusal or a failure, 2 for a wrong call.
    pub fn finish(mut self, outcome: anyhow::Result<ExitCode>) -> ExitCode {
        let outcome = outcome.and_then(|code| self.data.flush().map(|()| code).map_err(Into::into));
        let error = match outcome {
            Ok(code) => return code,
            Err(error) => error,
        };
        if is_broken_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        // What was found out before the failure is still true.
        _ = self.data.flush();
        if let Some(usage) = error.downcast_ref::<clap::Error>() {
            _ = usage.print();
            return if usage.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
        self.error(format_args!("{error:#}"));
        ExitCode::FAILURE
    }
}

/// True if a person watches stderr, so that colour and progress are welcome.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Works on something, and shows a person who watches that it does: for work of which nobody knows how far it is, as a
/// transaction.
pub async fn waiting<T>(what: impl Display, work: impl Future<Output = T>) -> T {
    if !is_watched() {
        return work.await;
    }
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}").expect("the template is well formed");
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(what.to_string());
    spinner.enable_steady_tick(TICK);
    let done = work.await;
    spinner.finish_and_clear();
    done
}

/// A bar for work of so many steps, which a person who watches sees.
pub fn progress(steps: u64) -> ProgressBar {
    if is_watched() { ProgressBar::new(steps) } else { ProgressBar::hidden() }
}

/// Whoever read the output has seen enough, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_pipe_is_a_reader_who_left() {
        let check = |kind: io::ErrorKind, expected: bool| {
            let error = anyhow::Error::from(io::Error::from(kind)).context("while writing");
            assert_eq!(is_broken_pipe(&error), expected, "{kind}");
        };
        check(io::ErrorKind::BrokenPipe, true);
        check(io::ErrorKind::StorageFull, false);
    }
}
