//! The order of version numbers.

use std::cmp::Ordering;

/// Compares the dotted numbers that two versions begin with, number by number; a missing part counts as 0, so `3.9`
/// equals `3.9.0`. What follows the numbers (`rc1`, `+cu124`) does not count. `None` when one begins with no number.
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Option<Ordering> {
    Some(numbers(a)?.cmp(&numbers(b)?))
}

/// Each number as its count of digits and its digits, which order like numbers of any size.
fn numbers(version: &str) -> Option<Vec<(usize, &str)>> {
    let mut found = Vec::new();
    for part in version.trim().split('.') {
        let digits = part.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        if digits.is_empty() {
            break;
        }
        let significant = digits.trim_start_matches('0');
        found.push((significant.len(), significant));
        if digits.len() < part.len() {
            break;
        }
    }
    if found.is_empty() {
        return None;
    }
    while found.last() == Some(&(0, "")) {
        found.pop();
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_not_by_letter() {
        for (a, order, b) in [
            ("3.9.1", Ordering::Less, "3.10"),
            ("3.9", Ordering::Equal, "3.9.0"),
            ("3.10.1", Ordering::Greater, "3.10"),
            ("4", Ordering::Greater, "3.99"),
            ("0", Ordering::Equal, "0.0"),
            ("1.010", Ordering::Equal, "1.10"),
            ("99999999999999999999999", Ordering::Greater, "18446744073709551615"),
        ] {
            assert_eq!(compare_versions(a, b), Some(order), "{a} and {b}");
            assert_eq!(compare_versions(b, a), Some(order.reverse()), "{b} and {a}");
        }
    }

    #[test]
    fn what_follows_the_numbers_does_not_count() {
        assert_eq!(compare_versions("3.13.0rc1+", "3.13"), Some(Ordering::Equal));
        assert_eq!(compare_versions("2.6.0+cu124", "2.6"), Some(Ordering::Equal));
        assert_eq!(compare_versions("1.2rc.9", "1.2"), Some(Ordering::Equal));
    }

    #[test]
    fn what_begins_with_no_number_has_no_order() {
        for bad in ["", "v1.2", ".1", "latest"] {
            assert_eq!(compare_versions(bad, "1.0"), None, "{bad:?}");
            assert_eq!(compare_versions("1.0", bad), None, "{bad:?}");
        }
    }
}
