//! Samples in a window → what a row says of them. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::journal::{ClockReason, Energy, EnergySource, GpuMetric, GpuTelemetry, Sharing, Spread};

/// What a sample holds a number of.
pub(super) const LEVELS: [GpuMetric; 7] = [
    GpuMetric::PowerMw,
    GpuMetric::SmMhz,
    GpuMetric::MemoryMhz,
    GpuMetric::Celsius,
    GpuMetric::GpuPct,
    GpuMetric::MemoryPct,
    GpuMetric::UsedMib,
];

/// The device's energy counter moves in steps of up to 100 ms, so fewer samples than these say little by it.
const COUNTER_SAMPLES: usize = 4;

/// One look at a GPU, at a time since sampling began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub at: Duration,
    /// In the order of [`LEVELS`].
    pub levels: [Option<u64>; LEVELS.len()],
    pub energy_mj: Option<u64>,
    pub reasons: Vec<ClockReason>,
    /// Compute contexts of others, when they were last looked for.
    pub others: u32,
}

/// PCIe throughput in KB/s, as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PcieSample {
    pub at: Duration,
    pub rx: Option<u64>,
    pub tx: Option<u64>,
}

/// What is summed up, in the order of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub gpu: u32,
    pub samples: &'a [Sample],
    pub pcie: &'a [PcieSample],
    /// Memory in MiB that others held before the lane was there; 0: none to speak of.
    pub held_mib: u64,
}

/// The window from `from` to `to`.
pub(super) fn summary(seen: Seen<'_>, from: Duration, to: Duration) -> GpuTelemetry {
    let first = seen.samples.partition_point(|sample| sample.at < from);
    let end = seen.samples.partition_point(|sample| sample.at <= to);
    let inside = seen.samples.get(first..end).unwrap_or_default();
    // What held when the window began was seen by the last look before it.
    let touching = seen.samples.get(first.saturating_sub(1)..end.max(first)).unwrap_or_default();
    let pcie = seen.pcie.iter().filter(|sample| (from..=to).contains(&sample.at));
    let pcie: Vec<PcieSample> = pcie.copied().collect();
    let mut metrics = BTreeMap::new();
    for (place, metric) in LEVELS.into_iter().enumerate() {
        let values = inside.iter().filter_map(|sample| sample.levels.get(place).copied().flatten());
        metrics.extend(spread(values).map(|spread| (metric, spread)));
    }
    metrics.extend(spread(pcie.iter().filter_map(|s| s.rx)).map(|spread| (GpuMetric::PcieRxKbS, spread)));
    metrics.extend(spread(pcie.iter().filter_map(|s| s.tx)).map(|spread| (GpuMetric::PcieTxKbS, spread)));
    let mut clock_reasons = BTreeMap::new();
    for reason in touching.iter().flat_map(|sample| &sample.reasons) {
        *clock_reasons.entry(*reason).or_insert(0) += 1;
    }
    let contexts = touching.iter().map(|sample| sample.others).max().unwrap_or(0);
    let shared = Sharing { contexts, memory_mib: seen.held_mib };
    GpuTelemetry {
        gpu: seen.gpu,
        samples: u32::try_from(inside.len()).unwrap_or(u32::MAX),
        hz: hz(inside.iter().map(|sample| sample.at)),
        pcie_hz: hz(pcie.iter().map(|sample| sample.at)),
        metrics,
        energy: by_counter(inside, to - from).or_else(|| by_power(inside, from, to)),
        clock_reasons,
        shared: (shared != Sharing::default()).then_some(shared),
    }
}

fn spread(values: impl Iterator<Item = u64>) -> Option<Spread> {
    let mut found: Option<(u64, u128, u128, u64)> = None;
    for value in values {
        let (least, sum, count, most) = found.unwrap_or((value, 0, 0, value));
        found = Some((least.min(value), sum + u128::from(value), count + 1, most.max(value)));
    }
    let (least, sum, count, most) = found?;
    let mean = u64::try_from((sum + count / 2) / count).unwrap_or(most);
    Some(Spread(least, mean, most))
}

/// Samples a second, to a tenth.
fn hz(times: impl Iterator<Item = Duration>) -> Option<f64> {
    let times: Vec<Duration> = times.collect();
    let span = times.last()?.checked_sub(*times.first()?)?;
    let intervals = times.len() - 1;
    (!span.is_zero()).then(|| (intervals as f64 / span.as_secs_f64() * 10.0).round() / 10.0)
}

/// What the counter gained from the first to the last sample, scaled to the window.
fn by_counter(inside: &[Sample], window: Duration) -> Option<Energy> {
    let counted: Vec<(Duration, u64)> =
        inside.iter().filter_map(|sample| Some((sample.at, sample.energy_mj?))).collect();
    let ((from, less), (to, more)) = (*counted.first()?, *counted.last()?);
    let span_us = to.checked_sub(from)?.as_micros();
    if counted.len() < COUNTER_SAMPLES || span_us == 0 {
        return None;
    }
    // A driver that is loaded again counts from nothing.
    let gained = u128::from(more.checked_sub(less)?);
    let mj = u64::try_from(gained * window.as_micros() / span_us).ok()?;
    Some(Energy { mj, by: EnergySource::Counter })
}

/// Trapezoids between samples; before the first and behind the last the power that they show.
fn by_power(inside: &[Sample], from: Duration, to: Duration) -> Option<Energy> {
    let power: Vec<(Duration, u64)> =
        inside.iter().filter_map(|sample| Some((sample.at, sample.levels.first().copied().flatten()?))).collect();
    let ((first_at, first), (last_at, last)) = (*power.first()?, *power.last()?);
    let area = |span: Duration, mw: u64| span.as_micros() * u128::from(mw);
    let between = power.windows(2).map(|pair| match pair {
        [(from, before), (to, after)] => area(to.saturating_sub(*from), before + after) / 2,
        _ => 0,
    });
    let ends = area(first_at.saturating_sub(from), first) + area(to.saturating_sub(last_at), last);
    // Microseconds times milliwatts are nanojoules.
    let mj = u64::try_from((between.sum::<u128>() + ends) / 1_000_000).ok()?;
    Some(Energy { mj, by: EnergySource::Power })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A sample of power, SM clock and energy; everything else the device does not offer.
    fn sample(at: u64, power_mw: u64, sm_mhz: u64, energy_mj: Option<u64>) -> Sample {
        let mut levels = [None; LEVELS.len()];
        levels[..2].copy_from_slice(&[Some(power_mw), Some(sm_mhz)]);
        Sample { at: ms(at), levels, energy_mj, reasons: Vec::new(), others: 0 }
    }

    fn seen(samples: &[Sample]) -> Seen<'_> {
        Seen { gpu: 0, samples, pcie: &[], held_mib: 0 }
    }

    #[test]
    fn a_window_takes_its_own_samples_and_no_metric_that_none_of_them_has() {
        let samples =
            [(0, 900), (50, 100), (100, 200), (150, 301), (200, 900)].map(|(at, mw)| sample(at, mw, 1_980, None));
        let found = summary(seen(&samples), ms(40), ms(160));
        assert_eq!((found.samples, found.hz), (3, Some(20.0)));
        let expected = [(GpuMetric::PowerMw, Spread(100, 200, 301)), (GpuMetric::SmMhz, Spread(1_980, 1_980, 1_980))];
        assert_eq!(found.metrics, expected.into(), "a metric that is absent has no number");
    }

    #[test]
    fn a_window_between_two_samples_has_no_number_and_knows_what_held_before_it() {
        let mut samples = [0, 50].map(|at| sample(at, 100, 1, None));
        samples[0].reasons = vec![ClockReason::SwPowerCap];
        samples[1].reasons = vec![ClockReason::HwSlowdown];
        let found = summary(seen(&samples), ms(10), ms(13));
        let expected = GpuTelemetry { clock_reasons: [(ClockReason::SwPowerCap, 1)].into(), ..GpuTelemetry::default() };
        assert_eq!(found, expected);
        assert_eq!(found.disturbances(), ["sw_power_cap"]);
    }

    #[test]
    fn power_is_held_at_the_ends_and_runs_straight_between_samples() {
        let samples = [sample(50, 1_000, 1, None), sample(150, 3_000, 1, None)];
        let found = summary(seen(&samples), ms(0), ms(200));
        // 50 ms of 1 W, 100 ms of 2 W on average, 50 ms of 3 W.
        assert_eq!(found.energy, Some(Energy { mj: 50 + 200 + 150, by: EnergySource::Power }));
    }

    #[test]
    fn the_counter_is_believed_once_it_has_moved_for_long_enough() {
        let all = [0, 50, 100, 150].map(|at| sample(at, 9_999_999, 1, Some(1_000 + at * 2)));
        let found = summary(seen(&all), ms(0), ms(200)).energy;
        assert_eq!(found, Some(Energy { mj: 400, by: EnergySource::Counter }), "2 mJ a ms, over 200 ms");
        let few = summary(seen(&all[..3]), ms(0), ms(100)).energy;
        assert_eq!(few.map(|energy| energy.by), Some(EnergySource::Power));
        let mut again = all;
        again[3].energy_mj = Some(0);
        let found = summary(seen(&again), ms(0), ms(200)).energy;
        assert_eq!(found.map(|energy| energy.by), Some(EnergySource::Power), "the driver was loaded again");
    }

    #[test]
    fn pcie_has_a_schedule_of_its_own() {
        let pcie = [(30, 5), (130, 7), (230, 9)].map(|(at, rx)| PcieSample { at: ms(at), rx: Some(rx), tx: None });
        let found = summary(Seen { pcie: &pcie, ..seen(&[]) }, ms(100), ms(300));
        assert_eq!((found.samples, found.hz, found.pcie_hz), (0, None, Some(10.0)));
        assert_eq!(found.metrics, [(GpuMetric::PcieRxKbS, Spread(7, 8, 9))].into());
    }

    #[test]
    fn others_are_counted_by_contexts_and_by_memory_that_was_held_before() {
        let mut samples = [0, 50, 100].map(|at| sample(at, 1, 1, None));
        samples[1].others = 2;
        let found = summary(Seen { held_mib: 700, ..seen(&samples) }, ms(0), ms(100));
        assert_eq!(found.shared, Some(Sharing { contexts: 2, memory_mib: 700 }));
        assert_eq!(found.disturbances(), ["shared"]);
        assert_eq!(summary(seen(&samples[2..]), ms(60), ms(100)).shared, None);
    }

    #[test]
    fn an_idle_gpu_and_a_clock_that_somebody_set_are_no_throttling() {
        let mut samples = [sample(0, 1, 1, None)];
        samples[0].reasons = vec![ClockReason::GpuIdle, ClockReason::ApplicationsClocksSetting];
        let found = summary(seen(&samples), ms(0), ms(1));
        assert_eq!((found.clock_reasons.len(), found.disturbances()), (2, Vec::new()));
    }
}
