//! `user key`: a key in the place of others, one more, or one less.

use passpool_core::{ApiKey, Granter, Timestamp, UserName, WholeSeconds};
use passpool_store::{Intent, NewKey, RenewKey, Store, StoreError};
use serde::Serialize;

use crate::{
    cli::{Surroundings, misused, moment::rfc_3339, span::parse_span},
    clock::random,
    http::v1::shapes::MadeKey,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct KeyCommand {
    #[arg(value_parser = UserName::parse)]
    name: UserName,
    /// The first eight characters of the key to be replaced [default: all that the user has]
    #[arg(long, value_name = "HEAD")]
    old: Option<String>,
    /// How long the old key is good for: seconds, or a number with s, m, h, d or w behind it [default: not at all]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    old_valid_for: Option<WholeSeconds>,
    /// One more key: the others stay as they are
    #[arg(long, conflicts_with_all = ["old", "old_valid_for"])]
    further: bool,
    /// Remove the key that begins with these eight characters, and give no other
    #[arg(long, value_name = "HEAD", conflicts_with_all = ["old", "old_valid_for", "further", "json"])]
    remove: Option<String>,
    /// Print the name and the key as JSON
    #[arg(long)]
    json: bool,
}

/// A key on its way to its owner.
#[derive(Serialize)]
struct Shown {
    name: String,
    #[serde(flatten)]
    made: MadeKey,
}

impl KeyCommand {
    pub(super) async fn run(self, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
        // Not judged by clap, whose errors repeat what they refuse: it may be a whole key.
        for (flag, head) in [("--old", &self.old), ("--remove", &self.remove)] {
            if head.as_deref().is_some_and(|head| !is_head(head)) {
                return Err(misused(format!("{flag} takes the first {} characters of a key", ApiKey::HEAD)).into());
            }
        }
        let store = around.open(Intent::Write).await?;
        if let Some(head) = &self.remove {
            store.remove_key(self.name.clone(), head.clone(), Granter::CommandLine).await?;
            around.output.message(format_args!("Removed the key {head}... of {}.", self.name));
            return Ok(());
        }
        let now = around.now();
        let key = ApiKey::from_random(&random(&*around.entropy));
        let old_until = self.old_valid_for.map(|span| now.plus(span));
        self.give(&*store, NewKey::of(&key, now), old_until).await?;
        if !self.json {
            // The key stands alone on its line, for whoever takes it into a variable.
            return Ok(around.output.line(key.reveal())?);
        }
        let old_until = old_until.map(rfc_3339).transpose()?;
        let made = MadeKey { key: key.reveal().to_owned(), head: key.head().to_owned(), old_until };
        Ok(around.output.json(&Shown { name: self.name.to_string(), made })?)
    }

    async fn give(&self, store: &dyn Store, key: NewKey, old_until: Option<Timestamp>) -> Result<(), StoreError> {
        let user = self.name.clone();
        match self.further {
            true => store.add_key(user, key, Granter::CommandLine).await,
            false => {
                store.renew_key(RenewKey { user, old: self.old.clone(), key, old_until }, Granter::CommandLine).await
            }
        }
    }
}

/// True if it may be how a key begins, as lists show it.
fn is_head(text: &str) -> bool {
    let rest = text.strip_prefix(ApiKey::PREFIX).unwrap_or_default();
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
    text.len() == ApiKey::HEAD && !rest.is_empty() && rest.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_eight_characters_of_a_key() {
        let check = |text: &str, expected: bool| assert_eq!(is_head(text), expected, "{text:?}");
        check("pp_abc27", true);
        for wrong in ["", "pp_", "pp_abc2", "pp_abc277", "pp_abc28", "PP_abc27", "xx_abc27", "abcdefgh", "pp_abcdé"] {
            check(wrong, false);
        }
    }
}
