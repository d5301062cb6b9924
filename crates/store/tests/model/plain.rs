//! The plain model: a list of passports and what became of each, as a child could keep it. It knows nothing of a store.

use std::collections::BTreeMap;

use passpool_core::{LinkKey, PreviewId, ReservationId, ResetId, Rule, StateName};

const QUARTER_OF_AN_HOUR: i64 = 15 * 60;
const DAY: i64 = 24 * 3_600;

#[derive(Default)]
pub(crate) struct Plain {
    pub(crate) now: i64,
    pub(crate) passports: BTreeMap<u64, Passport>,
    pub(crate) reservations: Vec<Reserved>,
    pub(crate) previews: Vec<Previewed>,
    pub(crate) resets: Vec<Undoable>,
}

#[derive(Clone, Debug)]
pub(crate) struct Passport {
    pub(crate) tags: u8,
    is: Is,
    /// How often something happened to it.
    changes: u32,
}

#[derive(Clone, Debug)]
enum Is {
    Free,
    Held(Held),
    Claimed(Held),
    Recovered,
}

/// A hand-out. A hold that has ended holds nothing, whether or not anybody wrote that down.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) key: LinkKey,
    pub(crate) until: Option<i64>,
    pub(crate) reservation: Option<ReservationId>,
    pub(crate) is_scanned: bool,
}

/// A reservation that has a name.
pub(crate) struct Reserved {
    pub(crate) id: ReservationId,
    pub(crate) passports: Vec<u64>,
    pub(crate) until: Option<i64>,
}

pub(crate) struct Previewed {
    pub(crate) id: PreviewId,
    at: i64,
    seen: Vec<(u64, u32)>,
}

/// A reset that is kept: for each passport what it was, and how often something had happened to it when it was reset.
pub(crate) struct Undoable {
    pub(crate) id: ResetId,
    at: i64,
    is_undone: bool,
    taken: Vec<(u64, Is, u32)>,
}

/// Why something is refused, by the refusal's code.
pub(crate) type Refused = &'static str;

impl Held {
    fn has_ended(&self, now: i64) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Passport {
    /// What is held at this moment.
    fn held(&self, now: i64) -> Option<&Held> {
        match &self.is {
            Is::Held(held) if !held.has_ended(now) => Some(held),
            _ => None,
        }
    }

    pub(crate) fn is_held(&self, now: i64) -> bool {
        self.held(now).is_some()
    }

    /// Whether a reset takes it that means it by its name, or by a preview that did.
    fn can_be_reset(&self, now: i64) -> bool {
        self.is_held(now) || matches!(self.is, Is::Recovered)
    }

    pub(crate) fn is_free(&self, now: i64) -> bool {
        self.state(now) == StateName::Available
    }

    pub(crate) fn matches(&self, tags: u8, rule: Rule) -> bool {
        match rule {
            Rule::And => self.tags & tags == tags,
            Rule::Or => self.tags & tags != 0,
        }
    }

    pub(crate) fn state(&self, now: i64) -> StateName {
        match &self.is {
            Is::Claimed(_) => StateName::Claimed,
            Is::Recovered => StateName::Recovered,
            Is::Free | Is::Held(_) => match self.held(now) {
                None => StateName::Available,
                Some(held) if held.is_scanned => StateName::Scanned,
                Some(_) => StateName::Reserved,
            },
        }
    }

    /// The hand-out as long as somebody has it.
    pub(crate) fn hand_out(&self, now: i64) -> Option<&Held> {
        match &self.is {
            Is::Claimed(held) => Some(held),
            _ => self.held(now),
        }
    }

    fn become_something(&mut self, is: Is) {
        self.is = is;
        self.changes += 1;
    }
}

impl Plain {
    pub(crate) fn appear(&mut self, ids: Vec<u64>, tags: u8) {
        self.passports.extend(ids.into_iter().map(|id| (id, Passport { tags, is: Is::Free, changes: 0 })));
    }

    pub(crate) fn ids(&self, wanted: impl Fn(&Passport) -> bool) -> Vec<u64> {
        self.passports.iter().filter(|(_, passport)| wanted(passport)).map(|(id, _)| *id).collect()
    }

    /// Those that a reset by tags means.
    pub(crate) fn held_by_tags(&self, tags: u8, rule: Rule) -> Vec<u64> {
        self.ids(|passport| passport.is_held(self.now) && passport.matches(tags, rule))
    }

    /// Those that a reservation has at this moment.
    pub(crate) fn held_by(&self, reservation: ReservationId) -> Vec<u64> {
        self.ids(|passport| passport.held(self.now).is_some_and(|held| held.reservation == Some(reservation)))
    }

    pub(crate) fn hand_out(&mut self, id: u64, held: Held) {
        self.at(id).become_something(Is::Held(held));
    }

    /// Opens a link. False if it is dead.
    pub(crate) fn open(&mut self, id: u64, key: &LinkKey) -> bool {
        let now = self.now;
        let passport = self.at(id);
        match passport.held(now).cloned() {
            Some(held) if held.key == *key && held.is_scanned => true,
            Some(held) if held.key == *key => {
                passport.become_something(Is::Held(Held { is_scanned: true, ..held }));
                true
            }
            _ => false,
        }
    }

    /// Claims by a link, always for the same wallet. False if the link is dead.
    pub(crate) fn claim(&mut self, id: u64, key: &LinkKey) -> bool {
        let now = self.now;
        let passport = self.at(id);
        match (&passport.is, passport.held(now).cloned()) {
            (Is::Claimed(held), _) => held.key == *key,
            (_, Some(held)) if held.key == *key => {
                passport.become_something(Is::Claimed(held));
                true
            }
            _ => false,
        }
    }

    pub(crate) fn recover(&mut self, id: u64) -> Result<(), Refused> {
        let passport = self.at(id);
        match passport.is {
            Is::Claimed(_) => {
                passport.become_something(Is::Recovered);
                Ok(())
            }
            _ => Err("wrong-state"),
        }
    }

    pub(crate) fn retag(&mut self, id: u64, tags: u8) {
        let passport = self.at(id);
        if passport.tags != tags {
            passport.tags = tags;
            passport.changes += 1;
        }
    }

    /// Takes passports back. Under a name it can be undone.
    pub(crate) fn reset(&mut self, ids: &[u64], keep: Option<ResetId>) {
        let mut taken = Vec::new();
        for id in ids {
            let passport = self.at(*id);
            let before = passport.is.clone();
            passport.become_something(Is::Free);
            taken.push((*id, before, passport.changes));
        }
        self.resets.extend(keep.map(|id| Undoable { id, at: self.now, is_undone: false, taken }));
    }

    /// Those of the named ones that are reset: all or none.
    pub(crate) fn resettable(&self, named: &[u64]) -> Result<Vec<u64>, Refused> {
        if named.iter().all(|id| self.passports[id].can_be_reset(self.now)) {
            Ok(named.to_vec())
        } else {
            Err("wrong-state")
        }
    }

    pub(crate) fn preview(&mut self, ids: &[u64], id: PreviewId) {
        let seen = ids.iter().map(|id| (*id, self.passports[id].changes)).collect();
        self.previews.push(Previewed { id, at: self.now, seen });
    }

    /// Those of a preview that a reset gives back, and how many it leaves alone.
    pub(crate) fn previewed(&self, nth: usize) -> Result<(Vec<u64>, u64), Refused> {
        let Previewed { at, seen, .. } = &self.previews[nth];
        if self.now >= at + QUARTER_OF_AN_HOUR {
            return Err("unknown-preview");
        }
        let is_unchanged = |(id, changes): &&(u64, u32)| {
            let passport = &self.passports[id];
            passport.changes == *changes && passport.can_be_reset(self.now)
        };
        let reset: Vec<u64> = seen.iter().filter(is_unchanged).map(|(id, _)| *id).collect();
        let others = (seen.len() - reset.len()) as u64;
        Ok((reset, others))
    }

    /// Gives back what a reset took, and tells to how many, and how many stay as they are.
    pub(crate) fn undo(&mut self, nth: usize) -> Result<(u64, u64), Refused> {
        let now = self.now;
        let reset = &mut self.resets[nth];
        if now >= reset.at + DAY {
            return Err("unknown-reset");
        }
        if std::mem::replace(&mut reset.is_undone, true) {
            return Err("reset-undone");
        }
        let (mut count, mut others) = (0, 0);
        for (id, before, changes) in std::mem::take(&mut reset.taken) {
            let passport = self.passports.get_mut(&id).unwrap();
            let is_over = matches!(&before, Is::Held(held) if held.has_ended(now));
            if passport.changes == changes && !is_over {
                passport.become_something(before);
                count += 1;
            } else {
                others += 1;
            }
        }
        Ok((count, others))
    }

    /// Gives the holds of a reservation another end, and tells how many there are.
    pub(crate) fn extend(&mut self, nth: usize, until: i64) -> u64 {
        let reservation = &mut self.reservations[nth];
        reservation.until = Some(until);
        let held = self.held_by(self.reservations[nth].id);
        for id in &held {
            let passport = self.at(*id);
            let Is::Held(held) = passport.is.clone() else { unreachable!("it is held") };
            passport.become_something(Is::Held(Held { until: Some(until), ..held }));
        }
        held.len() as u64
    }

    fn at(&mut self, id: u64) -> &mut Passport {
        self.passports.get_mut(&id).expect("a history names passports that there are")
    }
}
