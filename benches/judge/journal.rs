//! A plan and its journal of any number of rows, made up from a seed.

use std::io::Write;

use lockstep::journal::{
    Busy, FORMAT, Header, LaneDeclaration, LaneState, LaunchEnd, LaunchStart, Preflight, Record, Row, Seal, ToolFacts,
    write_unsynced,
};
use lockstep::plan::{Plan, PlannedLaunch, Prompt, Schedule};
use lockstep::terms::{
    Axes, CellId, CpuFacts, Digest, HostFacts, Outcome, SignalValue, Stage, StopReason, canonical_json,
};
use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

const PLAN: &str = r#"
schema = 1
name = "bench"
seed = 7
[model]
name = "m"
sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
vocab_size = 512
[run]
launches = 5
repetitions = 3
warmup = 0
launch_statistic = "mean"
[[workload]]
name = "w"
prompt_tokens = 8
prompt_seed = 1
new_tokens = 16
phases = ["kv_decode"]
[[lane]]
name = "eager"
[[lane]]
name = "compiled"
[[hypothesis]]
name = "compiled-against-eager"
kind = "contrast"
baseline = "eager"
candidate = "compiled"
phases = ["kv_decode"]
"#;

/// How large a journal is: every cell is repeated in every launch of two lanes.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub cells: u32,
    pub launches: u32,
    pub repetitions: u32,
}

impl Size {
    pub fn rows(self) -> u64 {
        2 * u64::from(self.cells) * u64::from(self.launches) * u64::from(self.repetitions)
    }

    /// A plan of that size. Its workloads are added to the parsed plan one by one: reading a TOML file of a hundred
    /// thousand workloads is not what is measured here.
    pub fn plan(self) -> Result<Plan, Box<dyn std::error::Error>> {
        let mut plan = Plan::parse("bench.toml", PLAN)?;
        let template = plan.workloads.pop().ok_or("the plan has a workload")?;
        plan.run.launches = self.launches;
        plan.run.repetitions = self.repetitions;
        for lane in &mut plan.lanes {
            (lane.launches, lane.repetitions) = (self.launches, self.repetitions);
        }
        plan.workloads.extend((0..self.cells).map(|cell| {
            let prompt = Prompt::Generated { tokens: 8, seed: u64::from(cell) };
            lockstep::plan::Workload { name: format!("w{cell}"), prompt, ..template.clone() }
        }));
        Ok(plan)
    }

    /// The file of the same plan; nothing for one of other launches and repetitions than [`PLAN`] has.
    pub fn plan_text(self) -> Option<String> {
        let (head, rest) = PLAN.split_once("[[workload]]")?;
        let (workload, tail) = rest.split_once("[[lane]]")?;
        let workloads = (0..self.cells).map(|cell| {
            let seed = format!("prompt_seed = {cell}");
            let named =
                workload.replace("name = \"w\"", &format!("name = \"w{cell}\"")).replace("prompt_seed = 1", &seed);
            format!("[[workload]]{named}")
        });
        let text = format!("{head}{}[[lane]]{tail}", workloads.collect::<String>());
        let same = Plan::parse("bench.toml", &text).ok()?.digest() == self.plan().ok()?.digest();
        same.then_some(text)
    }

    /// Writes the journal of `plan`, as a run would have but for syncing every record.
    pub fn write(self, plan: &Plan, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
        let cells: Vec<CellId> = plan.cells()?.iter().map(|cell| cell.id()).collect();
        let schedule = Schedule::of(plan, &plan.stages());
        let digest = plan.digest();
        let launches = (0_u32..).zip(&schedule.launches);
        let records = launches.flat_map(|(launch, planned)| {
            let start =
                LaunchStart { launch, lane: planned.lane.clone(), block: planned.block, position: planned.position };
            let rows = rows(digest, &cells, launch, planned);
            let looks = [Stage::BeforeImports, Stage::AfterImports, Stage::AfterWarmup];
            let looks = looks.into_iter().map(move |stage| look(launch, planned, stage));
            let end = Record::LaunchEnd(Box::new(end(launch, planned.repetitions.len() as u64)));
            let last = look(launch, planned, Stage::AtExit);
            [Record::LaunchStart(start)].into_iter().chain(looks).chain(rows).chain([last, end])
        });
        let records_before_seal = 1 + self.rows() + 6 * schedule.launches.len() as u64;
        let seal = Record::Seal(Seal { rows: self.rows(), records: records_before_seal });
        let header = Record::Header(Box::new(header(plan, digest)));
        write_unsynced(out, [header].into_iter().chain(records).chain([seal]))?;
        Ok(())
    }
}

/// The rows of a launch. A cell has a time of its own, a launch shifts it by about 0.4 %, a repetition by about 1 %, and
/// in every third cell the second lane is 3 % faster.
fn rows<'a>(
    plan: Digest,
    cells: &'a [CellId],
    launch: u32,
    planned: &'a PlannedLaunch,
) -> impl Iterator<Item = Record> + 'a {
    let mut noise = SplitMix64::seed_from_u64(u64::from(launch) + 1);
    // Between -1 and 1, in the middle more often than at the ends.
    let mut jitter = move || (noise.next_u64() >> 32) as f64 / 4.0e9 + (noise.next_u64() >> 32) as f64 / 4.3e9 - 1.0;
    planned.repetitions.iter().map(move |repetition| {
        let cell = repetition.cell;
        let mut of_launch = SplitMix64::seed_from_u64((cell as u64) << 20 | u64::from(launch));
        let shift = (of_launch.next_u64() >> 32) as f64 / 4.3e9 - 0.5;
        let effect = if planned.lane == "compiled" && cell % 3 == 0 { 0.97 } else { 1.0 };
        let base_ns = 2.0e6 + 1.0e3 * (cell % 5_000) as f64;
        let wall_ns = (base_ns * effect * (1.0 + 0.008 * shift + 0.01 * jitter())) as u64;
        let tokens: Vec<u32> = (0..16).map(|position| (cell as u32 * 31 + position * 17) % 512).collect();
        let output = canonical_json(&tokens).unwrap_or_default();
        Record::Row(Box::new(Row {
            plan,
            lane: planned.lane.clone(),
            block: planned.block,
            cell: cells[cell].clone(),
            rep: repetition.rep,
            attempt: 0,
            launch: Some(launch),
            outcome: Outcome::Ok,
            unlocked: false,
            wall_ns: Some(wall_ns),
            outside_ns: Some(wall_ns + 150_000),
            output_sha256: Some(Digest::of(output.as_bytes())),
            tokens,
            stop: Some(StopReason::Length),
            evidence: [
                ("cache".to_owned(), SignalValue::from("dynamic")),
                ("dtype".to_owned(), SignalValue::from("f32")),
                ("forward_passes".to_owned(), SignalValue::from(16)),
                ("threads".to_owned(), SignalValue::from(1)),
            ]
            .into(),
            telemetry: Vec::new(),
            failure: None,
        }))
    })
}

fn look(launch: u32, planned: &PlannedLaunch, stage: Stage) -> Record {
    Record::Preflight(Preflight { lane: planned.lane.clone(), launch: Some(launch), stage, signals: Vec::new() })
}

fn end(launch: u32, rows: u64) -> LaunchEnd {
    // No row takes longer than 8 ms.
    let window_ms = 8 * rows;
    let own_ms = Some(window_ms);
    let busy =
        Busy { window_ms, others_ms: rows / 100, steal_ms: 0, pressure_ms: Some(0), own_ms, warmup_ms: None, cores: 2 };
    let (exit_status, busy, telemetry) = (Some(0), Some(busy), Vec::new());
    LaunchEnd { launch, exit_status, signal: None, busy, disowned: None, stderr_unwritten_bytes: None, telemetry }
}

fn header(plan: &Plan, plan_sha256: Digest) -> Header {
    let lane = |name: &str| LaneDeclaration {
        lane: name.to_owned(),
        state: LaneState::Ready,
        manifest: Digest::of(name.as_bytes()),
        lock: Some(Digest::of(b"lock")),
        own_model: None,
        declared: Axes::new(),
        observed: Axes::new(),
        by_own_word: Vec::new(),
        slowdown_pct: None,
        source: "embedded".to_owned(),
        failure: None,
    };
    let cpu = CpuFacts {
        arch: "x86_64".to_owned(),
        vendor: "made up".to_owned(),
        model_name: "made up".to_owned(),
        family: 1,
        model: 1,
        cores: 2,
    };
    let host = HostFacts {
        machine: Digest::of(b"machine"),
        boot: "boot".to_owned(),
        os: "os".to_owned(),
        kernel: "kernel".to_owned(),
        cpu,
        memory_bytes: 1 << 30,
        gpus: Vec::new(),
        driver: None,
    };
    Header {
        format: FORMAT,
        run: "bench".to_owned(),
        segment: 0,
        started_at: Some("2026-01-01T00:00:00Z".to_owned()),
        command: Vec::new(),
        tool: Some(ToolFacts { version: "0".to_owned(), binary: Digest::of(b"binary"), protocol: 1 }),
        host: Some(host),
        signals: Vec::new(),
        plan: plan.name.clone(),
        plan_sha256,
        lanes: vec![lane("eager"), lane("compiled")],
        calibration: None,
        telemetry: None,
        imported: None,
    }
}
