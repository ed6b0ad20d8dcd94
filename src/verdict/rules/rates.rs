//! Shares of failed trials: exact intervals, and how many trials would settle on which side of a cut a share lies.

use crate::stats::{Confidence, Interval, Proportion, clopper_pearson};

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
