//! Signals against gates: they hold or they do not. Pure.

use std::cmp::Ordering;

use crate::plan::{Gate, GateTest};
use crate::terms::{Contradiction, Observer, Signal, SignalValue, Stage, compare_versions};

/// Gates of `stage` that do not hold over `signals`.
pub(super) fn gate_contradictions(gates: &[Gate], stage: Stage, signals: &[Signal]) -> Vec<Contradiction> {
    gates
        .iter()
        .filter(|gate| gate.stage == stage)
        .filter_map(|gate| {
            let seen = witness(signals, &gate.signal);
            let message = match seen {
                None => format!("gate wants {}, and nothing of that name was seen", wanted(&gate.test)),
                Some(value) if holds(&gate.test, value) => return None,
                Some(value) => format!("gate wants {}, seen {value}", wanted(&gate.test)),
            };
            Some(Contradiction { name: format!("signal {}", gate.signal), message })
        })
        .collect()
}

/// The signal's value, from outside where there is one.
fn witness<'a>(signals: &'a [Signal], name: &str) -> Option<&'a SignalValue> {
    let by = |observer| signals.iter().find(|s| s.observer == observer && s.name == name).map(|s| &s.value);
    by(Observer::Supervisor).or_else(|| by(Observer::Runner))
}

fn wanted(test: &GateTest) -> String {
    match test {
        GateTest::Equals(value) => value.to_string(),
        GateTest::OneOf(values) => format!("one of [{}]", values.join(", ")),
        GateTest::AtLeast(least) => format!("at least {least}"),
        GateTest::AtMost(most) => format!("at most {most}"),
        GateTest::MinimumVersion(version) => format!("version {version} or newer"),
        GateTest::BelowVersion(version) => format!("a version before {version}"),
    }
}

fn holds(test: &GateTest, value: &SignalValue) -> bool {
    match test {
        GateTest::Equals(want) => match (want, value) {
            (SignalValue::Int(a), SignalValue::Float(b)) | (SignalValue::Float(b), SignalValue::Int(a)) => {
                *a as f64 == *b
            }
            _ => want == value,
        },
        GateTest::OneOf(values) => values.contains(&value.to_string()),
        GateTest::AtLeast(least) => number(value).is_some_and(|v| v >= *least),
        GateTest::AtMost(most) => number(value).is_some_and(|v| v <= *most),
        GateTest::MinimumVersion(least) => compare_versions(&value.to_string(), least).is_some_and(Ordering::is_ge),
        GateTest::BelowVersion(limit) => compare_versions(&value.to_string(), limit).is_some_and(Ordering::is_lt),
    }
}

fn number(value: &SignalValue) -> Option<f64> {
    match value {
        SignalValue::Int(value) => Some(*value as f64),
        SignalValue::Float(value) => Some(*value),
        SignalValue::Text(text) => text.parse().ok(),
        SignalValue::Bool(_) | SignalValue::List(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(signal: &str, test: GateTest) -> Gate {
        Gate { stage: Stage::AfterImports, signal: signal.to_owned(), test }
    }

    #[test]
    fn what_the_supervisor_saw_overrules_the_runners_word() {
        let signals = [Signal::inside("python.gil_enabled", false), Signal::outside("python.gil_enabled", true)];
        let gates = [gate("python.gil_enabled", GateTest::Equals(SignalValue::Bool(false)))];
        let found = gate_contradictions(&gates, Stage::AfterImports, &signals);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("seen true"), "{found:?}");
    }

    #[test]
    fn a_gate_on_a_signal_nobody_saw_does_not_hold() {
        let gates = [gate("torch.version", GateTest::Equals("2.11.0".into()))];
        assert_eq!(gate_contradictions(&gates, Stage::AfterImports, &[]).len(), 1);
        assert!(gate_contradictions(&gates, Stage::AtExit, &[]).is_empty(), "another stage's gate was judged");
    }

    #[test]
    fn versions_compare_as_numbers() {
        for (seen, least, good) in
            [("3.11.7", "3.9", true), ("3.9", "3.11", false), ("3.14.0rc1+x", "3.14", true), ("three", "3", false)]
        {
            assert_eq!(holds(&GateTest::MinimumVersion(least.into()), &seen.into()), good, "{seen} against {least}");
        }
        // A build of NVIDIA's names its commit and its image behind the version.
        for (seen, limit, good) in [
            ("2.10.0a0+a36e1d39eb.nv26.01.42222806", "2.11", true),
            ("2.11.0a0+a36e1d39eb.nv26.02", "2.11", false),
            ("2.9.1", "2.11", true),
            ("3.0", "2.11", false),
            ("three", "4", false),
        ] {
            assert_eq!(holds(&GateTest::BelowVersion(limit.into()), &seen.into()), good, "{seen} before {limit}");
        }
    }
}
