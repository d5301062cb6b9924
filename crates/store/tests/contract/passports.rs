//! Passports: found, shown whole, and changed.

use passpool_core::{Actor, Content, Event, PassportId, Reference, Refusal, Reserve, Rule, StateName, Tag, Tags};
use passpool_store::{
    Cursor, EditPassport, ListedPassport, OfPassport, PassportFilter, PassportPage, PoolPage, Version,
};

use crate::shop::{Shop, at, id, ids, refusal, selector};

async fn list(shop: &Shop, filter: &PassportFilter, limit: usize, now: i64) -> Vec<ListedPassport> {
    let mut found = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let page = PassportPage { after, limit, now: at(now) };
        let page = shop.store().passports(filter.clone(), page).await.unwrap();
        assert!(page.items.len() <= limit);
        found.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

async fn listed(shop: &Shop, filter: PassportFilter, limit: usize, now: i64) -> Vec<u64> {
    list(shop, &filter, limit, now).await.iter().map(|found| found.passport.get()).collect()
}

fn edit(passport: PassportId, tags: Option<&str>, now: i64) -> EditPassport {
    let tags = tags.map(|tags| Tags::parse_list(tags).unwrap());
    EditPassport { passport, if_one_of: None, tags, content: None, by: Actor::CommandLine, now: at(now) }
}

async fn version(shop: &Shop, passport: PassportId) -> Version {
    shop.store().passport(passport, at(0)).await.unwrap().unwrap().version
}

pub(crate) async fn a_list_is_of_what_matches(shop: &Shop) {
    shop.stock(1, 6_000, "vip").await;
    shop.stock(6_001, 10, "vip,gold").await;
    shop.reserve_as(Reserve { until: Some(at(60)), ..shop.wish("gold", 4) }).await.unwrap();
    let tagged =
        |tags: &str, rule| PassportFilter { selector: Some(selector(tags, rule)), ..PassportFilter::default() };
    assert_eq!(listed(shop, tagged("gold", Rule::And), 3, 1).await, (6_001..=6_010).collect::<Vec<_>>());
    assert_eq!(listed(shop, tagged("vip", Rule::And), 1_000, 1).await, (1..=6_010).collect::<Vec<_>>());
    assert_eq!(listed(shop, tagged("gold,nobody", Rule::And), 10, 1).await, [0; 0]);
    assert_eq!(listed(shop, tagged("gold,nobody", Rule::Or), 10, 1).await.len(), 10);
    let in_state = |state, tags: &str| PassportFilter { state: Some(state), ..tagged(tags, Rule::And) };
    assert_eq!(listed(shop, in_state(StateName::Reserved, "gold"), 10, 59).await, [6_001, 6_002, 6_003, 6_004]);
    assert_eq!(listed(shop, in_state(StateName::Reserved, "gold"), 10, 60).await, [0; 0], "holds that ended are over");
    assert_eq!(listed(shop, in_state(StateName::Available, "gold"), 10, 59).await.len(), 6);
    assert_eq!(listed(shop, in_state(StateName::Available, "gold"), 10, 60).await.len(), 10);
    assert_eq!(listed(shop, PassportFilter::default(), 7_000, 1).await.len(), 6_010);
}

pub(crate) async fn a_list_is_stable_while_passports_are_made(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    let page = async |after| {
        let page = PassportPage { after, limit: 4, now: at(0) };
        let page = shop.store().passports(PassportFilter::default(), page).await.unwrap();
        (page.items.iter().map(|found| found.passport.get()).collect::<Vec<_>>(), page.next)
    };
    let (first, next) = page(None).await;
    shop.stock(100, 2, "vip").await;
    shop.reserve("vip", 6).await.unwrap();
    let (second, next) = page(next).await;
    let (third, next) = page(next).await;
    assert_eq!((first, second, third), (vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9, 10, 100, 101]));
    assert_eq!(next, None);
}

pub(crate) async fn a_list_of_changes_misses_nothing(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    shop.reserve_as(Reserve { now: at(100), ..shop.wish("vip", 2) }).await.unwrap();
    shop.reserve_as(Reserve { now: at(200), ..shop.wish("vip", 2) }).await.unwrap();
    let since = |seconds| PassportFilter { changed_since: Some(at(seconds)), ..PassportFilter::default() };
    assert_eq!(listed(shop, since(100), 3, 300).await, [1, 2, 3, 4]);
    assert_eq!(listed(shop, since(101), 3, 300).await, [3, 4]);
    assert_eq!(listed(shop, since(201), 3, 300).await, [0; 0]);
    shop.reset(passpool_store::ResetScope::Named(vec![id(1)]), at(300)).await.unwrap();
    assert_eq!(listed(shop, since(100), 3, 300).await, [2, 3, 4, 1], "the last change comes last");
    let vip_reserved = PassportFilter { state: Some(StateName::Reserved), ..since(0) };
    assert_eq!(listed(shop, vip_reserved, 1, 300).await, [2, 3, 4]);
}

pub(crate) async fn a_list_is_of_one_persons_passports(shop: &Shop) {
    shop.stock(1, 10, "vip").await;
    shop.reserve_as(shop.kept("vip", 2, &["A", "B"])).await.unwrap();
    shop.reserve_as(shop.kept("vip", 2, &["C", "A"])).await.unwrap();
    let of = |reference: &str| PassportFilter {
        reference: Some(Reference::parse(reference).unwrap()),
        ..PassportFilter::default()
    };
    assert_eq!(listed(shop, of("A"), 1, 1).await, [1, 4]);
    assert_eq!(listed(shop, of("a"), 10, 1).await, [0; 0]);
    shop.reset(passpool_store::ResetScope::Named(vec![id(1)]), at(2)).await.unwrap();
    assert_eq!(listed(shop, of("A"), 10, 3).await, [4], "what was given back is nobody's");
}

pub(crate) async fn one_passport_is_shown_whole(shop: &Shop) {
    shop.stock(1, 3, "gold,vip").await;
    let wish = Reserve { until: Some(at(500)), ..shop.kept("vip", 1, &["A"]) };
    shop.reserve_as(wish).await.unwrap();
    shop.reset(passpool_store::ResetScope::Named(vec![id(1)]), at(20)).await.unwrap();
    let wish = Reserve { now: at(30), until: Some(at(500)), ..shop.kept("vip", 1, &["B"]) };
    shop.reserve_as(wish.clone()).await.unwrap();
    let shown = shop.store().passport(id(1), at(40)).await.unwrap().unwrap();
    assert_eq!((shown.passport, shown.state.name()), (id(1), StateName::Reserved));
    assert_eq!(shown.tags, Tags::parse_list("gold,vip").unwrap());
    assert_eq!(shown.content, Content::empty());
    let hand_out = shown.hand_out().unwrap();
    assert_eq!((hand_out.at, hand_out.until), (at(30), Some(at(500))));
    assert_eq!(hand_out.reservation, wish.keep.map(|kept| kept.id));
    assert_eq!(shown.recipient.unwrap().recipient.reference().unwrap().as_str(), "B");
    let events: Vec<Event> = shown.history.iter().map(|row| row.event).collect();
    assert_eq!(events, [Event::Created, Event::Reserved, Event::Reset, Event::Reserved]);
    assert_eq!(shown.history[2].at, at(20));
    let ended = shop.store().passport(id(1), at(500)).await.unwrap().unwrap();
    assert_eq!((ended.state.name(), ended.recipient), (StateName::Available, None));
    assert_eq!(shop.store().passport(id(9), at(0)).await.unwrap(), None);
}

pub(crate) async fn tags_move_with_the_counts_and_the_pool(shop: &Shop) {
    shop.stock(1, 4, "vip").await;
    shop.reserve("vip", 1).await.unwrap();
    shop.store().edit_passport(edit(id(1), Some("gold"), 1)).await.unwrap();
    shop.store().edit_passport(edit(id(2), Some("gold,vip"), 1)).await.unwrap();
    shop.store().edit_passport(edit(id(3), Some(""), 1)).await.unwrap();
    let (vip, gold) = (shop.counts("vip", at(2)).await, shop.counts("gold", at(2)).await);
    assert_eq!((vip.total(), vip.of(StateName::Available)), (2, 2));
    assert_eq!((gold.of(StateName::Reserved), gold.of(StateName::Available)), (1, 1));
    assert_eq!(ids(&shop.reserve("gold", 1).await.unwrap()), [2], "it can be had by the new tag");
    assert_eq!(ids(&shop.reserve("vip", 1).await.unwrap()), [4]);
    assert_eq!(shop.reserve("vip", 1).await, Err(Refusal::PoolShort { available: 0 }));
    assert_eq!(shop.reset(crate::shop::tagged("gold"), at(3)).await, Ok(2), "a reset means the tags of its moment");
    let history = shop.store().passport(id(1), at(3)).await.unwrap().unwrap().history;
    let detail = history.iter().find(|row| row.event == Event::Retagged).unwrap().detail.clone().unwrap();
    assert!(detail.ends_with(r#""added":["gold"],"removed":["vip"]}"#), "{detail}");
}

/// Neighbours share what is kept of their tags. Each of them gets other tags, gives up old ones, and goes the other way
/// round than the one beside it.
pub(crate) async fn neighbours_change_their_tags_at_once(shop: &Shop) {
    const PASSPORTS: u64 = 130;
    shop.stock(1, PASSPORTS, "a,b").await;
    for round in 0..crate::shop::rounds(20, 2) {
        let wishes = (1..=PASSPORTS).map(|number| {
            let tags = ["c,d,e", "e,b", "b,a", "a,c", ""][((number + round) % 5) as usize];
            let (store, wish) = (shop.store(), edit(id(number), Some(tags), 1));
            tokio::spawn(async move { store.edit_passport(wish).await })
        });
        for edited in wishes.collect::<Vec<_>>() {
            edited.await.unwrap().unwrap();
        }
        let report = shop.store().check().await.unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
    }
    let has = |tags, rule| PassportFilter { selector: Some(selector(tags, rule)), ..PassportFilter::default() };
    for (tags, rule, any, all) in [
        ("c", Rule::And, vec!["c"], vec!["c"]),
        ("a,b", Rule::And, vec!["a", "b"], vec!["a", "b"]),
        ("e,c", Rule::Or, vec!["e", "c"], vec![]),
    ] {
        let mut expected = Vec::new();
        for number in 1..=PASSPORTS {
            let shown = shop.store().passport(id(number), at(2)).await.unwrap().unwrap();
            let has = |tag: &&str| shown.tags.contains(&Tag::parse(tag).unwrap());
            if any.iter().any(has) && all.iter().all(has) {
                expected.push(number);
            }
        }
        assert!(!expected.is_empty());
        assert_eq!(listed(shop, has(tags, rule), 7, 2).await, expected, "{tags}");
    }
}

pub(crate) async fn a_change_names_the_version_that_was_seen(shop: &Shop) {
    shop.stock(1, 2, "vip").await;
    let seen = version(shop, id(1)).await;
    let wish = |tags| EditPassport { if_one_of: Some(vec![seen]), ..edit(id(1), Some(tags), 1) };
    let changed = shop.store().edit_passport(wish("a,b")).await.unwrap();
    assert_eq!(changed, version(shop, id(1)).await);
    assert_eq!(shop.store().edit_passport(wish("c")).await.map_err(refusal), Err(Refusal::Changed));
    let nothing = EditPassport { if_one_of: Some(vec![changed, seen]), ..edit(id(1), Some("b,a"), 1) };
    assert_eq!(shop.store().edit_passport(nothing).await.unwrap(), changed, "the same tags are no change");
    let content = Content::parse(r#"{"name":"Ada's"}"#).unwrap();
    let both = EditPassport { content: Some(content.clone()), ..edit(id(1), Some("c"), 2) };
    shop.store().edit_passport(both).await.unwrap();
    let shown = shop.store().passport(id(1), at(2)).await.unwrap().unwrap();
    assert_eq!((shown.content, shown.tags), (content, Tags::parse_list("c").unwrap()));
    let events: Vec<Event> = shown.history.iter().map(|row| row.event).collect();
    assert_eq!(events, [Event::Created, Event::Retagged, Event::Retagged, Event::Edited]);

    // A user who looks at the link does not spoil the version.
    shop.reserve("vip", 1).await.unwrap();
    let seen = version(shop, id(2)).await;
    let look = passpool_store::ShowLinks {
        of: passpool_store::LinksOf::Passport(id(2)),
        with_content: false,
        by: Actor::CommandLine,
        now: at(3),
    };
    shop.store().show_links(look).await.unwrap();
    assert_eq!(version(shop, id(2)).await, seen);

    shop.store().withdraw(OfPassport { passport: id(1), by: Actor::CommandLine, now: at(4) }).await.unwrap();
    let refused = shop.store().edit_passport(edit(id(1), Some("d"), 5)).await.map_err(|error| refusal(error).code());
    assert_eq!(refused, Err("wrong-state"));
    let unknown = shop.store().edit_passport(edit(id(9), Some("d"), 5)).await.map_err(refusal);
    assert_eq!(unknown, Err(Refusal::UnknownPassport(id(9))));
}

pub(crate) async fn pools_are_listed_by_name(shop: &Shop) {
    for (n, tag) in ["delta", "alpha", "charlie", "bravo"].into_iter().enumerate() {
        shop.stock(1 + 10 * n as u64, n as u64 + 1, &format!("all,{tag}")).await;
    }
    shop.store().edit_passport(edit(id(1), Some("all"), 1)).await.unwrap();
    shop.reserve("bravo", 3).await.unwrap();
    let page = async |after: Option<&str>, limit| {
        let page = PoolPage { after: after.map(|tag| Tag::parse(tag).unwrap()), limit, now: at(2) };
        let pools = shop.store().pools(page).await.unwrap();
        pools.iter().map(|(tag, counts)| (tag.to_string(), counts.total())).collect::<Vec<_>>()
    };
    let named = |name: &str, total| (name.to_owned(), total);
    assert_eq!(page(None, 2).await, [named("all", 10), named("alpha", 2)]);
    assert_eq!(page(Some("alpha"), 2).await, [named("bravo", 4), named("charlie", 3)]);
    assert_eq!(page(Some("charlie"), 2).await, [], "nobody has the tag delta any more");
    let bravo = shop.counts("bravo", at(2)).await;
    assert_eq!((bravo.of(StateName::Reserved), bravo.of(StateName::Available)), (3, 1));
}
