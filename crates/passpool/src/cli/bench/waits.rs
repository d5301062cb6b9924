//! Waits: how long callers waited for their answers.

use std::{ops::AddAssign, time::Duration};

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// To a thousandth, from a microsecond on.
const DIGITS: u8 = 3;
/// Longer waits count as this one: nobody has waited for more.
const LONGEST: Duration = Duration::from_secs(120);

/// Many waits, from which the usual and the worst can be told.
#[derive(Clone, Debug)]
pub(super) struct Waits(Histogram<u64>);

impl Default for Waits {
    fn default() -> Self {
        let longest = LONGEST.as_micros() as u64;
        Self(Histogram::new_with_bounds(1, longest, DIGITS).expect("the bounds are in order"))
    }
}

impl Waits {
    pub(super) fn add(&mut self, wait: Duration) {
        self.0.saturating_record(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// What so many of a hundred waited at most. None if nobody did.
    pub(super) fn percentile(&self, percent: f64) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.value_at_quantile(percent / 100.0)))
    }

    pub(super) fn longest(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.max()))
    }
}

impl AddAssign<&Self> for Waits {
    fn add_assign(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }
}

impl FromIterator<Duration> for Waits {
    fn from_iter<I: IntoIterator<Item = Duration>>(waits: I) -> Self {
        let mut all = Self::default();
        waits.into_iter().for_each(|wait| all.add(wait));
        all
    }
}

/// In milliseconds.
impl Serialize for Waits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = |wait: Option<Duration>| wait.map(|wait| wait.as_secs_f64() * 1e3);
        let mut fields = serializer.serialize_struct("Waits", 5)?;
        fields.serialize_field("count", &self.count())?;
        for (name, percent) in [("p50_ms", 50.0), ("p99_ms", 99.0), ("p99_9_ms", 99.9)] {
            fields.serialize_field(name, &millis(self.percentile(percent)))?;
        }
        fields.serialize_field("longest_ms", &millis(self.longest()))?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_and_the_worst_are_told() {
        let mut waits = Waits::default();
        assert_eq!((waits.percentile(50.0), waits.longest()), (None, None));
        waits += &(1..=1_000).map(Duration::from_micros).collect();
        waits += &[Duration::from_secs(500)].into_iter().collect();
        assert_eq!(waits.count(), 1_001);
        assert_eq!(waits.percentile(50.0), Some(Duration::from_micros(501)));
        assert_eq!(waits.percentile(99.0), Some(Duration::from_micros(991)));
        assert!(waits.longest().unwrap() >= LONGEST);
    }
}
