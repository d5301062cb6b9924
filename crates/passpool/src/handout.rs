//! Hand-outs as they are shown: the link, the link with its parts, or the content.

use passpool_core::{Content, HandedOut, Link, LinkBase, Passphrase, PassportId, Secret, UnsealError};
use passpool_store::{LinkSettings, ShownLink};
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;

/// What of a hand-out is shown. The names are the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "camelCase")]
pub(crate) enum HandoutFormat {
    Link,
    LinkObject,
    Content,
}

impl HandoutFormat {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "link" => Ok(Self::Link),
            "linkObject" => Ok(Self::LinkObject),
            "content" => Ok(Self::Content),
            _ => Err("it must be link, linkObject or content"),
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::LinkObject => "linkObject",
            Self::Content => "content",
        }
    }
}

/// One passport on its way to somebody, with its link. Whoever has that can claim the passport.
pub(crate) struct Handout {
    pub passport: PassportId,
    pub link: String,
    /// Where in the link its path begins.
    path: usize,
    passphrase: Passphrase,
    content: Option<Content>,
}

impl Handout {
    pub(crate) fn new(handed: &HandedOut, secret: &Secret, links: &LinkSettings) -> Result<Self, UnsealError> {
        let passphrase = secret.passphrase(handed.passport, &handed.key)?;
        let link = Link { passport: handed.passport, passphrase, network: links.network.clone() };
        Ok(Self::of_link(link, &links.base, handed.content.clone()))
    }

    fn of_link(link: Link, base: &LinkBase, content: Option<Content>) -> Self {
        Self {
            passport: link.passport,
            link: link.write(base),
            path: base.as_str().len(),
            passphrase: link.passphrase,
            content,
        }
    }

    /// The hand-out behind a link that is shown again, if it still opens.
    pub(crate) fn of_shown(
        shown: &ShownLink,
        secret: &Secret,
        links: &LinkSettings,
    ) -> Result<Option<Self>, UnsealError> {
        let Some(key) = shown.key.clone() else { return Ok(None) };
        let handed = HandedOut { passport: shown.passport, key, content: shown.content.clone(), recipient: None };
        Self::new(&handed, secret, links).map(Some)
    }

    /// The link without its host.
    pub(crate) fn path(&self) -> &str {
        &self.link[self.path..]
    }

    /// The link with its parts, in the wire's order.
    pub(crate) fn link_object(&self) -> LinkObject<'_> {
        let (certificate_id, passphrase) = (self.passport.get(), self.passphrase.reveal());
        LinkObject {
            method: "requestOwnership",
            certificate_id,
            passphrase,
            deeplink: Deeplink { certificate_id, passphrase, link: &self.link },
        }
    }

    /// The same as JSON, written in one go: neither an id nor anything that stands in a link has to be escaped.
    pub(crate) fn link_object_json(&self) -> String {
        let (id, passphrase) = (&*self.passport.get().to_string(), self.passphrase.reveal());
        [
            r#"{"method":"requestOwnership","certificateId":"#,
            id,
            r#","passphrase":""#,
            passphrase,
            r#"","deeplink":{"certificateId":"#,
            id,
            r#","passphrase":""#,
            passphrase,
            r#"","link":""#,
            &self.link,
            r#""}}"#,
        ]
        .concat()
    }

    /// The same as a kiosk and an airdrop have it, where the deeplink is the link itself.
    pub(crate) fn plain_link_object(&self) -> PlainLinkObject<'_> {
        let (certificate_id, passphrase) = (self.passport.get(), self.passphrase.reveal());
        PlainLinkObject { method: "requestOwnership", certificate_id, passphrase, deeplink: &self.link }
    }

    /// The link with its parts as the answer to a wish for a new link has them.
    pub(crate) fn flat(&self) -> FlatLink<'_> {
        let (certificate_id, passphrase) = (self.passport.get(), self.passphrase.reveal());
        FlatLink { certificate_id, passphrase, link: &self.link }
    }

    /// The content, byte for byte as it is kept.
    pub(crate) fn content(&self) -> &str {
        self.content.as_ref().map_or("{}", Content::as_str)
    }

    /// The hand-out as one of the links of a reservation.
    pub(crate) fn entry(&self, format: HandoutFormat) -> HandoutEntry<'_> {
        match format {
            HandoutFormat::Link => HandoutEntry::Link { passport_id: self.passport.get(), link: &self.link },
            HandoutFormat::LinkObject => HandoutEntry::LinkObject(self.link_object()),
            HandoutFormat::Content => HandoutEntry::Content(RawJson(self.content())),
        }
    }
}

/// One of the links of a reservation.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum HandoutEntry<'a> {
    Link { passport_id: u64, link: &'a str },
    LinkObject(LinkObject<'a>),
    Content(RawJson<'a>),
}

/// A link and its parts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkObject<'a> {
    method: &'static str,
    certificate_id: u64,
    passphrase: &'a str,
    deeplink: Deeplink<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlainLinkObject<'a> {
    method: &'static str,
    certificate_id: u64,
    passphrase: &'a str,
    deeplink: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlatLink<'a> {
    certificate_id: u64,
    passphrase: &'a str,
    link: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deeplink<'a> {
    certificate_id: u64,
    passphrase: &'a str,
    link: &'a str,
}

/// A text that is JSON already.
pub(crate) struct RawJson<'a>(&'a str);

impl Serialize for RawJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use passpool_core::{HandOutNumber, LinkKey, Network, SecretId};

    use super::*;

    fn handout() -> Handout {
        let handed = HandedOut {
            passport: PassportId::new(440_105_186).unwrap(),
            key: LinkKey::Derived(HandOutNumber::new(1), SecretId::FIRST),
            content: Some(Content::parse(r#"{"b":1.50,"a":[]}"#).unwrap()),
            recipient: None,
        };
        let base = LinkBase::parse("https://brand.example").unwrap();
        let links = LinkSettings { base, network: Some(Network::parse("testnet").unwrap()) };
        Handout::new(&handed, &Secret::new([7; 32]), &links).unwrap()
    }

    #[test]
    fn a_link_object_is_the_wires() {
        let handout = handout();
        assert_eq!(handout.link, "https://brand.example/440105186,ytxzbospp7rfseop26ac0nnjo,testnet");
        assert_eq!(
            serde_json::to_string(&handout.link_object()).unwrap(),
            concat!(
                r#"{"method":"requestOwnership","certificateId":440105186,"passphrase":"ytxzbospp7rfseop26ac0nnjo","#,
                r#""deeplink":{"certificateId":440105186,"passphrase":"ytxzbospp7rfseop26ac0nnjo","#,
                r#""link":"https://brand.example/440105186,ytxzbospp7rfseop26ac0nnjo,testnet"}}"#,
            )
        );
    }

    #[test]
    fn a_link_object_that_is_written_in_one_go_is_the_same() {
        let check = |passphrase: &str, base: &str, network: Option<&str>| {
            let link = Link {
                passport: PassportId::new(PassportId::MAX).unwrap(),
                passphrase: Passphrase::parse(passphrase).unwrap(),
                network: network.map(|network| Network::parse(network).unwrap()),
            };
            let handout = Handout::of_link(link, &LinkBase::parse(base).unwrap(), None);
            assert_eq!(handout.link_object_json(), serde_json::to_string(&handout.link_object()).unwrap());
        };
        check("ytxzbospp7rfseop26ac0nnjo", "https://brand.example", None);
        check("AZaz09-._~!$&'()*+;=:@", "http://[::1]:8080", Some("AZaz09-_."));
    }

    #[test]
    fn an_entry_is_what_was_asked_for() {
        let handout = handout();
        let check = |format: HandoutFormat, expected: &str| {
            assert_eq!(serde_json::to_string(&handout.entry(format)).unwrap(), expected);
        };
        check(
            HandoutFormat::Link,
            r#"{"passport_id":440105186,"link":"https://brand.example/440105186,ytxzbospp7rfseop26ac0nnjo,testnet"}"#,
        );
        check(HandoutFormat::LinkObject, &serde_json::to_string(&handout.link_object()).unwrap());
        check(HandoutFormat::Content, r#"{"b":1.50,"a":[]}"#);
    }
}
