//! `passport edit`: other tags, or another content.

use std::path::PathBuf;

use anyhow::Context as _;
use passpool_core::{Actor, PassportId, Tag, Tags};
use passpool_store::{EditPassport, Intent, Version};
use serde::Serialize;

use crate::cli::{Surroundings, create::read_content, misused};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct EditCommand {
    #[arg(value_name = "ID", value_parser = PassportId::parse)]
    id: PassportId,
    /// A tag that it has from now on, in the place of those that it had; may be given more than once
    #[arg(long, value_name = "TAG", visible_alias = "tags", value_parser = Tag::parse)]
    tag: Vec<Tag>,
    /// It has no tag from now on
    #[arg(long, conflicts_with = "tag")]
    no_tags: bool,
    /// A file with one JSON object, its content from now on
    #[arg(long, value_name = "FILE")]
    content: Option<PathBuf>,
    /// Only if it has this version still, as `passport show` tells it
    #[arg(long, value_name = "VERSION")]
    if_version: Option<Version>,
    /// Print its id and its version as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Edited {
    passport_id: u64,
    version: String,
}

impl EditCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        let (tags, json, passport) = (self.tags()?, self.json, self.id);
        if tags.is_none() && self.content.is_none() {
            return Err(misused("name what it is to have, by --tag, --no-tags or --content").into());
        }
        let content = self.content.as_ref();
        let content = content.map(|file| read_content(file).with_context(|| file.display().to_string())).transpose()?;
        let store = around.open(Intent::Write).await?;
        let (by, now) = (Actor::CommandLine, around.now());
        let wish = EditPassport { passport, if_one_of: self.if_version.map(|seen| vec![seen]), tags, content, by, now };
        let version = store.edit_passport(wish).await?.to_string();
        if json {
            return Ok(around.output.json(&Edited { passport_id: passport.get(), version })?);
        }
        Ok(around.output.line(format_args!("passport {passport} has the version {version}"))?)
    }

    fn tags(&self) -> Result<Option<Tags>, clap::Error> {
        match self.tag.as_slice() {
            [] if !self.no_tags => Ok(None),
            tags => Tags::new(tags.iter().cloned()).map(Some).map_err(|error| misused(format!("--tag: {error}"))),
        }
    }
}
