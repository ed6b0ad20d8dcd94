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
        // Chosen first and added then: which is larger is a toss-up for a processor to guess.
        let (larger, smaller) = if total.abs() >= term.abs() { (total, term) } else { (term, total) };
        lost += (larger - next) + smaller;
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

/// [`first_reaching`] in `(0, high]` from a guess: found in few steps where the guess is near, and found from any guess.
pub(super) fn first_reaching_near(guess: f64, high: f64, mut reached: impl FnMut(f64) -> bool) -> f64 {
    if !(guess > 0.0 && guess < high) {
        return first_reaching(0.0, high, reached);
    }
    let is_high = reached(guess);
    let mut step = 1_u64;
    let mut near = guess.to_bits();
    loop {
        let far = if is_high { near.saturating_sub(step) } else { near.saturating_add(step).min(high.to_bits()) };
        let ended = far == 0 || far == high.to_bits();
        if ended || reached(f64::from_bits(far)) != is_high {
            let (low, high) = if is_high { (far, near) } else { (near, far) };
            return first_reaching(f64::from_bits(low), f64::from_bits(high), reached);
        }
        (near, step) = (far, step.saturating_mul(8));
    }
}

/// The smallest power of two up to `2^highest` at which `reached` is true, for a condition that turns true once.
pub(super) fn first_power_of_two(highest: i32, mut reached: impl FnMut(f64) -> bool) -> f64 {
    // 2^-1074 is the smallest positive double.
    let (mut low, mut high) = (-1075, highest);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reached(libm::scalbn(1.0, middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    libm::scalbn(1.0, high)
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
    fn a_guess_changes_how_soon_a_double_is_found_and_never_which() {
        for border in [f64::from_bits(1), 1e-300, 0.1, 2.5, 1e300] {
            let reached = |value: f64| value >= border;
            for guess in
                [0.0, -1.0, f64::NAN, 1e-310, border, border * (1.0 + 1e-12), border * (1.0 - 1e-12), 7.0, 1e301]
            {
                assert_eq!(first_reaching_near(guess, f64::MAX, reached), border, "{border} from {guess}");
            }
        }
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
        assert_eq!(first_power_of_two(10, |x| x >= 3.0), 4.0);
        assert_eq!(first_power_of_two(1, |x| x >= 3.0), 2.0);
    }
}
