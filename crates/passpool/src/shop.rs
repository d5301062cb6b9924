//! The shop: everything that a server needs but its listener.

use std::sync::Arc;

use passpool_core::{LinkBase, Rule, Secret, WholeSeconds};
use passpool_store::{LinkSettings, Store};

use crate::{
    address::TrustedProxies,
    clock::{Clock, Entropy},
};

pub struct Shop {
    pub store: Arc<dyn Store>,
    pub secret: Secret,
    pub links: LinkSettings,
    /// Where this server is reached.
    pub public_url: LinkBase,
    /// How several tags are meant if a call does not say.
    pub tag_rule: Rule,
    /// Who may say on whose behalf it asks.
    pub proxies: TrustedProxies,
    /// How long a transfer stays pending at least.
    pub settle_delay: Option<WholeSeconds>,
    /// How long recipients are kept after the last of their passports has left the shop.
    pub keep_recipients: WholeSeconds,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}
