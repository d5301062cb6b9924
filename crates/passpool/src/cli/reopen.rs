//! `reopen`: a database that its shop has left is used again.

use std::process::ExitCode;

use passpool_store::reopen;

use super::Surroundings;

/// Open a database again that is closed because its shop has moved
///
/// What happened in the other database since is not in this one. Nobody may go on using that one: each passport would be
/// handed out twice.
#[derive(Debug, clap::Args)]
pub(super) struct ReopenCommand {}

impl ReopenCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let database = around.place.database().clone();
        let reopening = {
            let database = database.clone();
            async move { reopen(&database).await }
        };
        match around.wait_for(reopening).await? {
            None => around.output.message(format_args!("{database} is open already.")),
            Some(other) => {
                around.output.message(format_args!("{database} is open again, as it was when its shop moved."));
                around.output.warning(format_args!(
                    "nobody may use {other} any more: whoever does hands out the same passports a second time"
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
