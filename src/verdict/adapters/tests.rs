//! What a rule's parameters choose from tables: made-up rows, each rule applied as a plan writes it.

mod floors;
mod reported;

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Settings, TableRow, Tables, all, apply, family, others};
use crate::journal::SummaryCell;
use crate::plan::Rule;
use crate::stats::PValue;
use crate::verdict::rules::{Ruling, Standing};

/// Rows of table `t`, each a JSON object; numbers under `*_share` are fractions.
fn rows(rows: &Value) -> Vec<TableRow<'static>> {
    let cell = |column: &str, value: &Value| SummaryCell {
        value: serde_json::from_value(value.clone()).ok(),
        unit: if column.ends_with("_share") { "fraction".to_owned() } else { "ms".to_owned() },
        resolution: None,
    };
    let row = |(number, row): (usize, &Value)| TableRow {
        table: "t".to_owned(),
        source: format!("t:{}", number + 1),
        values: Cow::Owned(
            row.as_object().unwrap().iter().map(|(name, value)| (name.clone(), cell(name, value))).collect(),
        ),
    };
    rows.as_array().unwrap().iter().enumerate().map(row).collect()
}

fn settings(also_in_family: impl IntoIterator<Item = PValue>) -> Settings {
    let also_in_family = also_in_family.into_iter().collect();
    Settings { alpha: 0.05, power: Some(0.8), bootstrap_resamples: 1_000, bootstrap_seed: 42, also_in_family }
}

fn rule(text: &str) -> Rule {
    toml::from_str(text).unwrap()
}

fn printed(text: &str, values: &Value) -> Ruling {
    apply(&rule(text), &Tables::printed(rows(values)), &settings(Vec::new()), &[]).unwrap()
}

fn measured(text: &str, values: &Value) -> Ruling {
    apply(&rule(text), &Tables::measured(rows(values), 0.9), &settings(Vec::new()), &[]).unwrap()
}

fn labels(ruling: &Ruling) -> Vec<&str> {
    ruling.parts.iter().map(|part| part.label.as_str()).collect()
}

/// Launches of a lane in each phase: segment, block, launch, milliseconds.
fn launches(lane: &str, phase: &str, times: &[(u32, u32, f64)]) -> Vec<Value> {
    let number = |at: usize| at + if lane == "b" { 100 } else { 0 };
    let row = |(at, (segment, block, ms)): (usize, &(u32, u32, f64))| {
        json!({ "lane": lane, "phase": phase, "segment": segment, "block": block, "launch": number(at), "ms": ms,
                "ok_share": 1.0, "launches": times.len() })
    };
    times.iter().enumerate().map(row).collect()
}

fn one_segment(times: &[f64]) -> Vec<(u32, u32, f64)> {
    (0..).zip(times).map(|(block, ms)| (0, block, *ms)).collect()
}

fn both_phases(candidate_prefill: &[f64], candidate_decode: &[f64]) -> Value {
    let base = one_segment(&[10.0, 10.1, 9.9, 10.0]);
    let all = [
        launches("a", "prefill", &base),
        launches("a", "kv_decode", &base),
        launches("b", "prefill", &one_segment(candidate_prefill)),
        launches("b", "kv_decode", &one_segment(candidate_decode)),
    ];
    Value::Array(all.concat())
}

const PHASES: &str = r#"
kind = "phase_separation"
phase = "phase"
baseline = { rows = { table = "t", where = { lane = ["a"] } }, mean = "ms" }
candidate = { rows = { table = "t", where = { lane = ["b"] } }, mean = "ms" }
margin_pp = 3.0
power = 0.8
"#;

#[test]
fn phases_are_apart_by_launches_and_by_printed_means_alike() {
    let apart = measured(PHASES, &both_phases(&[5.0, 5.1, 4.9, 5.0], &[10.0, 10.1, 9.9, 10.0]));
    assert_eq!((apart.label.as_str(), apart.rests_on.len()), ("required", 16));
    let alike = measured(PHASES, &both_phases(&[5.0, 5.01, 4.99, 5.0], &[5.0, 5.01, 4.99, 5.0]));
    assert_eq!(alike.label, "not_required", "{:?}", alike.reasons);
    let two = measured(PHASES, &both_phases(&[5.0, 5.1], &[10.0, 10.1]));
    assert_eq!((two.standing, two.settled_by), (Standing::Inconclusive, Some(3)));
    let summary =
        |lane: &str, phase: &str, mean: f64| json!({ "lane": lane, "phase": phase, "ms": mean, "sd": 0.1, "n": 30 });
    let table = json!([
        summary("a", "prefill", 10.0),
        summary("a", "kv_decode", 10.0),
        summary("b", "prefill", 5.0),
        summary("b", "kv_decode", 10.0),
        summary("a", "ttft", 10.0)
    ]);
    let text = PHASES.replace("mean = \"ms\"", "mean = \"ms\", sd = \"sd\", n = \"n\"");
    let ruling = printed(&text, &table);
    assert_eq!(ruling.label, "required");
    assert_eq!(ruling.reasons.last().unwrap(), "one side alone has ttft, left out");
}

#[test]
fn a_printed_interval_of_the_mean_stands_for_the_deviation() {
    let text = |spread: &str| {
        format!(
            "kind = \"mean_contrast\"\nmargin = 0.1\npower = 0.8\n{}",
            ["left", "right"].map(|side| {
                format!("{side} = {{ rows = {{ table = \"t\", where = {{ side = [\"{side}\"] }} }}, mean = \"ms\", n = \"n\", {spread} }}\n")
            }).concat()
        )
    };
    // t(0.975, 24) = 2.0638986, so that sd = 1 at n = 25 reaches 0.41277971 to either side.
    let row = |side: &str, ms: f64| json!({ "side": side, "ms": ms, "sd": 1.0, "n": 25, "low": ms - 0.412_779_71, "high": ms + 0.412_779_71 });
    let table = json!([row("left", 10.0), row("right", 12.0)]);
    let (by_sd, by_interval) =
        (printed(&text("sd = \"sd\""), &table), printed(&text("interval = [\"low\", \"high\"]"), &table));
    assert_eq!(by_sd.label, "higher");
    assert_eq!(by_sd.tests[0].interval, by_interval.tests[0].interval);
}

#[test]
fn a_gain_repeats_on_as_many_models_as_are_asked_for() {
    let text = r#"
kind = "gain_replication"
model = "model"
baseline = { rows = { table = "t", where = { lane = ["a"] } }, mean = "ms", sd = "sd", n = "n" }
candidate = { rows = { table = "t", where = { lane = ["b"] } }, mean = "ms", sd = "sd", n = "n" }
gain_pct = 50.0
models_needed = 2
power = 0.8
"#;
    let row = |lane: &str, model: &str, ms: f64| json!({ "lane": lane, "model": model, "ms": ms, "sd": 0.1, "n": 30 });
    let table = |third: f64| {
        json!([
            row("a", "x", 10.0),
            row("b", "x", 4.0),
            row("a", "y", 10.0),
            row("b", "y", third),
            row("a", "z", 10.0),
            row("b", "z", 9.0)
        ])
    };
    assert_eq!(labels(&printed(text, &table(3.0))), ["meets", "meets", "misses"]);
    assert_eq!(printed(text, &table(3.0)).label, "replicated");
    assert_eq!(printed(text, &table(7.0)).label, "not_replicated");
    let bare = text.replace(", sd = \"sd\", n = \"n\"", "");
    let open = printed(&bare, &table(3.0));
    assert_eq!((open.standing, labels(&open)), (Standing::Inconclusive, vec!["open"; 3]), "means without spread");
}

const CROSSOVER: &str = r#"
kind = "scale_crossover"
model = "model"
sizes = { x = 0.5, y = 3.0 }
baseline = { rows = { table = "t", where = { lane = ["a"] } }, mean = "ms", sd = "sd", n = "n" }
candidate = { rows = { table = "t", where = { lane = ["b"] } }, mean = "ms", sd = "sd", n = "n" }
neutral_pct = 3.0
power = 0.8
"#;

#[test]
fn an_effect_that_turns_round_with_size_is_a_crossover_and_one_of_no_size_is_left_out() {
    let row = |lane: &str, model: &str, ms: f64| json!({ "lane": lane, "model": model, "ms": ms, "sd": 0.1, "n": 30 });
    let table = |last: f64| {
        json!([
            row("a", "x", 10.0),
            row("b", "x", 5.0),
            row("a", "y", 10.0),
            row("b", "y", last),
            row("a", "z", 1.0),
            row("b", "z", 9.0)
        ])
    };
    let ruling = printed(CROSSOVER, &table(15.0));
    assert_eq!(ruling.label, "crossover");
    assert_eq!(ruling.reasons.last().unwrap(), "of z the plan states no size, left out");
    let analysed = printed(&format!("{CROSSOVER}interaction = \"type_two\"\n"), &table(6.0));
    assert_eq!(analysed.label, "interaction");
    assert!(analysed.tests.iter().any(|test| test.test.starts_with("two-way analysis")), "{:?}", analysed.tests);
}

const CONTRASTS: &str = r#"
kind = "matched_contrasts"
key = ["phase"]
baseline = { rows = { table = "t", where = { lane = ["a"] } }, mean = "ms" }
candidate = { rows = { table = "t", where = { lane = ["b"] } }, mean = "ms" }
margin_pct = 3.0
power = 0.8
"#;

/// Blocks that drift by far more than the sides differ.
fn drifting(segment_of: fn(u32) -> u32) -> Value {
    let times = |shift: f64| -> Vec<(u32, u32, f64)> {
        let jitter = [0.0, 0.02, -0.01, 0.01, -0.02, 0.015];
        let ms = |block: u32| 100.0 + 20.0 * f64::from(block) + shift + jitter[(block as usize + (shift as usize)) % 6];
        (0..6).map(|block| (segment_of(block), block, ms(block))).collect()
    };
    Value::Array([launches("a", "prefill", &times(0.0)), launches("b", "prefill", &times(10.0))].concat())
}

#[test]
fn what_both_sides_of_a_block_share_cancels_in_pairs() {
    let unpaired = measured(CONTRASTS, &drifting(|_| 0));
    assert_eq!(unpaired.label, "could_not_tell", "{:?}", unpaired.reasons);
    let text = format!("{CONTRASTS}pair_by_block = true\n");
    let paired = measured(&text, &drifting(|_| 0));
    assert_eq!(paired.label, "slower");
    assert!(paired.tests[0].test.contains("paired by block"), "{:?}", paired.tests);
    // 10 ms on a baseline of 150.
    assert!((paired.tests[0].estimate.unwrap() - 6.667).abs() < 0.01, "{:?}", paired.tests[0]);
    let over_segments = measured(&text, &drifting(|block| block / 3));
    assert_eq!(over_segments.label, "slower");
    let apart = measured(&text, &drifting(|block| block));
    assert_eq!(apart.label, "could_not_tell");
    assert!(apart.reasons[1].contains("0 blocks with both sides"), "{:?}", apart.reasons);
}

#[test]
fn the_plans_other_tests_make_a_contrast_harder() {
    let base = launches("a", "prefill", &one_segment(&[100.0, 101.0, 99.0]));
    let all = Value::Array([base, launches("b", "prefill", &one_segment(&[105.0, 106.0, 102.5]))].concat());
    let tables = || Tables::measured(rows(&all), 0.9);
    let label = |others: usize| {
        let family = vec![PValue::new(0.9).unwrap(); others];
        apply(&rule(CONTRASTS), &tables(), &settings(family), &[]).unwrap().label
    };
    assert_eq!([label(0), label(9)], ["slower", "could_not_tell"]);
}

const WEIGHTS: &str = r#"
kind = "weight_parity"
position = "at"
logit_tolerances = { mean = 0.5, max = 1.0 }
[outputs]
sides = [{ name = "a", rows = { table = "t", where = { lane = ["a"] } } }, { name = "b", rows = { table = "t", where = { lane = ["b"] } } }]
key = ["prompt"]
output = "ids"
tokens = "n"
"#;

#[test]
fn weights_are_the_same_when_ids_are_and_every_position_lies_within_its_tolerance() {
    let row = |lane: &str, prompt: &str, at: u32, ids: &str, max: f64| json!({ "lane": lane, "prompt": prompt, "at": at, "ids": ids, "n": 2, "mean": 0.0, "max": max });
    let table = |ids: &str, max: f64| {
        json!([
            row("a", "p", 0, "5, 6", 9.0),
            row("a", "p", 1, "5, 6", 9.0),
            row("b", "p", 0, ids, 9.5),
            row("b", "p", 1, ids, max)
        ])
    };
    let same = printed(WEIGHTS, &table("5, 6", 10.0));
    assert_eq!((same.label.as_str(), same.rests_on.len()), ("identical", 4));
    let apart = printed(WEIGHTS, &table("5, 6", 10.5));
    assert_eq!(apart.label, "logits_differ");
    assert!(apart.reasons[1].contains("max at at 1 is 9 and 10.5"), "{:?}", apart.reasons);
    assert_eq!(printed(WEIGHTS, &table("5, 7", 9.0)).label, "not_identical");
    let shorter = json!([row("a", "p", 0, "5, 6", 9.0), row("a", "p", 1, "5, 6", 9.0), row("b", "p", 0, "5, 6", 9.0)]);
    assert_eq!(printed(WEIGHTS, &shorter).standing, Standing::Invalid, "a position of one side alone");
}

#[test]
fn tokens_are_compared_by_digest_and_one_that_nobody_recorded_is_no_pass() {
    let text = r#"
kind = "token_parity"
sides = [{ name = "a", rows = { table = "t", where = { lane = ["a"] } } }, { name = "b", rows = { table = "t", where = { lane = ["b"] } } }]
key = ["cell"]
output = "output_sha256"
tokens = "new_tokens"
"#;
    let digest = |of: &[u8]| crate::terms::Digest::of(of).to_string();
    let row = |lane: &str, output: Value| json!({ "lane": lane, "cell": "/0a0a0a01", "output_sha256": output, "new_tokens": 8 });
    let table = |b: Value| json!([row("a", json!(digest(b"x"))), row("b", b)]);
    assert_eq!(measured(text, &table(json!(digest(b"x")))).label, "identical");
    assert_eq!(measured(text, &table(json!(digest(b"y")))).label, "not_identical");
    assert_eq!(measured(text, &table(Value::Null)).standing, Standing::Invalid);
    let twice = json!([row("a", json!(digest(b"x"))), row("a", json!(digest(b"x"))), row("b", json!(digest(b"x")))]);
    assert!(measured(text, &twice).reasons[0].contains("twice on one side"));
}

#[test]
fn robustness_is_the_loss_of_the_worst_stack_and_a_dead_one_has_lost_everything() {
    let text = r#"
kind = "compile_robustness"
rows = { table = "t" }
stack = "triton"
performance = "ms"
performance_is = "time"
cv = "cv"
survived = "ok"
tried = "n"
robust_pct = 5.0
sensitive_pct = 20.0
fragile_pct = 50.0
"#;
    let row = |triton: &str, ms: Value, ok: u32| json!({ "triton": triton, "ms": ms, "cv": 0.001, "ok": ok, "n": 30 });
    let slower = json!([row("3.4.0", json!(10.0), 30), row("3.6.0", json!(11.0), 30)]);
    // 1 / 11 against 1 / 10: 9.09 % less.
    assert_eq!(printed(text, &slower).label, "sensitive");
    let dead = json!([row("3.4.0", json!(10.0), 30), row("3.5.1", json!(10.0), 30), row("3.6.0", Value::Null, 0)]);
    assert_eq!(printed(text, &dead).label, "catastrophic");
    let short = measured(
        text,
        &json!([{ "triton": "x", "ms": 1.0, "cv": 0.1, "ok": 9, "n": 9, "launches": 2, "attempted_launches": 2 }]),
    );
    assert_eq!(short.standing, Standing::Invalid);
    assert!(short.reasons[0].contains("n has no count of launches"), "{:?}", short.reasons);
    let row = |triton: &str, ms: Value, ok: u32, launches: u32| {
        json!({ "triton": triton, "ms": ms, "cv": 0.001, "ok": 5 * ok, "attempts": 5 * launches, "ok_launches": ok,
                "launches": ok, "attempted_launches": launches, "ok_share": 1.0 })
    };
    let by_launch = |launches: u32| {
        let living = |triton| row(triton, json!(10.0), launches, launches);
        let rows = json!([living("3.4.0"), living("3.5.1"), row("3.6.0", Value::Null, 0, launches)]);
        measured(&text.replace("\"n\"", "\"attempts\""), &rows)
    };
    assert_eq!([2, 6, 7].map(|launches| by_launch(launches).label), ["inconclusive", "inconclusive", "catastrophic"]);
    assert_eq!(by_launch(6).settled_by, Some(7));
}

#[test]
fn a_published_target_is_held_against_launches_where_rows_were_measured() {
    let text = r#"
kind = "reproduction"
rows = { table = "t" }
value = "ms"
cv = "cv"
survived = "ok"
crashed = "failed"
target = 10.0
bands = { near = 9.0, below = 0.0 }
power = 0.8
"#;
    let of = |ok: u32, launches: u32, ms: Value| {
        let row = json!([{ "ms": ms, "cv": 0.001, "ok": 5 * ok, "failed": 5 * (launches - ok), "attempts": 5 * launches,
            "ok_launches": ok, "failed_launches": launches - ok, "attempted_launches": launches, "launches": ok, "ok_share": 1.0 }]);
        measured(text, &row)
    };
    let near = of(4, 4, json!(10.0));
    assert_eq!((near.label.as_str(), near.tests.last().unwrap().interval), ("near", Some([0.397_635, 1.0])));
    let none = of(0, 3, Value::Null);
    assert_eq!((none.label.as_str(), none.tests[0].interval), ("no_survivor", Some([0.0, 0.707_598])));
    assert_eq!(of(0, 2, Value::Null).settled_by, Some(3), "ten attempts of two launches");
    let unknown = measured(&text.replace("\"failed\"", "\"ms\""), &json!([{ "ms": 1.0, "ok": 1 }]));
    assert_eq!(unknown.standing, Standing::Invalid);
    assert!(unknown.reasons[0].contains("ms has no count of launches"), "{:?}", unknown.reasons);
}

#[test]
fn a_run_is_clean_by_what_was_recorded_and_unproven_by_what_was_not() {
    let text = r#"
kind = "clean_runs"
rows = { table = "t" }
run = "run"
other_gpu_processes = "others"
refused_without_inference = "refused"
fused = { log_marker = "marker", built_with_it = "built" }
superseded_by = "by"
order_matters = false
"#;
    let row = |run: &str, others: Value, refused: u32, marker: bool, by: Value| json!({ "run": run, "others": others, "refused": refused, "marker": marker, "built": true, "by": by });
    let ruling = printed(
        text,
        &json!([
            row("old", json!(""), 0, true, json!("good")),
            row("good", json!(0), 0, true, Value::Null),
            row("shared", json!("vllm, orpo"), 0, true, Value::Null),
            row("refused", json!(""), 2, true, Value::Null),
            row("bare", json!(""), 0, false, Value::Null)
        ]),
    );
    assert_eq!(labels(&ruling), ["superseded", "canonical", "contaminated", "contaminated", "contaminated"]);
    assert_eq!((ruling.label.as_str(), ruling.reasons[0].as_str()), ("clean", "canonical: good"));
    let unknown = printed(text, &json!([row("unknown", Value::Null, 0, true, Value::Null)]));
    assert_eq!((unknown.standing, labels(&unknown)), (Standing::Inconclusive, vec!["unproven"]));
}

#[test]
fn a_gate_is_passed_by_what_every_row_states() {
    let text = r#"
kind = "five_gates"
phases = { table = "t", column = "phase" }
phases_needed = ["prefill", "kv_decode"]
environment = { table = "t" }
environment_needed = { gpu = "gpu", driver = "driver" }
results = { table = "t" }
surfaced_needed = { cache = "cache" }
rows_behind = "n"
artifact_share = 1.0
regimes = { rows = { table = "t" }, combination = ["phase"], regime = "gpu", outcome = "crash_share", crashes_from = 0.5 }
combinations_needed = 1
"#;
    let row = |phase: &str, gpu: &str, driver: Value, crash: f64| json!({ "phase": phase, "gpu": gpu, "driver": driver, "cache": "static", "n": 3, "crash_share": crash });
    let all = |driver: Value, crash: f64| {
        json!([
            row("prefill", "Ada", json!("1"), 0.0),
            row("prefill", "A100", driver, crash),
            row("kv_decode", "Ada", json!("1"), 0.8)
        ])
    };
    assert_eq!(printed(text, &all(json!("2"), 0.0)).label, "5_of_5");
    let unstated = printed(text, &all(Value::Null, 0.9));
    assert_eq!(unstated.label, "3_of_5");
    assert_eq!(unstated.reasons[0], "environment_attribution: missing: driver");
    assert_eq!(labels(&unstated), ["passed", "failed", "passed", "passed", "failed"]);
}

#[test]
fn a_correlation_and_a_difference_are_each_one_test_of_the_family_however_often_they_are_asked() {
    let correlation = "kind = \"correlation_criterion\"\nrows = { table = \"t\" }\nx = \"x\"\ny = \"y\"\n\
                       direction = \"rising\"\nabove = 0.5\npower = 0.8\n";
    let side =
        |side: &str| format!("{{ rows = {{ table = \"t\", where = {{ side = [\"{side}\"] }} }}, mean = \"y\" }}");
    let difference = format!(
        "kind = \"difference_criterion\"\nleft = {}\nright = {}\nat_least = 1.0\npower = 0.8\n",
        side("a"),
        side("b")
    );
    let row = |at: u32| json!({ "x": at, "y": f64::from(at) + if at.is_multiple_of(3) { 0.5 } else { -0.2 }, "side": if at < 6 { "a" } else { "b" } });
    let values = Value::Array((0..12).map(row).collect());
    let tables = Tables::printed(rows(&values));
    let own = |text: &str| family(&rule(text), &tables, &settings(Vec::new())).unwrap();
    let again = difference.replace("power = 0.8", "power = 0.9");
    let other = difference.replace("at_least = 1.0", "at_least = 2.0");
    let asked = [own(correlation), own(&difference), own(&again), own(&other)];
    assert_eq!(asked.iter().map(Vec::len).collect::<Vec<_>>(), [1; 4]);
    assert_eq!(all(&asked).len(), 3, "what was asked with another power is the same question, another limit another");
    for (at, text) in [(0, correlation), (1, &difference)] {
        let ruling = apply(&rule(text), &tables, &settings(others(&asked, at).iter().copied()), &[]).unwrap();
        assert!(ruling.tests[0].test.ends_with("Holm over 3"), "{:?}", ruling.tests);
        let [p, adjusted] = [ruling.tests[0].p, ruling.tests[0].p_adjusted].map(Option::unwrap);
        assert!(adjusted > p, "{:?}", ruling.tests);
    }
}
