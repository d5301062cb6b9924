//! `reserve`: passports for somebody, by the command line.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use passpool_core::{
    Actor, HandOutSeed, HandedOut, IdempotencyKey, Kept, KeptRecipient, NewRecipients, Note, ParameterDigest, Personal,
    RecipientId, Recipients, Reference, Refusal, Repeat, ReservationId, Reserve, Rule, Selector, Shortage, Tag,
    UnsealError, WholeSeconds,
};
use passpool_store::{Intent, StoreError};

use super::{
    Passports, Surroundings,
    links::{LinkFlags, PrintedFormat},
    misused,
    span::parse_span,
};
use crate::{
    clock::random,
    exchange::read_recipients,
    handout::Handout,
    http::v1::shapes::{MadeReservation, Reserved},
    output::{progress, waiting},
};

/// Take passports out of the pool and print a link for each
#[derive(Debug, clap::Args)]
pub(super) struct ReserveCommand {
    /// The tags that pick the passports, with commas between them
    #[arg(long, value_name = "TAGS", required = true, visible_alias = "tag")]
    tags: Vec<String>,
    /// Whether a passport needs all of the tags (and) or one of them (or)
    #[arg(long, value_name = "RULE", default_value = "and")]
    rule: Rule,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(Reserve::MAX_COUNT)))]
    count: u32,
    /// What is printed for each; csv is a table with the recipients, for a spreadsheet
    #[arg(long, value_name = "FORMAT", default_value = "link")]
    format: PrintedFormat,
    /// A CSV file with the columns name, email and reference: a passport for each line, in their order
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "partial"])]
    recipients: Option<PathBuf>,
    /// What is written to the reservation
    #[arg(long, value_name = "TEXT", value_parser = Note::parse)]
    note: Option<Note>,
    /// When the reservation ends by itself: seconds, or a number with s, m, h, d or w behind it
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    expires_in: Option<WholeSeconds>,
    /// Makes the call repeatable: the same key gives the same links again
    #[arg(long, value_name = "KEY", value_parser = IdempotencyKey::parse)]
    idempotency_key: Option<IdempotencyKey>,
    /// Take as many as there are, if there are not enough
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    links: LinkFlags,
    /// Print one JSON object, with the id of the reservation
    #[arg(long)]
    json: bool,
}

impl ReserveCommand {
    pub(super) async fn run(mut self, around: &mut Surroundings<'_>) -> anyhow::Result<ExitCode> {
        let selector = Selector::parse(self.tags.iter().map(String::as_str), self.rule)
            .map_err(|error| misused(format!("--tags: {error}")))?;
        let recipients = self.recipients.as_deref().map(read).transpose()?;
        if let Some(recipients) = &recipients {
            self.count = u32::try_from(recipients.as_slice().len()).expect("there is a limit on them");
        }
        let (store, secret) = around.open_with_secret(Intent::Write).await?;
        let links = self.links.settings(&*store, around).await?;
        let wish = self.wish(selector, recipients, around);
        let what = format!("Reserving {}", Passports(self.count.into()));
        let reservation = waiting(what, store.reserve(wish)).await.map_err(|error| self.explain(error))?;
        let id = reservation.id.expect("a reservation that is kept has a name");
        let progress = progress(reservation.handed_out.len() as u64);
        let handout =
            |handed: HandedOut| Ok((Handout::new(&handed, &secret, &links)?, handed.recipient.map(|kept| *kept)));
        let handouts = progress.wrap_iter(reservation.handed_out.into_iter()).map(handout);
        let handouts = handouts.collect::<Result<Vec<_>, UnsealError>>();
        progress.finish_and_clear();
        let handouts = handouts?;
        if handouts.len() < self.count as usize {
            around.output.message(format_args!("Reserved {} of {}.", handouts.len(), Passports(self.count.into())));
        }
        self.print(id, &handouts, around)?;
        if !self.json {
            around.output.message(format_args!("The reservation is {id}."));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn wish(&self, selector: Selector, recipients: Option<Recipients>, around: &Surroundings<'_>) -> Reserve {
        let now = around.now();
        let repeat = self.idempotency_key.as_ref().map(|key| Repeat {
            record: key.digest("cli", "/reserve"),
            parameters: self.parameters(&selector, recipients.as_ref()),
        });
        let recipients = recipients
            .map(|recipients| NewRecipients { first: RecipientId::new(now, random(&*around.entropy)), recipients });
        let id = ReservationId::new(now, random(&*around.entropy));
        Reserve {
            selector,
            count: self.count,
            shortage: self.shortage(),
            by: Actor::CommandLine,
            now,
            until: self.expires_in.map(|span| now.plus(span)),
            keep: Some(Kept { id, repeat, note: self.note.clone(), recipients }),
            seed: HandOutSeed::new(random(&*around.entropy)),
            with_content: self.format == PrintedFormat::Content,
        }
    }

    /// All that makes one call different from another under the same key. A selector's tags are sorted.
    fn parameters(&self, selector: &Selector, recipients: Option<&Recipients>) -> ParameterDigest {
        let tags = selector.tags().iter().map(Tag::as_str).collect::<Vec<_>>().join(",");
        let expires_in = self.expires_in.map(|span| span.get().to_string()).unwrap_or_default();
        let shortage = match self.shortage() {
            Shortage::Refuse => "refuse",
            Shortage::Partial => "partial",
        };
        let count = self.count.to_string();
        let fixed = [&*tags, selector.rule().as_str(), &count, &expires_in, shortage, self.format.handout().as_str()];
        let note = self.note.iter().map(Note::reveal);
        let people = recipients.map(Recipients::as_slice).unwrap_or_default().iter();
        let people = people.flat_map(|one| {
            let reference = one.reference().map_or("", Reference::as_str);
            [one.name().map_or("", Personal::reveal), one.email().map_or("", Personal::reveal), reference]
        });
        ParameterDigest::of(fixed.into_iter().chain(note).chain(people))
    }

    fn shortage(&self) -> Shortage {
        if self.partial { Shortage::Partial } else { Shortage::Refuse }
    }

    fn explain(&self, error: StoreError) -> anyhow::Error {
        match error {
            StoreError::Refusal(Refusal::PoolShort { available }) => anyhow::anyhow!(
                "nothing was reserved: {} asked for, {available} available",
                Passports(self.count.into())
            ),
            error => error.into(),
        }
    }

    fn print(
        &self,
        id: ReservationId,
        handouts: &[(Handout, Option<KeptRecipient>)],
        around: &mut Surroundings<'_>,
    ) -> anyhow::Result<()> {
        if !self.json {
            return self.format.print(handouts, true, around);
        }
        let format = self.format.handout();
        let links = handouts
            .iter()
            .map(|(handout, recipient)| Reserved::of(handout, format, recipient.as_ref().map(|kept| &kept.recipient)));
        let made = MadeReservation { id: id.to_string(), count: handouts.len(), links: links.collect() };
        Ok(around.output.json(&made)?)
    }
}

fn read(file: &Path) -> anyhow::Result<Recipients> {
    let name = || format!("nothing was reserved: {}", file.display());
    read_recipients(File::open(file).with_context(name)?).with_context(name)
}
