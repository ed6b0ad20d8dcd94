//! What must hold of a rule's parameters, whichever plan states it.

use std::collections::BTreeSet;

use super::check_plan::between;
use super::document::Document;
use super::{
    AxisDecomposition, Error, FalsificationLadder, HangLedger, Hangs, Licence, MatchedPairs, MeanSide, Need,
    Portability, Precondition, PromotionGates, Ranking, Rule, SingleDelta, TokenParity,
};
use crate::terms::nearest;

/// A hypothesis that stands before another, and what it can come out as.
pub(super) struct Earlier {
    name: String,
    kind: String,
    labels: Vec<String>,
}

impl Earlier {
    pub(super) fn of(name: &str, kind: &str, labels: &[&str]) -> Self {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Self { name: name.to_owned(), kind: kind.to_owned(), labels }
    }
}

/// One hypothesis, and those that stand before it.
pub(super) struct RulePlace<'a> {
    pub document: &'a Document<'a>,
    /// The hypothesis, for example `hypothesis[2]`.
    pub path: String,
    pub before: &'a [Earlier],
}

impl RulePlace<'_> {
    pub(super) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    pub(super) fn fault(&self, key: &str, message: impl Into<String>, hint: Option<String>) -> Error {
        self.document.fault(&self.at(key), message, hint)
    }

    /// A label that the rule never gives could never be as expected.
    pub(super) fn labels(&self, key: &str, given: &[String], kind: &str, known: &[&str]) -> Result<(), Error> {
        let Some(unknown) = given.iter().find(|label| !known.contains(&label.as_str())) else { return Ok(()) };
        let hint = match nearest(unknown, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its labels: {}", known.join(", ")),
        };
        let message = format!("the rule `{kind}` never gives the label {unknown:?}");
        Err(self.fault(key, message, Some(hint)))
    }

    pub(super) fn rule(&self, rule: &Rule) -> Result<(), Error> {
        match rule {
            Rule::FalsificationLadder(rule) => self.ladder(rule),
            Rule::HangLedger(HangLedger { hangs, by: _, baseline_wall: _, baseline_wall_absent, before }) => {
                self.finite("rule.baseline_wall_absent", *baseline_wall_absent)?;
                if let Some(before) = before {
                    self.some("rule.before.unresolved", before.unresolved.len())?;
                }
                self.hangs(hangs)
            }
            Rule::MatchedPairs(MatchedPairs { key, left: _, right: _ }) => self.some("rule.key", key.len()),
            Rule::SingleDelta(rule) => self.single_delta(rule),
            Rule::AxisDecomposition(AxisDecomposition { axes, .. }) => {
                if axes.len() < 2 {
                    return Err(self.fault("rule.axes", "a decomposition needs at least two axes", None));
                }
                Ok(())
            }
            Rule::Licence(rule) => self.licence(rule),
            Rule::PhaseSeparation(_)
            | Rule::GainReplication(_)
            | Rule::ScaleCrossover(_)
            | Rule::MatchedContrasts(_)
            | Rule::TokenParity(_)
            | Rule::WeightParity(_) => self.comparison(rule),
            Rule::CompileRobustness(_) | Rule::CleanRuns(_) | Rule::FiveGates(_) => self.integrity(rule),
            Rule::Ranking(_) | Rule::Consistency(_) | Rule::LadderOfBands(_) | Rule::ScoreAndLatency(_) => {
                self.printed(rule)
            }
            Rule::CommercialRouting(_) | Rule::SameWindowRerun(_) => self.routing(rule),
            Rule::EffectSize(_) | Rule::MultipleComparisons(_) | Rule::BenchmarkIdentity(_) => self.reported(rule),
            _ => self.criterion(rule),
        }
    }

    /// The rules that compare two sides.
    fn comparison(&self, rule: &Rule) -> Result<(), Error> {
        let share = |key: &str, value: f64, above: f64, below: f64| {
            between(self.document, &self.at(&format!("rule.{key}")), value, above, below)
        };
        let (sides, power) = match rule {
            Rule::PhaseSeparation(rule) => {
                share("margin_pp", rule.margin_pp, 0.0, f64::MAX)?;
                ([("baseline", &rule.baseline), ("candidate", &rule.candidate)], rule.power)
            }
            Rule::GainReplication(rule) => {
                share("gain_pct", rule.gain_pct, 0.0, 100.0_f64.next_up())?;
                self.some("rule.models_needed", usize::try_from(rule.models_needed).unwrap_or(usize::MAX))?;
                ([("baseline", &rule.baseline), ("candidate", &rule.candidate)], rule.power)
            }
            Rule::ScaleCrossover(rule) => {
                share("neutral_pct", rule.neutral_pct, 0.0, 100.0)?;
                if rule.sizes.len() < 2 {
                    return Err(self.fault("rule.sizes", "a crossover needs the sizes of at least two models", None));
                }
                for (model, size) in &rule.sizes {
                    share(&format!("sizes.{model}"), *size, 0.0, f64::MAX)?;
                }
                ([("baseline", &rule.baseline), ("candidate", &rule.candidate)], rule.power)
            }
            Rule::MatchedContrasts(rule) => {
                self.some("rule.key", rule.key.len())?;
                share("margin_pct", rule.margin_pct, 0.0, 100.0)?;
                ([("baseline", &rule.baseline), ("candidate", &rule.candidate)], rule.power)
            }
            Rule::TokenParity(rule) => return self.parity("rule", rule),
            Rule::WeightParity(rule) => {
                self.some("rule.logit_tolerances", rule.logit_tolerances.len())?;
                for (statistic, tolerance) in &rule.logit_tolerances {
                    share(&format!("logit_tolerances.{statistic}"), *tolerance, -f64::MIN_POSITIVE, f64::MAX)?;
                }
                return self.parity("rule.outputs", &rule.outputs);
            }
            _ => return Ok(()),
        };
        self.sides(sides)?;
        share("power", power, 0.5, 1.0)
    }

    fn parity(&self, path: &str, rule: &TokenParity) -> Result<(), Error> {
        self.some(&format!("{path}.key"), rule.key.len())?;
        match &rule.sides[..] {
            [one, other] if one.name != other.name => Ok(()),
            [_, other] => {
                Err(self.fault(&format!("{path}.sides"), format!("both sides are called {:?}", other.name), None))
            }
            sides => Err(self.fault(&format!("{path}.sides"), format!("{} sides: expected two", sides.len()), None)),
        }
    }

    /// The rules on printed numbers as they stand.
    fn printed(&self, rule: &Rule) -> Result<(), Error> {
        match rule {
            Rule::Ranking(rule) => {
                let names: BTreeSet<&String> = rule.candidates.iter().collect();
                if names.len() < 2 || names.len() != rule.candidates.len() {
                    let message = format!("{:?}: expected two candidates or more, each once", rule.candidates);
                    return Err(self.fault("rule.candidates", message, None));
                }
                self.ranked(rule)
            }
            Rule::Consistency(rule) => {
                self.some("rule.key", rule.key.len())?;
                let cut = |key: &str, value, above, below| {
                    between(self.document, &self.at(&format!("rule.{key}")), value, above, below)
                };
                cut("consistent_pct", rule.consistent_pct, 0.0, f64::MAX)?;
                cut("acceptable_pct", rule.acceptable_pct, rule.consistent_pct, f64::MAX)
            }
            Rule::LadderOfBands(rule) => {
                self.some("rule.key", rule.key.len())?;
                self.some("rule.above", rule.above.len())?;
                if let Some(holds) = &rule.holds {
                    self.finite("rule.holds.above", holds.above)?;
                }
                let mut edges = rule.above.iter();
                edges.try_for_each(|(band, above)| self.finite(&format!("rule.above.{band}"), *above))
            }
            Rule::ScoreAndLatency(rule) => self.some("rule.key", rule.key.len()),
            _ => Ok(()),
        }
    }

    /// A row for each candidate, or a column for each.
    fn ranked(&self, rule: &Ranking) -> Result<(), Error> {
        let Ranking { candidate, candidates, mean, n, side_by_side, .. } = rule;
        let in_rows = [candidate.is_some(), mean.is_some(), n.is_some()];
        if side_by_side.is_empty() && in_rows == [true; 3] {
            return Ok(());
        }
        if in_rows != [false; 3] || side_by_side.is_empty() {
            let message = "expected `candidate`, `mean` and `n`, or `side_by_side` alone";
            return Err(self.fault("rule", message, None));
        }
        match candidates.iter().find(|candidate| !side_by_side.contains_key(*candidate)) {
            Some(candidate) => Err(self.fault("rule.side_by_side", format!("names no column of {candidate:?}"), None)),
            None => Ok(()),
        }
    }

    /// The rules on somebody else's service, and on windows of time.
    fn routing(&self, rule: &Rule) -> Result<(), Error> {
        let limit = |key: &str, value: f64, above: f64, below: f64| {
            between(self.document, &self.at(&format!("rule.{key}")), value, above, below)
        };
        let from_zero = -f64::MIN_POSITIVE;
        match rule {
            Rule::CommercialRouting(rule) => {
                self.some("rule.key", rule.key.len())?;
                limit("parity_within", rule.parity_within, from_zero, f64::MAX)?;
                limit("power", rule.power, 0.5, 1.0)?;
                if let Some(tools) = &rule.tools {
                    self.some("rule.tools.families", tools.families.len())?;
                }
                let Some(profiles) = &rule.profiles else { return Ok(()) };
                self.some("rule.profiles.matrices", profiles.matrices.len())?;
                limit("profiles.max_external_error", profiles.max_external_error, from_zero, 1.0)
            }
            Rule::SameWindowRerun(rule) => {
                self.some("rule.key", rule.key.len())?;
                self.some("rule.near_flat", rule.near_flat.len())?;
                let mut tolerances = rule.near_flat.iter();
                tolerances
                    .try_for_each(|(metric, most)| limit(&format!("near_flat.{metric}"), *most, from_zero, f64::MAX))
            }
            _ => Ok(()),
        }
    }

    /// The rules on what may be cited.
    fn integrity(&self, rule: &Rule) -> Result<(), Error> {
        let share = |key: &str, value: f64, above: f64, below: f64| {
            between(self.document, &self.at(&format!("rule.{key}")), value, above, below)
        };
        match rule {
            Rule::CompileRobustness(rule) => {
                share("robust_pct", rule.robust_pct, 0.0, 100.0)?;
                share("sensitive_pct", rule.sensitive_pct, rule.robust_pct, 100.0)?;
                share("fragile_pct", rule.fragile_pct, rule.sensitive_pct, 100.0)
            }
            Rule::CleanRuns(rule) => {
                rule.withdrawn.as_ref().map_or(Ok(()), |it| self.some("rule.withdrawn.remarks", it.remarks.len()))
            }
            Rule::FiveGates(rule) => {
                share("artifact_share", rule.artifact_share, 0.0, 1.0_f64.next_up())?;
                self.some("rule.phases_needed", rule.phases_needed.len())?;
                self.some("rule.environment_needed", rule.environment_needed.len())?;
                self.some("rule.surfaced_needed", rule.surfaced_needed.len())?;
                self.some("rule.regimes.combination", rule.regimes.combination.len())?;
                rule.regimes
                    .crashes_from
                    .map_or(Ok(()), |from| share("regimes.crashes_from", from, 0.0, 1.0_f64.next_up()))
            }
            _ => Ok(()),
        }
    }

    /// The rules on printed means, correlations and crash counts. What their own functions refuse is left to them.
    fn criterion(&self, rule: &Rule) -> Result<(), Error> {
        let share = |key: &str, value: f64, above: f64, below: f64| {
            between(self.document, &self.at(&format!("rule.{key}")), value, above, below)
        };
        match rule {
            Rule::CorrelationCriterion(rule) => {
                share("power", rule.power, 0.5, 1.0)?;
                share("above", rule.above, -1.0, 1.0)
            }
            Rule::Saturation(rule) if rule.sustained_readings == 0 => {
                Err(self.fault("rule.sustained_readings", "0 readings sustain nothing", None))
            }
            Rule::Saturation(rule) => self.finite("rule.above", rule.above),
            Rule::StatedDifferences(rule) => self.finite("rule.at_least", rule.at_least),
            Rule::ParallelEfficiency(rule) if rule.agents == 0 => {
                Err(self.fault("rule.agents", "0 agents have no efficiency", None))
            }
            Rule::MeanContrast(rule) => {
                self.sides([("left", &rule.left), ("right", &rule.right)])?;
                share("power", rule.power, 0.5, 1.0)?;
                share("margin", rule.margin, 0.0, f64::MAX)
            }
            Rule::DifferenceCriterion(rule) => {
                self.sides([("left", &rule.left), ("right", &rule.right)])?;
                share("power", rule.power, 0.5, 1.0)?;
                self.finite("rule.at_least", rule.at_least)
            }
            Rule::EffectBand(rule) => {
                self.sides([("baseline", &rule.baseline), ("candidate", &rule.candidate)])?;
                share("power", rule.power, 0.5, 1.0)?;
                share("neutral_pct", rule.neutral_pct, 0.0, 100.0)?;
                rule.strong_pct.map_or(Ok(()), |strong| share("strong_pct", strong, rule.neutral_pct, 100.0))
            }
            Rule::StaticCacheRescue(rule) => share("max_rate", rule.max_rate, 0.0, 1.0),
            Rule::CrashBoundary(rule) => share("cut", rule.cut, 0.0, 1.0),
            Rule::Portability(rule) if rule.sides.len() != 2 => {
                Err(self.fault("rule.sides", format!("{} sides: expected two", rule.sides.len()), None))
            }
            Rule::Portability(rule) => {
                self.some("rule.key", rule.key.len())?;
                share("similar_pct", rule.similar_pct, 0.0, f64::MAX)?;
                self.cuts(rule)
            }
            Rule::Reproduction(rule) => {
                share("power", rule.power, 0.5, 1.0)?;
                share("target", rule.target, 0.0, f64::MAX)?;
                self.some("rule.bands", rule.bands.len())
            }
            Rule::Promotion(rule) => self.promotion(rule),
            Rule::ColdStart(rule) => {
                let ways = [rule.launch.is_some(), rule.n.is_some(), rule.launches.is_some()];
                if ways.into_iter().filter(|given| *given).count() != 1 || (rule.sd.is_some() && rule.n.is_none()) {
                    let message = "expected one of `launch`, `n` (with `sd` where it is printed) and `launches`";
                    return Err(self.fault("rule", message, None));
                }
                share("power", rule.power, 0.5, 1.0)?;
                self.finite("rule.resolution_ms", rule.resolution_ms)
            }
            _ => Ok(()),
        }
    }

    /// Cuts that leave no rate ok, or none that crashes.
    fn cuts(&self, Portability { ok_rate, crash_rate, .. }: &Portability) -> Result<(), Error> {
        if !(0.0..1.0).contains(ok_rate) {
            return Err(self.fault("rule.ok_rate", format!("{ok_rate} is out of range: expected 0 to below 1"), None));
        }
        if !(*ok_rate..=1.0).contains(crash_rate) {
            let message = format!("{crash_rate} is out of range: expected `ok_rate`, {ok_rate}, to 1");
            return Err(self.fault("rule.crash_rate", message, None));
        }
        Ok(())
    }

    /// A gate that no delta could pass, and an interval of what is not judged, say nothing.
    fn promotion(&self, rule: &PromotionGates) -> Result<(), Error> {
        let PromotionGates { near_flat_ms, intervals, values_without_interval, judged_by, .. } = rule;
        self.some("rule.near_flat_ms", near_flat_ms.len())?;
        self.finite("rule.small_effect_ms", rule.small_effect_ms)?;
        near_flat_ms
            .iter()
            .try_for_each(|(metric, value)| self.finite(&format!("rule.near_flat_ms.{metric}"), *value))?;
        if let Some(metric) = intervals.keys().find(|metric| !near_flat_ms.contains_key(*metric)) {
            let message =
                format!("`near_flat_ms` states no tolerance for {metric}, so that its interval is never read");
            return Err(self.fault("rule.intervals", message, None));
        }
        let judged = [&judged_by.warm, &judged_by.cold, &judged_by.mixed];
        let bare = judged.into_iter().find(|metric| !values_without_interval && !intervals.contains_key(*metric));
        bare.map_or(Ok(()), |metric| {
            let message =
                format!("{metric} is judged, `intervals` names no interval of it, and its value alone passes no gate");
            let hint = "name the columns of its interval in `intervals`, or set `values_without_interval = true`";
            Err(self.fault("rule.values_without_interval", message, Some(hint.to_owned())))
        })
    }

    /// A printed spread without its count, or the other way round, is no side.
    pub(super) fn sides(&self, sides: [(&str, &MeanSide); 2]) -> Result<(), Error> {
        let is_whole = |side: &MeanSide| match (&side.sd, &side.interval) {
            (None, None) => side.n.is_none(),
            (Some(_), Some(_)) => false,
            _ => side.n.is_some(),
        };
        match sides.into_iter().find(|(_, side)| !is_whole(side)) {
            Some((name, _)) => {
                let message = "`n` stands together with one of `sd` and `interval`, or none of them stands";
                Err(self.fault(&format!("rule.{name}"), message, None))
            }
            None => Ok(()),
        }
    }

    fn ladder(&self, rule: &FalsificationLadder) -> Result<(), Error> {
        let FalsificationLadder { efficiencies, hangs, preconditions, min_combinations, .. } = rule;
        self.some("rule.efficiencies.key", efficiencies.key.len())?;
        match hangs {
            Some(hangs) => self.hangs(hangs)?,
            None if rule.min_hang_shapes > 0 => {
                let hint = "name the hang shapes, or set min_hang_shapes to 0".to_owned();
                let message = format!("names no hang shapes, and the floor is {}", rule.min_hang_shapes);
                return Err(self.fault("rule", message, Some(hint)));
            }
            None => {}
        }
        for (index, Precondition { key, required, .. }) in preconditions.iter().enumerate() {
            self.some(&format!("rule.preconditions[{index}].key"), key.len())?;
            if let Some(other) = required.iter().find(|statement| statement.len() != key.len()) {
                let message = format!("{other:?} has {} values, and the key {} columns", other.len(), key.len());
                let hint = format!("give a value for each of {}", key.join(", "));
                return Err(self.fault(&format!("rule.preconditions[{index}].required"), message, Some(hint)));
            }
        }
        if *min_combinations == 0 {
            let hint = "a ladder without a combination has no mean; expected at least 1".to_owned();
            return Err(self.fault("rule.min_combinations", "0 is no floor", Some(hint)));
        }
        between(self.document, &self.at("rule.improvement_above"), rule.improvement_above, -1e6, 1e6)?;
        between(self.document, &self.at("rule.null_margin_pp"), rule.null_margin_pp, 0.0, 100.0)
    }

    /// The design of a report lists what must be told of it.
    pub(super) fn required(&self, rule: &Rule) -> Result<(), Error> {
        let Rule::FalsificationLadder(FalsificationLadder { preconditions, .. }) = rule else { return Ok(()) };
        match preconditions.iter().position(|precondition| precondition.required.is_empty()) {
            Some(index) => {
                let hint = "list the key of each statement that must be there".to_owned();
                Err(self.fault(&format!("rule.preconditions[{index}]"), "missing key `required`", Some(hint)))
            }
            None => Ok(()),
        }
    }

    fn hangs(&self, hangs: &Hangs) -> Result<(), Error> {
        self.some("rule.hangs.key", hangs.key.len())?;
        self.some("rule.hangs.resolved", hangs.resolved.len())?;
        self.some("rule.hangs.unresolved", hangs.unresolved.len())?;
        match hangs.resolved.iter().find(|word| hangs.unresolved.contains(word)) {
            Some(word) => Err(self.fault("rule.hangs.unresolved", format!("{word:?} stands for both"), None)),
            None => Ok(()),
        }
    }

    fn single_delta(&self, rule: &SingleDelta) -> Result<(), Error> {
        self.some("rule.key", rule.key.len())?;
        if !rule.axes.contains_key(&rule.intended) {
            let hint = format!("the axes: {}", rule.axes.keys().cloned().collect::<Vec<_>>().join(", "));
            return Err(self.fault("rule.intended", format!("{:?} is no axis", rule.intended), Some(hint)));
        }
        for (axis, values) in &rule.axes {
            if values.len() < 2 || values.values().any(Vec::is_empty) {
                let message = format!("the axis {axis:?} needs at least two values, each with a word for it");
                return Err(self.fault("rule.axes", message, None));
            }
        }
        Ok(())
    }

    fn licence(&self, rule: &Licence) -> Result<(), Error> {
        self.some("rule.statements", rule.statements.len())?;
        let names: BTreeSet<&str> = rule.statements.iter().map(|statement| statement.name.as_str()).collect();
        if names.len() != rule.statements.len() {
            return Err(self.fault("rule.statements", "has a name twice", None));
        }
        for (index, statement) in rule.statements.iter().enumerate() {
            let path = format!("rule.statements[{index}].needs");
            self.some(&path, statement.needs.len())?;
            for (index, need) in statement.needs.iter().enumerate() {
                self.need(&format!("{path}[{index}]"), need)?;
            }
        }
        Ok(())
    }

    fn need(&self, path: &str, need: &Need) -> Result<(), Error> {
        match need {
            Need::Finding(need) => {
                let known = || self.before.iter().map(|earlier| earlier.name.as_str());
                let Some(found) = self.before.iter().find(|earlier| earlier.name == need.hypothesis) else {
                    let hint = match nearest(&need.hypothesis, known()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("before it stand: {}", known().collect::<Vec<_>>().join(", ")),
                    };
                    let message = format!("no hypothesis {:?} stands before this one", need.hypothesis);
                    return Err(self.fault(&format!("{path}.hypothesis"), message, Some(hint)));
                };
                self.some(&format!("{path}.is"), need.is.len())?;
                let known: Vec<&str> = found.labels.iter().map(String::as_str).collect();
                self.labels(&format!("{path}.is"), &need.is, &found.kind, &known)
            }
            Need::EveryAtLeast(need) => self.finite(&format!("{path}.floor"), need.floor),
            Need::Table(_) => Ok(()),
        }
    }

    pub(super) fn some(&self, key: &str, count: usize) -> Result<(), Error> {
        if count > 0 { Ok(()) } else { Err(self.fault(key, "is empty", Some("give at least one".to_owned()))) }
    }

    fn finite(&self, key: &str, value: f64) -> Result<(), Error> {
        between(self.document, &self.at(key), value, f64::MIN, f64::MAX)
    }
}
