//! Addresses: where a visitor is, as far as that can be known.
//!
//! It is the other end of the connection, unless that is a proxy of the shop's, which may say on whose behalf it asks.
//! Nobody else may: a header is written in no time.

mod forwarded;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request},
    http::HeaderMap,
};
use ipnet::IpNet;

/// A proxy, or a network of them, that may say on whose behalf it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustedProxyError {
    #[error("neither an address nor a network such as 10.0.0.0/8 or fd00::/8")]
    NoNetwork,
    #[error("an IPv4 address in the clothes of an IPv6 one; write it as IPv4")]
    Mapped,
}

impl TrustedProxy {
    pub fn parse(text: &str) -> Result<Self, TrustedProxyError> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network.map_err(|_| TrustedProxyError::NoNetwork)? {
            IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some() => Err(TrustedProxyError::Mapped),
            network => Ok(Self(network)),
        }
    }
}

/// All proxies that may say on whose behalf they ask.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<TrustedProxy>);

impl From<Vec<TrustedProxy>> for TrustedProxies {
    fn from(proxies: Vec<TrustedProxy>) -> Self {
        Self(proxies)
    }
}

impl TrustedProxies {
    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|proxy| proxy.0.contains(&address))
    }

    /// Who asks through this peer.
    ///
    /// `X-Forwarded-For` wins over `Forwarded`: nearly every proxy writes the first and lets the second through as the
    /// visitor wrote it. If they say nonsense, the peer itself is taken for the visitor.
    fn visitor(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return peer;
        }
        let told = match headers.contains_key(forwarded::X_FORWARDED_FOR) {
            true => self.last_stranger(forwarded::in_x_forwarded_for(headers)),
            false => self.last_stranger(forwarded::in_forwarded(headers)),
        };
        told.unwrap_or(peer)
    }

    /// The nearest that is no proxy of ours: what it says of those behind it may be a lie. If all are ours, the one
    /// farthest away asked for itself. None as soon as something is no address.
    fn last_stranger(&self, nearest_first: impl Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut farthest = None;
        for address in nearest_first {
            let address = address?;
            farthest = Some(address);
            if !self.trust(address) {
                break;
            }
        }
        farthest
    }
}

/// Where the visitor is who made a request. Every handler of a public path finds it among the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VisitorAddress(IpAddr);

impl VisitorAddress {
    pub(crate) fn of(request: &Request, proxies: &TrustedProxies) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        // Whoever comes by no connection is nowhere.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        Self(proxies.visitor(peer, request.headers()))
    }

    /// What is one visitor to a limit. With IPv6 it is the /64: every home is given one at least, and picks from its
    /// 2^64 addresses a new one whenever it likes.
    pub(crate) fn home(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        }
    }
}

#[cfg(test)]
mod tests;
