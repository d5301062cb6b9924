//! A passport's row, and the state that its columns spell.

use passpool_core::{
    Code, HandOut, HandOutNumber, KioskId, LinkKey, PassportId, ReservationId, SealedPassphrase, SecretId, State,
    StateName, Timestamp, WalletAddress,
};
use tokio_postgres::Row;

use super::{connection::Session, typed::typed};
use crate::Fault;

/// The truth about one passport, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PassportRow {
    pub(super) seq: i64,
    pub(super) id: PassportId,
    pub(super) state: State,
    /// The journal's row about its last change.
    pub(super) changed: i64,
    pub(super) tags: Vec<i32>,
    pub(super) content: Option<i64>,
}

/// What the columns of a state hold; the others are null.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) secret: Option<i16>,
    pub(super) number: Option<i64>,
    pub(super) sealed: Option<Vec<u8>>,
    pub(super) printed: Option<bool>,
    pub(super) handed_at: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) reservation: Option<Vec<u8>>,
    pub(super) owner: Option<Vec<u8>>,
    pub(super) settle_by: Option<i64>,
    pub(super) kiosk: Option<i32>,
}

/// When a state ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) at: Timestamp,
    pub(super) is_transfer: bool,
}

/// Whether nobody else may change what is read before the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Only,
    ToChange,
}

impl PassportRow {
    /// None for a passport that nobody can see yet, as for one that does not exist.
    pub(super) async fn visible_by_id(db: &Session, id: PassportId, reading: Reading) -> Result<Option<Self>, Fault> {
        let sql = match reading {
            Reading::Only => {
                "SELECT * FROM passport WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM hidden WHERE chunk = seq >> 12)"
            }
            Reading::ToChange => {
                "SELECT * FROM passport WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM hidden WHERE chunk = seq >> 12) \
                 FOR UPDATE"
            }
        };
        db.query_opt(sql, typed![id.get().cast_signed()]).await?.as_ref().map(Self::read).transpose()
    }

    /// In the order of creation.
    pub(super) async fn by_seqs(db: &Session, seqs: &[i64], reading: Reading) -> Result<Vec<Self>, Fault> {
        let sql = match reading {
            Reading::Only => "SELECT * FROM passport WHERE seq = ANY($1) ORDER BY seq",
            Reading::ToChange => "SELECT * FROM passport WHERE seq = ANY($1) ORDER BY seq FOR UPDATE",
        };
        db.query(sql, typed![seqs.to_vec()]).await?.iter().map(Self::read).collect()
    }

    /// The same passport in another state.
    pub(super) fn with(&self, state: State) -> Self {
        Self { state, ..self.clone() }
    }

    /// True if a reservation may pick it.
    pub(super) fn is_in_pool(&self) -> bool {
        is_in_pool(&self.state)
    }

    /// True if the row holds what the passport's state has, and nothing besides.
    pub(super) fn is_all_of(&self, row: &Row) -> Result<bool, Fault> {
        Ok(Columns::of(&self.state) == Columns::read(row)?)
    }

    pub(super) fn read(row: &Row) -> Result<Self, Fault> {
        let id: i64 = row.try_get("id")?;
        let damaged = |what: &str| Fault::Damaged(format!("passport {id}: {what}"));
        Ok(Self {
            seq: row.try_get("seq")?,
            id: PassportId::new(id.cast_unsigned()).map_err(|_| damaged("its id is out of range"))?,
            state: read_state(row)?.ok_or_else(|| damaged("its columns are no state"))?,
            changed: row.try_get("changed")?,
            tags: row.try_get("tags")?,
            content: row.try_get("content")?,
        })
    }
}

/// True if a reservation may pick a passport in this state.
pub(super) fn is_in_pool(state: &State) -> bool {
    matches!(state, State::Available(Code::None | Code::Imported(..)))
}

impl Ending {
    pub(super) fn of(state: &State) -> Option<Self> {
        match state {
            State::Reserved(hand_out) | State::Scanned(hand_out) => {
                hand_out.until.map(|at| Self { at, is_transfer: false })
            }
            State::Pending { settle_by, .. } => Some(Self { at: *settle_by, is_transfer: true }),
            _ => None,
        }
    }
}

impl Columns {
    pub(super) fn of(state: &State) -> Self {
        match state {
            State::Available(Code::None) | State::Recovered | State::Withdrawn => Self::default(),
            State::Available(Code::Imported(sealed, secret)) => {
                Self { secret: Some(secret.0.into()), sealed: Some(sealed.as_bytes().to_vec()), ..Self::default() }
            }
            State::Available(Code::Printed(sealed, secret)) => Self {
                secret: Some(secret.0.into()),
                sealed: Some(sealed.as_bytes().to_vec()),
                printed: Some(true),
                ..Self::default()
            },
            State::Reserved(hand_out) | State::Scanned(hand_out) => Self::handed_out(hand_out),
            State::Pending { hand_out, to, settle_by } => Self {
                owner: Some(to.as_bytes().to_vec()),
                settle_by: Some(settle_by.as_micros()),
                ..Self::handed_out(hand_out)
            },
            State::Claimed { hand_out, owner } => {
                Self { owner: Some(owner.as_bytes().to_vec()), ..Self::handed_out(hand_out) }
            }
        }
    }

    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            secret: row.try_get("secret")?,
            number: row.try_get("number")?,
            sealed: row.try_get("sealed")?,
            printed: row.try_get("printed")?,
            handed_at: row.try_get("handed_at")?,
            until: row.try_get("until")?,
            reservation: row.try_get("reservation")?,
            owner: row.try_get("owner")?,
            settle_by: row.try_get("settle_by")?,
            kiosk: row.try_get("kiosk")?,
        })
    }

    fn handed_out(hand_out: &HandOut) -> Self {
        let (number, sealed, secret) = match &hand_out.key {
            LinkKey::Derived(number, secret) => (Some(number.get().cast_signed()), None, secret),
            LinkKey::Imported(sealed, secret) => (None, Some(sealed.as_bytes().to_vec()), secret),
        };
        Self {
            secret: Some(secret.0.into()),
            number,
            sealed,
            handed_at: Some(hand_out.at.as_micros()),
            until: hand_out.until.map(Timestamp::as_micros),
            reservation: hand_out.reservation.map(|id| id.as_bytes().to_vec()),
            kiosk: hand_out.kiosk.map(|kiosk| kiosk.0.cast_signed()),
            ..Self::default()
        }
    }
}

/// None if the columns do not fit together.
pub(super) fn read_state(row: &Row) -> Result<Option<State>, Fault> {
    let name = usize::try_from(row.try_get::<_, i16>("state")?).ok().and_then(|state| StateName::ALL.get(state));
    let Some(name) = name else { return Ok(None) };
    Ok(match name {
        StateName::Available => read_code(row)?.map(State::Available),
        StateName::Reserved => read_hand_out(row)?.map(State::Reserved),
        StateName::Scanned => read_hand_out(row)?.map(State::Scanned),
        StateName::Pending => match (read_hand_out(row)?, read_owner(row)?, row.try_get("settle_by")?) {
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

fn read_code(row: &Row) -> Result<Option<Code>, Fault> {
    let printed = row.try_get::<_, Option<bool>>("printed")?.unwrap_or(false);
    Ok(match (read_sealed(row)?, read_secret(row)?) {
        (None, None) if !printed => Some(Code::None),
        (Some(sealed), Some(secret)) if printed => Some(Code::Printed(sealed, secret)),
        (Some(sealed), Some(secret)) => Some(Code::Imported(sealed, secret)),
        _ => None,
    })
}

fn read_hand_out(row: &Row) -> Result<Option<HandOut>, Fault> {
    let (Some(secret), Some(at)) = (read_secret(row)?, row.try_get("handed_at")?) else { return Ok(None) };
    let number = row.try_get::<_, Option<i64>>("number")?.map(|number| HandOutNumber::new(number.cast_unsigned()));
    let key = match (number, read_sealed(row)?) {
        (Some(number), None) => LinkKey::Derived(number, secret),
        (None, Some(sealed)) => LinkKey::Imported(sealed, secret),
        _ => return Ok(None),
    };
    Ok(Some(HandOut {
        key,
        at: Timestamp::from_micros(at),
        until: row.try_get::<_, Option<i64>>("until")?.map(Timestamp::from_micros),
        reservation: row.try_get::<_, Option<&[u8]>>("reservation")?.and_then(read_reservation),
        kiosk: row.try_get::<_, Option<i32>>("kiosk")?.map(|kiosk| KioskId(kiosk.cast_unsigned())),
    }))
}

fn read_sealed(row: &Row) -> Result<Option<SealedPassphrase>, Fault> {
    Ok(row.try_get::<_, Option<&[u8]>>("sealed")?.map(SealedPassphrase::from_stored))
}

fn read_secret(row: &Row) -> Result<Option<SecretId>, Fault> {
    Ok(row.try_get::<_, Option<i16>>("secret")?.and_then(|secret| u8::try_from(secret).ok()).map(SecretId))
}

fn read_owner(row: &Row) -> Result<Option<WalletAddress>, Fault> {
    Ok(row.try_get::<_, Option<&[u8]>>("owner")?.and_then(|bytes| WalletAddress::try_from(bytes).ok()))
}

pub(super) fn read_reservation(bytes: &[u8]) -> Option<ReservationId> {
    <[u8; 16]>::try_from(bytes).ok().map(ReservationId::from_stored)
}
