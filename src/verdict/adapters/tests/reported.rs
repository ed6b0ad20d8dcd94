//! Rules on what reports call their effects, on their own families of tests, on what they measured and took back.

use serde_json::{Value, json};

use super::*;

const SIZES: &str = r#"
kind = "effect_size"
key = ["model"]
baseline = { rows = { table = "t", where = { lane = ["a"] } }, mean = "ms", sd = "sd", n = "n" }
candidate = { rows = { table = "t", where = { lane = ["b"] } }, mean = "ms", sd = "sd", n = "n" }
small = 0.2
medium = 0.5
large = 0.8
power = 0.8
"#;

fn mean(lane: &str, model: &str, ms: f64, n: u32) -> Value {
    json!({ "lane": lane, "model": model, "ms": ms, "sd": 1.0, "n": n })
}

#[test]
fn an_effect_has_its_size_from_means_and_deviations_or_as_it_is_printed() {
    let values = json!([
        mean("a", "x", 10.0, 1000),
        mean("b", "x", 9.35, 1000),
        mean("a", "y", 10.0, 1000),
        mean("b", "y", 10.65, 1000),
        mean("a", "alone", 1.0, 1000)
    ]);
    let ruling = printed(SIZES, &values);
    assert_eq!((ruling.label.as_str(), labels(&ruling)), ("medium", vec!["medium"; 2]));
    assert_eq!(ruling.parts.iter().map(|part| part.numbers["d"]).collect::<Vec<_>>(), [-0.65, 0.65]);
    // Two samples of 1000: (1.959964 + 0.841621) sqrt(2 / 1000), nearly.
    let detectable = ruling.parts[0].numbers["detectable_d"];
    assert!((detectable - 0.12534).abs() < 1e-4, "{detectable}");
    assert_eq!(ruling.reasons.last().unwrap(), "one side alone has alone, left out");
    assert_eq!(ruling.rests_on, ["t:1", "t:2", "t:3", "t:4"]);
    let text = r#"
kind = "effect_size"
key = ["model"]
printed = { rows = { table = "t" }, d = "d", n = "n" }
small = 0.2
medium = 0.5
large = 0.8
power = 0.8
"#;
    let d = |model: &str, d: Value| json!({ "model": model, "d": d, "n": 1000 });
    let told = json!([d("x", json!(-0.65)), d("y", json!(0.65)), d("z", Value::Null)]);
    let as_printed = printed(text, &told);
    assert_eq!((as_printed.label.as_str(), as_printed.parts.len()), ("medium", 2));
    let interval = |ruling: &Ruling| ruling.tests[0].interval;
    assert_eq!(interval(&as_printed), interval(&ruling), "of equal deviations d is all that there is to know");
    let bare = printed(&text.replace(", n = \"n\"", ""), &told);
    assert_eq!((bare.standing, labels(&bare)), (Standing::Inconclusive, vec!["medium"; 2]));
    let again = printed(text, &json!([d("x", json!(1.0)), d("x", json!(1.0))]));
    assert_eq!(again.standing, Standing::Invalid, "one row stands twice");
}

#[test]
fn an_effect_is_one_of_the_plans_tests_and_counts_launches_where_a_run_gave_them() {
    let text = SIZES.replace(", sd = \"sd\", n = \"n\"", "").replace("key = [\"model\"]\n", "");
    let run = |a: &[f64], b: &[f64]| {
        Value::Array([launches("a", "prefill", &one_segment(a)), launches("b", "prefill", &one_segment(b))].concat())
    };
    let apart = run(&[10.0, 10.1, 9.9, 10.0], &[5.0, 5.1, 4.9, 5.0]);
    assert_eq!(measured(&text, &apart).label, "large");
    let two = measured(&text, &run(&[10.0, 10.1], &[5.0, 5.1]));
    assert_eq!((two.standing, two.settled_by), (Standing::Inconclusive, Some(3)));
    let tables = Tables::measured(rows(&apart), 0.9);
    let own = |text: &str| family(&rule(text), &tables, &settings(Vec::new())).unwrap();
    let asked = [
        own(&text),
        own(&text.replace("power = 0.8", "power = 0.9")),
        own(&text.replace("large = 0.8", "large = 9.0")),
    ];
    // Of its band, and of there being none.
    assert_eq!((asked[0].len(), all(&asked).len()), (2, 4), "another power is the same question, other edges another");
}

#[test]
fn a_family_of_printed_p_values_is_taken_whole() {
    let text = |family: u32| {
        format!(
            "kind = \"multiple_comparisons\"\nrows = {{ table = \"t\" }}\nkey = [\"pair\"]\np = \"p\"\nfamily = {family}\n"
        )
    };
    let p = |pair: &str, p: f64| json!({ "pair": pair, "p": p });
    let values = json!([p("one", 1e-9), p("other", 0.03)]);
    assert_eq!(printed(&text(2), &values).label, "all_significant");
    assert_eq!(printed(&text(3), &values).standing, Standing::Invalid, "one of three is not printed");
    let twice = json!([p("one", 1e-9), p("one", 0.03)]);
    assert!(printed(&text(2), &twice).reasons[0].contains("have the same key"));
}

#[test]
fn an_identity_is_what_the_rows_of_each_side_agree_on() {
    let text = r#"
kind = "benchmark_identity"
axes = ["gpu", "triton"]
sides = [
    { name = "one", stated = { gpu = { table = "t", where = { side = ["a"] }, column = "gpu" }, triton = { table = "t", where = { side = ["a"] }, column = "triton" } } },
    { name = "other", stated = { gpu = { table = "t", where = { side = ["b"] }, column = "gpu" }, triton = { table = "t", where = { side = ["b"] }, column = "triton" } } },
]
"#;
    let row = |side: &str, gpu: &str, triton: Value| json!({ "side": side, "gpu": gpu, "triton": triton });
    let of = |last: Value| printed(text, &json!([row("a", "Ada", json!("3.3.1")), row("b", "Ada", last)]));
    assert_eq!(of(json!("3.3.1")).label, "same");
    assert_eq!(of(json!("3.4.0")).reasons, ["triton is 3.3.1 in one and 3.4.0 in other"]);
    assert_eq!(of(Value::Null).standing, Standing::Inconclusive);
    // A row that leaves it blank does not agree with the one that states it.
    let gap = json!([row("a", "Ada", json!("3.3.1")), row("b", "Ada", json!("3.3.1")), row("b", "Ada", Value::Null)]);
    let gap = printed(text, &gap);
    assert_eq!((gap.standing, labels(&gap)), (Standing::Inconclusive, vec!["same", "unknown"]));
    assert!(gap.reasons[1].ends_with("other leaves it blank in 1 of its rows"), "{:?}", gap.reasons);
    let both =
        json!([row("a", "Ada", json!("3.3.1")), row("b", "Ada", json!("3.3.1")), row("b", "Ada", json!("3.4.0"))]);
    assert_eq!(labels(&printed(text, &both)), ["same", "unknown"], "the other side states two versions");
}

#[test]
fn candidates_that_a_row_prints_side_by_side_are_ranked_over_the_units_that_all_ran() {
    let text = r#"
kind = "ranking"
rows = { table = "t" }
candidates = ["ollama", "eager"]
unit = "model"
side_by_side = { ollama = "ollama_ms", eager = "eager_ms" }
"#;
    let row =
        |model: &str, ollama: Value, eager: Value| json!({ "model": model, "ollama_ms": ollama, "eager_ms": eager });
    let values = json!([
        row("large", json!(700.0), json!(3200.0)),
        row("small", Value::Null, json!(4.0)),
        row("middle", json!(400.0), json!(2400.0))
    ]);
    let ruling = printed(text, &values);
    assert_eq!(ruling.label, "ollama");
    assert!(ruling.reasons[0].ends_with("ollama 550, eager 2800"), "each unit weighs the same: {:?}", ruling.reasons);
    assert!(ruling.reasons.contains(&"not every candidate ran small, left out".to_owned()), "{:?}", ruling.reasons);
}

#[test]
fn a_run_that_its_authors_took_back_is_told_by_their_remark() {
    let text = r#"
kind = "clean_runs"
rows = { table = "t" }
run = "run"
other_gpu_processes = "others"
refused_without_inference = "refused"
withdrawn = { column = "status", remarks = ["stale"] }
order_matters = false
"#;
    let row = |run: &str, status: Value| json!({ "run": run, "others": 0, "refused": 0, "status": status });
    let ruling =
        printed(text, &json!([row("old", json!("stale")), row("new", json!("kept")), row("other", Value::Null)]));
    assert_eq!(labels(&ruling), ["withdrawn", "canonical", "canonical"]);
}

#[test]
fn a_parity_text_tells_how_many_models_were_skipped_or_does_not() {
    let text = r#"
kind = "promotion"
knob = "switch"
deltas = { table = "t", where = { stage = ["AB2", "AB3"] } }
stage = "stage"
stages = { ab2 = ["AB2"], ab3 = ["AB3"], ab5 = ["AB5"] }
mode = "mode"
modes = { warm = ["warm"], cold = ["cold"], mixed = ["mixed"] }
near_flat_ms = { ms = 0.1 }
values_without_interval = true
judged_by = { warm = "ms", cold = "ms", mixed = "ms" }
tail = "ms"
small_effect_ms = 0.2
parity = { table = "t", where = { stage = ["parity"] }, column = "told" }
parity_checked = 3
evidence = { on = { table = "t", column = "on", where = { stage = ["AB2"] } }, off = { table = "t", column = "off", where = { stage = ["AB2"] } } }
"#;
    let row = |stage: &str, mode: &str, told: &str| json!({ "stage": stage, "mode": mode, "ms": -1.0, "on": true, "off": false, "told": told });
    let of = |told: &str| {
        let modes = ["warm", "cold", "mixed"];
        let deltas = ["AB2", "AB3"].into_iter().flat_map(|stage| modes.map(|mode| row(stage, mode, "")));
        printed(text, &Value::Array(deltas.chain([row("parity", "", told)]).collect()))
    };
    assert_eq!(of("pass 3/3").label, "promote");
    let marked = of("pass 3/3, 1 skipped");
    assert_eq!(marked.label, "promote");
    assert!(
        marked.reasons.contains(&"strict parity skipped 1, which counts for nothing".to_owned()),
        "{:?}",
        marked.reasons
    );
    let few = |told: &str| of(told).reasons[0].clone();
    assert_eq!(few("pass 2/2 (1 skipped)"), "strict parity checked 2 models (1 skipped), and 3 are asked for");
    assert_eq!(
        few("pass 2/2"),
        "strict parity checked 2 models (how many were skipped is not told), and 3 are asked for"
    );
    assert_eq!(of("2/3").label, "keep_off", "one failed");
}

/// Table `t` with a resolution for each of these columns.
fn resolved(text: &str, values: &Value, resolutions: &[(&str, f64)]) -> Ruling {
    let mut rows = rows(values);
    for row in &mut rows {
        for (column, resolution) in resolutions {
            row.values.to_mut().get_mut(*column).expect("a column").resolution = Some(*resolution);
        }
    }
    apply(&rule(text), &Tables::printed(rows), &settings(Vec::new()), &[]).unwrap()
}

#[test]
fn printed_digits_of_means_and_deviations_widen_an_effect() {
    let values = json!([mean("a", "x", 10.0, 1000), mean("b", "x", 9.35, 1000)]);
    let of = |resolutions: &[(&str, f64)]| {
        let ruling = resolved(SIZES, &values, resolutions);
        let numbers = &ruling.parts[0].numbers;
        (ruling.label.clone(), numbers.get("d_rounding").copied(), [numbers["d_low"], numbers["d_high"]])
    };
    let (label, none, exact) = of(&[]);
    assert_eq!((label.as_str(), none), ("medium", None));
    // Means 0.05 off to either side: -0.75 to -0.55. Deviations 0.1 off: -0.65 / 0.9.
    let (label, means, wide) = of(&[("ms", 0.1)]);
    assert_eq!((label.as_str(), means), ("inconclusive", Some(0.1)));
    assert!(wide[0] < exact[0] - 0.09 && wide[1] > exact[1] + 0.09, "{exact:?} {wide:?}");
    assert_eq!(of(&[("sd", 0.2)]).1, Some(0.072_222_2));
    let none = resolved(SIZES, &values, &[("sd", 2.0)]);
    assert_eq!(none.standing, Standing::Invalid, "the deviations may be none at all");
    // Of an interval's ends 0.02 off each, a deviation may be off by their share of its length.
    let text = SIZES.replace("sd = \"sd\"", "interval = [\"low\", \"high\"]");
    let row = |lane: &str, ms: f64| json!({ "lane": lane, "model": "x", "ms": ms, "low": ms - 0.1, "high": ms + 0.1, "n": 1000 });
    let values = json!([row("a", 10.0), row("b", 9.0)]);
    let ruling = resolved(&text, &values, &[("low", 0.02), ("high", 0.02)]);
    let [d, rounding] = ["d", "d_rounding"].map(|name| ruling.parts[0].numbers[name]);
    assert!((rounding / d.abs() - (1.0 / 0.9 - 1.0)).abs() < 1e-4, "{d} {rounding}");
    // Values that others recorded with so many digits: their mean and deviation are off by no more.
    let text = SIZES.replace(", sd = \"sd\", n = \"n\"", "");
    let values: Vec<Value> = (0..8).flat_map(|at| ["a", "b"].map(|lane| json!({ "lane": lane, "model": "x", "at": at, "ms": if lane == "a" { 10.0 } else { 5.0 } + f64::from(at) }))).collect();
    let few = resolved(&text, &Value::Array(values), &[("ms", 0.1)]);
    assert!(few.parts[0].numbers["d_rounding"] > 0.1 / 2.449_49, "{:?}", few.parts);
}
