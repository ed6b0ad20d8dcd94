//! How often work of the base slice crashed or fell back on the GPU, of every committed run together: by phase, cache, mode and
//! length, counted by launch, with exact intervals.

mod committed;
mod gpu_runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use gpu_runs::{file, names, plan_and_journal};
use lockstep::plan::Plan;
use lockstep::stats::{Confidence, Proportion, clopper_pearson};
use lockstep::terms::{Cell, CellId, Outcome, Phase};

/// The slice that the matrix begins with: bfloat16, nothing open, nothing marked, nothing padded.
const BASE: [(&str, &str); 3] = [("dtype", "bf16"), ("dynamic", "false"), ("cudagraph_mark_step", "false")];
const MODES: [&str; 4] = ["eager", "aot_eager", "default", "reduce-overhead"];

/// Phase, cache, place of the mode, and tokens: of the prompt for prefill, else new ones.
type Place = (Phase, String, usize, u32);

/// What the launches of all runs came to.
#[derive(Default)]
struct Came {
    launches: u64,
    crashed: u64,
    fell_back: u64,
    cells: BTreeSet<CellId>,
}

fn is_of_the_model(plan: &Plan) -> bool {
    plan.model.name == "qwen2.5-1.5b-dimensions" && plan.model.synthetic.as_ref().is_some_and(|spec| spec.layers == 28)
}

fn place(cell: &Cell) -> Option<Place> {
    let is_base = BASE.iter().all(|(axis, value)| cell.axes.get(*axis).is_some_and(|fixed| fixed == value));
    let mode = MODES.iter().position(|mode| cell.axes.get("compile_mode").is_some_and(|fixed| fixed == mode))?;
    let cache = cell.axes.get("cache")?.to_owned();
    let tokens = if cell.phase == Phase::Prefill { cell.prompt.len() as u32 } else { cell.new_tokens };
    (is_base && cell.axes.len() == BASE.len() + 2).then_some((cell.phase, cache, mode, tokens))
}

fn counted() -> BTreeMap<Place, Came> {
    let mut found: BTreeMap<Place, Came> = BTreeMap::new();
    for name in names() {
        let (plan, journal) = plan_and_journal(&name);
        if !is_of_the_model(&plan) {
            continue;
        }
        let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
        // A process that did several cells of a place is one launch of it.
        let mut by_launch: BTreeMap<_, (BTreeSet<Outcome>, BTreeSet<CellId>)> = BTreeMap::new();
        for (segment, row) in journal.rows() {
            let tried = !matches!(row.outcome, Outcome::Refused | Outcome::Skipped);
            let (Some(launch), Some(place)) = (row.launch.filter(|_| tried), place(&cells[&row.cell])) else {
                continue;
            };
            let (outcomes, ids) = by_launch.entry((place, segment, launch)).or_default();
            outcomes.insert(row.outcome);
            ids.insert(row.cell.clone());
        }
        for ((place, ..), (outcomes, ids)) in by_launch {
            let came = found.entry(place).or_default();
            came.launches += 1;
            came.crashed += u64::from(outcomes.contains(&Outcome::Crashed));
            came.fell_back += u64::from(outcomes.contains(&Outcome::FellBack));
            came.cells.extend(ids);
            let known = [Outcome::Ok, Outcome::Crashed, Outcome::FellBack];
            assert!(outcomes.iter().all(|outcome| known.contains(outcome)), "{name}: {outcomes:?}");
        }
    }
    found
}

fn rate(hits: u64, launches: u64) -> String {
    let proportion = Proportion::new(hits, launches).expect("launches");
    let exact = clopper_pearson(proportion, Confidence::new(0.95).expect("a level")).expect("an interval");
    format!("{hits} of {launches} [{:.2}, {:.2}]", exact.low, exact.high)
}

#[test]
fn the_table_of_rates_is_what_the_rows_of_all_runs_give() {
    let mut text = String::from(
        "| phase | cache | mode | tokens | launches that crashed | that fell back | cells |\n|---|---|---|---|---|---|---|\n",
    );
    for ((phase, cache, mode, tokens), came) in counted() {
        let (crashed, fell_back) = (rate(came.crashed, came.launches), rate(came.fell_back, came.launches));
        let cells: Vec<String> = came.cells.iter().map(ToString::to_string).collect();
        let mode = MODES[mode];
        writeln!(text, "| {phase} | {cache} | {mode} | {tokens} | {crashed} | {fell_back} | {} |", cells.join(", "))
            .expect("text");
    }
    committed::follows(&file("rates", "md"), &text);
}

/// The whole of the base slice was run, and failures stand over the growing cache alone.
#[test]
fn the_base_slice_is_complete_and_nothing_fails_over_a_static_cache_or_in_one_pass() {
    let found = counted();
    for phase in [Phase::Prefill, Phase::KvDecode, Phase::E2eKv] {
        for cache in ["dynamic", "static"] {
            for (mode, name) in MODES.iter().enumerate() {
                for tokens in [1, 8, 32, 64, 96, 128, 256, 512] {
                    let place = (phase, cache.to_owned(), mode, tokens);
                    let came = found.get(&place).unwrap_or_else(|| panic!("{place:?} was not run"));
                    let passes = match phase {
                        Phase::Prefill => 1,
                        Phase::KvDecode => tokens + 1,
                        Phase::E2eKv => tokens,
                    };
                    let (crashes, falls_back) = match (cache, *name) {
                        ("dynamic", "reduce-overhead") => (passes > 1, false),
                        ("dynamic", "default" | "aot_eager") => (false, passes > 8),
                        _ => (false, false),
                    };
                    let expected = [crashes, falls_back].map(|fails| if fails { came.launches } else { 0 });
                    assert_eq!([came.crashed, came.fell_back], expected, "{place:?}");
                }
            }
        }
    }
}

/// Three launches of each model say little of it; all of them together say what the mean rate over the models can be, since as many
/// trials with rates of their own are the likeliest to come out all alike where the rates are.
#[test]
fn over_nine_other_models_a_growing_cache_crashed_in_every_launch_and_a_static_one_in_none() {
    let mut came: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    let patterns: Vec<String> = names().into_iter().filter(|name| name.starts_with("pattern-")).collect();
    assert_eq!(patterns.len(), 9);
    for name in patterns {
        let (plan, journal) = plan_and_journal(&name);
        let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
        let mut by_launch: BTreeMap<_, bool> = BTreeMap::new();
        for (segment, row) in journal.rows().filter(|(_, row)| row.outcome != Outcome::Skipped) {
            let axes = &cells[&row.cell].axes;
            let replayed = cells[&row.cell].phase == Phase::KvDecode && axes["compile_mode"] == "reduce-overhead";
            if let Some(launch) = row.launch.filter(|_| replayed) {
                *by_launch.entry((axes["cache"].clone(), segment, launch)).or_default() |= row.outcome != Outcome::Ok;
            }
        }
        for ((cache, ..), failed) in by_launch {
            let [failures, launches] = came.entry(cache).or_default();
            *failures += u64::from(failed);
            *launches += 1;
        }
    }
    let rates: Vec<(&str, String)> =
        came.iter().map(|(cache, [failures, launches])| (&**cache, rate(*failures, *launches))).collect();
    assert_eq!(rates, [("dynamic", "27 of 27 [0.87, 1.00]".to_owned()), ("static", "0 of 27 [0.00, 0.13]".to_owned())]);
}
