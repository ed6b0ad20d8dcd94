//! The rates that a hypothesis on crashes divides conditions by.

use super::{Plan, assert_faults, edit};

const PLAN: &str = include_str!("../../../plans/pattern-gpt2-25m.toml");

#[test]
fn rates_that_leave_no_condition_ok_or_crashed_are_refused_before_anything_runs() {
    let told = |line, key: &str, value: &str, least: &str| {
        format!(
            "f:{line}: hypothesis[1].rule.{key}: {value} is out of range: expected {least} to 1, as a side is ok up to `ok_rate`"
        )
    };
    assert_faults(
        PLAN,
        Plan::parse,
        &[
            ("ok_rate = 0.0", "ok_rate = -0.1", &told(89, "ok_rate", "-0.1", "0")),
            ("ok_rate = 0.0", "ok_rate = nan", &told(89, "ok_rate", "NaN", "0")),
            ("ok_rate = 0.0", "ok_rate = 0.6", &told(90, "crash_rate", "0.5", "0.6")),
            ("crash_rate = 0.5", "crash_rate = 1.5", &told(90, "crash_rate", "1.5", "0")),
        ],
    );
    assert!(Plan::parse("f", &edit(PLAN, "ok_rate = 0.0", "ok_rate = 0.5")).is_ok(), "one cut");
}
