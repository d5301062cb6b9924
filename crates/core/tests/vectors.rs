//! How wallets read links and passphrases, as recorded from Arianee's own packages: ours are read the same way.

use std::path::Path;

use passpool_core::{
    AccessToken, ClaimMessage, Content, Imprint, Link, LinkBase, Network, Passphrase, PassphraseError, PassportId,
    Scope, Signature, Timestamp, WalletAddress,
};
use serde_json::Value;

fn vectors(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    vectors[name].as_array().unwrap()
}

/// The scheme, host and port of a link.
fn base_of(link: &str) -> LinkBase {
    let (scheme, rest) = link.split_once("://").unwrap();
    LinkBase::parse(&format!("{scheme}://{}", rest.split('/').next().unwrap())).unwrap()
}

/// The network under which a wallet looks a link up: the one it names, else its host's.
fn network_for_wallets(link: &Link, base: &LinkBase) -> Option<String> {
    let named = link.network.as_ref().map(|network| network.as_str().to_owned());
    named.or_else(|| Network::of_host(base.host()).map(str::to_owned))
}

#[test]
fn a_link_that_a_wallet_can_claim_with_is_read_the_same_and_no_other() {
    let (mut read, mut refused) = (0, 0);
    for case in list(&vectors("links.json"), "readLink") {
        let text = case["link"].as_str().unwrap();
        let wallets = &case["result"];
        let Some(passphrase) = wallets["passphrase"].as_str() else {
            assert!(Link::parse(text).is_err(), "{text}");
            refused += 1;
            continue;
        };
        let link = Link::parse(text).unwrap();
        assert_eq!(link.passport.to_string(), wallets["certificateId"], "{text}");
        assert_eq!(link.passphrase.reveal(), passphrase, "{text}");
        assert_eq!(network_for_wallets(&link, &base_of(text)).as_deref(), wallets["network"].as_str(), "{text}");
        read += 1;
    }
    // An access token in the place of a passphrase, extra segments, an escaped comma, and no URL at all.
    assert_eq!((read, refused), (7, 4));
}

#[test]
fn what_is_written_is_what_wallets_read() {
    let mut written = 0;
    for case in list(&vectors("links.json"), "readLink") {
        let text = case["link"].as_str().unwrap();
        if case["result"]["passphrase"].is_null() || case["result"]["method"] != "requestOwnership" {
            continue;
        }
        let link = Link::parse(text).unwrap();
        assert_eq!(link.write(&base_of(text)), text);
        written += 1;
    }
    assert_eq!(written, 6);
}

#[test]
fn what_wallets_write_is_written_the_same() {
    let check = |slug: &str, base: &str, network: Option<&str>| {
        let vectors = vectors("links.json");
        let case = list(&vectors, "createLink").iter().find(|case| case["args"]["slug"] == slug).unwrap();
        let link = Link {
            passport: PassportId::new(440_105_186).unwrap(),
            passphrase: Passphrase::parse("v6lsj4vhg5dx").unwrap(),
            network: network.map(|network| Network::parse(network).unwrap()),
        };
        let base = LinkBase::parse(base).unwrap();
        assert_eq!(case["link"].as_str(), Some(link.write(&base).as_str()), "{slug}");
        if network.is_none() {
            assert_eq!(Network::of_host(base.host()), Some(slug), "without a third field the host tells the network");
        }
    };
    check("testnet", "https://test.arian.ee", None);
    check("polygon", "https://poly.arian.ee", None);
    check("137-0-arianee-0", "https://arian.ee", Some("137-0-arianee-0"));
}

#[test]
fn a_link_spoilt_in_any_way_is_refused() {
    for case in list(&vectors("links.json"), "readLink") {
        let text = case["link"].as_str().unwrap();
        let Some(passphrase) = case["result"]["passphrase"].as_str() else { continue };
        let id = case["result"]["certificateId"].as_str().unwrap();
        let spoil = |from: &str, to: &str| {
            let spoilt = text.replace(from, to);
            assert_ne!(spoilt, text);
            assert!(Link::parse(&spoilt).is_err(), "{spoilt}");
        };
        spoil(id, "");
        spoil(id, "0");
        spoil(id, "9007199254740992");
        spoil(passphrase, "");
        spoil(",", "/");
        spoil(",", "%2C");
        spoil(id, &format!("a/b/{id}"));
        assert!(Link::parse(&format!("{text}/")).is_err(), "{text}/");
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

#[test]
fn a_passphrase_is_the_key_that_both_clients_make_of_it() {
    let mut clear = Vec::new();
    for case in list(&vectors("passphrase_keys.json"), "string_passphrases") {
        let text = case["passphrase"].as_str().unwrap();
        let Ok(passphrase) = Passphrase::parse(text) else { continue };
        if case["agree"] == true && !passphrase.is_ambiguous() {
            assert_eq!(case["sdk_core_1_71_1"]["privateKey"], hex(&passphrase.private_key()), "{text}");
            assert_eq!(case["arianeejs_1_119_0"]["privateKey"], hex(&passphrase.private_key()), "{text}");
            clear.push(text.to_owned());
        }
    }
    assert_eq!(clear, ["v6lsj4vhg5dx", "l4o8ju71796i", "test"]);
}

#[test]
fn what_the_clients_read_in_two_ways_is_ambiguous_or_refused() {
    let (mut ambiguous, mut refused) = (Vec::new(), Vec::new());
    for case in list(&vectors("passphrase_keys.json"), "string_passphrases") {
        let text = case["passphrase"].as_str().unwrap().to_owned();
        match Passphrase::parse(&text) {
            Ok(passphrase) => {
                assert!(case["agree"] == true || passphrase.is_ambiguous(), "{text}");
                if passphrase.is_ambiguous() {
                    ambiguous.push(text);
                }
            }
            Err(error) => refused.push((text, error)),
        }
    }
    // Both clients misread 1e5 alike: as a number, and not as its characters.
    let numbers = ["1234567890", "440105186", "1e5", "0x12ab34cd56", "0o1234567012", "12345678901", "Infinity"];
    assert_eq!(ambiguous, numbers);
    let beyond = [
        ("passphrase-with-é".to_owned(), PassphraseError::Character),
        ("abcdefghijklmnopqrstuvwxyz0123456".to_owned(), PassphraseError::TooLong { bytes: 33 }),
    ];
    assert_eq!(refused, beyond);
}

#[test]
fn whoever_uses_a_client_of_arianees_has_one_of_the_passphrases_addresses() {
    let mut told = 0;
    for case in list(&vectors("passphrase_keys.json"), "string_passphrases") {
        let Ok(passphrase) = Passphrase::parse(case["passphrase"].as_str().unwrap()) else { continue };
        let ours: Vec<String> = passphrase.addresses().map(|address| address.to_string()).collect();
        for client in ["sdk_core_1_71_1", "arianeejs_1_119_0"] {
            let Some(address) = case[client]["address"].as_str() else { continue };
            assert!(ours.iter().any(|ours| ours == address), "{} by {client}", case["passphrase"]);
            told += 1;
        }
    }
    assert_eq!(told, 14);
}

#[test]
fn a_clear_passphrase_has_one_address() {
    for case in list(&vectors("request_token.json"), "cases") {
        let passphrase = Passphrase::parse(case["passphrase"].as_str().unwrap()).unwrap();
        let addresses: Vec<String> = passphrase.addresses().map(|address| address.to_string()).collect();
        assert_eq!(addresses, [case["passphraseAddress"].as_str().unwrap()]);
    }
}

#[test]
fn a_claim_that_a_wallet_signed_tells_the_passphrases_address() {
    let cases = vectors("request_token.json");
    let cases = list(&cases, "cases");
    assert_eq!(cases.len(), 3);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let passport = PassportId::parse(text("tokenId")).unwrap();
        let new_owner = WalletAddress::parse(text("newOwner")).unwrap();
        let message = ClaimMessage::new(passport, new_owner);
        assert_eq!(hex(message.as_bytes()), text("message_keccak"));
        let signature = Signature::parse(text("signature")).unwrap();
        assert_eq!(message.signer(&signature).unwrap().to_string(), text("recovered"));
        // The same signature claims nothing else, and for nobody else.
        let other = ClaimMessage::new(PassportId::new(passport.get() - 1).unwrap(), new_owner);
        assert_ne!(other.signer(&signature).unwrap().to_string(), text("recovered"));
        let other = ClaimMessage::new(passport, WalletAddress::from_bytes([1; 20]));
        assert_ne!(other.signer(&signature).unwrap().to_string(), text("recovered"));
    }
}

#[test]
fn a_token_that_a_wallet_made_is_the_wallets() {
    let vectors = vectors("aat.json");
    let now = Timestamp::from_micros(1_800_000_000_000_000);
    let verified = list(&vectors, "tokens").iter().map(|case| {
        assert_eq!(case["lib_valid_ignoring_exp"], true);
        AccessToken::verify(case["token"].as_str().unwrap(), now).unwrap()
    });
    for token in verified {
        assert_eq!(
            (token.wallet.to_string().as_str(), token.scope),
            (vectors["address"].as_str().unwrap(), Scope::Wallet)
        );
    }
}

#[test]
fn a_gateways_client_signs_as_the_passphrase() {
    let vectors = vectors("gateway_auth.json");
    let body: Value = serde_json::from_str(vectors["request_passphrase"]["body"].as_str().unwrap()).unwrap();
    let shown = &body["params"]["authentification"];
    let signature = Signature::parse(shown["signature"].as_str().unwrap()).unwrap();
    let signer = signature.signer(shown["message"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(signer.to_string(), vectors["recovered"].as_str().unwrap());
}

#[test]
fn a_contents_imprint_is_the_one_that_wallets_compute() {
    let vectors = vectors("imprints.json");
    let cases = list(&vectors, "own");
    let mut computed = 0;
    for case in cases {
        let imprint = Imprint::of(&Content::parse(&case["content"].to_string()).unwrap());
        assert_eq!(imprint.unwrap().to_string(), case["imprint"].as_str().unwrap(), "{}", case["content"]);
        computed += 1;
    }
    assert_eq!(computed, 4);
}

#[test]
fn whatever_javascript_reads_as_a_number_is_ambiguous() {
    let check = |text: &str, expected: bool| {
        assert_eq!(Passphrase::parse(text).unwrap().is_ambiguous(), expected, "{text}");
    };
    // Spelt as `Number` takes them.
    for number in ["0", "00", "12.5", ".5", "5.", "1e5", "1E5", "1e+5", "1e-5", "-1", "+1", "-Infinity", "+Infinity"] {
        check(number, true);
    }
    for number in ["0xff", "0XFF", "0b101", "0B1", "0o17", "0O17", "Infinity"] {
        check(number, true);
    }
    for word in ["v6lsj4vhg5dx", "infinity", "nan", "NaN", "test", "0xfg", "1e5z"] {
        check(word, false);
    }
}
