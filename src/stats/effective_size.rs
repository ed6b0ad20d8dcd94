//! How many independent values a series of dependent ones is worth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::sum;
use super::error::Error;
use super::sample::Replicates;

const COMPUTING: &str = "an effective sample size";

/// What a series says about its mean, its autocorrelation counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EffectiveSize {
    /// Values in the series.
    pub n: usize,
    /// Integrated autocorrelation time: the variance of the mean in units of that of n independent values. Below 1
    /// where neighbours tend to opposite sides.
    pub autocorrelation_time: f64,
    /// `n / autocorrelation_time`, never more than n: opposite neighbours are not taken for more information than was
    /// measured.
    pub effective_n: f64,
    /// Standard deviation over the root of `effective_n`, in the unit of the values.
    pub standard_error: f64,
    /// Lags whose autocorrelation was counted.
    pub lags: usize,
}

/// Effective size of a series in the order measured, by the initial monotone positive sequence (C. J. Geyer,
/// "Practical Markov chain Monte Carlo", Statistical Science 7, 1992, section 3.3).
///
/// `τ = -1 + 2 sum of Γ_k` with `Γ_k = ρ_2k + ρ_2k+1`, summed as long as it is positive, each Γ lowered to the smallest
/// one before it. The autocorrelations ρ are those of the whole series with n in the denominator at every lag.
///
/// # Errors
/// [`Error::TooFew`] below 4 values; [`super::Error::ZeroSpread`] if all are equal; [`Error::Undefined`] where τ is not above 0, as
/// no ratio of variances is.
pub fn effective_size(series: &Replicates) -> Result<EffectiveSize, Error> {
    let n = series.n();
    if n < 4 {
        let hint = "a series this short says nothing of its autocorrelation";
        return Err(Error::TooFew { computing: COMPUTING, needed: 4, of: "values", found: n as u64, hint });
    }
    let series = series.with_spread(COMPUTING)?;
    let deviations: Vec<f64> = series.values().iter().map(|value| (value - series.mean()) / series.sd()).collect();
    let products = |lag: usize| sum(deviations.iter().zip(deviations.iter().skip(lag)).map(|(one, other)| one * other));
    let whole = products(0);
    let (mut time, mut smallest, mut lags) = (-1.0, f64::INFINITY, 0);
    for even in (0..n - 1).step_by(2) {
        let pair = (products(even) + products(even + 1)) / whole;
        if pair <= 0.0 {
            break;
        }
        smallest = pair.min(smallest);
        time += 2.0 * smallest;
        lags = even + 1;
    }
    if time <= 0.0 {
        return Err(Error::Undefined {
            computing: COMPUTING,
            because: "its autocorrelations sum to a variance of the mean that is not above 0",
            hint: "neighbours that lie on opposite sides throughout are no sample; average each with the next",
        });
    }
    let effective_n = n as f64 / time.max(1.0);
    let standard_error = series.sd() / effective_n.sqrt();
    Ok(EffectiveSize { n, autocorrelation_time: time, effective_n, standard_error, lags })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(values: Vec<f64>) -> Result<EffectiveSize, Error> {
        effective_size(&Replicates::new(values).expect("usable values"))
    }

    #[test]
    fn a_series_of_blocks_is_worth_about_its_blocks() {
        // 64 levels in a scrambled order, each repeated ten times.
        let levels = (0..64_u32).map(|i| f64::from(i * 37 % 64));
        let blocks: Vec<f64> = levels.flat_map(|level| [level; 10]).collect();
        let found = size(blocks).expect("a size");
        assert!((32.0..128.0).contains(&found.effective_n), "{found:?}");
    }

    #[test]
    fn opposite_neighbours_are_not_worth_more_than_they_are() {
        let found =
            size((0..50_u32).map(|i| f64::from(i % 2) + f64::from(i * 37 % 64) / 16.0).collect()).expect("a size");
        assert!((0.0..1.0).contains(&found.autocorrelation_time) && found.effective_n == 50.0, "{found:?}");
        for opposite in [vec![0.0, 1.0, 0.0, 1.0], (0..50_u32).map(|i| f64::from(i % 2)).collect()] {
            assert!(matches!(size(opposite), Err(Error::Undefined { .. })));
        }
    }

    #[test]
    fn a_series_too_short_or_constant_is_refused() {
        assert!(matches!(size(vec![1.0, 2.0, 3.0]), Err(Error::TooFew { needed: 4, found: 3, .. })));
        assert!(matches!(size(vec![2.0; 9]), Err(Error::ZeroSpread { .. })));
    }
}
