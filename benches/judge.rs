//! What a judgement costs from journal file to verdict: beside a numpy program for the same work, and as cells grow.
//! `benches/README.md` says how to run it and what came out.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use lockstep::plan::{HypothesisKind, Plan};
use lockstep::stats::{Bootstrap, Confidence, Percent, Replicates, Sample, bootstrap_interval, percentile};
use lockstep::verdict::{ContrastCell, LaneCell, TimeSummary, Verdict, judge_file};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

#[path = "judge/journal.rs"]
mod journal;
#[path = "judge/processes.rs"]
mod processes;

use journal::Size;

type Failure = Box<dyn std::error::Error>;

/// 52,410 rows, as many as TR147 has: two lanes, five launches, three repetitions.
const TR147: Size = Size { cells: 1_747, launches: 5, repetitions: 3 };
const PAIRS: usize = 21;
/// A hundred rows a cell.
const GROWING: Size = Size { cells: 0, launches: 5, repetitions: 10 };
const ROWS_A_CELL: u64 = 100;
const DEFAULT_MOST_ROWS: u64 = 1_000_000;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, cells, path, ..] = &arguments[..]
        && mode == "--one"
    {
        return one(Size { cells: cells.parse()?, ..GROWING }, Path::new(path));
    }
    // `cargo test --benches` asks for a quick look, not for figures.
    let figures = arguments.iter().any(|argument| argument == "--bench");
    let folder = std::env::temp_dir().join(format!("lockstep-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = beside_the_reference(&folder, figures).and_then(|()| growth(&folder, figures));
    std::fs::remove_dir_all(&folder)?;
    done
}

fn threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn write(size: Size, path: &Path) -> Result<Plan, Failure> {
    let plan = size.plan()?;
    let mut out = BufWriter::new(File::create(path)?);
    size.write(&plan, &mut out)?;
    out.flush()?;
    Ok(plan)
}

fn timed(plan: &Plan, path: &Path) -> Result<(f64, Verdict), Failure> {
    let begun = Instant::now();
    let verdict = judge_file(plan, path, threads())?;
    Ok((begun.elapsed().as_secs_f64(), verdict))
}

/// Both programs in turns, so that a drift of the machine falls on both alike.
fn beside_the_reference(folder: &Path, figures: bool) -> Result<(), Failure> {
    let (size, pairs) = if figures { (TR147, PAIRS) } else { (Size { cells: 40, ..TR147 }, 2) };
    let path = folder.join("journal.jsonl");
    let plan = write(size, &path)?;
    let (_, verdict) = timed(&plan, &path)?;
    let Some(python) = std::env::var_os("LOCKSTEP_BENCH_PYTHON") else {
        let mut seconds = Vec::new();
        for _ in 0..pairs {
            seconds.push(timed(&plan, &path)?.0);
        }
        println!(
            "judge {:>9} rows: {} s; the reference did not run: LOCKSTEP_BENCH_PYTHON names no Python",
            size.rows(),
            told(seconds, 3)?
        );
        return Ok(());
    };
    std::fs::write(folder.join("design.json"), serde_json::to_vec(&design(size, &plan)?)?)?;
    let stated = folder.join("stated.json");
    std::fs::write(&stated, serde_json::to_vec(&numbers(&verdict))?)?;
    let python = PathBuf::from(python);
    let mut reference = Reference::start(&python, folder, &path)?;
    println!(
        "largest relative differences beyond six digits: {}",
        reference.ask(&format!("compare {}", stated.display()))?
    );
    // Whoever waits while the other works comes back to a cold processor, which costs the shorter work the larger share. So each
    // side works twice in its turn, and what either run says is told apart.
    let (mut after_the_other, mut at_once) = (Pairs::default(), Pairs::default());
    for pair in 0..pairs + 1 {
        let own = [timed(&plan, &path)?.0, timed(&plan, &path)?.0];
        let theirs: [f64; 2] = [reference.ask("")?.parse()?, reference.ask("")?.parse()?];
        if pair > 0 {
            after_the_other.push(own[0], theirs[0]);
            at_once.push(own[1], theirs[1]);
        }
    }
    reference.stop()?;
    println!("{} rows, {pairs} pairs:", size.rows());
    after_the_other.tell("after the other's work")?;
    at_once.tell("after one's own")?;
    processes::in_turns(&python, folder, size, &verdict, pairs)
}

/// What both sides took, pair by pair.
#[derive(Default)]
struct Pairs {
    own: Vec<f64>,
    theirs: Vec<f64>,
}

impl Pairs {
    fn push(&mut self, own: f64, theirs: f64) {
        self.own.push(own);
        self.theirs.push(theirs);
    }

    fn tell(self, when: &str) -> Result<(), Failure> {
        let ratios = self.own.iter().zip(&self.theirs).map(|(own, theirs)| theirs / own).collect();
        println!("  {when}: judge {} s, reference {} s", told(self.own, 3)?, told(self.theirs, 3)?);
        println!("  {when}: reference over judge {}", told(ratios, 1)?);
        Ok(())
    }
}

fn script() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/reference/judge.py");
    std::env::var_os("LOCKSTEP_BENCH_REFERENCE").map_or(own, PathBuf::from)
}

/// Median and 95 % bootstrap interval of the median.
fn told(values: Vec<f64>, places: usize) -> Result<String, Failure> {
    let median = |values: &[f64]| Ok(percentile(&Sample::new(values)?, Percent::P50));
    let sample = Replicates::new(values.clone())?;
    let interval = bootstrap_interval(&sample, Bootstrap::new(42, Confidence::new(0.95)?), median)?;
    Ok(format!("{:.places$} [{:.places$}, {:.places$}]", interval.estimate, interval.low, interval.high))
}

/// What the reference needs to know of the plan.
fn design(size: Size, plan: &Plan) -> Result<Value, Failure> {
    let HypothesisKind::Contrast(contrast) = &plan.hypotheses[0].kind else { return Err("no contrast".into()) };
    let statistics = &plan.statistics;
    let cells: Vec<String> = plan.cells()?.iter().map(|cell| cell.id().to_string()).collect();
    Ok(json!({
        "plan": plan.digest(), "lanes": [contrast.baseline, contrast.candidate], "cells": cells,
        "launches": size.launches, "repetitions": size.repetitions, "margin_pct": contrast.margin_pct,
        "alpha": statistics.alpha, "power": statistics.power,
        "seed": statistics.bootstrap_seed, "resamples": statistics.bootstrap_resamples,
    }))
}

/// The verdict's numbers by name: by lane and cell, and by cell.
fn numbers(verdict: &Verdict) -> Value {
    let time = |number: &dyn Fn(&TimeSummary) -> Option<f64>| -> Vec<Vec<Option<f64>>> {
        let of_lane = |lane: usize| {
            let cell = |lanes: &[LaneCell]| lanes.get(lane)?.time.as_ref().and_then(number);
            verdict.cells.iter().map(|it| cell(&it.lanes)).collect()
        };
        (0..2).map(of_lane).collect()
    };
    let contrast = |number: &dyn Fn(&ContrastCell) -> Option<f64>| -> Vec<Option<f64>> {
        verdict.hypotheses.iter().flat_map(|hypothesis| &hypothesis.cells).map(number).collect()
    };
    json!({
        "mean_ms": time(&|t| Some(t.mean_ms)), "sd_ms": time(&|t| t.sd_ms), "cv_pct": time(&|t| t.cv_pct),
        "min_ms": time(&|t| Some(t.min_ms)), "max_ms": time(&|t| Some(t.max_ms)),
        "p50_ms": time(&|t| Some(t.p50_ms)), "p90_ms": time(&|t| Some(t.p90_ms)),
        "p95_ms": time(&|t| Some(t.p95_ms)), "p99_ms": time(&|t| Some(t.p99_ms)),
        "student_low": time(&|t| Some(t.student_ms?[0])), "student_high": time(&|t| Some(t.student_ms?[1])),
        "bootstrap_low": time(&|t| Some(t.bootstrap_ms?[0])), "bootstrap_high": time(&|t| Some(t.bootstrap_ms?[1])),
        "difference_pct": contrast(&|c| c.difference_pct), "cohen_d": contrast(&|c| c.cohen_d),
        "low_pct": contrast(&|c| Some(c.interval_pct?[0])), "high_pct": contrast(&|c| Some(c.interval_pct?[1])),
        "tost_low_pct": contrast(&|c| Some(c.tost_interval_pct?[0])),
        "tost_high_pct": contrast(&|c| Some(c.tost_interval_pct?[1])),
        "p": contrast(&|c| Some(c.p?.get())), "p_adjusted": contrast(&|c| Some(c.p_adjusted?.get())),
        "p_tost": contrast(&|c| Some(c.p_tost?.get())),
        "mde_pct": contrast(&|c| c.mde_pct),
    })
}

/// The reference program, which waits between judgements.
struct Reference {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Reference {
    fn start(python: &Path, folder: &Path, journal: &Path) -> Result<Self, Failure> {
        let mut child = Command::new(python)
            .arg(script())
            .args([&folder.join("design.json"), journal])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("the reference has no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("the reference has no output")?);
        let mut reference = Self { child, input, output };
        reference.answer()?;
        Ok(reference)
    }

    fn ask(&mut self, command: &str) -> Result<String, Failure> {
        writeln!(self.input, "{command}")?;
        self.input.flush()?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the reference ended; its message stands above".into());
        }
        Ok(line.trim().to_owned())
    }

    fn stop(self) -> Result<(), Failure> {
        let Self { mut child, input, .. } = self;
        drop(input);
        if child.wait()?.success() { Ok(()) } else { Err("the reference failed".into()) }
    }
}

/// Ever more cells of a hundred rows, each size judged by a process of its own.
fn growth(folder: &Path, figures: bool) -> Result<(), Failure> {
    let most: u64 = match std::env::var("LOCKSTEP_BENCH_ROWS") {
        Ok(rows) => rows.parse()?,
        Err(_) if figures => DEFAULT_MOST_ROWS,
        Err(_) => 10_000,
    };
    let mut rows = 10_000;
    while rows <= most {
        let size = Size { cells: u32::try_from(rows / ROWS_A_CELL)?, ..GROWING };
        let path = folder.join(format!("{rows}.jsonl"));
        write(size, &path)?;
        let status =
            Command::new(std::env::current_exe()?).args(["--one", &size.cells.to_string()]).arg(&path).status()?;
        std::fs::remove_file(&path)?;
        if !status.success() {
            return Err("a judgement failed".into());
        }
        rows *= 10;
    }
    Ok(())
}

/// Judges one journal and tells seconds, those of the processors, rows a second and the most memory that the process ever had.
fn one(size: Size, path: &Path) -> Result<(), Failure> {
    let plan = size.plan()?;
    let busy = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).map(|time| time.as_secs_f64());
    let before = busy()?;
    let (seconds, verdict) = timed(&plan, path)?;
    let busy = busy()? - before;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("unknown", str::trim);
    let rows = verdict.journal.rows;
    let mib = std::fs::metadata(path)?.len() >> 20;
    println!(
        "grow {rows:>9} rows, {mib:>5} MiB: {seconds:>7.2} s, {busy:>7.2} s of processors, {:>7.0} rows/s, peak {peak}",
        rows as f64 / seconds
    );
    Ok(())
}
