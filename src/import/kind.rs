//! The readers, by name.

use std::str::FromStr;

use super::input::InputFile;
use super::reading::Reading;
use super::{Error, aiperf, hyperfine, optimum, reports, table, treni, vllm};
use crate::terms::nearest;

/// What kind of files are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Printed tables as JSON.
    Table,
    /// TR165's cell summary and metrics.
    Tr165,
    /// TR147's rows.
    Tr147,
    /// TR126's metrics.
    Tr126,
    /// Treni's A/B summaries.
    Treni,
    /// TR117's per-run metrics and samples.
    Tr117,
    /// What `vllm bench serve --save-result` writes.
    VllmBench,
    /// What `aiperf profile` writes.
    Aiperf,
    /// What optimum-benchmark writes.
    OptimumBenchmark,
    /// What `hyperfine --export-json` writes.
    Hyperfine,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Table,
        Self::Tr165,
        Self::Tr147,
        Self::Tr126,
        Self::Treni,
        Self::Tr117,
        Self::VllmBench,
        Self::Aiperf,
        Self::OptimumBenchmark,
        Self::Hyperfine,
    ];

    /// The name used on the command line and in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Tr165 => "tr165",
            Self::Tr147 => "tr147",
            Self::Tr126 => "tr126",
            Self::Treni => "treni",
            Self::Tr117 => "tr117",
            Self::VllmBench => "vllm-bench",
            Self::Aiperf => "aiperf",
            Self::OptimumBenchmark => "optimum-benchmark",
            Self::Hyperfine => "hyperfine",
        }
    }

    /// What it reads, in one line.
    #[must_use]
    pub const fn reads(self) -> &'static str {
        match self {
            Self::Table => "printed tables as JSON (table, units, resolution, rows), or a folder of them",
            Self::Tr165 => "TR165 cell_summary.csv (summaries) and metrics.csv (rows)",
            Self::Tr147 => "TR147 JSON lines of v4 and gpt-fast, metrics.csv of v1 to v3",
            Self::Tr126 => "TR126 metrics.csv",
            Self::Treni => "Treni A/B summaries (summary_ab3.json and the like)",
            Self::Tr117 => "TR117 per-run metrics (JSON list, JSON lines or CSV), loop_lag.csv, chunk_metrics.csv",
            Self::VllmBench => "JSON of `vllm bench serve --save-result`; requests too with --save-detailed",
            Self::Aiperf => "AIPerf profile_export_aiperf.json (summaries) and profile_export.jsonl (requests)",
            Self::OptimumBenchmark => "optimum-benchmark benchmark_report.json or benchmark.json",
            Self::Hyperfine => "JSON of `hyperfine --export-json`",
        }
    }

    /// How the names of its files end.
    #[must_use]
    pub const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Table | Self::Treni | Self::VllmBench | Self::OptimumBenchmark | Self::Hyperfine => &[".json"],
            Self::Tr165 | Self::Tr126 => &[".csv"],
            Self::Tr147 => &[".jsonl", ".csv"],
            Self::Tr117 => &[".json", ".jsonl", ".csv"],
            Self::Aiperf => &[".json", ".jsonl"],
        }
    }

    /// Whether a file of that name in a folder is one of its own. The list of tables beside them is no table.
    pub(super) fn takes(self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        let is_list = self == Self::Table && lower.rsplit('/').next() == Some("index.json");
        !is_list && self.endings().iter().any(|ending| lower.ends_with(ending))
    }

    pub(super) fn read(self, file: &InputFile) -> Result<Reading, Error> {
        if !self.endings().iter().any(|ending| file.ends_in(ending)) {
            let found = format!("the name ends in none of {}", self.endings().join(", "));
            let hint = format!("the kind `{}` reads {}", self.name(), self.reads());
            return Err(Error::fault(&file.name, "", found, hint));
        }
        match self {
            Self::Table => table::read(file),
            Self::Tr165 => reports::tr165(file),
            Self::Tr147 => reports::tr147(file),
            Self::Tr126 => reports::tr126(file),
            Self::Tr117 => reports::tr117(file),
            Self::Treni => treni::read(file),
            Self::VllmBench => vllm::read(file),
            Self::Aiperf => aiperf::read(file),
            Self::OptimumBenchmark => optimum::read(file),
            Self::Hyperfine => hyperfine::read(file),
        }
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let hint = match nearest(text, Self::ALL.map(Self::name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known: {}", Self::ALL.map(Self::name).join(", ")),
            };
            Error::UnknownKind { found: text.to_owned(), hint }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_a_slip_is_told() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse::<Kind>().unwrap(), kind);
        }
        let slip = "hyperfin".parse::<Kind>().unwrap_err();
        assert_eq!(slip.to_string(), "there is no kind \"hyperfin\"; did you mean `hyperfine`?");
    }
}
