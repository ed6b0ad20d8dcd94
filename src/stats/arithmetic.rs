//! Sums in a fixed order, results that are checked, and root finding on the doubles themselves.

use super::error::Error;

/// Sum of the terms from the first to the last, with Neumaier's compensation.
///
/// The order is that of the iterator, so equal input gives equal bits. The error is about one rounding of the result,
/// however many terms (A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen",
/// ZAMM 54, 1974, method IV). The result is not finite if a partial sum overflows: callers check it with [`finite`].
pub(super) fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let mut total = 0.0_f64;
    let mut lost = 0.0_f64;
    for term in terms {
        let next = total + term;
        lost += if total.abs() >= term.abs() { (total - next) + term } else { (term - next) + total };
        total = next;
    }
    total + lost
}

/// `value` if it is finite. The steps that lead here can only leave the finite numbers by overflow.
pub(super) fn finite(value: f64, computing: &'static str) -> Result<f64, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::Overflow { computing }) }
}

/// The smallest double in `(low, high]` at which `reached` is true, for a condition that turns true once.
///
/// `0 <= low < high`, `reached` is taken to be false at `low` and true at `high`. Bisection over the bit patterns,
/// which are ordered like the non-negative doubles: at most 64 steps, no tolerance, no starting guess, no divergence.
pub(super) fn first_reaching(low: f64, high: f64, mut reached: impl FnMut(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low.to_bits(), high.to_bits());
    while high.saturating_sub(low) > 1 {
        let middle = low + (high - low) / 2;
        if reached(f64::from_bits(middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    f64::from_bits(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_keeps_what_naive_addition_loses() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(vec![0.1; 10]), 1.0);
        assert_eq!(sum([]), 0.0);
    }

    #[test]
    fn an_overflowing_sum_is_an_error_and_not_infinity() {
        let total = sum([f64::MAX, f64::MAX]);
        assert_eq!(finite(total, "a sum"), Err(Error::Overflow { computing: "a sum" }));
    }

    #[test]
    fn bisection_ends_on_the_first_double_that_satisfies_the_condition() {
        let root = first_reaching(0.0, f64::MAX, |x| x * x >= 2.0);
        let before = f64::from_bits(root.to_bits() - 1);
        assert!(root * root >= 2.0 && before * before < 2.0);
        assert_eq!(first_reaching(0.0, 1.0, |_| true), f64::from_bits(1));
    }
}
