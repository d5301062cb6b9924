//! Output: data goes to stdout, what a person reads to stderr.

use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    process::ExitCode,
};

use serde::Serialize;

/// Where a command writes.
pub struct Output {
    data: BufWriter<Stdout>,
}

impl Output {
    pub fn standard() -> Self {
        Self { data: BufWriter::new(io::stdout()) }
    }

    /// Writes one line of data.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.data, "{text}")
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
        _ = writeln!(io::stderr(), "{text}");
    }

    pub fn warning(&self, text: impl Display) {
        self.message(format_args!("warning: {text}"));
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
        self.message(format_args!("error: {error:#}"));
        ExitCode::FAILURE
    }
}

/// True if a person watches stderr, so that colour and progress are welcome.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
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
