//! Request ids: what ties an answer to the log.

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::{Entropy, random};

pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Numbers that count up from a random start, so that two servers, or one before and after a restart, differ.
#[derive(Clone)]
pub(super) struct RequestIds(Arc<AtomicU64>);

impl RequestIds {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        Self(Arc::new(AtomicU64::new(u64::from_be_bytes(random(entropy)))))
    }

    /// The id that the request came with, or else the next one.
    pub(super) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        headers.get(HEADER).cloned().unwrap_or_else(|| {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            let digits: [u8; 16] = array::from_fn(|place| DIGITS[(number >> (60 - 4 * place) & 15) as usize]);
            HeaderValue::from_bytes(&digits).expect("digits are a header")
        })
    }
}
