//! From a hypothesis as it stands in a plan file to one whose names and parameters hold.

use std::collections::BTreeSet;

use super::check_measured::check_measured;
use super::check_plan::{between, name, unique};
use super::check_rule::{Earlier, RulePlace};
use super::check_unit::check_unit;
use super::columns::{self, Columns};
use super::document::Document;
use super::measured_columns::measured_columns;
use super::raw_plan::{RawHypothesis, RawKind};
use super::{Contrast, Error, Hypothesis, HypothesisKind, PlannedLane, Rule, Workload};
use crate::terms::{Phase, Scalar, nearest};

/// The tables that a run gives: its rows, what its lanes are, and what its plan states of others.
pub(super) const MEASURED_TABLES: [&str; 9] = [
    "agent_hangs",
    "agent_samples",
    "agent_scaling",
    "cells",
    "lane_axes",
    "lane_stacks",
    "launches",
    "positions",
    "stated",
];

pub(super) fn check_hypotheses(
    document: &Document<'_>,
    raw: Vec<RawHypothesis>,
    lanes: &[PlannedLane],
    workloads: &[Workload],
) -> Result<Vec<Hypothesis>, Error> {
    unique(document, "hypothesis", raw.iter().map(|hypothesis| hypothesis.name.as_str()))?;
    let controls: Vec<String> =
        raw.iter().filter(|h| h.negative_control == Some(true)).map(|h| h.name.clone()).collect();
    let columns = measured_columns(lanes, workloads);
    let scope = Scope { document, lanes, workloads, controls, columns };
    let mut checked = Vec::with_capacity(raw.len());
    let mut before = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let hypothesis = scope.hypothesis(index, raw, &before)?;
        before.push(Earlier::of(&hypothesis.name, hypothesis.kind.name(), &hypothesis.kind.labels()));
        checked.push(hypothesis);
    }
    Ok(checked)
}

/// What a hypothesis may name.
struct Scope<'a> {
    document: &'a Document<'a>,
    lanes: &'a [PlannedLane],
    workloads: &'a [Workload],
    controls: Vec<String>,
    columns: Columns,
}

impl Scope<'_> {
    fn hypothesis(&self, index: usize, raw: RawHypothesis, before: &[Earlier]) -> Result<Hypothesis, Error> {
        let at = |key: &str| format!("hypothesis[{index}].{key}");
        name(self.document, &at("name"), &raw.name)?;
        let kind = match (raw.kind, &raw.rule) {
            (Some(RawKind::TokensIdentical), None) => self.tokens_identical(&at, &raw)?,
            (Some(RawKind::Contrast), None) => HypothesisKind::Contrast(self.contrast(&at, &raw)?),
            (Some(RawKind::PhaseSeparation), None) => HypothesisKind::PhaseSeparation(self.contrast(&at, &raw)?),
            (None, Some(rule)) => {
                let place = RulePlace { document: self.document, path: format!("hypothesis[{index}]"), before };
                place.rule(rule)?;
                columns::check_tables(
                    self.document,
                    index,
                    rule,
                    &MEASURED_TABLES,
                    "the rows of a run give the tables",
                )?;
                let kind = self.ruled(&at, &raw, rule)?;
                columns::check(self.document, index, rule, &self.columns)?;
                check_unit(self.document, index, rule)?;
                check_measured(self.document, index, rule)?;
                kind
            }
            (Some(_), Some(_)) => {
                let hint = "leave out `kind`: the rule states its own".to_owned();
                return Err(self.document.fault(&at("kind"), "stands beside a rule", Some(hint)));
            }
            (None, None) => {
                let hint = "give one, or a rule in [hypothesis.rule]".to_owned();
                return Err(self.document.fault(&format!("hypothesis[{index}]"), "missing key `kind`", Some(hint)));
            }
        };
        let expect = raw.expect.unwrap_or_default();
        let place = RulePlace { document: self.document, path: format!("hypothesis[{index}]"), before };
        place.labels("expect", &expect, kind.name(), &kind.expectable())?;
        Ok(Hypothesis { name: raw.name, claim: raw.claim, kind, expect })
    }

    /// A rule over the tables that the rows give.
    fn ruled(&self, at: &dyn Fn(&str) -> String, raw: &RawHypothesis, rule: &Rule) -> Result<HypothesisKind, Error> {
        for (key, given) in [
            ("lanes", raw.lanes.is_some()),
            ("baseline", raw.baseline.is_some()),
            ("candidate", raw.candidate.is_some()),
            ("phases", raw.phases.is_some()),
            ("margin_pct", raw.margin_pct.is_some()),
            ("negative_control", raw.negative_control.is_some()),
        ] {
            if given {
                let hint = "the rule chooses rows by `where` and states its own thresholds".to_owned();
                return Err(self.document.fault(&at(key), "has no meaning beside a rule", Some(hint)));
            }
        }
        for chosen in rule.selections() {
            for lane in chosen.only.get("lane").into_iter().flatten().filter_map(Scalar::text) {
                self.lane(&at("rule"), lane)?;
            }
        }
        let controls = self.controls(at, raw)?;
        Ok(HypothesisKind::Ruled { rule: Box::new(rule.clone()), controls })
    }

    /// The negative controls that the hypothesis leans on.
    fn controls(&self, at: &dyn Fn(&str) -> String, raw: &RawHypothesis) -> Result<Vec<String>, Error> {
        let controls = raw.controls.clone().unwrap_or_default();
        for control in &controls {
            if *control == raw.name || !self.controls.contains(control) {
                let hint = match nearest(control, self.controls.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "a control is another hypothesis with `negative_control = true`".to_owned(),
                };
                return Err(self.document.fault(
                    &at("controls"),
                    format!("{control:?} is no negative control"),
                    Some(hint),
                ));
            }
        }
        Ok(controls)
    }

    fn tokens_identical(&self, at: &dyn Fn(&str) -> String, raw: &RawHypothesis) -> Result<HypothesisKind, Error> {
        for (key, given) in [
            ("baseline", raw.baseline.is_some()),
            ("candidate", raw.candidate.is_some()),
            ("phases", raw.phases.is_some()),
            ("margin_pct", raw.margin_pct.is_some()),
            ("negative_control", raw.negative_control.is_some()),
            ("controls", raw.controls.is_some()),
        ] {
            if given {
                return Err(self.document.fault(&at(key), "has no meaning for kind `tokens_identical`", None));
            }
        }
        let lanes = raw.lanes.clone().unwrap_or_else(|| self.lanes.iter().map(|lane| lane.name.clone()).collect());
        for lane in &lanes {
            self.lane(&at("lanes"), lane)?;
        }
        if lanes.iter().collect::<BTreeSet<_>>().len() != lanes.len() || lanes.len() < 2 {
            return Err(self.document.fault(&at("lanes"), "needs at least two lanes, none twice", None));
        }
        Ok(HypothesisKind::TokensIdentical { lanes })
    }

    fn contrast(&self, at: &dyn Fn(&str) -> String, raw: &RawHypothesis) -> Result<Contrast, Error> {
        if raw.lanes.is_some() {
            let hint = "name `baseline` and `candidate`".to_owned();
            return Err(self.document.fault(&at("lanes"), "has no meaning for this kind", Some(hint)));
        }
        let side = |key: &str, value: &Option<String>| -> Result<String, Error> {
            let lane =
                value.clone().ok_or_else(|| self.document.fault(&at("name"), format!("missing key `{key}`"), None))?;
            self.lane(&at(key), &lane)?;
            Ok(lane)
        };
        let (baseline, candidate) = (side("baseline", &raw.baseline)?, side("candidate", &raw.candidate)?);
        if baseline == candidate {
            let hint = "an A/A contrast takes a second lane of the same stack".to_owned();
            return Err(self.document.fault(&at("candidate"), "is the baseline itself", Some(hint)));
        }
        let margin_pct = raw.margin_pct.unwrap_or(3.0);
        between(self.document, &at("margin_pct"), margin_pct, 0.0, 100.0)?;
        let phases = self.phases(at, raw)?;
        let controls = self.controls(at, raw)?;
        let negative_control = raw.negative_control.unwrap_or(false);
        Ok(Contrast { baseline, candidate, phases, margin_pct, negative_control, controls })
    }

    fn phases(&self, at: &dyn Fn(&str) -> String, raw: &RawHypothesis) -> Result<Vec<Phase>, Error> {
        let planned: BTreeSet<Phase> = self.workloads.iter().flat_map(|w| w.phases.iter().copied()).collect();
        let phases = match &raw.phases {
            Some(phases) => phases.clone(),
            None => planned.iter().copied().collect(),
        };
        if let Some(phase) = phases.iter().find(|phase| !planned.contains(phase)) {
            return Err(self.document.fault(&at("phases"), format!("no workload has the phase `{phase}`"), None));
        }
        let distinct = phases.iter().collect::<BTreeSet<_>>().len();
        if distinct != phases.len() || distinct == 0 {
            return Err(self.document.fault(&at("phases"), "needs at least one phase, none twice", None));
        }
        if raw.kind == Some(RawKind::PhaseSeparation) && distinct < 2 {
            return Err(self.document.fault(&at("name"), "a phase separation needs at least two phases", None));
        }
        Ok(phases)
    }

    fn lane(&self, path: &str, name: &str) -> Result<(), Error> {
        if self.lanes.iter().any(|lane| lane.name == name) {
            return Ok(());
        }
        let known = || self.lanes.iter().map(|lane| lane.name.as_str());
        let hint = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("lanes of this plan: {}", known().collect::<Vec<_>>().join(", ")),
        };
        Err(self.document.fault(path, format!("{name:?} is no lane of this plan"), Some(hint)))
    }
}
