//! What every ruling lists, whatever its rule: the rows that it rests on, and every number of its hypothesis in the plan.

use std::collections::BTreeSet;
use std::path::Path;

use lockstep::import::Kind;
use lockstep::journal;
use lockstep::plan::{Design, HypothesisKind, Plan, PlanFile, Rule};
use lockstep::verdict::rules::{Ruling, Standing, Threshold};
use lockstep::verdict::{judge, judge_published};
use serde_json::{Value, json};

use crate::{design, imported, rulings, table};

/// Numbers of a hypothesis that nothing is held against, with the reason.
const NO_THRESHOLDS: [(&str, &str, &str); 3] = [
    ("cold_start", "launches", "how many launches a report says are behind its means: what is known of the rows"),
    ("hang_ledger", "baseline_wall_absent", "what a column holds where there was no time: a mark, and no number"),
    ("scale_crossover", "sizes.", "where a model stands among the others, which its part tells"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The hypotheses of the published reports with what became of them.
fn published() -> Vec<(Rule, Ruling)> {
    let all = ["tr117", "tr126", "tr147", "tr165", "treni"].into_iter().flat_map(|name| {
        let text = std::fs::read_to_string(root().join(format!("plans/{name}.toml"))).expect("the plan is committed");
        let design = Design::parse(name, &text).expect("a design");
        let journal = root().join(format!("tests/journals/{name}.jsonl.xz"));
        let verdict = judge_published(&design, &journal::read_file(&journal).expect("a journal")).expect("a verdict");
        let rules = design.hypotheses.into_iter().map(|hypothesis| hypothesis.rule);
        rules.zip(verdict.hypotheses.into_iter().map(|hypothesis| hypothesis.ruling)).collect::<Vec<_>>()
    });
    all.collect()
}

/// Rules that no published report asks, or whose tables it does not print, over one small table.
const OTHERS: [&str; 6] = [
    r#"kind = "compile_robustness"
rows = { table = "t" }
stack = "stack"
performance = "ms"
performance_is = "time"
cv = "cv"
survived = "n"
tried = "n"
robust_pct = 5.0
sensitive_pct = 20.0
fragile_pct = 50.0"#,
    r#"kind = "saturation"
series = { table = "t", column = "ms" }
above = 10.0
sustained_readings = 2
spot = { table = "t", column = "ms" }"#,
    r#"kind = "clean_runs"
rows = { table = "t" }
run = "stack"
other_gpu_processes = "others"
order_matters = false"#,
    r#"kind = "token_parity"
sides = [{ name = "a", rows = { table = "t", where = { stack = ["a"] } } }, { name = "b", rows = { table = "t", where = { stack = ["b"] } } }]
key = ["prompt"]
output = "ids"
tokens = "n""#,
    r#"kind = "weight_parity"
logit_tolerances = { cv = 0.25 }
[hypothesis.rule.outputs]
sides = [{ name = "a", rows = { table = "t", where = { stack = ["a"] } } }, { name = "b", rows = { table = "t", where = { stack = ["b"] } } }]
key = ["prompt"]
output = "ids"
tokens = "n""#,
    r#"kind = "licence"
[[hypothesis.rule.statements]]
name = "fast"
says = "It is fast."
needs = [{ need = "every_at_least", of = { table = "t", column = "ms" }, floor = 9.5 }]"#,
];

fn others() -> Vec<(Rule, Ruling)> {
    let row = |stack: &str, ms: f64| json!({ "stack": stack, "ms": ms, "cv": 0.001, "n": 5, "others": "", "prompt": "p", "ids": "5, 6" });
    let design = design("power = 0.8", &OTHERS);
    let journal = imported(&design, Kind::Table, &[table("t", "ms", &json!([row("a", 10.0), row("b", 11.0)]))]);
    let rulings = rulings(&design, &journal);
    design.hypotheses.into_iter().map(|hypothesis| hypothesis.rule).zip(rulings).collect()
}

/// Every kind of rule, by the schema of plans.
fn kinds() -> BTreeSet<String> {
    let schema = serde_json::to_value(schemars::schema_for!(Rule)).expect("a schema is JSON");
    let kinds = schema["oneOf"].as_array().expect("a rule is one of its kinds").iter();
    kinds.map(|kind| kind["properties"]["kind"]["const"].as_str().expect("its kind").to_owned()).collect()
}

/// Whether the ruling lists the number under a name that holds the plan's, or that the plan's holds.
fn lists(ruling: &Ruling, name: &str, value: f64) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let named = |listed: &Threshold| listed.name.contains(last) || last.contains(&listed.name);
    ruling.thresholds.iter().any(|listed| listed.value == value && named(listed))
}

/// The committed runs whose plans ask for every kind of rule that a plan of a run asks for.
const RUNS: [(&str, &str); 7] = [
    ("compile-boundary", "snapshots/compile-boundary/intel-xeon-fam6-mod207-32c-nvidia-h200x1.journal.jsonl.xz"),
    ("gil-ablation", "snapshots/gil-ablation/amd-epyc-fam25-mod17-2c.journal.jsonl.xz"),
    ("phase-separation", "snapshots/phase-separation/intel-xeon-fam6-mod207-32c-nvidia-h200x1.journal.jsonl.xz"),
    ("staticcache-rescue", "snapshots/staticcache-rescue/intel-xeon-fam6-mod207-16c-nvidia-h200x1.journal.jsonl.xz"),
    ("triton-ablation", "snapshots/triton-ablation/intel-xeon-fam6-mod207-32c-nvidia-h200x1.journal.jsonl.xz"),
    ("weight-parity", "snapshots/weight-parity/intel-xeon-fam6-mod207-16c-nvidia-h200x1.journal.jsonl.xz"),
    ("weight-parity-bf16", "snapshots/weight-parity-bf16/intel-xeon-fam6-mod207-16c-nvidia-h200x1.journal.jsonl.xz"),
];

fn plan(name: &str) -> Plan {
    let text = std::fs::read_to_string(root().join(format!("plans/{name}.toml"))).expect("the plan is committed");
    Plan::parse(name, &text).expect("a plan")
}

/// The hypotheses of runs that a rule decides, with what became of them and the plan's share of what must be ok.
fn measured() -> Vec<(Rule, Ruling, f64)> {
    let all = RUNS.into_iter().flat_map(|(name, path)| {
        let plan = plan(name);
        let journal = journal::read_file(&root().join(path)).expect("the journal is committed");
        let verdict = judge(&plan, &journal).expect("a verdict");
        let floor = plan.coverage.min_ok_share;
        let rules = plan.hypotheses.into_iter().map(|hypothesis| hypothesis.kind);
        let ruled = rules.zip(verdict.hypotheses).filter_map(move |(kind, verdict)| match (kind, verdict.ruling) {
            (HypothesisKind::Ruled { rule, .. }, Some(ruling)) => Some((*rule, ruling, floor)),
            _ => None,
        });
        ruled.collect::<Vec<_>>()
    });
    all.collect()
}

/// Kinds of rules that read what is stated, of which no number of launches makes more or less.
const OF_STATEMENTS: [&str; 5] = ["licence", "matched_pairs", "single_delta", "token_parity", "weight_parity"];

#[test]
fn every_rule_over_a_run_lists_the_floors_that_its_rows_were_held_against() {
    let (mut judged, mut missing) = (BTreeSet::new(), Vec::new());
    for (rule, ruling, ok_floor) in measured() {
        let kind = rule.kind();
        judged.insert(kind.to_owned());
        let lists = |name: &str, value: f64| ruling.thresholds.iter().any(|it| it.name == name && it.value == value);
        if lists("min_launches", 3.0) == OF_STATEMENTS.contains(&kind) {
            missing.push(format!("{kind}, launches: {:?}", ruling.thresholds));
        }
        let times = ["ms", "mean_ms", "sd_ms", "cv"];
        let takes_times = rule.columns().iter().any(|read| times.contains(&read.column.as_str()));
        if takes_times && !lists("min_ok_share", ok_floor) {
            missing.push(format!("{kind}, ok share: {:?}", ruling.thresholds));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let plans =
        std::fs::read_dir(root().join("plans")).expect("there are plans").map(|file| file.expect("a file").path());
    let asked: BTreeSet<String> = plans
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).expect("a plan is text");
            match PlanFile::parse(&path.display().to_string(), &text).expect("a shipped plan is one") {
                PlanFile::Measured(plan) => Some(plan.hypotheses),
                PlanFile::Published(_) => None,
            }
        })
        .flatten()
        .filter_map(|hypothesis| match hypothesis.kind {
            HypothesisKind::Ruled { rule, .. } => Some(rule.kind().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(judged, asked, "what is judged here, and what plans of runs ask for");
}

#[test]
fn every_rule_lists_the_rows_and_all_numbers_of_its_hypothesis() {
    let of_runs = measured().into_iter().map(|(rule, ruling, _)| (rule, ruling));
    let all: Vec<(Rule, Ruling)> = published().into_iter().chain(others()).chain(of_runs).collect();
    let (mut applied, mut excused) = (BTreeSet::new(), BTreeSet::new());
    let mut missing = Vec::new();
    for (rule, ruling) in &all {
        let kind = rule.kind();
        if ruling.standing != Standing::Invalid {
            applied.insert(kind.to_owned());
        }
        // A rule over a table that nobody printed has no row to rest on, and says so.
        let unprinted = ruling.standing == Standing::Invalid && ruling.reasons[0].starts_with("no table ");
        if ruling.rests_on.is_empty() && !unprinted {
            missing.push(format!("{kind} rests on no row: {ruling:?}"));
        }
        for (name, value, _) in rule.thresholds() {
            if let Some(at) = NO_THRESHOLDS.iter().position(|(of, number, _)| *of == kind && name.starts_with(number)) {
                excused.insert(at);
            } else if !lists(ruling, &name, value) {
                missing.push(format!("{kind}: {name} = {value} is not listed: {:?}", ruling.thresholds));
            }
        }
        let is_tested = ruling.tests.iter().any(|test| test.p.is_some() || test.interval.is_some());
        let level = ruling.thresholds.iter().any(|it| ["alpha", "confidence"].contains(&it.name.as_str()));
        if is_tested && !level {
            missing.push(format!("{kind} has tests and lists no level: {:?}", ruling.thresholds));
        }
        let names: Vec<&str> = ruling.thresholds.iter().map(|listed| listed.name.as_str()).collect();
        let once: BTreeSet<&str> = names.iter().copied().collect();
        if once.len() != names.len() && kind != "licence" {
            missing.push(format!("{kind} lists a name twice: {names:?}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert_eq!(excused.len(), NO_THRESHOLDS.len(), "an excuse that nothing needs");
    let unseen: Vec<String> = kinds().difference(&applied).cloned().collect();
    assert!(unseen.is_empty(), "no example is judged of {unseen:?}");
}

#[test]
fn a_number_that_the_plan_changes_changes_what_is_listed() {
    let listed = |rule: &str| {
        let design = design("power = 0.8", &[rule]);
        let rows = json!([{ "key": "a", "up": 1.9, "pct": 95.0 }]);
        rulings(&design, &imported(&design, Kind::Table, &[table("t", "percent", &rows)])).remove(0).thresholds
    };
    let efficiency = |agents: u64| {
        let text = "kind = \"parallel_efficiency\"\nrows = { table = \"t\" }\nkey = [\"key\"]\nspeedup = \"up\"\nefficiency = \"pct\"\n";
        listed(&format!("{text}agents = {agents}"))
    };
    let agents = |value: f64| vec![Threshold { name: "agents".to_owned(), value, unit: "count".to_owned() }];
    assert_eq!([efficiency(2), efficiency(4)], [agents(2.0), agents(4.0)]);
}

#[test]
fn strict_parity_is_among_the_rows_of_a_promotion() {
    let treni = published().into_iter().filter(|(rule, _)| rule.kind() == "promotion");
    let rests: Vec<Value> = treni.map(|(rule, ruling)| json!([rule.selections().last(), ruling.rests_on])).collect();
    assert!(!rests.is_empty());
    for found in rests {
        let table = found[0]["table"].as_str().expect("a table");
        let rows = found[1].as_array().expect("rows");
        assert!(rows.iter().any(|row| row.as_str().is_some_and(|row| row.starts_with(table))), "{found}");
    }
}
