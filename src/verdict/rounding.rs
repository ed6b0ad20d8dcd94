//! Numbers as a verdict prints them: six significant digits, so that the file can be read and the last bits of a
//! float decide nothing.

use crate::stats::PValue;

/// `value` with six significant digits.
pub(super) fn round(value: f64) -> f64 {
    let rounded = by_powers(value).unwrap_or_else(|| by_text(value));
    // Negative zero prints as `-0.0`.
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// The number that is nearest to the digits that are nearest to `value`.
fn by_text(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// The powers of ten that are doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// [`by_text`] where the same number comes from two operations: one that brings the digits before the point, whose error
/// can only matter near a tie, and one between whole numbers that are exact, whose result is then the nearest double.
fn by_powers(value: f64) -> Option<f64> {
    let size = value.abs();
    let scaled = if size >= 1e6 {
        POWERS.iter().find_map(|power| Some((size / power, *power, false)).filter(|(digits, ..)| *digits < 1e6))
    } else {
        POWERS.iter().find_map(|power| Some((size * power, *power, true)).filter(|(digits, ..)| *digits >= 1e5))
    };
    let (digits, power, divides) = scaled?;
    let whole = digits.round();
    // At the ends of the six digits the product may stand on the wrong side of one; near a half, of the tie.
    let clear = (100_001.0..=999_998.0).contains(&digits) && ((digits - whole).abs() - 0.5).abs() > 1e-6;
    let rounded = if divides { whole / power } else { whole * power };
    clear.then_some(rounded.copysign(value))
}

/// `p` with six significant digits, also where it is below the doubles.
pub(super) fn round_p(p: PValue) -> PValue {
    if p.get() < f64::MIN_POSITIVE {
        return p.as_written();
    }
    PValue::new(round(p.get())).expect("a number above 0 and at most 1 stays one when it is rounded to six digits")
}

/// Both ends of an interval.
pub(super) fn round_pair(pair: [f64; 2]) -> [f64; 2] {
    pair.map(round)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_rounded_by_powers_is_the_one_that_its_text_is_read_back_as() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 11
        };
        let mut fast = 0;
        for _ in 0..200_000 {
            let exponent = (next() % 60) as i32 - 30;
            let digits = next() as f64 / (1_u64 << 53) as f64;
            // Many of them near a tie.
            let digits = if next() % 4 == 0 { (digits * 1e6).floor() / 1e6 + 5e-7 } else { digits };
            let value =
                format!("{digits}e{exponent}").parse::<f64>().unwrap() * if next() % 2 == 0 { 1.0 } else { -1.0 };
            if let Some(rounded) = by_powers(value) {
                fast += 1;
                assert_eq!(rounded.to_bits(), by_text(value).to_bits(), "{value:e}");
            }
        }
        assert!(fast > 80_000, "{fast}");
    }

    #[test]
    fn a_p_value_keeps_six_digits_on_either_side_of_the_smallest_double() {
        let told = |p: PValue| round_p(p).to_string();
        let below = |log10| PValue::from_decimal_log(log10).expect("a p-value");
        assert_eq!(told(PValue::new(0.012_345_678).expect("a p-value")), "0.0123457");
        assert_eq!([-400.0, -400.25].map(|log10| told(below(log10))), ["1e-400", "5.62341e-401"]);
        // What is a double with all its digits may round to one that is none.
        assert_eq!(told(PValue::new(f64::MIN_POSITIVE).expect("a p-value")), "2.22507e-308");
        assert_eq!(told(PValue::new(1.0).expect("a p-value")), "1");
    }

    #[test]
    fn six_digits_stay() {
        assert_eq!(round(1.234_567_89), 1.23457);
        assert_eq!(round(123_456_789.0), 123_457_000.0);
        assert_eq!(round(-0.0).to_string(), "0");
        assert_eq!(round_pair([1.0e-300, -2.0]), [1.0e-300, -2.0]);
    }
}
