//! Which GPUs are a lane's, and who was on them without it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::device::{Absent, Eye};
use super::sampler::{PCIE_PERIOD, PERIOD, Sampled, Sampler, Target};
use super::summary::{Seen, summary};
use crate::journal::{GpuTelemetry, LaunchTelemetry, SegmentTelemetry, Sharing};
use crate::launch::{VisibleGpus, descends_from};

/// Memory that is in use while nothing of a lane is there is others' from here on: a bare CUDA context takes about half a
/// GiB, and what the driver keeps for itself is not counted as used.
const OTHERS_MIB: u64 = 256;

/// A GPU on which memory in use has grown by so much since the lane was started is taken for the lane's, where processes
/// cannot be told apart.
const GROWN_MIB: u64 = 64;

/// How often, and after how long each time, memory is looked at again that should be free once a lane is gone.
const LOOKS_AFTER: (u32, Duration) = (10, Duration::from_millis(100));

/// NVML, and what each GPU does not offer; for the whole run.
pub(in crate::supervise) struct Telemetry {
    open: Option<(Arc<VisibleGpus>, Vec<Absent>)>,
    facts: SegmentTelemetry,
}

impl Telemetry {
    /// Opens NVML, unless nothing is `wanted`.
    pub(in crate::supervise) fn open(wanted: bool, visible: Option<&str>) -> Self {
        if !wanted {
            return Self { open: None, facts: SegmentTelemetry::Off };
        }
        match probe(visible) {
            Ok((gpus, absent)) => {
                let millis = |period: Duration| u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
                let (period_ms, pcie_period_ms) = (millis(PERIOD), millis(PCIE_PERIOD));
                let facts = SegmentTelemetry::Sampled { period_ms, pcie_period_ms, absent: absent.clone() };
                Self { open: Some((Arc::new(gpus), absent)), facts }
            }
            Err(reason) => Self { open: None, facts: SegmentTelemetry::Unavailable { reason } },
        }
    }

    /// What the header says of it.
    pub(in crate::supervise) fn facts(&self) -> &SegmentTelemetry {
        &self.facts
    }

    /// Looks at every GPU before a lane is started.
    pub(in crate::supervise) fn watch(&self, wanted: bool) -> Watch {
        let open = self.open.as_ref().filter(|_| wanted);
        let before = open.map(|(gpus, absent)| (0..).zip(absent).map(|(gpu, it)| Found::on(gpus, gpu, it)).collect());
        Watch { open: open.cloned(), before: before.unwrap_or_default(), sampler: None, ended: None }
    }
}

/// NVML with every GPU's absences, or why there is nothing to sample.
fn probe(visible: Option<&str>) -> Result<(VisibleGpus, Vec<Absent>), String> {
    let gpus = VisibleGpus::open(visible).map_err(|error| format!("opening NVML: {error}"))?;
    if gpus.count() == 0 {
        return Err("NVML knows no GPU that CUDA_VISIBLE_DEVICES leaves".to_owned());
    }
    let absences = gpus.places().map(|gpu| match gpus.device(gpu) {
        Ok(device) => Ok(Eye::probe(device)),
        Err(error) => Err(format!("looking at GPU {gpu}: {error}")),
    });
    let absent = absences.collect::<Result<_, _>>()?;
    Ok((gpus, absent))
}

/// What was found on a GPU at some moment.
#[derive(Debug, Default)]
struct Found {
    used_mib: Option<u64>,
    processes: Vec<u32>,
}

impl Found {
    fn on(gpus: &VisibleGpus, gpu: u32, absent: &Absent) -> Self {
        let Ok(device) = gpus.device(gpu) else { return Self::default() };
        let mut eye = Eye::on(device, absent);
        Self { used_mib: eye.used_mib(), processes: eye.processes().unwrap_or_default() }
    }

    fn others_mib(&self) -> u64 {
        self.used_mib.filter(|mib| *mib > OTHERS_MIB).unwrap_or(0)
    }
}

/// The GPUs during one launch.
pub(in crate::supervise) struct Watch {
    open: Option<(Arc<VisibleGpus>, Vec<Absent>)>,
    before: Vec<Found>,
    sampler: Option<Sampler>,
    ended: Option<Instant>,
}

impl Watch {
    /// Samples from now on the GPUs that the lane uses, by its processes or by the memory that was taken since it was
    /// started; says why it cannot. `lane` is the runner's process, where it is known.
    pub(in crate::supervise) fn begin(&mut self, lane: Option<u32>) -> Result<(), String> {
        let Some((gpus, absent)) = &self.open else { return Ok(()) };
        let kin: Vec<u32> = lane.into_iter().chain([std::process::id()]).collect();
        let mut targets = Vec::new();
        for ((gpu, absent), before) in (0..).zip(absent).zip(&self.before) {
            let now = Found::on(gpus, gpu, absent);
            let grown = now.used_mib.zip(before.used_mib).is_some_and(|(now, before)| now >= before + GROWN_MIB);
            if grown || now.processes.iter().any(|pid| descends_from(*pid, &kin) == Some(true)) {
                targets.push(Target { gpu, absent: absent.clone(), strangers: before.processes.clone() });
            }
        }
        if !targets.is_empty() {
            let started = Sampler::start(Arc::clone(gpus), targets, kin);
            self.sampler = Some(started.map_err(|error| format!("GPUs are not sampled: starting a thread: {error}"))?);
        }
        Ok(())
    }

    /// What was seen of the lane's GPUs between two moments.
    pub(in crate::supervise) fn between(&self, from: Instant, to: Instant) -> Vec<GpuTelemetry> {
        let Some(sampler) = &self.sampler else { return Vec::new() };
        let (from, to) = (sampler.time_of(from), sampler.time_of(to));
        sampler.each(|target, sampled| summary(self.seen(target, sampled), from, to))
    }

    fn seen<'s>(&self, target: &Target, sampled: &'s Sampled) -> Seen<'s> {
        let held_mib = self.before.get(target.gpu as usize).map_or(0, Found::others_mib);
        Seen { gpu: target.gpu, samples: &sampled.samples, pcie: &sampled.pcie, held_mib }
    }

    /// Measuring has come to its end.
    pub(in crate::supervise) fn end(&mut self) {
        if let Some(sampler) = &mut self.sampler {
            self.ended = Some(Instant::now());
            sampler.stop();
        }
    }

    /// All that was measured, once nothing of the lane is left; with what is on its GPUs then.
    pub(in crate::supervise) fn account(&mut self) -> Vec<LaunchTelemetry> {
        if self.ended.is_none() {
            self.end();
        }
        let (Some(sampler), Some(ended), Some((gpus, _))) = (&self.sampler, self.ended, &self.open) else {
            return Vec::new();
        };
        let to = sampler.time_of(ended);
        sampler.each(|target, sampled| {
            let before = self.before.get(target.gpu as usize);
            let after = after(gpus, target, before.map_or(0, Found::others_mib));
            let mut seen = summary(self.seen(target, sampled), Duration::ZERO, to);
            if after.others_mib() > 0 {
                seen.shared.get_or_insert_with(Sharing::default).memory_mib =
                    after.others_mib().max(before.map_or(0, Found::others_mib));
            }
            LaunchTelemetry {
                window_ms: u64::try_from(to.as_millis()).unwrap_or(u64::MAX),
                seen,
                before_mib: before.and_then(|before| before.used_mib),
                after_mib: after.used_mib,
                failed: sampled.failed.clone(),
            }
        })
    }
}

/// What is on the GPU with the lane gone. The driver may free a process's memory a moment after its end, so that memory
/// is looked at again before it is called others'.
fn after(gpus: &VisibleGpus, target: &Target, others_before_mib: u64) -> Found {
    let mut found = Found::on(gpus, target.gpu, &target.absent);
    let (most, pause) = LOOKS_AFTER;
    for _ in 0..most {
        if found.others_mib() <= others_before_mib {
            break;
        }
        std::thread::sleep(pause);
        found = Found::on(gpus, target.gpu, &target.absent);
    }
    found
}
