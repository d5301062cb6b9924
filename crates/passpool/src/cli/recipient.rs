//! `recipient`: for whom passports are, until they are erased.

use std::process::ExitCode;

use passpool_core::{Personal, RecipientId, Reference};
use passpool_store::{Intent, RecipientInfo, RecipientPage};

use super::{
    Surroundings,
    list::{ListFlags, or_dash},
    moment::rfc_3339,
};
use crate::http::v1::shapes::ListedRecipient;

/// List recipients, and erase one of them
#[derive(Debug, clap::Subcommand)]
pub(super) enum RecipientCommand {
    /// List recipients in the order of their making
    List {
        /// Only those with this reference
        #[arg(long, value_name = "REFERENCE", value_parser = Reference::parse)]
        reference: Option<Reference>,
        #[command(flatten)]
        flags: ListFlags,
    },
    /// Forget one recipient; the passport and its history stay. For everybody with a reference there is `erase`
    Erase {
        #[arg(value_name = "RECIPIENT", value_parser = RecipientId::parse)]
        id: RecipientId,
    },
}

impl RecipientCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { reference, flags } => list(reference, &flags, around).await?,
            Self::Erase { id } => {
                let store = around.open(Intent::Write).await?;
                store.erase_recipient(id).await?;
                around.output.message(format_args!("Erased {id}."));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(reference: Option<Reference>, flags: &ListFlags, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let store = around.open(Intent::Read).await?;
    let (mut room, mut after) = (flags.room(), None);
    while let Some(limit) = room.page() {
        let found = store.recipients(RecipientPage { reference: reference.clone(), after, limit }).await?;
        for info in &found {
            match flags.json {
                true => around.output.json(&ListedRecipient::of(info))?,
                false => around.output.line(line(info)?)?,
            }
        }
        if found.len() < limit {
            break;
        }
        room.take(found.len());
        after = found.last().map(|info| info.recipient.id);
    }
    Ok(())
}

fn line(info: &RecipientInfo) -> anyhow::Result<String> {
    let RecipientInfo { recipient: kept, passport, left_at, .. } = info;
    let (id, recipient) = (kept.id, &kept.recipient);
    let left_at = left_at.map(rfc_3339).transpose()?;
    let known = [
        recipient.reference().map(Reference::as_str),
        recipient.name().map(Personal::reveal),
        recipient.email().map(Personal::reveal),
    ];
    let known = known.into_iter().flatten().collect::<Vec<_>>().join(", ");
    Ok(format!("{id}  {passport:<16}  {:<27}  {known}", or_dash(left_at.as_deref())))
}
