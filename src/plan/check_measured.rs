//! Which rules the rows of a run bear: those that ask its launches, and none that takes means as they stand.

use super::document::Document;
use super::{Efficiencies, Error, FalsificationLadder, Rule};

/// The column of which it is known what each launch gave, behind its lane and a dot.
const EFFICIENCY: &str = ".parallel_efficiency";

/// Refuses a rule that would order, place or call equal what launches measured without asking how they scatter.
pub(super) fn check_measured(document: &Document<'_>, hypothesis: usize, rule: &Rule) -> Result<(), Error> {
    let at = |key: &str| format!("hypothesis[{hypothesis}].rule.{key}");
    if let Rule::FalsificationLadder(FalsificationLadder { efficiencies, .. }) = rule {
        return ladder(document, &at, efficiencies);
    }
    let Some(instead) = instead(rule) else { return Ok(()) };
    let message =
        format!("`{}` takes printed numbers as they stand, and those of a run are means of launches", rule.kind());
    Err(document.fault(&at("kind"), message, Some(instead.to_owned())))
}

/// What asks launches the same, for a rule that asks none.
fn instead(rule: &Rule) -> Option<&'static str> {
    match rule {
        Rule::Ranking(_) => Some("`matched_contrasts` says by launches which of two lanes is faster"),
        Rule::Consistency(_) => Some("`matched_contrasts` says by launches whether two sides are equivalent"),
        Rule::LadderOfBands(_) => Some("`effect_band` places a change by launches, `crash_boundary` a rate"),
        Rule::ScoreAndLatency(_) => Some("`mean_contrast` compares latencies by launches"),
        Rule::SameWindowRerun(_) => {
            Some("the lanes of a run share its window: `matched_contrasts` compares them by launches")
        }
        Rule::ColdStart(_) => {
            Some("the rows of a run record no startup; the rule judges imported tables of cold starts")
        }
        _ => None,
    }
}

/// A ladder's gains are of launches, so that it has to be known what each launch gave.
fn ladder(document: &Document<'_>, at: &dyn Fn(&str) -> String, efficiencies: &Efficiencies) -> Result<(), Error> {
    let Efficiencies { baseline, candidate, .. } = efficiencies;
    let named = [("efficiencies.baseline", baseline), ("efficiencies.candidate", candidate)];
    match named.into_iter().find(|(_, column)| !column.ends_with(EFFICIENCY)) {
        Some((key, column)) => {
            let message = format!("of {column:?} it is not known what each launch gave, by which a gain is tested");
            let hint = format!("name LANE{EFFICIENCY} of table agent_scaling");
            Err(document.fault(&at(key), message, Some(hint)))
        }
        None => Ok(()),
    }
}
