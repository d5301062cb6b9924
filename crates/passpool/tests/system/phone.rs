//! A phone: what a holder meets in a real browser.

use crate::{
    browser::Browser,
    shop::{Server, Shop},
};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const CONTENT: &str = r#"{""language"":""en-US"",""name"":""Chronograph 41"",""image"":""https://127.0.0.1:9/nowhere.jpg"",""subBrand"":""Maison Exemple"",""description"":""A steel chronograph, finished by one watchmaker from the first screw to the last."",""serialnumber"":[{""type"":""serialnumber"",""value"":""SN-2026-00041""}],""attributes"":[{""type"":""strap"",""value"":""Calfskin, brown""}],""externalContents"":[{""title"":""Our house"",""url"":""https://brand.example/""}]}"#;

/// A wallet as browsers have them, which does what `answer` says when it is asked for an address.
fn wallet(answer: &str) -> String {
    format!("window.ethereum = {{ request: async ({{ method }}) => {{ window.asked = method; {answer} }} }};")
}

/// A wallet that announces itself, and is nowhere else to be found.
fn announced(answer: &str) -> String {
    format!(
        "const provider = {{ request: async () => {{ {answer} }} }};
         window.addEventListener('eip6963:requestProvider', () => window.dispatchEvent(
             new CustomEvent('eip6963:announceProvider', {{ detail: {{ info: {{ name: 'W' }}, provider }} }})));"
    )
}

/// A reserved passport, and the address of its page.
fn reserved(shop: &Shop) -> (Server, String) {
    shop.import(&[&format!("7,sesameopen,vip,\"{CONTENT}\"")]);
    shop.done(&["reserve", "--tags", "vip"]);
    let server = shop.serve();
    let page = format!("http://{}/7,sesameopen", server.host());
    (server, page)
}

#[test]
fn a_press_of_the_button_claims_with_the_browsers_wallet() {
    for script in [wallet(&format!("return ['{ALICE}'];")), announced(&format!("return ['{ALICE}'];"))] {
        let shop = Shop::empty();
        let (_server, page) = reserved(&shop);
        let browser = Browser::with(&script);
        browser.open(&page);
        browser.shows("Chronograph 41");
        browser.shows("Claim with my wallet");
        browser.shows_without_scrolling("#press");
        browser.looks_right("passport");
        assert_eq!(shop.count("scanned"), 1);
        browser.press("#press");
        browser.shows("This passport is yours");
        browser.shows(ALICE);
        browser.looks_right("yours");
        assert_eq!(shop.sql("SELECT lower(hex(owner)) FROM passport"), ALICE[2..].to_lowercase());
        // It is the owner's browser from now on, and only that.
        browser.open(&page);
        browser.shows("This passport is yours");
        let other = Browser::with("");
        other.open(&page);
        other.shows("This link opens nothing");
        other.looks_right("dead");
    }
}

#[test]
fn without_a_wallet_the_address_is_typed() {
    let shop = Shop::empty();
    let (_server, page) = reserved(&shop);
    let browser = Browser::with("");
    browser.open(&page);
    browser.shows("Address of your wallet");
    browser.looks_right("typed");
    browser.write("#owner", &ALICE.replace("C5", "c5"));
    browser.press("#press");
    browser.shows("This address is mistyped");
    browser.looks_right("mistyped");
    assert_eq!(shop.count("claimed"), 0);
    browser.run("document.getElementById('owner').value = ''");
    browser.write("#owner", ALICE);
    browser.press("#press");
    browser.shows("This passport is yours");
}

#[test]
fn a_wallet_that_says_no_leaves_the_typing() {
    let shop = Shop::empty();
    let (_server, page) = reserved(&shop);
    let browser = Browser::with(&wallet("throw new Error('no');"));
    browser.open(&page);
    browser.press("#press");
    browser.shows("Your wallet gave no address");
    browser.write("#owner", ALICE);
    browser.press("#press");
    browser.shows("This passport is yours");
}

#[test]
fn a_kiosk_is_a_button_and_leads_to_a_passport() {
    let shop = Shop::with(1, "expo");
    shop.done(&["kiosk", "add", "expo", "--tag", "expo"]);
    let server = shop.serve();
    let kiosk = format!("http://{}/k/expo", server.host());
    let browser = Browser::with(&wallet(&format!("return ['{ALICE}'];")));
    browser.open(&kiosk);
    browser.shows("Get my passport");
    browser.looks_right("kiosk");
    browser.press("button.main");
    browser.shows("Reserved for you until");
    let hour = browser.run("return document.querySelector('time').textContent").as_str().unwrap().to_owned();
    assert!(hour.contains(':') && !hour.contains("UTC"), "{hour}: it is the visitor's own time");
    let late = Browser::with("");
    late.open(&kiosk);
    late.press("button.main");
    late.shows("All passports are taken");
    late.looks_right("empty");
    late.press("a.main");
    late.shows("Get my passport");
    browser.press("#press");
    browser.shows("This passport is yours");
    assert_eq!(shop.count("claimed"), 1);
}
