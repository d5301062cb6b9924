//! Kiosks: one address, and a passport for everybody who comes.

use passpool_core::{
    Actor, Event, HandedOut, Hours, Kiosk, KioskId, KioskName, KioskVisitor, Refusal, Rule, SecretId, Selector, State,
    Tag, Terms, Timestamp, WholeSeconds,
};
use rusqlite::{Connection, ErrorCode, Row, params};

use super::{
    content, hold,
    ledger::{Change, Ledger},
    passport::PassportRow,
    visit,
};
use crate::{Door, Fault, Given, KioskInfo, StoreError, Visit};

macro_rules! columns {
    () => {
        "id, name, rule, tags, hold, per_visitor, opens, closes"
    };
}

pub(super) fn add(db: &Connection, kiosk: &Kiosk, now: Timestamp) -> Result<(), StoreError> {
    let tags: Vec<&str> = kiosk.selector.tags().iter().map(Tag::as_str).collect();
    let sql = "INSERT INTO kiosk (name, rule, tags, hold, per_visitor, opens, closes, made_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let added = db.prepare_cached(sql)?.execute(params![
        kiosk.name.as_str(),
        kiosk.selector.rule().as_str(),
        tags.join(","),
        kiosk.hold.get(),
        kiosk.per_visitor,
        kiosk.opens.map(Timestamp::as_micros),
        kiosk.closes.map(Timestamp::as_micros),
        now.as_micros(),
    ]);
    match added {
        Ok(_) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(Refusal::KioskExists(kiosk.name.clone()).into())
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn close(db: &Connection, name: &KioskName, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE kiosk SET closes = min(ifnull(closes, ?1), ?1) WHERE name = ?2";
    match db.prepare_cached(sql)?.execute(params![now.as_micros(), name.as_str()])? {
        0 => Err(Refusal::UnknownKiosk(name.clone()).into()),
        _ => Ok(()),
    }
}

pub(super) fn by_name(db: &Connection, name: &KioskName) -> Result<Option<(KioskId, Kiosk)>, Fault> {
    let mut statement = db.prepare_cached(concat!("SELECT ", columns!(), " FROM kiosk WHERE name = ?"))?;
    let mut rows = statement.query([name.as_str()])?;
    rows.next()?.map(read).transpose()
}

pub(super) fn list(db: &Connection, now: Timestamp) -> Result<Vec<KioskInfo>, Fault> {
    let held = "SELECT count(*) FROM visit JOIN passport ON seq = passport \
                WHERE visit.kiosk = ? AND state IN (1, 2) AND (until IS NULL OR until > ?)";
    let claimed = "SELECT count(*) FROM passport INDEXED BY passport_kiosk WHERE kiosk = ? AND owner IS NOT NULL";
    let count = |kiosk: &(KioskId, Kiosk)| {
        Ok(KioskInfo {
            kiosk: kiosk.1.clone(),
            held: db.prepare_cached(held)?.query_row((kiosk.0.0, now.as_micros()), |row| row.get(0))?,
            claimed: db.prepare_cached(claimed)?.query_row([kiosk.0.0], |row| row.get(0))?,
        })
    };
    all(db)?.iter().map(count).collect()
}

/// The kiosk behind a door, open at this moment.
pub(super) fn enter(db: &Connection, door: &Door, now: Timestamp) -> Result<(KioskId, Kiosk), StoreError> {
    match door {
        Door::Name(name) => {
            let (id, kiosk) = by_name(db, name)?.ok_or(Refusal::NoKiosk)?;
            match kiosk.hours(now) {
                Hours::Open => Ok((id, kiosk)),
                Hours::NotYet { opens } => Err(Refusal::KioskNotYetOpen { opens }.into()),
                Hours::Over => Err(Refusal::KioskClosed.into()),
            }
        }
        Door::Tag(tag) => {
            let names_it = |kiosk: &Kiosk| kiosk.hours(now) == Hours::Open && kiosk.selector.tags().contains(tag);
            let found = all(db)?.into_iter().find(|(_, kiosk)| names_it(kiosk));
            Ok(found.ok_or(Refusal::NoKiosk)?)
        }
    }
}

pub(super) fn visit(ledger: &mut Ledger, wish: &Visit) -> Result<Given, StoreError> {
    let (id, kiosk) = enter(&ledger.db, &wish.door, wish.now)?;
    if let Some(given) = given_before(ledger, id, &kiosk, wish)? {
        return Ok(given);
    }
    let seq = pick(ledger, &wanted(&kiosk, &wish.door)?, wish)?;
    hand_out(ledger, id, kiosk.hold, seq, wish)
}

/// What the visitor has of the kiosk already, if that is all it may have: what it holds, or the last one that it owns if
/// those are as many as it may own. (An undone reset may have left it one to hold beside them.)
fn given_before(ledger: &Ledger, id: KioskId, kiosk: &Kiosk, wish: &Visit) -> Result<Option<Given>, StoreError> {
    let mut seqs = visit::of(&ledger.db, id, wish.visitor)?;
    if let KioskVisitor::Wallet(wallet) = wish.visitor {
        seqs.extend(visit::owned_by(&ledger.db, id, wallet)?);
        seqs.sort_unstable();
        seqs.dedup();
    }
    let (mut held, mut owned) = (None, Vec::new());
    for seq in seqs {
        let row = PassportRow::by_seq(&ledger.db, seq)?;
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
        return Ok(Some(Given::Owned(show(ledger, last, wish.with_content)?)));
    }
    let Some((row, until)) = held else { return Ok(None) };
    Ok(Some(Given::Held { passport: show(ledger, &row, wish.with_content)?, until }))
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

fn pick(ledger: &mut Ledger, selector: &Selector, wish: &Visit) -> Result<u64, StoreError> {
    if visit::count_held(&ledger.db, wish.address, wish.now)? >= u64::from(wish.held_at_most) {
        return Err(Refusal::TooManyHeld.into());
    }
    loop {
        // Passports whose time is over count as free, whether or not the worker came by.
        let ended = hold::end_due(ledger, wish.now)?;
        if let Some(seq) = ledger.pick(selector, 1)?.first() {
            return Ok(*seq);
        }
        if ended == 0 {
            return Err(Refusal::PoolShort { available: 0 }.into());
        }
    }
}

fn hand_out(
    ledger: &mut Ledger,
    kiosk: KioskId,
    hold: WholeSeconds,
    seq: u64,
    wish: &Visit,
) -> Result<Given, StoreError> {
    let was = PassportRow::by_seq(&ledger.db, seq)?;
    let until = Some(wish.now.plus(hold));
    let terms = Terms {
        number: wish.seed.number(),
        secret: SecretId::FIRST,
        at: wish.now,
        until,
        reservation: None,
        kiosk: Some(kiosk),
    };
    let state = was.state.clone().reserve(terms).map_err(|refusal| was.wrong_in_pool(&refusal))?;
    let becomes = was.with(state);
    let change = Change { event: Event::Reserved, by: &Actor::Visitor, at: wish.now };
    let detail = format!("\"until\":{},\"kiosk\":{}", wish.now.plus(hold).as_micros(), kiosk.0);
    ledger.change(&was, &becomes, change, &detail)?;
    visit::write(&ledger.db, kiosk, wish.visitor, wish.address, seq)?;
    Ok(Given::Held { passport: show(ledger, &becomes, wish.with_content)?, until })
}

fn show(ledger: &Ledger, row: &PassportRow, with_content: bool) -> Result<HandedOut, StoreError> {
    let hand_out = row.state.hand_out().ok_or_else(|| Fault::Damaged(format!("passport {} is nobody's", row.id)))?;
    let content = with_content.then(|| content::of(&ledger.db, row.content)).transpose()?;
    Ok(HandedOut { passport: row.id, key: hand_out.key.clone(), content, recipient: None })
}

fn all(db: &Connection) -> Result<Vec<(KioskId, Kiosk)>, Fault> {
    let mut statement = db.prepare_cached(concat!("SELECT ", columns!(), " FROM kiosk ORDER BY id"))?;
    let mut rows = statement.query([])?;
    let mut kiosks = Vec::new();
    while let Some(row) = rows.next()? {
        kiosks.push(read(row)?);
    }
    Ok(kiosks)
}

fn read(row: &Row<'_>) -> Result<(KioskId, Kiosk), Fault> {
    let id = row.get(0)?;
    let damaged = |what: &str| Fault::Damaged(format!("kiosk number {id}: {what}"));
    let moment = |at: usize| row.get::<_, Option<i64>>(at).map(|micros| micros.map(Timestamp::from_micros));
    let tags: String = row.get(3)?;
    let tags: Vec<Tag> = tags.split(',').map(Tag::parse).collect::<Result<_, _>>().map_err(|_| damaged("its tags"))?;
    let rule = Rule::parse(&row.get::<_, String>(2)?).map_err(|_| damaged("its rule"))?;
    let kiosk = Kiosk {
        name: KioskName::parse(&row.get::<_, String>(1)?).map_err(|_| damaged("its name"))?,
        selector: Selector::new(tags, rule).map_err(|_| damaged("its tags"))?,
        hold: WholeSeconds::new(row.get(4)?).map_err(|_| damaged("its hold"))?,
        per_visitor: row.get(5)?,
        opens: moment(6)?,
        closes: moment(7)?,
    };
    Ok((KioskId(id), kiosk))
}
