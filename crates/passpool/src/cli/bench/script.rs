//! Scripts: what one connection asks, call after call, and what has to come back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::connection::Answer;

/// What one connection does. The requests are bytes that are ready to be sent.
pub(super) trait Script: Send {
    /// The next request.
    fn next(&mut self) -> &[u8];

    /// Judges the answer to the request that was sent last.
    fn judge(&mut self, answer: Answer<'_>) -> Result<Effect, Unexpected>;
}

/// What a call has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    /// Which of the script's kinds of calls it was. Most have one.
    pub(super) kind: usize,
    /// How many passports it took out of the pool, or with a minus gave back.
    pub(super) taken: i64,
}

/// An answer that nobody should get here. It makes the numbers worthless.
#[derive(Debug, thiserror::Error)]
#[error("an answer is not what it should be: {status} {}", String::from_utf8_lossy(.body))]
pub(super) struct Unexpected {
    status: u16,
    /// Its beginning.
    body: Vec<u8>,
}

impl Unexpected {
    pub(super) fn new(answer: Answer<'_>) -> Self {
        Self { status: answer.status, body: answer.body[..answer.body.len().min(300)].to_vec() }
    }
}

/// What has to come back.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// The health's `ok`.
    Ok,
    /// A link object from memory.
    FixedLink,
    /// A link object of a passport that was taken out of the pool.
    Link,
    /// The news that the pool has none.
    NoneLeft,
    /// A reservation of so many.
    Links(u32),
    /// So many are back in the pool.
    GivenBack(u64),
}

impl Expected {
    /// How many passports have left the pool, if the answer is the right one.
    fn taken(&self, Answer { status, body }: Answer<'_>) -> Option<i64> {
        let is_link = |body: &[u8]| body.starts_with(b"{\"method\":\"requestOwnership\",");
        match self {
            Self::Ok => (status == 200 && body == b"ok").then_some(0),
            Self::FixedLink => (status == 200 && is_link(body)).then_some(0),
            Self::Link => (status == 200 && is_link(body)).then_some(1),
            Self::NoneLeft => (status == 400 && holds(body, b"oneToOne.noNFTsToSend")).then_some(0),
            Self::Links(count) => {
                let head = &body[..body.len().min(100)];
                let told = format!(",\"count\":{count},\"links\":[");
                (status == 201 && holds(head, told.as_bytes())).then_some(i64::from(*count))
            }
            Self::GivenBack(count) => {
                let told = format!("{{\"count\":{count}}}");
                (status == 200 && body == told.as_bytes()).then_some(-count.cast_signed())
            }
        }
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Asks for the same again and again, or for one of many in turn.
#[derive(Clone, Debug)]
pub(super) struct InTurn {
    requests: Arc<[Vec<u8>]>,
    expected: Expected,
    /// How many calls all connections have made together.
    turn: Arc<AtomicU64>,
    /// The request that carries a key of its own each time, and where in it the key stands.
    keyed: Option<(Vec<u8>, usize)>,
}

/// As long as every key: digits of a number that no two calls share.
pub(super) const KEY_DIGITS: usize = 20;

impl InTurn {
    /// `turn` is what was asked before; the connections of one load are clones of each other.
    pub(super) fn new(requests: Vec<Vec<u8>>, expected: Expected, turn: Arc<AtomicU64>) -> Self {
        assert!(!requests.is_empty(), "somebody who calls asks for something");
        Self { requests: requests.into(), expected, turn, keyed: None }
    }

    /// Every call has an idempotency key of its own, which stands in the one request where `key` is.
    pub(super) fn with_key(request: Vec<u8>, key: &[u8; KEY_DIGITS], expected: Expected, turn: Arc<AtomicU64>) -> Self {
        let at = request.windows(KEY_DIGITS).position(|window| window == key).expect("the request holds the key");
        Self { keyed: Some((request, at)), ..Self::new(vec![Vec::new()], expected, turn) }
    }
}

impl Script for InTurn {
    fn next(&mut self) -> &[u8] {
        if let ([request], None) = (&*self.requests, &self.keyed) {
            return request;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        match &mut self.keyed {
            None => &self.requests[(turn % self.requests.len() as u64) as usize],
            Some((request, at)) => {
                write_digits(turn, &mut request[*at..*at + KEY_DIGITS]);
                request
            }
        }
    }

    fn judge(&mut self, answer: Answer<'_>) -> Result<Effect, Unexpected> {
        let taken = self.expected.taken(answer).ok_or_else(|| Unexpected::new(answer))?;
        Ok(Effect { kind: 0, taken })
    }
}

/// Fills the place with the number, zeros before it.
pub(super) fn write_digits(mut number: u64, place: &mut [u8]) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_that_was_asked_for_counts() {
        let check = |expected: &Expected, status, body: &str, taken: Option<i64>| {
            assert_eq!(expected.taken(Answer { status, body: body.as_bytes() }), taken, "{expected:?}, {body}");
        };
        check(&Expected::Ok, 200, "ok", Some(0));
        check(&Expected::Ok, 200, "no", None);
        let link = r#"{"method":"requestOwnership","certificateId":7}"#;
        check(&Expected::Link, 200, link, Some(1));
        check(&Expected::Link, 500, link, None);
        check(&Expected::FixedLink, 200, link, Some(0));
        let none = r#"{"code":"nmp.back.dispenser.oneToOne.noNFTsToSend","httpCode":400}"#;
        check(&Expected::Link, 400, none, None);
        check(&Expected::NoneLeft, 400, none, Some(0));
        check(&Expected::NoneLeft, 400, r#"{"code":"nmp.back.dispenser.missingParameter"}"#, None);
        let fifty = r#"{"id":"rv_00000000000000000000000000000000","count":50,"links":[{}]}"#;
        check(&Expected::Links(50), 201, fifty, Some(50));
        check(&Expected::Links(51), 201, fifty, None);
        check(&Expected::GivenBack(50), 200, r#"{"count":50}"#, Some(-50));
        check(&Expected::GivenBack(51), 200, r#"{"count":50}"#, None);
    }

    #[test]
    fn all_connections_take_turns() {
        let requests = vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
        let mut first = InTurn::new(requests, Expected::Ok, Arc::default());
        let mut second = first.clone();
        assert_eq!([first.next(), second.next()], [b"a", b"b"]);
        assert_eq!([first.next(), second.next()], [b"c", b"a"]);
    }

    #[test]
    fn no_two_calls_have_the_same_key() {
        let key = [b'#'; KEY_DIGITS];
        let request = [b"key: ", &key[..], b"\r\n"].concat();
        let mut script = InTurn::with_key(request, &key, Expected::Link, Arc::new(9.into()));
        assert_eq!(script.next(), b"key: 00000000000000000009\r\n");
        assert_eq!(script.next(), b"key: 00000000000000000010\r\n");
    }
}
