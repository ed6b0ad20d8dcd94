//! Eager arms, and the hypotheses that lean on them: an ablation is worth what its controls show.

use super::*;
use crate::terms::{Axes, SignalValue};
use crate::verdict::rules::Standing;
use crate::verdict::undecided_without_control;

const PLAN: &str = r#"
schema = 1
name = "ablation"
seed = 1

[model]
name = "m"
sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
vocab_size = 100

[run]
launches = 6
repetitions = 1
warmup = 0

[[workload]]
name = "eager"
prompt = [1, 2, 3]
new_tokens = 4
phases = ["e2e_kv"]
axes = { compile_mode = ["eager"] }

[[workload]]
name = "asked"
prompt = [1, 2, 3]
new_tokens = 4
phases = ["kv_decode"]
axes = { compile_mode = ["none"] }

[[lane]]
name = "base"
[[lane]]
name = "same"
[[lane]]
name = "other"

[[hypothesis]]
name = "eager-same"
kind = "contrast"
baseline = "base"
candidate = "same"
phases = ["e2e_kv"]
negative_control = true

[[hypothesis]]
name = "gain"
kind = "contrast"
baseline = "base"
candidate = "other"
phases = ["kv_decode"]
controls = ["eager-same"]

[[hypothesis]]
name = "band"
controls = ["eager-same"]
[hypothesis.rule]
kind = "effect_band"
phase = "kv_decode"
baseline = { rows = { table = "launches", where = { lane = ["base"], phase = ["kv_decode"] } }, mean = "ms" }
candidate = { rows = { table = "launches", where = { lane = ["other"], phase = ["kv_decode"] } }, mean = "ms" }
neutral_pct = 3.0
strong_pct = 40.0
power = 0.8

[[hypothesis]]
name = "crashes"
controls = ["eager-same"]
[hypothesis.rule]
kind = "portability"
sides = [
    { host = "base", rows = { table = "cells", where = { lane = ["base"], phase = ["kv_decode"] } } },
    { host = "other", rows = { table = "cells", where = { lane = ["other"], phase = ["kv_decode"] } } },
]
key = ["workload"]
crashes = "failed"
n = "attempts"
mean = "mean_ms"
ok_rate = 0.6
crash_rate = 0.7
similar_pct = 5.0
"#;

fn parsed(plan: &str) -> Plan {
    Plan::parse("ablation.toml", plan).unwrap()
}

fn judged(plan: &str, ms: fn(&str, usize, u32) -> f64) -> Verdict {
    let plan = parsed(plan);
    let cells: BTreeMap<_, _> = plan.cells().unwrap().into_iter().map(|cell| (cell.id(), cell)).collect();
    let fixture = Fixture { ms, tokens: |_, _| vec![7; 4], ..Fixture::default() };
    let mut records = fixture.journal_of(&plan, std::slice::from_ref(&(0..6))).records;
    for record in &mut records {
        let Record::Row(row) = record else { continue };
        if let Some(mode) = cells[&row.cell].axes.get("compile_mode") {
            row.evidence.insert("compile_mode".to_owned(), mode.as_str().into());
        }
    }
    judge(&plan, &journal::read(&journal::encode(&records).unwrap()).unwrap()).unwrap()
}

fn results(verdict: &Verdict) -> Vec<&str> {
    verdict.hypotheses.iter().map(HypothesisVerdict::result).collect()
}

/// Eager work of `same` whose launches differ by as much as a tenth.
fn restless(lane: &str, cell: usize, block: u32) -> f64 {
    let stretched = if (lane, cell) == ("same", 0) { [1.0, 1.1, 0.95, 1.05, 0.9, 1.0][block as usize] } else { 1.0 };
    stretched * quiet(lane, cell, block)
}

/// Eager work of every lane that takes half as long again from the middle of the run on.
fn drifting(lane: &str, cell: usize, block: u32) -> f64 {
    quiet(lane, cell, block) * if cell == 0 && block >= 3 { 1.5 } else { 1.0 }
}

#[test]
fn eager_arms_that_are_equivalent_across_lanes_and_blocks_leave_the_rest_as_it_is() {
    let verdict = judged(PLAN, quiet);
    assert_eq!(results(&verdict), ["equivalent", "faster", "strong_win", "same_outcome"]);
    let [control] = &verdict.block_controls[..] else { panic!("{:?}", verdict.block_controls) };
    assert_eq!((control.finding, control.launches, control.margin_pct), (Finding::Equivalent, [6, 6], 3.0));
    assert_eq!(control.lanes, ["base", "same"], "those that the control across lanes compares");
    assert_eq!(control.cell, verdict.hypotheses[0].cells[0].cell);
}

#[test]
fn eager_arms_that_could_not_be_told_leave_times_undecided_and_outcomes_as_they_are() {
    let verdict = judged(PLAN, restless);
    assert_eq!(results(&verdict), ["could_not_tell", "could_not_tell", "inconclusive", "same_outcome"]);
    let [_, gain, band, crashes] = &verdict.hypotheses[..] else { panic!("four hypotheses") };
    let told = "nothing is decided on times, since negative controls are not shown to be equivalent: \
                eager-same (could not tell)";
    assert_eq!(gain.reasons[0], told);
    assert_eq!(band.reasons[0], format!("{told}; without that it would be strong win"));
    let ruling = band.ruling.as_ref().unwrap();
    assert_eq!((ruling.standing, ruling.label.as_str()), (Standing::Inconclusive, "inconclusive"));
    assert_eq!(crashes.reasons.last().map(String::as_str), Some(told), "its means decide nothing");
    // A lane against itself that fixes no compile mode guards by what it shows.
    let other = PLAN.replace("compile_mode = [\"eager\"]", "batch = [\"1\"]");
    let verdict = judged(&other.replace("axes = { batch = [\"1\"] }\n", ""), restless);
    assert_eq!(results(&verdict), ["could_not_tell", "faster", "strong_win", "same_outcome"]);
    assert_eq!(verdict.block_controls, []);
}

#[test]
fn eager_arms_that_change_over_the_run_void_what_speaks_of_times() {
    let verdict = judged(PLAN, drifting);
    assert_eq!(verdict.block_controls[0].finding, Finding::Slower, "{:?}", verdict.block_controls);
    let [_, gain, band, crashes] = &verdict.hypotheses[..] else { panic!("four hypotheses") };
    assert_eq!((gain.finding, band.ruling.as_ref().unwrap().standing), (Finding::Void, Standing::Invalid));
    for hypothesis in [gain, band] {
        assert!(hypothesis.reasons[0].contains(", later blocks against earlier ones: slower, "), "{hypothesis:?}");
    }
    assert_eq!(crashes.result(), "same_outcome");
    // The plan names no control across lanes for this one, and it rests on eager work all the same.
    let alone = PLAN.replace("controls = [\"eager-same\"]\n[hypothesis.rule]", "[hypothesis.rule]");
    assert_eq!(judged(&alone, drifting).hypotheses[2].result(), "invalid");
}

/// The plan without its control across lanes; its eager workload is held against itself over the blocks within a margin.
fn of_blocks_alone() -> String {
    let (before, control) = PLAN.split_once("[[hypothesis]]\nname = \"eager-same\"").unwrap();
    let (_, after) = control.split_once("[[hypothesis]]").unwrap();
    let eager = "axes = { compile_mode = [\"eager\"] }\n";
    let steady = before.replace(eager, &format!("{eager}steady_within_pct = 4.0\n"));
    format!("{steady}[[hypothesis]]{}", after.replace("controls = [\"eager-same\"]\n", ""))
}

#[test]
fn a_workload_that_has_to_be_steady_guards_a_plan_without_a_control_across_lanes() {
    let plan = of_blocks_alone();
    let verdict = judged(&plan, quiet);
    assert_eq!(results(&verdict), ["faster", "strong_win", "same_outcome"]);
    let [control] = &verdict.block_controls[..] else { panic!("{:?}", verdict.block_controls) };
    assert_eq!((control.finding, control.launches, control.margin_pct), (Finding::Equivalent, [9, 9], 4.0));
    assert_eq!(control.lanes, ["base", "same", "other"], "every lane's own");
    let verdict = judged(&plan, drifting);
    assert_eq!(results(&verdict), ["void", "invalid", "same_outcome"]);
    let verdict = judged(&plan.replace("4.0", "0.01"), restless);
    assert_eq!(results(&verdict), ["could_not_tell", "inconclusive", "same_outcome"]);
    let reason = &verdict.hypotheses[0].reasons[0];
    assert!(reason.starts_with("nothing is decided on times: eager work of "), "{reason}");
}

#[test]
fn a_plan_of_eager_arms_without_any_control_decides_nothing_on_times() {
    let without = of_blocks_alone().replace("steady_within_pct = 4.0\n", "");
    let verdict = judged(&without, quiet);
    assert_eq!(results(&verdict), ["could_not_tell", "inconclusive", "same_outcome"], "outcomes need none");
    let [gain, band, crashes] = &verdict.hypotheses[..] else { panic!("three hypotheses") };
    let told = "nothing is decided on times, since no negative control stands beside them: ";
    assert!(gain.reasons[0].starts_with(told), "{gain:?}");
    assert!(band.reasons[0].starts_with(told), "{band:?}");
    assert!(band.reasons[0].ends_with("; without that it would be strong win"), "{band:?}");
    assert_eq!(band.ruling.as_ref().unwrap().standing, Standing::Inconclusive);
    assert!(crashes.reasons.last().unwrap().starts_with(told), "its means decide nothing: {crashes:?}");
    assert_eq!(undecided_without_control(&parsed(&without), &[]), ["gain", "band"]);
    let without_arms = without.replace("compile_mode = [\"eager\"]", "compile_mode = [\"none\"]");
    for (text, expected) in [
        (of_blocks_alone(), ["faster", "strong_win", "same_outcome"]),
        (without_arms, ["faster", "strong_win", "same_outcome"]),
    ] {
        assert_eq!(results(&judged(&text, quiet)), expected);
        assert!(undecided_without_control(&parsed(&text), &[]).is_empty());
    }
    assert!(undecided_without_control(&parsed(PLAN), &[]).is_empty());
}

/// What a repetition in the mode `aot_eager` shows that was compiled.
fn proof() -> [(String, SignalValue); 12] {
    let none = || SignalValue::List(Vec::new());
    let shown = [
        ("compile_mode", "aot_eager".into()),
        ("compile.backend", "aot_eager".into()),
        ("compile.mode", "aot_eager".into()),
        ("compile.dynamo_disabled", false.into()),
        ("compile.graphs", 1.into()),
        ("compile.graph_breaks", 0.into()),
        ("compile.recompile_limit_hits", 0.into()),
        ("compile.settled", true.into()),
        ("compile.skipped_frames", none()),
        ("compile.suppressed_errors", none()),
        ("profile.passes", 4.into()),
        ("profile.region_calls", 4.into()),
    ];
    shown.map(|(name, value): (&str, SignalValue)| (name.to_owned(), value))
}

/// The verdict where these lanes declare these modes, and those of `aot_eager` show that they are.
fn judged_where_lanes_declare(plan: &str, modes: [&str; 3]) -> Verdict {
    let plan = parsed(plan);
    let fixture = Fixture { ms: quiet, tokens: |_, _| vec![7; 4], ..Fixture::default() };
    let mut records = fixture.journal_of(&plan, std::slice::from_ref(&(0..6))).records;
    for record in &mut records {
        match record {
            Record::Header(header) => {
                for (lane, mode) in header.lanes.iter_mut().zip(modes) {
                    lane.declared.insert("compile_mode".to_owned(), mode.to_owned());
                }
            }
            Record::Row(row) if row.lane == "other" => row.evidence.extend(proof()),
            _ => {}
        }
    }
    judge(&plan, &journal::read(&journal::encode(&records).unwrap()).unwrap()).unwrap()
}

#[test]
fn lanes_that_declare_the_modes_need_a_control_as_cells_do_that_fix_them() {
    let fixed_by_none = PLAN.replace("axes = { compile_mode = [\"eager\"] }\n", "");
    let fixed_by_none = fixed_by_none.replace("axes = { compile_mode = [\"none\"] }\n", "");
    let (before, control) = fixed_by_none.split_once("[[hypothesis]]\nname = \"eager-same\"").unwrap();
    let (_, after) = control.split_once("[[hypothesis]]").unwrap();
    let without = format!("{before}[[hypothesis]]{}", after.replace("controls = [\"eager-same\"]\n", ""));
    let modes = ["eager", "eager", "aot_eager"];
    assert_eq!(
        results(&judged_where_lanes_declare(&without, modes)),
        ["could_not_tell", "inconclusive", "same_outcome"]
    );
    let declared = modes.map(|mode| Axes::from([("compile_mode".to_owned(), mode.to_owned())]));
    let lanes = declared.each_ref();
    assert_eq!(undecided_without_control(&parsed(&without), &lanes), ["gain", "band"]);
    assert!(undecided_without_control(&parsed(&without), &lanes[..2]).is_empty(), "one mode");
    assert!(undecided_without_control(&parsed(&fixed_by_none), &lanes).is_empty(), "a control across lanes");
    let fixed = of_blocks_alone().replace("steady_within_pct = 4.0\n", "").replace("\"eager\"]", "\"none\"]");
    assert!(undecided_without_control(&parsed(&fixed), &lanes).is_empty(), "what cells fix, lanes do not change");
}
