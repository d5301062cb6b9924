//! Requests: bytes that are ready to be sent.

/// What a host is called in every request. Nobody goes by it.
const HOST: &str = "bench.example";
/// A browser, as far as a page is concerned.
const BROWSER: &str = "user-agent: Mozilla/5.0 (X11; Linux x86_64) Bench\r\naccept: text/html\r\n";

/// The target of a call that takes one passport with these tags.
pub(super) fn reserve_one(tags: &str) -> String {
    format!("/dispenser/distribution/reserveOne?tags={tags}&format=linkObject")
}

/// The target of a call that gives back all that have them and are reserved.
pub(super) fn reset_all(tags: &str) -> String {
    format!("/dispenser/distribution/resetAll?tags={tags}")
}

/// A GET of whoever has this key.
pub(super) fn get(target: &str, key: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: {HOST}\r\nx-api-key: {key}\r\n\r\n").into()
}

/// The same with an idempotency key.
pub(super) fn get_once(target: &str, key: &str, idempotency_key: &[u8]) -> Vec<u8> {
    let head = format!("GET {target} HTTP/1.1\r\nhost: {HOST}\r\nx-api-key: {key}\r\nidempotency-key: ");
    [head.as_bytes(), idempotency_key, b"\r\n\r\n"].concat()
}

/// A POST of JSON of whoever has this key.
pub(super) fn post(target: &str, key: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nhost: {HOST}\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into()
}

/// A person's GET, by the shop's proxy.
pub(super) fn visit(target: &str, visitor: u64) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: {HOST}\r\n{BROWSER}{}\r\n", forwarded(visitor)).into()
}

/// A wallet's POST of JSON, by the shop's proxy.
pub(super) fn visit_with(target: &str, visitor: u64, body: &str) -> Vec<u8> {
    let (length, forwarded) = (body.len(), forwarded(visitor));
    format!(
        "POST {target} HTTP/1.1\r\nhost: {HOST}\r\n{forwarded}content-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into()
}

/// Every visitor comes from an address of their own, up to 16 million of them.
fn forwarded(visitor: u64) -> String {
    let [.., a, b, c] = visitor.to_be_bytes();
    format!("x-forwarded-for: 10.{a}.{b}.{c}\r\n")
}
