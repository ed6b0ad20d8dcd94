//! What was sampled of the GPUs beside the rows of a cell.

use std::collections::BTreeMap;

use super::number::{NONE, significant};
use super::page::{Page, Table, numbers, words};
use crate::journal::{EnergySource, GpuMetric, GpuTelemetry, Row, Spread};

/// A lane's rows on one GPU.
#[derive(Default)]
struct Gathered<'a> {
    rows: Vec<&'a GpuTelemetry>,
    /// Least, most, the samples' sum of means, and samples.
    metrics: BTreeMap<GpuMetric, (u64, u64, f64, f64)>,
}

/// One section; nothing where no GPU was sampled.
pub(super) fn gpus(rows: &[&Row], page: &mut Page) {
    let mut found: BTreeMap<(&str, u32), Gathered<'_>> = BTreeMap::new();
    for row in rows {
        for seen in &row.telemetry {
            found.entry((&row.lane, seen.gpu)).or_default().take(seen);
        }
    }
    if found.is_empty() {
        return;
    }
    page.heading("GPU");
    page.bullets(found.iter().map(|((lane, gpu), gathered)| gathered.told(lane, *gpu)).collect());
    let headings =
        [words("Lane"), numbers("GPU"), words("Sampled"), numbers("Least"), numbers("Mean"), numbers("Most")];
    let mut table = Table::new(headings);
    for ((lane, gpu), gathered) in &found {
        for (index, (metric, (least, most, sum, weight))) in gathered.metrics.iter().enumerate() {
            let first = |text: String| if index == 0 { text } else { String::new() };
            table.row([
                first((*lane).to_owned()),
                first(gpu.to_string()),
                label(*metric).to_owned(),
                least.to_string(),
                format!("{:.0}", sum / weight),
                most.to_string(),
            ]);
        }
    }
    if !table.rows.is_empty() {
        page.table(table);
    }
}

impl<'a> Gathered<'a> {
    fn take(&mut self, seen: &'a GpuTelemetry) {
        self.rows.push(seen);
        let weight = f64::from(seen.samples.max(1));
        for (metric, Spread(low, mean, high)) in &seen.metrics {
            let (least, most, sum, samples) = self.metrics.entry(*metric).or_insert((*low, *high, 0.0, 0.0));
            (*least, *most) = ((*least).min(*low), (*most).max(*high));
            *sum += *mean as f64 * weight;
            *samples += weight;
        }
    }

    fn told(&self, lane: &str, gpu: u32) -> String {
        let samples: u64 = self.rows.iter().map(|row| u64::from(row.samples)).sum();
        let mean = |values: Vec<f64>| {
            let count = values.len();
            (count > 0).then(|| values.into_iter().sum::<f64>() / count as f64)
        };
        let shown = |value: Option<f64>| value.map_or_else(|| NONE.to_owned(), |value| significant(value, 3));
        let hz = mean(self.rows.iter().filter_map(|row| row.hz).collect());
        let pcie_hz = mean(self.rows.iter().filter_map(|row| row.pcie_hz).collect());
        let mut text = format!(
            "{lane}, GPU {gpu}: {samples} samples in {} rows, {} a second, PCIe {} a second",
            self.rows.len(),
            shown(hz),
            shown(pcie_hz)
        );
        for (source, by) in [(EnergySource::Counter, "its energy counter"), (EnergySource::Power, "its power")] {
            let energies = self.rows.iter().filter_map(|row| row.energy).filter(|energy| energy.by == source);
            if let Some(mj) = mean(energies.map(|energy| energy.mj as f64).collect()) {
                text.push_str(&format!("; {} J a row by {by}", significant(mj / 1e3, 3)));
            }
        }
        let mut disturbed: BTreeMap<&str, u32> = BTreeMap::new();
        for name in self.rows.iter().flat_map(|row| row.disturbances()) {
            *disturbed.entry(name).or_insert(0) += 1;
        }
        let disturbed: Vec<String> = disturbed.iter().map(|(name, rows)| format!("{name} in {rows} rows")).collect();
        if disturbed.is_empty() {
            text.push_str("; neither throttled nor shared");
        } else {
            text.push_str(&format!("; DISTURBED: {}", disturbed.join(", ")));
        }
        text
    }
}

/// A metric with its unit.
const fn label(metric: GpuMetric) -> &'static str {
    match metric {
        GpuMetric::PowerMw => "power, mW",
        GpuMetric::SmMhz => "SM clock, MHz",
        GpuMetric::MemoryMhz => "memory clock, MHz",
        GpuMetric::Celsius => "temperature, °C",
        GpuMetric::GpuPct => "time with a kernel, %",
        GpuMetric::MemoryPct => "time with memory in use, %",
        GpuMetric::UsedMib => "memory in use, MiB",
        GpuMetric::PcieRxKbS => "PCIe received, KB/s",
        GpuMetric::PcieTxKbS => "PCIe sent, KB/s",
        GpuMetric::EnergyMj => "energy, mJ",
        GpuMetric::ClockReasons => "clock reasons",
        GpuMetric::Processes => "processes",
    }
}
