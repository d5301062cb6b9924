//! Kiosks: one address, and a passport for everybody who comes.

use passpool_core::{
    Actor, Event, HandedOut, Hours, Kiosk, KioskId, KioskName, KioskVisitor, Refusal, Rule, SecretId, Selector, State,
    Tag, Timestamp, WholeSeconds,
};
use tokio_postgres::Row;

use super::{
    connection::Session,
    content,
    ledger::Ledger,
    passport::{PassportRow, Reading},
    pick::{self, HandOuts, Locked, TakeError},
    reserve::handed_out,
    shelf::Shelf,
    typed::typed,
    visit::{self, Turn},
};
use crate::{Door, Fault, Given, KioskInfo, StoreError, Visit};

/// How often a passport may be snatched away and given back under the eyes of one visitor. It is rare once.
const TRIES: usize = 100;

pub(super) async fn add(db: &Session, kiosk: &Kiosk, now: Timestamp) -> Result<(), StoreError> {
    let tags: Vec<&str> = kiosk.selector.tags().iter().map(Tag::as_str).collect();
    let sql = "INSERT INTO kiosk (name, rule, tags, hold, per_visitor, opens, closes, made_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let added = db
        .execute(
            sql,
            typed![
                kiosk.name.as_str(),
                kiosk.selector.rule().as_str(),
                tags.join(","),
                kiosk.hold.get().cast_signed(),
                i64::from(kiosk.per_visitor),
                kiosk.opens.map(Timestamp::as_micros),
                kiosk.closes.map(Timestamp::as_micros),
                now.as_micros(),
            ],
        )
        .await;
    match added? {
        0 => Err(Refusal::KioskExists(kiosk.name.clone()).into()),
        _ => Ok(()),
    }
}

pub(super) async fn close(db: &Session, name: &KioskName, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE kiosk SET closes = least(closes, $1) WHERE name = $2";
    match db.execute(sql, typed![now.as_micros(), name.as_str()]).await? {
        0 => Err(Refusal::UnknownKiosk(name.clone()).into()),
        _ => Ok(()),
    }
}

pub(super) async fn by_name(db: &Session, name: &KioskName) -> Result<Option<(KioskId, Kiosk)>, Fault> {
    let row = db.query_opt("SELECT * FROM kiosk WHERE name = $1", typed![name.as_str()]).await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn list(db: &Session, now: Timestamp) -> Result<Vec<KioskInfo>, Fault> {
    let sql = "SELECT kiosk.*,
            (SELECT count(*) FROM visit JOIN passport ON seq = passport
             WHERE visit.kiosk = kiosk.id AND state IN (1, 2) AND (until IS NULL OR until > $1)) AS held,
            (SELECT count(*) FROM visit WHERE visit.kiosk = kiosk.id AND owner IS NOT NULL) AS claimed
        FROM kiosk ORDER BY id";
    let rows = db.query(sql, typed![now.as_micros()]).await?;
    let info = |row: &Row| {
        let count = |column| row.try_get::<_, i64>(column).map(i64::cast_unsigned);
        Ok(KioskInfo { kiosk: read(row)?.1, held: count("held")?, claimed: count("claimed")? })
    };
    rows.iter().map(info).collect()
}

/// The kiosk behind a door, open at this moment.
pub(super) async fn enter(db: &Session, door: &Door, now: Timestamp) -> Result<(KioskId, Kiosk), StoreError> {
    match door {
        Door::Name(name) => {
            let (id, kiosk) = by_name(db, name).await?.ok_or(Refusal::NoKiosk)?;
            match kiosk.hours(now) {
                Hours::Open => Ok((id, kiosk)),
                Hours::NotYet { opens } => Err(Refusal::KioskNotYetOpen { opens }.into()),
                Hours::Over => Err(Refusal::KioskClosed.into()),
            }
        }
        Door::Tag(tag) => {
            let names_it = |kiosk: &Kiosk| kiosk.hours(now) == Hours::Open && kiosk.selector.tags().contains(tag);
            let found = all(db).await?.into_iter().find(|(_, kiosk)| names_it(kiosk));
            Ok(found.ok_or(Refusal::NoKiosk)?)
        }
    }
}

pub(super) async fn visit(shelf: &Shelf, wish: &Visit) -> Result<Given, StoreError> {
    let mut locked = Locked::Skip { from: 0 };
    for _ in 0..TRIES {
        let ledger = shelf.ledger().await?;
        match attempt(shelf, &ledger, wish, locked).await {
            Ok(Attempt::Given(given)) => {
                ledger.commit().await?;
                return Ok(given);
            }
            Ok(Attempt::Overtaken) => ledger.roll_back().await,
            Ok(Attempt::Short) if locked == Locked::Wait => {
                ledger.roll_back().await;
                return Err(Refusal::PoolShort { available: 0 }.into());
            }
            Ok(Attempt::Short) => {
                ledger.roll_back().await;
                // Passports whose time is over count as free, whether or not the worker came by; and what others have
                // locked is not gone.
                shelf.end_all_due(wish.now).await?;
                locked = Locked::Wait;
            }
            Err(error) => {
                ledger.roll_back().await;
                return Err(error);
            }
        }
    }
    Err(Fault::Locked.into())
}

/// What came of one transaction.
enum Attempt {
    Given(Given),
    Short,
    Overtaken,
}

async fn attempt(shelf: &Shelf, ledger: &Ledger, wish: &Visit, locked: Locked) -> Result<Attempt, StoreError> {
    let (id, kiosk) = enter(ledger, &wish.door, wish.now).await?;
    // One visitor who comes twice at the same moment is served once.
    Turn::Visitor(id, wish.visitor).take(ledger).await?;
    if let Some(given) = given_before(ledger, id, &kiosk, wish).await? {
        return Ok(Attempt::Given(given));
    }
    Turn::Address(wish.address).take(ledger).await?;
    if visit::count_held(ledger, wish.address, wish.now).await? >= u64::from(wish.held_at_most) {
        return Err(Refusal::TooManyHeld.into());
    }
    let Some(wanted) = shelf.tags.resolve(ledger, &wanted(&kiosk, &wish.door)?).await? else {
        return Ok(Attempt::Short);
    };
    let taken = pick::take(ledger, &wanted, locked, 1, &hand_out(id, kiosk.hold, wish)).await;
    let taken = match taken {
        Ok(taken) => taken.passports.into_iter().next(),
        Err(TakeError::Overtaken) => return Ok(Attempt::Overtaken),
        Err(TakeError::Fault(fault)) => return Err(fault.into()),
    };
    let Some((row, json)) = taken else { return Ok(Attempt::Short) };
    visit::write(ledger, id, wish.visitor, wish.address, row.seq).await?;
    let until = Some(wish.now.plus(kiosk.hold));
    Ok(Attempt::Given(Given::Held { passport: handed_out(&row, json, wish.with_content)?, until }))
}

/// What the visitor has of the kiosk already, if that is all it may have: what it holds, or the last one that it owns if
/// those are as many as it may own. (An undone reset may have left it one to hold beside them.)
async fn given_before(ledger: &Ledger, id: KioskId, kiosk: &Kiosk, wish: &Visit) -> Result<Option<Given>, StoreError> {
    let mut seqs = visit::of(ledger, id, wish.visitor).await?;
    if let KioskVisitor::Wallet(wallet) = wish.visitor {
        seqs.extend(visit::owned_by(ledger, id, wallet).await?);
    }
    let (mut held, mut owned) = (None, Vec::new());
    for row in PassportRow::by_seqs(ledger, &seqs, Reading::Only).await? {
        let row = row.with(row.state.clone().as_of(wish.now));
        match &row.state {
            State::Reserved(hand_out) | State::Scanned(hand_out) => {
                let until = hand_out.until;
                held = held.or(Some((row, until)));
            }
            State::Pending { .. } | State::Claimed { .. } => owned.push(row),
            State::Available(_) | State::Recovered | State::Withdrawn => {}
        }
    }
    if let Some(last) = owned.last().filter(|_| owned.len() as u64 >= u64::from(kiosk.per_visitor)) {
        return Ok(Some(Given::Owned(show(ledger, last, wish.with_content).await?)));
    }
    let Some((row, until)) = held else { return Ok(None) };
    Ok(Some(Given::Held { passport: show(ledger, &row, wish.with_content).await?, until }))
}

/// What the kiosk gives at this door. Of an `or` only the tag that was asked for.
fn wanted(kiosk: &Kiosk, door: &Door) -> Result<Selector, Fault> {
    match (door, kiosk.selector.rule()) {
        (Door::Tag(tag), Rule::Or) => {
            Selector::new([tag.clone()], Rule::And).map_err(|error| Fault::Damaged(error.to_string()))
        }
        _ => Ok(kiosk.selector.clone()),
    }
}

fn hand_out(kiosk: KioskId, hold: WholeSeconds, wish: &Visit) -> HandOuts {
    HandOuts {
        event: Event::Reserved,
        numbers: vec![wish.seed.number().get().cast_signed()],
        secret: SecretId::FIRST.0.into(),
        ats: vec![wish.now.as_micros()],
        untils: vec![wish.now.plus(hold).as_micros()],
        by: vec![1],
        actors: vec![Actor::Visitor.to_string()],
        reservation: None,
        detail: format!(",\"kiosk\":{}", kiosk.0),
        recipients: Vec::new(),
        settle_by: None,
        kiosk: Some(kiosk.0.cast_signed()),
        with_content: wish.with_content,
    }
}

async fn show(db: &Session, row: &PassportRow, with_content: bool) -> Result<HandedOut, Fault> {
    let content = if with_content { Some(content::of(db, row.content).await?) } else { None };
    let json = content.map(|content| content.as_str().to_owned());
    handed_out(row, json, with_content)
}

async fn all(db: &Session) -> Result<Vec<(KioskId, Kiosk)>, Fault> {
    db.query("SELECT * FROM kiosk ORDER BY id", typed![]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<(KioskId, Kiosk), Fault> {
    let id: i32 = row.try_get("id")?;
    let damaged = |what: &str| Fault::Damaged(format!("kiosk number {id}: {what}"));
    let moment = |column| row.try_get::<_, Option<i64>>(column).map(|micros| micros.map(Timestamp::from_micros));
    let tags: &str = row.try_get("tags")?;
    let tags: Vec<Tag> = tags.split(',').map(Tag::parse).collect::<Result<_, _>>().map_err(|_| damaged("its tags"))?;
    let rule = Rule::parse(row.try_get("rule")?).map_err(|_| damaged("its rule"))?;
    let hold = WholeSeconds::new(row.try_get::<_, i32>("hold")?.cast_unsigned().into());
    let per_visitor = u32::try_from(row.try_get::<_, i64>("per_visitor")?);
    let kiosk = Kiosk {
        name: KioskName::parse(row.try_get("name")?).map_err(|_| damaged("its name"))?,
        selector: Selector::new(tags, rule).map_err(|_| damaged("its tags"))?,
        hold: hold.map_err(|_| damaged("its hold"))?,
        per_visitor: per_visitor.map_err(|_| damaged("its number for each visitor"))?,
        opens: moment("opens")?,
        closes: moment("closes")?,
    };
    Ok((KioskId(id.cast_unsigned()), kiosk))
}
