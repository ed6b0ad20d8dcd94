//! One look at one GPU through NVML. What a device does not offer is not asked for again.

use std::collections::BTreeMap;
use std::time::Duration;

use nvml_wrapper::Device;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, PcieUtilCounter, TemperatureSensor};
use nvml_wrapper::error::NvmlError;

use super::summary::{LEVELS, PcieSample, Sample};
use crate::journal::{Absence, ClockReason, GpuMetric};

/// What a device does not offer.
pub(super) type Absent = BTreeMap<GpuMetric, Absence>;

/// A device, and what came of asking it.
pub(super) struct Eye<'a> {
    pub device: Device<'a>,
    /// What is not asked for, except where the driver only failed to say.
    pub absent: &'a Absent,
    /// What was asked for in vain.
    pub failed: Vec<(GpuMetric, Absence)>,
}

impl<'a> Eye<'a> {
    pub(super) fn on(device: Device<'a>, absent: &'a Absent) -> Self {
        Self { device, absent, failed: Vec::new() }
    }

    /// What a sample of everything finds absent.
    pub(super) fn probe(device: Device<'_>) -> Absent {
        let none = Absent::new();
        let mut eye = Eye::on(device, &none);
        eye.sample(Duration::ZERO);
        eye.pcie(|| Duration::ZERO);
        eye.processes();
        eye.failed.into_iter().collect()
    }

    /// Everything but PCIe and processes, none of which blocks for long.
    pub(super) fn sample(&mut self, at: Duration) -> Sample {
        use GpuMetric::{Celsius, ClockReasons, EnergyMj, GpuPct, MemoryMhz, MemoryPct, PowerMw, SmMhz, UsedMib};
        let shares = self.ask(GpuPct, Device::utilization_rates);
        if shares.is_none() {
            self.failed
                .extend(self.failed.last().filter(|(metric, _)| *metric == GpuPct).map(|(_, why)| (MemoryPct, *why)));
        }
        let shares = shares.map(|shares| (u64::from(shares.gpu), u64::from(shares.memory)));
        let levels = LEVELS.map(|metric| match metric {
            PowerMw => self.ask(metric, Device::power_usage).map(u64::from),
            SmMhz => self.ask(metric, |device| device.clock_info(Clock::SM)).map(u64::from),
            MemoryMhz => self.ask(metric, |device| device.clock_info(Clock::Memory)).map(u64::from),
            Celsius => self.ask(metric, |device| device.temperature(TemperatureSensor::Gpu)).map(u64::from),
            GpuPct => shares.map(|(gpu, _)| gpu),
            MemoryPct => shares.map(|(_, memory)| memory),
            UsedMib => self.used_mib(),
            _ => None,
        });
        let reasons = self.ask(ClockReasons, Device::current_throttle_reasons).map(reasons).unwrap_or_default();
        Sample { at, levels, energy_mj: self.ask(EnergyMj, Device::total_energy_consumption), reasons, others: 0 }
    }

    pub(super) fn used_mib(&mut self) -> Option<u64> {
        self.ask(GpuMetric::UsedMib, Device::memory_info).map(|memory| memory.used >> 20)
    }

    /// Throughput over the last moments; `now` tells the time once it is read, which takes a while.
    pub(super) fn pcie(&mut self, now: impl FnOnce() -> Duration) -> PcieSample {
        let rx = self.ask(GpuMetric::PcieRxKbS, |device| device.pcie_throughput(PcieUtilCounter::Receive));
        let tx = self.ask(GpuMetric::PcieTxKbS, |device| device.pcie_throughput(PcieUtilCounter::Send));
        PcieSample { at: now(), rx: rx.map(u64::from), tx: tx.map(u64::from) }
    }

    /// Processes with a compute context.
    pub(super) fn processes(&mut self) -> Option<Vec<u32>> {
        let listed = self.ask(GpuMetric::Processes, Device::running_compute_processes)?;
        Some(listed.into_iter().map(|process| process.pid).collect())
    }

    fn ask<T>(&mut self, metric: GpuMetric, call: impl FnOnce(&Device<'a>) -> Result<T, NvmlError>) -> Option<T> {
        if self.absent.get(&metric).is_some_and(|why| *why != Absence::Failed) {
            return None;
        }
        match call(&self.device) {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed.push((metric, absence(&error)));
                None
            }
        }
    }
}

fn absence(error: &NvmlError) -> Absence {
    match error {
        NvmlError::NotSupported => Absence::NotSupported,
        NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => Absence::NotOffered,
        NvmlError::NoPermission => Absence::NoPermission,
        _ => Absence::Failed,
    }
}

fn reasons(found: ThrottleReasons) -> Vec<ClockReason> {
    let known = [
        (ThrottleReasons::GPU_IDLE, ClockReason::GpuIdle),
        (ThrottleReasons::APPLICATIONS_CLOCKS_SETTING, ClockReason::ApplicationsClocksSetting),
        (ThrottleReasons::SW_POWER_CAP, ClockReason::SwPowerCap),
        (ThrottleReasons::HW_SLOWDOWN, ClockReason::HwSlowdown),
        (ThrottleReasons::SYNC_BOOST, ClockReason::SyncBoost),
        (ThrottleReasons::SW_THERMAL_SLOWDOWN, ClockReason::SwThermalSlowdown),
        (ThrottleReasons::HW_THERMAL_SLOWDOWN, ClockReason::HwThermalSlowdown),
        (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, ClockReason::HwPowerBrakeSlowdown),
        (ThrottleReasons::DISPLAY_CLOCK_SETTING, ClockReason::DisplayClockSetting),
    ];
    known.into_iter().filter(|(flag, _)| found.contains(*flag)).map(|(_, reason)| reason).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_apart_by_its_cause() {
        let found = [
            NvmlError::NotSupported,
            NvmlError::FailedToLoadSymbol("nvmlDeviceGetTotalEnergyConsumption".to_owned()),
            NvmlError::FunctionNotFound,
            NvmlError::NoPermission,
            NvmlError::GpuLost,
        ];
        let expected =
            [Absence::NotSupported, Absence::NotOffered, Absence::NotOffered, Absence::NoPermission, Absence::Failed];
        assert_eq!(found.map(|error| absence(&error)), expected);
    }

    #[test]
    fn each_reason_is_named() {
        assert_eq!(reasons(ThrottleReasons::NONE), []);
        let found = reasons(ThrottleReasons::GPU_IDLE | ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN);
        assert_eq!(found, [ClockReason::GpuIdle, ClockReason::HwPowerBrakeSlowdown]);
        assert_eq!(reasons(ThrottleReasons::all()).len(), 9);
    }
}
