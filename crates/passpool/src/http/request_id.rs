//! Request ids: what ties an answer to the log.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::http::{HeaderValue, Request};
use tower_http::request_id::{MakeRequestId, RequestId};

use crate::clock::{Entropy, random};

/// A number that counts up from a random start, so that two servers, or one before and after a restart, differ.
#[derive(Clone)]
pub(super) struct Counting(Arc<AtomicU64>);

impl Counting {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        Self(Arc::new(AtomicU64::new(u64::from_be_bytes(random(entropy)))))
    }
}

impl MakeRequestId for Counting {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{number:016x}")).ok().map(RequestId::new)
    }
}
