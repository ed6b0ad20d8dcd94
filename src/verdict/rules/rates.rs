//! Shares of failed trials: exact intervals, and how many trials would settle on which side of a cut a share lies.

use super::Part;
use super::three_answers::MIN_LAUNCHES;
use crate::stats::distribution::incomplete_beta;
use crate::stats::{Confidence, Interval, PValue, Proportion, clopper_pearson};

/// The most trials that are looked for.
const MOST: u64 = 1_000_000;

/// How often something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Trials in which it happened.
    pub hits: u64,
    /// Trials.
    pub trials: u64,
}

/// How often something happened, in whatever is the unit of replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Of launches, where rows were measured; else of what a report counts.
    pub count: Count,
    /// The same of attempts, where `count` is of launches: attempts of one launch are no independent trials.
    pub attempts: Option<Count>,
}

/// On which side of a cut a share lies, by its exact interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// Not above the cut.
    Below,
    /// Above the cut.
    Above,
    /// The interval holds both.
    Open,
}

impl Count {
    /// The share; nothing without trials.
    pub(super) fn share(self) -> Option<f64> {
        Proportion::new(self.hits, self.trials).ok().map(|share| share.share())
    }

    /// Clopper and Pearson's interval; in words why there is none.
    pub(super) fn exact(self, confidence: Confidence) -> Result<Interval, String> {
        Proportion::new(self.hits, self.trials)
            .and_then(|share| clopper_pearson(share, confidence))
            .map_err(|error| error.to_string())
    }

    /// On which side of `cut` the share lies.
    pub(super) fn side(self, cut: f64, confidence: Confidence) -> Result<Where, String> {
        let interval = self.exact(confidence)?;
        Ok(match (interval.high <= cut, interval.low > cut) {
            (true, _) => Where::Below,
            (false, true) => Where::Above,
            (false, false) => Where::Open,
        })
    }

    /// The p value of the share not being above `cut`: the probability of so many hits or more if it were just that, at which
    /// the lower end of Clopper and Pearson's interval turns round.
    pub(super) fn p_above(self, cut: f64) -> Option<PValue> {
        let Self { hits, trials } = self;
        let misses = trials.checked_sub(hits)?;
        let p = if hits == 0 { Ok(1.0) } else { incomplete_beta(hits as f64, misses as f64 + 1.0, cut) };
        PValue::new(p.ok()?.min(1.0)).ok()
    }

    /// The p value of the share being above `cut`: the probability of so few hits or fewer if it were just that, at which the
    /// upper end of the interval turns round.
    pub(super) fn p_below(self, cut: f64) -> Option<PValue> {
        let Self { hits, trials } = self;
        Self { hits: trials.checked_sub(hits)?, trials }.p_above(1.0 - cut)
    }

    /// The p value of the share being on the other side of `cut` than it seems. A share lies on one side or on the other, so that
    /// only one of both answers can be wrong: it is the probability of one tail.
    pub(super) fn p_of_side(self, cut: f64) -> Option<PValue> {
        [self.p_above(cut)?, self.p_below(cut)?].into_iter().min_by(PValue::order)
    }

    /// Whether any outcome of so many trials would be clear of `cut`. Where none would, nothing is asked: it is no test of a family
    /// (R. E. Tarone, "A modified Bonferroni method for discrete data", Biometrics 46, 1990).
    pub(super) fn can_be_clear(self, cut: f64, confidence: Confidence) -> bool {
        let ends = [0, self.trials].map(|hits| Self { hits, trials: self.trials }.side(cut, confidence));
        ends.into_iter().any(|side| side.is_ok_and(|side| side != Where::Open))
    }

    /// Trials with which the same share would be clear of `cut`; nothing where a million would not be enough.
    ///
    /// Hits are rounded towards the cut, so that the number found does settle it at this share.
    pub(super) fn trials_to_settle(self, cut: f64, confidence: Confidence) -> Option<u64> {
        let share = self.share()?;
        let settles = |trials: u64| {
            let expected = share * trials as f64;
            let hits = if share <= cut { expected.ceil() } else { expected.floor() } as u64;
            let count = Self { hits: hits.min(trials), trials };
            count.side(cut, confidence).is_ok_and(|side| side != Where::Open)
        };
        let (mut short, mut enough) = (self.trials, self.trials.max(1));
        while !settles(enough) {
            if enough >= MOST {
                return None;
            }
            (short, enough) = (enough, enough.saturating_mul(2).min(MOST));
        }
        while enough.saturating_sub(short) > 1 {
            let middle = short + (enough - short) / 2;
            if settles(middle) { enough = middle } else { short = middle }
        }
        Some(enough)
    }
}

impl Tally {
    /// What a report counts.
    #[must_use]
    pub fn printed(count: Count) -> Self {
        Self { count, attempts: None }
    }

    /// Whether the launch is the unit.
    pub(super) fn is_by_launch(self) -> bool {
        self.attempts.is_some()
    }

    /// Whether there are fewer launches than decide anything.
    pub(super) fn is_too_few(self) -> bool {
        self.is_by_launch() && self.count.trials < MIN_LAUNCHES
    }

    /// The fewest trials that decide anything.
    pub(super) fn at_least(self) -> u64 {
        if self.is_by_launch() { MIN_LAUNCHES } else { 1 }
    }

    /// In words, for example `3 of 3 launches (9 of 9 attempts)`.
    pub(super) fn told(self) -> String {
        let Count { hits, trials } = self.count;
        match self.attempts {
            Some(attempts) => {
                format!("{hits} of {trials} launches ({} of {} attempts)", attempts.hits, attempts.trials)
            }
            None => format!("{hits} of {trials}"),
        }
    }

    /// The attempts beside the launches, as numbers of a part.
    pub(super) fn beside(self, part: Part) -> Part {
        let beside = |part: Part, Count { hits, trials }: Count| {
            part.number("of_attempts", hits as f64).number("attempts", trials as f64)
        };
        self.attempts.into_iter().fold(part, beside)
    }
}

/// That the launch is the unit, where it is.
pub(super) fn unit_told(tallies: impl IntoIterator<Item = Tally>) -> Option<String> {
    let by_launch = tallies.into_iter().any(Tally::is_by_launch);
    by_launch.then(|| {
        "the launch is the unit, whatever column the plan names: one attempt that failed makes it a failed launch"
            .to_owned()
    })
}

/// Why `cut` is no share that an interval can be clear of on both sides, if it is not.
pub(super) fn cut_fault(name: &str, cut: f64) -> Option<String> {
    (!(cut > 0.0 && cut < 1.0)).then(|| {
        format!("{name} is {cut}; it must lie above 0 and below 1, because no number of trials shows a share to be exactly 0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level() -> Confidence {
        Confidence::new(0.95).expect("a level")
    }

    #[test]
    fn a_share_is_below_or_above_a_cut_only_if_its_whole_interval_is() {
        let side = |hits, trials, cut| Count { hits, trials }.side(cut, level());
        // The two-sided 95 % interval of 0 of 36 ends at 1 - 0.025^(1/36) = 0.0974, that of 0 of 35 at 0.1.
        assert_eq!(side(0, 36, 0.1), Ok(Where::Below));
        assert_eq!(side(0, 35, 0.1), Ok(Where::Open));
        assert_eq!(side(60, 60, 0.9), Ok(Where::Above));
        assert_eq!(side(48, 60, 0.9), Ok(Where::Below));
        assert!(side(0, 0, 0.1).is_err() && side(2, 1, 0.1).is_err());
    }

    #[test]
    fn the_trials_that_settle_do_settle_and_one_fewer_does_not() {
        for (hits, trials, cut) in [(0, 5, 0.05), (0, 1, 0.1), (4, 5, 0.7), (1, 4, 0.3)] {
            let count = Count { hits, trials };
            let needed = count.trials_to_settle(cut, level()).expect("a number");
            assert!(needed > trials, "{hits}/{trials}: {needed}");
        }
        assert_eq!(Count { hits: 0, trials: 5 }.trials_to_settle(0.1, level()), Some(36));
        assert_eq!(Count { hits: 1, trials: 10 }.trials_to_settle(0.1, level()), None);
        assert_eq!(Count { hits: 0, trials: 0 }.trials_to_settle(0.1, level()), None);
    }
}
