//! Connections: the cheapest client that still reads every answer whole.
//!
//! The client shares the processor with the server that it measures, so a request is bytes that were made before, and
//! of an answer only the head is parsed.

use std::{
    io,
    net::{self, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// As much as an answer usually has, head and all.
const USUAL_ANSWER: usize = 1_024;
/// More than a server of ours sends.
const FIELDS_AT_MOST: usize = 32;

/// A way to the server that belongs to no runtime as yet.
#[derive(Debug)]
pub(super) struct Stream(net::TcpStream);

impl Stream {
    pub(super) fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = net::TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self(stream))
    }
}

/// A connection that is kept. One request is on its way at a time.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the server hung up in the middle of an answer")]
    HungUp,
    #[error("an answer is no HTTP: {0}")]
    Head(#[from] httparse::Error),
    #[error("an answer does not say how long it is")]
    NoLength,
    #[error("an answer is longer than it says")]
    TooLong,
}

impl Connection {
    /// To be called where the calls will be made: a connection belongs to the runtime that it is made in.
    pub(super) fn over(stream: Stream) -> io::Result<Self> {
        let stream = TcpStream::from_std(stream.0)?;
        Ok(Self { stream, received: Vec::with_capacity(USUAL_ANSWER) })
    }

    /// Sends a request and reads its answer to the last byte.
    pub(super) async fn call(&mut self, request: &[u8]) -> Result<Answer<'_>, CallError> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let mut head = None;
        let Head { status, bytes, body } = loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(CallError::HungUp);
            }
            if head.is_none() {
                head = Head::parse(&self.received)?;
            }
            let Some(head @ Head { bytes, body, .. }) = head else { continue };
            match (self.received.len(), bytes + body) {
                (received, whole) if received == whole => break head,
                (received, whole) if received > whole => return Err(CallError::TooLong),
                (received, whole) => self.received.reserve(whole - received),
            }
        };
        Ok(Answer { status, body: &self.received[bytes..bytes + body] })
    }
}

/// What counts of an answer's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// How long it is.
    bytes: usize,
    /// How long the body is.
    body: usize,
}

impl Head {
    /// None if it is not there as yet.
    fn parse(received: &[u8]) -> Result<Option<Self>, CallError> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_AT_MOST];
        let mut answer = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(bytes) = answer.parse(received)? else { return Ok(None) };
        let status = answer.code.expect("a complete head has a status");
        let length = answer.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|field| str::from_utf8(field.value).ok()?.parse().ok());
        // The two that have no body by their nature.
        let length = length.or_else(|| matches!(status, 204 | 304).then_some(0));
        Ok(Some(Self { status, bytes, body: length.ok_or(CallError::NoLength)? }))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Sends the parts of an answer one by one, as the network may, and tells what was made of them.
    async fn received(parts: &'static [&'static str]) -> Result<(u16, String), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let sending = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 4);
            for part in parts {
                stream.write_all(part.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Connection::over(Stream::open(server).unwrap()).unwrap();
        let answer = connection.call(b"ask!").await;
        let answer = answer.map(|answer| (answer.status, String::from_utf8(answer.body.to_vec()).unwrap()));
        sending.await.unwrap();
        answer.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_last_byte() {
        let check = async |parts, expected: (u16, &str)| {
            assert_eq!(received(parts).await, Ok((expected.0, expected.1.to_owned())));
        };
        check(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"], (200, "ok")).await;
        check(&["HTTP/1.1 404 Not Found\r\nCont", "ent-Length: 4\r", "\n\r\nno", "ne"], (404, "none")).await;
        check(&["HTTP/1.1 204 No Content\r\n\r\n"], (204, "")).await;
    }

    #[tokio::test]
    async fn an_answer_that_is_not_whole_is_none() {
        let check = async |parts, expected: &str| assert_eq!(received(parts).await, Err(expected.to_owned()));
        check(&["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok"], "the server hung up in the middle of an answer")
            .await;
        check(&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nok"], "an answer is longer than it says").await;
        check(&["HTTP/1.1 200 OK\r\n\r\nok"], "an answer does not say how long it is").await;
        check(&["good day\r\n\r\n"], "an answer is no HTTP: invalid HTTP version").await;
        check(&[], "the server hung up in the middle of an answer").await;
    }
}
