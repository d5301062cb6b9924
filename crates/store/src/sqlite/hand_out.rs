//! Hand-outs: what leaves the pool in one transaction is written together.
//!
//! A hand-out takes its passport out of the sets at once, so that nobody picks it again, and waits with its row and the
//! journal's for those of its neighbours: whoever asks for the same tag gets passports that follow one another. Each is
//! then written in one statement with the others, which takes half of the time. The numbers in which they differ are bound
//! as one value, from which each row takes its own. They are written before any other verb of the transaction begins, and
//! before its end.

use passpool_core::{Actor, Code, Event, State, Timestamp};
use rusqlite::{Connection, ToSql, functions::FunctionFlags, named_params, types::ToSqlOutput};

use super::{
    ledger::{Change, Ledger},
    passport::{Columns, PassportRow},
};
use crate::Fault;

/// How many wait at most.
const TOGETHER: usize = 1_024;

/// What a passport was, and what it is from its hand-out on.
pub(super) struct HandOutStep {
    pub(super) was: PassportRow,
    pub(super) becomes: PassportRow,
    pub(super) at: Timestamp,
}

/// The hand-outs that are not written yet, in their order.
#[derive(Default)]
pub(super) struct Waiting {
    alike: Vec<Alike>,
    count: usize,
}

/// Hand-outs of which the journal says the same.
struct Alike {
    by: Actor,
    detail: String,
    steps: Vec<HandOutStep>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.alike.is_empty()
    }

    fn add(&mut self, step: HandOutStep, by: &Actor, detail: &str) {
        self.count += 1;
        match self.alike.last_mut() {
            Some(alike) if alike.by == *by && alike.detail == detail => alike.steps.push(step),
            _ => self.alike.push(Alike { by: by.clone(), detail: detail.to_owned(), steps: vec![step] }),
        }
    }
}

impl Ledger {
    /// Takes a passport out of the pool. `detail` is what the journal says of it, the inside of a JSON object.
    pub(super) fn hand_out(&mut self, step: HandOutStep, by: &Actor, detail: &str) -> Result<(), Fault> {
        self.follow(&step.was, &step.becomes, step.at)?;
        self.waiting.add(step, by, detail);
        if self.waiting.count < TOGETHER { Ok(()) } else { self.write_hand_outs() }
    }

    /// Writes the hand-outs that wait. To be called before anybody reads or changes passports in another way.
    pub(super) fn write_hand_outs(&mut self) -> Result<(), Fault> {
        for Alike { by, detail, mut steps } in std::mem::take(&mut self.waiting).alike {
            // Calls of one moment have no order among them, so that of creation is as good, and has more neighbours.
            steps.sort_unstable_by_key(|step| step.was.seq);
            for neighbours in steps.chunk_by(HandOutStep::is_beside) {
                match neighbours {
                    [HandOutStep { was, becomes, at }] => {
                        self.write_change(was, becomes, Change { event: Event::Reserved, by: &by, at: *at }, &detail)?;
                    }
                    _ => {
                        let changed = self.write_journal_of_neighbours(neighbours, &by, &detail)?;
                        update(&self.db, neighbours, changed)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes a row for each of the neighbours, before they are changed, and answers the number of the first.
    fn write_journal_of_neighbours(
        &mut self,
        neighbours: &[HandOutStep],
        by: &Actor,
        detail: &str,
    ) -> Result<i64, Fault> {
        let first = self.next_journal_seq();
        let times = Numbers::of(neighbours.iter().map(|step| self.next_journal_place(step.at).at));
        let comma = if detail.is_empty() { "" } else { "," };
        let sql = format!(
            "INSERT INTO journal (seq, at, kind, passport, actor, detail) \
             SELECT :journal + seq - :first, {at}, :kind, id, :actor, '{{\"after\":' || changed || :rest \
             FROM passport WHERE seq BETWEEN :first AND :last ORDER BY seq",
            at = times.of_row(":times"),
        );
        self.db.prepare_cached(&sql)?.execute(named_params! {
            ":journal": first,
            ":first": neighbours[0].was.seq,
            ":last": neighbours[neighbours.len() - 1].was.seq,
            ":times": times,
            ":kind": Event::Reserved.as_str(),
            ":actor": by.to_string(),
            ":rest": format!("{comma}{detail}}}"),
        })?;
        Ok(first)
    }
}

impl HandOutStep {
    /// True if the other is the next passport, neither has a code of its own, and only numbers tell the hand-outs apart.
    fn is_beside(&self, next: &Self) -> bool {
        self.was.seq + 1 == next.was.seq
            && [self, next].iter().all(|step| step.was.state == State::Available(Code::None))
            && self.becomes.state.name() == next.becomes.state.name()
            && self.columns().are_usual()
            && self.columns().differ_in_numbers(&next.columns())
    }

    fn columns(&self) -> Columns<'_> {
        Columns::of(&self.becomes.state)
    }
}

/// Writes what each becomes over what it was read as, and fails if one is no longer that. The journal's row about the first
/// is `changed`, and those about the others follow.
fn update(db: &Connection, neighbours: &[HandOutStep], changed: i64) -> Result<(), Fault> {
    let (first, last) = (&neighbours[0], &neighbours[neighbours.len() - 1]);
    let columns = first.columns();
    let each = |number: fn(&Columns<'_>) -> Option<i64>| {
        Numbers::of(neighbours.iter().map(|step| number(&step.columns()).expect("neighbours have these numbers")))
    };
    let (numbers, times) = (each(|columns| columns.number), each(|columns| columns.handed_at));
    let changes = Numbers::of(neighbours.iter().map(|step| step.was.changed));
    let sql = format!(
        "UPDATE passport SET state = :state, changed = :changed + seq - :first, secret = :secret, \
         number = {number}, handed_at = {at}, reservation = :reservation \
         WHERE seq BETWEEN :first AND :last AND state = :was AND changed = {was_changed}",
        number = numbers.of_row(":numbers"),
        at = times.of_row(":times"),
        was_changed = changes.of_row(":changes"),
    );
    let rows = db.prepare_cached(&sql)?.execute(named_params! {
        ":state": first.becomes.state.name() as u8,
        ":changed": changed,
        ":secret": columns.secret,
        ":numbers": numbers,
        ":times": times,
        ":reservation": columns.reservation,
        ":first": first.was.seq,
        ":last": last.was.seq,
        ":was": first.was.state.name() as u8,
        ":changes": changes,
    })?;
    if rows == neighbours.len() {
        return Ok(());
    }
    let (first, last) = (first.was.id, last.was.id);
    Err(Fault::Damaged(format!("of the passports from {first} to {last} one is not available as it was read")))
}

/// A number for each of the neighbours, as one value that is bound.
enum Numbers {
    /// All have this one.
    Alike(i64),
    /// The first has this one, and each of the others one more than its neighbour.
    Counting(i64),
    /// Each has its own: 8 bytes for each, little-endian.
    Each(Vec<u8>),
}

impl Numbers {
    fn of(numbers: impl Iterator<Item = i64>) -> Self {
        let numbers: Vec<i64> = numbers.collect();
        let step_by = |distance: i64| numbers.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == distance);
        match numbers[..] {
            [first, ..] if step_by(0) => Self::Alike(first),
            [first, ..] if step_by(1) => Self::Counting(first),
            _ => Self::Each(numbers.iter().copied().flat_map(i64::to_le_bytes).collect()),
        }
    }

    /// What the number of a row is in SQL, where this is bound under the name.
    fn of_row(&self, name: &str) -> String {
        match self {
            Self::Alike(_) => name.to_owned(),
            Self::Counting(_) => format!("({name} + seq - :first)"),
            Self::Each(_) => format!("nth({name}, seq - :first)"),
        }
    }
}

impl ToSql for Numbers {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Alike(number) | Self::Counting(number) => number.to_sql(),
            Self::Each(numbers) => numbers.to_sql(),
        }
    }
}

/// Teaches a connection `nth(numbers, n)`: the n-th of [`Numbers::Each`].
pub(super) fn teach_nth(db: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    db.create_scalar_function("nth", 2, flags, |call| {
        let (numbers, _) = call.get_raw(0).as_blob()?.as_chunks();
        let number = numbers.get(call.get::<usize>(1)?).copied().map(i64::from_le_bytes);
        number.ok_or_else(|| rusqlite::Error::UserFunctionError("nth: there are fewer numbers".into()))
    })
}
