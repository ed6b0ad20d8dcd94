//! How far each verdict of a committed run depends on what might as well have been chosen otherwise.

mod committed;
mod gpu_runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;

use gpu_runs::{file, names, plan_and_journal, root};
use lockstep::journal::{self, Journal, Record};
use lockstep::plan::Plan;
use lockstep::terms::Outcome;
use lockstep::verdict::judge;

/// The journal as if its rows had been made under this plan.
fn under(plan: &Plan, journal: &Journal) -> Journal {
    let mut records = journal.records.clone();
    let digest = plan.digest();
    for record in &mut records {
        match record {
            Record::Header(header) => header.plan_sha256 = digest,
            Record::Row(row) => row.plan = digest,
            _ => {}
        }
    }
    let (mut rows, mut before) = (0, 0);
    for record in &mut records {
        if let Record::Seal(seal) = record {
            (seal.rows, seal.records) = (rows, before);
        }
        rows += u64::from(matches!(record, Record::Row(_)));
        before += 1;
    }
    journal::read(&journal::encode(&records).expect("records")).expect("a journal")
}

/// Without the first repetition of each cell in each launch; where that broke its process it stays, and the last one goes. The time
/// that it took is the next one's to wait, so that the launch is filled as it was.
fn without_first(journal: &Journal, repetitions: u32) -> Journal {
    let mut broke = BTreeSet::new();
    for row in journal.rows().map(|(_, row)| row).filter(|row| row.rep == 0 && row.outcome == Outcome::Crashed) {
        broke.insert((row.block, row.cell.clone()));
    }
    let (mut left, mut waited) = (journal.clone(), BTreeMap::new());
    left.records.retain_mut(|record| match record {
        Record::Row(row) if broke.contains(&(row.block, row.cell.clone())) => row.rep + 1 < repetitions,
        Record::Row(row) if row.rep == 0 => {
            waited.insert((row.launch, row.cell.clone()), row.outside_ns.unwrap_or(0));
            false
        }
        Record::Row(row) => {
            let before = waited.remove(&(row.launch, row.cell.clone())).unwrap_or(0);
            row.outside_ns = row.outside_ns.map(|own| own + before);
            row.rep -= 1;
            true
        }
        _ => true,
    });
    left
}

fn changed(name: &str, from: &str, to: &str) -> Plan {
    let text = read_to_string(root().join("plans").join(format!("{name}.toml"))).expect("its plan is shipped");
    assert!(text.contains(from), "{name} has no {from:?}");
    Plan::parse(name, &text.replacen(from, to, 1)).expect("a plan")
}

fn results(plan: &Plan, journal: &Journal) -> Vec<String> {
    let verdict = judge(plan, &under(plan, journal)).expect("a verdict");
    verdict.hypotheses.iter().map(|hypothesis| hypothesis.result().to_owned()).collect()
}

/// The plan where eager work has to hold still over the blocks, or nothing where that asks for no more than it does.
fn eager_held(plan: &Plan) -> Option<Plan> {
    let mut held = plan.clone();
    for workload in &mut held.workloads {
        if workload.axes.get("compile_mode").is_some_and(|modes| modes.iter().any(|mode| mode == "eager")) {
            workload.steady_within_pct = Some(workload.steady_within_pct.map_or(5.0, |limit| limit.min(5.0)));
        }
    }
    (held != *plan).then_some(held)
}

#[test]
fn how_far_each_verdict_depends_on_trim_warm_up_seed_and_a_control_over_blocks_is_as_committed() {
    let titles = [
        "run",
        "hypothesis",
        "as registered",
        "means, not medians",
        "first repetition left out",
        "another seed",
        "eager work held within 5 % over the blocks",
    ];
    let mut text = format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for name in names() {
        let (plan, journal) = plan_and_journal(&name);
        let means = changed(&name, "[run]\n", "[run]\nlaunch_statistic = \"mean\"\n");
        let seed = changed(&name, "[model]\n", "[statistics]\nbootstrap_seed = 7\n\n[model]\n");
        let repetitions = plan.run.repetitions;
        let all = |same: &str| vec![same.to_owned(); plan.hypotheses.len()];
        let without_first = match repetitions {
            1 => all("one repetition"),
            _ => {
                let stated = |repetitions| format!("\nrepetitions = {repetitions}\n");
                let fewer = changed(&name, &stated(repetitions), &stated(repetitions - 1));
                results(&fewer, &without_first(&journal, repetitions))
            }
        };
        let held = eager_held(&plan).map_or_else(|| all("no eager work"), |held| results(&held, &journal));
        let columns =
            [results(&plan, &journal), results(&means, &journal), without_first, results(&seed, &journal), held];
        for (number, hypothesis) in plan.hypotheses.iter().enumerate() {
            let found: Vec<&str> = columns.iter().map(|column| column[number].as_str()).collect();
            text.push_str(&format!("| {name} | {} | {} |\n", hypothesis.name, found.join(" | ")));
        }
    }
    committed::follows(&file("sensitivity", "md"), &text);
}
