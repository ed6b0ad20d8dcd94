//! What negative controls mean for the hypotheses that lean on them.
//!
//! | a control | what leans on it |
//! |---|---|
//! | of lanes, that shows a difference | is void |
//! | of eager arms across lanes, that does not show them equivalent | decides nothing on times |
//! | of eager arms across blocks, that shows a difference | is void where it speaks of times |
//! | of eager arms across blocks, that does not show them equivalent | decides nothing on times |
//! | none, in a plan that holds modes of compiling against eager arms | decides nothing on times |
//!
//! A hypothesis leans on the controls across lanes that it names, and on those across blocks of its plan.

use std::collections::{BTreeMap, BTreeSet};

use super::block_controls::{BlockControl, block_controls, is_eager_arm};
use super::decide::{compared, is_control};
use super::expected::Expectations;
use super::reduce::Table;
use super::rules::{Ruling, Standing};
use super::{Error, Finding, HypothesisVerdict};
use crate::plan::{Hypothesis, HypothesisKind, Plan, Rule};
use crate::terms::{Axes, asks_for_compiled_code, words};

/// The columns of times.
const TIMES: [(&str, &str); 4] = [("launches", "ms"), ("cells", "mean_ms"), ("cells", "sd_ms"), ("cells", "cv")];

/// The negative controls of a plan, as they came out.
pub(super) struct Controls {
    /// Those across blocks.
    pub blocks: Vec<BlockControl>,
    /// Controls across lanes that show a difference.
    shown: BTreeSet<String>,
    /// Controls of eager arms across lanes that do not show them equivalent, with what they came out as.
    open: BTreeMap<String, Finding>,
    /// The plan holds modes of compiling against eager arms, and none of these against itself or another.
    is_without: bool,
}

/// What a hypothesis on times says where nothing would show that the host drifted.
const WITHOUT: &str = "nothing is decided on times, since no negative control stands beside them: the plan holds no eager work \
                       against itself (`steady_within_pct` of a workload), so that a device that drifted would not show";

/// The hypotheses that decide nothing, whatever is measured, because the plan has modes of compiling, eager arms and no
/// negative control; `lanes` holds what its lanes declare.
pub fn undecided_without_control<'a>(plan: &'a Plan, lanes: &[&Axes]) -> Vec<&'a str> {
    let of_times = |hypothesis: &&Hypothesis| match &hypothesis.kind {
        HypothesisKind::Contrast(_) | HypothesisKind::PhaseSeparation(_) => true,
        HypothesisKind::Ruled { rule, .. } => reads_times(rule) && !matches!(**rule, Rule::Portability(_)),
        _ => false,
    };
    let undecided = plan.hypotheses.iter().filter(|_| is_without(plan, lanes)).filter(of_times);
    undecided.map(|hypothesis| hypothesis.name.as_str()).collect()
}

/// Whether the plan holds modes of compiling against eager arms, and none of these against itself or another. A cell has the
/// mode that its workload fixes, and else that of its lane.
fn is_without(plan: &Plan, lanes: &[&Axes]) -> bool {
    let is_guarded = plan.workloads.iter().any(|workload| workload.steady_within_pct.is_some())
        || plan.hypotheses.iter().any(is_control);
    let fixed: Vec<_> = plan.workloads.iter().map(|workload| workload.axes.get("compile_mode")).collect();
    let mut modes: BTreeSet<_> = fixed.iter().flatten().copied().flatten().collect();
    if fixed.iter().any(Option::is_none) {
        modes.extend(lanes.iter().filter_map(|declared| declared.get("compile_mode")));
    }
    !is_guarded && modes.len() > 1 && modes.iter().any(|mode| !asks_for_compiled_code(mode))
}

impl Controls {
    /// `verdicts` are those of the plan's contrasts, in plan order.
    pub(super) fn of(
        plan: &Plan,
        (table, lanes): (&Table, &[&Axes]),
        absent: &BTreeMap<String, String>,
        expectations: &Expectations,
        verdicts: &[HypothesisVerdict],
    ) -> Result<Self, Error> {
        let (mut shown, mut open) = (BTreeSet::new(), BTreeMap::new());
        for (hypothesis, verdict) in plan.hypotheses.iter().zip(verdicts) {
            let HypothesisKind::Contrast(contrast) = &hypothesis.kind else { continue };
            let differs = |finding| matches!(finding, Finding::Faster | Finding::Slower | Finding::Void);
            let of_eager_arms = || compared(contrast, table, expectations).any(|(_, cell)| is_eager_arm(cell));
            if !contrast.negative_control {
                continue;
            }
            if verdict.cells.iter().any(|cell| differs(cell.finding)) {
                shown.insert(hypothesis.name.clone());
            } else if verdict.finding != Finding::Equivalent && of_eager_arms() {
                open.insert(hypothesis.name.clone(), verdict.finding);
            }
        }
        let blocks = block_controls(plan, table, absent, expectations)?;
        Ok(Self { blocks, shown, open, is_without: is_without(plan, lanes) })
    }

    /// Takes back what contrasts say, and what voids a rule before it is asked.
    pub(super) fn bear_on(&self, plan: &Plan, verdicts: &mut [HypothesisVerdict]) {
        for (hypothesis, verdict) in plan.hypotheses.iter().zip(verdicts) {
            let of_times = !is_control(hypothesis)
                && matches!(hypothesis.kind, HypothesisKind::Contrast(_) | HypothesisKind::PhaseSeparation(_));
            let named = hypothesis.kind.controls().iter().find(|control| self.shown.contains(*control));
            let voided = named
                .map(|control| format!("the negative control {control} shows a difference between equal lanes"))
                .or_else(|| self.drift().filter(|_| of_times).map(BlockControl::told));
            if verdict.finding == Finding::NotMeasured {
                continue;
            }
            if let Some(reason) = voided {
                verdict.finding = Finding::Void;
                verdict.reasons.insert(0, reason);
            } else if let Some(reason) = self.open_to(hypothesis).filter(|_| of_times) {
                verdict.finding = Finding::CouldNotTell;
                verdict.reasons.insert(0, reason);
            } else if self.is_without && of_times {
                verdict.finding = Finding::CouldNotTell;
                verdict.reasons.insert(0, WITHOUT.to_owned());
            }
        }
    }

    /// What the rule of a hypothesis still says.
    pub(super) fn bear_on_ruling(&self, hypothesis: &Hypothesis, rule: &Rule, mut ruling: Ruling) -> Ruling {
        if !reads_times(rule) {
            return ruling;
        }
        let (word, standing, reason) = match (self.drift(), self.open_to(hypothesis)) {
            (Some(drift), _) => ("invalid", Standing::Invalid, drift.told()),
            (None, Some(reason)) => ("inconclusive", Standing::Inconclusive, reason),
            (None, None) if self.is_without => ("inconclusive", Standing::Inconclusive, WITHOUT.to_owned()),
            (None, None) => return ruling,
        };
        if ruling.standing == Standing::Decided && rests_on_times(rule, &ruling) {
            let label = std::mem::replace(&mut ruling.label, word.to_owned());
            ruling.standing = standing;
            ruling.reasons.insert(0, format!("{reason}; without that it would be {}", words(&label)));
        } else {
            ruling.reasons.push(reason);
        }
        ruling
    }

    /// Eager work that differs between blocks.
    fn drift(&self) -> Option<&BlockControl> {
        self.blocks.iter().find(|control| matches!(control.finding, Finding::Faster | Finding::Slower))
    }

    /// Why nothing of times is decided where the hypothesis leans on a control that leaves it open.
    fn open_to(&self, hypothesis: &Hypothesis) -> Option<String> {
        let named = hypothesis.kind.controls().iter().filter_map(|control| self.open.get_key_value(control));
        let named: Vec<String> =
            named.map(|(control, finding)| format!("{control} ({})", words(finding.name()))).collect();
        let across_lanes = (!named.is_empty()).then(|| {
            let named = named.join(", ");
            format!("nothing is decided on times, since negative controls are not shown to be equivalent: {named}")
        });
        let open = |control: &&BlockControl| control.finding != Finding::Equivalent;
        let across_blocks = || {
            let control = self.blocks.iter().find(open)?;
            Some(format!("nothing is decided on times: {}", control.told()))
        };
        across_lanes.or_else(across_blocks)
    }
}

/// Whether the rule reads times of launches.
pub(super) fn reads_times(rule: &Rule) -> bool {
    rule.columns().iter().any(|read| TIMES.contains(&(read.table.as_str(), read.column.as_str())))
}

/// Whether its label follows from them. Outcomes alone decide whether work is portable, and so does a stack on which none of it
/// survives.
fn rests_on_times(rule: &Rule, ruling: &Ruling) -> bool {
    match rule {
        Rule::Portability(_) => false,
        Rule::CompileRobustness(_) => !ruling.parts.iter().any(|part| part.label == "dead"),
        _ => true,
    }
}
