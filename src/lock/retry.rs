//! When a registry that is busy or broken is asked again. Pure.

use std::time::Duration;

use super::RegistryOptions;

/// Whether a status says that the same request may succeed later (RFC 9110 section 15.6, RFC 6585 section 4).
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// What comes after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait, then ask again.
    Wait(Duration),
    /// All attempts are used up.
    NoMoreAttempts,
    /// The registry asks for a longer wait than is given.
    TooLong(Duration),
}

/// What comes after attempt number `attempt`, counted from 1. `asked` is the wait that the registry asked for.
pub(super) fn next(options: &RegistryOptions, attempt: u32, asked: Option<Duration>) -> Next {
    let longest = seconds(options.longest_wait_s);
    if attempt >= options.attempts {
        return Next::NoMoreAttempts;
    }
    match asked {
        Some(wait) if wait > longest => Next::TooLong(wait),
        Some(wait) => Next::Wait(wait),
        None => {
            let doublings = attempt.saturating_sub(1).min(30);
            let wait = seconds(options.first_wait_s).saturating_mul(1 << doublings);
            Next::Wait(wait.min(longest))
        }
    }
}

/// `Retry-After`: seconds, or a date, which is taken relative to the answer's own `Date` so that clocks need not agree.
/// What cannot be read counts as absent.
pub(super) fn asked_wait(retry_after: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let text = retry_after?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let instant = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp().as_second());
    let wait_s = instant(text)?.checked_sub(instant(date?.trim())?)?;
    Some(Duration::from_secs(u64::try_from(wait_s).unwrap_or(0)))
}

/// A number of seconds as a duration; nonsense (negative, infinite, not a number) as the nearest sensible one.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.clamp(0.0, 86_400.0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options() -> RegistryOptions {
        RegistryOptions { attempts: 9, first_wait_s: 0.5, longest_wait_s: 4.0, ..Default::default() }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<Next> = (1..=9).map(|attempt| next(&options(), attempt, None)).collect();
        let wait = |ms| Next::Wait(Duration::from_millis(ms));
        let expected = [500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000, 4_000].map(wait);
        assert_eq!(waits[..8], expected);
        assert_eq!(waits[8], Next::NoMoreAttempts);
    }

    #[test]
    fn the_registry_s_own_wait_is_kept_unless_it_is_too_long() {
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(next(&options(), 1, asked(3)), Next::Wait(Duration::from_secs(3)));
        assert_eq!(next(&options(), 1, asked(0)), Next::Wait(Duration::ZERO));
        assert_eq!(next(&options(), 1, asked(5)), Next::TooLong(Duration::from_secs(5)));
        assert_eq!(next(&options(), 9, asked(1)), Next::NoMoreAttempts);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let wait = |text| asked_wait(Some(text), date);
        assert_eq!(wait(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(wait(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(asked_wait(Some("Sun, 06 Nov 1994 08:50:07 GMT"), None), None);
        assert_eq!(asked_wait(None, date), None);
    }

    #[test]
    fn only_passing_troubles_are_tried_again() {
        let passing: Vec<u16> = (100..600).filter(|status| is_passing(*status)).collect();
        assert_eq!(passing, [429, 500, 502, 503, 504]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_header_or_setting_makes_a_wait_longer_than_the_longest_in_5_000_cases(
            text in prop_oneof![any::<String>(), "[0-9]{0,25}"],
            attempt in any::<u32>(),
            first_wait_s in any::<f64>(),
            longest_wait_s in any::<f64>(),
        ) {
            let options = RegistryOptions { attempts: u32::MAX, first_wait_s, longest_wait_s, ..Default::default() };
            let asked = asked_wait(Some(&text), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
            if let Next::Wait(wait) = next(&options, attempt, asked) {
                prop_assert!(wait <= seconds(longest_wait_s));
            }
        }
    }
}
