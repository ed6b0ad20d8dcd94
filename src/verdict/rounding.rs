//! Numbers as a verdict prints them: six significant digits, so that the file can be read and the last bits of a
//! float decide nothing.

/// `value` with six significant digits.
pub(super) fn round(value: f64) -> f64 {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    // Negative zero prints as `-0.0`.
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// Both ends of an interval.
pub(super) fn round_pair(pair: [f64; 2]) -> [f64; 2] {
    pair.map(round)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_stay() {
        assert_eq!(round(1.234_567_89), 1.23457);
        assert_eq!(round(123_456_789.0), 123_457_000.0);
        assert_eq!(round(-0.0).to_string(), "0");
        assert_eq!(round_pair([1.0e-300, -2.0]), [1.0e-300, -2.0]);
    }
}
