//! Logs: what a server says about itself while it runs, on stderr.

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::output::{self, MESSAGES, Output};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object a line, for a program. What a person would be told is among them.
    Json,
}

/// The flags of every command that logs.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LogFlags {
    /// What is logged, as in `warn` or `passpool=debug,warn`
    #[arg(long, value_name = "FILTER", default_value = "info,refinery_core=warn", value_parser = parse_filter)]
    log: String,
    /// How log lines are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

impl LogFlags {
    /// Begins to log. Call it once in a process.
    pub(crate) fn start(&self, output: &mut Output) -> anyhow::Result<()> {
        let lines = |filter| {
            let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(output::is_watched());
            lines.with_env_filter(filter)
        };
        let filter = EnvFilter::try_new(&self.log)?;
        let started = match self.log_format {
            LogFormat::Text => lines(filter).try_init(),
            LogFormat::Json => {
                // The address is told, whatever else is not.
                let filter = filter.add_directive(format!("{MESSAGES}=info").parse()?);
                lines(filter).json().flatten_event(true).try_init().map(|()| output.log_messages())
            }
        };
        started.map_err(|error| anyhow::anyhow!("cannot begin to log: {error}"))
    }
}

fn parse_filter(text: &str) -> Result<String, ParseError> {
    EnvFilter::builder().parse(text).map(|_| text.to_owned())
}
