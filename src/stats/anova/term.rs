//! One line of a table of variance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::arithmetic::finite;
use crate::stats::distribution::{f_sf, ln_f_sf};
use crate::stats::error::Error;
use crate::stats::p_value::PValue;

/// A sum of squares and its degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Squares {
    /// Sum of squares, in the squared unit of the values.
    pub ss: f64,
    /// Degrees of freedom.
    pub df: u64,
}

/// What a factor or an interaction explains, with its F test and effect sizes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Term {
    /// Sum of squares, in the squared unit of the values.
    pub ss: f64,
    /// Degrees of freedom; at least 1.
    pub df: u64,
    /// Mean square over the residual mean square.
    pub f: f64,
    /// Upper tail of the F distribution with `df` and the residual's degrees of freedom.
    pub p: PValue,
    /// η²: its share of the total sum of squares.
    pub eta2: f64,
    /// Partial η²: its share of its own and the residual sum of squares together.
    pub partial_eta2: f64,
    /// ω²: `(ss - df ms) / (total + ms)` with the residual mean square ms (W. L. Hays, "Statistics for Psychologists",
    /// 1963, section 12.18). Less biased than η², and negative where the factor explains less than chance would.
    pub omega2: f64,
}

impl Term {
    /// The line for a sum of squares; none without a degree of freedom. The residual has one at least and is not 0.
    pub(super) fn new(
        own: Squares,
        residual: Squares,
        total: f64,
        computing: &'static str,
    ) -> Result<Option<Self>, Error> {
        if own.df == 0 {
            return Ok(None);
        }
        let (df, df_residual) = (own.df as f64, residual.df as f64);
        let ms = residual.ss / df_residual;
        let f = finite(own.ss / df / ms, computing)?;
        let p = PValue::of_tail(f_sf(f, df, df_residual)?, || ln_f_sf(f, df, df_residual))?;
        Ok(Some(Self {
            ss: own.ss,
            df: own.df,
            f,
            p,
            eta2: own.ss / total,
            partial_eta2: own.ss / (own.ss + residual.ss),
            omega2: (own.ss - df * ms) / (total + ms),
        }))
    }
}

/// Refuses a residual by which nothing can be tested, and sums beyond the doubles.
pub(super) fn testable(residual: Squares, total: f64, computing: &'static str) -> Result<(), Error> {
    finite(total, computing)?;
    if residual.df == 0 {
        let hint = "measure at least one group twice";
        let of = "values beyond the first of a group";
        return Err(Error::TooFew { computing, needed: 1, of, found: 0, hint });
    }
    if residual.ss == 0.0 {
        let hint = "all values of each group are equal; compare them as they are, or measure with a finer clock";
        return Err(Error::NoResidual { computing, hint });
    }
    Ok(())
}
