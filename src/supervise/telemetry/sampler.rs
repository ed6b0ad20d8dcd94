//! The threads that sample, and their schedules.
//!
//! A sample is due at every multiple of its period since the start; one that comes late is not made up for, so that a slow
//! driver lowers the rate, which is written down, and nothing piles up.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::device::{Absent, Eye};
use super::summary::{PcieSample, Sample};
use crate::journal::{Absence, GpuMetric};
use crate::launch::{VisibleGpus, descends_from};

/// 20 Hz.
pub(super) const PERIOD: Duration = Duration::from_millis(50);

/// 12.5 Hz, so that what holds a reading up leaves 10: 40 ms of it go to the two readings that each block for 20.
pub(super) const PCIE_PERIOD: Duration = Duration::from_millis(80);

/// Who is on a GPU is asked with every so manieth sample: once a second.
const PROCESSES_EVERY: u64 = 20;

/// A GPU that is to be sampled.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Its place among ours.
    pub gpu: u32,
    pub absent: Absent,
    /// Processes that were on it before the lane was.
    pub strangers: Vec<u32>,
}

/// What was sampled of one GPU.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    pub samples: Vec<Sample>,
    pub pcie: Vec<PcieSample>,
    pub failed: BTreeMap<GpuMetric, u32>,
}

/// Samples until it is stopped or dropped.
pub(super) struct Sampler {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    gpus: Arc<VisibleGpus>,
    began: Instant,
    targets: Vec<Target>,
    /// The supervisor and the lane: whoever descends from them is no stranger.
    kin: Vec<u32>,
    sampled: Vec<Mutex<Sampled>>,
    stopped: Mutex<bool>,
    stopping: Condvar,
}

impl Sampler {
    /// Takes a first sample, and goes on beside.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub(super) fn start(gpus: Arc<VisibleGpus>, targets: Vec<Target>, kin: Vec<u32>) -> Result<Self, std::io::Error> {
        let sampled = targets.iter().map(|_| Mutex::default()).collect();
        let (stopped, stopping) = (Mutex::new(false), Condvar::new());
        let shared = Arc::new(Shared { gpus, began: Instant::now(), targets, kin, sampled, stopped, stopping });
        let mut others = vec![0; shared.targets.len()];
        shared.sample(0, &mut others);
        let mut sampler = Self { shared, threads: Vec::new() };
        sampler.spawn("gpu", move |shared| {
            let tick = |count| shared.sample(count, &mut others);
            shared.every(PERIOD, tick);
        })?;
        for place in 0..sampler.shared.targets.len() {
            sampler.spawn("gpu-pcie", move |shared| shared.every(PCIE_PERIOD, |_| shared.sample_pcie(place)))?;
        }
        Ok(sampler)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce(&Shared) + Send + 'static) -> Result<(), std::io::Error> {
        let shared = Arc::clone(&self.shared);
        self.threads.push(std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared))?);
        Ok(())
    }

    /// Where `at` is in the samples' time.
    pub(super) fn time_of(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.shared.began)
    }

    /// What was sampled so far, GPU by GPU.
    pub(super) fn each<T>(&self, mut look: impl FnMut(&Target, &Sampled) -> T) -> Vec<T> {
        self.shared
            .targets
            .iter()
            .zip(&self.shared.sampled)
            .map(|(target, sampled)| look(target, &lock(sampled)))
            .collect()
    }

    /// Returns once no thread asks the driver any more, which may take a reading's time.
    pub(super) fn stop(&mut self) {
        *lock(&self.shared.stopped) = true;
        self.shared.stopping.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so; what it sampled stands.
            let _ = thread.join();
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Calls `tick` at every multiple of `period` from the first on, with its number.
    fn every(&self, period: Duration, mut tick: impl FnMut(u64)) {
        let mut count = 0;
        loop {
            let passed = u64::try_from(self.began.elapsed().as_nanos() / period.as_nanos()).unwrap_or(u64::MAX);
            count = passed.max(count).saturating_add(1);
            let due = self.began + period.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
            if self.stopped_by(due) {
                return;
            }
            tick(count);
        }
    }

    /// Waits until `due`; whether sampling is to end.
    fn stopped_by(&self, due: Instant) -> bool {
        let wait = due.saturating_duration_since(Instant::now());
        let stopped = lock(&self.stopped);
        let waited = self.stopping.wait_timeout_while(stopped, wait, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// `others` keeps, for each GPU, the contexts of strangers between two looks for them.
    fn sample(&self, count: u64, others: &mut [u32]) {
        for ((target, sampled), others) in self.targets.iter().zip(&self.sampled).zip(others) {
            let Ok(device) = self.gpus.device(target.gpu) else {
                note(&mut lock(sampled).failed, &[(GpuMetric::Processes, Absence::Failed)]);
                continue;
            };
            let mut eye = Eye::on(device, &target.absent);
            let mut sample = eye.sample(self.began.elapsed());
            if count.is_multiple_of(PROCESSES_EVERY) {
                *others = eye.processes().map_or(*others, |listed| self.strangers(target, &listed));
            }
            sample.others = *others;
            let mut sampled = lock(sampled);
            sampled.samples.push(sample);
            note(&mut sampled.failed, &eye.failed);
        }
    }

    fn sample_pcie(&self, place: usize) {
        let (Some(target), Some(sampled)) = (self.targets.get(place), self.sampled.get(place)) else { return };
        let Ok(device) = self.gpus.device(target.gpu) else { return };
        let mut eye = Eye::on(device, &target.absent);
        let read = eye.pcie(|| self.began.elapsed());
        let mut sampled = lock(sampled);
        if read.rx.is_some() || read.tx.is_some() {
            sampled.pcie.push(read);
        }
        note(&mut sampled.failed, &eye.failed);
    }

    /// Those of `listed` that are not the lane's. One that cannot be seen from here, in another process id namespace, is a
    /// stranger if it was there before the lane; else it may be the lane itself.
    fn strangers(&self, target: &Target, listed: &[u32]) -> u32 {
        let strange = |pid: &&u32| match descends_from(**pid, &self.kin) {
            Some(kin) => !kin,
            None => target.strangers.contains(*pid),
        };
        u32::try_from(listed.iter().filter(strange).count()).unwrap_or(u32::MAX)
    }
}

fn note(counts: &mut BTreeMap<GpuMetric, u32>, failed: &[(GpuMetric, Absence)]) {
    for (metric, _) in failed {
        *counts.entry(*metric).or_insert(0) += 1;
    }
}

/// A thread that panicked leaves whole samples behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
