//! `create`: passports without a history.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use passpool_core::{Actor, Content, Tag, Tags};
use passpool_store::{ImportTerms, Intent};

use super::{Passports, Surroundings, misused};
use crate::{
    exchange::Row,
    filling::{Codes, Filling},
    output::progress,
};

/// Make passports, with ids that do not tell how many there are
#[derive(Debug, clap::Args)]
pub(super) struct CreateCommand {
    /// How many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// A tag that each of them gets; may be given more than once
    #[arg(long, value_name = "TAG", visible_alias = "tags", value_parser = Tag::parse)]
    tag: Vec<Tag>,
    /// A file with one JSON object, the content of each of them
    #[arg(long, value_name = "FILE")]
    content: Option<PathBuf>,
    /// Print the number made as JSON
    #[arg(long)]
    json: bool,
}

impl CreateCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let tags = Tags::new(self.tag).map_err(misused)?;
        let content = match &self.content {
            None => Content::empty(),
            Some(file) => read_content(file).with_context(|| file.display().to_string())?,
        };
        let store = around.open(Intent::Write).await?;
        let terms = ImportTerms { by: Actor::CommandLine, now: around.now(), imported: false, skip_known: false };
        let filling = Filling { store, codes: Codes::None, terms, entropy: around.entropy.clone() };
        let progress = progress(self.count);
        let row =
            move |line| Ok(Row { line, id: None, passphrase: None, tags: tags.clone(), content: content.clone() });
        let made = filling.fill(progress.wrap_iter((1..=self.count).map(row))).await;
        progress.finish_and_clear();
        let made = made?;
        around.output.message(format_args!("Made {}.", Passports(made)));
        if self.json {
            around.output.json(&serde_json::json!({ "created": made }))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn read_content(file: &Path) -> anyhow::Result<Content> {
    Ok(Content::parse(&fs::read_to_string(file)?)?)
}
