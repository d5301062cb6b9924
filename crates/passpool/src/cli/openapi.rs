//! `openapi`: the OpenAPI document, for whoever makes a client of it.

use std::process::ExitCode;

use super::Surroundings;
use crate::http::openapi;

/// Print the OpenAPI 3.1 document of /v1
#[derive(Debug, clap::Args)]
pub(super) struct OpenapiCommand {
    /// The document of the paths that are compatible with an NMP dispenser instead
    #[arg(long)]
    nmp: bool,
}

impl OpenapiCommand {
    pub(super) fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        around.output.line(if self.nmp { openapi::compatible() } else { openapi::ours() })?;
        Ok(ExitCode::SUCCESS)
    }
}
