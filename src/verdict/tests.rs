//! Fixture → judge → verdict. Rows are made up; the journal around them is a real one.

mod agents;
mod by_launch;
mod compile_times;
mod contrasts;
mod controls;
mod expected_failures;
mod gpus;
mod logit_rows;
mod processes;
mod row_rules;
mod sensitivity;

use std::collections::BTreeMap;

use super::*;
use crate::journal::{
    self, Busy, Header, Journal, LaneDeclaration, LaneState, LaunchEnd, LaunchStart, Preflight, Record, Row, Seal,
    ToolFacts,
};
use crate::plan::{Plan, Repetition, Schedule};
use crate::terms::{
    Axes, Cell, CpuFacts, Digest, Evidence, Failure, FailureClass, HostFacts, Outcome, Stage, StopReason,
    canonical_json,
};

const PLAN: &str = r#"
schema = 1
name = "fixture"
seed = 1

[model]
name = "m"
sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
vocab_size = 100

[run]
launches = 6
repetitions = 1
warmup = 0

[[workload]]
name = "w"
prompt = [1, 2, 3]
new_tokens = 4
phases = ["prefill", "kv_decode"]

[[lane]]
name = "base"
[[lane]]
name = "same"
[[lane]]
name = "other"
optional = true

[[hypothesis]]
name = "tokens"
kind = "tokens_identical"
expect = ["identical"]

[[hypothesis]]
name = "a-a"
kind = "contrast"
baseline = "base"
candidate = "same"
negative_control = true
expect = ["equivalent"]

[[hypothesis]]
name = "effect"
kind = "contrast"
baseline = "base"
candidate = "other"
phases = ["kv_decode"]
controls = ["a-a"]
expect = ["faster"]

[[hypothesis]]
name = "apart"
kind = "phase_separation"
baseline = "base"
candidate = "other"
expect = ["required"]
"#;

/// What differs between the fixtures.
struct Fixture {
    /// Time of a repetition in milliseconds, by lane, cell index and block.
    ms: fn(&str, usize, u32) -> f64,
    tokens: fn(&str, usize) -> Vec<u32>,
    outcome: fn(&str, u32) -> Outcome,
    other: LaneState,
    others_ms: u64,
    pressure_ms: Option<u64>,
    sealed: bool,
}

impl Default for Fixture {
    fn default() -> Self {
        Self {
            ms: quiet,
            tokens: |_, cell| vec![cell as u32 + 5; if cell == 0 { 1 } else { 4 }],
            outcome: |_, _| Outcome::Ok,
            other: LaneState::Ready,
            others_ms: 10,
            pressure_ms: None,
            sealed: true,
        }
    }
}

const LOOKS: [Stage; 4] = [Stage::BeforeImports, Stage::AfterImports, Stage::AfterWarmup, Stage::AtExit];

fn evidence(cell: &Cell) -> Evidence {
    let passes = i64::from(cell.forward_passes()).into();
    let all = [("cache", "dynamic".into()), ("dtype", "f32".into()), ("forward_passes", passes), ("threads", 1.into())];
    all.map(|(key, value)| (key.to_owned(), value)).into()
}

fn look(lane: &str, launch: u32, stage: Stage) -> Record {
    Record::Preflight(Preflight { lane: lane.into(), launch: Some(launch), stage, signals: Vec::new() })
}

/// A quiet host: 0.5 % of jitter, and `other` decodes in half the time.
fn quiet(lane: &str, cell: usize, block: u32) -> f64 {
    let jitter =
        [0.0, 0.4, -0.3, 0.2, -0.5, 0.1, -0.2, 0.3][block as usize % 8] + if lane == "same" { 0.05 } else { 0.0 };
    let base = if cell == 1 && lane == "other" { 5.0 } else { 10.0 };
    base * (1.0 + jitter / 100.0)
}

impl Fixture {
    fn plan() -> Plan {
        Plan::parse("fixture.toml", PLAN).unwrap()
    }

    fn journal(&self) -> Journal {
        self.journal_in_segments(std::slice::from_ref(&(0..6)))
    }

    /// The same launches, cut into segments of the given blocks.
    fn journal_in_segments(&self, segments: &[std::ops::Range<u32>]) -> Journal {
        self.journal_of(&Self::plan(), segments)
    }

    /// The same for another plan of the same lanes.
    fn journal_of(&self, plan: &Plan, segments: &[std::ops::Range<u32>]) -> Journal {
        let cells = plan.cells().unwrap();
        let mut records = Vec::new();
        let mut launch = 0;
        for (number, blocks) in (0..).zip(segments) {
            records.push(Record::Header(Box::new(self.header(plan, number))));
            for block in blocks.clone() {
                let order = Schedule::repetitions(plan, &plan.stages(), block);
                for (position, planned) in (0..).zip(Schedule::lanes(plan, block)) {
                    let lane = planned.name.as_str();
                    if lane == "other" && self.other != LaneState::Ready {
                        continue;
                    }
                    records.push(Record::LaunchStart(LaunchStart { launch, lane: lane.into(), block, position }));
                    records.extend(LOOKS[..3].iter().map(|stage| look(lane, launch, *stage)));
                    for Repetition { cell: index, rep } in &order {
                        let row = self.row(plan, lane, *index, &cells[*index], block, launch);
                        records.push(Record::Row(Box::new(Row { rep: *rep, ..row })));
                    }
                    records.push(look(lane, launch, LOOKS[3]));
                    records.push(Record::LaunchEnd(Box::new(self.launch_end(launch))));
                    launch += 1;
                }
            }
        }
        if self.sealed {
            records.push(Record::Seal(Seal { rows: 0, records: 0 }));
        }
        processes::journal_of(records)
    }

    fn launch_end(&self, launch: u32) -> LaunchEnd {
        let busy = Busy {
            window_ms: 1_000,
            others_ms: self.others_ms,
            steal_ms: 0,
            pressure_ms: self.pressure_ms,
            own_ms: Some(500),
            warmup_ms: None,
            cores: 2,
        };
        LaunchEnd {
            launch,
            exit_status: Some(0),
            signal: None,
            busy: Some(busy),
            disowned: None,
            stderr_unwritten_bytes: None,
            telemetry: Vec::new(),
        }
    }

    fn header(&self, plan: &Plan, segment: u32) -> Header {
        let lane = |name: &str, state| LaneDeclaration {
            lane: name.into(),
            state,
            manifest: Digest::of(name.as_bytes()),
            lock: Some(Digest::of(b"lock")),
            own_model: None,
            declared: Axes::new(),
            observed: Axes::new(),
            by_own_word: Vec::new(),
            slowdown_pct: None,
            source: "embedded".into(),
            failure: (state != LaneState::Ready).then(|| Failure::new(FailureClass::Absent, "no engine answers")),
        };
        Header {
            format: journal::FORMAT,
            run: "r".into(),
            segment,
            started_at: Some("2026-01-01T00:00:00Z".into()),
            command: Vec::new(),
            tool: Some(ToolFacts { version: "0".into(), binary: Digest::of(b"b"), protocol: 1 }),
            host: Some(HostFacts {
                machine: Digest::of(b"m"),
                boot: format!("boot-{segment}"),
                os: "os".into(),
                kernel: "k".into(),
                cpu: CpuFacts {
                    arch: "x86_64".into(),
                    vendor: "AuthenticAMD".into(),
                    model_name: "AMD EPYC".into(),
                    family: 25,
                    model: 1,
                    cores: 2,
                },
                memory_bytes: 1,
                gpus: Vec::new(),
                driver: None,
            }),
            signals: Vec::new(),
            plan: plan.name.clone(),
            plan_sha256: plan.digest(),
            lanes: vec![lane("base", LaneState::Ready), lane("same", LaneState::Ready), lane("other", self.other)],
            calibration: None,
            telemetry: None,
            imported: None,
        }
    }

    fn row(&self, plan: &Plan, lane: &str, index: usize, cell: &Cell, block: u32, launch: u32) -> Row {
        let tokens = (self.tokens)(lane, index);
        let outcome = (self.outcome)(lane, block);
        let wall_ns = (outcome == Outcome::Ok).then(|| ((self.ms)(lane, index, block) * 1.0e6) as u64);
        Row {
            plan: plan.digest(),
            lane: lane.into(),
            block,
            cell: cell.id(),
            rep: 0,
            attempt: 0,
            launch: Some(launch),
            outcome,
            unlocked: false,
            wall_ns,
            outside_ns: wall_ns.map(|wall_ns| wall_ns + 1_000),
            output_sha256: Some(Digest::of(canonical_json(&tokens).unwrap().as_bytes())),
            tokens,
            stop: wall_ns.map(|_| StopReason::Length),
            evidence: evidence(cell),
            telemetry: Vec::new(),
            failure: (outcome != Outcome::Ok).then(|| Failure::new(FailureClass::Exception, "it broke")),
        }
    }

    fn verdict(&self) -> Verdict {
        judge(&Self::plan(), &self.journal()).unwrap()
    }
}

fn finding(verdict: &Verdict, name: &str) -> Finding {
    verdict.hypotheses.iter().find(|hypothesis| hypothesis.name == name).unwrap().finding
}

#[test]
fn on_a_quiet_host_everything_is_decided_as_expected() {
    let verdict = Fixture::default().verdict();
    assert_eq!(verdict.conclusion, Conclusion::AsExpected, "{:#?}", verdict.reasons);
    assert_eq!(finding(&verdict, "tokens"), Finding::Identical);
    assert_eq!(finding(&verdict, "a-a"), Finding::Equivalent);
    assert_eq!(finding(&verdict, "effect"), Finding::Faster);
    assert_eq!(finding(&verdict, "apart"), Finding::Required);
    let effect = verdict.hypotheses.iter().find(|h| h.name == "effect").unwrap();
    let [cell] = &effect.cells[..] else { panic!("one decode cell") };
    // 5 ms against 10 ms with the same relative jitter.
    assert_eq!(cell.difference_pct, Some(-50.0));
    let [low, high] = cell.interval_pct.unwrap();
    assert!(low < -50.0 && -50.0 < high && high < -49.0, "{:?}", cell.interval_pct);
    assert!(cell.cohen_d.unwrap() < -100.0 && cell.p_adjusted.unwrap().get() < 1.0e-6);
    let floor = verdict.hypotheses.iter().find(|h| h.name == "a-a").unwrap().noise_floor.clone().unwrap();
    assert!(floor.bound_pct > 0.05 && floor.bound_pct < 1.0, "{floor:?}");
}

#[test]
fn the_same_bytes_give_the_same_verdict_bytes() {
    let first = serde_json::to_string(&Fixture::default().verdict()).unwrap();
    let second = serde_json::to_string(&Fixture::default().verdict()).unwrap();
    assert_eq!(first, second);
    let read: Verdict = serde_json::from_str(&first).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), first, "a verdict does not survive its own JSON");
}

#[test]
fn one_different_token_is_named_with_its_cell_and_fails_the_run() {
    let tokens = |lane: &str, cell: usize| match (lane, cell) {
        ("other", 1) => vec![6, 6, 6, 7],
        _ => vec![cell as u32 + 5; if cell == 0 { 1 } else { 4 }],
    };
    let verdict = Fixture { tokens, ..Fixture::default() }.verdict();
    assert_eq!(finding(&verdict, "tokens"), Finding::NotIdentical);
    assert_eq!(verdict.conclusion, Conclusion::NotAsExpected);
    let cell = verdict.cells[1].cell.to_string();
    assert!(verdict.hypotheses[0].reasons.iter().any(|reason| reason.contains(&cell)), "{:?}", verdict.hypotheses[0]);
}

#[test]
fn a_noisy_host_gives_no_verdict_instead_of_a_false_one() {
    let ms = |lane: &str, cell: usize, block: u32| {
        let jitter = [0.0, 40.0, -30.0, 25.0, -45.0, 10.0][(block as usize + lane.len()) % 6];
        quiet(lane, cell, block) * (1.0 + jitter / 100.0)
    };
    let verdict = Fixture { ms, ..Fixture::default() }.verdict();
    assert_eq!(finding(&verdict, "a-a"), Finding::CouldNotTell);
    assert_eq!(verdict.conclusion, Conclusion::Inconclusive);
    let a_a = &verdict.hypotheses[1];
    assert!(a_a.launches_to_settle.is_some_and(|launches| launches > 6), "{a_a:?}");
    assert!(a_a.reasons.iter().any(|reason| reason.contains("launches a side would settle them")), "{:?}", a_a.reasons);
}

#[test]
fn two_launches_a_side_decide_nothing_even_where_the_plan_asks_for_no_more() {
    let judged = |launches: u32| {
        let text = PLAN.replace("launches = 6", "launches = 3") + "[coverage]\nmin_launches = 2\n";
        let plan = Plan::parse("fixture.toml", &text).unwrap();
        let mut journal = Fixture::default().journal_in_segments(std::slice::from_ref(&(0..launches)));
        // Two of three launches: a run that was stopped.
        journal.sealed = false;
        for record in &mut journal.records {
            match record {
                Record::Header(header) => header.plan_sha256 = plan.digest(),
                Record::Row(row) => row.plan = plan.digest(),
                _ => {}
            }
        }
        let verdict = judge(&plan, &journal).unwrap();
        (finding(&verdict, "effect"), verdict.hypotheses[2].reasons.join(" "))
    };
    let (found, reasons) = judged(2);
    assert_eq!(found, Finding::CouldNotTell);
    assert!(reasons.contains("2 launches") && reasons.contains("the floor of 3"), "{reasons}");
    assert_eq!(judged(3).0, Finding::Faster);
}

#[test]
fn a_control_that_shows_something_voids_what_leans_on_it_and_is_no_regression() {
    let ms = |lane: &str, cell, block| quiet(lane, cell, block) * if lane == "same" { 1.2 } else { 1.0 };
    let verdict = Fixture { ms, ..Fixture::default() }.verdict();
    assert_eq!(finding(&verdict, "a-a"), Finding::Slower);
    assert_eq!(finding(&verdict, "effect"), Finding::Void);
    assert_eq!(finding(&verdict, "apart"), Finding::Required, "it names no control");
    assert_eq!(verdict.conclusion, Conclusion::Inconclusive, "{:#?}", verdict.reasons);
}

#[test]
fn a_result_that_depends_on_who_goes_first_is_void() {
    // Whoever of the two goes second in a block is slower.
    let ms = |lane: &str, cell, block: u32| {
        let plan = Fixture::plan();
        let mut pair = Schedule::lanes(&plan, block).into_iter().filter(|planned| planned.name != "other");
        let first = pair.next().is_some_and(|planned| planned.name == lane);
        quiet(lane, cell, block) * if first { 1.0 } else { 1.1 }
    };
    let verdict = Fixture { ms, ..Fixture::default() }.verdict();
    assert_eq!(finding(&verdict, "a-a"), Finding::Void, "{:#?}", verdict.hypotheses[1]);
    assert!(verdict.hypotheses[1].cells[0].note.as_ref().unwrap().contains("goes first"));
}

#[test]
fn an_absent_optional_lane_leaves_the_rest_decided() {
    let verdict = Fixture { other: LaneState::Skipped, ..Fixture::default() }.verdict();
    assert_eq!(verdict.conclusion, Conclusion::AsExpected, "{:#?}", verdict.reasons);
    assert_eq!(finding(&verdict, "effect"), Finding::NotMeasured);
    assert_eq!(finding(&verdict, "tokens"), Finding::Identical);
    assert!(verdict.hypotheses[2].reasons[0].contains("no engine answers"));
}

#[test]
fn a_refused_lane_decides_before_anything_else() {
    let verdict = Fixture { other: LaneState::Refused, ..Fixture::default() }.verdict();
    assert_eq!(verdict.conclusion, Conclusion::Refused);
}

#[test]
fn nothing_measured_is_neither_a_pass_nor_a_regression() {
    let verdict = Fixture { outcome: |_, _| Outcome::FellThrough, ..Fixture::default() }.verdict();
    assert_eq!(verdict.conclusion, Conclusion::NothingMeasured);
}

#[test]
fn a_busy_host_contaminates_the_run_and_keeps_its_rows() {
    let verdict = Fixture { others_ms: 400, ..Fixture::default() }.verdict();
    assert!(verdict.contamination.contaminated);
    assert_eq!(verdict.contamination.share_pct, Some(20.0));
    assert!(verdict.contamination.told().starts_with("others took 20.0 %"), "{}", verdict.contamination.told());
    assert_eq!(verdict.conclusion, Conclusion::Inconclusive);
    assert_eq!(verdict.journal.rows, 36);
}

#[test]
fn a_lane_that_waits_for_processors_it_does_not_fill_contaminates_the_run() {
    let waited = |pressure_ms| Fixture { pressure_ms: Some(pressure_ms), ..Fixture::default() }.verdict().contamination;
    // 500 ms of two processors can have kept all of them taken for 250 ms of the window's 1,000.
    assert_eq!((waited(250).contaminated, waited(250).pressure_pct), (false, Some(0.0)));
    assert_eq!((waited(750).contaminated, waited(750).pressure_pct), (true, Some(50.0)));
    assert!(waited(750).told().contains("tasks waited for 50.0 %"), "{}", waited(750).told());
}

#[test]
fn an_unsealed_journal_is_judged_and_inconclusive() {
    let verdict = Fixture { sealed: false, ..Fixture::default() }.verdict();
    assert!(!verdict.journal.sealed);
    assert_eq!(verdict.conclusion, Conclusion::Inconclusive);
}

#[test]
fn a_lane_that_loses_too_many_repetitions_is_not_compared_on_its_survivors() {
    let outcome = |lane: &str, block: u32| if lane == "other" && block < 2 { Outcome::Crashed } else { Outcome::Ok };
    let verdict = Fixture { outcome, ..Fixture::default() }.verdict();
    assert_eq!(finding(&verdict, "effect"), Finding::CouldNotTell);
    let cell = &verdict.hypotheses[2].cells[0];
    assert!(cell.note.as_ref().unwrap().contains("4 of the candidate's 6"), "{cell:?}");
    assert_eq!(verdict.cells[1].lanes[2].outcomes, BTreeMap::from([(Outcome::Ok, 4), (Outcome::Crashed, 2)]));
    assert_eq!(verdict.conclusion, Conclusion::Inconclusive);
}

#[test]
fn another_plan_is_refused() {
    let other = Plan::parse("other.toml", &PLAN.replace("seed = 1\n", "seed = 2\n")).unwrap();
    assert!(matches!(judge(&other, &Fixture::default().journal()), Err(Error::OtherPlan { .. })));
}

#[test]
fn an_imported_journal_is_no_measurement_of_lanes() {
    let plan = Fixture::plan();
    let mut header = Fixture::default().header(&plan, 0);
    (header.started_at, header.tool, header.host) = (None, None, None);
    header.lanes.clear();
    let file = journal::ImportedFile {
        name: "t.json".into(),
        sha256: Digest::of(b"t"),
        bytes: 1,
        about: Vec::new(),
        ignored: Vec::new(),
    };
    header.imported = Some(journal::ImportedFrom { kind: "table".into(), axes: Axes::new(), files: vec![file] });
    let records = [Record::Header(Box::new(header)), Record::Seal(Seal { rows: 0, records: 1 })];
    let journal = journal::read(&journal::encode(&records).unwrap()).unwrap();
    let error = judge(&plan, &journal).unwrap_err();
    assert!(matches!(&error, Error::Imported { kind, .. } if kind == "table"), "{error}");
    assert!(error.to_string().contains("give a plan that reads imported tables"), "{error}");
}

#[test]
fn a_disowned_launch_does_not_count() {
    let plan = Fixture::plan();
    let mut records = Fixture::default().journal().records;
    let of_base = |record: &Record| match record {
        Record::LaunchStart(start) if start.lane == "base" => Some(start.launch),
        _ => None,
    };
    let first = records.iter().find_map(of_base).unwrap();
    for record in &mut records {
        if let Record::LaunchEnd(end) = record
            && end.launch == first
        {
            end.disowned = Some(Failure::new(FailureClass::Preflight, "the GIL came back"));
        }
    }
    let journal = journal::read(&journal::encode(&records).unwrap()).unwrap();
    let verdict = judge(&plan, &journal).unwrap();
    assert_eq!(verdict.lanes[0].outcomes, BTreeMap::from([(Outcome::Ok, 10), (Outcome::Refused, 2)]));
    assert_eq!(verdict.conclusion, Conclusion::Refused);
}
