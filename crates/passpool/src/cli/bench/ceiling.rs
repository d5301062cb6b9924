//! `bench-ceiling`: `serve` with one path more. `bench` starts it, nobody else has to.

use std::process::ExitCode;

use crate::{
    cli::{Surroundings, serve::ServeCommand},
    http,
};

/// Serve, and answer /bench/ceiling from memory
#[derive(Debug, clap::Args)]
pub(crate) struct CeilingCommand {
    #[command(flatten)]
    serve: ServeCommand,
}

impl CeilingCommand {
    pub(crate) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        self.serve.run_with(around, http::router_with_ceiling).await
    }
}
