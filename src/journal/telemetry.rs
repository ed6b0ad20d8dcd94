//! What NVML showed of the GPUs while a lane measured. Absent in older journals, and wherever nothing was sampled.
//!
//! What a device does not offer has no number: it is named once, in the header, with the kind of its absence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the GPUs were watched in a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum SegmentTelemetry {
    /// NVML is sampled while lanes measure.
    Sampled {
        /// Time from one sample to the next, in milliseconds.
        period_ms: u64,
        /// The same for PCIe throughput, which NVML counts over 20 ms a call.
        pcie_period_ms: u64,
        /// Per GPU, by its place in the header, what it does not offer.
        absent: Vec<BTreeMap<GpuMetric, Absence>>,
    },
    /// The run was asked not to.
    Off,
    /// Nothing can be sampled here.
    Unavailable {
        /// What NVML or the loader said.
        reason: String,
    },
}

impl SegmentTelemetry {
    /// Whether `self` and `other` watch alike, whatever they say of it.
    pub(super) fn is_same_as(one: Option<&Self>, other: Option<&Self>) -> bool {
        one.map(std::mem::discriminant) == other.map(std::mem::discriminant)
    }
}

/// Something that is read of a GPU; its unit is in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GpuMetric {
    /// Power draw in milliwatts, as the driver averages it.
    PowerMw,
    /// Clock of the multiprocessors in MHz.
    SmMhz,
    /// Clock of the memory in MHz.
    MemoryMhz,
    /// Temperature of the chip in degrees Celsius.
    Celsius,
    /// Share of time in which a kernel ran, in percent.
    GpuPct,
    /// Share of time in which memory was read or written, in percent.
    MemoryPct,
    /// Memory in use in MiB, without what the driver holds back.
    UsedMib,
    /// Received over PCIe, in KB/s.
    PcieRxKbS,
    /// Sent over PCIe, in KB/s.
    PcieTxKbS,
    /// Energy since the driver was loaded, in millijoules.
    EnergyMj,
    /// What holds the clocks.
    ClockReasons,
    /// Processes with a compute context.
    Processes,
}

impl GpuMetric {
    /// Everything that is read.
    pub const ALL: [Self; 12] = [
        Self::PowerMw,
        Self::SmMhz,
        Self::MemoryMhz,
        Self::Celsius,
        Self::GpuPct,
        Self::MemoryPct,
        Self::UsedMib,
        Self::PcieRxKbS,
        Self::PcieTxKbS,
        Self::EnergyMj,
        Self::ClockReasons,
        Self::Processes,
    ];
}

/// Why something cannot be read of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// The device does not support it.
    NotSupported,
    /// The driver's library does not have the call.
    NotOffered,
    /// This user may not read it.
    NoPermission,
    /// The driver failed to say.
    Failed,
}

/// What holds a GPU's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockReason {
    /// Nothing runs.
    GpuIdle,
    /// The clocks that a user set.
    ApplicationsClocksSetting,
    /// The power limit.
    SwPowerCap,
    /// The hardware's own protection, of power or heat.
    HwSlowdown,
    /// Another GPU of its group.
    SyncBoost,
    /// Heat, by the driver.
    SwThermalSlowdown,
    /// Heat, by the hardware.
    HwThermalSlowdown,
    /// The power supply.
    HwPowerBrakeSlowdown,
    /// The clocks of a display.
    DisplayClockSetting,
}

impl ClockReason {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GpuIdle => "gpu_idle",
            Self::ApplicationsClocksSetting => "applications_clocks_setting",
            Self::SwPowerCap => "sw_power_cap",
            Self::HwSlowdown => "hw_slowdown",
            Self::SyncBoost => "sync_boost",
            Self::SwThermalSlowdown => "sw_thermal_slowdown",
            Self::HwThermalSlowdown => "hw_thermal_slowdown",
            Self::HwPowerBrakeSlowdown => "hw_power_brake_slowdown",
            Self::DisplayClockSetting => "display_clock_setting",
        }
    }

    /// Whether work runs slower than the clocks that were asked for. An idle GPU and a clock that somebody set do not.
    #[must_use]
    pub const fn throttles(self) -> bool {
        !matches!(self, Self::GpuIdle | Self::ApplicationsClocksSetting | Self::DisplayClockSetting)
    }
}

/// Least, mean (rounded) and most of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Spread(
    /// Least.
    pub u64,
    /// Mean, rounded to the next whole number.
    pub u64,
    /// Most.
    pub u64,
);

/// Energy over the whole window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Energy {
    /// Millijoules.
    pub mj: u64,
    /// From what.
    pub by: EnergySource,
}

/// Where an energy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnergySource {
    /// The device's energy counter between the first and the last sample, scaled to the window.
    Counter,
    /// Power integrated over the samples (trapezoids; held at the window's ends).
    Power,
}

/// Others on a GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sharing {
    /// Most compute contexts of processes that are not the lane's.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub contexts: u32,
    /// Memory in MiB that was in use while nothing of the lane was there.
    #[serde(default, skip_serializing_if = "is_none")]
    pub memory_mib: u64,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn is_none(mib: &u64) -> bool {
    *mib == 0
}

/// One GPU in one window: a repetition, or all that a launch measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuTelemetry {
    /// Its place in the header.
    pub gpu: u32,
    /// Samples in the window.
    pub samples: u32,
    /// Samples a second that were achieved, from the first to the last; absent with less than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hz: Option<f64>,
    /// The same for PCIe throughput.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcie_hz: Option<f64>,
    /// What was read; a metric that no sample of the window has stands here with no number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<GpuMetric, Spread>,
    /// Energy over the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<Energy>,
    /// What held the clocks, in how many samples: those of the window and the one before it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clock_reasons: BTreeMap<ClockReason, u32>,
    /// Others on the GPU; absent: none were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Sharing>,
}

impl GpuTelemetry {
    /// What slowed the GPU down or took a part of it, by name; empty: nothing that was seen.
    #[must_use]
    pub fn disturbances(&self) -> Vec<&'static str> {
        let throttled = self.clock_reasons.keys().filter(|reason| reason.throttles()).map(|reason| reason.name());
        throttled.chain(self.shared.map(|_| "shared")).collect()
    }
}

/// One GPU over all that a launch measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchTelemetry {
    /// Length of the window in milliseconds.
    pub window_ms: u64,
    /// What was read in it.
    pub seen: GpuTelemetry,
    /// Memory in MiB that was in use before the lane was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_mib: Option<u64>,
    /// Memory in MiB that was in use once nothing of the lane was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_mib: Option<u64>,
    /// Reads that failed, of what the device offers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<GpuMetric, u32>,
}
