//! The rates that a hypothesis on crashes divides conditions by.

use super::{Plan, assert_faults, edit};

const PLAN: &str = include_str!("../../../plans/pattern-gpt2-25m.toml");

#[test]
fn rates_that_leave_no_condition_ok_or_crashed_are_refused_before_anything_runs() {
    let ok = |value: &str| format!("f:89: hypothesis[1].rule.ok_rate: {value} is out of range: expected 0 to below 1");
    let crash = |value: &str, least: &str| {
        format!("f:90: hypothesis[1].rule.crash_rate: {value} is out of range: expected `ok_rate`, {least}, to 1")
    };
    assert_faults(
        PLAN,
        Plan::parse,
        &[
            ("ok_rate = 0.0", "ok_rate = -0.1", &ok("-0.1")),
            ("ok_rate = 0.0", "ok_rate = nan", &ok("NaN")),
            ("ok_rate = 0.0", "ok_rate = 1.0", &ok("1")),
            ("ok_rate = 0.0", "ok_rate = 0.6", &crash("0.5", "0.6")),
            ("crash_rate = 0.5", "crash_rate = 1.5", &crash("1.5", "0")),
        ],
    );
    assert!(Plan::parse("f", &edit(PLAN, "ok_rate = 0.0", "ok_rate = 0.5")).is_ok(), "one cut");
}
