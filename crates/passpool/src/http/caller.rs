//! The caller of a request: whoever has the key in its `x-api-key`.

use axum::http::{HeaderMap, HeaderName};
use passpool_core::{ApiKeyDigest, Caller};
use passpool_store::StoreError;

use crate::app::App;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who calls. None if there is no key, or one that nobody has.
pub(super) async fn caller(app: &App, headers: &HeaderMap) -> Result<Option<Caller>, StoreError> {
    let sent = headers.get(API_KEY).and_then(|key| key.to_str().ok());
    let Some(Ok(key)) = sent.map(ApiKeyDigest::of_sent) else { return Ok(None) };
    app.callers.find(&*app.store, key, app.clock.now()).await
}
