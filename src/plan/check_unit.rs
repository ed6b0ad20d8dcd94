//! What the rules of a run's plan may take for one observation: the launch, and nothing else.

use super::document::Document;
use super::{Error, LaunchCount, Null, Rule};

/// Refuses a count of something that no launches are counted of, and a test over combinations as if these were launches.
pub(super) fn check_unit(document: &Document<'_>, hypothesis: usize, rule: &Rule) -> Result<(), Error> {
    let at = |key: &str| format!("hypothesis[{hypothesis}].rule.{key}");
    if let Rule::FalsificationLadder(ladder) = rule
        && ladder.null == Null::WithinMargin
    {
        let message = "`within_margin` tests over combinations, which are different cells and no launches of one";
        let hint =
            "use `mean_not_above_zero`; whether two lanes are equivalent by launches is asked by kind = \"contrast\"";
        return Err(document.fault(&at("null"), message, Some(hint.to_owned())));
    }
    let (tried, came_of_it) = counts(rule);
    let [of_tries, of_outcomes] = LaunchCount::known();
    let tried = tried.into_iter().map(|(key, column)| (key, column, LaunchCount::tried(column), &of_tries));
    let came_of_it =
        came_of_it.into_iter().map(|(key, column)| (key, column, LaunchCount::came_of_it(column), &of_outcomes));
    match tried.chain(came_of_it).find(|(.., counted, _)| counted.is_none()) {
        Some((key, column, _, known)) => {
            let message = format!("{column:?} has no count of launches, which are the unit of replication");
            Err(document.fault(&at(key), message, Some(format!("name one of {}", known.join(", ")))))
        }
        None => Ok(()),
    }
}

/// A key of the rule, and the column that it names.
type Named<'r> = Vec<(&'static str, &'r str)>;

/// The columns that the rule takes for the number of trials, and those that it takes for what came of them.
fn counts(rule: &Rule) -> (Named<'_>, Named<'_>) {
    match rule {
        Rule::StaticCacheRescue(rule) => (vec![("n", &rule.n)], vec![("crashes", &rule.crashes)]),
        Rule::CrashBoundary(rule) => (vec![("n", &rule.n)], vec![("crashes", &rule.crashes)]),
        Rule::Portability(rule) => (vec![("n", &rule.n)], vec![("crashes", &rule.crashes)]),
        Rule::CompileRobustness(rule) => (vec![("tried", &rule.tried)], vec![("survived", &rule.survived)]),
        Rule::Reproduction(rule) => (vec![], vec![("survived", &rule.survived), ("crashed", &rule.crashed)]),
        _ => (vec![], vec![]),
    }
}
