//! Whether the tests that a report prints survive that they are several.

use std::collections::BTreeMap;

use super::{Part, Ruling, RulingTest};
use crate::stats::{Alpha, PValue, bonferroni, holm};

/// A p value as it was printed.
#[derive(Debug, Clone, PartialEq)]
pub struct PrintedP {
    /// What tells its test from the others.
    pub key: BTreeMap<String, String>,
    /// The p value, and half of its last printed digit.
    pub p: (f64, f64),
    /// The row.
    pub source: String,
}

/// A report's own family of tests.
#[derive(Debug, Clone, PartialEq)]
pub struct MultipleComparisons {
    /// Its tests.
    pub tests: Vec<PrintedP>,
    /// Tests that the report says the family holds; as many must be printed.
    pub family: u64,
    /// Level of the family.
    pub alpha: Alpha,
}

/// Which tests stand after Holm's correction over the report's own family, with Bonferroni's beside it (TR126 9.5). A test of
/// it is none of the plan's: these are the authors' p values, which nothing here recomputed.
///
/// A test is `significant` where its adjusted p is below alpha whichever way the printed digits of all were rounded,
/// `not_significant` where it is in neither case, else `edge`.
///
/// Labels: `all_significant`, `some_significant`, `none_significant`; `inconclusive` where an edge leaves open which;
/// `invalid` where other than `family` p values are printed, or one is none.
#[must_use]
pub fn multiple_comparisons(input: &MultipleComparisons) -> Ruling {
    rule(input)
        .resting_on(input.tests.iter().map(|test| &test.source))
        .against("family", input.family as f64, "tests")
        .against("alpha", input.alpha.get(), "share")
}

fn rule(input: &MultipleComparisons) -> Ruling {
    if input.tests.len() as u64 != input.family || input.tests.is_empty() {
        return Ruling::invalid(format!(
            "{} p values are printed of a family of {}, and the correction takes all of them",
            input.tests.len(),
            input.family
        ));
    }
    // What was rounded down to 0, or up to 1, was none of these.
    let moved = |by: f64| -> Result<Vec<PValue>, String> {
        let of = |test: &PrintedP| {
            let (p, half) = test.p;
            let outside = || format!("{}: {p} is no p value", test.source);
            PValue::new(p).and_then(|_| PValue::new((p + by * half).clamp(0.0, 1.0))).map_err(|_| outside())
        };
        input.tests.iter().map(of).collect()
    };
    let (printed, least, most) = match (moved(0.0), moved(-1.0), moved(1.0)) {
        (Ok(printed), Ok(least), Ok(most)) => (printed, least, most),
        (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => return Ruling::invalid(reason),
    };
    let alpha = input.alpha;
    let (adjusted, every) = (holm(&printed, alpha), bonferroni(&printed, alpha));
    let (least, most) = (holm(&least, alpha), holm(&most, alpha));
    let (mut parts, mut tests) = (Vec::new(), Vec::new());
    for (at, test) in input.tests.iter().enumerate() {
        let label = match (most[at].adjusted.is_below(alpha), least[at].adjusted.is_below(alpha)) {
            (true, _) => "significant",
            (false, false) => "not_significant",
            (false, true) => "edge",
        };
        let by_bonferroni = every[at].adjusted;
        let part = Part::new(test.key.clone(), label);
        parts.push(match (label, by_bonferroni.is_below(alpha)) {
            ("significant", false) => part.because("by Holm, and not by Bonferroni"),
            _ => part,
        });
        let name = test.key.values().cloned().collect::<Vec<_>>().join(" ");
        tests.push(
            RulingTest::of(format!("{name} as printed, Holm over {}", input.family))
                .p(printed[at], Some(adjusted[at].adjusted)),
        );
        tests.push(
            RulingTest::of(format!("{name} as printed, Bonferroni over {}", input.family))
                .p(printed[at], Some(by_bonferroni)),
        );
    }
    conclude(&parts).in_parts(parts).tested(tests)
}

fn conclude(parts: &[Part]) -> Ruling {
    let count = |label: &str| parts.iter().filter(|part| part.label == label).count();
    let (stand, fall, edge) = (count("significant"), count("not_significant"), count("edge"));
    let told = format!("{stand} of {} tests stand after Holm's correction, {fall} do not", parts.len());
    match (stand, fall, edge) {
        (_, 0, 0) => Ruling::decided("all_significant").because(told),
        (0, _, 0) => Ruling::decided("none_significant").because(told),
        (1.., 1.., _) => Ruling::decided("some_significant").because(told),
        _ => Ruling::inconclusive(format!("{told}, {edge} are decided by digits that are not printed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn ruled(family: u64, ps: &[(f64, f64)]) -> Ruling {
        let test = |(at, p): (usize, &(f64, f64))| PrintedP {
            key: BTreeMap::from([("test".to_owned(), at.to_string())]),
            p: *p,
            source: format!("t:{at}"),
        };
        multiple_comparisons(&MultipleComparisons {
            tests: ps.iter().enumerate().map(test).collect(),
            family,
            alpha: Alpha::new(0.05).expect("a level"),
        })
    }

    fn labels(ruling: &Ruling) -> Vec<&str> {
        ruling.parts.iter().map(|part| part.label.as_str()).collect()
    }

    #[test]
    fn holm_steps_down_where_bonferroni_does_not() {
        // 0.02 is doubled by Holm, and multiplied by 4 by Bonferroni.
        let found = ruled(4, &[(1e-9, 0.0), (1e-4, 0.0), (0.02, 0.0), (0.03, 0.0)]);
        assert_eq!(found.label, "all_significant");
        assert_eq!(found.parts[2].reason.as_deref(), Some("by Holm, and not by Bonferroni"));
        assert_eq!(found.tests[4].p_adjusted, PValue::new(0.04).ok());
        assert_eq!(found.tests[5].p_adjusted, PValue::new(0.08).ok());
        let found = ruled(3, &[(1e-9, 0.0), (0.03, 0.0), (0.04, 0.0)]);
        assert_eq!(
            (found.label.as_str(), labels(&found)),
            ("some_significant", vec!["significant", "not_significant", "not_significant"])
        );
        assert_eq!(ruled(1, &[(0.2, 0.0)]).label, "none_significant");
    }

    #[test]
    fn digits_that_are_not_printed_decide_nothing() {
        let found = ruled(2, &[(1e-9, 0.0), (0.05, 0.005)]);
        assert_eq!((found.standing, labels(&found)), (Standing::Inconclusive, vec!["significant", "edge"]));
        assert_eq!(ruled(1, &[(0.0, 0.005)]).label, "all_significant", "printed as 0.00");
    }

    #[test]
    fn a_family_of_which_a_part_is_printed_and_what_is_no_p_value_are_invalid() {
        let few = ruled(96, &[(1e-9, 0.0)]);
        assert_eq!(few.standing, Standing::Invalid);
        assert!(few.reasons[0].starts_with("1 p values are printed of a family of 96"), "{:?}", few.reasons);
        for p in [-0.1, 1.1, f64::NAN] {
            assert_eq!(ruled(1, &[(p, 0.0)]).standing, Standing::Invalid, "{p}");
        }
        assert_eq!(ruled(0, &[]).standing, Standing::Invalid);
    }
}
