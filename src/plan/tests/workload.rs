//! What a workload may ask for.

use super::{PLAN, assert_faults, edit, plan};
use crate::plan::Plan;

#[test]
fn a_generated_prompt_without_a_seed_is_refused() {
    let told = "f:33: workload[0].prompt_tokens: stands without a seed; give `prompt_seed`, so that every lane and host draws \
                the same ids";
    assert_faults(PLAN, Plan::parse, &[("prompt_seed = 11\n", "", told)]);
}

#[test]
fn only_work_that_nothing_compiles_has_to_be_steady() {
    let none = "f:36: workload[0].steady_within_pct: the workload has no eager cell to hold against itself; give it \
                `compile_mode = [\"eager\"]` among its axes, or leave the key out";
    let asking =
        |modes: &str| format!("new_tokens = 8\nsteady_within_pct = 5.0\naxes = {{ compile_mode = [{modes}] }}");
    let range = "f:36: workload[0].steady_within_pct: 0 is out of range: expected above 0 and below 100";
    assert_faults(
        PLAN,
        Plan::parse,
        &[
            ("new_tokens = 8", "new_tokens = 8\nsteady_within_pct = 5.0", none),
            ("new_tokens = 8", &asking("\"default\", \"reduce-overhead\""), none),
            ("new_tokens = 8", &asking("\"eager\"").replace("5.0", "0.0"), range),
        ],
    );
    let with = Plan::parse("f", &edit(PLAN, "new_tokens = 8", &asking("\"eager\", \"default\""))).unwrap();
    assert_eq!(with.workloads[0].steady_within_pct, Some(5.0));
    let without = Plan::parse(
        "f",
        &edit(PLAN, "new_tokens = 8", "new_tokens = 8\naxes = { compile_mode = [\"eager\", \"default\"] }"),
    );
    assert_ne!(with.digest(), without.unwrap().digest(), "a margin is part of what was registered");
    assert_eq!(plan().workloads[0].steady_within_pct, None);
}
