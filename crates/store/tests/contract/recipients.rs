//! Recipients can be forgotten, and the history stays.

use passpool_core::{RecipientId, Reference, Refusal};
use passpool_store::{RecipientPage, ResetScope};

use crate::{
    links::{ALICE, claim, knowing},
    shop::{Shop, at, id, journal, refusal, tagged},
};

async fn list(shop: &Shop, reference: Option<&str>, after: Option<RecipientId>, limit: usize) -> Vec<String> {
    let reference = reference.map(|reference| Reference::parse(reference).unwrap());
    let page = RecipientPage { reference, after, limit };
    let found = shop.store().recipients(page).await.unwrap();
    let name = |info: &passpool_store::RecipientInfo| {
        let reference = info.recipient.recipient.reference().unwrap();
        format!("{reference} {}", info.passport)
    };
    found.iter().map(name).collect()
}

pub(crate) async fn recipients_are_listed_and_erased(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let first = shop.reserve_as(shop.kept("vip", 3, &["A", "B", "C"])).await.unwrap();
    shop.reserve_as(shop.kept("vip", 2, &["B", "D"])).await.unwrap();
    assert_eq!(list(shop, None, None, 10).await, ["A 1", "B 2", "C 3", "B 4", "D 5"]);
    let of = |at: usize| first.handed_out[at].recipient.as_ref().unwrap().id;
    assert_eq!(list(shop, None, Some(of(1)), 2).await, ["C 3", "B 4"]);
    assert_eq!(list(shop, Some("B"), None, 10).await, ["B 2", "B 4"]);
    assert_eq!(list(shop, Some("B"), Some(of(1)), 10).await, ["B 4"]);

    let history = journal(shop).await;
    shop.store().erase_recipient(of(0)).await.unwrap();
    assert_eq!(shop.store().erase_recipient(of(0)).await.map_err(refusal), Err(Refusal::UnknownRecipient(of(0))));
    assert_eq!(shop.store().erase_recipients_of(Reference::parse("B").unwrap()).await.unwrap(), 2);
    assert_eq!(shop.store().erase_recipients_of(Reference::parse("B").unwrap()).await.unwrap(), 0);
    assert_eq!(list(shop, None, None, 10).await, ["C 3", "D 5"]);
    assert_eq!(journal(shop).await, history, "the history is untouched");
    assert_eq!(shop.store().passport(id(1), at(0)).await.unwrap().unwrap().recipient, None);
}

pub(crate) async fn recipients_are_forgotten_when_their_last_passport_has_left_for_long(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let first = shop.reserve_as(shop.kept("vip", 4, &["A", "B", "C", "D"])).await.unwrap();
    shop.reserve_as(shop.kept("vip", 1, &["A"])).await.unwrap();
    claim(shop, id(1), knowing(&first.handed_out[0]), ALICE).await.unwrap();
    shop.reset(ResetScope::Named(vec![id(2)]), at(10)).await.unwrap();
    let wish = passpool_store::OfPassport { passport: id(3), by: passpool_core::Actor::CommandLine, now: at(20) };
    shop.store().withdraw(wish).await.unwrap();
    let forget = async |before| shop.store().forget_recipients(at(before)).await.unwrap();
    assert_eq!(forget(10).await, 0, "A has another passport that may be claimed still");
    assert_eq!(forget(11).await, 1);
    assert_eq!(list(shop, None, None, 10).await, ["A 1", "C 3", "D 4", "A 5"]);
    assert_eq!(forget(1_000).await, 1);
    shop.reset(tagged("vip"), at(30)).await.unwrap();
    assert_eq!(forget(30).await, 0);
    assert_eq!(forget(31).await, 3);
    assert_eq!(list(shop, None, None, 10).await, [""; 0]);
}

pub(crate) async fn no_name_is_left_in_the_file(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    shop.reserve_as(shop.kept("vip", 2, &["Xanthippe-77", "Yorick-88"])).await.unwrap();
    shop.store().erase_recipients_of(Reference::parse("Xanthippe-77").unwrap()).await.unwrap();
    shop.store().erase_recipients_of(Reference::parse("Yorick-88").unwrap()).await.unwrap();
    shop.reopen().await; // The log is taken into the file when it is closed.
    let file = std::fs::read(shop.backend.file()).unwrap();
    for name in ["Xanthippe-77", "Yorick-88"] {
        assert!(!file.windows(name.len()).any(|window| window == name.as_bytes()), "{name} is in the file");
    }
}
