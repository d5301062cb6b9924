//! What was measured of a row, round by round.

use std::time::Duration;

use super::waits::Waits;

/// One row's result.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) case: &'static str,
    pub(super) row: String,
    /// The row of the same case that it is compared with.
    pub(super) against: Option<String>,
    /// What its kinds of calls are called, if there are several.
    pub(super) kinds: &'static [&'static str],
    /// How many connections called; none if nobody did.
    pub(super) connections: Option<usize>,
    pub(super) rounds: Vec<Round>,
    /// Bytes a passport, if it was weighed.
    pub(super) bytes_each: Option<f64>,
}

/// What one round did.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    /// How many passports it was about; how many calls, if it was about none.
    pub(super) done: u64,
    pub(super) time: Duration,
    /// What the server used, or the command that was measured.
    pub(super) cpu: Duration,
    /// What this process used meanwhile.
    pub(super) client_cpu: Duration,
    /// What the machine's host gave to others meanwhile.
    pub(super) stolen: Duration,
    /// What the server had at the end of it, in bytes.
    pub(super) memory: u64,
    /// By kinds of calls.
    pub(super) waits: Vec<Waits>,
    /// The rate that was asked for, if one was.
    pub(super) asked: Option<f64>,
    /// How many answers came in each second.
    pub(super) seconds: Vec<u64>,
}

/// How many processors somebody had, on average.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cores {
    pub(super) server: f64,
    pub(super) client: f64,
    /// Others, by the host's will, while somebody here wanted them.
    pub(super) stolen: f64,
}

impl Round {
    /// How many a second.
    pub(super) fn rate(&self) -> f64 {
        self.done as f64 / self.time.as_secs_f64()
    }

    /// What so many of a hundred calls of all kinds waited at most.
    pub(super) fn percentile(&self, percent: f64) -> Option<Duration> {
        let mut all = Waits::default();
        self.waits.iter().for_each(|waits| all += waits);
        all.percentile(percent)
    }

    /// Answers a second in the first sixth of the time, and in the last. None if it was too short to tell.
    pub(super) fn first_and_last(&self) -> Option<(f64, f64)> {
        // What stands last is not a whole second: the answers that were still on their way.
        let whole = &self.seconds[..self.seconds.len().min(self.time.as_secs() as usize)];
        let part = whole.len() / 6;
        let mean = |seconds: &[u64]| seconds.iter().sum::<u64>() as f64 / seconds.len() as f64;
        (part > 0).then(|| (mean(&whole[..part]), mean(&whole[whole.len() - part..])))
    }
}

impl Measured {
    /// How many a second, in the middle one of the rounds. None if nothing was done.
    pub(super) fn rate(&self) -> Option<f64> {
        median(self.rounds.iter().filter(|round| round.done > 0).map(Round::rate))
    }

    /// This row's rate as a part of the other's, in the middle one of the rounds that both had.
    pub(super) fn ratio(&self, to: &Self) -> Option<f64> {
        median(self.rounds.iter().zip(&to.rounds).map(|(own, other)| own.rate() / other.rate()))
    }

    /// Answers a second in the first sixth of the rounds' time, and in the last; of the middle round each.
    pub(super) fn first_and_last(&self) -> Option<(f64, f64)> {
        let parts = || self.rounds.iter().filter_map(Round::first_and_last);
        Some((median(parts().map(|(first, _)| first))?, median(parts().map(|(_, last)| last))?))
    }

    /// What so many of a hundred calls waited at most, in the middle one of the rounds.
    pub(super) fn percentile(&self, percent: f64) -> Option<Duration> {
        let rounds = self.rounds.iter().filter_map(|round| round.percentile(percent));
        median(rounds.map(|wait| wait.as_secs_f64())).map(Duration::from_secs_f64)
    }

    /// The waits of all kinds and rounds together.
    pub(super) fn waits(&self) -> Waits {
        let mut all = Waits::default();
        self.rounds.iter().flat_map(|round| &round.waits).for_each(|waits| all += waits);
        all
    }

    /// The waits of one kind.
    pub(super) fn waits_of(&self, kind: usize) -> Waits {
        let mut all = Waits::default();
        self.rounds.iter().filter_map(|round| round.waits.get(kind)).for_each(|waits| all += waits);
        all
    }

    /// Whose the processors were. None if no time went by.
    pub(super) fn cores(&self) -> Option<Cores> {
        let time: Duration = self.rounds.iter().map(|round| round.time).sum();
        let share = |of: fn(&Round) -> Duration| {
            self.rounds.iter().map(of).sum::<Duration>().as_secs_f64() / time.as_secs_f64()
        };
        (!time.is_zero()).then(|| Cores {
            server: share(|round| round.cpu),
            client: share(|round| round.client_cpu),
            stolen: share(|round| round.stolen),
        })
    }

    /// The server's processor time for one of what was done.
    pub(super) fn cpu_each(&self) -> Option<Duration> {
        let done: u64 = self.rounds.iter().map(|round| round.done).sum();
        let cpu: Duration = self.rounds.iter().map(|round| round.cpu).sum();
        (done > 0).then(|| cpu.div_f64(done as f64))
    }

    /// The most memory that the server had, in bytes.
    pub(super) fn memory(&self) -> Option<u64> {
        self.rounds.iter().map(|round| round.memory).max().filter(|memory| *memory > 0)
    }
}

/// The row of this name in this case.
pub(super) fn find<'a>(rows: &'a [Measured], case: &str, row: &str) -> Option<&'a Measured> {
    rows.iter().find(|measured| measured.case == case && measured.row == row)
}

/// The middle one; of an even number, the mean of the two in the middle.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.get(values.len() / 2)?;
    match values.len() % 2 {
        1 => Some(*middle),
        _ => Some(f64::midpoint(*middle, values[values.len() / 2 - 1])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rates: &[u64]) -> Measured {
        let round = |rate: &u64| Round { done: *rate, time: Duration::from_secs(1), ..Round::default() };
        let rounds = rates.iter().map(round).collect();
        let (row, against, kinds) = (String::new(), None, [].as_slice());
        Measured { case: "", row, against, kinds, connections: None, rounds, bytes_each: None }
    }

    #[test]
    fn a_ratio_is_of_one_round_and_the_middle_one_counts() {
        // The machine was busy in the second round, and the ratio does not care.
        let (reserved, ceiling) = (measured(&[60, 30, 70]), measured(&[100, 50, 100]));
        assert_eq!(reserved.ratio(&ceiling), Some(0.6));
        assert_eq!(reserved.rate(), Some(60.0));
        assert_eq!(measured(&[]).rate(), None);
        assert_eq!(measured(&[]).ratio(&ceiling), None);
    }

    #[test]
    fn the_waits_of_the_middle_round_count() {
        let round = |millis: u64| Round {
            waits: vec![[1, millis].into_iter().map(Duration::from_millis).collect()],
            ..Round::default()
        };
        let rounds = [3, 500, 4].map(round).into();
        let waited = Measured { rounds, ..measured(&[]) }.percentile(99.0).unwrap();
        assert_eq!(waited.as_millis(), 4);
        assert_eq!(measured(&[]).percentile(99.0), None);
    }

    #[test]
    fn the_last_sixth_is_of_whole_seconds() {
        let round = |seconds: &[u64], time| Round {
            seconds: seconds.into(),
            time: Duration::from_secs_f64(time),
            ..Round::default()
        };
        assert_eq!(round(&[60, 50, 40, 40, 40, 30, 2], 6.1).first_and_last(), Some((60.0, 30.0)));
        assert_eq!(round(&[60, 50], 2.1).first_and_last(), None);
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median([].into_iter()), None);
    }
}
