//! Rows beside which GPUs were sampled: what disturbs them contaminates the run, and what cannot be is refused.

use super::*;
use crate::journal::{
    Absence, ClockReason, GpuMetric, GpuTelemetry, LaunchTelemetry, SegmentTelemetry, Sharing, Spread,
};
use crate::verdict::Error;

const POWER: GpuMetric = GpuMetric::PowerMw;

/// A quiet GPU beside a row of 10 ms.
fn quiet_gpu() -> GpuTelemetry {
    GpuTelemetry { samples: 1, metrics: [(POWER, Spread(1, 2, 3))].into(), ..GpuTelemetry::default() }
}

/// The fixture's journal with one GPU in its header, of which energy cannot be read, after `edit` of each row's sample.
fn journal(edit: impl Fn(&Row, &mut GpuTelemetry), end: impl Fn(&mut LaunchEnd)) -> Journal {
    journal_of(&Fixture::plan(), edit, end)
}

fn journal_of(plan: &Plan, edit: impl Fn(&Row, &mut GpuTelemetry), end: impl Fn(&mut LaunchEnd)) -> Journal {
    let mut records = Fixture::default().journal_of(plan, std::slice::from_ref(&(0..6))).records;
    for record in &mut records {
        match record {
            Record::Header(header) => {
                let absent = vec![[(GpuMetric::EnergyMj, Absence::NotSupported)].into()];
                header.telemetry = Some(SegmentTelemetry::Sampled { period_ms: 50, pcie_period_ms: 100, absent });
            }
            Record::Row(row) => {
                let mut seen = quiet_gpu();
                edit(row, &mut seen);
                row.telemetry = vec![seen];
            }
            Record::LaunchEnd(launch) => end(launch),
            _ => {}
        }
    }
    journal::read(&journal::encode(&records).unwrap()).unwrap()
}

fn judged(journal: &Journal) -> Result<Verdict, Error> {
    judge(&Fixture::plan(), journal)
}

#[test]
fn a_gpu_that_nothing_disturbs_contaminates_nothing() {
    let verdict = judged(&journal(|_, _| (), |_| ())).unwrap();
    assert_eq!((verdict.contamination.contaminated, verdict.contamination.gpu_pct), (false, Some(0.0)));
    assert_eq!(Fixture::default().verdict().contamination.gpu_pct, None, "nobody looked");
}

#[test]
fn throttling_in_one_cell_of_one_lane_is_not_hidden_by_the_others() {
    let of_other = |row: &Row, seen: &mut GpuTelemetry| {
        if row.lane == "other" && row.tokens.len() > 1 && row.block.is_multiple_of(2) {
            seen.clock_reasons = [(ClockReason::HwThermalSlowdown, 1)].into();
        }
    };
    let verdict = judged(&journal(of_other, |_| ())).unwrap();
    let Contamination { contaminated, gpu_pct, gpu_disturbances, gpu_rows, .. } = &verdict.contamination;
    let pct = gpu_pct.unwrap();
    assert!(*contaminated && (45.0..55.0).contains(&pct), "three of six rows of about equal length: {pct}");
    assert_eq!((&gpu_disturbances[..], *gpu_rows), (&["hw_thermal_slowdown".to_owned()][..], 3));
    assert!(
        verdict.reasons[0].ends_with("% of a cell's time, beside 3 rows in all, limit 10 %"),
        "{:?}",
        verdict.reasons
    );
}

#[test]
fn what_a_cell_did_untimed_before_its_first_row_does_not_dilute_a_throttled_share() {
    let throttled = |row: &Row, seen: &mut GpuTelemetry| {
        if row.lane == "other" && row.tokens.len() > 1 && row.block.is_multiple_of(2) {
            seen.clock_reasons = [(ClockReason::SwPowerCap, 1)].into();
        }
    };
    let share = |untimed_ns: u64| {
        let mut records = journal(throttled, |_| ()).records;
        for record in &mut records {
            if let Record::Row(row) = record
                && row.telemetry[0].clock_reasons.is_empty()
            {
                row.outside_ns = row.outside_ns.map(|ns| ns + untimed_ns);
            }
        }
        let journal = journal::read(&journal::encode(&records).unwrap()).unwrap();
        judged(&journal).unwrap().contamination.gpu_pct.unwrap()
    };
    assert_eq!(share(5_000_000), share(0), "settling and profiling are not measured time");
}

#[test]
fn rows_that_were_touched_within_the_limit_stay_and_are_counted() {
    let plan = Plan::parse("fixture.toml", &PLAN.replace("warmup = 0", "warmup = 0\nbusy_limit_pct = 20")).unwrap();
    let once = |row: &Row, seen: &mut GpuTelemetry| {
        if row.lane == "other" && row.tokens.len() > 1 && row.block == 2 {
            seen.clock_reasons = [(ClockReason::SwPowerCap, 1)].into();
        }
    };
    let verdict = judge(&plan, &journal_of(&plan, once, |_| ())).unwrap();
    assert_eq!((verdict.conclusion, verdict.contamination.contaminated), (Conclusion::AsExpected, false));
    let told = verdict.reasons.last().unwrap();
    let start = "rows whose times stand although the GPU was disturbed beside them (sw_power_cap): 1, 16.";
    assert!(told.starts_with(start) && told.ends_with("% of a cell's time at most, limit 20 %"), "{told}");
}

#[test]
fn memory_of_others_after_the_lane_was_beside_all_rows_of_the_launch() {
    let held = |end: &mut LaunchEnd| {
        let shared = Some(Sharing { contexts: 0, memory_mib: 900 });
        let seen = GpuTelemetry { shared, ..quiet_gpu() };
        let after_mib = Some(900);
        end.telemetry =
            vec![LaunchTelemetry { window_ms: 1_000, seen, before_mib: Some(0), after_mib, failed: BTreeMap::new() }];
    };
    let contamination = judged(&journal(|_, _| (), held)).unwrap().contamination;
    assert_eq!((contamination.gpu_pct, contamination.gpu_disturbances), (Some(100.0), vec!["shared".to_owned()]));
}

#[test]
fn a_repetition_that_crashed_after_minutes_keeps_its_samples() {
    let mut records = journal(|_, _| (), |_| ()).records;
    let row = records.iter_mut().find_map(|record| if let Record::Row(row) = record { Some(row) } else { None });
    let row = row.expect("a row");
    let lane = row.lane.clone();
    (row.outcome, row.wall_ns, row.outside_ns, row.output_sha256, row.stop) =
        (Outcome::Crashed, None, None, None, None);
    row.tokens.clear();
    row.failure = Some(Failure::new(FailureClass::Died, "its process ended"));
    row.telemetry = vec![GpuTelemetry { samples: 1_012, ..quiet_gpu() }];
    let verdict = judged(&processes::journal_of(records)).unwrap();
    let crashed =
        verdict.lanes.iter().find(|found| found.lane == lane).and_then(|it| it.outcomes.get(&Outcome::Crashed));
    assert_eq!(crashed, Some(&1));
}

#[test]
fn samples_that_cannot_be_are_refused() {
    type Edit = fn(&Row, &mut GpuTelemetry);
    let cases: [(Edit, &str); 4] = [
        (|_, seen| seen.gpu = 1, "was sampled on GPU 1, and the header has 1"),
        (|_, seen| seen.samples = 3, "counts 3 samples of GPU 0, and its time has room for 2"),
        (|_, seen| seen.metrics = [(POWER, Spread(2, 1, 3))].into(), "out of order"),
        (|_, seen| seen.metrics = [(GpuMetric::EnergyMj, Spread(0, 0, 0))].into(), "which the header says is absent"),
    ];
    for (edit, words) in cases {
        let error = judged(&journal(edit, |_| ())).unwrap_err().to_string();
        assert!(error.contains(words), "{error} lacks {words:?}");
    }
    let mut records = journal(|_, _| (), |_| ()).records;
    let Some(Record::Header(header)) = records.first_mut() else { panic!("a journal begins with a header") };
    header.telemetry = Some(SegmentTelemetry::Off);
    let unannounced = journal::read(&journal::encode(&records).unwrap()).unwrap();
    assert!(judged(&unannounced).unwrap_err().to_string().contains("none are taken"));
}
