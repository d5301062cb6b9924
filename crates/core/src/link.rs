//! Links: `{link_base}/{id},{passphrase}`, optionally with `,{network}` behind it.
//!
//! The grammar is that of Arianee's wallets (protocol, section 1), narrowed to what a dispenser hands out: an id and a
//! passphrase are never empty, and nothing stands behind the last field.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use crate::{Passphrase, PassphraseError, PassportId, PassportIdError};

/// Where links lead: a scheme and a host, perhaps a port, and no path, since wallets read the first part of a path as
/// the link's method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkBase(Arc<str>);

impl LinkBase {
    /// Reads `https://host[:port]`; a slash at the end is dropped.
    pub fn parse(text: &str) -> Result<Self, LinkBaseError> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = host.ok_or_else(|| LinkBaseError::Scheme(text.to_owned()))?;
        let host = host.strip_suffix('/').unwrap_or(host);
        if host.contains(['/', '?', '#']) {
            return Err(LinkBaseError::Path(text.to_owned()));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if host.is_empty() || host.starts_with(':') || !host.bytes().all(allowed) {
            return Err(LinkBaseError::Host(text.to_owned()));
        }
        Ok(Self(text.strip_suffix('/').unwrap_or(text).into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, without its port.
    pub fn host(&self) -> &str {
        split_host(&self.0).map_or("", |(host, _)| host)
    }
}

impl fmt::Display for LinkBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkBaseError {
    #[error("\"{0}\" does not begin with http:// or https://")]
    Scheme(String),
    #[error("\"{0}\" has no host, or one with characters that no host has")]
    Host(String),
    #[error("\"{0}\" has a path or a query: wallets would read it as a part of the link")]
    Path(String),
}

/// The slug of a network, the third field of a link: 1 to 64 characters of `A-Z a-z 0-9 - _ .`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network(Arc<str>);

impl Network {
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            return Err(NetworkError(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// The network that Arianee's wallets read into a host by itself (protocol, section 1). On every other host they
    /// read only links that name their network.
    pub fn of_host(host: &str) -> Option<&'static str> {
        Some(match host.to_ascii_lowercase().as_str() {
            "test.arian.ee"
            | "test.arianee.net"
            | "testnet.aria.fyi"
            | "iwc-sokol.arianee.net"
            | "panerai-sokol.arianee.net" => "testnet",
            "arian.ee"
            | "arianee.net"
            | "arialabs.arian.ee"
            | "poa.leclubleaderprice.fr"
            | "poa.iwc.com"
            | "poa.panerai.com"
            | "poa.yslbeauty.com" => "mainnet",
            "poly.arian.ee" | "innovation-day.arian.ee" => "polygon",
            "polygon.yslbeauty.com" => "ysl",
            "stadetoulousain.arian.ee" => "stadetoulousain",
            "testsbt.arian.ee" => "testnetSbt",
            "supernet.arian.ee" | "supernet.arianee.net" => "arianeeSupernet",
            "arianeesbt.arian.ee" | "arianeesbt.arianee.net" | "sbt.panerai.com" | "paneraisbt.arianee.net" => {
                "arianeesbt"
            }
            "supernettestnet.arian.ee" => "supernettestnet",
            _ => return None,
        })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no network: 1 to 64 characters of A-Z a-z 0-9 - _ .")]
pub struct NetworkError(String);

/// What a link says. Its `Debug` says nothing of the passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub passport: PassportId,
    pub passphrase: Passphrase,
    pub network: Option<Network>,
}

impl Link {
    /// How many digits the largest id has.
    const MAX_ID: usize = 16;

    /// The link as text. Whoever has it can claim the passport.
    pub fn write(&self, base: &LinkBase) -> String {
        self.path_behind(base.as_str())
    }

    /// The link without its scheme and host.
    pub fn path(&self) -> String {
        self.path_behind("")
    }

    /// Both in one piece of memory: there are a hundred thousand of them in an answer.
    fn path_behind(&self, base: &str) -> String {
        let (passphrase, network) = (self.passphrase.reveal(), self.network.as_ref().map_or("", Network::as_str));
        let mut link = String::with_capacity(base.len() + Self::MAX_ID + passphrase.len() + network.len() + 3);
        link.push_str(base);
        _ = write!(link, "/{},", self.passport); // A string takes whatever is written.
        link.push_str(passphrase);
        if self.network.is_some() {
            link.push(',');
            link.push_str(network);
        }
        link
    }

    /// Reads a whole link. Its host tells nothing here: a brand may have several.
    pub fn parse(url: &str) -> Result<Self, LinkError> {
        let (_, path) = split_host(url).ok_or(LinkError::NotAUrl)?;
        Self::parse_path(path.split(['?', '#']).next().unwrap_or_default())
    }

    /// Reads the path of a link: `/{id},{passphrase}[,{network}]`, perhaps behind `/request` or `/proof`.
    pub fn parse_path(path: &str) -> Result<Self, LinkError> {
        let path = path.strip_prefix('/').ok_or(LinkError::NotAUrl)?;
        let fields = match path.split_once('/') {
            None => path,
            Some(("request" | "proof", fields)) => fields,
            Some(_) => return Err(LinkError::Segments),
        };
        if fields.contains('/') {
            return Err(LinkError::Segments);
        }
        let mut fields = fields.split(',');
        let passport = PassportId::parse(fields.next().unwrap_or_default())?;
        let passphrase = Passphrase::parse(fields.next().unwrap_or_default())?;
        let network = fields.next().map(Network::parse).transpose().map_err(|_| LinkError::Network)?;
        match fields.next() {
            None => Ok(Self { passport, passphrase, network }),
            Some(_) => Err(LinkError::Fields),
        }
    }
}

/// The host of a URL, without its port, and all that stands behind its authority.
fn split_host(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = match authority.find(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then_some((host, path))
}

/// Why a text is no link. None of these repeats the text: most of it may be right.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("a link begins with http:// or https://, a host and a slash")]
    NotAUrl,
    #[error("a link has no other parts before its id than request or proof, and none behind its fields")]
    Segments,
    #[error(transparent)]
    Passport(#[from] PassportIdError),
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    #[error("the third field of the link is no network")]
    Network,
    #[error("a link has two fields or three")]
    Fields,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(id: u64, passphrase: &str, network: Option<&str>) -> Link {
        Link {
            passport: PassportId::new(id).unwrap(),
            passphrase: Passphrase::parse(passphrase).unwrap(),
            network: network.map(|network| Network::parse(network).unwrap()),
        }
    }

    #[test]
    fn a_link_is_read_as_it_is_written() {
        let base = LinkBase::parse("https://brand.example").unwrap();
        let check = |link: Link, expected: &str| {
            assert_eq!(link.write(&base), expected);
            assert_eq!(Link::parse(expected), Ok(link));
        };
        check(link(1, "x", None), "https://brand.example/1,x");
        check(
            link(440_105_186, "v6lsj4vhg5dx", Some("testnet")),
            "https://brand.example/440105186,v6lsj4vhg5dx,testnet",
        );
        check(link(PassportId::MAX, "a$&'()*+;=:@", None), "https://brand.example/9007199254740991,a$&'()*+;=:@");
    }

    #[test]
    fn other_spellings_of_a_good_link_are_read() {
        let expected = link(7, "abc", None);
        for good in [
            "http://h/7,abc",
            "https://h:8443/7,abc",
            "https://[::1]:8080/7,abc",
            "https://h/request/7,abc",
            "https://h/proof/7,abc",
            "https://h/7,abc?utm_source=mail",
            "https://h/7,abc#top",
        ] {
            assert_eq!(Link::parse(good), Ok(expected.clone()), "{good}");
        }
    }

    #[test]
    fn what_is_no_link_of_ours_is_refused() {
        let check = |input: &str, expected: LinkError| assert_eq!(Link::parse(input), Err(expected), "{input:?}");
        check("not a url", LinkError::NotAUrl);
        check("https://h", LinkError::NotAUrl);
        check("https:///7,abc", LinkError::NotAUrl);
        check("https://h/", LinkError::Passport(PassportIdError));
        check("https://h/,abc", LinkError::Passport(PassportIdError));
        check("https://h/7", LinkError::Passphrase(PassphraseError::Empty));
        check("https://h/7,", LinkError::Passphrase(PassphraseError::Empty));
        check("https://h/7,,testnet", LinkError::Passphrase(PassphraseError::Empty));
        check("https://h/7,abc/", LinkError::Segments);
        check("https://h/a/7,abc", LinkError::Segments);
        check("https://h/request/a/7,abc", LinkError::Segments);
        check("https://h/request/7,abc/", LinkError::Segments);
        check("https://h/7%2Cabc", LinkError::Passport(PassportIdError));
        check("https://h/7,ab%20c", LinkError::Passphrase(PassphraseError::Character));
        check("https://h/7,abc,", LinkError::Network);
        check("https://h/7,abc,testnet,issuer", LinkError::Fields);
    }

    #[test]
    fn a_link_base_is_a_scheme_and_a_host() {
        let check = |input: &str, expected: Result<&str, LinkBaseError>| {
            assert_eq!(
                LinkBase::parse(input).as_ref().map(LinkBase::as_str).map_err(ToString::to_string),
                expected.map_err(|e| e.to_string())
            );
        };
        check("https://brand.example", Ok("https://brand.example"));
        check("https://brand.example/", Ok("https://brand.example"));
        check("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080"));
        check("http://[::1]:8080", Ok("http://[::1]:8080"));
        check("brand.example", Err(LinkBaseError::Scheme("brand.example".into())));
        check("https://", Err(LinkBaseError::Host("https://".into())));
        check("https://a b", Err(LinkBaseError::Host("https://a b".into())));
        check("https://me@brand.example", Err(LinkBaseError::Host("https://me@brand.example".into())));
        check("https://brand.example/p", Err(LinkBaseError::Path("https://brand.example/p".into())));
        check("https://brand.example?x", Err(LinkBaseError::Path("https://brand.example?x".into())));
        assert_eq!(LinkBase::parse("http://[::1]:8080").unwrap().host(), "[::1]");
        assert_eq!(LinkBase::parse("http://h:1").unwrap().host(), "h");
    }

    #[test]
    fn nothing_of_a_links_passphrase_is_printed() {
        assert!(!format!("{:?}", link(7, "sesame", None)).contains("sesame"));
    }
}
