//! From what stands in a plan file to a plan whose invariants hold.

use std::collections::BTreeSet;

use super::check_hypothesis::check_hypotheses;
use super::check_workload::check_workloads;
use super::document::Document;
use super::hub;
use super::raw_plan::{RawPlan, RawPlannedLane, RawRun};
use super::{
    Coverage, Error, ModelSpec, Plan, PlannedLane, RunSettings, StatisticsSettings, Workload, expected_failure,
};
use crate::terms::{is_name, nearest};

/// The format version that this build reads and writes.
const SCHEMA: u32 = 1;

/// Most launches, repetitions or warmups.
const MAX_COUNT: u32 = 10_000;

/// Most rows that a plan may ask for; the schedule and the journal hold each of them.
const MAX_ROWS: u64 = 1_000_000;

/// Most prompt tokens over all cells, which are held at once.
const MAX_PROMPT_TOKENS: u64 = 1 << 24;

/// Most runs that may be asked to confirm one; each costs as much as the first.
const MAX_CONFIRMATIONS: u32 = 10;

pub(super) fn check(document: &Document<'_>, raw: RawPlan) -> Result<Plan, Error> {
    let RawPlan {
        schema,
        name,
        description,
        seed,
        model,
        run,
        workloads,
        lanes,
        hypotheses,
        statistics,
        coverage,
        gate,
        expected_failures: expected,
        stated,
    } = raw;
    schema_version(document, schema)?;
    self::name(document, "name", &name)?;
    check_model(document, &model)?;
    check_statistics(document, &statistics, &coverage)?;
    let run = check_run(document, run)?;
    let workloads = check_workloads(document, workloads, &model)?;
    let lanes = check_lanes(document, lanes, &run)?;
    check_totals(document, &workloads, &lanes)?;
    check_reach(document, &coverage, &lanes)?;
    let hypotheses = check_hypotheses(document, hypotheses, &lanes, &workloads)?;
    range(document, "gate.confirm_by_rerun", gate.confirm_by_rerun, 0, MAX_CONFIRMATIONS)?;
    let expected_failures = Vec::new();
    let mut plan = Plan {
        name,
        description,
        seed,
        model,
        run,
        workloads,
        lanes,
        hypotheses,
        statistics,
        coverage,
        gate,
        expected_failures,
        stated,
    };
    plan.expected_failures = expected_failure::check(document, expected, &plan)?;
    Ok(plan)
}

pub(super) fn schema_version(document: &Document<'_>, schema: u32) -> Result<(), Error> {
    if schema == SCHEMA {
        return Ok(());
    }
    let hint = if schema > SCHEMA { "use a newer lockstep" } else { "see the README for the current format" };
    let message = format!("format version {schema} is not {SCHEMA}, the one this build reads");
    Err(document.fault("schema", message, Some(hint.to_owned())))
}

/// A name is also a file name: it may hold no separator and no dot file.
pub(super) fn name(document: &Document<'_>, path: &str, name: &str) -> Result<(), Error> {
    if is_name(name) {
        return Ok(());
    }
    let message = format!(
        "{name:?} is no name: expected up to 80 letters, digits, `-`, `_`, `.` or `+`, a letter or digit first"
    );
    Err(document.fault(path, message, None))
}

pub(super) fn range(document: &Document<'_>, path: &str, value: u32, least: u32, most: u32) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(document.fault(path, format!("{value} is out of range: expected {least} to {most}"), None))
}

/// `value` must lie in the open interval, which also keeps NaN out.
pub(super) fn between(document: &Document<'_>, path: &str, value: f64, above: f64, below: f64) -> Result<(), Error> {
    if value > above && value < below {
        return Ok(());
    }
    Err(document.fault(path, format!("{value} is out of range: expected above {above} and below {below}"), None))
}

/// No value twice.
pub(super) fn unique<'a>(
    document: &Document<'_>,
    list: &str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            return Err(document.fault(&format!("{list}[{index}].name"), format!("{name:?} stands twice"), None));
        }
    }
    Ok(())
}

fn check_model(document: &Document<'_>, model: &ModelSpec) -> Result<(), Error> {
    name(document, "model.name", &model.name)?;
    range(document, "model.vocab_size", model.vocab_size, 2, 1 << 24)?;
    hub::check(document, model)?;
    let Some(synthetic) = &model.synthetic else { return Ok(()) };
    let known = ["gpt2", "qwen2", "llama"];
    if !known.contains(&synthetic.architecture.as_str()) {
        let hint = match nearest(&synthetic.architecture, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", known.join(", ")),
        };
        let message = format!("unknown architecture {:?}", synthetic.architecture);
        return Err(document.fault("model.synthetic.architecture", message, Some(hint)));
    }
    if let Some(dtype) = synthetic.dtype.as_deref().filter(|dtype| !["f32", "bf16"].contains(dtype)) {
        let message = format!("unknown number format {dtype:?}");
        return Err(document.fault("model.synthetic.dtype", message, Some("known: f32, bf16".to_owned())));
    }
    if let Some(theta) = synthetic.rope_theta {
        range(document, "model.synthetic.rope_theta", theta, 1, 1 << 30)?;
    }
    for (key, value, most) in [
        ("hidden_size", synthetic.hidden_size, 1 << 15),
        ("intermediate_size", synthetic.intermediate_size, 1 << 17),
        ("layers", synthetic.layers, 1 << 10),
        ("heads", synthetic.heads, 1 << 10),
        ("kv_heads", synthetic.kv_heads, 1 << 10),
        ("max_positions", synthetic.max_positions, 1 << 21),
    ] {
        range(document, &format!("model.synthetic.{key}"), value, 1, most)?;
    }
    Ok(())
}

fn check_statistics(
    document: &Document<'_>,
    statistics: &StatisticsSettings,
    coverage: &Coverage,
) -> Result<(), Error> {
    let StatisticsSettings { alpha, power, bootstrap_resamples, bootstrap_seed: _, band_pct } = statistics;
    between(document, "statistics.alpha", *alpha, 0.0, 0.5)?;
    between(document, "statistics.power", *power, 0.5, 1.0)?;
    between(document, "statistics.band_pct", *band_pct, 0.0, 1_000.0)?;
    range(document, "statistics.bootstrap_resamples", *bootstrap_resamples, 100, 1_000_000)?;
    range(document, "coverage.min_launches", coverage.min_launches, 0, MAX_COUNT)?;
    if !(0.0..=1.0).contains(&coverage.min_ok_share) {
        let message = format!("{} is out of range: expected 0 to 1", coverage.min_ok_share);
        return Err(document.fault("coverage.min_ok_share", message, None));
    }
    Ok(())
}

fn check_run(document: &Document<'_>, run: RawRun) -> Result<RunSettings, Error> {
    let RawRun {
        launches,
        repetitions,
        warmup,
        order,
        breakdowns,
        launch_statistic,
        busy_limit_pct,
        floor_ns_per_forward,
        min_two_process_speedup,
    } = run;
    range(document, "run.launches", launches, 1, MAX_COUNT)?;
    range(document, "run.repetitions", repetitions, 1, MAX_COUNT)?;
    range(document, "run.warmup", warmup, 0, MAX_COUNT)?;
    range(document, "run.breakdowns", breakdowns, 1, 100)?;
    between(document, "run.busy_limit_pct", busy_limit_pct, 0.0, 100.0)?;
    if let Some(floor) = min_two_process_speedup {
        between(document, "run.min_two_process_speedup", floor, 1.0, 2.0)?;
    }
    Ok(RunSettings {
        launches,
        repetitions,
        warmup,
        order,
        breakdowns,
        launch_statistic,
        busy_limit_pct,
        floor_ns_per_forward,
        min_two_process_speedup,
    })
}

/// What a plan asks for as a whole must fit into memory and journal.
fn check_totals(document: &Document<'_>, workloads: &[Workload], lanes: &[PlannedLane]) -> Result<(), Error> {
    let cells_of = |workload: &Workload| {
        let combinations = workload.axes.values().fold(1_u64, |all, values| all.saturating_mul(values.len() as u64));
        combinations.saturating_mul(workload.phases.len() as u64)
    };
    let cells = workloads.iter().map(cells_of).fold(0_u64, u64::saturating_add);
    let repetitions: u64 = lanes.iter().map(|lane| u64::from(lane.launches) * u64::from(lane.repetitions)).sum();
    let rows = cells.saturating_mul(repetitions);
    if rows > MAX_ROWS {
        let message = format!("the plan asks for {rows} rows: expected up to {MAX_ROWS}");
        let hint = "lower `launches` or `repetitions`, or split the plan".to_owned();
        return Err(document.fault("run.repetitions", message, Some(hint)));
    }
    let tokens = |workload: &Workload| workload.prompt.count().saturating_mul(cells_of(workload));
    let prompt_tokens: u64 = workloads.iter().map(tokens).sum();
    if prompt_tokens > MAX_PROMPT_TOKENS {
        let message = format!("the cells hold {prompt_tokens} prompt tokens: expected up to {MAX_PROMPT_TOKENS}");
        return Err(document.fault("workload", message, Some("shorten prompts, or split the plan".to_owned())));
    }
    Ok(())
}

/// A floor above what is planned could never be met, and the verdict would always abstain.
fn check_reach(document: &Document<'_>, coverage: &Coverage, lanes: &[PlannedLane]) -> Result<(), Error> {
    match lanes.iter().find(|lane| lane.launches < coverage.min_launches) {
        None => Ok(()),
        Some(PlannedLane { name, launches, .. }) if document.has("coverage.min_launches") => {
            let message = format!("{} is more than the {launches} launches of lane {name:?}", coverage.min_launches);
            let hint = "lower it, or plan more launches".to_owned();
            Err(document.fault("coverage.min_launches", message, Some(hint)))
        }
        Some(PlannedLane { name, launches, .. }) => {
            let floor = coverage.min_launches;
            let message =
                format!("lane {name:?} has {launches}, and no effect on time is decided by fewer than {floor}");
            let hint = format!("plan {floor} or more; where only failures are counted, state coverage.min_launches");
            Err(document.fault("run.launches", message, Some(hint)))
        }
    }
}

fn check_lanes(
    document: &Document<'_>,
    raw: Vec<RawPlannedLane>,
    run: &RunSettings,
) -> Result<Vec<PlannedLane>, Error> {
    if raw.is_empty() {
        return Err(document.fault("lane", "a plan needs at least one [[lane]]", None));
    }
    unique(document, "lane", raw.iter().map(|lane| lane.name.as_str()))?;
    let mut lanes = Vec::with_capacity(raw.len());
    for (index, lane) in raw.into_iter().enumerate() {
        let at = |key: &str| format!("lane[{index}].{key}");
        let RawPlannedLane { name, optional, launches, repetitions, warmup, max_model_mib, telemetry } = lane;
        self::name(document, &at("name"), &name)?;
        let launches = launches.unwrap_or(run.launches);
        let repetitions = repetitions.unwrap_or(run.repetitions);
        let warmup = warmup.unwrap_or(run.warmup);
        range(document, &at("launches"), launches, 1, MAX_COUNT)?;
        range(document, &at("repetitions"), repetitions, 1, MAX_COUNT)?;
        range(document, &at("warmup"), warmup, 0, MAX_COUNT)?;
        lanes.push(PlannedLane { name, optional, launches, repetitions, warmup, max_model_mib, telemetry });
    }
    Ok(lanes)
}
