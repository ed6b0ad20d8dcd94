//! What rows of the parity backend tell of their logits, for the tables that rules read.

use std::collections::BTreeMap;

use crate::terms::SignalValue;

type Evidence = BTreeMap<String, SignalValue>;

/// The statistics of each position, as the evidence names them.
pub(super) const STATISTICS: [&str; 4] = ["mean", "std", "min", "max"];

/// Logits of one repetition, told in short.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logits {
    /// For each position of the output, in the order of [`STATISTICS`].
    pub positions: Vec<[f64; 4]>,
    /// How they lie to those of the same model in 32 bits, where passes went over that model's tokens.
    pub teacher: Option<Teacher>,
}

/// How many positions leave no doubt which token they give, and at how many of these both gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Teacher {
    pub positions: u64,
    pub decisive: u64,
    pub agreeing: u64,
    /// Root mean square of the differences of all logits.
    pub rms_error: f64,
}

impl Logits {
    /// What the evidence of a row tells, if it tells anything whole.
    pub(super) fn of(evidence: &Evidence) -> Option<Box<Self>> {
        // Hardly any row does, and every row is asked.
        evidence.get("logits.mean")?;
        let lists = STATISTICS.map(|name| list(evidence, &format!("logits.{name}")));
        let count = lists[0].as_ref()?.len();
        let mut positions = vec![[0.0; 4]; count];
        for (statistic, list) in lists.into_iter().enumerate() {
            let list = list.filter(|list| list.len() == count)?;
            for (position, value) in positions.iter_mut().zip(list) {
                position[statistic] = value;
            }
        }
        Some(Box::new(Self { positions, teacher: teacher(evidence) }))
    }
}

fn teacher(evidence: &Evidence) -> Option<Teacher> {
    let count = |name: &str| match evidence.get(name)? {
        SignalValue::Int(value) => u64::try_from(*value).ok(),
        _ => None,
    };
    let rms_error = match evidence.get("teacher.rms_error")? {
        SignalValue::Float(value) => *value,
        SignalValue::Int(value) => *value as f64,
        _ => return None,
    };
    Some(Teacher {
        positions: count("teacher.positions")?,
        decisive: count("teacher.decisive")?,
        agreeing: count("teacher.agreeing")?,
        rms_error,
    })
}

/// Finite numbers, written as texts.
fn list(evidence: &Evidence, name: &str) -> Option<Vec<f64>> {
    let SignalValue::List(texts) = evidence.get(name)? else { return None };
    texts.iter().map(|text| text.parse().ok().filter(|value: &f64| value.is_finite())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(lists: &[(&str, &[&str])], others: &[(&str, SignalValue)]) -> Evidence {
        let lists = lists.iter().map(|(name, texts)| {
            (format!("logits.{name}"), SignalValue::List(texts.iter().map(|text| (*text).to_owned()).collect()))
        });
        lists.chain(others.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))).collect()
    }

    const WHOLE: [(&str, &[&str]); 4] =
        [("mean", &["0.5", "1e-3"]), ("std", &["2", "3"]), ("min", &["-4", "-5"]), ("max", &["6", "7"])];

    #[test]
    fn positions_are_read_in_order() {
        let logits = Logits::of(&evidence(&WHOLE, &[])).unwrap();
        assert_eq!(logits.positions, [[0.5, 2.0, -4.0, 6.0], [1e-3, 3.0, -5.0, 7.0]]);
        assert_eq!(logits.teacher, None);
    }

    #[test]
    fn what_is_not_whole_is_not_told() {
        for spoilt in [&["6"][..], &["6", "NaN"], &["6", "x"]] {
            let mut lists = WHOLE;
            lists[3].1 = spoilt;
            assert_eq!(Logits::of(&evidence(&lists, &[])), None, "{spoilt:?}");
        }
        assert_eq!(Logits::of(&evidence(&WHOLE[..3], &[])), None);
        assert_eq!(Logits::of(&Evidence::new()), None);
    }

    #[test]
    fn a_teacher_is_told_with_all_its_numbers() {
        let numbers = [
            ("teacher.positions", SignalValue::Int(33)),
            ("teacher.decisive", SignalValue::Int(30)),
            ("teacher.agreeing", SignalValue::Int(30)),
            ("teacher.rms_error", SignalValue::Float(0.25)),
        ];
        let found = Logits::of(&evidence(&WHOLE, &numbers)).unwrap().teacher;
        assert_eq!(found, Some(Teacher { positions: 33, decisive: 30, agreeing: 30, rms_error: 0.25 }));
        assert_eq!(Logits::of(&evidence(&WHOLE, &numbers[..3])).unwrap().teacher, None);
    }
}
