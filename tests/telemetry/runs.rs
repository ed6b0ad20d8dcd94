//! Runs over the scripted GPU.

use std::collections::BTreeSet;
use std::path::Path;

use lockstep::journal::{
    Absence, ClockReason, EnergySource, GpuMetric, GpuTelemetry, Header, LaunchTelemetry, Record, SegmentTelemetry,
    Sharing, Spread,
};
use lockstep::terms::SignalValue;
use lockstep::verdict::Contamination;

use crate::fake::Scene;
use crate::project::{Lane, Ledger, PlanText, Run};

/// Given the folder of the scripted NVML.
type Test = fn(&Path);

pub const TESTS: [(&str, Test); 10] = [
    ("a_row_holds_what_was_sampled_beside_it", sampled),
    ("what_a_device_does_not_offer_is_named_once_and_has_no_number", absent),
    ("a_read_that_fails_now_and_then_is_counted", failing),
    ("a_throttled_gpu_contaminates_the_rows_it_touches", throttled),
    ("a_context_of_others_contaminates_the_rows_it_touches", shared),
    ("memory_of_others_contaminates_all_rows_of_the_launch", held),
    ("a_lane_that_uses_no_gpu_has_no_samples", unused),
    ("a_gpu_that_cuda_visible_devices_leaves_out_is_neither_listed_nor_watched", invisible),
    ("a_run_or_a_lane_goes_without_samples_when_it_is_asked_to", off),
    ("without_nvml_the_header_says_why", unavailable),
];

/// The plan `faults` over one lane that takes 300 ms for a repetition.
fn slow(library: &Path, changes: &str) -> (Scene, Run, Ledger) {
    run(library, changes, "slow --ms 300")
}

fn run(library: &Path, changes: &str, fault: &str) -> (Scene, Run, Ledger) {
    let scene = Scene::new(library, changes, &[Lane::faulty("gpu", fault)], &PlanText::new("faults", &["gpu"]));
    let run = Run::of(&scene.project, scene.lockstep(&["run", "faults"]));
    let ledger = Ledger::of(&run.path);
    ledger.is_complete();
    (scene, run, ledger)
}

fn header(ledger: &Ledger) -> &Header {
    ledger.journal.segments().last().expect("a journal has a segment").header
}

fn rows(ledger: &Ledger) -> Vec<GpuTelemetry> {
    ledger.rows().into_iter().flat_map(|row| row.telemetry.clone()).collect()
}

fn launches(ledger: &Ledger) -> Vec<LaunchTelemetry> {
    let ends = ledger.journal.records.iter().filter_map(|record| match record {
        Record::LaunchEnd(end) => Some(end.telemetry.clone()),
        _ => None,
    });
    ends.flatten().collect()
}

/// What the verdict says of the GPU; the same is found when the journal is judged again.
fn contamination(run: &Run) -> Contamination {
    run.verdict().contamination
}

fn sampled(library: &Path) {
    let (scene, run, ledger) = slow(library, "");
    run.exits(0);
    let facts = SegmentTelemetry::Sampled { period_ms: 50, pcie_period_ms: 80, absent: vec![[].into()] };
    assert_eq!(header(&ledger).telemetry, Some(facts));
    assert_eq!(header(&ledger).host.as_ref().expect("a measured segment").gpus[0].uuid, "GPU-scripted");
    let rows = rows(&ledger);
    assert_eq!(rows.len(), 12, "one GPU beside each row");
    let (sm, memory) = (Spread(1_980, 1_980, 1_980), Spread(3_201, 3_201, 3_201));
    for row in rows.iter().filter(|row| row.samples > 0) {
        assert_eq!((row.metrics[&GpuMetric::SmMhz], row.metrics[&GpuMetric::MemoryMhz]), (sm, memory));
        assert_eq!(row.metrics[&GpuMetric::UsedMib], Spread(603, 603, 603));
        assert_eq!((row.shared, row.disturbances().len()), (None, 0));
    }
    for LaunchTelemetry { seen, before_mib, after_mib, failed, .. } in launches(&ledger) {
        assert_eq!((before_mib, after_mib, failed.len()), (Some(3), Some(3), 0));
        assert!(seen.samples >= 4 && seen.hz.is_some(), "{seen:?}");
        let Spread(least, mean, most) = seen.metrics[&GpuMetric::PowerMw];
        assert_eq!((least, most), (100_000, 300_000));
        assert!((150_000..=250_000).contains(&mean), "{mean} is no mean of as many of one as of the other");
        assert_eq!(seen.metrics[&GpuMetric::Celsius], Spread(45, 45, 45));
        assert_eq!(seen.metrics[&GpuMetric::GpuPct], Spread(90, 90, 90));
        assert_eq!(seen.metrics[&GpuMetric::MemoryPct], Spread(40, 40, 40));
        assert_eq!(seen.metrics[&GpuMetric::PcieRxKbS], Spread(700, 700, 700));
        assert_eq!(seen.metrics[&GpuMetric::PcieTxKbS], Spread(50, 50, 50));
        assert_eq!(seen.energy.map(|energy| energy.by), Some(EnergySource::Counter));
    }
    assert_eq!((contamination(&run).gpu_pct, contamination(&run).gpu_disturbances), (Some(0.0), vec![]));
    let cell = ledger.rows()[0].cell.to_string();
    let told = scene.lockstep(&["explain", "latest", &cell]);
    told.exits(0).prints(&["SM clock, MHz", "1980", "100000", "300000", "neither"]);
}

fn invisible(library: &Path) {
    let seen = |visible: Option<&str>| {
        let lanes = [Lane::faulty("gpu", "slow --ms 300")];
        let scene = Scene::new(library, "gpus 2\n", &lanes, &PlanText::new("faults", &["gpu"]));
        let run = Run::of(&scene.project, scene.seeing(visible, &["run", "faults"]));
        let ledger = Ledger::of(&run.path);
        let listed = header(&ledger).host.as_ref().expect("a measured segment").gpus.clone();
        let listed: Vec<String> = listed.into_iter().map(|gpu| gpu.uuid).collect();
        let given = ledger.journal.records.iter().find_map(|record| match record {
            Record::Preflight(look) => look.signals.iter().find(|signal| signal.name.ends_with("CUDA_VISIBLE_DEVICES")),
            _ => None,
        });
        let given = given.map(|signal| signal.value.clone());
        (listed, rows(&ledger).iter().map(|row| row.gpu).collect::<BTreeSet<u32>>(), given)
    };
    let text = |text: &str| Some(SignalValue::Text(text.to_owned()));
    let both = ["GPU-scripted".to_owned(), "GPU-unused".to_owned()];
    assert_eq!(seen(None), (both.to_vec(), [0].into(), None));
    assert_eq!(seen(Some("1")), (both[1..].to_vec(), [].into(), text("1")), "the lane's GPU is not ours to watch");
    let turned = [both[1].clone(), both[0].clone()].to_vec();
    assert_eq!(seen(Some("GPU-unused,0")), (turned, [1].into(), text("GPU-unused,0")), "told by its place");
}

fn absent(library: &Path) {
    let missing =
        "power_mw unsupported\nenergy_w denied\nrx_kb_s unsupported\ntx_kb_s unsupported\ngpu_pct unsupported\n";
    let (_scene, run, ledger) = slow(library, missing);
    run.exits(0);
    let expected = [
        (GpuMetric::PowerMw, Absence::NotSupported),
        (GpuMetric::GpuPct, Absence::NotSupported),
        (GpuMetric::MemoryPct, Absence::NotSupported),
        (GpuMetric::PcieRxKbS, Absence::NotSupported),
        (GpuMetric::PcieTxKbS, Absence::NotSupported),
        (GpuMetric::EnergyMj, Absence::NoPermission),
    ];
    let Some(SegmentTelemetry::Sampled { absent, .. }) = &header(&ledger).telemetry else {
        panic!("{run:?}", run = run.id)
    };
    assert_eq!(*absent, [expected.into()]);
    let all = launches(&ledger);
    assert_eq!(all.len(), 3);
    for seen in all.iter().map(|launch| &launch.seen).chain(&rows(&ledger)) {
        assert!(expected.iter().all(|(metric, _)| !seen.metrics.contains_key(metric)), "{seen:?}");
        assert_eq!(seen.energy, None, "neither counter nor power is there: {seen:?}");
    }
    assert!(all.iter().all(|launch| launch.failed.is_empty() && launch.seen.metrics.contains_key(&GpuMetric::SmMhz)));
}

fn failing(library: &Path) {
    let (_scene, run, ledger) = slow(library, "celsius broken 45\n");
    run.exits(0);
    for LaunchTelemetry { seen, failed, .. } in launches(&ledger) {
        assert_eq!(failed.keys().copied().collect::<Vec<_>>(), [GpuMetric::Celsius]);
        assert_eq!(seen.metrics[&GpuMetric::Celsius], Spread(45, 45, 45), "what failed counts as nothing");
    }
}

fn throttled(library: &Path) {
    let (scene, run, ledger) = run(library, "reasons 0x24\n", "none");
    run.exits(5);
    let found = contamination(&run);
    assert_eq!((found.contaminated, found.gpu_pct), (true, Some(100.0)));
    assert_eq!(found.gpu_disturbances, ["sw_power_cap", "sw_thermal_slowdown"]);
    assert!(
        found.told().contains("the GPU was disturbed (sw_power_cap, sw_thermal_slowdown) in 100 %"),
        "{}",
        found.told()
    );
    for row in rows(&ledger) {
        let reasons: Vec<ClockReason> = row.clock_reasons.keys().copied().collect();
        assert_eq!(reasons, [ClockReason::SwPowerCap, ClockReason::SwThermalSlowdown], "in a row without a sample too");
    }
    let cell = ledger.rows()[0].cell.to_string();
    scene.lockstep(&["explain", "latest", &cell]).exits(0).prints(&["DISTURBED", "sw_power_cap in 6 rows"]);
    scene.lockstep(&["accept", "latest"]).exits(2).tells(&["the GPU was disturbed"]);
}

fn shared(library: &Path) {
    let (_scene, run, ledger) = run(library, "stranger 1\n", "none");
    run.exits(5);
    let rows = rows(&ledger);
    assert_eq!(rows.len(), 12);
    assert!(rows.iter().all(|row| row.shared == Some(Sharing { contexts: 1, memory_mib: 0 })), "{rows:?}");
    assert_eq!(contamination(&run).gpu_disturbances, ["shared"]);
}

fn held(library: &Path) {
    let (_scene, run, ledger) = run(library, "used_mib 700\n", "none");
    run.exits(5);
    assert!(rows(&ledger).iter().all(|row| row.shared == Some(Sharing { contexts: 0, memory_mib: 700 })));
    assert!(launches(&ledger).iter().all(|launch| launch.before_mib == Some(700) && launch.after_mib == Some(700)));
    assert_eq!((contamination(&run).contaminated, contamination(&run).gpu_pct), (true, Some(100.0)));
}

/// Throttled, shared and hot: nothing of a lane that is not on the GPU.
fn unused(library: &Path) {
    let lanes = [Lane::faulty("gpu", "none"), Lane::faulty("cpu", "none")];
    let scene = Scene::new(library, "reasons 0x4\n", &lanes, &PlanText::new("faults", &["cpu"]));
    let run = Run::of(&scene.project, scene.lockstep(&["run", "faults"]));
    run.exits(0);
    let ledger = Ledger::of(&run.path);
    assert!(matches!(header(&ledger).telemetry, Some(SegmentTelemetry::Sampled { .. })));
    assert_eq!((rows(&ledger), launches(&ledger), contamination(&run).gpu_pct), (vec![], vec![], None));
}

fn off(library: &Path) {
    let lanes = [
        Lane::faulty("gpu", "none"),
        Lane::faulty("silent", "none").script("echo $$ >> gpu.pids; exec faulty_runner \"$@\""),
    ];
    let plan = PlanText {
        lanes: vec![("gpu", ""), ("silent", "telemetry = false")],
        ..PlanText::new("faults", &["gpu", "silent"])
    };
    let scene = Scene::new(library, "", &lanes, &plan);
    let run = Run::of(&scene.project, scene.lockstep(&["run", "faults"]));
    let ledger = Ledger::of(&run.path);
    let with_samples = |lane: &str| ledger.rows_of(lane).iter().filter(|row| !row.telemetry.is_empty()).count();
    assert_eq!((with_samples("gpu"), with_samples("silent")), (12, 0));
    let run = Run::of(&scene.project, scene.lockstep(&["run", "faults", "--no-telemetry"]));
    let ledger = Ledger::of(&run.path);
    assert_eq!((header(&ledger).telemetry.clone(), rows(&ledger)), (Some(SegmentTelemetry::Off), vec![]));
}

/// A file that is no library stands in the driver's place, on whatever host this is.
fn unavailable(_: &Path) {
    let nothing = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(nothing.path().join("libnvidia-ml.so.1"), "no library").expect("a file can be written");
    let (_scene, run, ledger) = run(nothing.path(), "", "none");
    run.exits(0);
    let Some(SegmentTelemetry::Unavailable { reason }) = &header(&ledger).telemetry else { panic!("NVML was found") };
    assert!(reason.starts_with("opening NVML: ") && reason.contains("libnvidia-ml.so.1"), "{reason}");
    assert_eq!((rows(&ledger), contamination(&run).gpu_pct), (vec![], None));
}
