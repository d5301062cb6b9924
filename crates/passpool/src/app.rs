//! What every handler is given.

use std::{ops::Deref, sync::Arc};

use crate::{callers::Callers, imports::Imports, limits::Limits, shop::Shop};

/// The shop, who is known to call it, and what strangers have used. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub struct Inner {
    shop: Shop,
    pub(crate) callers: Callers,
    pub(crate) limits: Limits,
    pub(crate) imports: Imports,
}

impl App {
    pub fn new(shop: Shop) -> Self {
        Self(Arc::new(Inner {
            shop,
            callers: Callers::default(),
            limits: Limits::default(),
            imports: Imports::default(),
        }))
    }

    /// True if browsers reach the shop by https, so that cookies may insist on it.
    pub(crate) fn is_https(&self) -> bool {
        self.public_url.as_str().starts_with("https://")
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Deref for Inner {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}
