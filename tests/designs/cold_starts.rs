//! Cold starts through whole plans: ranked by launches where they are there, by printed means where nothing else is.

use lockstep::import::Kind;
use lockstep::plan::Design;
use lockstep::verdict::rules::{Ruling, Standing};
use serde_json::{Value, json};

use crate::{design, imported, rulings, table};

fn plan(launches: &str) -> String {
    let lane = |name: &str| format!("lanes.{name} = {{ table = \"starts\", where = {{ lane = [\"{name}\"] }} }}\n");
    format!(
        "kind = \"cold_start\"\n{}{}startup = \"startup_ms\"\nfirst_request = \"full_ms\"\ntotal = \"total_ms\"\n\
         resolution_ms = 50.0\npower = 0.8\n{launches}",
        lane("a"),
        lane("b")
    )
}

fn ruled(launches: &str, rows: &Value) -> Ruling {
    let design = design("", &[&plan(launches)]);
    rulings(&design, &imported(&design, Kind::Table, &[table("starts", "ms", rows)])).remove(0)
}

/// Four launches of each lane; those of the second take 200 ms more and are off by as much as `drift` says.
fn starts(drift: f64) -> Value {
    let row = |lane: &str, launch: u32, total: f64| json!({ "lane": lane, "launch": launch, "startup_ms": null, "full_ms": 10.0, "total_ms": total });
    let both = (0..4)
        .zip([0.0, 1.0, -1.0, 0.5])
        .flat_map(|(launch, off)| [row("a", launch, 1_000.0 + drift * off), row("b", launch, 1_200.0 - drift * off)]);
    Value::Array(both.collect())
}

#[test]
fn each_row_may_be_a_launch_and_then_the_launches_are_tested() {
    let sure = ruled("launch = \"launch\"", &starts(20.0));
    assert_eq!((sure.label.as_str(), sure.tests.len()), ("a", 1), "{sure:?}");
    let open = ruled("launch = \"launch\"", &starts(400.0));
    assert_eq!(open.standing, Standing::Inconclusive, "{open:?}");
    assert!(open.settled_by.is_some_and(|launches| launches > 4));
}

#[test]
fn a_printed_count_is_read_from_its_column() {
    let row = |lane: &str, total: f64, n: u64| json!({ "lane": lane, "n": n, "sd": 20.0, "startup_ms": null, "full_ms": 10.0, "total_ms": total });
    let few = ruled("n = \"n\"\nsd = \"sd\"", &json!([row("a", 1_000.0, 5), row("b", 1_200.0, 2)]));
    assert_eq!((few.standing, few.settled_by), (Standing::Inconclusive, Some(3)));
    let enough = ruled("n = \"n\"\nsd = \"sd\"", &json!([row("a", 1_000.0, 5), row("b", 1_200.0, 5)]));
    assert_eq!((enough.label.as_str(), enough.tests.len()), ("a", 1));
}

#[test]
fn a_plan_says_in_one_way_how_often_a_lane_was_started() {
    for bad in ["", "launches = 3\nn = \"n\"", "launches = 3\nsd = \"sd\""] {
        let text = format!(
            "schema = 1\nname = \"x\"\n[published]\nreport = \"R\"\nreplication = \"iteration\"\nalpha = 0.05\n\
             bootstrap_resamples = 1000\nbootstrap_seed = 1\n[[hypothesis]]\nname = \"h\"\n[hypothesis.rule]\n{}",
            plan(bad)
        );
        let error = Design::parse("x", &text).expect_err("two ways or none");
        assert!(error.to_string().contains("expected one of `launch`"), "{error}");
    }
}
