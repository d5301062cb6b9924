//! `erase`: somebody is forgotten, and the history is not.

use std::process::ExitCode;

use passpool_core::Reference;
use passpool_store::Intent;

use super::Surroundings;

/// Forget a recipient; passports and their history stay
#[derive(Debug, clap::Args)]
pub(super) struct EraseCommand {
    /// Everybody with this reference
    #[arg(long, value_name = "REFERENCE", value_parser = Reference::parse)]
    recipient: Reference,
    /// Print the number of those who were forgotten as JSON
    #[arg(long)]
    json: bool,
}

impl EraseCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let store = around.open(Intent::Write).await?;
        let erased = store.erase_recipients_of(self.recipient.clone()).await?;
        if erased == 0 {
            anyhow::bail!("nobody is known as {}", self.recipient);
        }
        around.output.message(format_args!("Erased {erased} of {}.", self.recipient));
        if self.json {
            around.output.json(&serde_json::json!({ "erased": erased }))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
