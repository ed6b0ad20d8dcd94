//! The unit that a field's name states. No unit is guessed from a value.

/// Endings and the unit that they state; the first that fits counts.
const ENDINGS: &[(&str, &str)] = &[
    ("_ms_per_tok", "ms/tok"),
    ("_ms_per_token", "ms/tok"),
    ("_tok_s", "tok/s"),
    ("_tok_per_s", "tok/s"),
    ("_tokens_per_s", "tok/s"),
    ("_tokens_per_sec", "tok/s"),
    ("_tokps", "tok/s"),
    ("_tps", "tok/s"),
    ("_per_s", "1/s"),
    ("_per_sec", "1/s"),
    ("_ns", "ns"),
    ("_us", "us"),
    ("_ms", "ms"),
    ("_seconds", "s"),
    ("_sec", "s"),
    ("_s", "s"),
    ("_pct", "percent"),
    ("_percent", "percent"),
    ("_pp", "pp"),
    ("_gbps", "GB/s"),
    ("_gb", "GB"),
    ("_mb", "MB"),
    ("_bytes", "byte"),
    ("_watts", "W"),
    ("_multiplier", "x"),
    ("_tokens", "count"),
    ("_token_count", "count"),
    ("_count", "count"),
];

/// Whole names and their unit.
const NAMES: &[(&str, &str)] = &[
    ("avg_tokps_invocation", "tok/s"),
    ("bytes", "byte"),
    ("chunks_per_s", "chunk/s"),
    ("crash_rate", "fraction"),
    ("error_rate", "fraction"),
    ("ok_rate", "fraction"),
    ("parallel_efficiency", "fraction"),
    ("speedup", "x"),
    ("tok_s", "tok/s"),
    ("tokens", "count"),
    ("tokens_per_s", "tok/s"),
    ("tokens_per_sec", "tok/s"),
    ("tokps", "tok/s"),
    ("tps", "tok/s"),
];

/// The unit that the name states.
pub(super) fn of(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace(['.', ' ', '-'], "_");
    let whole = NAMES.iter().find(|(known, _)| *known == name);
    let stated = whole.or_else(|| ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)));
    stated.map(|(_, unit)| *unit)
}

/// The unit of the last printed digit of a number's text: `1.50` was printed to 0.01, `2e3` to 1000.
pub(super) fn resolution(text: &str) -> Option<f64> {
    let (digits, exponent) = match text.trim().split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text.trim(), 0),
    };
    let decimals = i32::try_from(digits.split_once('.').map_or(0, |(_, decimals)| decimals.len())).ok()?;
    // Through text, so that the result is the number nearest to the power of ten.
    format!("1e{}", exponent.checked_sub(decimals)?).parse().ok().filter(|unit: &f64| unit.is_finite() && *unit > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_read_from_the_name_or_is_none() {
        for (name, unit) in [
            ("wall_ms", Some("ms")),
            ("inference_total_s", Some("s")),
            ("throughput_tok_s", Some("tok/s")),
            ("tok_s", Some("tok/s")),
            ("tokps", Some("tok/s")),
            ("avg_tokps_invocation", Some("tok/s")),
            ("decode_ms_per_tok", Some("ms/tok")),
            ("decode_tps", Some("tok/s")),
            ("chunks_per_s", Some("chunk/s")),
            ("bandwidth_gbps", Some("GB/s")),
            ("memory_used_gb", Some("GB")),
            ("parallel_efficiency", Some("fraction")),
            ("p95_latency_multiplier", Some("x")),
            ("completion_tokens", Some("count")),
            ("tokens", Some("count")),
            ("latency", None),
            ("ms", None),
            ("request_rate", None),
            ("efficiency", None),
            ("temperature", None),
        ] {
            assert_eq!(of(name), unit, "{name}");
        }
    }

    #[test]
    fn the_last_printed_digit_is_known_from_the_text() {
        for (text, unit) in [("1.50", 0.01), ("-3", 1.0), ("2e3", 1000.0), ("1.25E-4", 1e-6), ("0.0001", 0.0001)] {
            assert_eq!(resolution(text), Some(unit), "{text}");
        }
        assert_eq!(resolution("1e99999999999"), None);
        assert_eq!(resolution("1e-2000"), None);
    }
}
