//! The committed runs of a GPU, judged again without one: each journal gives the committed verdict to the byte.

mod committed;
mod gpu_runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;

use gpu_runs::{file, names, plan_and_journal, root};
use lockstep::journal::{Journal, Record, Row};
use lockstep::plan::{Lock, Plan};
use lockstep::report;
use lockstep::terms::{Digest, FailureClass, Outcome, Phase, SignalValue, canonical_json, fell_back};
use lockstep::verdict::{Finding, judge};

#[test]
fn every_run_is_sealed_and_its_verdict_follows_from_its_journal_to_the_byte() {
    let names = names();
    assert!(names.contains(&"compile-boundary".to_owned()), "{names:?}");
    for name in names {
        let (plan, journal) = plan_and_journal(&name);
        assert!(journal.sealed, "{name}");
        let again = report::json(&judge(&plan, &journal).expect("a verdict")).expect("JSON");
        committed::follows(&file(&name, "verdict.json"), &again);
    }
}

#[test]
fn every_run_names_its_executable_and_its_devices_and_rests_on_locked_lanes() {
    for name in names() {
        let (_, journal) = plan_and_journal(&name);
        for segment in journal.segments() {
            let host = segment.header.host.as_ref().expect("a host");
            assert!(segment.header.tool.is_some(), "{name}");
            assert!(host.gpus.iter().all(|gpu| gpu.uuid.starts_with("GPU-")) && !host.gpus.is_empty(), "{name}");
        }
        assert!(journal.rows().all(|(_, row)| !row.unlocked), "{name}");
    }
}

/// Locks that stand in journals, by the digest that they stand there with.
fn locks() -> BTreeMap<Digest, Lock> {
    let folder = std::fs::read_dir(root().join("tests/journals/h200/locks")).expect("there are locks");
    let read = |path: std::path::PathBuf| {
        let lock = Lock::parse(&path.display().to_string(), &read_to_string(&path).expect("text")).expect("a lock");
        (Digest::of(canonical_json(&lock).expect("JSON").as_bytes()), lock)
    };
    folder.map(|entry| read(entry.expect("it can be listed").path())).collect()
}

#[test]
fn every_runs_lanes_name_each_file_of_their_runner_or_their_executable_by_digest() {
    let locks = locks();
    let mut used = BTreeSet::new();
    for name in names() {
        let (_, journal) = plan_and_journal(&name);
        for segment in journal.segments() {
            let tool = segment.header.tool.as_ref().expect("an executable");
            for lane in &segment.header.lanes {
                let digest = lane.lock.expect("a lock");
                let lock = locks.get(&digest).unwrap_or_else(|| panic!("{name}: {} has the lock {digest}", lane.lane));
                let runner = lock.files.keys().any(|file| file.starts_with("runner/lockstep_runner/"));
                assert_eq!(lock.lane, lane.lane, "{name}");
                assert!(runner || lock.executable == Some(tool.binary), "{name}: {}", lane.lane);
                used.insert(digest);
            }
        }
    }
    assert_eq!(used.len(), locks.len(), "a lock of no run");
}

#[test]
fn every_segment_holds_what_was_typed_and_the_report_tells_it() {
    let report = read_to_string(file("REPORT", "md")).expect("there is a report");
    for name in names() {
        let (_, journal) = plan_and_journal(&name);
        assert!(journal.segments().all(|segment| !segment.header.command.is_empty()), "{name}");
        let typed = |word: &str| journal.segments().any(|s| s.header.command.iter().any(|part| part == word));
        assert!(typed(&name), "{name}: no segment was started by the plan's name");
        let told = report.lines().filter(|line| line.starts_with('|')).any(|line| {
            let (plan, run) = (format!("`{name}`"), format!("lockstep run {name}"));
            line.contains(&plan)
                && (line.contains(&run) || line.contains("likewise") || line.contains("in the journal"))
        });
        assert!(told, "{name}: the report's table of runs has no command of it");
    }
}

/// Cache and compile mode, and the tokens that were asked for.
type Asked = (String, u32);

/// Outcomes and classes, and how often each came.
type Came = BTreeMap<(Outcome, Option<FailureClass>), usize>;

fn told(plan: &Plan, journal: &Journal) -> BTreeMap<Asked, Came> {
    let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
    let mut found: BTreeMap<Asked, Came> = BTreeMap::new();
    for (_, row) in journal.rows() {
        let cell = &cells[&row.cell];
        let key = (format!("{} {}", cell.axes["cache"], cell.axes["compile_mode"]), cell.new_tokens);
        let what = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
        *found.entry(key).or_default().entry(what).or_default() += 1;
    }
    found
}

/// Runs whose compiled rows show the calls of compiled regions.
const WITH_REGION_CALLS: [&str; 6] = [
    "compile-boundary",
    "matrix-decode",
    "matrix-decode-aot-eager",
    "staticcache-rescue",
    "weight-parity",
    "weight-parity-bf16",
];

/// Of the others those with rows of `aot_eager`, which nothing but this count holds to having been called in each pass.
const AOT_EAGER_WITHOUT: [&str; 4] = ["backend-matrix", "matrix-e2e", "matrix-prefill", "weight-parity-modes"];

/// A row is what the rule made of it then; that it still does says that a rule which was tightened since would have let it pass.
#[test]
fn every_row_that_is_ok_is_proven_by_the_rule_as_it_stands() {
    let (mut compiled, mut counted, mut uncounted) = (0, BTreeSet::new(), BTreeSet::new());
    for name in names() {
        let (plan, journal) = plan_and_journal(&name);
        let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
        for (_, row) in journal.rows().filter(|(_, row)| row.outcome == Outcome::Ok) {
            let asked = cells[&row.cell].axes.get("compile_mode").map(|mode| mode.as_str().to_owned());
            let Some(SignalValue::Text(mode)) = row.evidence.get("compile_mode") else {
                assert_eq!(asked, None, "{name}: {row:?}");
                continue;
            };
            assert!(asked.is_none_or(|asked| asked == *mode), "{name}: {row:?}");
            if mode == "eager" {
                continue;
            }
            compiled += 1;
            if row.evidence.contains_key("profile.region_calls") {
                counted.insert(name.clone());
            } else {
                uncounted.insert((name.clone(), mode == "aot_eager"));
            }
            assert_eq!(fell_back(mode, &row.evidence), None, "{name}: {row:?}");
        }
    }
    assert!(compiled > 800, "{compiled}");
    assert_eq!(counted, WITH_REGION_CALLS.map(str::to_owned).into(), "runs with calls of compiled regions");
    assert!(uncounted.iter().all(|(name, _)| !counted.contains(name)), "runs that count some: {uncounted:?}");
    let of_aot_eager: Vec<&str> = uncounted.iter().filter(|(_, is_aot)| *is_aot).map(|(name, _)| &**name).collect();
    assert_eq!(of_aot_eager, AOT_EAGER_WITHOUT);
}

#[test]
fn no_output_merely_repeats_an_id() {
    for name in names() {
        let (_, journal) = plan_and_journal(&name);
        for (_, row) in journal.rows().filter(|(_, row)| row.tokens.len() >= 8) {
            let mut times: BTreeMap<_, usize> = BTreeMap::new();
            row.tokens.iter().for_each(|token| *times.entry(token).or_default() += 1);
            let most = times.values().max().copied().unwrap_or_default();
            let varied = if row.tokens.len() > 128 { times.len() > 50 } else { 2 * most < row.tokens.len() };
            assert!(
                varied,
                "{name}: {most} times the same of {}, {} different: {row:?}",
                row.tokens.len(),
                times.len()
            );
        }
    }
}

#[test]
fn compiled_rows_of_the_gpu_are_ok_by_proof_or_name_what_ran_instead() {
    let (plan, journal) = plan_and_journal("compile-boundary");
    let told = told(&plan, &journal);
    let of = |mode: &str, tokens: u32| told[&(mode.to_owned(), tokens)].clone();
    let crashed = (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten));
    let given_up = (Outcome::Skipped, Some(FailureClass::Launch));
    for tokens in [1, 8] {
        let came = of("dynamic reduce-overhead", tokens);
        assert_eq!(came, Came::from([(crashed, 7), (given_up, 14)]), "{tokens} tokens");
    }
    let fell_back = (Outcome::FellBack, Some(FailureClass::RecompileLimit));
    assert_eq!(of("dynamic default", 8), Came::from([(fell_back, 21)]));
    for mode in ["static default", "static reduce-overhead", "static eager", "dynamic eager"] {
        assert_eq!(of(mode, 8), Came::from([((Outcome::Ok, None), 21)]), "{mode}");
    }
    assert_replayed(&journal);
    let verdict = judge(&plan, &journal).expect("a verdict");
    let [control] = &verdict.block_controls[..] else { panic!("{:?}", verdict.block_controls) };
    assert_eq!((control.finding, control.launches), (Finding::Equivalent, [3, 4]));
    let found: Vec<_> = verdict.hypotheses.iter().map(|one| (&*one.name, one.result())).collect();
    let expected = [
        ("reduce-overhead-dynamic-crashes", "everywhere"),
        ("default-dynamic-falls-back", "flipped"),
        ("static-cache-rescue", "rescued"),
        ("static-reduce-overhead-decode", "strong_win"),
        ("static-default-decode", "strong_win"),
    ];
    assert_eq!(found, expected);
}

/// Every row that asks for CUDA graphs and is ok shows that some were replayed.
fn assert_replayed(journal: &Journal) {
    let ok = journal.records.iter().filter_map(|record| match record {
        Record::Row(row) if row.outcome == Outcome::Ok => Some(row),
        _ => None,
    });
    let replayed: Vec<&Box<Row>> =
        ok.filter(|row| row.evidence["compile_mode"] == SignalValue::from("reduce-overhead")).collect();
    assert!(!replayed.is_empty());
    for row in replayed {
        assert!(matches!(row.evidence["cuda_graphs.replays"], SignalValue::Int(1..)), "{row:?}");
    }
}

#[test]
fn compiled_prefill_and_decoding_are_proven_in_every_row() {
    let (plan, journal) = plan_and_journal("phase-separation");
    let told = told(&plan, &journal);
    assert_eq!(told.len(), 7);
    assert!(told.values().all(|came| came.keys().eq([&(Outcome::Ok, None)])), "{told:?}");
    assert_replayed(&journal);
    let verdict = judge(&plan, &journal).expect("a verdict");
    let still: Vec<Finding> = verdict.block_controls.iter().map(|control| control.finding).collect();
    assert_eq!(still, [Finding::Equivalent]);
}

#[test]
fn prefill_was_done_by_compiled_code_at_every_length_under_either_cache() {
    let (plan, journal) = plan_and_journal("matrix-prefill");
    let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
    assert_eq!((cells.len(), journal.rows().count()), (64, 64));
    assert!(journal.rows().all(|(_, row)| row.outcome == Outcome::Ok));
    let lengths: BTreeSet<usize> = cells.values().map(|cell| cell.prompt.len()).collect();
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [1, 8, 32, 64, 96, 128, 256, 512]);
    assert_replayed(&journal);
}

#[test]
fn decoding_crashed_or_fell_back_over_a_growing_cache_at_every_length_past_one_pass_and_never_over_a_static_one() {
    let mut asked = BTreeSet::new();
    for (name, cells_of_it) in [("matrix-decode", 48), ("matrix-decode-aot-eager", 16)] {
        let (plan, journal) = plan_and_journal(name);
        let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
        assert_eq!((cells.len(), journal.rows().count()), (cells_of_it, cells_of_it));
        for (_, row) in journal.rows() {
            let cell = &cells[&row.cell];
            let (cache, mode) = (cell.axes["cache"].as_str(), cell.axes["compile_mode"].as_str());
            asked.insert((cache.to_owned(), mode.to_owned(), cell.new_tokens));
            let expected = match (cache, mode, cell.new_tokens) {
                ("dynamic", "reduce-overhead", _) => (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten)),
                // Decoding eight tokens is nine passes, one more than the compiler makes graphs for.
                ("dynamic", "default" | "aot_eager", 8..) => (Outcome::FellBack, Some(FailureClass::RecompileLimit)),
                _ => (Outcome::Ok, None),
            };
            let came = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
            assert_eq!(came, expected, "{:?} {} tokens", cell.axes, cell.new_tokens);
            if row.outcome == Outcome::Ok && mode != "eager" {
                // Of the timed passes alone: the prompt's is not profiled.
                assert_eq!(row.evidence["profile.region_calls"], row.evidence["profile.passes"], "{row:?}");
                let passes = SignalValue::from(i64::from(cell.new_tokens.min(64)));
                assert_eq!(row.evidence["profile.passes"], passes, "{row:?}");
            }
        }
    }
    assert_eq!(asked.len(), 64, "cache x mode x length");
    assert_replayed(&plan_and_journal("matrix-decode").1);
}

#[test]
fn a_prompt_and_its_tokens_crashed_or_fell_back_over_a_growing_cache_past_as_many_passes_as_graphs() {
    let (plan, journal) = plan_and_journal("matrix-e2e");
    let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
    assert_eq!((cells.len(), journal.rows().count()), (64, 64));
    for (_, row) in journal.rows() {
        let cell = &cells[&row.cell];
        let expected = match (cell.axes["cache"].as_str(), cell.axes["compile_mode"].as_str(), cell.new_tokens) {
            // A prompt and its first token are one pass, which nothing overwrites.
            ("dynamic", "reduce-overhead", 2..) => (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten)),
            // A prompt and seven tokens are eight passes, as many as the compiler makes graphs for.
            ("dynamic", "default" | "aot_eager", 9..) => (Outcome::FellBack, Some(FailureClass::RecompileLimit)),
            _ => (Outcome::Ok, None),
        };
        let came = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
        assert_eq!(came, expected, "{:?} {} tokens", cell.axes, cell.new_tokens);
    }
    assert_replayed(&journal);
}

#[test]
fn replay_over_a_growing_cache_crashed_in_each_of_four_processes_marked_or_not() {
    let (plan, journal) = plan_and_journal("compile-crash-boundary");
    let cells = plan.cells().expect("cells");
    assert_eq!((cells.len(), journal.rows().count()), (4, 16));
    let crashed = (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten));
    for cell in cells {
        let rows = journal.rows().map(|(_, row)| row).filter(|row| row.cell == cell.id());
        let came: Vec<_> = rows.map(|row| (row.outcome, row.failure.as_ref().map(|failure| failure.class))).collect();
        assert_eq!(came, [crashed; 4], "{} {:?}", cell.workload, cell.axes);
    }
}

#[test]
fn a_static_cache_ran_in_each_of_twelve_processes_where_the_growing_one_crashed_in_twelve() {
    let (plan, journal) = plan_and_journal("staticcache-rescue");
    let told = told(&plan, &journal);
    let crashed = (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten));
    let given_up = (Outcome::Skipped, Some(FailureClass::Launch));
    assert_eq!(told[&("dynamic reduce-overhead".to_owned(), 32)], Came::from([(crashed, 12), (given_up, 24)]));
    for arm in ["static reduce-overhead", "static eager", "dynamic eager"] {
        assert_eq!(told[&(arm.to_owned(), 32)], Came::from([((Outcome::Ok, None), 36)]), "{arm}");
    }
    assert_replayed(&journal);
    // Each static cache is as long as its own cell: a prompt of 32 tokens and 32 new ones.
    let long = journal.rows().filter_map(|(_, row)| row.evidence.get("cache.positions"));
    assert_eq!(long.filter(|long| **long == SignalValue::from(64_i64)).count(), 72);
}

#[test]
fn other_models_crash_over_a_growing_cache_and_compile_by_proof_everywhere_else() {
    let patterns: Vec<String> = names().into_iter().filter(|name| name.starts_with("pattern-")).collect();
    assert!(patterns.len() >= 8, "{patterns:?}");
    for name in patterns {
        let (plan, journal) = plan_and_journal(&name);
        for ((arm, tokens), came) in told(&plan, &journal) {
            let crashed = (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten));
            let given_up = (Outcome::Skipped, Some(FailureClass::Launch));
            let expected = match (arm.as_str(), tokens) {
                ("dynamic reduce-overhead", 8) => Came::from([(crashed, 3), (given_up, 6)]),
                ("dynamic default", 8) => Came::from([((Outcome::FellBack, Some(FailureClass::RecompileLimit)), 9)]),
                _ => Came::from([((Outcome::Ok, None), 9)]),
            };
            assert_eq!(came, expected, "{name}: {arm}, {tokens} tokens");
        }
        assert_replayed(&journal);
    }
}

#[test]
fn a_triton_that_does_not_fit_fails_by_name_or_falls_back_by_name_and_one_that_fits_compiles() {
    let (plan, journal) = plan_and_journal("triton-ablation");
    let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
    let mut came: BTreeMap<(&str, bool), Came> = BTreeMap::new();
    for (_, row) in journal.rows() {
        let compiled = cells[&row.cell].axes["compile_mode"] == "default";
        let what = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
        *came.entry((&row.lane, compiled)).or_default().entry(what).or_default() += 1;
    }
    let of = |lane: &str, compiled| came[&(lane, compiled)].iter().map(|(what, n)| (*what, *n)).collect::<Vec<_>>();
    let crashed = (Outcome::Crashed, Some(FailureClass::InductorError));
    let given_up = (Outcome::Skipped, Some(FailureClass::Launch));
    assert_eq!(of("triton-3.4.0-torch-2.11", true), [(crashed, 9), (given_up, 36)]);
    let suppressed = (Outcome::FellBack, Some(FailureClass::SuppressedError));
    assert_eq!(of("triton-3.4.0-torch-2.11-suppressed", true), [(suppressed, 45)]);
    for lane in ["triton-3.5.1-torch-2.11", "triton-3.6.0-torch-2.11"] {
        assert_eq!(of(lane, true), [((Outcome::Ok, None), 45)], "{lane}");
    }
    for lane in &plan.lanes {
        assert_eq!(of(&lane.name, false), [((Outcome::Ok, None), 90)], "{}", lane.name);
    }
}

#[test]
fn replay_over_a_growing_cache_crashed_under_each_triton_that_compiles_and_ran_over_a_static_one() {
    let (plan, journal) = plan_and_journal("triton-decoding");
    let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
    let mut came: BTreeMap<(&str, &str), Came> = BTreeMap::new();
    for (_, row) in journal.rows() {
        let cell = &cells[&row.cell];
        let what = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
        if cell.axes["compile_mode"] == "eager" {
            assert_eq!(what, (Outcome::Ok, None), "{row:?}");
        } else {
            *came.entry((&row.lane, cell.axes["cache"].as_str())).or_default().entry(what).or_default() += 1;
        }
    }
    let ok = (Outcome::Ok, None);
    let overwritten = (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten));
    let failed = (Outcome::Crashed, Some(FailureClass::InductorError));
    let given_up = (Outcome::Skipped, Some(FailureClass::Launch));
    let suppressed = (Outcome::FellBack, Some(FailureClass::SuppressedError));
    for (lane, growing, fixed) in [
        ("triton-3.6.0-torch-2.11", vec![(overwritten, 7), (given_up, 7)], vec![(ok, 14)]),
        ("triton-3.5.1-torch-2.11", vec![(overwritten, 7), (given_up, 7)], vec![(ok, 14)]),
        ("triton-3.4.0-torch-2.11", vec![(failed, 7), (given_up, 7)], vec![(failed, 7), (given_up, 7)]),
        ("triton-3.4.0-torch-2.11-suppressed", vec![(suppressed, 14)], vec![(suppressed, 14)]),
    ] {
        assert_eq!(came[&(lane, "dynamic")], growing.into_iter().collect(), "{lane}");
        assert_eq!(came[&(lane, "static")], fixed.into_iter().collect(), "{lane}");
    }
}

#[test]
fn in_32_bits_the_built_in_engine_eager_and_both_compiled_modes_gave_the_same_tokens() {
    let (_, journal) = plan_and_journal("weight-parity");
    let mut given: BTreeMap<_, BTreeMap<&str, usize>> = BTreeMap::new();
    for (_, row) in journal.rows() {
        assert_eq!((row.outcome, row.tokens.len()), (Outcome::Ok, 32));
        *given.entry((&row.cell, &row.tokens)).or_default().entry(&row.lane).or_default() += 1;
    }
    assert_eq!(given.len(), 3, "one output for each of three prompts");
    assert!(given.values().all(|lanes| lanes.len() == 4 && lanes.values().all(|rows| *rows == 3)), "{given:?}");
    for tokens in given.keys().map(|(_, tokens)| tokens) {
        let different = tokens.iter().collect::<BTreeSet<_>>().len();
        assert!(different >= 12, "an output that repeats itself shows little: {tokens:?}");
    }
}

#[test]
fn in_bf16_and_all_layers_every_position_without_a_doubt_gave_the_token_of_32_bits() {
    let (plan, journal) = plan_and_journal("weight-parity-bf16");
    let mut came: BTreeMap<_, usize> = BTreeMap::new();
    for (_, row) in journal.rows() {
        assert_eq!((row.outcome, row.tokens.len()), (Outcome::Ok, 32));
        assert_eq!(row.evidence["teacher.positions"], SignalValue::Int(32), "{row:?}");
        assert_eq!(row.evidence["teacher.agreeing"], row.evidence["teacher.decisive"], "{row:?}");
        assert!(matches!(row.evidence["teacher.decisive"], SignalValue::Int(14..)), "{row:?}");
        *came.entry((&*row.lane, &row.cell)).or_default() += 1;
    }
    assert!(plan.lanes.len() == 3 && came.len() == 9 && came.values().all(|rows| *rows == 3), "{came:?}");
}

#[test]
fn in_32_bits_and_all_layers_every_mode_and_cache_gave_the_built_in_engines_tokens() {
    let (plan, journal) = plan_and_journal("weight-parity-modes");
    let mut given: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (_, row) in journal.rows() {
        assert_eq!((row.outcome, row.tokens.len()), (Outcome::Ok, 8));
        given.entry((&row.cell, &row.tokens)).or_default().insert(&row.lane);
    }
    assert!(plan.lane("native-wide").is_some() && plan.lanes.len() == 8);
    assert!(given.len() == 3 && given.values().all(|lanes| lanes.len() == 8), "one output a prompt: {given:?}");
}

#[test]
fn every_agent_did_its_work_in_one_stream_or_in_one_each_with_the_same_tokens() {
    let (plan, journal) = plan_and_journal("agents-one-gpu");
    let mut streams: BTreeSet<(&str, String)> = BTreeSet::new();
    let mut outputs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    assert_eq!(journal.rows().count(), 378);
    for (_, row) in journal.rows() {
        assert_eq!(row.outcome, Outcome::Ok, "{row:?}");
        streams.insert((&row.lane, row.evidence["stream"].to_string()));
        outputs.entry(row.cell.to_string()).or_default().insert(format!("{:?}", row.output_sha256));
    }
    let seen = [("torch-2.11-agents", "shared"), ("torch-2.11-agents-streams", "per_agent")];
    assert!(streams.iter().map(|(lane, stream)| (*lane, stream.as_str())).eq(seen), "{streams:?}");
    assert!(outputs.len() == 21 && outputs.values().all(|outputs| outputs.len() == 1), "{outputs:?}");
    let verdict = judge(&plan, &journal).expect("a verdict");
    let [control] = &verdict.block_controls[..] else { panic!("{:?}", verdict.block_controls) };
    assert_eq!((control.finding, control.launches), (Finding::Equivalent, [2, 4]));
}

#[test]
fn every_way_of_compiling_was_proven_beside_eager_work_that_held_still() {
    let (plan, journal) = plan_and_journal("backend-matrix");
    assert_eq!((plan.cells().expect("cells").len(), journal.rows().count()), (9, 135));
    assert!(journal.rows().all(|(_, row)| row.outcome == Outcome::Ok));
    assert_replayed(&journal);
    let verdict = judge(&plan, &journal).expect("a verdict");
    let [control] = &verdict.block_controls[..] else { panic!("{:?}", verdict.block_controls) };
    assert_eq!((control.finding, control.launches), (Finding::Equivalent, [2, 3]));
}

#[test]
fn each_further_axis_and_scenario_came_out_as_the_report_says() {
    let (plan, journal) = plan_and_journal("matrix-axes");
    let cells: BTreeMap<_, _> = plan.cells().unwrap().into_iter().map(|cell| (cell.id(), cell)).collect();
    let rows: Vec<&Row> = journal.rows().map(|(_, row)| row).collect();
    assert_eq!(rows.len(), 56);
    let crashed = (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten));
    let (mut symbolic, mut scenarios) = (0, 0);
    for row in rows {
        let cell = &cells[&row.cell];
        let of = |axis: &str| cell.axes.get(axis).map_or("", |value| value.as_str());
        symbolic += usize::from(of("dynamic") == "true");
        scenarios += usize::from(cell.workload.starts_with("single_") || cell.workload.starts_with("stress_"));
        let expected = match (cell.phase, of("cache"), of("compile_mode"), of("dynamic")) {
            (Phase::KvDecode, "dynamic", "reduce-overhead", _) => crashed,
            // Symbolic shapes need no graph for each length, so that no limit is reached.
            (Phase::KvDecode, "dynamic", "default", "false") => (Outcome::FellBack, Some(FailureClass::RecompileLimit)),
            _ => (Outcome::Ok, None),
        };
        let came = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
        assert_eq!(came, expected, "{} {:?}", cell.workload, cell.axes);
    }
    assert_eq!((symbolic, scenarios), (6, 24));
}

#[test]
fn sampling_a_gpu_that_decides_the_time_costs_nothing_that_matters() {
    let (plan, journal) = plan_and_journal("telemetry-cost-bound");
    let verdict = judge(&plan, &journal).expect("a verdict");
    let cells = &verdict.hypotheses[0].cells;
    let [low, high] = cells[0].interval_pct.expect("an interval");
    assert_eq!((cells.len(), cells[0].finding, cells[0].launches), (1, Finding::Equivalent, [5, 5]));
    assert!(-0.5 < low && high < 0.5, "{cells:?}");
}
