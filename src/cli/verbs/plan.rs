//! `lockstep plan PLAN`.

use super::run::want_of_control;
use crate::cli::assemble::check_cells;
use crate::cli::output::{Format, emit, emit_json, style};
use crate::cli::project::FoundLane;
use crate::cli::{Error, Exit, Project};
use crate::plan::{ExpectedFailure, Plan, PlanFile, PlannedLaunch, Schedule};
use crate::report;
use crate::terms::{Cell, Digest};

/// Options of `plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep plan\n  lockstep plan quickstart")]
pub(in crate::cli) struct Options {
    /// Name of a plan, or a file ending in .toml; without one the plans are listed.
    plan: Option<String>,
    /// How the plan is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A plan as `--format json` prints it.
#[derive(serde::Serialize)]
struct Expanded<'a> {
    plan: &'a Plan,
    sha256: Digest,
    source: &'a str,
    cells: Vec<(String, &'a Cell)>,
    launches: Vec<(u32, u32, String, usize)>,
}

/// A plan as the list shows it; the design of a published report has no lanes.
#[derive(serde::Serialize)]
struct Listed {
    name: String,
    source: String,
    sha256: Digest,
    lanes: Vec<String>,
    description: String,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let Some(name) = &options.plan else { return list(project, options.format) };
    let (plan, found) = project.plan(name)?;
    // What would run is nothing where `run` refuses it.
    let lanes = plan.lanes.iter().map(|lane| project.lane(&lane.name)).collect::<Result<Vec<_>, _>>()?;
    check_cells(&plan, &lanes)?;
    let cells = plan.cells()?;
    let schedule = Schedule::of(&plan, &plan.stages());
    match options.format {
        Format::Json => emit_json(&Expanded {
            plan: &plan,
            sha256: plan.digest(),
            source: &found.source,
            cells: cells.iter().map(|cell| (cell.id().to_string(), cell)).collect(),
            launches: schedule.launches.iter().map(summary).collect(),
        })?,
        Format::Text => emit(&text(&plan, &found.source, &lanes, (&cells, &schedule)))?,
    }
    Ok(Exit::AsExpected)
}

fn list(project: &Project, format: Format) -> Result<Exit, Error> {
    let mut listed = Vec::new();
    for name in project.names("plans") {
        let (plan, found) = project.plan_file(&name)?;
        let sha256 = plan.digest();
        let (lanes, description) = match plan {
            PlanFile::Measured(plan) => (plan.lanes.iter().map(|lane| lane.name.clone()).collect(), plan.description),
            PlanFile::Published(design) => (Vec::new(), design.description),
        };
        listed.push(Listed { name, source: found.source, sha256, lanes, description });
    }
    match format {
        Format::Json => emit_json(&listed)?,
        Format::Text => {
            let lanes = |plan: &Listed| match plan.lanes.len() {
                0 => "judged only".to_owned(),
                count => count.to_string(),
            };
            let row = |plan: Listed| {
                let lanes = lanes(&plan);
                vec![plan.name, plan.source, lanes, plan.description]
            };
            let rows: Vec<Vec<String>> = listed.into_iter().map(row).collect();
            emit(&report::table(&["plan", "source", "lanes", "what it decides"], &rows, style()))?;
        }
    }
    Ok(Exit::AsExpected)
}

fn summary(launch: &PlannedLaunch) -> (u32, u32, String, usize) {
    (launch.block, launch.position, launch.lane.clone(), launch.repetitions.len())
}

fn text(plan: &Plan, source: &str, lanes: &[FoundLane], (cells, schedule): (&[Cell], &Schedule)) -> String {
    let mut text = format!("plan {} ({source})\n{}\n{}\n\n", plan.name, plan.description, plan.digest());
    let rows: Vec<Vec<String>> = cells
        .iter()
        .map(|cell| {
            let Cell { phase, workload, prompt, new_tokens, axes, .. } = cell;
            let axes: Vec<String> = axes.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
            vec![
                cell.id().to_string(),
                phase.to_string(),
                workload.clone(),
                prompt.len().to_string(),
                new_tokens.to_string(),
                axes.join(" "),
            ]
        })
        .collect();
    text.push_str(&report::table(
        &["cell", "phase", "workload", "prompt tokens", "new tokens", "axes"],
        &rows,
        style(),
    ));
    let rows: Vec<Vec<String>> = plan
        .lanes
        .iter()
        .map(|lane| {
            let optional = if lane.optional { "optional" } else { "required" };
            let repetitions = u64::from(lane.launches) * u64::from(lane.repetitions) * cells.len() as u64;
            vec![
                lane.name.clone(),
                optional.to_owned(),
                lane.launches.to_string(),
                lane.repetitions.to_string(),
                lane.warmup.to_string(),
                repetitions.to_string(),
            ]
        })
        .collect();
    text.push('\n');
    let headers = ["lane", "", "launches", "repetitions a launch", "warmup", "rows"];
    text.push_str(&report::table(&headers, &rows, style()));
    let blocks = schedule.launches.iter().map(|launch| launch.block).max().map_or(0, |last| last + 1);
    text.push_str(&format!("\norder ({} launches in {blocks} blocks, seed {})\n", schedule.launches.len(), plan.seed));
    for block in 0..blocks {
        let lanes = schedule.launches.iter().filter(|launch| launch.block == block).map(|launch| launch.lane.as_str());
        text.push_str(&format!("  {block:>3}  {}\n", lanes.collect::<Vec<_>>().join(" → ")));
    }
    text.push_str("\nhypotheses\n");
    for hypothesis in &plan.hypotheses {
        let expected = serde_json::to_string(&hypothesis.expect).unwrap_or_default().replace(['[', ']', '"'], "");
        let expected = if expected.is_empty() { "whatever it is".to_owned() } else { expected };
        text.push_str(&format!("  {}: {} (expected: {expected})\n", hypothesis.name, hypothesis.claim));
    }
    if let Some(told) = want_of_control(plan, lanes) {
        text.push_str(&format!("\n{told}\n"));
    }
    for expected in &plan.expected_failures {
        let ExpectedFailure { lane, outcome, reason, expires, .. } = expected;
        text.push_str(&format!("\nexpected to be {outcome} until {expires}: lane {lane}: {reason}\n"));
    }
    if plan.gate.confirm_by_rerun > 0 {
        let count = plan.gate.confirm_by_rerun;
        text.push_str(&format!("\na regression in times stands when {count} further runs show it too\n"));
    }
    text
}
