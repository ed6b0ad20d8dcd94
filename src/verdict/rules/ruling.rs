//! What a decision rule says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::estimate::Levels;
use crate::stats::PValue;
use crate::verdict::rounding::{round, round_p, round_pair};

/// What a rule found, and everything that the finding rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ruling {
    /// The rule's own word for what it found, for example `H2_partial`, `strong_win`, `flipped`.
    pub label: String,
    /// Whether that is a decision.
    pub standing: Standing,
    /// Why, the most important first.
    pub reasons: Vec<String>,
    /// The rows it rests on, as their source names them, for example `tr165_n2_efficiency:3`.
    pub rests_on: Vec<String>,
    /// The tests it rests on.
    pub tests: Vec<RulingTest>,
    /// The thresholds it was held against.
    pub thresholds: Vec<Threshold>,
    /// What came out for each condition, where the rule looks at several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Repetitions a side that would settle an underpowered question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_by: Option<u64>,
}

/// Whether a ruling decides anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The label is what the rows say.
    Decided,
    /// The rows could not tell; more of them might.
    Inconclusive,
    /// The rule cannot be applied to these rows, however many there were.
    Invalid,
}

/// One statistical test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RulingTest {
    /// Which test, of what.
    pub test: String,
    /// The estimate that it is about, in the unit that the name of the test states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<f64>,
    /// Confidence interval of the estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// p value as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<PValue>,
    /// p value adjusted over the plan's family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_adjusted: Option<PValue>,
}

/// A number that the rule was held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Its name in the plan.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
}

/// What came out for one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What tells this condition from others, for example `model` and `phase`.
    pub key: BTreeMap<String, String>,
    /// The rule's word for it.
    pub label: String,
    /// The numbers behind it, by name with unit, for example `delta_pp`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers: BTreeMap<String, f64>,
    /// Why, where the label does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A ruling is put together from left to right: what it says, then what it rests on. Numbers are rounded on the way in,
/// and one that is not finite is left out, because it could not be written: the reason names it.
impl Ruling {
    pub(super) fn new(label: impl Into<String>, standing: Standing) -> Self {
        Self {
            label: label.into(),
            standing,
            reasons: Vec::new(),
            rests_on: Vec::new(),
            tests: Vec::new(),
            thresholds: Vec::new(),
            parts: Vec::new(),
            settled_by: None,
        }
    }

    /// The rule's own word, as what the rows say.
    pub(super) fn decided(label: impl Into<String>) -> Self {
        Self::new(label, Standing::Decided)
    }

    /// The rows could not tell.
    pub(in crate::verdict) fn inconclusive(reason: impl Into<String>) -> Self {
        Self::new("inconclusive", Standing::Inconclusive).because(reason)
    }

    /// The same, as one of three answers.
    pub(super) fn could_not_tell(reason: impl Into<String>) -> Self {
        Self::new("could_not_tell", Standing::Inconclusive).because(reason)
    }

    /// The rule cannot be applied.
    pub(in crate::verdict) fn invalid(reason: impl Into<String>) -> Self {
        Self::new("invalid", Standing::Invalid).because(reason)
    }

    pub(super) fn because(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        self
    }

    pub(in crate::verdict) fn because_all(mut self, reasons: impl IntoIterator<Item = String>) -> Self {
        self.reasons.extend(reasons);
        self
    }

    pub(in crate::verdict) fn resting_on<'a>(mut self, rows: impl IntoIterator<Item = &'a String>) -> Self {
        self.rests_on.extend(rows.into_iter().cloned());
        self
    }

    pub(super) fn tested(mut self, tests: impl IntoIterator<Item = RulingTest>) -> Self {
        self.tests.extend(tests);
        self
    }

    pub(in crate::verdict) fn against(mut self, name: &str, value: f64, unit: &str) -> Self {
        if value.is_finite() {
            self.thresholds.push(Threshold { name: name.to_owned(), value, unit: unit.to_owned() });
        }
        self
    }

    /// Held at these levels.
    pub(super) fn at(self, levels: Levels) -> Self {
        self.against("confidence", levels.confidence.get(), "share").against("power", levels.power.get(), "share")
    }

    /// The same of a number that the plan may leave out.
    pub(in crate::verdict) fn against_some(self, name: &str, value: Option<f64>, unit: &str) -> Self {
        value.into_iter().fold(self, |ruling, value| ruling.against(name, value, unit))
    }

    pub(super) fn in_parts(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        self.parts.extend(parts);
        self
    }

    pub(in crate::verdict) fn settled_by(mut self, repetitions: Option<u64>) -> Self {
        self.settled_by = repetitions;
        self
    }
}

impl RulingTest {
    pub(in crate::verdict) fn of(test: impl Into<String>) -> Self {
        Self { test: test.into(), estimate: None, interval: None, p: None, p_adjusted: None }
    }

    pub(super) fn estimating(mut self, estimate: f64, interval: Option<[f64; 2]>) -> Self {
        self.estimate = Some(estimate).filter(|value| value.is_finite()).map(round);
        self.interval = interval.filter(|ends| ends.iter().all(|end| end.is_finite())).map(round_pair);
        self
    }

    pub(super) fn p(mut self, p: PValue, p_adjusted: Option<PValue>) -> Self {
        self.p = Some(round_p(p));
        self.p_adjusted = p_adjusted.map(round_p);
        self
    }
}

impl Part {
    pub(super) fn new(key: BTreeMap<String, String>, label: impl Into<String>) -> Self {
        Self { key, label: label.into(), numbers: BTreeMap::new(), reason: None }
    }

    /// A condition that one word tells from the others.
    pub(super) fn of(name: &str, value: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(BTreeMap::from([(name.to_owned(), value.into())]), label)
    }

    pub(super) fn number(mut self, name: &str, value: f64) -> Self {
        if value.is_finite() {
            self.numbers.insert(name.to_owned(), round(value));
        }
        self
    }

    pub(super) fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Alpha, holm};

    #[test]
    fn a_p_value_below_the_doubles_is_written_with_its_size_alone_and_adjusted() {
        let p = PValue::from_decimal_log(-400.0).expect("a p-value");
        let family = [p, PValue::new(0.5).expect("a p-value"), PValue::new(0.0).expect("a p-value")];
        let decided = holm(&family, Alpha::new(0.05).expect("a level"));
        let [test, unknown] = [decided[0], decided[2]].map(|it| RulingTest::of("a test").p(it.p, Some(it.adjusted)));
        let json = serde_json::to_string(&[&test, &unknown]).expect("JSON");
        assert_eq!(
            json,
            "[{\"test\":\"a test\",\"p\":\"1e-400\",\"p_adjusted\":\"2e-400\"},\
             {\"test\":\"a test\",\"p\":\"<2.2250738585072014e-308\",\"p_adjusted\":\"<2.2250738585072014e-308\"}]"
        );
        let read: [RulingTest; 2] = serde_json::from_str(&json).expect("it reads its own form");
        assert_eq!(read, [test, unknown]);
        // A verdict of an older lockstep is still read: of its 5e-324 no more is known than that it is below the doubles.
        let older: RulingTest = serde_json::from_str(r#"{"test": "a test", "p": 5e-324}"#).expect("it is read");
        assert_eq!(older.p, PValue::new(0.0).ok());
    }
}
