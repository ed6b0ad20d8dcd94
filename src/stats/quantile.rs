//! Quantiles by a named method, and means that a few wild values cannot move.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::error::Error;
use super::sample::{Replicates, Sample, mean};
use super::summary::{Percent, between, percentile};

/// The nine definitions of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American
/// Statistician 50, 1996, under numpy's names; the type number is R's `type`.
///
/// With p the rank as a fraction and positions counted from 1, the quantile lies at `n p + m`: types 1 to 3 take a
/// value there (or the mean of two), types 4 to 9 interpolate linearly between its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuantileMethod {
    /// Type 1, `m = 0`: the first value at or beyond the position.
    InvertedCdf,
    /// Type 2, `m = 0`: as type 1, but the mean of both neighbours where the position is a whole number.
    AveragedInvertedCdf,
    /// Type 3, `m = -1/2`: the value nearest to the position, the even-numbered one of two equally near (SAS).
    ClosestObservation,
    /// Type 4, `m = 0`.
    InterpolatedInvertedCdf,
    /// Type 5, `m = 1/2` (A. Hazen, 1914).
    Hazen,
    /// Type 6, `m = p` (W. Weibull, 1939; Minitab and SPSS).
    Weibull,
    /// Type 7, `m = 1 - p`: the default of R and numpy, and what [`percentile`] computes.
    Linear,
    /// Type 8, `m = (p + 1)/3`: median-unbiased whatever the distribution; recommended by Hyndman and Fan.
    MedianUnbiased,
    /// Type 9, `m = p/4 + 3/8`: unbiased for normal values (G. Blom, 1958).
    NormalUnbiased,
}

/// The value below which `rank` percent of the sample lies, by the method named.
///
/// The position is formed as `n * rank / 100`, which is exact for the usual ranks (25, 97.5) where `n * (rank / 100)`
/// is not, so that types 1 to 3 do not step to the neighbour because of a rounding.
pub fn quantile(sample: &Sample, rank: Percent, method: QuantileMethod) -> f64 {
    let at = sample.n() as f64 * rank.get() / 100.0;
    let p = rank.get() / 100.0;
    match method {
        QuantileMethod::InvertedCdf => value_at(sample, at.ceil()),
        QuantileMethod::AveragedInvertedCdf if at == at.floor() => {
            between(value_at(sample, at), value_at(sample, at + 1.0), 0.5)
        }
        QuantileMethod::AveragedInvertedCdf => value_at(sample, at.ceil()),
        QuantileMethod::ClosestObservation => value_at(sample, nearest(at)),
        QuantileMethod::InterpolatedInvertedCdf => interpolated(sample, at),
        QuantileMethod::Hazen => interpolated(sample, at + 0.5),
        QuantileMethod::Weibull => interpolated(sample, at + p),
        QuantileMethod::Linear => percentile(sample, rank),
        QuantileMethod::MedianUnbiased => interpolated(sample, at + (p + 1.0) / 3.0),
        QuantileMethod::NormalUnbiased => interpolated(sample, at + (p / 4.0 + 0.375)),
    }
}

/// The whole number nearest to a position of at least 0, the even one of two equally near.
fn nearest(position: f64) -> f64 {
    let below = position.floor();
    let part = position - below;
    let up = part > 0.5 || (part == 0.5 && below % 2.0 != 0.0);
    if up { below + 1.0 } else { below }
}

/// The order statistic at a whole position from 1, the outermost one for positions beyond the sample.
fn value_at(sample: &Sample, position: f64) -> f64 {
    let index = position.clamp(1.0, sample.n() as f64) as usize - 1;
    sample.sorted().get(index).copied().unwrap_or(sample.max())
}

/// Linear interpolation at a position from 1, constant beyond the outermost values.
fn interpolated(sample: &Sample, position: f64) -> f64 {
    let whole = position.floor();
    between(value_at(sample, whole), value_at(sample, whole + 1.0), position - whole)
}

/// The median: the middle value, or halfway between the two in the middle.
pub(super) fn median(sample: &Sample) -> f64 {
    percentile(sample, Percent::P50)
}

/// A mean after the same number of values was cut from each end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrimmedMean {
    /// Values before the cut.
    pub n: usize,
    /// Values cut from each end.
    pub cut: usize,
    /// Mean of what is left.
    pub mean: f64,
    /// Standard deviation (n - 1 in the denominator) after the cut values were replaced by their nearest neighbours
    /// that stay; absent for a single value.
    pub winsorized_sd: Option<f64>,
    /// Standard error of the trimmed mean, `winsorized_sd sqrt(n) / (n - 2 cut)`, which goes with `n - 2 cut - 1`
    /// degrees of freedom; absent unless at least two values are left.
    pub se: Option<f64>,
}

/// Mean after cutting `percent_each_end` percent of the values, rounded down, from each end (J. W. Tukey and
/// D. H. McLaughlin, "Less vulnerable confidence and significance procedures for location based on a single sample:
/// trimming/winsorization 1", Sankhya A 25, 1963).
///
/// The number cut is `floor(n * percent / 100)`; a standard error that uses the share truly cut instead of the one
/// asked for is R's and Yuen's.
///
/// # Errors
/// [`Error::OutOfRange`] unless `0 <= percent_each_end < 50`; [`Error::Overflow`] or [`Error::Underflow`] beyond the
/// doubles.
pub fn trimmed_mean(sample: &Sample, percent_each_end: f64) -> Result<TrimmedMean, Error> {
    const COMPUTING: &str = "a trimmed mean";
    if !(0.0..50.0).contains(&percent_each_end) {
        return Err(Error::OutOfRange {
            computing: COMPUTING,
            parameter: "the percentage cut from each end",
            found: percent_each_end,
            range: "at least 0 and below 50",
            hint: "10 or 20 are usual; for half of the values from each end ask for the median",
        });
    }
    let n = sample.n();
    // A percentage below 50 may round up to half of the values.
    let cut = ((n as f64 * percent_each_end / 100.0) as usize).min((n - 1) / 2);
    let kept = sample.sorted().get(cut..n - cut).unwrap_or_default();
    let (Some(&low), Some(&high)) = (kept.first(), kept.last()) else {
        return Err(Error::TooFew { computing: COMPUTING, needed: 1, of: "values", found: 0, hint: "cut fewer" });
    };
    let winsorized_sd = if n < 2 {
        None
    } else {
        let drawn_in: Vec<f64> = sample.sorted().iter().map(|value| value.clamp(low, high)).collect();
        Some(Replicates::new(drawn_in)?.sd())
    };
    let se = match winsorized_sd.filter(|_| kept.len() >= 2) {
        Some(sd) => Some(finite(sd * (n as f64).sqrt() / kept.len() as f64, COMPUTING)?),
        None => None,
    };
    Ok(TrimmedMean { n, cut, mean: mean(kept)?, winsorized_sd, se })
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHODS: [QuantileMethod; 9] = [
        QuantileMethod::InvertedCdf,
        QuantileMethod::AveragedInvertedCdf,
        QuantileMethod::ClosestObservation,
        QuantileMethod::InterpolatedInvertedCdf,
        QuantileMethod::Hazen,
        QuantileMethod::Weibull,
        QuantileMethod::Linear,
        QuantileMethod::MedianUnbiased,
        QuantileMethod::NormalUnbiased,
    ];

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values).expect("finite values")
    }

    fn rank(value: f64) -> Percent {
        Percent::new(value).expect("a rank")
    }

    #[test]
    fn the_nine_methods_differ_on_the_quartile_of_ten_values() {
        // n p = 2.5, worked out by hand from the definitions.
        let ten = sample(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        let found = METHODS.map(|method| quantile(&ten, rank(25.0), method));
        let third = 2.5 + 1.25 / 3.0;
        assert_eq!(found, [3.0, 3.0, 2.0, 2.5, 3.0, 2.75, 3.25, third, 2.9375]);
    }

    #[test]
    fn the_ends_are_the_outermost_values_and_a_single_value_is_every_quantile() {
        let three = sample(&[3.0, 1.0, 2.0]);
        for method in METHODS {
            assert_eq!((quantile(&three, rank(0.0), method), quantile(&three, rank(100.0), method)), (1.0, 3.0));
            assert_eq!(quantile(&sample(&[7.0]), rank(33.0), method), 7.0, "{method:?}");
        }
    }

    #[test]
    fn a_position_that_is_whole_is_not_missed_by_a_rounding() {
        // 100 * (7 / 100) is 7.000000000000001, which would be the eighth value.
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile(&sample(&hundred), rank(7.0), QuantileMethod::InvertedCdf), 7.0);
    }

    #[test]
    fn no_method_ever_decreases_as_the_rank_grows() {
        let values = sample(&[0.3, -4.0, 2.5, 2.5, 11.0, 7.25, -0.5]);
        for method in METHODS {
            let all: Vec<f64> = (0..=200).map(|half| quantile(&values, rank(f64::from(half) / 2.0), method)).collect();
            assert!(all.is_sorted(), "{method:?}: {all:?}");
        }
    }

    #[test]
    fn a_wild_value_moves_the_mean_and_not_the_trimmed_mean() {
        let wild = sample(&[1.0, 2.0, 3.0, 4.0, 1e6]);
        let found = trimmed_mean(&wild, 20.0).expect("a mean");
        assert_eq!((found.cut, found.mean), (1, 3.0));
        // 2 2 3 4 4: variance 1.
        assert_eq!((found.winsorized_sd, found.se), (Some(1.0), Some(5.0_f64.sqrt() / 3.0)));
        assert_eq!(trimmed_mean(&wild, 0.0).expect("a mean").mean, wild.mean());
    }

    #[test]
    fn a_cut_of_nearly_half_leaves_the_middle() {
        for n in 1..=8_u32 {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            let found = trimmed_mean(&sample(&values), 49.999_999_999_999_99).expect("a mean");
            assert_eq!(found.mean, f64::from(n - 1) / 2.0, "{n}");
        }
        let one = trimmed_mean(&sample(&[4.0]), 20.0).expect("a mean");
        assert_eq!((one.mean, one.winsorized_sd, one.se), (4.0, None, None));
        for bad in [50.0, -1.0, f64::NAN] {
            assert!(matches!(trimmed_mean(&sample(&[4.0]), bad), Err(Error::OutOfRange { .. })), "{bad}");
        }
    }
}
