//! Where a PostgreSQL is: `postgres://user:password@host,host/name?sslmode=verify-full`.

use std::{fmt, path::PathBuf, time::Duration};

use tokio_postgres::{
    Config,
    config::{SslMode, TargetSessionAttrs},
};

/// How long a host may take to answer, unless the URL says otherwise.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How soon a connection whose other end is gone is noticed.
const NOTICE_SILENCE_AFTER: Duration = Duration::from_secs(10);

/// The address of a database, and how it is spoken to. Its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    pub(super) config: Config,
    pub(super) verify: Verify,
    pub(super) root_certificates: Option<PathBuf>,
    shown: String,
}

/// What is asked of the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verify {
    /// As with libpq's `prefer` and `require`: whoever only listens learns nothing.
    Nothing,
    /// `verify-ca`: an authority that is trusted has signed it.
    Authority,
    /// `verify-full`: and it names this host.
    Host,
}

/// Why a URL is not one of a PostgreSQL. What the URL holds is not repeated, for that may be a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostgresUrlError {
    #[error("sslmode has to be disable, prefer, require, verify-ca or verify-full")]
    SslMode,
    #[error("sslrootcert needs a path")]
    NoRootCertificates,
    #[error("the postgres URL cannot be read: {0}")]
    Unreadable(String),
    #[error("the postgres URL names no host")]
    NoHost,
}

impl PostgresUrl {
    pub(crate) const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

    pub fn parse(text: &str) -> Result<Self, PostgresUrlError> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let mut verify = Verify::Nothing;
        let mut ssl_mode = SslMode::Prefer;
        let mut root_certificates = None;
        let mut others = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("sslmode", mode)) => (ssl_mode, verify) = read_ssl_mode(mode)?,
                Some(("sslrootcert", path)) => root_certificates = Some(read_path(path)?),
                _ => others.push(part),
            }
        }
        let names_session = others.iter().any(|part| part.starts_with("target_session_attrs="));
        let plain = if others.is_empty() { address.to_owned() } else { format!("{address}?{}", others.join("&")) };
        let mut config: Config = plain.parse().map_err(|error| unreadable(&error))?;
        if config.get_hosts().is_empty() {
            return Err(PostgresUrlError::NoHost);
        }
        config.ssl_mode(ssl_mode).keepalives_idle(NOTICE_SILENCE_AFTER).tcp_user_timeout(NOTICE_SILENCE_AFTER);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WITHIN);
        }
        if config.get_application_name().is_none() {
            config.application_name("passpool");
        }
        if config.get_hosts().len() > 1 && !names_session {
            // Of several hosts one can be written, and that one is meant.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Self { config, verify, root_certificates, shown: without_password(text) })
    }

    /// True if the URL's `options` set this: whoever does means it.
    pub(super) fn sets(&self, setting: &str) -> bool {
        let words = self.config.get_options().unwrap_or_default().split_whitespace();
        let names = words.filter_map(|word| word.trim_start_matches("-c").trim_start_matches("--").split_once('='));
        names.map(|(name, _)| name.replace('-', "_")).any(|name| name.eq_ignore_ascii_case(setting))
    }
}

fn read_ssl_mode(mode: &str) -> Result<(SslMode, Verify), PostgresUrlError> {
    match mode {
        "disable" => Ok((SslMode::Disable, Verify::Nothing)),
        "prefer" => Ok((SslMode::Prefer, Verify::Nothing)),
        "require" => Ok((SslMode::Require, Verify::Nothing)),
        "verify-ca" => Ok((SslMode::Require, Verify::Authority)),
        "verify-full" => Ok((SslMode::Require, Verify::Host)),
        _ => Err(PostgresUrlError::SslMode),
    }
}

fn read_path(encoded: &str) -> Result<PathBuf, PostgresUrlError> {
    let pair = format!("path={}", encoded.replace('+', "%2B"));
    let path = form_urlencoded::parse(pair.as_bytes()).next().map(|(_, path)| path.into_owned());
    path.filter(|path| !path.is_empty()).map(PathBuf::from).ok_or(PostgresUrlError::NoRootCertificates)
}

/// What is wrong, in words that repeat nothing of the URL.
fn unreadable(error: &tokio_postgres::Error) -> PostgresUrlError {
    use std::error::Error as _;
    let cause = error.source().map(ToString::to_string).unwrap_or_else(|| error.to_string());
    // Some of the library's sentences quote what they do not understand.
    PostgresUrlError::Unreadable(cause.split('`').next().unwrap_or_default().trim().to_owned())
}

/// The URL with dots in the place of its password, wherever one may stand.
fn without_password(text: &str) -> String {
    let (address, query) = text.split_once('?').unwrap_or((text, ""));
    let mut shown = String::with_capacity(text.len());
    match address.split_once("://").map(|(scheme, rest)| (scheme, rest, rest.rfind('@'))) {
        Some((scheme, rest, Some(at))) => {
            let user = rest[..at].split(':').next().unwrap_or_default();
            let dots = if rest[..at].contains(':') { ":..." } else { "" };
            shown.push_str(&format!("{scheme}://{user}{dots}{}", &rest[at..]));
        }
        _ => shown.push_str(address),
    }
    let parts = query.split('&').filter(|part| !part.is_empty());
    for (position, part) in parts.enumerate() {
        shown.push(if position == 0 { '?' } else { '&' });
        match part.split_once('=') {
            Some(("password", _)) => shown.push_str("password=..."),
            _ => shown.push_str(part),
        }
    }
    shown
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let check = |url: &str, expected: &str| assert_eq!(PostgresUrl::parse(url).unwrap().to_string(), expected);
        check("postgres://h/shop", "postgres://h/shop");
        check("postgres://me@h/shop", "postgres://me@h/shop");
        check("postgres://me:sesame@h:5433/shop", "postgres://me:...@h:5433/shop");
        check("postgresql://me:se%40same@a,b/shop?sslmode=require", "postgresql://me:...@a,b/shop?sslmode=require");
        check(
            "postgres://me@h/shop?password=sesame&sslmode=disable",
            "postgres://me@h/shop?password=...&sslmode=disable",
        );
    }

    #[test]
    fn tls_is_as_the_url_says() {
        let check = |query: &str, mode: SslMode, verify: Verify| {
            let url = PostgresUrl::parse(&format!("postgres://h/shop{query}")).unwrap();
            assert_eq!((url.config.get_ssl_mode(), url.verify), (mode, verify), "{query}");
        };
        check("", SslMode::Prefer, Verify::Nothing);
        check("?sslmode=disable", SslMode::Disable, Verify::Nothing);
        check("?sslmode=require&connect_timeout=3", SslMode::Require, Verify::Nothing);
        check("?sslmode=verify-ca", SslMode::Require, Verify::Authority);
        check("?sslmode=verify-full&sslrootcert=/etc/ca.pem", SslMode::Require, Verify::Host);
    }

    #[test]
    fn what_the_options_set_is_known() {
        let check = |options: &str, expected: [bool; 2]| {
            let url = PostgresUrl::parse(&format!("postgres://h/shop?{options}")).unwrap();
            assert_eq!(["lock_timeout", "jit"].map(|setting| url.sets(setting)), expected, "{options}");
        };
        check("", [false, false]);
        check("options=-c%20lock_timeout=1s", [true, false]);
        check("options=-clock_timeout%3D1s%20--jit=off", [true, true]);
        check("options=--Lock-Timeout=1s", [true, false]);
        check("options=-c%20deadlock_timeout=1s&application_name=jit", [false, false]);
    }

    #[test]
    fn of_several_hosts_the_one_that_can_be_written_is_meant() {
        let check = |url: &str, expected: TargetSessionAttrs| {
            assert_eq!(PostgresUrl::parse(url).unwrap().config.get_target_session_attrs(), expected, "{url}");
        };
        check("postgres://a/shop", TargetSessionAttrs::Any);
        check("postgres://a,b/shop", TargetSessionAttrs::ReadWrite);
        check("postgres://a,b/shop?target_session_attrs=any", TargetSessionAttrs::Any);
    }

    #[test]
    fn a_url_that_is_none_says_why_and_repeats_nothing() {
        let check = |url: &str| {
            let error = PostgresUrl::parse(url).unwrap_err().to_string();
            assert!(!error.contains("sesame"), "{error}");
        };
        check("postgres:///shop");
        check("postgres://me:sesame@h/shop?sslmode=sesame");
        check("postgres://me:sesame@h:sesame/shop");
        check("postgres://me@h/shop?sesame=1");
    }
}
