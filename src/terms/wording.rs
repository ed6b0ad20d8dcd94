//! Wording that every text for people shares.

/// A name of files and reports in words, for example `could not tell`.
#[must_use]
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Decimals that show `digits` significant digits of `value`; 9 at most.
#[must_use]
pub fn decimals(value: f64, digits: i32) -> usize {
    let scientific = format!("{value:e}");
    let exponent: i32 = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    usize::try_from((digits - 1 - exponent).clamp(0, 9)).unwrap_or(0)
}

/// `value` with `digits` significant digits; digits left of the point are never dropped. `-` where it is no number.
#[must_use]
pub fn significant(value: f64, digits: i32) -> String {
    if value.is_finite() { format!("{value:.*}", decimals(value, digits)) } else { "-".to_owned() }
}

/// Whether `text` can name a plan, a lane or a workload: up to 80 letters, digits, `-`, `_`, `.` or `+`, a letter or
/// digit first. Such a name is also a file name: it holds no separator and is no dot file.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 80 && text.chars().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown_of_any_size_and_no_leading_digit_is_dropped() {
        let shown: Vec<_> = [0.0, 0.001_234_5, 1.0, 74.5597, -105.016, 1234.5].map(|v| significant(v, 3)).into();
        assert_eq!(shown, ["0.00", "0.00123", "1.00", "74.6", "-105", "1234"]);
        assert_eq!([f64::NAN, f64::INFINITY].map(|v| significant(v, 3)), ["-", "-"]);
    }

    #[test]
    fn a_name_is_a_file_name() {
        assert!(["quickstart", "a", "9.1+b_c-d"].into_iter().all(is_name) && is_name(&"a".repeat(80)));
        assert!(
            !["", "..", "../a", "a/b", ".hidden", "a b", "é"].into_iter().any(is_name) && !is_name(&"a".repeat(81))
        );
    }
}
