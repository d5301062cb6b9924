//! Stocks: the passports that a case needs, and how they are made.

use std::sync::Arc;

use passpool_core::{
    Actor, ApiKey, Content, Granter, HandOutSeed, HandedOut, Kiosk, KioskName, Reserve, Right, Rule, Secret, Selector,
    Shortage, Tag, Tags, UserName, WalletAddress, WholeSeconds,
};
use passpool_store::{ImportTerms, Intent, NewKey, NewUser, ProfileOf, Store};

use super::{server::Program, wallet};
use crate::{
    cli::Surroundings,
    clock::{Clock, Entropy, random},
    database::Place,
    exchange::Row,
    filling::{Codes, Filling},
};

/// The tag that nearly every stock has on all of its passports.
pub(super) const TAG: &str = "vip";

/// What is in a database before anything is measured, and who serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) program: Program,
    pub(super) backend: Backend,
    pub(super) passports: u64,
    pub(super) tagging: Tagging,
    /// How many of ten are handed out already.
    pub(super) drained: u64,
    /// How many are reserved, with their claims signed.
    pub(super) claims: u32,
    /// True if a kiosk gives them too.
    pub(super) kiosk: bool,
}

/// What the database is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    File,
    /// A PostgreSQL, with so many servers on it.
    Postgres {
        servers: usize,
    },
}

impl Backend {
    /// How many servers serve it.
    pub(super) const fn servers(self) -> usize {
        match self {
            Self::File => 1,
            Self::Postgres { servers } => servers,
        }
    }
}

/// Which tags passports have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tagging {
    /// One on all.
    One,
    /// One on all, one of 40, and one that 5,000 in a row share.
    Three,
    /// One of so many, in turn.
    EachOf(u64),
    /// One on all, and one that no other has.
    Own,
    /// One on the even, another on the odd, and both on so many.
    Halves { common: u64 },
}

impl Tagging {
    /// The tags of one passport.
    pub(super) fn tags(self, number: u64, passports: u64) -> String {
        match self {
            Self::One => TAG.into(),
            Self::Three => format!("{TAG},size-{},batch-{}", number % 40, number / 5_000),
            Self::EachOf(tags) => each_of(number % tags),
            Self::Own => format!("{TAG},serial-{number}"),
            Self::Halves { common } if number.is_multiple_of((passports / common).max(1)) => "left,right".into(),
            Self::Halves { .. } if number.is_multiple_of(2) => "left".into(),
            Self::Halves { .. } => "right".into(),
        }
    }
}

/// One of many tags.
pub(super) fn each_of(number: u64) -> String {
    format!("tag-{number}")
}

/// A stock that was made.
#[derive(Debug)]
pub(super) struct Stocked {
    /// Of a user who may reserve and look.
    pub(super) key: ApiKey,
    /// How many passports can be had.
    pub(super) available: u64,
    /// The bodies of claims.
    pub(super) claims: Arc<[String]>,
}

impl Stock {
    pub(super) const fn of(passports: u64, tagging: Tagging) -> Self {
        let (program, backend) = (Program::Serve, Backend::File);
        Self { program, backend, passports, tagging, drained: 0, claims: 0, kiosk: false }
    }

    /// The same in a PostgreSQL.
    pub(super) const fn on_postgres(self, servers: usize) -> Self {
        Self { backend: Backend::Postgres { servers }, ..self }
    }

    /// No passport: what is asked for is answered from memory.
    pub(super) const fn ceiling() -> Self {
        Self { program: Program::Ceiling, ..Self::of(0, Tagging::One) }
    }

    /// Makes a new database of it.
    pub(super) async fn make(self, place: &Place, around: &Surroundings<'_>) -> anyhow::Result<Stocked> {
        let maker = Maker::open(place, around).await?;
        let stocked = maker.make(self).await;
        maker.store.close().await;
        stocked
    }
}

/// Hands out so many passports that have the tag of all, the oldest first.
pub(super) async fn hand_out(place: &Place, count: u64, around: &Surroundings<'_>) -> anyhow::Result<()> {
    let maker = Maker::open(place, around).await?;
    let handed = maker.reserve(count).await;
    maker.store.close().await;
    handed.map(drop)
}

struct Maker {
    store: Arc<dyn Store>,
    secret: Secret,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Maker {
    async fn open(place: &Place, around: &Surroundings<'_>) -> anyhow::Result<Self> {
        let (opened, secret) = place.open_with_secret(Intent::Write, &*around.entropy, around.clock.clone()).await?;
        Ok(Self { store: opened.store, secret, clock: around.clock.clone(), entropy: around.entropy.clone() })
    }

    async fn make(&self, stock: Stock) -> anyhow::Result<Stocked> {
        self.fill(stock).await?;
        let drained = stock.passports / 10 * stock.drained;
        self.reserve(drained).await?;
        assert!(stock.claims <= Reserve::MAX_COUNT, "claims are of the passports of one call");
        let handed = self.reserve(u64::from(stock.claims)).await?;
        let mut claims = Vec::with_capacity(handed.len());
        for handed in handed {
            let passphrase = self.secret.passphrase(handed.passport, &handed.key)?;
            let wallet = WalletAddress::from_bytes(random(&*self.entropy));
            claims.push(wallet::claim(handed.passport, &passphrase, wallet));
        }
        if stock.kiosk {
            self.open_kiosk().await?;
        }
        let available = stock.passports - drained - u64::from(stock.claims);
        Ok(Stocked { key: self.add_user().await?, available, claims: claims.into() })
    }

    async fn fill(&self, stock: Stock) -> anyhow::Result<()> {
        let terms = ImportTerms { by: Actor::CommandLine, now: self.clock.now(), imported: false, skip_known: false };
        let filling = Filling { store: self.store.clone(), codes: Codes::None, terms, entropy: self.entropy.clone() };
        let row = move |number| {
            let tags = Tags::parse_list(&stock.tagging.tags(number, stock.passports));
            let tags = tags.expect("the tags of a stock are well formed");
            Ok(Row { line: number + 1, id: None, passphrase: None, tags, content: Content::empty() })
        };
        filling.fill((0..stock.passports).map(row)).await?;
        Ok(())
    }

    /// Hands out so many, the oldest first, and gives those of the last call.
    async fn reserve(&self, count: u64) -> anyhow::Result<Vec<HandedOut>> {
        let mut last = Vec::new();
        let mut left = count;
        while left > 0 {
            let count = u32::try_from(left).unwrap_or(u32::MAX).min(Reserve::MAX_COUNT);
            let wish = Reserve {
                selector: Selector::new([Tag::parse(TAG)?], Rule::And)?,
                count,
                shortage: Shortage::Refuse,
                by: Actor::CommandLine,
                now: self.clock.now(),
                until: None,
                keep: None,
                seed: HandOutSeed::new(random(&*self.entropy)),
                with_content: false,
            };
            last = self.store.reserve(wish).await?.handed_out;
            left -= u64::from(count);
        }
        Ok(last)
    }

    async fn open_kiosk(&self) -> anyhow::Result<()> {
        let kiosk = Kiosk {
            name: KioskName::parse("door")?,
            selector: Selector::new([Tag::parse(TAG)?], Rule::And)?,
            hold: WholeSeconds::new(Kiosk::HOLD_SECONDS)?,
            per_visitor: 1,
            opens: None,
            closes: None,
        };
        Ok(self.store.add_kiosk(kiosk, self.clock.now()).await?)
    }

    async fn add_user(&self) -> anyhow::Result<ApiKey> {
        let key = ApiKey::from_random(&random(&*self.entropy));
        let rights = [Right::CertCreate, Right::CertRead].into_iter().collect();
        let (name, new_key) = (UserName::parse("bench")?, NewKey::of(&key, self.clock.now()));
        self.store
            .add_user(NewUser { name, profile: ProfileOf::Own(rights), key: new_key }, Granter::CommandLine)
            .await?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_spread_as_the_case_wants_it() {
        let check = |tagging: Tagging, number, expected: &str| {
            assert_eq!(tagging.tags(number, 1_000), expected, "{tagging:?}");
        };
        check(Tagging::One, 7, "vip");
        check(Tagging::Three, 41, "vip,size-1,batch-0");
        check(Tagging::EachOf(10), 17, "tag-7");
        check(Tagging::Own, 7, "vip,serial-7");
        let halves = Tagging::Halves { common: 10 };
        check(halves, 100, "left,right");
        check(halves, 102, "left");
        check(halves, 101, "right");
        let common = (0..1_000).filter(|number| halves.tags(*number, 1_000).contains(',')).count();
        assert_eq!(common, 10);
    }
}
