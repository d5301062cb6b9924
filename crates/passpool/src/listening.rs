//! Listening: how callers reach the server, also when thousands come in one moment.

use std::{io, net::SocketAddr};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// How many callers may be on the doorstep until they are let in. The kernel turns the others away without a word, and they
/// knock again a second later. It keeps to its own limit, `net.core.somaxconn`, if that is less.
const DOORSTEP: u32 = 4_096;

/// Listens at the first of the name's addresses at which it can.
pub(crate) async fn listen(name: &str) -> io::Result<TcpListener> {
    let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host(name).await? {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of a server that has just ended do not keep the next one from its address.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(DOORSTEP)
}

/// Lets this process open as many files as it may, for each connection is one. Most systems start a program with 1,024 and
/// let it ask for more, for the sake of those that count on fewer; nothing here does.
pub(crate) fn allow_many_connections() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "no more files may be open at once than before");
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, time::Duration};

    use super::*;

    #[tokio::test]
    async fn hundreds_may_come_before_the_first_is_let_in() {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let caller = |_| TcpStream::connect_timeout(&address, Duration::from_secs(20)).unwrap();
        let callers: Vec<_> = (0..300).map(caller).collect();
        drop((callers, listener));
    }
}
