//! Numbers as people read them: as many digits as they are worth, and the unit beside them or in the heading.

pub(super) use crate::terms::significant;

use crate::stats::PValue;
use crate::terms::decimals;
use crate::verdict::TimeSummary;

/// Stands where there is no number.
pub(super) const NONE: &str = "-";

/// Milliseconds, without the unit.
pub(super) fn ms(value: f64) -> String {
    significant(value, 4)
}

/// A mean and half the width of its interval, for example `20.00 ± 0.50`.
pub(super) fn mean_ms(time: &TimeSummary) -> String {
    let Some([low, high]) = time.student_ms else { return ms(time.mean_ms) };
    let half = (high - low) / 2.0;
    if !(time.mean_ms.is_finite() && half.is_finite()) {
        return NONE.to_owned();
    }
    let shown = if half > 0.0 { decimals(time.mean_ms, 4).max(decimals(half, 1)) } else { decimals(time.mean_ms, 4) };
    format!("{:.shown$} ± {half:.shown$}", time.mean_ms)
}

/// A difference in percent with its sign, without the unit: three digits, at most two behind the point.
pub(super) fn signed_pct(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let text = format!("{value:+.*}", decimals(value, 3).min(2));
    if text.contains(|c: char| matches!(c, '1'..='9')) { text } else { text.trim_start_matches(['+', '-']).to_owned() }
}

/// A difference in percent and its interval, for example `+1.25 [-0.30, +2.80]`.
pub(super) fn difference_pct(difference: Option<f64>, interval: Option<[f64; 2]>) -> String {
    match (difference, interval) {
        (Some(difference), Some([low, high])) => {
            format!("{} [{}, {}]", signed_pct(difference), signed_pct(low), signed_pct(high))
        }
        (Some(difference), None) => signed_pct(difference),
        (None, _) => NONE.to_owned(),
    }
}

/// A share in percent, without the unit.
pub(super) fn share_pct(value: f64) -> String {
    significant(value, 3)
}

/// A p value.
pub(super) fn probability(p: Option<PValue>) -> String {
    match p.map(PValue::get) {
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        Some(p) => format!("{p:.3}"),
        None => NONE.to_owned(),
    }
}

/// Another number, or the mark that there is none.
pub(super) fn or_none(value: Option<f64>, digits: i32) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| significant(value, digits))
}

/// A duration of some seconds.
pub(super) fn seconds(ms: u64) -> String {
    format!("{} s", significant(ms as f64 / 1e3, 3))
}

/// A size in memory.
pub(super) fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_as_many_digits_as_it_is_worth() {
        let shown: Vec<_> = [0.0, 0.012_345, 1.0, 12.345_6, 999.96, 123_456.7].map(ms).into();
        assert_eq!(shown, ["0.000", "0.01235", "1.000", "12.35", "1000.0", "123457"]);
        assert_eq!([f64::NAN, f64::INFINITY].map(ms), [NONE, NONE]);
    }

    #[test]
    fn a_difference_has_its_sign_and_zero_has_none() {
        let shown: Vec<_> = [175.04, -12.34, 1.254, -0.001, 0.0, 0.031, f64::NAN].map(signed_pct).into();
        assert_eq!(shown, ["+175", "-12.3", "+1.25", "0.00", "0.00", "+0.03", NONE]);
        assert_eq!(difference_pct(Some(0.5), Some([-0.8, 1.8])), "+0.50 [-0.80, +1.80]");
        assert_eq!(difference_pct(None, Some([0.0, 1.0])), NONE);
    }

    #[test]
    fn a_small_probability_is_a_bound() {
        let shown = |p: f64| probability(PValue::new(p).ok());
        assert_eq!([shown(0.000_08), shown(0.0), shown(0.04), probability(None)], ["<0.001", "<0.001", "0.040", NONE]);
    }

    #[test]
    fn an_interval_shows_at_least_one_digit_of_its_width() {
        let time = |mean_ms, student_ms| TimeSummary { mean_ms, student_ms, ..crate::snapshot::fixture::time(1.0) };
        assert_eq!(mean_ms(&time(20.0, Some([19.5, 20.5]))), "20.00 ± 0.50");
        assert_eq!(mean_ms(&time(900.0, Some([899.98, 900.02]))), "900.00 ± 0.02");
        assert_eq!(mean_ms(&time(900.0, None)), "900.0");
        assert_eq!(mean_ms(&time(5.0, Some([5.0, 5.0]))), "5.000 ± 0.000");
    }
}
