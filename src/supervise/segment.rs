//! The run as a whole: probe, header, launches in order, seal.

use std::collections::BTreeSet;
use std::path::Path;

use super::agenda::{DueLaunch, agenda};
use super::blocks::Run;
use super::host::{self, HostLook};
use super::probe::{Probed, Prober, Purpose, probe};
use super::stop::Stop;
use super::telemetry::Telemetry;
use super::{Ended, Error, Event, Inputs, LaneInput};
use crate::journal::{
    self, Header, Journal, LaneDeclaration, LaneState, Preflight, Record, Row, SegmentTelemetry, ToolFacts, Writer,
};
use crate::launch::{Engine, LaunchRequest, ResolvedImage, sweep};
use crate::plan::Schedule;
use crate::terms::{Axes, Cell, CellId, Digest, Failure, FailureClass, Outcome};
use crate::wire;

/// Runs what is due of `inputs`, and tells `listener` what happens.
///
/// # Errors
/// The journal cannot be written, the host lacks what every run needs, or the run's files contradict each other. What
/// goes wrong inside a lane is a row.
pub fn run(inputs: &Inputs, listener: &mut dyn FnMut(Event)) -> Result<Ended, Error> {
    runtime()?.block_on(go(inputs, listener))
}

/// Everything async in a run shares one thread: nothing of ours competes with the lane.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)
}

async fn go(inputs: &Inputs, listener: &mut dyn FnMut(Event)) -> Result<Ended, Error> {
    let stop = Stop::listen_for(inputs.time_budget);
    let path = inputs.directory.join("journal.jsonl");
    let (mut writer, known) = open_journal(inputs, &path, listener)?;
    let engine = Engine::connect(inputs.docker_host.as_deref()).await.ok();
    sweep_orphans(engine.as_ref(), listener).await?;
    let cells: Vec<CellId> = inputs.cells.iter().map(Cell::id).collect();
    let rows: Vec<Row> =
        known.as_ref().map(|j| j.owned_rows().map(|(_, row)| row.into_owned()).collect()).unwrap_or_default();
    let schedule = Schedule::of(&inputs.plan, &inputs.plan.stages());
    let due = agenda(&schedule, &cells, &rows.iter().collect::<Vec<_>>(), inputs.mode);
    if known.as_ref().is_some_and(|journal| journal.sealed && due.is_empty()) {
        return Ok(Ended::NothingToDo);
    }
    let look = host::look(inputs.visible_gpus.as_deref());
    let mut probed = Vec::with_capacity(inputs.lanes.len());
    for lane in &inputs.lanes {
        let prober =
            Prober { inputs, lane, engine: engine.as_ref(), stop: &stop, host: &look, purpose: Purpose::Cells };
        let Some(found) = probe(prober, listener).await? else {
            return Ok(Ended::Paused);
        };
        let LaneDeclaration { lane, state, failure, .. } = &found.declaration;
        listener(Event::Lane { lane: lane.clone(), state: *state, reason: failure.as_ref().map(Failure::sentence) });
        probed.push(found);
    }
    let absent: BTreeSet<&str> = probed
        .iter()
        .filter(|p| p.declaration.state != LaneState::Ready)
        .map(|p| p.declaration.lane.as_str())
        .collect();
    let due: Vec<DueLaunch> = due.into_iter().filter(|launch| !absent.contains(launch.lane.as_str())).collect();
    if known.as_ref().is_some_and(|journal| journal.sealed && due.is_empty()) {
        return Ok(Ended::NothingToDo);
    }
    let telemetry = Telemetry::open(inputs.telemetry, inputs.visible_gpus.as_deref());
    let header = header(inputs, &look, &probed, known.as_ref(), telemetry.facts());
    let segment = open_segment(&mut writer, header, &probed, known.as_ref(), inputs)?;
    write_locks(inputs, &probed, segment)?;
    let mut recorder = Recorder { writer, listener, launches: launches(known.as_ref()) };
    let pending: usize = due.iter().map(|launch| launch.due.len()).sum();
    let done = rows.len() as u64;
    recorder.tell(Event::Begin { segment, done, total: done + pending as u64 });
    let cores = look.facts.cpu.cores;
    let run = Run { inputs, engine: engine.as_ref(), stop: &stop, probed: &probed, cores, telemetry: &telemetry };
    run.note_absent_lanes(&mut recorder, &rows)?;
    run.launches(&mut recorder, &due).await
}

/// Ends what earlier supervisors left behind. What cannot be looked at or ended is told; it stops no run.
pub(super) async fn sweep_orphans(engine: Option<&Engine>, listener: &mut dyn FnMut(Event)) -> Result<(), Error> {
    let swept = sweep(engine).await?;
    for orphan in swept.removed {
        listener(Event::OrphanRemoved(orphan.to_string()));
    }
    for orphan in swept.left {
        listener(Event::Warning(format!("{orphan} was left alone: its supervisor cannot be judged from here")));
    }
    if let Some(error) = swept.unlisted {
        listener(Event::Warning(format!("containers of earlier runs could not be looked for: {error}")));
    }
    for (orphan, error) in swept.failed {
        listener(Event::Warning(format!("{orphan} could not be removed: {error}")));
    }
    Ok(())
}

fn open_journal(
    inputs: &Inputs,
    path: &Path,
    listener: &mut dyn FnMut(Event),
) -> Result<(Writer, Option<Journal>), Error> {
    if !path.exists() {
        return Ok((Writer::create(path)?, None));
    }
    let opened = Writer::open(path)?;
    if let Some(torn) = &opened.torn {
        listener(Event::Warning(format!("{torn}; it was moved to journal.torn, and its cell is run again")));
    }
    let given = inputs.plan.digest();
    for segment in opened.journal.segments() {
        if segment.header.plan_sha256 != given {
            return Err(Error::OtherPlan { found: segment.header.plan_sha256, given });
        }
    }
    let journal = (!opened.journal.records.is_empty()).then_some(opened.journal);
    Ok((opened.writer, journal))
}

fn launches(known: Option<&Journal>) -> u32 {
    let started = known.into_iter().flat_map(|journal| &journal.records).filter_map(|record| match record {
        Record::LaunchStart(start) => Some(start.launch + 1),
        _ => None,
    });
    started.max().unwrap_or(0)
}

fn header(
    inputs: &Inputs,
    look: &HostLook,
    probed: &[Probed],
    known: Option<&Journal>,
    telemetry: &SegmentTelemetry,
) -> Header {
    Header {
        format: journal::FORMAT,
        run: inputs.run.clone(),
        segment: known.map_or(0, |journal| journal.segments().count() as u32),
        started_at: Some(jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        tool: Some(ToolFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            binary: inputs.binary,
            protocol: wire::PROTOCOL,
        }),
        command: inputs.command.clone(),
        host: Some(look.facts.clone()),
        signals: look.signals.iter().chain(&inputs.signals).cloned().collect(),
        plan: inputs.plan.name.clone(),
        plan_sha256: inputs.plan.digest(),
        lanes: probed.iter().map(|probed| probed.declaration.clone()).collect(),
        calibration: inputs.calibration.clone(),
        telemetry: Some(telemetry.clone()),
        imported: None,
    }
}

/// Goes on in the last segment when host, boot, devices, binary and lanes are the same; opens a new one otherwise.
fn open_segment(
    writer: &mut Writer,
    header: Header,
    probed: &[Probed],
    known: Option<&Journal>,
    inputs: &Inputs,
) -> Result<u32, Error> {
    if let Some(last) = known.and_then(|journal| journal.segments().last())
        && last.header.is_continued_by(&header)
    {
        let reason = match inputs.mode {
            super::Mode::Missing => "resumed",
            super::Mode::MissingAndFailed => "failed repetitions are run again",
        };
        writer.append(&Record::Reopen {
            reason: reason.to_owned(),
            command: header.command,
            signals: header.signals,
        })?;
        return Ok(last.header.segment);
    }
    let segment = header.segment;
    writer.append(&Record::Header(Box::new(header)))?;
    for Preflight { lane, launch, stage, signals } in probed.iter().flat_map(|probed| probed.looks.clone()) {
        writer.append(&Record::Preflight(Preflight { lane, launch, stage, signals }))?;
    }
    Ok(segment)
}

/// The run's own copies of the locks pin what is about to run; a later segment, perhaps on another host or with another
/// binary, has its own.
fn write_locks(inputs: &Inputs, probed: &[Probed], segment: u32) -> Result<(), Error> {
    let folder = inputs.directory.join("locks");
    let wrong = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { doing, path, source }
    };
    std::fs::create_dir_all(&folder).map_err(wrong("creating", &folder))?;
    for lock in probed.iter().filter_map(|probed| probed.run_lock.as_ref()) {
        let name = match segment {
            0 => format!("{}.lock", lock.lane),
            later => format!("{}.segment-{later}.lock", lock.lane),
        };
        let path = folder.join(name);
        std::fs::write(&path, lock.to_toml()).map_err(wrong("writing", &path))?;
    }
    Ok(())
}

/// Appends records and tells what was appended.
pub(super) struct Recorder<'r> {
    writer: Writer,
    listener: &'r mut dyn FnMut(Event),
    launches: u32,
}

impl Recorder<'_> {
    pub(super) fn append(&mut self, record: &Record) -> Result<(), Error> {
        Ok(self.writer.append(record)?)
    }

    /// A row; it is on disk before anyone hears of it.
    pub(super) fn row(&mut self, row: Row) -> Result<(), Error> {
        let told = Event::Row {
            lane: row.lane.clone(),
            cell: row.cell.clone(),
            outcome: row.outcome,
            message: row.failure.as_ref().map(|failure| failure.message.clone()),
        };
        self.writer.append(&Record::Row(Box::new(row)))?;
        self.tell(told);
        Ok(())
    }

    pub(super) fn seal(&mut self) -> Result<(), Error> {
        self.writer.seal()?;
        Ok(())
    }

    pub(super) fn tell(&mut self, event: Event) {
        (self.listener)(event);
    }

    /// The number of the launch that begins now.
    pub(super) fn next_launch(&mut self) -> u32 {
        self.launches += 1;
        self.launches - 1
    }
}

/// Everything the launches of one lane share.
pub(super) struct Track<'a> {
    pub inputs: &'a Inputs,
    pub input: &'a LaneInput,
    pub cells: &'a [Cell],
    pub declared: Axes,
    pub observed: Axes,
    pub floor_ns_per_forward: u64,
    pub max_positions: u32,
    pub cores: u32,
    pub telemetry: &'a Telemetry,
    pub engine: Option<&'a Engine>,
    pub stop: &'a Stop,
    pub image: Option<&'a ResolvedImage>,
    pub plan: Digest,
    pub unlocked: bool,
}

impl<'a> Track<'a> {
    /// The lane's launch request, its number still to be filled in.
    pub(super) fn request(&self) -> LaunchRequest<'a> {
        launch_request(self.inputs, self.input, self.image)
    }

    /// Whether the files that the lane executes are still those that were hashed when the run began.
    pub(super) fn check_files(&self) -> Result<(), Failure> {
        let Some(folder) = &self.input.files_dir else { return Ok(()) };
        for (name, digest) in &self.input.files {
            let found = Digest::of_file(&folder.join(name)).ok();
            if found != Some(*digest) {
                let found = found.map_or_else(|| "nothing readable".to_owned(), |found| found.to_string());
                let message = format!("the lane's file {name} is {found}, and the lock says {digest}");
                return Err(Failure::new(FailureClass::Preflight, message));
            }
        }
        Ok(())
    }

    /// A row of this lane with nothing known yet: crashed until shown otherwise.
    pub(super) fn row(&self, cell: &Cell, block: u32, rep: u32, attempt: u32, launch: Option<u32>) -> Row {
        Row {
            plan: self.plan,
            lane: self.input.lane.name.clone(),
            block,
            cell: cell.id(),
            rep,
            attempt,
            launch,
            outcome: Outcome::Crashed,
            unlocked: self.unlocked,
            wall_ns: None,
            outside_ns: None,
            tokens: Vec::new(),
            output_sha256: None,
            stop: None,
            evidence: Default::default(),
            telemetry: Vec::new(),
            failure: None,
        }
    }
}

pub(super) fn launch_request<'a>(
    inputs: &'a Inputs,
    input: &'a LaneInput,
    image: Option<&'a ResolvedImage>,
) -> LaunchRequest<'a> {
    LaunchRequest {
        lane: &input.lane,
        run: &inputs.run,
        run_dir: &inputs.directory,
        launch: 0,
        model_dir: &inputs.model_dir,
        models: &input.models,
        files_dir: input.files_dir.as_deref(),
        overlay_dir: input.overlay_dir.as_deref(),
        stderr_file: input.stderr_file.as_deref(),
        own_executable: inputs.executable(input).0,
        search_path: &inputs.search_path,
        visible_gpus: inputs.visible_gpus.as_deref(),
        image,
    }
}
