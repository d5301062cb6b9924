//! A passport's row, and the state that its columns spell.

use passpool_core::{
    Code, HandOut, HandOutNumber, KioskId, LinkKey, PassportId, Refusal, ReservationId, SealedPassphrase, SecretId,
    State, StateName, Timestamp, WalletAddress,
};
use rusqlite::{Connection, Row, Statement, params};

use super::varint;
use crate::Fault;

/// The first of the columns that [`PassportRow::read`] wants: all that it looks at if a passport is available.
macro_rules! columns_of_pool {
    () => {
        "seq, id, state, changed, tags, content, secret, sealed, printed"
    };
}

/// The columns that [`PassportRow::read`] wants, in its order.
macro_rules! columns {
    () => {
        "seq, id, state, changed, tags, content, secret, sealed, printed, number, handed_at, until, reservation, owner, settle_by, kiosk"
    };
}
pub(super) use columns;

/// The truth about one passport, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PassportRow {
    pub(super) seq: u64,
    pub(super) id: PassportId,
    pub(super) state: State,
    /// The journal's row about its last change.
    pub(super) changed: i64,
    pub(super) tags: Vec<u32>,
    pub(super) content: Option<i64>,
}

/// What the columns of a state hold; the others are null.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Columns<'a> {
    pub(super) secret: Option<u8>,
    pub(super) number: Option<i64>,
    pub(super) sealed: Option<&'a [u8]>,
    printed: Option<bool>,
    pub(super) handed_at: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) reservation: Option<&'a [u8]>,
    owner: Option<&'a [u8]>,
    settle_by: Option<i64>,
    pub(super) kiosk: Option<u32>,
}

impl PassportRow {
    pub(super) fn by_seq(db: &Connection, seq: u64) -> Result<Self, Fault> {
        let mut statement = db.prepare_cached(concat!("SELECT ", columns!(), " FROM passport WHERE seq = ?"))?;
        let row = Self::query(&mut statement, [seq])?;
        row.ok_or_else(|| missing_passport(seq))
    }

    /// Each of them, in the order of what is asked for. Neighbours are read at once, which takes a third of the time.
    pub(super) fn by_seqs(db: &Connection, seqs: &[u64]) -> Result<Vec<Self>, Fault> {
        let mut found = Vec::with_capacity(seqs.len());
        for neighbours in seqs.chunk_by(|one, next| one + 1 == *next) {
            match neighbours {
                [seq] => found.push(Self::by_seq(db, *seq)?),
                _ => found.extend(Self::read_neighbours(db, neighbours)?),
            }
        }
        Ok(found)
    }

    /// The same for passports that the pool holds. Those are available, so that less has to be read.
    pub(super) fn of_pool(db: &Connection, seqs: &[u64]) -> Result<Vec<Self>, Fault> {
        let mut found = Vec::with_capacity(seqs.len());
        for neighbours in seqs.chunk_by(|one, next| one + 1 == *next) {
            let mut available = Self::available_from(db, neighbours[0], neighbours.len() as u64)?;
            if available.len() == neighbours.len() {
                found.append(&mut available);
                continue;
            }
            let mut available = available.into_iter().peekable();
            for seq in neighbours {
                let row = available.next_if(|row| row.seq == *seq);
                found.push(row.map_or_else(|| Self::by_seq(db, *seq), Ok)?);
            }
        }
        Ok(found)
    }

    /// The available ones among so many from this place on, in their order.
    pub(super) fn available_from(db: &Connection, seq: u64, count: u64) -> Result<Vec<Self>, Fault> {
        let sql = concat!(
            "SELECT ",
            columns_of_pool!(),
            " FROM passport WHERE seq BETWEEN ? AND ? AND state = 0 ORDER BY seq"
        );
        Self::query_range(db, sql, seq, count)
    }

    fn read_neighbours(db: &Connection, seqs: &[u64]) -> Result<Vec<Self>, Fault> {
        let sql = concat!("SELECT ", columns!(), " FROM passport WHERE seq BETWEEN ? AND ? ORDER BY seq");
        let found = Self::query_range(db, sql, seqs[0], seqs.len() as u64)?;
        let missing = seqs.iter().find(|seq| found.binary_search_by_key(seq, |row| &row.seq).is_err());
        missing.map_or(Ok(found), |seq| Err(missing_passport(*seq)))
    }

    /// None for a passport that nobody can see yet, as for one that does not exist.
    pub(super) fn visible_by_id(db: &Connection, id: PassportId) -> Result<Option<Self>, Fault> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM passport WHERE id = ? AND NOT EXISTS (SELECT 1 FROM hidden WHERE chunk = passport.seq >> 12)"
        );
        Self::query(&mut *db.prepare_cached(sql)?, [id.get()])
    }

    /// The same passport in another state.
    pub(super) fn with(&self, state: State) -> Self {
        let Self { seq, id, state: _, changed, ref tags, content } = *self;
        Self { seq, id, state, changed, tags: tags.clone(), content }
    }

    /// True if a reservation may pick it.
    pub(super) fn is_in_pool(&self) -> bool {
        matches!(self.state, State::Available(Code::None | Code::Imported(..)))
    }

    /// What it means that a passport of the pool cannot be handed out. The pool is an index of those that can, so the
    /// index is wrong and not the caller.
    pub(super) fn wrong_in_pool(&self, refusal: &Refusal) -> Fault {
        Fault::Damaged(format!("passport {} stands in the pool: {refusal}", self.id))
    }

    /// When the state ends by itself, if it does: the hold, or the time that a transfer has.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        match &self.state {
            State::Reserved(hand_out) | State::Scanned(hand_out) => hand_out.until,
            State::Pending { settle_by, .. } => Some(*settle_by),
            _ => None,
        }
    }

    pub(super) fn read(row: &Row<'_>) -> Result<Self, Fault> {
        let id: u64 = row.get(1)?;
        let damaged = |what: &str| Fault::Damaged(format!("passport {id}: {what}"));
        Ok(Self {
            seq: row.get(0)?,
            id: PassportId::new(id).map_err(|_| damaged("its id is out of range"))?,
            state: read_state(row)?.ok_or_else(|| damaged("its columns are no state"))?,
            changed: row.get(3)?,
            tags: varint::read_sorted(row.get_ref(4)?.as_blob()?).ok_or_else(|| damaged("its tags are unreadable"))?,
            content: row.get(5)?,
        })
    }

    /// What [`PassportRow::insert`] runs.
    pub(super) const INSERT: &str = "INSERT INTO passport (seq, id, state, changed, tags, content, secret, sealed, printed) \
                                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

    /// Writes a new passport.
    pub(super) fn insert(&self, statement: &mut Statement<'_>) -> rusqlite::Result<()> {
        let columns = Columns::of(&self.state);
        statement.execute(params![
            self.seq,
            self.id.get(),
            self.state.name() as u8,
            self.changed,
            varint::write_sorted(&self.tags),
            self.content,
            columns.secret,
            columns.sealed,
            columns.printed,
        ])?;
        Ok(())
    }

    /// Writes this state over the one that `was` read, and fails if it is no longer that one.
    pub(super) fn update(&self, db: &Connection, was: &Self, changed: i64) -> Result<(), Fault> {
        let columns = Columns::of(&self.state);
        let rows = if columns.are_usual() && Columns::of(&was.state).are_usual() {
            self.update_usual(db, &columns, was, changed)?
        } else {
            self.update_all(db, &columns, was, changed)?
        };
        if rows == 1 {
            return Ok(());
        }
        Err(Fault::Damaged(format!("passport {} is not {} as it was read", self.id, was.state.name())))
    }

    /// Most changes touch none of the columns that few passports use. Leaving those alone spares SQLite two of the table's
    /// indexes and a look at the kiosks. (Measured: 100,000 hand-outs in one call take 0.38 s, and 0.42 s without this.)
    fn update_usual(
        &self,
        db: &Connection,
        columns: &Columns<'_>,
        was: &Self,
        changed: i64,
    ) -> rusqlite::Result<usize> {
        let sql = "UPDATE passport SET state = ?, changed = ?, secret = ?, number = ?, handed_at = ?, reservation = ? \
                   WHERE seq = ? AND state = ? AND changed = ?";
        db.prepare_cached(sql)?.execute(params![
            self.state.name() as u8,
            changed,
            columns.secret,
            columns.number,
            columns.handed_at,
            columns.reservation,
            self.seq,
            was.state.name() as u8,
            was.changed,
        ])
    }

    fn update_all(&self, db: &Connection, columns: &Columns<'_>, was: &Self, changed: i64) -> rusqlite::Result<usize> {
        let sql = "UPDATE passport SET state = ?, changed = ?, secret = ?, number = ?, sealed = ?, printed = ?, handed_at = ?, \
                   until = ?, reservation = ?, owner = ?, settle_by = ?, kiosk = ? WHERE seq = ? AND state = ? AND changed = ?";
        db.prepare_cached(sql)?.execute(params![
            self.state.name() as u8,
            changed,
            columns.secret,
            columns.number,
            columns.sealed,
            columns.printed,
            columns.handed_at,
            columns.until,
            columns.reservation,
            columns.owner,
            columns.settle_by,
            columns.kiosk,
            self.seq,
            was.state.name() as u8,
            was.changed,
        ])
    }

    /// Writes these tags to the row, whose change [`PassportRow::update`] has guarded.
    pub(super) fn update_tags(&self, db: &Connection) -> Result<(), Fault> {
        let sql = "UPDATE passport SET tags = ? WHERE seq = ?";
        db.prepare_cached(sql)?.execute(params![varint::write_sorted(&self.tags), self.seq])?;
        Ok(())
    }

    /// Writes this content to the row, whose change [`PassportRow::update`] has guarded.
    pub(super) fn update_content(&self, db: &Connection) -> Result<(), Fault> {
        let sql = "UPDATE passport SET content = ? WHERE seq = ?";
        db.prepare_cached(sql)?.execute(params![self.content, self.seq])?;
        Ok(())
    }

    fn query_range(db: &Connection, sql: &str, seq: u64, count: u64) -> Result<Vec<Self>, Fault> {
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query([seq, seq + count - 1])?;
        let mut found = Vec::with_capacity(count as usize);
        while let Some(row) = rows.next()? {
            found.push(Self::read(row)?);
        }
        Ok(found)
    }

    fn query(statement: &mut Statement<'_>, params: impl rusqlite::Params) -> Result<Option<Self>, Fault> {
        let mut rows = statement.query(params)?;
        rows.next()?.map(Self::read).transpose()
    }
}

fn missing_passport(seq: u64) -> Fault {
    Fault::Damaged(format!("there is no passport number {seq}"))
}

impl<'a> Columns<'a> {
    pub(super) fn of(state: &'a State) -> Self {
        match state {
            State::Available(Code::None) | State::Recovered | State::Withdrawn => Self::default(),
            State::Available(Code::Imported(sealed, secret)) => {
                Self { secret: Some(secret.0), sealed: Some(sealed.as_bytes()), ..Self::default() }
            }
            State::Available(Code::Printed(sealed, secret)) => {
                Self { secret: Some(secret.0), sealed: Some(sealed.as_bytes()), printed: Some(true), ..Self::default() }
            }
            State::Reserved(hand_out) | State::Scanned(hand_out) => Self::handed_out(hand_out),
            State::Pending { hand_out, to, settle_by } => Self {
                owner: Some(to.as_bytes()),
                settle_by: Some(settle_by.as_micros()),
                ..Self::handed_out(hand_out)
            },
            State::Claimed { hand_out, owner } => Self { owner: Some(owner.as_bytes()), ..Self::handed_out(hand_out) },
        }
    }

    /// True if the columns that few passports use are null.
    pub(super) fn are_usual(&self) -> bool {
        let Self { sealed, printed, until, owner, settle_by, kiosk, .. } = self;
        sealed.is_none()
            && printed.is_none()
            && until.is_none()
            && owner.is_none()
            && settle_by.is_none()
            && kiosk.is_none()
    }

    /// True if both are of hand-outs with a number, and all but that and the time is the same.
    pub(super) fn differ_in_numbers(&self, other: &Self) -> bool {
        let are_there = |columns: &Self| columns.number.is_some() && columns.handed_at.is_some();
        let Self { number, handed_at, .. } = *self;
        are_there(self) && are_there(other) && *self == Self { number, handed_at, ..*other }
    }

    fn handed_out(hand_out: &'a HandOut) -> Self {
        let (number, sealed) = match &hand_out.key {
            LinkKey::Derived(number, _) => (Some(number.get().cast_signed()), None),
            LinkKey::Imported(sealed, _) => (None, Some(sealed.as_bytes())),
        };
        Self {
            secret: Some(hand_out.key.secret().0),
            number,
            sealed,
            handed_at: Some(hand_out.at.as_micros()),
            until: hand_out.until.map(Timestamp::as_micros),
            reservation: hand_out.reservation.as_ref().map(|id| id.as_bytes().as_slice()),
            kiosk: hand_out.kiosk.map(|kiosk| kiosk.0),
            ..Self::default()
        }
    }
}

/// None if the columns do not fit together.
pub(super) fn read_state(row: &Row<'_>) -> rusqlite::Result<Option<State>> {
    let Some(name) = StateName::ALL.get(row.get::<_, usize>(2)?) else { return Ok(None) };
    Ok(match name {
        StateName::Available => read_code(row)?.map(State::Available),
        StateName::Reserved => read_hand_out(row)?.map(State::Reserved),
        StateName::Scanned => read_hand_out(row)?.map(State::Scanned),
        StateName::Pending => match (read_hand_out(row)?, read_owner(row)?, row.get(14)?) {
            (Some(hand_out), Some(to), Some(by)) => {
                Some(State::Pending { hand_out, to, settle_by: Timestamp::from_micros(by) })
            }
            _ => None,
        },
        StateName::Claimed => match (read_hand_out(row)?, read_owner(row)?) {
            (Some(hand_out), Some(owner)) => Some(State::Claimed { hand_out, owner }),
            _ => None,
        },
        StateName::Recovered => Some(State::Recovered),
        StateName::Withdrawn => Some(State::Withdrawn),
    })
}

fn read_code(row: &Row<'_>) -> rusqlite::Result<Option<Code>> {
    let sealed = row.get_ref(7)?.as_blob_or_null()?.map(SealedPassphrase::from_stored);
    let secret = row.get::<_, Option<u8>>(6)?.map(SecretId);
    let printed = row.get::<_, Option<bool>>(8)?.unwrap_or(false);
    Ok(match (sealed, secret) {
        (None, None) if !printed => Some(Code::None),
        (Some(sealed), Some(secret)) if printed => Some(Code::Printed(sealed, secret)),
        (Some(sealed), Some(secret)) => Some(Code::Imported(sealed, secret)),
        _ => None,
    })
}

fn read_hand_out(row: &Row<'_>) -> rusqlite::Result<Option<HandOut>> {
    let number = row.get::<_, Option<i64>>(9)?.map(|number| HandOutNumber::new(number.cast_unsigned()));
    let sealed = row.get_ref(7)?.as_blob_or_null()?.map(SealedPassphrase::from_stored);
    let (Some(secret), Some(at)) = (row.get::<_, Option<u8>>(6)?.map(SecretId), row.get(10)?) else { return Ok(None) };
    let key = match (number, sealed) {
        (Some(number), None) => LinkKey::Derived(number, secret),
        (None, Some(sealed)) => LinkKey::Imported(sealed, secret),
        _ => return Ok(None),
    };
    Ok(Some(HandOut {
        key,
        at: Timestamp::from_micros(at),
        until: row.get::<_, Option<i64>>(11)?.map(Timestamp::from_micros),
        reservation: row.get::<_, Option<[u8; 16]>>(12)?.map(ReservationId::from_stored),
        kiosk: row.get::<_, Option<u32>>(15)?.map(KioskId),
    }))
}

fn read_owner(row: &Row<'_>) -> rusqlite::Result<Option<WalletAddress>> {
    Ok(row.get_ref(13)?.as_blob_or_null()?.and_then(|bytes| WalletAddress::try_from(bytes).ok()))
}
