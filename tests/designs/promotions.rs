//! Promotion gates through whole plans: from the tables that a plan names to every label.

use lockstep::import::Kind;
use lockstep::plan::Design;
use lockstep::verdict::rules::{Ruling, Standing};
use serde_json::{Value, json};

use crate::{design, design_text, imported, rulings, table};

const GATES: &str = r#"
kind = "promotion"
knob = "CHUNK=0"
deltas = { table = "deltas", where = { stage = ["AB2", "AB3", "AB5"] } }
stage = "stage"
stages = { ab2 = ["AB2"], ab3 = ["AB3"], ab5 = ["AB5"] }
mode = "mode"
modes = { warm = ["warm"], cold = ["cold"], mixed = ["mixed"] }
near_flat_ms = { request_ms = 0.1 }
values_without_interval = true
judged_by = { warm = "request_ms", cold = "request_ms", mixed = "request_ms" }
tail = "p99_ms"
small_effect_ms = 0.2
evidence = { on = { table = "arms", where = { arm = ["on"] }, column = "fused_launches" }, off = { table = "arms", where = { arm = ["off"] }, column = "fused_launches" } }
parity = { table = "decision", column = "strict_parity" }
parity_checked = 3
"#;

const FOUNDATION: &str = "foundation = { table = \"deltas\", where = { stage = [\"foundation\"] } }\n";

fn stage(stage: &str, deltas: [f64; 3]) -> Vec<Value> {
    let row = |(mode, ms): (&str, f64)| json!({ "stage": stage, "mode": mode, "request_ms": ms });
    ["warm", "cold", "mixed"].into_iter().zip(deltas).map(row).collect()
}

/// What the plan says of a switch that improves at every gate, with this foundation pack and evidence.
fn ruled(plan: &str, foundation: [f64; 3], evidence: [Value; 2], parity: &str, ab3: [f64; 3]) -> Ruling {
    let deltas = [stage("AB2", [-0.4, -2.5, 0.0]), stage("AB3", ab3), stage("foundation", foundation)].concat();
    of_deltas(plan, deltas, evidence, parity)
}

/// What the plan says of these rows of deltas.
fn of_deltas(plan: &str, deltas: Vec<Value>, [on, off]: [Value; 2], parity: &str) -> Ruling {
    let design = design("", &[plan]);
    let files = [
        table("deltas", "ms", &Value::Array(deltas)),
        table(
            "arms",
            "count",
            &json!([
                { "arm": "on", "launch": 1, "fused_launches": on },
                { "arm": "off", "launch": 1, "fused_launches": off },
                { "arm": "off", "launch": 2, "fused_launches": 0 }
            ]),
        ),
        table("decision", "count", &json!([{ "strict_parity": parity }])),
    ];
    rulings(&design, &imported(&design, Kind::Table, &files)).remove(0)
}

fn good(plan: &str, foundation: [f64; 3]) -> Ruling {
    ruled(plan, foundation, [json!(12), json!(0)], "3/3", [-0.44, -2.56, -0.04])
}

#[test]
fn a_switch_that_passes_every_gate_is_promoted_with_the_foundation_pack_or_without_one() {
    let without = good(GATES, [9.0, 9.0, 9.0]);
    assert_eq!((without.label.as_str(), without.standing), ("promote", Standing::Decided), "{:?}", without.reasons);
    assert!(without.rests_on.contains(&"arms:1".to_owned()), "{:?}", without.rests_on);
    let with = good(&format!("{GATES}{FOUNDATION}"), [-0.4, -2.0, 0.05]);
    assert_eq!(with.label, "promote");
    assert!(with.reasons[0].ends_with("and the foundation pack does not regress"), "{:?}", with.reasons);
}

#[test]
fn a_foundation_pack_that_regresses_reverts_and_one_that_was_not_run_leaves_it_open() {
    let reverted = good(&format!("{GATES}{FOUNDATION}"), [0.9, 0.8, 0.7]);
    assert_eq!((reverted.label.as_str(), reverted.standing), ("revert", Standing::Decided));
    assert_eq!(
        reverted.reasons[0],
        "the foundation pack regresses in warm and cold and mixed: a temporary promotion is reverted"
    );
    let absent = good(&format!("{GATES}{}", FOUNDATION.replace("\"foundation\"]", "\"next\"]")), [0.0; 3]);
    assert_eq!(absent.standing, Standing::Invalid);
    assert_eq!(absent.reasons, ["no row of table deltas is chosen by the design"]);
}

#[test]
fn where_the_path_was_at_work_is_read_and_not_asserted() {
    let of = |evidence: [Value; 2]| {
        let ruling = ruled(GATES, [0.0; 3], evidence, "3/3", [-0.44, -2.56, -0.04]);
        (ruling.label, ruling.standing)
    };
    let not_causal = ("not_causal".to_owned(), Standing::Decided);
    assert_eq!(of([json!(12), json!(0)]).0, "promote");
    assert_eq!(of([json!(12), json!(7)]), not_causal, "both arms had it");
    assert_eq!(of([json!(0), json!(0)]), not_causal, "neither had it");
    let unrecorded = ("inconclusive".to_owned(), Standing::Inconclusive);
    assert_eq!(of([json!(12), json!(null)]), unrecorded);
    let asserted = GATES.replace("evidence = { on", "evidence = { active_when_on = true, on");
    let error = toml::from_str::<lockstep::plan::Rule>(&asserted).expect_err("a plan proves nothing by saying so");
    assert!(error.to_string().contains("active_when_on"), "{error}");
}

#[test]
fn a_reversed_sign_keeps_it_off_whether_or_not_parity_was_run() {
    for parity in ["3/3", "not run"] {
        let ruling = ruled(GATES, [0.0; 3], [json!(null), json!(null)], parity, [0.33, -2.5, 0.0]);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("keep_off", Standing::Decided), "{:?}", ruling.reasons);
        assert_eq!(ruling.reasons[0], "the sign reversed: warm improved at AB2 and regresses at AB3");
    }
}

/// The gates of a plan that lets no value pass without an interval.
fn by_interval() -> String {
    let asked = "intervals = { request_ms = [\"low\", \"high\"] }\nvalues_without_interval = false\n";
    GATES.replace("values_without_interval = true\n", asked)
}

#[test]
fn a_plan_says_whether_a_value_without_an_interval_passes_a_gate() {
    let silent = GATES.replace("values_without_interval = true\n", "");
    let error = toml::from_str::<lockstep::plan::Rule>(&silent).expect_err("no default stands for it");
    assert!(error.to_string().contains("missing field `values_without_interval`"), "{error}");
    let refused =
        |rule: &str| Design::parse("gates", &design_text("", &[rule])).expect_err("it says nothing").to_string();
    let text = refused(&GATES.replace("interval = true", "interval = false"));
    assert!(
        text.contains("hypothesis[0].rule.values_without_interval: request_ms is judged, `intervals` names"),
        "{text}"
    );
    let text = refused(&by_interval().replace("{ request_ms = [\"low\"", "{ full_ms = [\"low\""));
    assert!(text.contains("hypothesis[0].rule.intervals: `near_flat_ms` states no tolerance for full_ms"), "{text}");
}

#[test]
fn where_the_plan_asks_for_intervals_a_gate_is_passed_by_the_whole_of_one() {
    let of = |warm_half_ms: Option<f64>| {
        let rows = [stage("AB2", [-0.4, -2.5, 0.0]), stage("AB3", [-0.44, -2.56, -0.04])].concat();
        let deltas = rows.into_iter().map(|mut row| {
            let half_ms = if row["mode"] == "warm" { warm_half_ms } else { Some(0.05) };
            let end = |sign: f64| half_ms.map(|half| row["request_ms"].as_f64().expect("a number") + sign * half);
            let (low, high) = (end(-1.0), end(1.0));
            (row["low"], row["high"]) = (json!(low), json!(high));
            row
        });
        of_deltas(&by_interval(), deltas.collect(), [json!(12), json!(0)], "3/3")
    };
    let narrow = of(Some(0.05));
    assert_eq!(narrow.label, "promote", "{:?}", narrow.reasons);
    assert!(narrow.reasons.iter().all(|reason| !reason.contains("judged by their values")), "{:?}", narrow.reasons);
    for open in [of(Some(0.5)), of(None)] {
        assert_eq!(
            (open.label.as_str(), open.standing),
            ("inconclusive", Standing::Inconclusive),
            "{:?}",
            open.reasons
        );
        assert!(open.reasons[0].starts_with("at AB3 warm is open"), "{:?}", open.reasons);
    }
}
