//! From the statistics of all resamples to an interval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::draws::{Bootstrap, Draws};
use crate::stats::arithmetic::{finite, sum};
use crate::stats::distribution::{normal_cdf, normal_quantile};
use crate::stats::error::Error;
use crate::stats::interval::Interval;
use crate::stats::summary::{Percent, of_sorted};

const COMPUTING: &str = "a bootstrap interval";

/// How the statistics of the resamples become an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BootstrapMethod {
    /// Their percentiles (B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3).
    Percentile,
    /// Their percentiles mirrored at the estimate: `2 estimate - percentile` (A. C. Davison and D. V. Hinkley,
    /// "Bootstrap Methods and their Application", 1997, section 5.2.1).
    Basic,
    /// Percentiles at ranks corrected for bias and for a spread that changes with the estimate (Efron and Tibshirani,
    /// section 14.3), the acceleration from leaving out one unit at a time, summed over both samples where there are
    /// two (Davison and Hinkley, section 5.3.2, as scipy does).
    Bca,
}

/// The statistic of a sample and of all its resamples.
pub(super) struct Resampled {
    estimate: f64,
    /// In ascending order, at least where an end is looked up.
    statistics: Vec<f64>,
}

/// Draws all resamples of some groups and takes their interval.
///
/// `statistic` is a pure function of the groups, each as long as it was given.
pub(super) fn interval<T: Copy, const K: usize>(
    method: BootstrapMethod,
    bootstrap: Bootstrap,
    groups: [&[T]; K],
    mut statistic: impl FnMut([&[T]; K]) -> Result<f64, Error>,
) -> Result<Interval, Error> {
    bootstrap.enough(COMPUTING)?;
    let mut resampled = Resampled::draw(bootstrap, groups, &mut statistic)?;
    let (low, high) = bootstrap.ranks();
    match method {
        BootstrapMethod::Percentile | BootstrapMethod::Basic => resampled.settle([low, high]),
        BootstrapMethod::Bca => resampled.statistics.sort_unstable_by(f64::total_cmp),
    }
    let (low, high) = match method {
        BootstrapMethod::Percentile => (resampled.at(low)?, resampled.at(high)?),
        BootstrapMethod::Basic => (resampled.mirrored(high)?, resampled.mirrored(low)?),
        BootstrapMethod::Bca => {
            let acceleration = acceleration(groups, &mut statistic)?;
            let (low, high) = resampled.corrected_ranks(bootstrap, acceleration)?;
            (resampled.at(low)?, resampled.at(high)?)
        }
    };
    Ok(Interval { estimate: resampled.estimate, low, high, confidence: bootstrap.confidence })
}

/// A statistic's value, which has to be a number.
pub(super) fn checked(index: usize, value: f64) -> Result<f64, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::NotFinite { computing: COMPUTING, index, value }) }
}

impl Resampled {
    fn draw<T: Copy, const K: usize>(
        bootstrap: Bootstrap,
        groups: [&[T]; K],
        statistic: &mut impl FnMut([&[T]; K]) -> Result<f64, Error>,
    ) -> Result<Self, Error> {
        let resamples = bootstrap.resamples as usize;
        let estimate = checked(resamples, statistic(groups)?)?;
        let mut draws = Draws::new(bootstrap.seed, groups);
        let mut statistics = Vec::with_capacity(resamples);
        for resample in 0..resamples {
            statistics.push(checked(resample, statistic(draws.next())?)?);
        }
        Ok(Self { estimate, statistics })
    }

    /// Puts the statistics that the percentiles at `ranks`, in ascending order, lie between where sorting would put them.
    fn settle(&mut self, ranks: [f64; 2]) {
        let mut settled = 0;
        for rank in ranks {
            let below = (rank / 100.0 * (self.statistics.len().saturating_sub(1)) as f64).floor() as usize;
            // One more on either side: a rounding must not decide which two are looked up.
            for place in below.saturating_sub(1)..=below + 2 {
                let (Some(rest), true) = (self.statistics.get_mut(settled..), place >= settled) else { continue };
                if place - settled < rest.len() {
                    rest.select_nth_unstable_by(place - settled, f64::total_cmp);
                    settled = place + 1;
                }
            }
        }
    }

    /// The type 7 percentile of the resamples' statistics.
    fn at(&self, rank: f64) -> Result<f64, Error> {
        let rank = Percent::new(rank)?;
        Ok(of_sorted(&self.statistics, rank).expect("there are at least two resamples, and the rank is at most 100"))
    }

    /// [`Resampled::at`], mirrored at the estimate.
    fn mirrored(&self, rank: f64) -> Result<f64, Error> {
        finite(self.estimate - (self.at(rank)? - self.estimate), COMPUTING)
    }

    /// The ranks of both ends in percent after the corrections of BCa.
    fn corrected_ranks(&self, bootstrap: Bootstrap, acceleration: f64) -> Result<(f64, f64), Error> {
        let resamples = self.statistics.len() as f64;
        let below = self.statistics.partition_point(|value| *value < self.estimate);
        let up_to = self.statistics.partition_point(|value| *value <= self.estimate);
        // Resamples equal to the estimate count half.
        let share = (below + up_to) as f64 / (2.0 * resamples);
        if share <= 0.0 || share >= 1.0 {
            return Err(undefined("every resample lies on the same side of the estimate, so its bias has no measure"));
        }
        let bias = normal_quantile(share)?;
        let tail = normal_quantile(bootstrap.confidence.tail())?;
        let corrected = |z: f64| {
            let shifted = bias + z;
            let slope = 1.0 - acceleration * shifted;
            if slope <= 0.0 {
                return Err(undefined("the correction for skewness turns the order of the resamples around"));
            }
            let share = normal_cdf(bias + shifted / slope)?;
            // As far out as `Bootstrap::enough` allows without a correction.
            if share * resamples < 1.0 || (1.0 - share) * resamples < 1.0 {
                return Err(undefined("the corrected rank lies beyond the outermost resamples"));
            }
            Ok(100.0 * share)
        };
        Ok((corrected(tail)?, corrected(-tail)?))
    }
}

/// How fast the statistic's standard error changes with it: `sum(U^3 / n^3) / (6 sum(U^2 / n^2)^(3/2))` over all units
/// of all groups, where `U = (n - 1) (mean of the others' - the statistic without the unit)`.
fn acceleration<T: Copy, const K: usize>(
    groups: [&[T]; K],
    statistic: &mut impl FnMut([&[T]; K]) -> Result<f64, Error>,
) -> Result<f64, Error> {
    let mut influences = Vec::new();
    for (position, group) in groups.iter().enumerate() {
        let mut without = Vec::with_capacity(group.len());
        for left_out in 0..group.len() {
            let mut rest = group.to_vec();
            rest.remove(left_out);
            let mut others = groups;
            if let Some(slot) = others.get_mut(position) {
                *slot = &rest;
            }
            without.push(checked(left_out, statistic(others)?)?);
        }
        let n = group.len() as f64;
        let mean = sum(without.iter().copied()) / n;
        influences.extend(without.iter().map(|value| (n - 1.0) * (mean - value) / n));
    }
    // In units of the largest, so that no power leaves the doubles.
    let largest = finite(influences.iter().fold(0.0_f64, |largest, u| largest.max(u.abs())), COMPUTING)?;
    if largest == 0.0 {
        return Err(undefined("leaving out any one unit does not change the statistic, so it has no acceleration"));
    }
    let squares = sum(influences.iter().map(|u| (u / largest) * (u / largest)));
    let cubes = sum(influences.iter().map(|u| (u / largest) * (u / largest) * (u / largest)));
    finite(cubes / (6.0 * squares * squares.sqrt()), COMPUTING)
}

fn undefined(because: &'static str) -> Error {
    let hint = "use the percentile method, or more values or resamples";
    Error::Undefined { computing: "a BCa bootstrap interval", because, hint }
}
