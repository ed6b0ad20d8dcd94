//! Runs that are kept although they have not come to their end: they are read, and no verdict stands on them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lockstep::journal::{Journal, Row, read_file};
use lockstep::plan::Plan;
use lockstep::terms::{Outcome, Phase};
use lockstep::verdict::{Conclusion, judge};

fn kept(name: &str) -> (Plan, Journal) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("plans").join(format!("{name}.toml"))).unwrap();
    let journal = root.join(format!("tests/journals/unfinished/{name}-h200/journal.jsonl.xz"));
    (Plan::parse(name, &text).unwrap(), read_file(&journal).unwrap())
}

#[test]
fn a_run_that_is_not_finished_decides_nothing() {
    for name in ["agents-one-gpu", "matrix-axes", "weight-parity-modes"] {
        let (plan, journal) = kept(name);
        let verdict = judge(&plan, &journal).unwrap();
        assert_eq!(verdict.conclusion, Conclusion::Inconclusive, "{name}");
        let unsealed = |reason: &String| reason.starts_with("the journal is not sealed");
        assert!(verdict.reasons.iter().any(unsealed), "{name}: {:?}", verdict.reasons);
    }
}

#[test]
fn the_axes_so_far_came_out_as_the_report_says() {
    let (plan, journal) = kept("matrix-axes");
    let cells: BTreeMap<_, _> = plan.cells().unwrap().into_iter().map(|cell| (cell.id(), cell)).collect();
    let rows: Vec<&Row> = journal.rows().map(|(_, row)| row).collect();
    assert_eq!(rows.len(), 11);
    for row in rows {
        let cell = &cells[&row.cell];
        let of = |axis: &str| cell.axes.get(axis).map_or("", |value| value.as_str());
        let expected = match (cell.phase, of("cache"), of("compile_mode")) {
            (Phase::KvDecode, "dynamic", "reduce-overhead") => Outcome::Crashed,
            (Phase::KvDecode, "dynamic", "default") => Outcome::FellBack,
            _ => Outcome::Ok,
        };
        assert_eq!(row.outcome, expected, "{} {:?}", cell.workload, cell.axes);
    }
}

#[test]
fn in_32_bits_and_all_layers_replay_and_tracing_gave_the_same_tokens_so_far() {
    let (_, journal) = kept("weight-parity-modes");
    let mut given: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (_, row) in journal.rows() {
        assert_eq!((row.outcome, row.tokens.len()), (Outcome::Ok, 8));
        given.entry((&row.cell, &row.tokens)).or_default().insert(&row.lane);
    }
    assert!(given.len() == 3 && given.values().all(|lanes| lanes.len() == 2), "{given:?}");
}

#[test]
fn every_agent_so_far_did_its_work_in_one_stream_or_in_one_each_with_the_same_tokens() {
    let (_, journal) = kept("agents-one-gpu");
    let mut streams: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut outputs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let rows: Vec<&Row> = journal.rows().map(|(_, row)| row).collect();
    assert_eq!(rows.len(), 324);
    for row in rows {
        assert_eq!(row.outcome, Outcome::Ok, "{row:?}");
        streams.entry(&row.lane).or_default().insert(row.evidence["stream"].to_string());
        outputs.entry(row.cell.to_string()).or_default().insert(format!("{:?}", row.output_sha256));
    }
    let seen = |lane: &str| streams[lane].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(seen("torch-2.11-agents"), ["shared"]);
    assert_eq!(seen("torch-2.11-agents-streams"), ["per_agent"]);
    assert!(outputs.len() == 20 && outputs.values().all(|outputs| outputs.len() == 1), "{outputs:?}");
}
