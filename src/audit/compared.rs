//! A recomputed value against a published one.

use serde_json::Value;

use super::claims::{Check, Compare};
use super::job::CellEffect;
use super::judge::Answer;
use super::rounding::{Scale, Tolerance, tolerance};

/// Parts of a number's size below which two numbers are one: what computing in doubles does to a number that is exact
/// on paper. Printed digits are far coarser.
const NOISE: f64 = 1e-12;

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub answer: Answer,
    pub reason: String,
    /// How far apart the two are, on the scale of the comparison.
    pub difference: Option<f64>,
    /// How far apart rounding allows them to be.
    pub tolerance: Option<f64>,
}

impl Finding {
    pub(super) fn without_numbers(answer: Answer, reason: String) -> Self {
        Self { answer, reason, difference: None, tolerance: None }
    }
}

/// Compares as the claim says; `left` cells have an effect that is not known.
pub(super) fn compare(check: &Check, recomputed: &Value, cells: &[CellEffect], left: u64) -> Finding {
    let published = &check.published;
    let (Some(p), Some(r)) = (number(published), number(recomputed)) else {
        return match check.compare {
            Compare::Exact => exact(published, recomputed),
            _ if number(published).is_none() => {
                let reason =
                    format!("the published value {} is no number, and the claim compares numbers", shown(published));
                Finding::without_numbers(Answer::NotCheckable, reason)
            }
            _ => {
                let reason = format!("the formula gives {}, and the claim compares numbers", shown(recomputed));
                Finding::without_numbers(Answer::WrongForm, reason)
            }
        };
    };
    match check.compare {
        Compare::Exact => exact(published, recomputed),
        Compare::Below => below(p, r),
        Compare::AbsDiff => within(Scale::Plain, check, (p, r), cells, left),
        Compare::AbsDiffLog10 => within(Scale::Log10, check, (p, r), cells, left),
    }
}

fn exact(published: &Value, recomputed: &Value) -> Finding {
    let answer = if same(published, recomputed) { Answer::Confirmed } else { Answer::Contradicted };
    let reason = format!("recomputed {}, published {}", shown(recomputed), shown(published));
    Finding::without_numbers(answer, reason)
}

fn below(published: f64, recomputed: f64) -> Finding {
    let (answer, how) = match recomputed < published {
        true => (Answer::Confirmed, "below"),
        false => (Answer::Contradicted, "not below"),
    };
    let reason = format!("recomputed {} is {how} the published {}", digits(recomputed), digits(published));
    Finding::without_numbers(answer, reason)
}

fn within(
    scale: Scale,
    check: &Check,
    (published, recomputed): (f64, f64),
    cells: &[CellEffect],
    left: u64,
) -> Finding {
    let (Some(p), Some(r)) = (scale.of(published), scale.of(recomputed)) else {
        let reason = format!("published {} and recomputed {} need logarithms", digits(published), digits(recomputed));
        return Finding::without_numbers(Answer::NotCheckable, reason);
    };
    let Tolerance { sum, open } =
        tolerance(scale, published, check.published_resolution, check.allowance, recomputed, cells);
    let difference = (r - p).abs();
    let unit = if scale == Scale::Log10 { " in log10" } else { "" };
    let apart = format!(
        "recomputed {}, published {}: apart by {}{unit}",
        digits(recomputed),
        digits(published),
        digits(difference)
    );
    // A number that is off by a part of its size is off by that much in its logarithm, however near that is to 0.
    let size = if scale == Scale::Log10 { (p.abs() + r.abs()).max(1.0) } else { p.abs() + r.abs() };
    let is_within = difference <= sum + NOISE * size;
    let (answer, reason) = if is_within {
        (Answer::Confirmed, format!("{apart}, and rounding explains {}", digits(sum)))
    } else if let Some(first) = open.first() {
        let more = if open.len() > 1 { format!(" and {} more", open.len() - 1) } else { String::new() };
        let why = format!("the formula has no value at one end of the rounding of {first}{more}");
        (Answer::NotCheckable, format!("{apart}, but {why}, so rounding might explain anything"))
    } else if left > 0 {
        let why = format!(
            "time was over before the effect of {left} of {} rounded cells was known",
            cells.len() as u64 + left
        );
        (Answer::NotCheckable, format!("{apart}, but {why}"))
    } else {
        (Answer::Contradicted, format!("{apart}, and rounding explains no more than {}", digits(sum)))
    };
    Finding { answer, reason, difference: Some(difference), tolerance: Some(sum) }
}

/// A number; True is 1, as in the language of the formulas' reference.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|flag| f64::from(u8::from(flag))))
}

/// Equal as Python has it: 1, 1.0 and True are one, and a list equals a list of the same elements.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => match (number(a), number(b)) {
            (Some(_), Some(_)) if a.is_i64() && b.is_i64() => a == b,
            (Some(x), Some(y)) => (x - y).abs() <= NOISE * (x.abs() + y.abs()),
            _ => a == b,
        },
    }
}

/// A value for people; numbers with ten significant digits.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => number.as_f64().map(digits).unwrap_or_default(),
        Value::Array(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

fn digits(value: f64) -> String {
    let short: f64 = format!("{value:.9e}").parse().unwrap_or(value);
    let size = short.abs();
    if size != 0.0 && !(1e-4..1e15).contains(&size) { format!("{short:e}") } else { short.to_string() }
}
