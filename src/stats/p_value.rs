//! A p-value, which may be smaller than any double and is never 0.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::probability::Alpha;

/// ln 10.
const LN_10: f64 = std::f64::consts::LN_10;

/// The smallest positive double.
const SMALLEST: f64 = f64::from_bits(1);

/// A p-value: a number above 0 and at most 1, never NaN.
///
/// No test of finite data is impossible under its hypothesis, so a p-value is never 0. Below the smallest normal
/// double (2.2e-308), where doubles lose their digits and then end, its decimal logarithm carries it. It is written as a
/// plain number, and there as a text of six digits, for example `"5.62341e-401"`. Where not even the logarithm is known,
/// the text is `"<2.2250738585072014e-308"`, and the p-value counts as smaller than any other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub struct PValue {
    /// The double nearest to it other than 0.
    value: f64,
    /// Whether `value` has all its digits; if not, the decimal logarithm as far as it is known.
    size: Size,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Size {
    Normal,
    Below { log10: Option<f64> },
}

/// How a p-value is written.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "PValue")]
enum Written {
    /// The p-value itself.
    Number(f64),
    /// One below the doubles, such as `"5.62341e-401"`; `"<2.2250738585072014e-308"` where it is not known how far below.
    Text(String),
}

impl PValue {
    /// Checks a number. A 0 is taken for a probability that somebody rounded down to it: below every double, of
    /// unknown size.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `0 <= value <= 1`.
    pub fn new(value: f64) -> Result<Self, Error> {
        if (f64::MIN_POSITIVE..=1.0).contains(&value) {
            return Ok(Self { value, size: Size::Normal });
        }
        if value == 0.0 {
            return Ok(Self { value: SMALLEST, size: Size::Below { log10: None } });
        }
        if value > 0.0 && value < f64::MIN_POSITIVE {
            return Self::from_decimal_log(libm::log10(value));
        }
        Err(out_of_range("the value", value, "at least 0 and at most 1"))
    }

    /// A p-value from its decimal logarithm.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `log10` is finite and at most 0.
    pub fn from_decimal_log(log10: f64) -> Result<Self, Error> {
        if !log10.is_finite() || log10 > 0.0 {
            return Err(out_of_range("the decimal logarithm", log10, "finite and at most 0"));
        }
        let value = libm::exp10(log10);
        if value >= f64::MIN_POSITIVE {
            return Self::rounded(value);
        }
        Ok(Self { value: value.max(SMALLEST), size: Size::Below { log10: Some(log10) } })
    }

    /// A computed probability, whose last rounding may have left it just above 1.
    pub(super) fn rounded(value: f64) -> Result<Self, Error> {
        Self::new(if value > 1.0 { 1.0 } else { value })
    }

    /// A computed probability, or where it underflows its natural logarithm.
    pub(super) fn of_tail(value: f64, ln: impl FnOnce() -> f64) -> Result<Self, Error> {
        // `rounded` refuses a NaN.
        if value >= f64::MIN_POSITIVE || value.is_nan() {
            return Self::rounded(value);
        }
        let log10 = ln() / LN_10;
        // Where even the logarithm is beyond the doubles, nothing is left of the size.
        if log10.is_finite() { Self::from_decimal_log(log10) } else { Self::new(0.0) }
    }

    /// The double nearest to it other than 0: 5e-324 for anything smaller, which [`PValue::decimal_log`] tells apart.
    pub fn get(self) -> f64 {
        self.value
    }

    /// Decimal logarithm, good to a double's digits however small the p-value; absent for a p-value that was handed
    /// over as 0.
    pub fn decimal_log(self) -> Option<f64> {
        match self.size {
            Size::Normal => Some(libm::log10(self.value)),
            Size::Below { log10 } => log10,
        }
    }

    /// The p-value that its written form gives back: below the doubles six digits stay of it, elsewhere all do.
    #[must_use]
    pub fn as_written(self) -> Self {
        match self.size {
            Size::Normal => self,
            // Text that this very type has written.
            Size::Below { .. } => self.to_string().parse().unwrap_or(self),
        }
    }

    /// Whether this p-value rejects at `alpha`: `p < alpha`.
    ///
    /// For one test alone. A member of a family is judged by [`super::holm`] and its siblings.
    pub fn is_below(self, alpha: Alpha) -> bool {
        self.value < alpha.get()
    }

    /// `factor` times the p-value, at most 1, for a positive factor of at most 1e15 or so.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let product = match self.size {
            Size::Normal => Self::rounded(self.value * factor),
            Size::Below { log10: Some(log10) } => Self::from_decimal_log((log10 + libm::log10(factor)).min(0.0)),
            Size::Below { log10: None } => Ok(self),
        };
        product.expect("a positive factor times a number above 0 and at most 1 is no NaN and was capped at 1")
    }

    /// Order by size. Total, since no p-value is NaN.
    pub fn order(&self, other: &Self) -> Ordering {
        let below = |p: &Self| match p.size {
            Size::Normal => f64::INFINITY,
            Size::Below { log10 } => log10.unwrap_or(f64::NEG_INFINITY),
        };
        self.value.total_cmp(&other.value).then(below(self).total_cmp(&below(other)))
    }
}

impl PartialOrd for PValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.order(other))
    }
}

fn out_of_range(parameter: &'static str, found: f64, range: &'static str) -> Error {
    let hint = "an undefined test has no p-value; leave it out of the family";
    Error::OutOfRange { computing: "a p-value", parameter, found, range, hint }
}

impl TryFrom<Written> for PValue {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            // An older lockstep wrote a subnormal double, 5e-324 for most, whatever the p-value was.
            Written::Number(value) if value > 0.0 && value < f64::MIN_POSITIVE => Self::new(0.0),
            Written::Number(value) => Self::new(value),
            Written::Text(text) => return text.parse(),
        }
        .map_err(|error| error.to_string())
    }
}

impl From<PValue> for Written {
    fn from(p: PValue) -> Self {
        match p.size {
            Size::Normal => Written::Number(p.value),
            Size::Below { .. } => Written::Text(p.to_string()),
        }
    }
}

/// Reads what [`PValue`] writes of one below the doubles.
impl FromStr for PValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || {
            format!(
                "reading a p-value: found the text {text:?}; below {:e} write it like \"5.62341e-401\", else as a number",
                f64::MIN_POSITIVE
            )
        };
        if text.strip_prefix('<').and_then(|bound| bound.parse().ok()) == Some(f64::MIN_POSITIVE) {
            return Self::new(0.0).map_err(|_| fault());
        }
        let (digits, exponent) = text.split_once('e').ok_or_else(fault)?;
        let (digits, exponent): (f64, i32) = digits.parse().ok().zip(exponent.parse().ok()).ok_or_else(fault)?;
        let log10 = libm::log10(digits) + f64::from(exponent);
        let is_one = (1.0..10.0).contains(&digits) && libm::exp10(log10) < f64::MIN_POSITIVE;
        Self::from_decimal_log(log10).ok().filter(|_| is_one).ok_or_else(fault)
    }
}

impl From<PValue> for f64 {
    fn from(p: PValue) -> f64 {
        p.value
    }
}

impl TryFrom<f64> for PValue {
    type Error = Error;

    fn try_from(value: f64) -> Result<Self, Error> {
        Self::new(value)
    }
}

impl fmt::Display for PValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            Size::Normal => self.value.fmt(f),
            Size::Below { log10: None } => write!(f, "<{:e}", f64::MIN_POSITIVE),
            Size::Below { log10: Some(log10) } => {
                let exponent = log10.floor();
                let digits = (libm::exp10(log10 - exponent) * 1e5).round() / 1e5;
                // 9.999996 has the six digits of 10.
                if digits < 10.0 { write!(f, "{digits}e{exponent}") } else { write!(f, "1e{}", exponent + 1.0) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p_value_is_never_nan_and_never_zero() {
        assert!(PValue::new(f64::NAN).is_err());
        assert!(PValue::rounded(f64::NAN).is_err() && PValue::of_tail(f64::NAN, || -1.0).is_err());
        assert!(PValue::new(-1e-300).is_err() && PValue::new(1.0 + f64::EPSILON).is_err());
        for log10 in [0.5, f64::NAN, f64::NEG_INFINITY] {
            assert!(PValue::from_decimal_log(log10).is_err(), "{log10}");
        }
        let rounded_away = PValue::new(0.0).expect("a p-value");
        assert_eq!((rounded_away.get(), rounded_away.decimal_log()), (5e-324, None));
        assert_eq!(PValue::new(1.0).map(PValue::get), Ok(1.0));
    }

    #[test]
    fn below_the_doubles_the_logarithm_tells_p_values_apart() {
        let (small, smaller) = (PValue::from_decimal_log(-400.25), PValue::from_decimal_log(-4_000.0));
        let (small, smaller) = (small.expect("a p-value"), smaller.expect("a p-value"));
        assert_eq!((small.get(), small.decimal_log()), (5e-324, Some(-400.25)));
        assert!(smaller < small && PValue::new(0.0).expect("a p-value") < smaller);
        assert!(small < PValue::new(5e-324).expect("a p-value"));
        assert_eq!(small.to_string(), "5.62341e-401");
        assert_eq!(PValue::from_decimal_log(-2.0).map(PValue::get), Ok(0.01));
    }

    #[test]
    fn a_multiple_is_capped_at_one_and_climbs_back_into_the_doubles() {
        let p = PValue::from_decimal_log(-310.0).expect("a p-value");
        assert_eq!(p.times(1e6).decimal_log().map(|log10| (log10 * 1e6).round()), Some(-304e6));
        assert!((p.times(1e6).get() / 1e-304 - 1.0).abs() < 1e-12);
        assert_eq!(PValue::new(0.4).expect("a p-value").times(3.0).get(), 1.0);
        assert_eq!(PValue::new(0.0).expect("a p-value").times(1e9).decimal_log(), None);
    }

    #[test]
    fn what_is_written_is_read_back_and_written_the_same() {
        let json = |p: PValue| serde_json::to_string(&p).expect("JSON");
        let below = PValue::from_decimal_log;
        let written = [
            (PValue::new(0.25), "0.25"),
            (PValue::new(f64::MIN_POSITIVE), "2.2250738585072014e-308"),
            (PValue::new(3e-310), r#""3e-310""#),
            (below(-400.0), r#""1e-400""#),
            (below(-400.25), r#""5.62341e-401""#),
            // One bit to either side of 1e-400, and what rounds to 10.
            (below((-400.0_f64).next_up()), r#""1e-400""#),
            (below((-400.0_f64).next_down()), r#""1e-400""#),
            (below(libm::log10(9.999_996) - 401.0), r#""1e-400""#),
            (below(-5e3), r#""1e-5000""#),
            (PValue::new(0.0), r#""<2.2250738585072014e-308""#),
        ];
        for (p, text) in written {
            let p = p.expect("a p-value");
            assert_eq!(json(p), text);
            let read: PValue = serde_json::from_str(text).expect("a p-value");
            assert_eq!((json(read).as_str(), read), (text, p.as_written()));
        }
        for log10 in (0..2_000).map(|step| -307.8 - f64::from(step) * 0.317_21) {
            let p = below(log10).expect("a p-value");
            assert_eq!(json(p.as_written()), json(p), "{log10}");
            let off = p.as_written().decimal_log().expect("its size") - log10;
            assert!(off.abs() < 2.5e-6, "{log10}: {off}");
        }
    }

    #[test]
    fn what_no_lockstep_writes_of_a_p_value_is_refused_and_an_older_subnormal_bounds_it() {
        let text = r#""1e-3""#;
        let fault = serde_json::from_str::<PValue>(text).expect_err("a number stands for itself").to_string();
        assert!(fault.contains(r#"found the text "1e-3""#), "{fault}");
        for wrong in [
            "1.5",
            "-1",
            r#""""#,
            r#""0""#,
            r#""0e-400""#,
            r#""10e-400""#,
            r#""-1e-400""#,
            r#""NaNe-400""#,
            r#""<1e-9""#,
            "{}",
        ] {
            assert!(serde_json::from_str::<PValue>(wrong).is_err(), "{wrong}");
        }
        let older: PValue = serde_json::from_str("5e-324").expect("an older verdict is read");
        assert_eq!(older.decimal_log(), None);
    }
}
