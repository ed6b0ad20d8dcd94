//! One factor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::group::Group;
use super::term::{Squares, Term, testable};
use crate::stats::arithmetic::sum;
use crate::stats::error::Error;

/// A one-way analysis of variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OneWay {
    /// What the groups' means explain.
    pub between: Term,
    /// What is left within the groups.
    pub residual: Squares,
    /// All of it.
    pub total: Squares,
}

/// Tests whether the means of several groups are equal, the groups having one variance (R. A. Fisher, "Statistical
/// Methods for Research Workers", 1925, chapter 7).
///
/// # Errors
/// [`Error::TooFew`] below two groups, or if every group is a single value; [`Error::NoResidual`] if each group is
/// constant; [`Error::Overflow`] beyond the doubles.
pub fn one_way(groups: &[Group]) -> Result<OneWay, Error> {
    const COMPUTING: &str = "a one-way analysis of variance";
    let found = groups.len() as u64;
    if found < 2 {
        let hint = "one group has nothing to be compared with";
        return Err(Error::TooFew { computing: COMPUTING, needed: 2, of: "groups", found, hint });
    }
    let n: u64 = groups.iter().map(Group::n).fold(0, u64::saturating_add);
    let grand = grand_mean(groups);
    let between = sum(groups.iter().map(|group| group.n() as f64 * (group.mean() - grand) * (group.mean() - grand)));
    let within = sum(groups.iter().map(Group::within));
    let residual = Squares { ss: within, df: n - found };
    let total = Squares { ss: between + within, df: n - 1 };
    testable(residual, total.ss, COMPUTING)?;
    let between = Term::new(Squares { ss: between, df: found - 1 }, residual, total.ss, COMPUTING)?;
    Ok(OneWay { between: between.expect("two groups or more leave a degree of freedom"), residual, total })
}

/// Mean of all values.
pub(super) fn grand_mean(groups: &[Group]) -> f64 {
    let n = sum(groups.iter().map(|group| group.n() as f64));
    // Each mean in its share, so that the sum overflows no sooner than the means do.
    sum(groups.iter().map(|group| group.n() as f64 / n * group.mean()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(n: u64, mean: f64, sd: f64) -> Group {
        Group::new(n, mean, sd).expect("a group")
    }

    #[test]
    fn two_groups_give_the_square_of_students_t() {
        let found = one_way(&[group(4, 10.0, 2.0), group(4, 13.0, 1.0)]).expect("a table");
        // t = 3 / sqrt(2.5 (1/4 + 1/4)).
        assert!((found.between.f - 7.2).abs() < 1e-12, "{found:?}");
        assert_eq!((found.between.df, found.residual.df, found.total.df), (1, 6, 7));
        assert!((found.between.ss + found.residual.ss - found.total.ss).abs() < 1e-12);
    }

    #[test]
    fn groups_that_leave_nothing_to_judge_by_are_refused() {
        assert!(matches!(one_way(&[]), Err(Error::TooFew { of: "groups", found: 0, .. })));
        assert!(matches!(one_way(&[group(3, 1.0, 1.0)]), Err(Error::TooFew { of: "groups", found: 1, .. })));
        assert!(matches!(one_way(&[group(1, 1.0, 0.0), group(1, 2.0, 0.0)]), Err(Error::TooFew { found: 0, .. })));
        assert!(matches!(one_way(&[group(2, 1.0, 0.0), group(2, 2.0, 0.0)]), Err(Error::NoResidual { .. })));
        assert!(matches!(one_way(&[group(2, 1e300, 1.0), group(2, 0.0, 1.0)]), Err(Error::Overflow { .. })));
    }
}
