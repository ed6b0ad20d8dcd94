//! Multiple linear regression.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::{finite, sum};
use super::compare::student_p;
use super::distribution::{f_sf, ln_f_sf};
use super::error::{EqualValues, Error};
use super::least_squares::{LeastSquares, least_squares};
use super::p_value::PValue;
use super::sample::Sample;

const COMPUTING: &str = "a regression";

/// A response and the predictors that are to explain it, one value of each per observation, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    predictors: Vec<Sample>,
    response: Sample,
}

impl Observations {
    /// Checks the values. A constant is always part of the model and is not given.
    ///
    /// # Errors
    /// [`Error::Unpaired`] for a predictor without a value for each observation; [`Error::TooFew`] without predictors or
    /// without an observation more than coefficients; those of [`Sample::new`].
    pub fn new(predictors: Vec<Vec<f64>>, response: Vec<f64>) -> Result<Self, Error> {
        let (found, coefficients) = (response.len(), predictors.len() + 1);
        if let Some(other) = predictors.iter().find(|predictor| predictor.len() != found) {
            return Err(Error::Unpaired { computing: COMPUTING, a: other.len(), b: found });
        }
        let too_few = |needed: usize, of, found: usize, hint| Error::TooFew {
            computing: COMPUTING,
            needed: needed as u64,
            of,
            found: found as u64,
            hint,
        };
        if predictors.is_empty() {
            return Err(too_few(1, "predictors", 0, "the mean is all that a constant alone explains"));
        }
        if found <= coefficients {
            let hint = "take more observations or fewer predictors";
            return Err(too_few(coefficients + 1, "observations", found, hint));
        }
        let predictors = predictors.into_iter().map(Sample::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { predictors, response: Sample::new(response)? })
    }
}

/// An estimated coefficient and the test that it is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coefficient {
    /// Change of the response per unit of the predictor, the others unchanged.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
    /// Estimate over standard error.
    pub t: f64,
    /// Two-sided p-value.
    pub p: PValue,
}

/// A fitted linear model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Regression {
    /// How many observations.
    pub n: usize,
    /// The expected response where all predictors are 0.
    pub intercept: Coefficient,
    /// One for each predictor, in the order given.
    pub coefficients: Vec<Coefficient>,
    /// Standard deviation of the residuals, in the unit of the response.
    pub residual_sd: f64,
    /// Observations minus coefficients, the intercept included.
    pub df: u64,
    /// R²: share of the response's sum of squares that is explained.
    pub r2: f64,
    /// R² adjusted for the number of predictors: `1 - (1 - R²) (n - 1) / df`.
    pub adjusted_r2: f64,
    /// The test that no predictor explains anything: mean square explained over residual mean square.
    pub f: f64,
    /// Upper tail of the F distribution.
    pub f_p: PValue,
}

/// Fits a response by its predictors and a constant, by ordinary least squares (N. R. Draper and H. Smith, "Applied
/// Regression Analysis", 3rd ed. 1998, chapters 5 and 6).
///
/// All variables are first taken around their means and the predictors scaled by a power of two, then reduced by
/// Householder reflections; no cross products are formed, which would double the digits lost.
///
/// # Errors
/// [`Error::DependentPredictor`] for the first predictor that is constant or a combination of those before it;
/// [`Error::ZeroSpread`] if the response is constant; [`Error::NoResidual`] if it is explained to its last digit;
/// [`Error::Overflow`] beyond the doubles.
pub fn regress(observations: &Observations) -> Result<Regression, Error> {
    let Observations { predictors, response } = observations;
    if response.is_constant() {
        return Err(Error::ZeroSpread { computing: COMPUTING, values: EqualValues::One(response.mean()) });
    }
    let scales: Vec<i32> = predictors.iter().map(exponent).collect();
    let columns: Vec<Vec<f64>> = predictors.iter().zip(&scales).map(|(column, &scale)| around(column, scale)).collect();
    // The response in units of a power of two near its spread, so that its squares stay within the doubles.
    let unit = exponent(response);
    let fit = least_squares(&columns, &around(response, unit));
    if let Some(predictor) = (0..columns.len()).find(|column| !fit.kept.contains(column)) {
        return Err(Error::DependentPredictor { computing: COMPUTING, predictor });
    }
    let (n, p) = (response.n(), columns.len());
    let df = (n - 1 - p) as f64;
    let (explained, _) = fit.explained(0, p);
    let residual = fit.residual();
    let total = explained + residual;
    if residual <= total * EXACT_SHARE {
        let hint = "report the coefficients' definition; there is no scatter to estimate errors from";
        return Err(Error::NoResidual { computing: COMPUTING, hint });
    }
    let variance = residual / df;
    let f = finite(explained / p as f64 / variance, COMPUTING)?;
    let f_p = PValue::of_tail(f_sf(f, p as f64, df)?, || ln_f_sf(f, p as f64, df))?;
    let scaled = Scaled { fit: &fit, predictors, scales: &scales, sd: variance.sqrt(), unit, df };
    Ok(Regression {
        n,
        intercept: scaled.intercept(response.mean())?,
        coefficients: scaled.coefficients()?,
        residual_sd: finite(libm::scalbn(variance.sqrt(), unit), COMPUTING)?,
        df: (n - 1 - p) as u64,
        r2: explained / total,
        adjusted_r2: 1.0 - variance / (total / (n as f64 - 1.0)),
        f,
        f_p,
    })
}

/// The share of the response's sum of squares below which a residual is what rounding leaves of none.
const EXACT_SHARE: f64 = 1e-29;

/// The power of two near the largest deviation from the mean.
fn exponent(values: &Sample) -> i32 {
    let largest = (values.max() - values.mean()).max(values.mean() - values.min());
    if largest > 0.0 && largest.is_finite() { libm::ilogb(largest) } else { 0 }
}

/// The deviations from the mean in units of `2^scale`.
fn around(values: &Sample, scale: i32) -> Vec<f64> {
    values.values().iter().map(|value| libm::scalbn(value - values.mean(), -scale)).collect()
}

/// A fit of deviations in powers of two, and what leads back to the units of the data.
struct Scaled<'a> {
    fit: &'a LeastSquares,
    predictors: &'a [Sample],
    scales: &'a [i32],
    sd: f64,
    unit: i32,
    df: f64,
}

impl Scaled<'_> {
    fn coefficients(&self) -> Result<Vec<Coefficient>, Error> {
        let estimates = self.fit.coefficients();
        let rows = self.fit.inverse_rows();
        let all = estimates.into_iter().zip(rows).zip(self.scales);
        all.map(|((estimate, row), scale)| {
            let se = self.sd * sum(row.iter().map(|entry| entry * entry)).sqrt();
            self.coefficient(libm::scalbn(estimate, self.unit - scale), libm::scalbn(se, self.unit - scale))
        })
        .collect()
    }

    /// `mean of y - sum of b_i mean of x_i`, whose variance is `s^2 (1/n + m' (X'X)^-1 m)` with the means m.
    fn intercept(&self, mean: f64) -> Result<Coefficient, Error> {
        let means: Vec<f64> =
            self.predictors.iter().zip(self.scales).map(|(x, &scale)| libm::scalbn(x.mean(), -scale)).collect();
        let estimates = self.fit.coefficients();
        let shift = sum(estimates.iter().zip(&means).map(|(b, m)| b * m));
        let rows = self.fit.inverse_rows();
        let along = |at: usize| sum(rows.iter().zip(&means).filter_map(|(row, m)| row.get(at).map(|entry| entry * m)));
        let n = self.predictors.first().map_or(1, Sample::n) as f64;
        let spread = sum((0..rows.len()).map(|at| along(at) * along(at)));
        let se = self.sd * (1.0 / n + spread).sqrt();
        self.coefficient(mean - libm::scalbn(shift, self.unit), libm::scalbn(se, self.unit))
    }

    fn coefficient(&self, estimate: f64, se: f64) -> Result<Coefficient, Error> {
        let (estimate, se) = (finite(estimate, COMPUTING)?, finite(se, COMPUTING)?);
        let t = finite(estimate / se, COMPUTING)?;
        Ok(Coefficient { estimate, se, t, p: student_p(2.0, t.abs(), self.df)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observations(predictors: &[&[f64]], response: &[f64]) -> Result<Observations, Error> {
        Observations::new(predictors.iter().map(|column| column.to_vec()).collect(), response.to_vec())
    }

    #[test]
    fn a_design_without_room_for_a_residual_is_refused() {
        assert!(matches!(observations(&[], &[1.0, 2.0]), Err(Error::TooFew { of: "predictors", .. })));
        let two = observations(&[&[1.0, 2.0]], &[1.0, 2.0]);
        assert!(matches!(two, Err(Error::TooFew { of: "observations", needed: 3, found: 2, .. })));
        let uneven = observations(&[&[1.0, 2.0]], &[1.0, 2.0, 3.0]);
        assert!(matches!(uneven, Err(Error::Unpaired { a: 2, b: 3, .. })));
        let infinite = observations(&[&[1.0, 2.0, f64::INFINITY]], &[1.0, 2.0, 3.0]);
        assert!(matches!(infinite, Err(Error::NotFinite { index: 2, .. })));
    }

    #[test]
    fn a_predictor_that_adds_nothing_is_named() {
        let x = [1.0, 2.0, 3.0, 5.0, 8.0];
        let doubled: Vec<f64> = x.iter().map(|x| 2.0 * x + 0.3).collect();
        let y = [1.0, 0.0, 2.0, 7.0, 1.0];
        let twice = observations(&[&x, &doubled], &y).expect("observations");
        assert!(matches!(regress(&twice), Err(Error::DependentPredictor { predictor: 1, .. })));
        let constant = observations(&[&[4.0; 5], &x], &y).expect("observations");
        assert!(matches!(regress(&constant), Err(Error::DependentPredictor { predictor: 0, .. })));
    }

    #[test]
    fn a_response_without_scatter_has_no_errors() {
        let x = [1.0, 2.0, 3.0, 5.0, 8.0];
        let flat = observations(&[&x], &[3.0; 5]).expect("observations");
        assert!(matches!(regress(&flat), Err(Error::ZeroSpread { .. })));
        let line: Vec<f64> = x.iter().map(|x| 0.3 * x - 7.1).collect();
        let exact = observations(&[&x], &line).expect("observations");
        assert!(matches!(regress(&exact), Err(Error::NoResidual { .. })));
    }

    #[test]
    fn units_scale_the_coefficients_and_nothing_else() {
        let (x, y) = ([1.0, 2.0, 3.0, 5.0, 8.0], [1.0, 0.0, 2.0, 7.0, 1.0]);
        let plain = regress(&observations(&[&x], &y).expect("observations")).expect("a fit");
        let (small, large) = (x.map(|x| x * 1e-200), y.map(|y| y * 1e100));
        let scaled = regress(&observations(&[&small], &large).expect("observations")).expect("a fit");
        assert!((scaled.coefficients[0].estimate / plain.coefficients[0].estimate / 1e300 - 1.0).abs() < 1e-12);
        assert!((scaled.coefficients[0].t / plain.coefficients[0].t - 1.0).abs() < 1e-12);
        assert!((scaled.r2 / plain.r2 - 1.0).abs() < 1e-12);
    }
}
