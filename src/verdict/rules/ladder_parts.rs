//! What the falsification ladder shows of its combinations: a part for each, and how near they come to the threshold.

use super::ladder::{Combination, LadderRules};
use super::ladder_gains::{Gained, Side, delta_pp};
use super::ruling::Part;
use crate::plan::GainUnit;
use crate::terms::significant;

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Edge => "edge",
        }
    }
}

/// Of printed numbers, which thresholds would have counted the same: the design's own is often one of several that the report
/// allows. Of launches, the gain whose interval comes nearest to the threshold.
pub(super) fn sensitivity(gains: &[Gained], rules: &LadderRules) -> String {
    let edge = gains.iter().filter(|gain| gain.side == Side::Edge).count();
    if gains.iter().any(|gain| gain.by_launch.is_some()) {
        return nearest(gains, edge, rules);
    }
    let of = |side: Side| gains.iter().filter(move |gain| gain.side == side).map(|gain| gain.value);
    let highest_fail = of(Side::Fail).max_by(f64::total_cmp).map(|value| significant(value, 4));
    let lowest_pass = of(Side::Pass).min_by(f64::total_cmp).map(|value| significant(value, 4));
    let told = match (highest_fail, lowest_pass) {
        (Some(fail), Some(pass)) => format!("any threshold from {fail} to below {pass} gives the same count"),
        (None, Some(pass)) => format!("any threshold below {pass} gives the same count"),
        (Some(fail), None) => format!("any threshold from {fail} on gives the same count"),
        (None, None) => "no gain lies clear of the threshold".to_owned(),
    };
    if edge == 0 { told } else { format!("{told}; {edge} lie so near that their printed digits do not tell") }
}

fn nearest(gains: &[Gained], edge: usize, rules: &LadderRules) -> String {
    if edge > 0 {
        return format!("of {edge} combinations the launches do not tell on which side of the threshold they lie");
    }
    let apart = |gain: &&Gained| match gain.by_launch.as_ref().and_then(|answer| answer.interval) {
        Some([low, high]) => (low - rules.improvement_above).max(rules.improvement_above - high),
        None => f64::INFINITY,
    };
    let nearest = gains.iter().min_by(|one, other| apart(one).total_cmp(&apart(other)));
    let told = nearest.and_then(|gain| Some(gain.by_launch.as_ref()?.told.clone())).unwrap_or_default();
    format!("the gain whose interval comes nearest to the threshold is {told}")
}

pub(super) fn part(combination: &Combination, gain: &Gained, rules: &LadderRules) -> Part {
    let delta = match (&gain.by_launch, rules.improvement_unit) {
        // Of several segments the gains are pooled, and their means are not.
        (Some(_), GainUnit::Pp) => gain.value,
        _ => delta_pp(combination),
    };
    let part = Part::new(combination.key.clone(), gain.side.name())
        .number("baseline_pct", combination.baseline_pct)
        .number("candidate_pct", combination.candidate_pct)
        .number("delta_pp", delta)
        .number("change_pct", 100.0 * delta / combination.baseline_pct);
    let ends = match rules.improvement_unit {
        GainUnit::Pp => ["delta_low_pp", "delta_high_pp"],
        GainUnit::PctOfBaseline => ["change_low_pct", "change_high_pct"],
    };
    let part = match &gain.by_launch {
        Some(answer) => {
            let interval = answer.interval.into_iter().flatten().zip(ends);
            let part = part.number("launches", answer.launches as f64);
            interval.fold(part, |part, (end, name)| part.number(name, end))
        }
        None => part,
    };
    let open = gain.by_launch.as_ref().filter(|_| gain.side == Side::Edge).map(|answer| answer.told.clone());
    let above = combination.candidate_pct > 100.0 || combination.baseline_pct > 100.0;
    let above = above.then(|| "an efficiency above 100 %: more than its own single run explains".to_owned());
    let reasons: Vec<String> = open.into_iter().chain(above).collect();
    if reasons.is_empty() { part } else { part.because(reasons.join("; ")) }
}
