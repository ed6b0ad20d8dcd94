//! What must hold of the parameters of the rules in `reported`.

use super::check_plan::between;
use super::check_rule::RulePlace;
use super::{BenchmarkIdentity, Column, EffectSizes, Error, Rule};
use crate::terms::nearest;

impl RulePlace<'_> {
    pub(super) fn reported(&self, rule: &Rule) -> Result<(), Error> {
        match rule {
            Rule::EffectSize(rule) => self.effect_size(rule),
            Rule::MultipleComparisons(rule) => {
                self.some("rule.key", rule.key.len())?;
                self.some("rule.family", usize::try_from(rule.family).unwrap_or(usize::MAX))
            }
            Rule::BenchmarkIdentity(rule) => self.identity(rule),
            _ => Ok(()),
        }
    }

    fn effect_size(&self, rule: &EffectSizes) -> Result<(), Error> {
        match (&rule.baseline, &rule.candidate, &rule.printed) {
            (Some(baseline), Some(candidate), None) => {
                self.sides([("baseline", baseline), ("candidate", candidate)])?;
            }
            (None, None, Some(_)) => {}
            _ => return Err(self.fault("rule", "expected `baseline` and `candidate`, or `printed` alone", None)),
        }
        let edge = |key: &str, value: f64, above: f64, below: f64| {
            between(self.document, &self.at(&format!("rule.{key}")), value, above, below)
        };
        edge("power", rule.power, 0.5, 1.0)?;
        edge("small", rule.small, 0.0, f64::MAX)?;
        edge("medium", rule.medium, rule.small, f64::MAX)?;
        edge("large", rule.large, rule.medium, f64::MAX)
    }

    fn identity(&self, rule: &BenchmarkIdentity) -> Result<(), Error> {
        let BenchmarkIdentity { axes, sides } = rule;
        self.some("rule.axes", axes.len())?;
        match &sides[..] {
            [one, other] if one.name != other.name => {}
            [_, other] => {
                return Err(self.fault("rule.sides", format!("both sides are called {:?}", other.name), None));
            }
            sides => return Err(self.fault("rule.sides", format!("{} sides: expected two", sides.len()), None)),
        }
        for (at, side) in sides.iter().enumerate() {
            self.some(&format!("rule.sides[{at}].stated"), side.stated.len())?;
            let chosen = side.stated.iter().find(|(_, column)| column.only.contains_key(&column.column));
            if let Some((axis, Column { column, .. })) = chosen {
                let message = format!("its rows are chosen by {column:?}, so that it cannot state anything else");
                let hint = "choose the rows by a column that does not state the axis".to_owned();
                return Err(self.fault(&format!("rule.sides[{at}].stated.{axis}"), message, Some(hint)));
            }
            let Some(unknown) = side.stated.keys().find(|axis| !axes.contains(*axis)) else { continue };
            let hint = match nearest(unknown, axes.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the axes: {}", axes.iter().cloned().collect::<Vec<_>>().join(", ")),
            };
            let message = format!("{unknown:?} is none of the rule's axes");
            return Err(self.fault(&format!("rule.sides[{at}].stated"), message, Some(hint)));
        }
        Ok(())
    }
}
