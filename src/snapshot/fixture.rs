//! Hand-built verdicts that the tests of this room and of `report` hold their rules against.

use std::collections::BTreeMap;

use crate::terms::{Axes, CellId, CpuFacts, Digest, Failure, FailureClass, HostFacts, Outcome, Phase};
use crate::verdict::rules::{Part, Ruling, RulingTest, Standing, Threshold};
use crate::verdict::{
    CellVerdict, Conclusion, Contamination, ContrastCell, CoverageGap, ExpectationStanding, ExpectedFailureVerdict,
    Finding, HypothesisVerdict, JournalFacts, LaneCell, LaneState, LaneVerdict, LaunchNumber, NoiseFloor, SegmentFacts,
    TimeSummary, Verdict,
};

/// The lanes of [`good`], with their mean decode time in milliseconds.
pub(crate) const LANES: [(&str, f64); 4] =
    [("native", 20.0), ("native-again", 20.1), ("native-nocache", 55.0), ("python-reference", 900.0)];
const PHASES: [(Phase, &str, u64, f64); 3] = [
    (Phase::Prefill, "/0a0a0a01", 1, 0.25),
    (Phase::KvDecode, "/0a0a0a02", 16, 1.0),
    (Phase::E2eKv, "/0a0a0a03", 16, 1.25),
];

pub(crate) fn host() -> HostFacts {
    HostFacts {
        machine: Digest::of(b"machine"),
        boot: "b007".into(),
        os: "Debian GNU/Linux 12 (bookworm)".into(),
        kernel: "6.1.0-28-amd64".into(),
        cpu: CpuFacts {
            arch: "x86_64".into(),
            vendor: "AuthenticAMD".into(),
            model_name: "AMD EPYC".into(),
            family: 25,
            model: 17,
            cores: 2,
        },
        memory_bytes: 8 << 30,
        gpus: Vec::new(),
        driver: None,
    }
}

/// Everything as expected, on every lane and cell.
pub(crate) fn good() -> Verdict {
    Verdict {
        format: 1,
        plan: "quickstart".into(),
        plan_sha256: Digest::of(b"plan"),
        model: "tiny-gpt2".into(),
        weights: "generated from seed 7, and say nothing of published ones".into(),
        alpha: 0.05,
        conclusion: Conclusion::AsExpected,
        reasons: vec!["3 of 3 hypotheses decided as the plan expects".into()],
        journal: JournalFacts {
            run: "20260301-101500-a1b2".into(),
            head: Digest::of(b"seal"),
            sealed: true,
            torn_bytes: 0,
            rows: 180,
            segments: vec![SegmentFacts {
                started_at: "2026-03-01T10:15:00Z".into(),
                version: "0.1.0".into(),
                binary: Digest::of(b"binary"),
                command: Vec::new(),
                host: host(),
            }],
        },
        contamination: Contamination {
            contaminated: false,
            share_pct: Some(1.25),
            pressure_pct: Some(0.5),
            gpu_pct: None,
            gpu_disturbances: Vec::new(),
            gpu_rows: 0,
            unknown_launches: 0,
            limit_pct: 10.0,
            window_ms: 41_250,
        },
        calibration: None,
        coverage_gaps: Vec::new(),
        block_controls: Vec::new(),
        expected_failures: Vec::new(),
        hypotheses: vec![tokens(), a_a(), cache()],
        lanes: LANES.iter().map(|(name, _)| lane(name)).collect(),
        cells: PHASES.iter().map(|(phase, id, new, scale)| cell(*phase, id, *new, *scale)).collect(),
    }
}

pub(crate) fn cell_id(text: &str) -> CellId {
    text.parse().unwrap()
}

fn lane(name: &str) -> LaneVerdict {
    let axes = |pairs: &[(&str, &str)]| -> Axes { pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect() };
    let cache = if name == "native-nocache" { "none" } else { "dynamic" };
    LaneVerdict {
        lane: name.into(),
        optional: name == "python-reference",
        state: LaneState::Ready,
        unlocked: false,
        launches: 3,
        outcomes: BTreeMap::from([(Outcome::Ok, 45)]),
        declared: axes(&[("cache", cache), ("device", "cpu"), ("dtype", "f32")]),
        observed: axes(&[("binary", &Digest::of(name.as_bytes()).to_string()), ("threads", "1")]),
        by_own_word: vec!["threads".to_owned()],
        slowdown_pct: None,
        failure: None,
    }
}

fn cell(phase: Phase, id: &str, new_tokens: u64, scale: f64) -> CellVerdict {
    CellVerdict {
        cell: cell_id(id),
        phase,
        workload: "short".into(),
        prompt_tokens: 32,
        new_tokens,
        axes: Default::default(),
        lanes: LANES.iter().map(|(name, ms)| lane_cell(name, phase, ms * scale)).collect(),
    }
}

fn lane_cell(lane: &str, phase: Phase, mean_ms: f64) -> LaneCell {
    let launch = |launch: u32, ms: f64| LaunchNumber { segment: 0, launch, repetitions: 5, ms: six(ms) };
    LaneCell {
        lane: lane.into(),
        outcomes: BTreeMap::from([(Outcome::Ok, 15)]),
        ok: 15,
        planned: 15,
        tokens_sha256: Some(Digest::of(phase.name().as_bytes())),
        distinct_outputs: 1,
        time: Some(time(mean_ms)),
        by_launch: vec![launch(0, mean_ms * 0.99), launch(1, mean_ms), launch(2, mean_ms * 1.01)],
    }
}

/// As a verdict rounds.
fn six(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap()
}

/// Times around a mean with a coefficient of variation of 1 %.
pub(crate) fn time(mean_ms: f64) -> TimeSummary {
    let of = |factor: f64| six(mean_ms * factor);
    TimeSummary {
        launches: 3,
        mean_ms: of(1.0),
        sd_ms: Some(of(0.01)),
        cv_pct: Some(1.0),
        min_ms: of(0.99),
        p50_ms: of(1.0),
        p90_ms: of(1.02),
        p95_ms: of(1.03),
        p99_ms: of(1.05),
        max_ms: of(1.01),
        student_ms: Some([of(0.975), of(1.025)]),
        bootstrap_ms: Some([of(0.99), of(1.01)]),
    }
}

fn hypothesis(name: &str, claim: &str, finding: Finding, lanes: &[&str], reason: &str) -> HypothesisVerdict {
    HypothesisVerdict {
        name: name.into(),
        claim: claim.into(),
        lanes: lanes.iter().map(|lane| (*lane).into()).collect(),
        margin_pct: None,
        negative_control: false,
        finding,
        expected: vec![finding.name().to_owned()],
        reasons: vec![reason.into()],
        rule: None,
        ruling: None,
        rests_on: Vec::new(),
        tests: Vec::new(),
        thresholds: Vec::new(),
        cells: Vec::new(),
        noise_floor: None,
        launches_to_settle: None,
    }
}

fn tokens() -> HypothesisVerdict {
    let names: Vec<&str> = LANES.iter().map(|(name, _)| *name).collect();
    let reason = format!("{} gave the same tokens in all 3 cells", names.join(", "));
    HypothesisVerdict {
        rests_on: PHASES.iter().flat_map(|(_, id, ..)| names.iter().map(move |lane| format!("{id} {lane}"))).collect(),
        tests: vec![test("SHA-256 of the output tokens, the same in every lane and row of a cell")],
        thresholds: vec![threshold("distinct_outputs", 1.0, "count")],
        ..hypothesis("tokens", "Every lane gives the same tokens.", Finding::Identical, &names, &reason)
    }
}

fn test(test: &str) -> RulingTest {
    RulingTest { test: test.to_owned(), estimate: None, interval: None, p: None, p_adjusted: None }
}

fn threshold(name: &str, value: f64, unit: &str) -> Threshold {
    Threshold { name: name.to_owned(), value, unit: unit.to_owned() }
}

fn a_a() -> HypothesisVerdict {
    let cells = PHASES.iter().map(|(phase, id, _, scale)| ContrastCell {
        p: 0.62_f64.try_into().ok(),
        p_adjusted: 1.0_f64.try_into().ok(),
        p_tost: 0.002_f64.try_into().ok(),
        p_tost_adjusted: 0.002_f64.try_into().ok(),
        ..contrast_cell(*phase, id, Finding::Equivalent, [20.0 * scale, 20.1 * scale], [-0.8, 1.8])
    });
    HypothesisVerdict {
        margin_pct: Some(3.0),
        cells: cells.collect(),
        negative_control: true,
        noise_floor: Some(NoiseFloor { bound_pct: 1.5, mde_pct: 2.25 }),
        rests_on: PHASES
            .iter()
            .flat_map(|(_, id, ..)| [format!("{id} native"), format!("{id} native-again")])
            .collect(),
        tests: vec![test("Welch t, native-again minus native in each cell, Holm over 3")],
        thresholds: vec![threshold("margin", 3.0, "%"), threshold("alpha", 0.05, "share")],
        ..hypothesis(
            "a-a",
            "A lane against itself shows nothing.",
            Finding::Equivalent,
            &["native", "native-again"],
            "native-again against native: equivalent in 3 of 3 cells (margin ±3 %)",
        )
    }
}

fn cache() -> HypothesisVerdict {
    let cells = PHASES.iter().filter(|(phase, ..)| *phase == Phase::KvDecode).map(|(phase, id, _, scale)| {
        contrast_cell(*phase, id, Finding::Slower, [20.0 * scale, 55.0 * scale], [171.0, 179.0])
    });
    HypothesisVerdict {
        margin_pct: Some(3.0),
        cells: cells.collect(),
        ..hypothesis(
            "cache-pays",
            "Without a KV cache decode is slower.",
            Finding::Slower,
            &["native", "native-nocache"],
            "native-nocache against native: slower in 1 of 1 cells (margin ±3 %)",
        )
    }
}

fn contrast_cell(phase: Phase, id: &str, finding: Finding, mean_ms: [f64; 2], interval: [f64; 2]) -> ContrastCell {
    ContrastCell {
        cell: cell_id(id),
        phase,
        finding,
        launches: [3, 3],
        mean_ms,
        difference_pct: Some(f64::midpoint(interval[0], interval[1])),
        interval_pct: Some(interval),
        tost_interval_pct: Some([interval[0] + 0.3, interval[1] - 0.3]),
        cohen_d: Some(0.41),
        p: 0.000_02_f64.try_into().ok(),
        p_adjusted: 0.000_08_f64.try_into().ok(),
        p_tost: 0.99_f64.try_into().ok(),
        p_tost_adjusted: 0.99_f64.try_into().ok(),
        mde_pct: Some(2.25),
        note: None,
    }
}

/// The lane python-reference gives other tokens in one cell, and crashed once in another.
pub(crate) fn tokens_differ() -> Verdict {
    let mut verdict = good();
    verdict.conclusion = Conclusion::NotAsExpected;
    verdict.reasons = vec!["tokens is not identical, expected identical: outputs differ in 1 of 3 cells".into()];
    let tokens = &mut verdict.hypotheses[0];
    tokens.finding = Finding::NotIdentical;
    tokens.expected = vec![Finding::Identical.name().to_owned()];
    tokens.reasons = vec!["outputs differ in 1 of 3 cells".into()];
    let python = lane_cell_mut(&mut verdict, 1, "python-reference");
    python.tokens_sha256 = Some(Digest::of(b"other tokens"));
    let python = lane_cell_mut(&mut verdict, 2, "python-reference");
    python.outcomes = BTreeMap::from([(Outcome::Ok, 14), (Outcome::Crashed, 1)]);
    python.ok = 14;
    verdict.lanes[3].outcomes = BTreeMap::from([(Outcome::Ok, 44), (Outcome::Crashed, 1)]);
    verdict
}

/// A decision rule over the rows, which finds where decoding begins to crash.
pub(crate) fn ruled() -> Verdict {
    let part = |at: &str, label: &str| Part {
        key: BTreeMap::from([("new_tokens".to_owned(), at.to_owned())]),
        label: label.to_owned(),
        numbers: BTreeMap::from([("rate".to_owned(), f64::from(u8::from(label == "affected")))]),
        reason: None,
    };
    let reason = "the crash rate rises above the cut between new_tokens 8 and 32".to_owned();
    let ruling = Ruling {
        label: "located".to_owned(),
        standing: Standing::Decided,
        reasons: vec![reason.clone()],
        rests_on: vec!["/0a0a0a02 native".to_owned()],
        tests: Vec::new(),
        thresholds: vec![threshold("cut", 0.1, "share")],
        parts: vec![part("8", "free"), part("32", "affected")],
        settled_by: None,
    };
    let mut verdict = good();
    verdict.hypotheses.push(HypothesisVerdict {
        expected: vec!["located".to_owned()],
        rule: Some("crash_boundary".to_owned()),
        ruling: Some(ruling),
        ..hypothesis("boundary", "Decoding crashes beyond 8 tokens.", Finding::Ruled, &["native"], &reason)
    });
    verdict
}

/// One lane absent, one refused.
pub(crate) fn skipped_and_refused() -> Verdict {
    let mut verdict = good();
    verdict.conclusion = Conclusion::Refused;
    verdict.reasons = vec!["lane native-nocache is refused: the executable is not the lock's".into()];
    take_out(&mut verdict, "python-reference", LaneState::Skipped, {
        Failure::new(FailureClass::Absent, "no python3 of version 3.8 or newer was found on PATH")
            .with_remedy("install python3")
    });
    take_out(&mut verdict, "native-nocache", LaneState::Refused, {
        let failure = Failure::new(FailureClass::Preflight, "the executable is not the lock's");
        Failure { stderr_tail: "first line\nsecond line".into(), ..failure.with_remedy("write the lock anew") }
    });
    for (finding, index, reason) in [
        (Finding::Identical, 0, "native, native-again gave the same tokens in all 3 cells"),
        (Finding::NotMeasured, 2, "lane native-nocache took no part: the executable is not the lock's"),
    ] {
        let hypothesis = &mut verdict.hypotheses[index];
        hypothesis.finding = finding;
        hypothesis.reasons = vec![reason.into()];
    }
    verdict.hypotheses[2].cells.clear();
    verdict
}

fn take_out(verdict: &mut Verdict, name: &str, state: LaneState, failure: Failure) {
    let lane = verdict.lanes.iter_mut().find(|lane| lane.lane == name).unwrap();
    lane.state = state;
    lane.launches = 0;
    lane.outcomes = BTreeMap::new();
    lane.observed = Axes::new();
    lane.failure = Some(failure);
    for cell in &mut verdict.cells {
        cell.lanes.retain(|lane| lane.lane != name);
    }
}

/// A busy host, a control that could not be decided, coverage below its floor, and a torn last line.
pub(crate) fn contaminated() -> Verdict {
    let mut verdict = good();
    verdict.conclusion = Conclusion::Inconclusive;
    verdict.reasons = vec![
        "the journal is not sealed: the run has not come to its end; `lockstep resume` goes on".into(),
        "the host was busy: others took 37.5 % of its processor time in the measured windows, limit 10 %".into(),
    ];
    verdict.contamination = Contamination { contaminated: true, share_pct: Some(37.5), ..verdict.contamination };
    verdict.journal.sealed = false;
    verdict.journal.torn_bytes = 118;
    verdict.coverage_gaps = vec![CoverageGap {
        lane: "native-again".into(),
        cell: Some(cell_id("/0a0a0a02")),
        message: "lane native-again, /0a0a0a02 kv_decode: 2 launches gave an ok row, floor 3".into(),
    }];
    let control = &mut verdict.hypotheses[1];
    control.finding = Finding::CouldNotTell;
    control.reasons = vec!["native-again against native: could not tell in 1 of 3 cells (margin ±3 %)".into()];
    control.cells[1] = ContrastCell {
        note: Some("no segment has two launches of each lane".into()),
        difference_pct: None,
        interval_pct: None,
        tost_interval_pct: None,
        cohen_d: None,
        p: None,
        p_adjusted: None,
        p_tost: None,
        p_tost_adjusted: None,
        mde_pct: None,
        finding: Finding::CouldNotTell,
        launches: [3, 1],
        ..control.cells[1].clone()
    };
    let again = lane_cell_mut(&mut verdict, 1, "native-again");
    again.ok = 5;
    again.outcomes = BTreeMap::from([(Outcome::Ok, 5)]);
    again.time = Some(TimeSummary {
        launches: 1,
        sd_ms: None,
        cv_pct: None,
        student_ms: None,
        bootstrap_ms: None,
        ..time(20.1)
    });
    again.by_launch.truncate(1);
    verdict
}

/// Every row crashed.
pub(crate) fn nothing_measured() -> Verdict {
    let mut verdict = good();
    verdict.conclusion = Conclusion::NothingMeasured;
    verdict.reasons = vec!["no row is ok: nothing was measured".into()];
    for hypothesis in &mut verdict.hypotheses {
        hypothesis.finding = Finding::CouldNotTell;
        hypothesis.reasons = vec!["no row is ok".into()];
        hypothesis.cells.clear();
        hypothesis.noise_floor = None;
    }
    for lane in &mut verdict.lanes {
        lane.outcomes = BTreeMap::from([(Outcome::Crashed, 45)]);
    }
    for lane in verdict.cells.iter_mut().flat_map(|cell| &mut cell.lanes) {
        lane.outcomes = BTreeMap::from([(Outcome::Crashed, 15)]);
        lane.ok = 0;
        lane.tokens_sha256 = None;
        lane.distinct_outputs = 0;
        lane.time = None;
        lane.by_launch.clear();
    }
    verdict.contamination.share_pct = None;
    verdict.contamination.window_ms = 0;
    verdict
}

/// The good verdict under a plan that expects `native` to crash in decoding, with what came of it.
pub(crate) fn expecting(standing: ExpectationStanding) -> Verdict {
    let mut verdict = good();
    let passed = standing == ExpectationStanding::Passed;
    if !passed {
        let cell = lane_cell_mut(&mut verdict, 1, "native");
        (cell.ok, cell.tokens_sha256, cell.distinct_outputs, cell.time) = (0, None, 0, None);
        cell.outcomes = BTreeMap::from([(Outcome::Crashed, 15)]);
        cell.by_launch.clear();
    }
    verdict.expected_failures = vec![ExpectedFailureVerdict {
        lane: "native".into(),
        cell: cell_id("/0a0a0a02"),
        outcome: Outcome::Crashed,
        class: None,
        reason: "bug 12".into(),
        expires: "2026-12-31".into(),
        standing,
        ok: if passed { 15 } else { 0 },
        planned: 15,
        excused: if standing == ExpectationStanding::FailedAsExpected { 15 } else { 0 },
    }];
    let told = format!("lane native, /0a0a0a02: {}", verdict.expected_failures[0].sentence());
    if passed {
        verdict.conclusion = Conclusion::NotAsExpected;
        verdict.reasons = vec![told];
    } else {
        verdict.reasons.push(told);
    }
    verdict
}

pub(crate) fn lane_cell_mut<'a>(verdict: &'a mut Verdict, cell: usize, lane: &str) -> &'a mut LaneCell {
    verdict.cells[cell].lanes.iter_mut().find(|it| it.lane == lane).unwrap()
}
